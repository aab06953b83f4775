"""Networks in half precision, under Keras's policies: the flow around them stays in float32."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_flows as tff
from tests.test_flows import RECIPES, make, perturb

tfd = tfp.distributions

HALF = ["float16", "bfloat16"]


def on_normal(bijector, event_shape):
    base = tfd.Sample(tfd.Normal(0.0, 1.0), event_shape)
    return tfd.TransformedDistribution(base, bijector)


def coupling(half):
    network = keras.Sequential([keras.layers.Dense(8, "tanh"), keras.layers.Dense(4)])
    mask = [True, True, False, False]
    return on_normal(tff.bijectors.Coupling(tff.transformers.Affine(), network, mask), [4])


def spline_coupling(half):
    spline = tff.transformers.RationalQuadraticSpline(num_bins=4)
    network = keras.Sequential(
        [keras.layers.Dense(8, "tanh"), keras.layers.Dense(2 * spline.num_params)]
    )
    return on_normal(tff.bijectors.Coupling(spline, network, [True, True, False, False]), [4])


def image_coupling(half):
    network = keras.layers.Conv2D(2, 3, padding="same")
    mask = (np.add.outer(np.arange(4), np.arange(4)) % 2 == 0)[..., np.newaxis]
    return on_normal(tff.bijectors.Coupling(tff.transformers.Affine(), network, mask), [4, 4, 1])


def autoregressive(half):
    masked = tff.networks.MaskedMLP(4, 2, [8], zero_init_last=False, seed=0)
    bijector = tff.bijectors.Autoregressive(
        tff.transformers.Affine(), lambda x: tf.cast(masked(x), half), event_size=4
    )
    return on_normal(bijector, [4])


def continuous(half):
    hidden, last = keras.layers.Dense(8, "tanh"), keras.layers.Dense(2)
    hidden.build([None, 2])
    last.build([None, 8])
    return on_normal(tff.bijectors.Continuous(lambda _, z: last(hidden(z)), 2, num_steps=4), [2])


STRUCTURES = [coupling, spline_coupling, image_coupling, autoregressive, continuous]


@pytest.fixture(params=HALF)
def half(request):
    """The name of a half precision, while Keras's policy is that one."""
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy(f"mixed_{request.param}")
    yield request.param
    keras.mixed_precision.set_dtype_policy(before)


@pytest.mark.parametrize("structure", STRUCTURES, ids=lambda structure: structure.__name__)
def test_conditioner(structure, half):
    """The density of a sample is that of its draw to the precision of float32, not of the network;
    the log-det is the autodiff one; every variable is float32 and gets a gradient."""
    flow = structure(half)
    perturb(flow.bijector, scale=0.3)
    x, log_prob = flow.experimental_sample_and_log_prob(16, seed=1)
    assert x.dtype == log_prob.dtype == tf.float32
    with tf.GradientTape() as tape:
        again = flow.log_prob(tf.identity(x))
        loss = -tf.reduce_mean(again)
    # The way back through an equation meets the velocity at other points, with other roundings.
    tolerance = 1e-2 if structure is continuous else 1e-4
    np.testing.assert_allclose(again, log_prob, atol=tolerance, rtol=tolerance)
    variables = flow.trainable_variables
    assert variables
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        assert variable.dtype == gradient.dtype == tf.float32
        assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize("name", [*RECIPES, "residual"])
def test_context(name, half):
    """A flow whose context comes from a network in half precision computes in float32."""
    flow = make(name, context_size=4)
    perturb(flow, scale=0.2)
    context = keras.layers.Dense(4)(tf.random.stateless_normal([5, 3], [0, 1]))
    assert context.dtype == half
    x, log_prob = flow(context).experimental_sample_and_log_prob(seed=2)
    assert x.dtype == log_prob.dtype == tf.float32
    exact = flow(tf.cast(context, tf.float32)).log_prob(tf.identity(x))
    np.testing.assert_allclose(exact, log_prob, atol=1e-4, rtol=1e-4)
