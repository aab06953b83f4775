"""Importance weights against closed forms, potentials against integrals taken in another way."""

import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import integrate, signal, stats

from tfp_flows.datasets.potentials import potential
from tfp_flows.diagnostics.importance import (
    effective_sample_size,
    free_energy_difference,
    free_energy_profile,
    log_normalizer,
)
from tfp_flows.diagnostics.pareto import pareto_shape
from tfp_flows.inference.importance import importance_sample

tfd = tfp.distributions

NAMES = ("double_well", "two_particles")


# Importance weights.


def gaussian_log_weights(size, seed):
    """Draws of N(0, 1) and log-weights for 5 N(1, 1): log Z = log 5, variance of w / Z e - 1."""
    x = np.random.default_rng(seed).normal(size=size)
    return x, x - 0.5 + math.log(5.0)


@pytest.mark.parametrize("shift", [0.0, 1e4, -1e4])
def test_effective_sample_size_of_few_weights(shift):
    assert effective_sample_size(np.log([1.0, 1.0, 2.0]) + shift) == pytest.approx(16 / 18)
    assert effective_sample_size([shift] * 4) == 1.0
    assert effective_sample_size([shift, -np.inf, -np.inf, -np.inf]) == 0.25


def test_effective_sample_size_is_that_of_the_divergence():
    log_weights = gaussian_log_weights(200_000, 0)[1]
    # n / (1 + chi^2), and chi^2 of two unit normals at distance 1 is e - 1.
    assert effective_sample_size(tf.constant(log_weights)) == pytest.approx(1 / math.e, rel=0.03)


def test_log_normalizer_and_free_energy_difference_with_their_errors():
    # p = 5 N(1, 1): states x < -0.5 (A) and x > 0.5 (B), and draws in neither.
    exact = math.log(stats.norm.cdf(-1.5) / stats.norm.sf(-0.5))
    pulls = []
    for seed in range(300):
        x, log_weights = gaussian_log_weights(1000, seed)
        log_z = log_normalizer(log_weights)
        difference = free_energy_difference(log_weights, x < -0.5, x > 0.5)
        pulls.append(
            [
                (log_z.value - math.log(5.0)) / log_z.standard_error,
                (difference.value - exact) / difference.standard_error,
            ]
        )
    # Standard normal if both the values and the errors are right.
    assert np.all(np.abs(np.mean(pulls, axis=0)) < 0.25)
    assert np.all(np.abs(np.std(pulls, axis=0) - 1.0) < 0.15)


def test_free_energy_difference_counts_draws_of_the_target():
    in_a, in_b = np.arange(10) < 6, np.arange(10) > 7
    estimate = free_energy_difference(np.zeros(10), in_a, in_b)
    assert estimate.value == pytest.approx(math.log(6 / 2))
    assert estimate.standard_error == pytest.approx(math.sqrt(10 / 9 * (1 / 6 + 1 / 2)))
    assert free_energy_difference(None, in_a, in_b) == estimate
    assert free_energy_difference(np.zeros(10), in_b, in_a).value == pytest.approx(-math.log(3))


def test_an_empty_state_is_infinitely_far():
    everything, nothing = np.ones(3, bool), np.zeros(3, bool)
    assert free_energy_difference(np.zeros(3), everything, nothing) == (math.inf, math.inf)
    assert free_energy_difference(np.zeros(3), nothing, everything) == (-math.inf, math.inf)
    with pytest.raises(ValueError, match=r"`log_weights`: expected weight in a state"):
        free_energy_difference(np.zeros(3), nothing, nothing)


def test_free_energy_profile_of_weighted_draws():
    x, log_weights = gaussian_log_weights(100_000, 0)
    edges = np.linspace(-1.0, 2.0, 7)
    exact = -np.log(np.diff(stats.norm.cdf(edges - 1.0)) / 0.5)
    np.testing.assert_allclose(free_energy_profile(log_weights, x, edges), exact, atol=0.05)
    few = free_energy_profile([0.0, 0.0, math.log(2.0)], [0.1, 0.9, 2.5], [0.0, 1.0, 2.0, 4.0])
    np.testing.assert_allclose(few, [math.log(2.0), math.inf, math.log(4.0)])
    equal = free_energy_profile(None, [0.1, 0.9, 2.5], [0.0, 1.0, 3.0])
    np.testing.assert_allclose(equal, [math.log(3 / 2), math.log(6.0)])
    with pytest.raises(ValueError, match=r"Argument `coordinate`: expected the shape \(2,\)"):
        free_energy_profile([0.0, 0.0], [0.0], [0.0, 1.0])
    with pytest.raises(ValueError, match="Argument `edges`: expected two or more ascending"):
        free_energy_profile([0.0], [0.0], [1.0, 0.0])


