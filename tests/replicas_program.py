"""What `tests/test_distribute.py` runs in a process that has two devices: prints JSON.

    python -m tests.replicas_program

Two logical devices are made of the first GPU, or else of the CPU.
"""

import contextlib
import json

import keras
import numpy as np
import tensorflow as tf

import tfp_flows as tff

BATCH_SIZE = 16
# Five batches, and a last one of an even or an odd number of rows. Of a single row, the second
# replica has none.
EVEN, ODD = 5 * BATCH_SIZE + 4, 5 * BATCH_SIZE + 1


def two_replicas():
    """A strategy on two logical devices; NCCL would refuse two parts of one GPU."""
    tf.config.experimental.enable_tensor_float_32_execution(False)
    gpus = tf.config.list_physical_devices("GPU")
    part = tf.config.LogicalDeviceConfiguration(memory_limit=2048 if gpus else None)
    device = (gpus or tf.config.list_physical_devices("CPU"))[0]
    tf.config.set_logical_device_configuration(device, [part, part])
    return tf.distribute.MirroredStrategy(
        [f"{device.device_type}:{i}" for i in range(2)],
        cross_device_ops=tf.distribute.ReductionToOneDevice() if gpus else None,
    )


def density():
    flow = tff.flows.real_nvp(2, num_layers=2, hidden_units=[8], seed=0)
    return tff.models.DensityModel(flow)


def vae():
    encoder = keras.Sequential([keras.layers.Dense(3, "tanh")])
    decoder = keras.Sequential([keras.layers.Dense(2)])
    posterior = tff.flows.planar(2, num_layers=2, context_size=3, seed=0)
    # The norm of a gradient is about 1: all are clipped.
    settings = {"beta_warmup_steps": 20, "global_clipnorm": 0.1, "seed": 0}
    return tff.models.FlowVAE(encoder, decoder, posterior, **settings)


def reverse_kl():
    energy = tff.datasets.energy("u2")
    flow = tff.flows.planar(2, num_layers=1, seed=0)
    return tff.models.ReverseKLModel(flow, lambda z: -energy(z), seed=0)


def digits():
    return tff.models.DensityModel(tff.flows.planar(64, num_layers=1, fast="log_prob", seed=0))


def load_digits(input_context=None):
    images = tff.datasets.load(
        "digits", batch_size=64, seed=0, repeat=True, input_context=input_context
    )
    return images.map(lambda image: tf.reshape(tf.cast(image, tf.float32) / 16.0, [-1, 64]))


def histories(make, data, strategy):
    """The curves of one fit without a strategy and of one under it."""
    result = []
    for scope in (contextlib.nullcontext(), strategy.scope()):
        keras.utils.set_random_seed(0)
        with scope:
            model = make()
            model.compile(keras.optimizers.Adam(1e-2))
        distributed = model.distribute_strategy if result else None
        result.append(model.fit(verbose=0, **data(distributed)).history)
    return result


def message(function):
    """The text of the ValueError that a function raises."""
    try:
        function()
    except ValueError as error:
        return str(error)
    return None


def main():
    strategy = two_replicas()
    x = np.random.default_rng(0).normal(size=[EVEN, 2]).astype("float32")

    def arrays(values):
        fixed = {"x": values, "batch_size": BATCH_SIZE, "epochs": 2, "validation_data": values}
        return lambda _: fixed

    def of_digits(distributed):
        data = load_digits()
        if distributed:
            data = distributed.distribute_datasets_from_function(load_digits)
        return {"x": data, "steps_per_epoch": 2}

    bits = (x > 0).astype("float32")
    draws = {"steps_per_epoch": 4, "batch_size": BATCH_SIZE}
    found = {
        "coupling flow": histories(density, arrays(x[:ODD]), strategy),
        "flow-VAE": histories(vae, arrays(bits), strategy),
        "reverse KL": histories(reverse_kl, lambda _: draws, strategy),
        "TFDS": histories(digits, of_digits, strategy),
    }
    flow = tff.flows.planar(2, num_layers=1, fast="log_prob", seed=0)
    with strategy.scope():
        of_outside = tff.models.DensityModel(flow)
        of_outside.compile(keras.optimizers.SGD(0.1))
    refused = {
        "outside": message(lambda: of_outside.fit(x, verbose=0)),
        "jit": message(lambda: of_outside.compile(jit_compile=True)),
    }
    print(json.dumps({"histories": found, "refused": refused}))


if __name__ == "__main__":
    main()
