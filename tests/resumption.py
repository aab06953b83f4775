"""Training that is broken off: cases for `tests/test_resumption.py` and `tests/kill.py`."""

import keras
import numpy as np
import tensorflow as tf

import tfp_flows as tff

X = np.random.default_rng(0).normal(size=[50, 2]).astype("float32")


def flow(**settings):
    return tff.flows.real_nvp(2, num_layers=2, hidden_units=[4], seed=0, **settings)


def density(num_steps=None):
    """The model of a case; the schedules of some last for `num_steps`."""
    return tff.models.DensityModel(flow())


def vae(num_steps):
    encoder = keras.Sequential([keras.layers.Dense(3), keras.layers.Dropout(0.5)])
    decoder = keras.Sequential([keras.layers.Dense(2)])
    posterior = tff.flows.planar(2, num_layers=2, context_size=3, seed=0)
    prior = tff.distributions.standard_normal(2)
    return tff.models.FlowVAE(encoder, decoder, posterior, prior, beta_warmup_steps=num_steps)


def reverse_kl(num_steps=None):
    energy = tff.datasets.energy("u2")
    return tff.models.ReverseKLModel(flow(), lambda z: -energy(z))


def shuffled():
    return tf.data.Dataset.from_tensor_slices(X).shuffle(50, seed=3).batch(8)


# Makers of the model and of the settings of `fit`; both are told how long a schedule shall last.
CASES = {
    "arrays": (density, lambda n: {"x": X, "batch_size": 8}),
    "arrays in steps": (density, lambda n: {"x": X, "batch_size": 8, "steps_per_epoch": 5}),
    "arrays with validation": (
        density,
        lambda n: {"x": X, "batch_size": 8, "validation_split": 0.2, "initial_epoch": 1},
    ),
    "dataset": (density, lambda n: {"x": shuffled()}),
    "dataset in steps": (density, lambda n: {"x": shuffled().repeat(), "steps_per_epoch": 6}),
    "vae": (vae, lambda n: {"x": (X > 0).astype("float32"), "batch_size": 8}),
    "reverse KL": (
        reverse_kl,
        lambda n: {
            "steps_per_epoch": 6,
            "batch_size": 8,
            "callbacks": [tff.models.BetaAnnealing(num_steps=n)],
        },
    ),
}


def train(name, folder, *callbacks, epochs=5, **compile_settings):
    """What a program does, once or once again; returns all variables of model and optimizer."""
    keras.utils.set_random_seed(0)
    make, data = CASES[name]
    num_steps = 4 * epochs  # of five to seven an epoch
    model, settings = make(num_steps), data(num_steps)
    model.compile(keras.optimizers.Adam(1e-2), **compile_settings)
    backup = keras.callbacks.BackupAndRestore(folder)
    callbacks = [backup, *settings.pop("callbacks", []), *callbacks]
    model.fit(**settings, epochs=epochs, verbose=0, callbacks=callbacks)
    return [keras.ops.convert_to_numpy(v) for v in (*model.variables, *model.optimizer.variables)]