@pytest.mark.parametrize("shape", [-0.3, 0.2, 0.7])
def test_pareto_shape_of_pareto_weights(shape):
    found = [
        pareto_shape(np.log1p(stats.genpareto.rvs(shape, size=20_000, random_state=seed)))
        for seed in range(10)
    ]
    # The spread over 10 seeds is 0.02; the estimate is shrunk towards 1/2 by 2 %.
    assert np.mean(found) == pytest.approx(shape, abs=0.08)


def test_pareto_shape_of_any_scale_and_without_a_tail():
    weights = stats.genpareto.rvs(0.6, size=1000, random_state=0)
    assert pareto_shape(np.log(weights)) == pytest.approx(pareto_shape(np.log(weights) - 3e3))
    assert pareto_shape(np.zeros(100)) == -math.inf
    assert pareto_shape([-math.inf] * 99 + [0.0]) == math.inf
    with pytest.raises(ValueError, match="at least 25"):
        pareto_shape(np.arange(20.0))


@pytest.mark.parametrize(
    "function",
    [
        effective_sample_size,
        log_normalizer,
        pareto_shape,
        lambda w: free_energy_difference(w, [True], [False]),
    ],
)
def test_wrong_weights_are_refused(function):
    for wrong in ([], [[0.0]], 0.0, [math.nan], [math.inf], [-math.inf]):
        with pytest.raises(ValueError, match="Argument `log_weights`: expected"):
            function(wrong)
    for wrong in (["a"], [True], [1j], [None]):
        with pytest.raises(TypeError, match="Argument `log_weights`: expected"):
            function(wrong)


def test_wrong_states_are_refused():
    yes, no = [True, False], [False, True]
    with pytest.raises(TypeError, match="Argument `in_a`: expected an array of booleans"):
        free_energy_difference([0.0, 0.0], [1, 0], no)
    with pytest.raises(ValueError, match=r"Argument `in_b`: expected the shape \(2,\)"):
        free_energy_difference([0.0, 0.0], yes, [True])
    with pytest.raises(ValueError, match="Argument `in_b`: expected draws that are not in"):
        free_energy_difference([0.0, 0.0], yes, yes)


# Importance sampling.


def proposal():
    return tfd.MultivariateNormalDiag([0.0, 1.0], [1.5, 1.5])


def target_log_prob(z):
    """Standard normal, times exp(3), without its constant."""
    return 3.0 - 0.5 * tf.reduce_sum(z**2, axis=-1)


def test_importance_sampling_of_a_gaussian():
    drawn = importance_sample(proposal(), target_log_prob, 20_500, batch_size=4000, seed=1)
    z = drawn.samples
    assert z.shape == (20_500, 2)
    expected = target_log_prob(z) - proposal().log_prob(z)
    np.testing.assert_allclose(drawn.log_weights, expected, atol=1e-5)
    estimate = log_normalizer(drawn.log_weights)
    exact = 3.0 + math.log(2.0 * math.pi)
    assert abs(estimate.value - exact) < 4.0 * estimate.standard_error < 0.05
    relative = drawn.relative_log_weights
    np.testing.assert_allclose(relative, drawn.log_weights - estimate.value, atol=1e-9)
    assert len(np.unique(z[:, 0])) > 20_490  # no batch is drawn twice
    resampled = drawn.resample(20_000, seed=0)
    np.testing.assert_allclose(np.mean(resampled, axis=0), [0.0, 0.0], atol=0.06)
    np.testing.assert_allclose(np.cov(resampled.T), np.eye(2), atol=0.08)
    # One seed, one result.
    np.testing.assert_array_equal(drawn.resample(20_000, seed=0), resampled)
    again = importance_sample(proposal(), target_log_prob, 4000, batch_size=4000, seed=1)
    np.testing.assert_array_equal(again.samples, z[:4000])


def test_importance_sampling_refuses_what_it_cannot_use():
    with pytest.raises(TypeError, match=r"Argument `proposal`: expected a tfd\.Distribution"):
        importance_sample(target_log_prob, target_log_prob, 10)
    with pytest.raises(ValueError, match="Argument `target_log_prob_fn`: expected a function"):
        importance_sample(proposal(), lambda z: -z, 10)
    with pytest.raises(ValueError, match="Argument `num_samples`: expected at least 1"):
        importance_sample(proposal(), target_log_prob, 0)


# Potentials.


def double_well(x, y):
    return x**4 - 6 * x**2 + x + y**2 / 2


def bond(d):
    return 10 * ((d - 2) ** 2 - 1) ** 2 + d - 2


def walls(*coordinates):
    return sum(10 * np.maximum(0, np.abs(t) - 2) ** 2 for t in coordinates)


