"""Simulators with known posteriors, the two-sample test, and calibration."""

import math

import numpy as np
import pytest
from scipy import stats

from tfp_flows.datasets import simulator
from tfp_flows.diagnostics import c2st, coverage, rank_p_value, simulation_ranks

NAMES = ("gaussian_linear", "two_moons")
# Observations whose crescents are whole, cut by the prior's square, and cut at theta_1 = -theta_2.
TWO_MOONS_X = ([-0.4, 0.3], [-1.06, -0.13], [-0.5, 0.55], [0.3, 0.0])


@pytest.mark.parametrize("name", NAMES)
def test_draws_are_seeded_float32_rows(name):
    sim = simulator(name)
    theta, x = sim.sample_joint(7, seed=0)
    drawn = {
        "theta": (sim.theta_size, lambda seed: sim.sample_joint(7, seed)[0]),
        "x": (sim.x_size, lambda seed: sim.sample_joint(7, seed)[1]),
        "prior": (sim.theta_size, lambda seed: sim.sample_prior(7, seed)),
        "data": (sim.x_size, lambda seed: sim.simulate(theta, seed)),
        "posterior": (sim.theta_size, lambda seed: sim.sample_posterior(x[0], 7, seed)),
    }
    for size, draw in drawn.values():
        first = draw(0)
        assert first.dtype == np.float32
        assert first.shape == (7, size)
        np.testing.assert_array_equal(first, draw(0))
        assert (first != draw(1)).any()
        assert (draw(None) != draw(None)).any()


def test_gaussian_linear_posterior_is_the_conditional_of_its_joint():
    """By the covariance of theta and the running sums, without the simulator's algebra."""
    sim = simulator("gaussian_linear")
    sums = np.cumsum(np.eye(10), axis=0)
    covariance = 0.1 * np.block([[np.eye(10), sums.T], [sums, sums @ sums.T + np.eye(10)]])
    gain = covariance[:10, 10:] @ np.linalg.inv(covariance[10:, 10:])
    x = np.random.default_rng(0).normal(size=10)
    exact = stats.multivariate_normal(gain @ x, covariance[:10, :10] - gain @ covariance[10:, :10])
    draws = sim.sample_posterior(x, 20_000, seed=1)
    np.testing.assert_allclose(
        sim.posterior_log_prob(draws[:50], x), exact.logpdf(draws[:50]), rtol=1e-9
    )
    error = math.sqrt(1 / 20_000)
    np.testing.assert_allclose(draws.mean(axis=0), exact.mean, atol=4 * 0.25 * error)
    np.testing.assert_allclose(np.cov(draws.T), exact.cov, atol=6 * 0.25**2 * error)
    joint = np.concatenate(sim.sample_joint(20_000, seed=2), axis=1)
    np.testing.assert_allclose(np.cov(joint.T), covariance, atol=6 * 1.1 * error)


@pytest.mark.parametrize("x", TWO_MOONS_X)
def test_two_moons_posterior_is_normalized(x):
    n = 1000
    middle = 2 * (np.arange(n) + 0.5) / n - 1
    theta = np.stack(np.meshgrid(middle, middle), -1).reshape(-1, 2)
    total = np.exp(simulator("two_moons").posterior_log_prob(theta, x)).sum() * (2 / n) ** 2
    assert abs(total - 1) < 0.01  # a crescent is five points of the grid wide


def test_two_moons_posterior_is_prior_times_likelihood():
    """The likelihood, by the density of a half circle and TFP's formula of the simulator."""
    sim = simulator("two_moons")
    theta = np.array([[0.4, 0.35], [-0.35, -0.4], [0.5, 0.3], [0.2, 1.1]])
    x = sim.simulate(theta[:1], seed=0)[0].astype(np.float64)
    p = x - np.stack(
        [-np.abs(theta.sum(1)) / math.sqrt(2), (theta[:, 1] - theta[:, 0]) / math.sqrt(2)], -1
    )
    radius, angle = np.hypot(p[:, 0] - 0.25, p[:, 1]), np.arctan2(p[:, 1], p[:, 0] - 0.25)
    likelihood = stats.norm.pdf(radius, 0.1, 0.01) / (np.pi * radius) * (abs(angle) < np.pi / 2)
    received = np.exp(sim.posterior_log_prob(theta, x))
    inside = (abs(theta) <= 1).all(axis=1)
    np.testing.assert_allclose(received / received[0], inside * likelihood / likelihood[0], 1e-9)
    mirrored = sim.posterior_log_prob(-theta[:, ::-1], x)
    np.testing.assert_allclose(np.exp(mirrored), received, rtol=1e-9)


def test_two_moons_likelihood_is_normalized():
    sim = simulator("two_moons")
    n = 400
    middle = 0.4 * ((np.arange(n) + 0.5) / n - 0.5)
    # The half circle, moved by |s| and t of the parameters (0.2, -0.1).
    x = np.stack(np.meshgrid(middle + 0.2, middle - 0.3 / math.sqrt(2)), -1).reshape(-1, 2)
    density = np.exp(sim.log_likelihood(np.tile([[0.2, -0.1]], [len(x), 1]), x))
    assert density.sum() * (0.4 / n) ** 2 == pytest.approx(1.0, abs=5e-3)


