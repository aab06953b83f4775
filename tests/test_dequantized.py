"""Dequantization: against the exact probabilities of cases small enough to sum."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_flows as tff
from tfp_flows.distributions import Dequantized, full_covariance_gaussian
from tfp_flows.distributions._preprocessing import logit_of_unit, unit_of_logit

tfb, tfd = tfp.bijectors, tfp.distributions

LOC, SCALE = 0.4, 0.3


def gaussian(dtype=tf.float64, loc=LOC, scale=SCALE):
    return tfd.Independent(tfd.Normal(tf.constant([loc], dtype), tf.constant(scale, dtype)), 1)


def exact_gaussian(num_levels=4):
    """P(x) of `gaussian`, the mass of each cell."""
    return np.diff(scipy.stats.norm.cdf(np.linspace(0.0, 1.0, num_levels + 1), LOC, SCALE))


def perturbed(flow, scale=0.3):
    rng = np.random.default_rng(0)
    for variable in flow.trainable_variables:
        variable.assign_add(tf.cast(scale * rng.normal(size=variable.shape), variable.dtype))
    return flow


def perturbed_flow(context_size=None, dtype=tf.float64):
    settings = {"hidden_units": [8], "activation": "tanh", "dtype": dtype, "seed": 0}
    return perturbed(tff.flows.real_nvp(2, 2, context_size=context_size, **settings))


def logistic_noise():
    """Noise whose importance weights are bounded: its tails are those of a uniform u."""
    base = tfd.Sample(tfd.Logistic(tf.zeros([], tf.float64), 1.0), 2)
    return perturbed(tff.flows.planar(2, 2, context_size=2, base=base, dtype=tf.float64, seed=1))


def all_pairs(num_levels):
    return np.stack(np.meshgrid(*[np.arange(num_levels)] * 2, indexing="ij"), -1).reshape([-1, 2])


def exact_probabilities(flow, num_levels, alpha, num=60):
    """P(x) for all pairs, by the midpoint rule on the cells of v."""
    v = (np.arange(num_levels * num) + 0.5) / (num_levels * num)
    v = np.stack(np.meshgrid(v, v, indexing="ij"), axis=-1)
    s = alpha + (1.0 - 2.0 * alpha) * v
    density = flow.prob(np.log(s) - np.log1p(-s)).numpy()
    density *= np.prod((1.0 - 2.0 * alpha) / (s * (1.0 - s)), axis=-1)
    cells = density.reshape([num_levels, num, num_levels, num]).mean(axis=(1, 3))
    return cells.reshape(-1) / num_levels**2


def test_uniform_bound_has_the_expectation_of_theis_et_al():
    """E_u log p_v((x + u) / N) - log N, in closed form for a Gaussian."""
    num_levels = 4
    distribution = Dequantized(gaussian(), num_levels)
    x = np.arange(num_levels)[:, None]
    low, high = (x[:, 0] - num_levels * LOC), (x[:, 0] + 1.0 - num_levels * LOC)
    mean_square = (high**3 - low**3) / 3.0
    bound = -np.log(num_levels * SCALE * np.sqrt(2.0 * np.pi))
    bound = bound - mean_square / (2.0 * (num_levels * SCALE) ** 2)
    draws = distribution.log_prob(np.tile(x, [20_000, 1, 1]), seed=[1, 2]).numpy()
    assert draws.shape == (20_000, 4)
    error = draws.std(axis=0) / np.sqrt(20_000)
    assert np.all(abs(draws.mean(axis=0) - bound) < 4.0 * error)
    assert np.all(bound < np.log(exact_gaussian()))
    # The tighter bound, for many draws.
    tight = distribution.log_prob(x, seed=[1, 2], num_samples=20_000)
    np.testing.assert_allclose(tight, np.log(exact_gaussian()), atol=5e-3)


def test_exact_where_the_noise_is_the_true_posterior():
    num_levels = 4

    def posterior(context):
        x = ((context + 1.0) * num_levels - 1.0) / 2.0
        u = tfd.TruncatedNormal(
            num_levels * LOC - x, num_levels * tf.constant(SCALE, x.dtype), 0.0, 1.0
        )
        return tfd.Independent(tfd.TransformedDistribution(u, tfb.Invert(tfb.Sigmoid())), 1)

    distribution = Dequantized(gaussian(), num_levels, noise=posterior)
    x = np.arange(num_levels)[:, None]
    for num_samples in (1, 3):
        bound = distribution.log_prob(x, seed=[1, 2], num_samples=num_samples)
        np.testing.assert_allclose(bound, np.log(exact_gaussian()), rtol=1e-9)


@pytest.mark.parametrize("alpha", [0.0, 0.05])
@pytest.mark.parametrize("kind", ["uniform", "flow"])
def test_bound_against_the_sum_over_all_data(kind, alpha):
    num_levels, flow = 3, perturbed_flow()
    noise = "uniform" if kind == "uniform" else logistic_noise()
    distribution = Dequantized(flow, num_levels, noise, logit=True, alpha=alpha)
    exact = exact_probabilities(flow, num_levels, alpha)
    x = all_pairs(num_levels)
    tight = distribution.log_prob(x, seed=[1, 2], num_samples=10_000).numpy()
    np.testing.assert_allclose(tight, np.log(exact), atol=0.05)
    # With alpha = 0 no mass is outside.
    assert abs(np.exp(tight).sum() - exact.sum()) < 0.01
    assert exact.sum() < 1.0 + 1e-4
    assert (exact.sum() > 0.995) == (alpha == 0.0)
    draws = distribution.log_prob(np.tile(x, [2_000, 1, 1]), seed=[3, 4]).numpy()
    error = draws.std(axis=0) / np.sqrt(2_000)
    assert np.all(draws.mean(axis=0) < np.log(exact) + 4.0 * error)
    assert np.any(draws.mean(axis=0) < np.log(exact) - 4.0 * error)


@pytest.mark.parametrize("logit", [False, True])
def test_samples(logit):
    """The nearest level where the density reaches beyond."""
    base = gaussian(loc=-0.5, scale=1.2) if logit else gaussian()
    distribution = Dequantized(base, 4, logit=logit)
    x = distribution.sample(20_000, seed=[1, 2])
    assert x.dtype == tf.int32
    edges = np.array([0.25, 0.5, 0.75])
    if logit:
        shrunk = 0.05 + 0.9 * edges
        inner = scipy.stats.norm.cdf(np.log(shrunk / (1.0 - shrunk)), -0.5, 1.2)
    else:
        inner = scipy.stats.norm.cdf(edges, LOC, SCALE)
    counts = np.bincount(x.numpy()[:, 0], minlength=4)
    expected = 20_000 * np.diff([0.0, *inner, 1.0])
    assert scipy.stats.chisquare(counts, expected).pvalue > 1e-3


def test_bits_per_dim():
    """A uniform density needs log2 N bits, whatever the noise."""
    unit = tfd.Independent(tfd.Uniform(tf.zeros([2, 3]), 1.0), 2)
    distribution = Dequantized(unit, 256)
    x = np.random.default_rng(0).integers(256, size=[5, 2, 3]).astype(np.uint8)
    np.testing.assert_allclose(distribution.bits_per_dim(x), np.full(5, 8.0), rtol=1e-6)
    np.testing.assert_allclose(distribution.log_prob(x), -6.0 * np.log(256.0), rtol=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 1e-6, 0.05])
def test_logit_map(alpha):
    v = tf.constant([1e-5, 0.1, 0.5, 0.7, 0.999], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(v)
        y, log_derivative = logit_of_unit(v, 1.0 - v, alpha)
    np.testing.assert_allclose(log_derivative, np.log(tape.gradient(y, v)), rtol=1e-9)
    np.testing.assert_allclose(unit_of_logit(y, alpha), v, rtol=1e-8)
    single = [tf.cast(t, tf.float32) for t in (v, 1.0 - v)]
    for value, reference in zip(logit_of_unit(*single, alpha), (y, log_derivative), strict=True):
        np.testing.assert_allclose(value, reference, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
@pytest.mark.parametrize("alpha", [0.0, 1e-6])
def test_lowest_and_highest_levels(dtype, alpha):
    flow = perturbed_flow(dtype=dtype)
    distribution = Dequantized(flow, 256, logit=True, alpha=alpha)
    x = np.tile([[0, 255], [255, 255], [0, 0]], [2_000, 1, 1])
    with tf.GradientTape() as tape:
        log_prob = distribution.log_prob(x, seed=[1, 2])
    assert log_prob.dtype == dtype
    assert np.all(np.isfinite(log_prob))
    for gradient in tape.gradient(log_prob, flow.trainable_variables):
        assert np.all(np.isfinite(gradient))


def test_float32_agrees_with_float64():
    x = np.random.default_rng(0).integers(256, size=[20, 1])
    z = tf.random.stateless_normal([20, 1], [1, 2], dtype=tf.float64)

    def log_prob(dtype):
        noise = fixed_noise(tf.cast(z, dtype))
        base = gaussian(dtype, 0.0, 2.0)
        return Dequantized(base, 256, noise, logit=True, alpha=1e-6).log_prob(x)

    np.testing.assert_allclose(log_prob(tf.float32), log_prob(tf.float64), rtol=1e-5)


def test_gradients_reach_flow_and_noise():
    flow, noise = perturbed_flow(), perturbed_flow(context_size=2)
    distribution = Dequantized(flow, 8, noise=noise, num_samples=3)
    expected = {v.ref() for v in (*flow.trainable_variables, *noise.trainable_variables)}
    assert {v.ref() for v in distribution.trainable_variables} == expected
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(distribution.log_prob([[0, 7], [3, 4]], seed=[1, 2]))
    variables = distribution.trainable_variables
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        assert np.any(gradient != 0.0), variable.name
        assert np.all(np.isfinite(gradient)), variable.name


def test_noise_without_a_module():
    kernel = tf.Variable([[0.5]], dtype=tf.float64)

    def noise(context):
        return tfd.Independent(tfd.Normal(context @ kernel, tf.ones([], kernel.dtype)), 1)

    distribution = Dequantized(gaussian(), 4, noise=noise)
    assert [v.ref() for v in distribution.trainable_variables] == [kernel.ref()]


def test_images():
    """A conditional flow gets images flat, and its noise is given their shape."""
    shape = [2, 1, 2]
    image = tfd.Sample(tfd.Normal(tf.constant(0.0), 2.0), shape)
    noise = tff.flows.planar(4, 1, context_size=4, seed=0)
    x = np.random.default_rng(0).integers(256, size=[3, 5, *shape]).astype(np.uint8)
    for num_samples in (1, 3):
        distribution = Dequantized(image, 256, noise, logit=True, num_samples=num_samples)
        log_prob = distribution.log_prob(x, seed=[1, 2])
        assert log_prob.shape == [3, 5]
        np.testing.assert_array_equal(log_prob, distribution.log_prob(x, seed=[1, 2]))
        assert np.all(log_prob != distribution.log_prob(x, seed=[1, 3]))
        assert np.all(log_prob != distribution.log_prob(x))
    assert distribution.sample([2, 3], seed=1).shape == [2, 3, *shape]
    assert distribution.log_prob(x[:0]).shape == [0, 5]


def test_batch_of_distributions():
    contexts = tf.random.stateless_normal([3, 4], [0, 1])
    flow = tff.flows.planar(2, 2, context_size=4, seed=0)
    distribution = Dequantized(flow(contexts), 4, logit=True, num_samples=500)
    assert distribution.batch_shape == [3]
    x = distribution.sample(5, seed=[1, 2])
    assert x.shape == [5, 3, 2]
    log_prob = distribution.log_prob(x, seed=[1, 2])
    assert log_prob.shape == [5, 3]
    alone = Dequantized(flow(contexts[1]), 4, logit=True, num_samples=500)
    np.testing.assert_allclose(alone.log_prob(x[:, 1]), log_prob[:, 1], atol=0.3)


def fixed_noise(z):
    """Noise without randomness, for comparisons."""
    return lambda context: tfd.Independent(tfd.Deterministic(z + tf.zeros_like(context)), 1)


def test_compiled_with_unknown_batch_size():
    z = tf.constant([0.3, -1.2], tf.float64)
    distribution = Dequantized(perturbed_flow(), 8, fixed_noise(z), logit=True)
    log_prob = tf.function(
        lambda x: distribution.log_prob(x),
        input_signature=[tf.TensorSpec([None, 2], tf.int32)],
        jit_compile=True,
    )
    # In a graph values cannot be looked at: what is no data has probability zero.
    x = tf.constant([[0, 7], [8, 3], [3, -1], [2, 2]])
    valid = [0, 3]
    log_probs = log_prob(x).numpy()
    np.testing.assert_array_equal(np.isneginf(log_probs), [False, True, True, False])
    expected = distribution.log_prob(tf.gather(x, valid))
    np.testing.assert_allclose(log_probs[valid], expected, rtol=1e-9)


@pytest.mark.parametrize("noise", ["uniform", lambda context: gaussian()])
def test_draws_anew_in_each_run_of_a_graph(noise):
    distribution = Dequantized(gaussian(), 4, noise)
    log_prob = tf.function(lambda x: distribution.log_prob(x), jit_compile=True)
    x = tf.zeros([1], tf.int32)
    assert log_prob(x) != log_prob(x)


def test_sample_and_log_prob_with_one_seed():
    distribution = Dequantized(gaussian(), 4)
    first, again = (distribution.experimental_sample_and_log_prob(5, seed=[1, 2]) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert first[1].shape == [5]


def test_fit():
    base = full_covariance_gaussian(2)
    noise = tff.flows.planar(2, 1, context_size=2, seed=1)
    model = tff.models.DensityModel(Dequantized(base, 256, noise, logit=True))
    model.compile(keras.optimizers.Adam(0.05))
    x = np.random.default_rng(0).binomial(255, 0.3, [256, 2]).astype(np.uint8)
    before = [v.numpy() for v in model.trainable_variables]
    history = model.fit(x, epochs=2, batch_size=16, verbose=0).history
    assert len(before) == len(base.variables) + len(noise.variables)
    for old, variable in zip(before, model.trainable_variables, strict=True):
        assert np.any(old != variable.numpy()), variable.name
    nats, bits = (np.array(history[name]) for name in ("nats", "bits_per_dim"))
    assert bits[1] < bits[0] - 0.1
    np.testing.assert_allclose(bits, nats / (2.0 * np.log(2.0)), rtol=1e-4)


BAD = {
    "distribution": (lambda: Dequantized(3, 4), TypeError, "`distribution`.*int"),
    "discrete": (
        lambda: Dequantized(tfd.Categorical([0.0]), 4),
        TypeError,
        "`distribution`.*int32",
    ),
    "levels": (lambda: Dequantized(gaussian(), 1), ValueError, "`num_levels`.*2.*received 1"),
    "levels type": (lambda: Dequantized(gaussian(), 4.0), TypeError, "`num_levels`.*4.0"),
    "alpha": (lambda: Dequantized(gaussian(), 4, alpha=0.5), ValueError, "`alpha`.*0.5"),
    "noise": (lambda: Dequantized(gaussian(), 4, "normal"), TypeError, "`noise`.*'normal'"),
    "samples": (
        lambda: Dequantized(gaussian(), 4, num_samples=0),
        ValueError,
        "`num_samples`.*received 0",
    ),
    "shape": (
        lambda: Dequantized(gaussian(), 4).log_prob([[1, 2]]),
        ValueError,
        r"`x`.*\(\.\.\., 1\).*\(1, 2\)",
    ),
    "rank": (lambda: Dequantized(gaussian(), 4).log_prob(1), ValueError, "`x`.*expected shape"),
    "fraction": (
        lambda: Dequantized(gaussian(), 4).log_prob([[1.0], [1.5]]),
        ValueError,
        "`x`.*0 to 3.*received 1.5",
    ),
    "above": (lambda: Dequantized(gaussian(), 4).log_prob([4]), ValueError, "`x`.*received 4"),
    "below": (lambda: Dequantized(gaussian(), 4).log_prob([-1]), ValueError, "`x`.*received -1"),
    "nan": (lambda: Dequantized(gaussian(), 4).log_prob([np.nan]), ValueError, "`x`.*nan"),
    "noise shape": (
        lambda: Dequantized(gaussian(), 4, lambda _: gaussian(loc=[0.0, 1.0])).log_prob([[1]]),
        ValueError,
        "`noise`.*batch shape",
    ),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_input(bad):
    call, error, message = BAD[bad]
    with pytest.raises(error, match=message):
        call()


def test_initialize_reaches_the_density_inside():
    """`flows.initialize` gives it what the data look like behind dequantization and logit."""
    data = np.random.default_rng(0).binomial(15, [0.2, 0.7], [512, 2])
    layer = tff.bijectors.ActNorm.with_variables([2])
    flow = tfd.TransformedDistribution(tff.distributions.standard_normal(2), layer)
    distribution = Dequantized(flow, num_levels=16, logit=True)
    tff.flows.initialize(distribution, data)
    v = (data + 0.5) / 16.0
    expected = np.log((0.05 + 0.9 * v) / (0.95 - 0.9 * v)).mean(0)
    np.testing.assert_allclose(layer.shift, expected, atol=0.02)