def test_energies_are_the_documented_ones():
    z = np.random.default_rng(0).normal(scale=2.0, size=[50, 4])
    x1, x2, y1, y2 = z.T
    expected = bond(np.hypot(x1 - x2, y1 - y2)) + walls(x1, y1, x2, y2)
    seen = np.stack([(x1 + x2) / 2, x1 - x2, (y1 + y2) / 2, y1 - y2], axis=-1)
    np.testing.assert_allclose(potential("two_particles")(seen), expected, rtol=1e-12)
    np.testing.assert_allclose(potential("double_well")(z[:, :2]), double_well(x1, x2), rtol=1e-12)


def test_double_well_against_a_double_integral():
    def mass(low, high):
        function = lambda y, x: math.exp(-double_well(x, y))  # noqa: E731
        return integrate.dblquad(function, low, high, -9, 9, epsabs=1e-9)[0]

    ours = potential("double_well")
    in_a, in_b = mass(-3.5, 0.0), mass(0.0, 3.5)
    assert ours.log_normalizer() == pytest.approx(math.log(in_a + in_b), abs=1e-7)
    assert ours.free_energy_difference() == pytest.approx(math.log(in_a / in_b), abs=1e-7)


def test_two_particles_against_a_sum_over_four_dimensions():
    # On a grid, the integral over both positions at a fixed difference r is a correlation.
    spacing = 0.04
    t = np.arange(-3.5, 3.5 + spacing / 2, spacing)
    box = np.exp(-walls(t[:, None], t))
    positions = signal.fftconvolve(box, box[::-1, ::-1]) * spacing**2
    r = spacing * (np.arange(2 * len(t) - 1) - len(t) + 1)
    d = np.hypot(r[:, None], r)
    density = positions * np.exp(-bond(d)) * spacing**2
    ours = potential("two_particles")
    assert ours.log_normalizer() == pytest.approx(math.log(density.sum()), abs=1e-5)
    # The grid has no edge at the barrier, where there is a part of 1e-5 of all.
    difference = math.log(density[d < 2].sum() / density[d > 2].sum())
    assert ours.free_energy_difference() == pytest.approx(difference, abs=1e-4)
    # The whole profile, by its moments.
    s = np.linspace(*ours.limits, 2001)
    profile = np.exp(-ours.free_energy_profile(s))
    for power in (1, 2, 3):
        moment = np.sum(profile * s**power) / np.sum(profile)
        assert moment == pytest.approx(np.sum(density * d**power) / density.sum(), rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_interval_holds_everything_and_the_barrier_is_high(name):
    ours = potential(name)
    s = np.linspace(*ours.limits, 901)
    profile = ours.free_energy_profile(s)
    assert profile.shape == s.shape
    relative = profile - profile.min()
    # The states' lowest points lie near the lowest points of the profile.
    at_a, at_b = ours.reaction_coordinate(ours.minima).numpy()
    in_a, in_b = s < ours.barrier, s > ours.barrier
    assert abs(at_a - s[in_a][profile[in_a].argmin()]) < 0.05
    assert abs(at_b - s[in_b][profile[in_b].argmin()]) < 0.05
    assert min(relative[0], relative[-1]) > 28.0  # below 1e-12
    assert 10.0 < relative[np.argmin(np.abs(s - ours.barrier))] < 11.0


@pytest.mark.parametrize("name", NAMES)
def test_potentials_take_tensors(name):
    ours = potential(name)
    z = tf.zeros([2, 3, ours.event_size])  # where the two particles meet
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = ours(z)
    np.testing.assert_array_equal(ours.log_prob(z), -value)
    assert value.shape == ours.reaction_coordinate(z).shape == [2, 3]
    assert value.dtype == tf.float32
    assert np.all(np.isfinite(tape.gradient(value, z)))
    coordinate = ours.reaction_coordinate(tf.eye(ours.event_size))
    expected = [1.0, 0.0] if ours.event_size == 2 else [0.0, 1.0, 0.0, 1.0]
    np.testing.assert_array_equal(coordinate, expected)
    for call in (ours, ours.reaction_coordinate):
        with pytest.raises(ValueError, match=r"z: expected the shape \[\.\.\., [24]\]; received"):
            call(tf.zeros([5, 3]))
        with pytest.raises(TypeError, match=r"z: expected a floating-point tensor"):
            call(tf.zeros([ours.event_size], tf.int32))


def test_unknown_potentials_are_refused():
    with pytest.raises(ValueError, match="name: expected one of 'double_well', 'two_particles'"):
        potential("triple_well")
    with pytest.raises(TypeError, match="name: expected one of"):
        potential(2)
