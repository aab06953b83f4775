"""RealNVP on the plane with TFP alone."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras  # Keras 3 would find no variable

tfb, tfd = tfp.bijectors, tfp.distributions

rng = np.random.default_rng(0)
a = rng.uniform(1.0, 2.0, 4096)
x = np.stack([a, rng.normal(a, np.sqrt(a))], axis=1).astype("float32")


def coupling():
    layers = [tf_keras.layers.Dense(units, "relu") for units in (64, 64)]
    network = tf_keras.Sequential([*layers, tf_keras.layers.Dense(2)])
    network.build([None, 1])

    def affine(x, depth, **condition):
        shift, log_scale = tf.split(network(x), 2, axis=-1)
        return tfb.Shift(shift)(tfb.Scale(log_scale=log_scale))

    return tfb.RealNVP(num_masked=1, bijector_fn=affine), network


couplings, networks = zip(*(coupling() for _ in range(8)), strict=True)
swapped = [part for layer in couplings for part in (layer, tfb.Permute([1, 0]))]
base = tfd.MultivariateNormalDiag(tf.zeros(2))
flow = tfd.TransformedDistribution(base, tfb.Chain(swapped))
# `flow.trainable_variables` is empty: the networks are hidden in closures.
variables = [variable for network in networks for variable in network.trainable_variables]
optimizer = tf_keras.optimizers.Adam(1e-3)


@tf.function
def step(batch):
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(flow.log_prob(batch))
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))


for batch in tf.data.Dataset.from_tensor_slices(x).shuffle(4096).repeat(5).batch(256):
    step(batch)

nats = -flow.log_prob(x).numpy().mean()
samples = flow.sample(1000, seed=1)