@pytest.mark.parametrize("x", TWO_MOONS_X)
def test_two_moons_draws_follow_the_density(x):
    """Counts in squares against the density's integral over them."""
    sim = simulator("two_moons")
    draws = sim.sample_posterior(x, 20_000, seed=3)
    cells, per_cell = 16, 60
    edges = np.linspace(-1, 1, cells + 1)
    counts = np.histogram2d(*draws.T, [edges, edges])[0]
    assert counts.sum() == 20_000
    n = cells * per_cell
    middle = 2 * (np.arange(n) + 0.5) / n - 1
    theta = np.stack(np.meshgrid(middle, middle, indexing="ij"), -1).reshape(-1, 2)
    density = np.exp(sim.posterior_log_prob(theta, x)).reshape([cells, per_cell, cells, per_cell])
    expected = density.sum(axis=(1, 3))
    expected *= 20_000 / expected.sum()
    many = expected > 30
    pearson = ((counts - expected)[many] ** 2 / expected[many]).sum()
    assert pearson < stats.chi2.isf(1e-4, many.sum())
    assert counts[~many].sum() < 20_000 * 0.02


@pytest.mark.parametrize("name", NAMES)
def test_true_parameters_are_draws_of_the_posterior(name):
    """Simulation-based calibration of the exact posterior finds nothing."""
    sim = simulator(name)
    theta, x = sim.sample_joint(300, seed=4)
    draws = np.stack([sim.sample_posterior(row, 99, seed=i) for i, row in enumerate(x)], axis=1)
    assert (rank_p_value(simulation_ranks(theta, draws), 99, num_bins=10) > 1e-4).all()


def test_draws_within_the_prior_are_the_first_of_each_observation():
    sim = simulator("two_moons")
    draws = np.random.default_rng(6).normal(size=[40, 3, 2])
    kept, part = sim.within_prior(draws, 5)
    np.testing.assert_allclose(part, (abs(draws) <= 1).all(axis=-1).mean(axis=0))
    for k in range(3):
        np.testing.assert_array_equal(
            kept[:, k], [row for row in draws[:, k] if (abs(row) <= 1).all()][:5]
        )
    np.testing.assert_array_equal(sim.within_prior(draws[:, 1], 5)[0], kept[:, 1])
    with pytest.raises(ValueError, match=r"^draws: expected 38 that the prior allows .* of 40"):
        sim.within_prior(draws, 38)
    with pytest.raises(ValueError, match=r"^draws: expected the shape \[S, ..., 2\]; received"):
        sim.within_prior(draws[..., :1], 5)


def test_bad_arguments_of_simulators():
    with pytest.raises(ValueError, match=r"^name: expected one of 'gaussian_linear', 'two_moons'"):
        simulator("three_moons")
    sim = simulator("two_moons")
    for theta in ([0.0, 0.0], [[0.0, 0.0, 0.0]]):
        with pytest.raises(ValueError, match=r"^theta: expected the shape \[n, 2\]; received"):
            sim.simulate(theta)
    for x in ([[0.0, 0.0]], [0.0, math.nan], 1.0):
        with pytest.raises(ValueError, match=r"^x: expected one observation, 2 finite numbers"):
            sim.sample_posterior(x, 10)
    with pytest.raises(ValueError, match=r"^x: expected an observation that the simulator can"):
        sim.sample_posterior([3.0, 0.0], 10)
    with pytest.raises(ValueError, match=r"^num_samples: expected an integer >= 1; received 0"):
        sim.sample_prior(0)
    with pytest.raises(ValueError, match=r"^seed: "):
        sim.sample_joint(10, seed=-1)


# The classifier two-sample test.


