"""Integrals on a grid against closed forms and another quadrature."""

import numpy as np
import pytest
from scipy import stats

from tfp_flows import datasets
from tfp_flows.diagnostics.grid import grid_kl, grid_log_integral

Q_MEAN, Q_COV = np.array([0.3, -0.5]), np.array([[0.5, 0.2], [0.2, 0.4]])
P_MEAN, P_COV = np.array([0.0, 0.1]), np.array([[0.8, -0.1], [-0.1, 0.6]])
BOX = ((-1.0, 2.0), (-2.0, 0.5))


def q(points):
    return stats.multivariate_normal(Q_MEAN, Q_COV).logpdf(points)


def p_tilde(points):
    return stats.multivariate_normal(P_MEAN, P_COV).logpdf(points) + 3.0


def test_two_gaussians():
    result = grid_kl(q, p_tilde, 8.0, num_points=300, dtype="float64")
    inverse, shift = np.linalg.inv(P_COV), P_MEAN - Q_MEAN
    kl = 0.5 * (
        np.trace(inverse @ Q_COV)
        + shift @ inverse @ shift
        - 2.0
        + np.log(np.linalg.det(P_COV) / np.linalg.det(Q_COV))
    )
    entropy = 1.0 + np.log(2.0 * np.pi) + 0.5 * np.log(np.linalg.det(Q_COV))
    # The midpoint rule is exact up to rounding for what vanishes at the ends.
    np.testing.assert_allclose(result, [kl, 1.0, entropy, 3.0], rtol=0, atol=1e-12)


def test_what_is_outside_is_left_out():
    """Both are restricted to the box and normalized there; against Gauss-Legendre quadrature."""

    nodes, weights = np.polynomial.legendre.leggauss(60)

    def integral(f):
        x, y = (low + 0.5 * (high - low) * (1.0 + nodes) for low, high in BOX)
        values = f(np.stack(np.meshgrid(x, y), axis=-1))
        return weights @ values @ weights * np.prod([0.5 * (high - low) for low, high in BOX])

    mass, z = (integral(lambda x, f=f: np.exp(f(x))) for f in (q, p_tilde))
    kl = integral(lambda x: np.exp(q(x)) * (q(x) - p_tilde(x))) / mass + np.log(z / mass)
    entropy = np.log(mass) - integral(lambda x: np.exp(q(x)) * q(x)) / mass
    assert mass < 0.9  # or the test would show nothing
    expected = np.array([kl, mass, entropy, np.log(z)])
    errors = []
    for num_points in (50, 100):
        result = grid_kl(q, p_tilde, BOX, num_points=num_points, dtype="float64")
        errors.append(np.abs(np.array(result) - expected))
        assert grid_log_integral(
            p_tilde, BOX, num_points=num_points, dtype="float64"
        ) == pytest.approx(result.log_normalizer, abs=1e-14)
    assert errors[1].max() < 1e-4
    np.testing.assert_allclose(errors[0] / errors[1], 4.0, rtol=0.02)  # the square of the width


def test_first_limits_are_those_of_the_first_coordinate():
    box = grid_log_integral(lambda z: 2.0 * z[:, 0], ((0.0, 1.0), (0.0, 3.0)), num_points=400)
    assert box == pytest.approx(np.log(3.0 * 0.5 * np.expm1(2.0)), abs=1e-5)


def test_values_that_overflow_in_float32_and_values_that_vanish():
    def disc(points):
        return np.where(np.sum(points**2, axis=-1) < 1.0, 500.0, -np.inf)

    assert grid_log_integral(disc, 1.0) == pytest.approx(500.0 + np.log(np.pi), abs=1e-3)
    result = grid_kl(disc, lambda points: np.zeros(len(points)), 1.0)
    assert result.kl == pytest.approx(np.log(4.0 / np.pi), abs=1e-3)
    assert result.entropy == pytest.approx(np.log(np.pi), abs=1e-3)
    assert grid_kl(lambda points: np.zeros(len(points)), disc, 1.0).kl == np.inf


@pytest.mark.parametrize(
    ("name", "log_z"), [("u1", 1.87750), ("u2", 2.08209), ("u3", 2.64171), ("u4", 2.68457)]
)
def test_energies(name, log_z):
    """The documented logs of Z, and the symmetry of U1's two modes."""
    energy = datasets.energy(name)

    def log_prob(z):
        return -energy(z)

    assert grid_log_integral(log_prob) == pytest.approx(log_z, abs=2e-5)
    if name == "u1":
        right = grid_log_integral(log_prob, ((0.0, 4.0), (-4.0, 4.0)))
        assert log_z - right == pytest.approx(np.log(2.0), abs=2e-5)


def test_points_have_the_dtype_asked_for():
    seen = []

    def log_prob(points):
        seen.append(points.dtype.name)
        return np.zeros(len(points))

    grid_kl(log_prob, log_prob, num_points=2)
    grid_log_integral(log_prob, num_points=2, dtype="float64")
    assert seen == ["float32", "float32", "float64"]


@pytest.mark.parametrize("limits", [0.0, -1.0, np.inf, (0.0, 1.0), ((1.0, 0.0), (0.0, 1.0))])
def test_no_rectangle(limits):
    with pytest.raises(ValueError, match="Argument `limits`: expected a positive number or"):
        grid_log_integral(q, limits)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "received nan at 4 points"),
        (np.inf, "received inf at 4 points"),
        (-np.inf, "received -inf everywhere"),
    ],
)
def test_no_density(value, message):
    with pytest.raises(ValueError, match=f"Argument `target_log_prob`: .*{message}"):
        grid_kl(q, lambda points: np.full(len(points), value), num_points=2)


def test_wrong_arguments():
    with pytest.raises(TypeError, match="Argument `log_prob`: expected a callable, received str"):
        grid_log_integral("q")
    with pytest.raises(ValueError, match=r"Argument `log_prob`: .* received the shape \(4, 2\)"):
        grid_kl(lambda points: points, q, num_points=2)
    with pytest.raises(ValueError, match="Argument `num_points`: expected at least 2, received 1"):
        grid_kl(q, q, num_points=1)
    with pytest.raises(
        TypeError, match=r"Argument `num_points`: expected an integer, received 2\.0"
    ):
        grid_kl(q, q, num_points=2.0)
