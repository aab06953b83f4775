"""Learned bases: against closed forms, sums over grids and their own samples."""

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_flows as tff
from tfp_flows.distributions import (
    AutoregressiveMixture,
    ResampledGaussian,
    autoregressive_base,
    full_covariance_gaussian,
    gaussian_mixture,
    resampled_gaussian,
)
from tfp_flows.distributions._normal import PhiloxNormal

tfd = tfp.distributions

BASES = {
    "gaussian_mixture": lambda size, **kwargs: gaussian_mixture(size, 3, seed=0, **kwargs),
    "full_covariance_gaussian": full_covariance_gaussian,
    "autoregressive_base": lambda size, **kwargs: autoregressive_base(
        size, num_components=2, hidden_units=[5], order="random", seed=0, **kwargs
    ),
    "resampled_gaussian": lambda size, **kwargs: resampled_gaussian(
        size, hidden_units=[8], num_rounds=5, seed=0, **kwargs
    ),
}


def make(name, size=2, dtype=tf.float64, scale=0.6):
    """A base away from its start."""
    base = BASES[name](size, dtype=dtype)
    rng = np.random.default_rng(1)
    for variable in base.trainable_variables:
        variable.assign_add(tf.cast(scale * rng.normal(size=variable.shape), dtype))
        if variable.name.startswith("acceptance_1_kernel"):
            # Steep, so that the acceptance probability is near zero in places.
            variable.assign(5.0 * variable)
    return base


@pytest.mark.parametrize("name", BASES)
def test_density_integrates_to_one_and_samples_follow_it(name):
    base = make(name)
    middles = (np.arange(180) + 0.5) * 0.1 - 9.0
    points = np.stack(np.meshgrid(middles, middles, indexing="ij"), axis=-1)
    mass = 0.01 * base.prob(points).numpy()
    # The resampled base is off by the error of its normalizer, over 1,024 points.
    assert abs(mass.sum() - 1.0) < (4e-3 if name == "resampled_gaussian" else 1e-5)
    samples = base.sample(5_000, seed=[1, 2]).numpy()
    # Cells of 9 x 9 of the grid's; those that are hardly ever hit are counted as one.
    counts, *_ = np.histogram2d(*samples.T, bins=np.linspace(-9.0, 9.0, 21))
    expected = 5_000 * mass.reshape([20, 9, 20, 9]).sum(axis=(1, 3)) / mass.sum()
    often = expected > 5.0
    counts = np.append(counts[often], 5_000 - counts[often].sum())
    expected = np.append(expected[often], 5_000 - expected[often].sum())
    assert len(counts) > 20
    assert scipy.stats.chisquare(counts, expected).pvalue > 1e-3


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
@pytest.mark.parametrize("name", BASES)
def test_shapes_and_gradients(name, dtype):
    base = make(name, 3, dtype)
    assert base.dtype == dtype
    assert base.event_shape == [3]
    assert base.batch_shape == []
    x = base.sample([2, 5], seed=[1, 2])
    np.testing.assert_array_equal(x, base.sample([2, 5], seed=[1, 2]))
    assert not np.any(x == base.sample([2, 5], seed=[1, 3]))
    assert x.dtype == dtype
    assert x.shape == [2, 5, 3]
    with tf.GradientTape() as tape:
        log_prob = base.log_prob(tf.identity(x))
    assert log_prob.shape == [2, 5]
    np.testing.assert_allclose(base.log_prob(x[1, 3]), log_prob[1, 3], rtol=1e-5)
    variables = base.trainable_variables
    for variable, gradient in zip(variables, tape.gradient(log_prob, variables), strict=True):
        assert np.all(np.isfinite(gradient)), variable.name
        assert np.any(gradient != 0.0), variable.name
    assert base.log_prob(tf.zeros([0, 3], dtype)).shape == [0]
    assert base.sample(0, seed=1).shape == [0, 3]


