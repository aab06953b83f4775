"""Hierarchical targets against SciPy and quadrature; HMC through flows against known moments."""

import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from scipy import special, stats

from tfp_flows import datasets, flows, inference, models

tfd = tfp.distributions
tfb = tfp.bijectors

# A Gaussian of correlated elements with very different scales.
MEAN = np.array([1.0, -2.0, 0.5], np.float32)
SCALE = np.array([[1.5, 0.0, 0.0], [0.8, 0.5, 0.0], [-0.2, 0.1, 0.4]], np.float32)
GAUSSIAN = tfd.MultivariateNormalTriL(MEAN, SCALE)


def test_funnel_is_normal_given_v():
    x = np.array([[0.3, -1.0, 2.0, 0.1], [-5.0, 0.1, 0.0, -0.2], [6.0, 10.0, -40.0, 3.0]])
    expected = stats.norm.logpdf(x[:, 0], scale=3.0)
    expected += stats.norm.logpdf(x[:, 1:], scale=np.exp(0.5 * x[:, :1])).sum(axis=1)
    funnel = datasets.funnel(event_size=4, dtype=tf.float64)
    np.testing.assert_allclose(funnel.log_prob(x), expected, rtol=1e-12)
    samples = datasets.funnel(event_size=3, scale=2.0).sample(4000, seed=0).numpy()
    noise = np.concatenate(
        [samples[:, :1] / 2.0, samples[:, 1:] * np.exp(-0.5 * samples[:, :1])], axis=1
    )
    assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-3
    assert np.abs(np.corrcoef(noise.T) - np.eye(3)).max() < 0.08


def test_eight_schools_is_the_model():
    schools = datasets.EightSchools()
    assert schools.event_size == 10
    x = np.random.default_rng(0).normal(size=[5, 10])
    mu, tau, theta = x[:, :1], np.exp(x[:, 1:2]), x[:, 2:]
    expected = (
        stats.norm.logpdf(mu, scale=5.0) + stats.halfcauchy.logpdf(tau, scale=5.0) + x[:, 1:2]
    )
    terms = stats.norm.logpdf(theta, mu, tau)
    terms += stats.norm.logpdf(schools.effects, theta, schools.standard_errors)
    np.testing.assert_allclose(schools.log_prob(x), expected[:, 0] + terms.sum(axis=1), rtol=1e-12)


def test_density_of_log_tau_is_the_integral_over_the_others():
    """Both integrals, over theta and mu, by sums on grids, for two schools."""
    schools = datasets.EightSchools((28.0, -3.0), (15.0, 16.0))
    mu, theta = np.linspace(-45.0, 45.0, 181), np.linspace(-100.0, 130.0, 461)
    log_tau = np.array([0.5, 1.5, 2.5, 3.0])
    # For each school the integral over its theta, given mu and tau.
    expected = []
    for tau in np.exp(log_tau):
        given = stats.norm.pdf(theta, mu[:, np.newaxis], tau)
        parts = [
            (given * stats.norm.pdf(y, theta, s)).sum(axis=1) * 0.5
            for y, s in zip(schools.effects, schools.standard_errors, strict=True)
        ]
        integral = (stats.norm.pdf(mu, scale=5.0) * parts[0] * parts[1]).sum() * 0.5
        expected.append(np.log(integral * stats.halfcauchy.pdf(tau, scale=5.0) * tau))
    actual = schools.log_tau_log_prob(log_tau) + schools.log_normalizer
    np.testing.assert_allclose(actual, expected, rtol=1e-6)
    grid = np.linspace(-30.0, 15.0, 4501)
    assert special.logsumexp(schools.log_tau_log_prob(grid)) + math.log(0.01) == pytest.approx(
        0.0, abs=1e-9
    )