def test_c2st_nears_the_best_classifier():
    """Of two Gaussians the best one is a plane, and its accuracy is known."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=[2, 400, 2])
    move, error = np.array([1.5, 0.0]), 1 / (2 * math.sqrt(800))
    assert c2st(a, b, seed=1, num_folds=2) == pytest.approx(0.5, abs=4 * error)
    shifted = c2st(a, b + move, seed=1, num_folds=2)
    assert shifted == pytest.approx(stats.norm.cdf(0.75), abs=4 * error)
    # The units do not matter; and one seed gives one number.
    assert c2st(1024 * a, 1024 * (b + move), seed=1, num_folds=2) == shifted


def test_c2st_sees_what_no_moment_shows():
    rng = np.random.default_rng(1)
    sign = rng.choice([-1.0, 1.0], size=[200, 2])
    sample = sign * [1.0, 1.0] + 0.1 * rng.normal(size=[200, 2])
    correlated = np.stack([sign[:, 0], sign[:, 0]], 1) + 0.1 * rng.normal(size=[200, 2])
    assert c2st(sample, correlated, num_folds=2) > 0.7  # the best is 3/4


def test_c2st_with_early_stopping_finds_more_in_many_dimensions():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=[2, 1000, 10])
    b[:, 0] += 1.0
    error = 1 / (2 * math.sqrt(2000))
    assert c2st(a, b, early_stopping=True) == pytest.approx(stats.norm.cdf(0.5), abs=4 * error)


def test_bad_arguments_of_c2st():
    a = np.random.default_rng(2).normal(size=[20, 2])
    for b in (a[:10], a[:, :1], a[:, 0]):
        with pytest.raises(ValueError, match=r"^Argument `sample`: expected the shape \[n, D\]"):
            c2st(a, b)
    with pytest.raises(ValueError, match=r"^Argument `sample`: expected finite"):
        c2st(a, np.full_like(a, np.nan))
    with pytest.raises(ValueError, match=r"^Argument `reference`: expected numbers that vary.*1\."):
        c2st(a * [1.0, 0.0], a)
    for num_folds, message in ((1, "at least 2"), (21, "at most 20")):
        with pytest.raises(ValueError, match=rf"^Argument `num_folds`: expected {message}"):
            c2st(a, a, num_folds=num_folds)
    with pytest.raises(TypeError, match=r"^Argument `seed`: expected an integer"):
        c2st(a, a, seed=0.5)


# Calibration.


def gaussian_ranks(width, shift=0.0, num=3000, num_draws=99):
    """Ranks with posteriors that are `width` times as wide as the exact one, and shifted."""
    rng = np.random.default_rng(5)
    theta = rng.normal(size=num)
    mean = 0.5 * (theta + rng.normal(size=num)) + shift
    return simulation_ranks(theta, mean + width * 0.5**0.5 * rng.normal(size=[num_draws, num]))


def test_ranks_count_the_draws_below():
    truth = np.array([[0.5, -1.0], [2.0, 0.0]])
    draws = np.array([[[0.0, 0.0], [1.0, 0.0]], [[1.0, -2.0], [1.5, -1.0]], [[0.4, 3.0], [3.0, 1]]])
    np.testing.assert_array_equal(simulation_ranks(truth, draws), [[2, 1], [2, 1]])
    np.testing.assert_array_equal(simulation_ranks(truth[:, 0], draws[..., 0]), [2, 2])


@pytest.mark.parametrize(("width", "shift"), [(1.0, 0.0), (0.8, 0.0), (1.25, 0.0), (1.0, 0.15)])
def test_p_value_is_small_exactly_for_wrong_posteriors(width, shift):
    p_value = rank_p_value(gaussian_ranks(width, shift), 99)
    assert p_value.shape == ()
    assert p_value > 0.01 if (width, shift) == (1.0, 0.0) else p_value < 1e-6


def test_p_value_expects_the_right_counts_in_unequal_bins():
    """12 ranks in 5 bins: of 2, 2, 3, 2 and 3 ranks."""
    ranks = np.tile(np.arange(12), 50)
    assert rank_p_value(ranks, 11, num_bins=5) == pytest.approx(1.0)
    both = rank_p_value(np.stack([ranks, np.minimum(ranks, 10)], axis=1), 11, num_bins=12)
    observed = [50.0] * 10 + [100.0, 0.0]
    np.testing.assert_allclose(both, [1.0, stats.chisquare(observed).pvalue], atol=1e-12)


@pytest.mark.parametrize("width", [0.7, 1.0, 1.5])
def test_coverage_of_gaussians(width):
    levels = np.array([0.5, 0.8, 0.95])
    received = coverage(gaussian_ranks(width, num_draws=999), 999, levels)
    expected = 2 * stats.norm.cdf(width * stats.norm.isf((1 - levels) / 2)) - 1
    np.testing.assert_allclose(received, expected, atol=0.035)


def test_bad_arguments_of_calibration():
    truth, draws = np.zeros([4, 2]), np.zeros([9, 4, 2])
    for bad in (draws[:, :3], draws[..., 0], draws[:0]):
        with pytest.raises(ValueError, match=r"^Argument `draws`: expected the shape \[S, n\] or"):
            simulation_ranks(truth, bad)
    with pytest.raises(ValueError, match=r"^Argument `truth`: expected finite"):
        simulation_ranks(truth + np.inf, draws)
    with pytest.raises(TypeError, match=r"^Argument `ranks`: expected integers"):
        rank_p_value([0.5, 1.0], 9)
    for ranks in ([0, 10], [-1, 3]):
        with pytest.raises(ValueError, match=r"^Argument `ranks`: expected 0 to 9, received"):
            rank_p_value(ranks, 9)
    with pytest.raises(ValueError, match=r"^Argument `num_bins`: expected at most 10"):
        rank_p_value([0, 1], 9)
    for levels in (0.5, [0.0], [0.5, 1.0]):
        with pytest.raises(ValueError, match=r"^Argument `levels`: expected a vector"):
            coverage([0, 1], 9, levels)