@pytest.mark.parametrize("name", BASES)
def test_compiled(name):
    base = make(name)

    @tf.function(jit_compile=True, autograph=False)
    def draw(seed):
        return base.experimental_sample_and_log_prob(4, seed=seed)

    x, log_prob = draw(tf.constant([1, 2]))
    np.testing.assert_allclose(base.log_prob(tf.identity(x)), log_prob, rtol=1e-10)


@pytest.mark.parametrize("name", BASES)
def test_unknown_batch_size(name):
    base = make(name)
    log_prob = tf.function(
        lambda x: base.log_prob(x), input_signature=[tf.TensorSpec([None, 2], tf.float64)]
    )
    x = tf.random.stateless_normal([3, 2], [0, 1], dtype=tf.float64)
    np.testing.assert_allclose(log_prob(x), base.log_prob(tf.identity(x)), rtol=1e-10)


@pytest.mark.parametrize("name", BASES)
def test_float32_extremes(name):
    """Parameters of 30, inputs from zero to 10,000: no NaN, no infinity, gradients included."""
    inputs = [0.0, 1e-8, -1e-8, 1.0, 1e4, -1e4]
    x = tf.constant([[a, b] for a in inputs for b in inputs], tf.float32)
    for fill in (30.0, -30.0, 0.0, None):
        base = make(name, dtype=tf.float32, scale=10.0)
        for variable in base.trainable_variables:
            if fill is not None:
                variable.assign(tf.fill(variable.shape, fill))
        with tf.GradientTape() as tape:
            tape.watch(x)
            log_prob = base.log_prob(x)
        gradients = tape.gradient(log_prob, [x, *base.trainable_variables])
        for value in (log_prob, *gradients):
            assert np.all(np.isfinite(value))


@pytest.mark.parametrize("name", BASES)
def test_as_the_base_of_conditional_flows(name):
    base = make(name)
    flow = tff.flows.real_nvp(
        2, 2, hidden_units=[4], base=base, context_size=3, dtype=tf.float64, seed=0
    )
    assert {v.ref() for v in base.variables} <= {v.ref() for v in flow.variables}
    y = flow(tf.ones([4, 3])).sample(2, seed=[1, 2])
    assert y.shape == [2, 4, 2]
    assert not np.any(y[:, 0] == y[:, 1])
    # The flow is the identity at first.
    np.testing.assert_allclose(
        flow(tf.ones([4, 3])).log_prob(tf.identity(y)), base.log_prob(tf.identity(y)), rtol=1e-10
    )


@pytest.mark.parametrize("name", BASES)
def test_fit(name):
    base = BASES[name](2)
    flow = tff.flows.nice(2, 1, hidden_units=[4], base=base, seed=0)
    before = [v.numpy() for v in flow.trainable_variables]
    model = tff.models.DensityModel(flow)
    model.compile(keras.optimizers.Adam(0.01))
    rng = np.random.default_rng(0)
    x = rng.choice([-2.0, 2.0], [64, 1]) + rng.normal(size=[64, 2])
    nats = model.fit(x, epochs=2, batch_size=16, verbose=0).history["nats"]
    assert nats[1] < nats[0]
    for old, variable in zip(before, flow.trainable_variables, strict=True):
        assert np.any(old != variable.numpy()), variable.name


def test_gaussian_mixture_is_the_sum():
    base = make("gaussian_mixture")
    loc, raw, logits = (v.numpy() for v in base.trainable_variables)
    scale = 1e-3 + (1.0 - 1e-3) * np.logaddexp(0.0, raw + np.log(np.e - 1.0))
    x = np.random.default_rng(0).normal(size=[5, 2])
    log_prob = scipy.stats.norm.logpdf(x[:, None], loc, scale).sum(axis=-1)
    expected = scipy.special.logsumexp(log_prob + scipy.special.log_softmax(logits), axis=-1)
    np.testing.assert_allclose(base.log_prob(x), expected, rtol=1e-12)


