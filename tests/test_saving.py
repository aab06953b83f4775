"""One flow of each structure: checkpoints, Keras weights, and exported functions."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_flows as tff
from tests.test_flows import make, perturb

tfb, tfd = tfp.bijectors, tfp.distributions


def recipe(name, **settings):
    return lambda seed: make(name, seed=seed, **settings)


def chain(seed):
    """The layers that stand between others."""
    layers = tff.bijectors
    angles = np.random.default_rng(seed).normal(size=[2, 3])
    return tfd.TransformedDistribution(
        tff.distributions.standard_normal(3),
        tfb.Chain(
            [
                layers.ActNorm.with_variables([3]),
                layers.InvertibleLinear.with_variables(3, seed),
                layers.BatchNorm.with_variables([3]),
                layers.HouseholderRotation(tf.Variable(angles, dtype=tf.float32)),
                layers.Permutation([2, 0, 1]),
            ]
        ),
    )


def glow(seed):
    return tff.flows.glow([4, 4, 1], num_levels=2, num_steps=1, hidden_channels=4, seed=seed)


def continuous(seed):
    return tff.flows.continuous(2, hidden_units=[4], num_steps=2, seed=seed)


def elementwise(seed):
    spline = tff.transformers.RationalQuadraticSpline(num_bins=4)
    params = np.random.default_rng(seed).normal(size=[3, spline.num_params])
    marginals = tff.bijectors.Elementwise(
        spline, tf.Variable(params, dtype=tf.float32), event_ndims=1
    )
    return tfd.TransformedDistribution(tff.distributions.standard_normal(3), marginals)


SEED = tf.constant([5, 6])  # of two numbers: stateless

STRUCTURES = {
    "planar": recipe("planar"),
    "radial": recipe("radial"),
    "sylvester": recipe("sylvester"),
    "coupling": recipe("neural_spline"),
    "autoregressive": recipe("maf"),
    "residual": recipe("residual", hidden_units=[4]),
    "continuous": continuous,
    "multiscale": glow,
    "elementwise": elementwise,
    "chain": chain,
}


def points(flow):
    return tf.random.stateless_normal([5, *flow.event_shape], [3, 4])


@pytest.fixture(params=STRUCTURES)
def pair(request):
    """A flow, and one of the same structure with other values."""
    first, second = (STRUCTURES[request.param](seed) for seed in (0, 1))
    perturb(first, seed=2)
    perturb(second, seed=3)
    x = points(first)
    assert not np.allclose(first.log_prob(x), second.log_prob(tf.identity(x)))
    return first, second


def assert_equal(first, second):
    x = points(first)
    np.testing.assert_array_equal(first.log_prob(x), second.log_prob(tf.identity(x)))
    np.testing.assert_array_equal(first.sample(4, seed=SEED), second.sample(4, seed=SEED))


def test_checkpoint(pair, tmp_path):
    first, second = pair
    path = tf.train.Checkpoint(flow=first).write(str(tmp_path / "flow"))
    tf.train.Checkpoint(flow=second).read(path).assert_consumed()
    assert_equal(first, second)


def test_keras_weights(pair, tmp_path):
    first, second = (tff.models.DensityModel(flow) for flow in pair)
    first.save_weights(tmp_path / "flow.weights.h5")
    second.load_weights(tmp_path / "flow.weights.h5")
    assert_equal(*pair)


def test_saved_model(pair, tmp_path):
    flow, _ = pair
    tff.models.DensityModel(flow).export(tmp_path)
    loaded = tf.saved_model.load(str(tmp_path))
    x = points(flow)
    np.testing.assert_allclose(loaded.log_prob(x), flow.log_prob(x), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        loaded.sample(tf.constant(4), SEED), flow.sample(4, seed=SEED), rtol=1e-5, atol=1e-5
    )
