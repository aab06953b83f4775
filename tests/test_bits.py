"""Bits per dimension of data sets, against what they are made of."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import diagnostics, distributions

tfd = tfp.distributions

UNIFORM = tfd.Independent(tfd.Uniform(tf.zeros([3]), 8.0), 1)


def test_bits_of_a_uniform_density_are_those_of_its_levels():
    batches = [np.full([n, 3], 2.0, np.float32) for n in (4, 1)]
    assert diagnostics.bits_per_dim(UNIFORM, batches) == pytest.approx(3.0)


def test_bits_of_integers_are_a_mean_over_images_that_more_draws_make_smaller():
    images = np.random.default_rng(0).integers(4, size=[300, 2])
    normal = tfd.MultivariateNormalDiag([0.3, 0.7], [0.2, 0.2])
    density = distributions.Dequantized(normal, num_levels=4)
    batches = [images[:200], images[200:]]
    one, again, many = (
        diagnostics.bits_per_dim(density, batches, num_samples=n) for n in (1, 1, 64)
    )
    assert one == again
    assert one != diagnostics.bits_per_dim(density, batches, num_samples=1, seed=1)
    assert many < one
    # The probability of each level is an integral of the density over a fourth of [0, 1].
    ends = tfd.Normal([0.3, 0.7], 0.2).cdf(np.arange(5, dtype=np.float32)[:, np.newaxis] / 4)
    bits = -np.log2(np.diff(ends, axis=0))[images, np.arange(2)]
    assert many == pytest.approx(np.mean(bits), abs=0.01)


def test_bits_refuse():
    with pytest.raises(ValueError, match="`data`: expected at least one batch"):
        diagnostics.bits_per_dim(UNIFORM, [])
    with pytest.raises(ValueError, match="`num_samples`: expected at least 1"):
        diagnostics.bits_per_dim(UNIFORM, [np.zeros([1, 3])], num_samples=0)