def test_gradients_of_reparameterized_samples():
    """dx/dparameter = -(dF/dparameter) / p(x), for the distribution function F."""
    base = gaussian_mixture(1, 3, reparameterize=True, dtype=tf.float64, seed=0)
    variables = base.trainable_variables
    variables[1].assign([[0.3], [-0.5], [1.0]])
    variables[2].assign([0.5, -1.0, 0.2])
    with tf.GradientTape() as tape:
        x = base.sample(7, seed=[1, 2])
    gradients = tape.gradient(x, variables)
    point = x.numpy()[:, 0]

    def distribution_function():
        loc, raw, logits = (v.numpy() for v in variables)
        scale = 1e-3 + (1.0 - 1e-3) * np.logaddexp(0.0, raw + np.log(np.e - 1.0))
        parts = scipy.stats.norm.cdf(point[:, None], loc[:, 0], scale[:, 0])
        return parts @ scipy.special.softmax(logits)

    density = base.prob(point[:, None]).numpy()
    for variable, gradient in zip(variables, gradients, strict=True):
        value, step = variable.numpy(), np.zeros(variable.shape)
        step.flat[1] = 1e-6
        variable.assign(value + step)
        above = distribution_function()
        variable.assign(value - step)
        difference = (above - distribution_function()) / 2e-6
        variable.assign(value)
        np.testing.assert_allclose(
            gradient.numpy().flat[1], np.sum(-difference / density), rtol=1e-6
        )


def test_full_covariance_is_that_of_its_factor():
    base = make("full_covariance_gaussian", size=3)
    covariance = base.covariance().numpy()
    assert np.all(np.abs(covariance[np.tril_indices(3, -1)]) > 1e-3)
    x = np.random.default_rng(0).normal(size=[5, 3])
    expected = scipy.stats.multivariate_normal(base.loc.numpy(), covariance).logpdf(x)
    np.testing.assert_allclose(base.log_prob(x), expected, rtol=1e-10)


@pytest.mark.parametrize("name", ["full_covariance_gaussian", "resampled_gaussian"])
def test_is_the_standard_gaussian_at_first(name):
    base = BASES[name](2, dtype=tf.float64)
    x = np.random.default_rng(0).normal(size=[5, 2])
    expected = tff.distributions.standard_normal(2, tf.float64).log_prob(x)
    np.testing.assert_allclose(base.log_prob(x), expected, rtol=1e-12)


def test_autoregressive_mixture_is_the_product_of_its_conditionals():
    base = make("autoregressive_base", size=3)
    x = np.random.default_rng(0).normal(size=[3])
    params = base.network(tf.constant(x[None])).numpy().reshape([3, 3, 2])
    spread = scipy.stats.norm.ppf([0.25, 0.75])
    expected = 0.0
    for x_i, (logits, loc, raw) in zip(x, params, strict=True):
        scale = 1e-3 + (1.0 - 1e-3) * np.logaddexp(0.0, raw + np.log(np.e - 1.0))
        parts = scipy.stats.norm.pdf(x_i, loc + spread, scale)
        expected += np.log(parts @ scipy.special.softmax(logits))
    np.testing.assert_allclose(base.log_prob(x), expected, rtol=1e-12)


def test_variables_of_any_callable():
    kernel = tf.Variable(tf.zeros([2, 6]))
    mixture = AutoregressiveMixture(lambda x: x @ kernel, event_size=2, num_components=1)
    assert [v.ref() for v in mixture.trainable_variables] == [kernel.ref()]
    resampled = ResampledGaussian(lambda x: x @ kernel[:, :1], tf.zeros([4, 2]))
    assert [v.ref() for v in resampled.trainable_variables] == [kernel.ref()]


