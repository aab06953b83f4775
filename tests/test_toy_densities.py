"""Exact log-densities of point sets: they integrate to one, and are those of the samples."""

import math

import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

from tfp_flows import datasets

NAMES = ("moons", "rings", "checkerboard", "spirals", "uniform_gaussian")
BOXES = {"uniform_gaussian": ((1.0, 2.0), (-7.0, 11.0))}  # 5 sigma and more on either side


def grid(name, num_points, dtype=np.float64):
    """Centers of cells, `[n^2, 2]`, and the area of one."""
    box = BOXES.get(name, ((-4.0, 4.0), (-4.0, 4.0)))
    axes = [low + (high - low) * (np.arange(num_points) + 0.5) / num_points for low, high in box]
    area = math.prod((high - low) / num_points for low, high in box)
    return np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2).astype(dtype), area


@pytest.mark.parametrize("name", NAMES)
def test_density_is_that_of_the_samples(name):
    """Total mass one, and the samples' mean log-density is the negative entropy of the integral."""
    # Cells of about one scale of the noise: the midpoint rule is exact for what is that smooth.
    cells, area = grid(name, 96)
    log_p = datasets.toy_log_prob(name)(cells).numpy()
    p = np.exp(log_p)
    assert p.sum() * area == pytest.approx(1.0, abs=1e-6)
    entropy = -np.sum(p * np.where(p > 0.0, log_p, 0.0)) * area

    x = datasets.toy(name, 4000, seed=0).astype(np.float64)
    sampled = datasets.toy_log_prob(name)(x).numpy()
    assert np.isfinite(sampled).all()
    error = sampled.std() / math.sqrt(len(x))
    assert -sampled.mean() == pytest.approx(entropy, abs=4.0 * error + 1e-3)
    # A density that were wrong elsewhere would still fail this: E_p[f] for smooth f.
    for f in (lambda z: z[:, 0] ** 2, lambda z: np.cos(z[:, 0] + 2.0 * z[:, 1])):
        spread = f(x).std() / math.sqrt(len(x))
        assert np.sum(p * f(cells)) * area == pytest.approx(f(x).mean(), abs=4.0 * spread + 1e-3)


def test_closed_forms():
    log_prob = datasets.toy_log_prob("uniform_gaussian")
    x = np.array([[1.0, 0.5], [1.7, 2.0], [0.999, 1.0], [2.001, 2.0]])
    expected = [stats.norm.logpdf(b, a, math.sqrt(a)) for a, b in x[:2]]
    np.testing.assert_allclose(log_prob(x), [*expected, -np.inf, -np.inf], rtol=1e-12)

    log_prob = datasets.toy_log_prob("checkerboard")
    black = [[-3.0, -3.0], [-1.0, 3.0], [4.0, 3.5], [0.0, 1.0], [-4.0, -4.0]]
    white = [[-1.0, -3.0], [3.0, -3.0], [4.1, 3.0], [-5.0, 2.0]]
    np.testing.assert_allclose(log_prob(black), -math.log(32.0), rtol=1e-6)
    np.testing.assert_array_equal(log_prob(white), -np.inf)

    log_prob = datasets.toy_log_prob("rings")
    radial = sum(stats.norm.pdf(1.6, 0.75 * k, 0.08) for k in (1, 2, 3, 4)) / 4.0
    at = 1.6 * np.array([math.cos(1.0), math.sin(1.0)])
    assert float(log_prob(at)) == pytest.approx(math.log(radial / (2.0 * math.pi * 1.6)), rel=1e-10)
    assert np.isfinite(log_prob([0.0, 0.0]))


CURVES = {
    "moons": (0.1, lambda u: (2.0 * np.cos(np.pi * u) - 1.0, 2.0 * np.sin(np.pi * u) - 0.5)),
    "spirals": (
        0.08,
        lambda u: tuple(3.0 * u**0.5 * f(3.0 * np.pi * u**0.5) for f in (np.cos, np.sin)),
    ),
}


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("x", [(1.02, 0.4), (-3.1, -0.45), (0.03, 0.0), (2.2, 2.0)])
def test_noise_around_curves_is_an_integral(name, x):
    scale, curve = CURVES[name]

    # The midpoint rule; u = v^2, as the spiral's speed in u is infinite at its start.
    v = (np.arange(100_000) + 0.5) / 100_000
    a, b = curve(v * v)
    squared = [np.square(x[0] - s * a) + np.square(x[1] - s * b) for s in (1.0, -1.0)]
    exponents = np.log(v / len(v)) - np.array(squared) / (2.0 * scale**2)
    expected = special.logsumexp(exponents) - math.log(2.0 * math.pi * scale**2)
    got = datasets.toy_log_prob(name)(np.array(x))
    assert float(got) == pytest.approx(expected, abs=1e-4)


def test_shapes_dtypes_and_gradients():
    x = tf.constant(datasets.toy("spirals", 12, seed=0).reshape(3, 4, 2))
    log_prob = datasets.toy_log_prob("spirals")
    assert log_prob(x).shape == (3, 4)
    assert log_prob(x).dtype == tf.float32
    np.testing.assert_allclose(log_prob(x), log_prob(tf.cast(x, tf.float64)), atol=1e-3)
    for name in NAMES:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = datasets.toy_log_prob(name)(x)
        gradient = tape.gradient(value, x)
        assert gradient is None or np.isfinite(gradient).all()


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"^name: .*'moons'.*received 'pinwheel'"):
        datasets.toy_log_prob("pinwheel")
    with pytest.raises(TypeError, match=r"^name: .*received 3"):
        datasets.toy_log_prob(3)
    with pytest.raises(TypeError, match=r"^x: .*int32"):
        datasets.toy_log_prob("moons")([1, 2])
    with pytest.raises(ValueError, match=r"^x: .*\(3,\)"):
        datasets.toy_log_prob("moons")([1.0, 2.0, 3.0])