def test_eight_schools_are_drawn_from_the_posterior():
    schools = datasets.EightSchools((28.0, -3.0), (15.0, 16.0))
    samples = schools.sample(20_000, seed=0)
    assert samples.shape == (20_000, 4) and samples.dtype == np.float32
    grid = np.linspace(-30.0, 15.0, 4501)
    cumulative = np.cumsum(np.exp(schools.log_tau_log_prob(grid))) * 0.01
    uniform = np.interp(samples[:, 1], grid, cumulative)
    assert stats.kstest(uniform, "uniform").pvalue > 1e-3
    # Stein's identities: under the posterior, the derivative of its log-density by theta_j has the
    # mean 0, and its product with theta_j the mean -1; also where the others lie in a set.
    x = tf.constant(samples)
    with tf.GradientTape() as tape:
        tape.watch(x)
        log_prob = schools.log_prob(x)
    score = tape.gradient(log_prob, x).numpy().astype(np.float64)
    wide = samples[:, 1] > 0.0  # where the score is not too large for a mean
    for j in (2, 3):
        errors = score[wide, j].std() / np.sqrt(wide.sum())
        assert abs(score[wide, j].mean()) < 4.0 * errors
        assert (score[wide, j] * samples[wide, j]).mean() == pytest.approx(-1.0, abs=0.1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: datasets.funnel(1), "event_size: expected an integer >= 2; received 1"),
        (lambda: datasets.funnel(scale=0.0), "scale: expected a positive number; received 0.0"),
        (lambda: datasets.EightSchools((1.0,)), "standard_errors: expected 1 numbers"),
        (lambda: datasets.EightSchools((1.0,), (0.0,)), "expected positive numbers"),
        (
            lambda: datasets.EightSchools().log_prob(tf.zeros([3, 9])),
            r"expected the shape \[..., 10\]",
        ),
    ],
)
def test_targets_refuse(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def random_flow():
    """An IAF with random weights, far from the identity and far from the target."""
    flow = flows.iaf(event_size=3, num_layers=1, hidden_units=[8], activation="tanh", seed=0)
    rng = np.random.default_rng(1)
    for variable in flow.trainable_variables:
        variable.assign_add(0.2 * rng.normal(size=variable.shape).astype("float32"))
    return flow


FLOWS = {
    "none": lambda: None,
    "random IAF": random_flow,
    "stock TFP": lambda: tfd.TransformedDistribution(
        tfd.MultivariateNormalDiag(tf.zeros(3)),
        tfb.Chain([tfb.Shift(MEAN), tfb.ScaleMatvecTriL(SCALE)]),
    ),
}


@pytest.mark.parametrize("name", FLOWS)
def test_chains_have_the_moments_of_the_target(name):
    flow = FLOWS[name]()
    run = inference.sample_hmc(
        GAUSSIAN.log_prob,
        GAUSSIAN.sample(32, seed=1),
        flow=flow,
        num_results=300,
        num_adaptation_steps=150,
        num_leapfrog_steps={"none": 7, "random IAF": 7, "stock TFP": 2}[name],
        seed=3,
    )
    samples = run.samples.numpy()
    assert samples.shape == (300, 32, 3)
    size = run.effective_sample_size.numpy()
    flat = (samples.reshape(-1, 3) - MEAN) / GAUSSIAN.stddev().numpy()
    assert size.min() > 200
    assert (np.abs(flat.mean(axis=0)) < 4.0 / np.sqrt(size)).all()
    correlation = np.corrcoef(samples.reshape(-1, 3).T)
    covariance = SCALE @ SCALE.T
    deviations = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(
        correlation, covariance / np.outer(deviations, deviations), atol=0.08
    )
    np.testing.assert_allclose(flat.std(axis=0), 1.0, atol=0.12)
    assert run.potential_scale_reduction.numpy().max() < 1.05
    assert 0.6 < run.acceptance_rate < 0.95
    assert run.effective_samples_per_gradient == pytest.approx(size.min() / run.num_gradients)
    if name == "stock TFP":
        # In its space the target is a standard normal; without it, the scales differ four times.
        assert size.min() > 0.3 * samples[..., 0].size


def test_gradients_are_counted_and_chains_are_those_of_their_seed():
    count = tf.Variable(0)

    @tf.custom_gradient
    def log_prob(x):
        def gradient(upstream):
            with tf.control_dependencies([count.assign_add(1)]):
                return -x * upstream[:, tf.newaxis]

        return -0.5 * tf.reduce_sum(x**2, axis=-1), gradient

    settings = {"num_results": 5, "num_adaptation_steps": 3, "num_leapfrog_steps": 4, "seed": 7}
    first, second = (
        inference.sample_hmc(log_prob, np.zeros([2, 1], np.float64), **settings) for _ in range(2)
    )
    assert first.num_gradients == 2 * 5 * 4
    assert 2 * first.total_gradients == 2 * int(count)
    np.testing.assert_array_equal(first.samples, second.samples)
    assert first.samples.dtype == tf.float64


def test_distillation_trains_the_student_only():
    teacher = flows.maf(3, num_layers=1, hidden_units=[4], seed=0)
    student = flows.iaf(3, num_layers=1, hidden_units=[4], seed=1)
    model = models.ReverseKLModel(student, lambda x: teacher.log_prob(x), seed=0)
    assert {id(weight.value) for weight in model.trainable_weights} == {
        id(variable) for variable in student.trainable_variables
    }


GOOD = {"target_log_prob_fn": GAUSSIAN.log_prob, "initial_state": np.zeros([2, 3], np.float32)}
MATRIX_FLOW = tfd.TransformedDistribution(tfd.Sample(tfd.Normal(0.0, 1.0), [2, 3]), tfb.Identity())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"target_log_prob_fn": 1.0}, TypeError, "`target_log_prob_fn`: expected a callable"),
        ({"initial_state": tf.zeros([2, 3], tf.int32)}, TypeError, "`initial_state`: .* floating"),
        ({"initial_state": np.zeros([3])}, ValueError, "`initial_state`: .* two chains"),
        ({"initial_state": np.zeros([1, 3])}, ValueError, "`initial_state`: .* two chains"),
        ({"flow": GAUSSIAN.log_prob}, TypeError, "`flow`: expected a tfd.TransformedDistribution"),
        ({"flow": MATRIX_FLOW}, ValueError, r"`flow`: .* events \[D\], received .* \(2, 3\)"),
        ({"num_results": 3}, ValueError, "`num_results`: expected at least 4"),
        ({"num_leapfrog_steps": 0}, ValueError, "`num_leapfrog_steps`: expected at least 1"),
        ({"num_leapfrog_steps": 2.0}, TypeError, "`num_leapfrog_steps`: expected an integer"),
        ({"num_adaptation_steps": -1}, ValueError, "`num_adaptation_steps`: expected at least 0"),
        ({"step_size": 0.0}, ValueError, "`step_size`: expected a positive number"),
        ({"target_accept_prob": 1.0}, ValueError, "`target_accept_prob`: .* between 0 and 1"),
        ({"seed": -1}, ValueError, "`seed`: expected at least 0"),
    ],
)
def test_sampling_refuses(change, error, message):
    with pytest.raises(error, match=message):
        inference.sample_hmc(**(GOOD | change))