def test_resampled_is_the_formula_of_the_paper():
    """Stimper et al.: (1 - alpha_T) a pi / Z + alpha_T pi with alpha_T = (1 - Z)^(T-1)."""
    base = make("resampled_gaussian")
    x = np.random.default_rng(0).normal(size=[5, 2])
    z = scipy.special.expit(base.network(base.points).numpy()).mean()
    accepted = scipy.special.expit(base.network(tf.constant(x)).numpy()[:, 0])
    truncated = (1.0 - z) ** 4
    proposal = scipy.stats.norm.pdf(x).prod(axis=-1)
    expected = (1.0 - truncated) * accepted * proposal / z + truncated * proposal
    np.testing.assert_allclose(base.prob(x), expected, rtol=1e-10)
    np.testing.assert_allclose(base.log_normalizer(), np.log(z), rtol=1e-10)


def test_normalizer():
    base = make("resampled_gaussian")
    value, error = base.estimate_normalizer(50_000, seed=[1, 2])
    assert 0.1 < value < 0.9
    assert error < 2e-3
    assert abs(np.exp(base.log_normalizer()) - value) < 4.0 * error + 2e-3
    points = base.points.numpy()
    np.testing.assert_allclose(points.mean(axis=0), 0.0, atol=0.01)
    np.testing.assert_allclose(np.cov(points.T), np.eye(2), atol=0.02)


def test_gradient_of_the_normalizer():
    """Its value is over the same points at every call, its gradient over fresh draws."""
    base = make("resampled_gaussian")
    x = tf.zeros([2], tf.float64)
    bias = next(v for v in base.trainable_variables if v.name.startswith("acceptance_0_bias"))

    def gradient(seed):
        with tf.GradientTape() as tape:
            log_prob = base.log_prob(x, seed=seed)
        return log_prob, tape.gradient(log_prob, bias).numpy()

    values, gradients = zip(*(gradient([i, 0]) for i in range(30)), strict=True)
    assert len({float(value) for value in values}) == 1
    error = np.std(gradients, axis=0) / np.sqrt(30)
    assert np.all(error > 0.0)
    kept = bias.numpy()
    for i in range(len(kept)):
        step = 1e-5 * np.eye(len(kept))[i]
        bias.assign(kept + step)
        above = base.log_prob(x)
        bias.assign(kept - step)
        difference = float(above - base.log_prob(x)) / 2e-5
        # The points of the value have an error of their own.
        assert abs(np.mean(gradients, axis=0)[i] - difference) < 4.0 * error[i] + 2e-3


@pytest.mark.parametrize("logit", [30.0, -30.0, 1e4, -1e4])
def test_resampled_where_all_or_nothing_is_accepted(logit):
    """Either way nothing is learned of x: the Gaussian is left."""
    base = resampled_gaussian(2, hidden_units=[4], num_points=16, seed=0)
    base.network.trainable_variables[-2].assign([logit])
    x = tf.random.stateless_normal([5, 2], [0, 1])
    expected = tff.distributions.standard_normal(2).log_prob(x)
    np.testing.assert_allclose(base.log_prob(x), expected, rtol=1e-5)
    assert np.all(np.isfinite(base.sample(5, seed=[0, 1])))


def test_resampled_survives_a_checkpoint(tmp_path):
    base, other = (
        make("resampled_gaussian"),
        resampled_gaussian(2, hidden_units=[8], num_rounds=5, seed=7, dtype=tf.float64),
    )
    x = tf.zeros([1, 2], tf.float64)
    assert base.log_prob(x) != other.log_prob(x)
    path = tf.train.Checkpoint(base=base).write(str(tmp_path / "base"))
    tf.train.Checkpoint(base=other).read(path).assert_consumed()
    np.testing.assert_array_equal(base.log_prob(x), other.log_prob(tf.identity(x)))


@pytest.mark.parametrize("name", ["autoregressive_base", "resampled_gaussian"])
def test_copy_shares_its_variables(name):
    base = make(name)
    copy = base.copy(name="other")
    assert [v.ref() for v in copy.variables] == [v.ref() for v in base.variables]
    x = tf.zeros([1, 2], tf.float64)
    np.testing.assert_array_equal(copy.log_prob(x), base.log_prob(x))


