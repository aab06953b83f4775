"""Temperatures, paths and completions, against closed forms and quadrature."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_flows as tff
from tfp_flows.distributions import Dequantized
from tfp_flows.inference import _cells, at_temperature, complete, interpolate

tfb, tfd = tfp.bijectors, tfp.distributions

COVARIANCE = np.array(
    [[1.0, 0.6, -0.3, 0.2], [0.6, 1.5, 0.4, 0.1], [-0.3, 0.4, 0.8, 0.3], [0.2, 0.1, 0.3, 0.5]]
)
MEAN = np.array([0.5, -1.0, 2.0, 0.0])


def gaussian():
    return tfd.MultivariateNormalTriL(MEAN, np.linalg.cholesky(COVARIANCE))


def perturbed(flow, scale=0.2):
    rng = np.random.default_rng(0)
    for variable in flow.trainable_variables:
        variable.assign_add(tf.cast(scale * rng.normal(size=variable.shape), variable.dtype))
    return flow


def images_flow():
    return perturbed(tff.flows.glow([4, 4, 1], 1, 1, hidden_channels=4, seed=0))


def test_temperature_scales_the_covariance_of_a_gaussian():
    cooler = at_temperature(gaussian(), 0.5)
    expected = scipy.stats.multivariate_normal(MEAN, 0.25 * COVARIANCE)
    x = cooler.sample(6, seed=[0, 1]).numpy()
    np.testing.assert_allclose(cooler.log_prob(x), expected.logpdf(x), rtol=1e-9)


def test_temperature_of_a_flow_with_a_trained_base():
    """f(m + T (z - m)), draw by draw, with the variables of the flow itself."""
    base = perturbed(tff.distributions.full_covariance_gaussian(2))
    flow = perturbed(tff.flows.real_nvp(2, 2, hidden_units=[4], base=base, seed=0))
    cooler = at_temperature(flow, 0.3)
    assert {v.ref() for v in cooler.trainable_variables} == {
        v.ref() for v in flow.trainable_variables
    }
    latents = flow.bijector.inverse(flow.sample(5, seed=[0, 1]))
    expected = flow.bijector.forward(base.mean() + 0.3 * (latents - base.mean()))
    np.testing.assert_allclose(cooler.sample(5, seed=[0, 1]), expected, atol=1e-4)


def test_temperature_of_integers():
    density = Dequantized(images_flow(), 17, logit=True)
    cooler = at_temperature(density, 1e-6)
    assert isinstance(cooler, Dequantized)
    assert cooler.noise == density.noise
    x = cooler.sample(20, seed=[0, 1]).numpy()
    assert x.dtype == np.int32
    assert x.shape == (20, 4, 4, 1)
    middle = density.distribution.bijector.forward(tf.zeros([16]))
    v = (tf.sigmoid(middle) - 0.05) / 0.9
    np.testing.assert_array_equal(x, np.tile(np.clip(np.floor(17 * v), 0, 16), [20, 1, 1, 1]))


@pytest.mark.parametrize("spherical", [False, True])
def test_path_of_a_gaussian(spherical):
    """Straight lines stay straight; arcs keep the Mahalanobis distance of ends that have one."""
    scale = np.linalg.cholesky(COVARIANCE)
    z = np.array([[1.0, 0.0, 2.0, 0.0], [0.0, 2.0, 0.0, 1.0]])
    x0, x1 = MEAN + z @ scale.T
    path = interpolate(gaussian(), x0, x1, num_points=5, spherical=spherical).numpy()
    assert path.shape == (5, 4)
    np.testing.assert_allclose(path[[0, -1]], [x0, x1], atol=1e-12)
    if spherical:
        latents = np.linalg.solve(scale, (path - MEAN).T).T
        np.testing.assert_allclose(np.linalg.norm(latents, axis=1), 5.0**0.5, rtol=1e-9)
        angles = np.arccos(np.clip(latents[:-1] * latents[1:] @ np.ones(4) / 5.0, -1.0, 1.0))
        np.testing.assert_allclose(angles, np.pi / 8.0, rtol=1e-6)
    else:
        np.testing.assert_allclose(path, np.linspace(x0, x1, 5), atol=1e-12)


def test_path_between_equal_or_opposite_ends_is_the_line():
    normal = tff.flows.real_nvp(2, 2, hidden_units=[4], seed=0)
    x = np.array([[1.0, 2.0], [0.0, 0.0], [1.0, 1.0]], np.float32)
    y = np.array([[1.0, 2.0], [3.0, 1.0], [-1.0, -1.0]], np.float32)
    latents = [normal.bijector.inverse(end) for end in (x, y)]
    path = interpolate(normal, x, y, num_points=3)
    expected = normal.bijector.forward(0.5 * (latents[0] + latents[1]))
    np.testing.assert_allclose(path[1], expected, atol=1e-5)


def test_path_of_integers_ends_where_it_should():
    density = Dequantized(images_flow(), 17, logit=True)
    x0, x1 = np.random.default_rng(0).integers(17, size=[2, 3, 4, 4, 1])
    path = interpolate(density, x0, x1, num_points=4).numpy()
    assert path.shape == (4, 3, 4, 4, 1)
    np.testing.assert_array_equal(path[[0, -1]], [x0, x1])
    assert path.min() >= 0
    assert path.max() <= 16


def test_completion_of_a_gaussian():
    """Mean and covariance of the conditional are known; two events with two masks at once."""
    x = np.array([[1.5, 9.0, 1.0, 9.0], [9.0, -2.0, 9.0, 0.5]])
    observed = np.array([[True, False, True, False], [False, True, False, True]])
    result = complete(
        gaussian(), x, observed, num_chains=100, num_results=60, num_adaptation_steps=40,
        num_stages=2, num_leapfrog_steps=4, num_steps_between_results=1,
    )  # fmt: skip
    assert result.samples.shape == [60, 100, 2, 4]
    assert result.acceptance_rate.shape == [2]
    assert np.all((result.acceptance_rate > 0.5) & (result.acceptance_rate < 0.98))
    assert np.all(result.potential_scale_reduction < 1.05)
    assert np.all(result.potential_scale_reduction.numpy()[observed] == 1.0)
    for k, known in enumerate(observed):
        samples = result.samples.numpy()[:, :, k]
        np.testing.assert_array_equal(
            samples[..., known], np.broadcast_to(x[k, known], [60, 100, 2])
        )
        gain = COVARIANCE[~known][:, known] @ np.linalg.inv(COVARIANCE[known][:, known])
        mean = MEAN[~known] + gain @ (x[k, known] - MEAN[known])
        covariance = COVARIANCE[~known][:, ~known] - gain @ COVARIANCE[known][:, ~known]
        missing = samples[..., ~known].reshape([-1, 2])
        np.testing.assert_allclose(missing.mean(axis=0), mean, atol=0.06)
        np.testing.assert_allclose(np.cov(missing.T), covariance, atol=0.08)


def test_completion_of_integers():
    """P(x_2 | x_1) from the probabilities of all pairs of cells."""
    num_levels, alpha, x_1 = 4, 0.05, 2
    location, scale = np.array([0.2, 0.4]), np.array([[0.9, 0.0], [0.8, 0.7]])
    base = tfd.MultivariateNormalTriL(location, scale)
    density = Dequantized(base, num_levels, logit=True, alpha=alpha)
    edges = alpha + (1.0 - 2.0 * alpha) * np.linspace(0.0, 1.0, num_levels + 1)
    edges = np.log(edges) - np.log1p(-edges)
    cdf = scipy.stats.multivariate_normal(location, scale @ scale.T).cdf
    corners = cdf(np.stack(np.meshgrid(edges[x_1 : x_1 + 2], edges, indexing="ij"), axis=-1))
    expected = np.diff(np.diff(corners, axis=0)[0])
    result = complete(
        density, [x_1, 0], [True, False], num_chains=100, num_results=60, num_stages=1,
        num_adaptation_steps=40, num_leapfrog_steps=5, num_steps_between_results=1,
    )  # fmt: skip
    samples = result.samples.numpy()
    assert samples.dtype == np.int32
    assert np.all(samples[..., 0] == x_1)
    frequencies = np.bincount(samples[..., 1].ravel(), minlength=num_levels) / samples[..., 1].size
    np.testing.assert_allclose(frequencies, expected / expected.sum(), atol=0.03)


def test_completion_with_one_seed():
    normal = tfd.Independent(tfd.Normal(tf.zeros([2, 1]), 1.0), 2)
    density = tfd.TransformedDistribution(normal, tfb.Scale(2.0))
    x, observed = np.zeros([3, 2, 1]), [[True], [False]]
    settings = {"num_results": 4, "num_adaptation_steps": 2, "num_stages": 0, "num_chains": 2}
    first, again = (complete(density, x, observed, seed=3, **settings) for _ in range(2))
    np.testing.assert_array_equal(first.samples, again.samples)
    assert first.samples.shape == [4, 2, 3, 2, 1]
    assert np.all(first.samples[..., 0, :] == 0)
    assert np.all(first.samples[..., 1, :] != 0)


@pytest.mark.parametrize("logit", [False, True])
def test_points_of_a_box(logit):
    """The ends of the box, there and back, and the derivative."""
    density = Dequantized(tfd.Sample(tfd.Normal(np.float64(0.0), 1.0), 2), 17, logit=logit)
    w = tf.constant([[0.3, -2.0], [40.0, -40.0]], tf.float64)
    low, high = (tf.constant(ends, tf.float64) for ends in ([3.0, 0.0], [4.0, 17.0]))
    with tf.GradientTape() as tape:
        tape.watch(w)
        y, log_det = _cells.point_in_box(density, w, low, high)
    derivative = np.log(tape.gradient(y, w).numpy()[0]).sum()
    np.testing.assert_allclose(log_det[0], derivative, rtol=1e-9)
    v = (tf.sigmoid(y).numpy() - 0.05) / 0.9 if logit else y.numpy()
    np.testing.assert_allclose(17.0 * v[1], [4.0, 0.0], atol=1e-9)
    back = _cells.place_in_box(density, y, low, high, margin=0.0)
    np.testing.assert_allclose(back[0], w[0], rtol=1e-9)
    np.testing.assert_array_equal(_cells.nearest_level(density, y)[0, 0], 3)


LOGISTIC = tfd.Independent(tfd.Logistic(tf.zeros([2]), 1.0), 1)
BAD = {
    "temperature": (lambda: at_temperature(gaussian(), 0.0), ValueError, "`temperature`.*0.0"),
    "no flow": (lambda: at_temperature(LOGISTIC, 0.5), TypeError, "`distribution`.*Independent"),
    "base": (
        lambda: at_temperature(tfd.TransformedDistribution(LOGISTIC, tfb.Scale(2.0)), 0.5),
        TypeError,
        "Gaussian base.*Logistic",
    ),
    "points": (lambda: interpolate(gaussian(), MEAN, MEAN, 1), ValueError, "`num_points`.*1"),
    "event": (lambda: interpolate(gaussian(), MEAN, MEAN[:3]), ValueError, "`x1`.*(3,)"),
    "ends": (lambda: interpolate(gaussian(), MEAN, [MEAN]), ValueError, "`x1`.*received"),
    "mask": (lambda: complete(gaussian(), MEAN, [1, 0, 1, 0]), TypeError, "`observed`.*bool"),
    "mask shape": (lambda: complete(gaussian(), MEAN, [True] * 3), ValueError, "`observed`.*3"),
    "completion of no flow": (
        lambda: complete(LOGISTIC, [0.0, 0.0], [True, False]),
        TypeError,
        "`distribution`",
    ),
    "chains": (
        lambda: complete(gaussian(), MEAN, [True] * 4, num_chains=1),
        ValueError,
        "`num_chains`.*received 1",
    ),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_input(bad):
    call, error, message = BAD[bad]
    with pytest.raises(error, match=message):
        call()