@pytest.mark.parametrize("name", ["gaussian_mixture", "autoregressive_base", "resampled_gaussian"])
def test_seed(name):
    makers = {
        "gaussian_mixture": gaussian_mixture,
        "autoregressive_base": autoregressive_base,
        "resampled_gaussian": resampled_gaussian,
    }
    first, again, other = (makers[name](2, seed=seed) for seed in (5, 5, 6))
    for a, b in zip(first.variables, again.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(
        not np.array_equal(a, b) for a, b in zip(first.variables, other.variables, strict=True)
    )


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_philox_normal_draws_what_a_normal_does(dtype, jit_compile):
    loc = tf.constant([[0.0], [10.0]], dtype)
    scale = tf.constant([1.0, 2.0, 3.0], dtype)

    # XLA has numbers of its own; they must be those that it draws for a normal.
    def draws(distribution):
        sample = tf.function(distribution.sample, jit_compile=jit_compile)
        return sample([5, 7], seed=tf.constant([3, 4]))

    rtol = 1e-5 if dtype == tf.float32 else 1e-12
    expected = draws(tfd.Normal(loc, scale))
    np.testing.assert_allclose(draws(PhiloxNormal(loc, scale)), expected, rtol=rtol, atol=rtol)


def test_philox_normal_without_a_seed_draws_anew():
    normal = PhiloxNormal(tf.zeros([3]), 1.0)
    assert not np.array_equal(normal.sample(4), normal.sample(4))
    assert normal.sample(4).shape == [4, 3]


MLP = tff.networks.MLP
BAD_SETTINGS = {
    "size": (lambda: gaussian_mixture(0), ValueError, "`event_size`.*at least 1.*received 0"),
    "size type": (lambda: full_covariance_gaussian(2.5), TypeError, "`event_size`.*2.5"),
    "components": (lambda: gaussian_mixture(2, 0), ValueError, "`num_components`.*received 0"),
    "conditional components": (
        lambda: autoregressive_base(2, num_components=True),
        TypeError,
        "`num_components`.*True",
    ),
    "min_scale": (lambda: gaussian_mixture(2, min_scale=1.0), ValueError, "`min_scale`.*1.0"),
    "dtype": (lambda: full_covariance_gaussian(2, dtype=tf.int32), TypeError, "`dtype`.*int32"),
    "rounds": (lambda: resampled_gaussian(2, num_rounds=1), ValueError, "`num_rounds`.*received 1"),
    "num_points": (lambda: resampled_gaussian(2, num_points=0), ValueError, "`num_points`"),
    "points": (
        lambda: ResampledGaussian(MLP(2, 1), tf.zeros([2])),
        ValueError,
        r"`points`.*\(M, D\).*\(2,\)",
    ),
    "points dtype": (
        lambda: ResampledGaussian(MLP(2, 1), tf.zeros([3, 2], tf.int32)),
        TypeError,
        "`points`.*int32",
    ),
    "network": (lambda: ResampledGaussian(3, tf.zeros([3, 2])), TypeError, "`network`.*int"),
    "network size": (
        lambda: ResampledGaussian(MLP(2, 2), tf.zeros([3, 2])),
        ValueError,
        "`network`.*output_size 1, received 2",
    ),
    "conditionals": (
        lambda: AutoregressiveMixture(MLP(2, 6), 2, 2),
        ValueError,
        "`network`.*output_size 12, received 6",
    ),
    "estimate": (
        lambda: resampled_gaussian(2).estimate_normalizer(1),
        ValueError,
        "`num_samples`.*received 1",
    ),
}


@pytest.mark.parametrize("bad", BAD_SETTINGS)
def test_bad_settings(bad):
    call, error, message = BAD_SETTINGS[bad]
    with pytest.raises(error, match=message):
        call()
