"""The recipes: their distributions, contexts, bases, seeds and errors."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_flows as tff

tfd, tfb = tfp.distributions, tfp.bijectors

RECIPES = ["planar", "radial", "sylvester", "nice", "real_nvp", "neural_spline", "maf", "iaf"]
DTYPES = [tf.float32, tf.float64]
CLOSE = {tf.float32: 1e-4, tf.float64: 1e-9}


HIDDEN = {"hidden_units": [8]}
LAYERS = {"num_layers": 3}
SETTINGS = {
    "neural_spline": LAYERS | HIDDEN | {"num_bins": 4},
    "continuous": HIDDEN | {"num_steps": 2},
} | dict.fromkeys(("nice", "real_nvp", "maf", "iaf", "residual"), LAYERS | HIDDEN)


def make(name, event_size=3, **settings):
    settings = {"seed": 0} | SETTINGS.get(name, LAYERS) | settings
    return getattr(tff.flows, name)(event_size, **settings)


def perturb(module, scale=0.5, seed=1):
    """Moves every variable away from its start, where a flow is close to the identity."""
    rng = np.random.default_rng(seed)
    for variable in module.trainable_variables:
        variable.assign_add(tf.cast(scale * rng.normal(size=variable.shape), variable.dtype))


@pytest.mark.parametrize("name", [*RECIPES, "residual"])
def test_names_of_operations_do_not_grow_with_the_depth(name):
    """A chain that is named after all its parts makes a graph quadratic in their number."""
    shallow, deep = (make(name, num_layers=k).bijector.name for k in (2, 9))
    assert shallow == deep


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.name)
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n == "sylvester" else ()) for n in RECIPES]
)
def test_density_is_that_of_the_samples(name, dtype):
    """Change of variables, taken apart: base density of the latents minus the autodiff log-det."""
    flow = make(name, dtype=dtype)
    perturb(flow)
    assert flow.event_shape == [3]
    assert flow.batch_shape == []
    y, log_prob = flow.experimental_sample_and_log_prob(6, seed=2)
    assert y.dtype == log_prob.dtype == dtype
    close = {"atol": CLOSE[dtype], "rtol": CLOSE[dtype]}
    np.testing.assert_allclose(flow.log_prob(tf.identity(y)), log_prob, **close)

    with tf.GradientTape() as tape:
        tape.watch(y)
        x = flow.bijector.inverse(tf.identity(y))
    _, log_det = np.linalg.slogdet(tape.batch_jacobian(x, y).numpy().astype(np.float64))
    expected = flow.distribution.log_prob(x).numpy() + log_det
    np.testing.assert_allclose(log_prob, expected, **close)


@pytest.mark.parametrize("name", RECIPES)
def test_density_integrates_to_one(name):
    flow = make(name, event_size=2, dtype=tf.float64)
    perturb(flow, scale=0.3)
    points = np.linspace(-12.0, 12.0, 401)
    grid = np.stack(np.meshgrid(points, points), axis=-1).reshape(-1, 2)
    total = np.exp(flow.log_prob(grid)).sum() * (points[1] - points[0]) ** 2
    assert abs(total - 1.0) < 2e-3


@pytest.mark.parametrize("name", RECIPES)
def test_starts_near_the_base_and_all_variables_learn(name):
    flow = make(name)
    x = tf.random.stateless_normal([8, 3], [0, 1])
    np.testing.assert_allclose(flow.log_prob(x), flow.distribution.log_prob(x), atol=0.5)
    perturb(flow)
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(flow.log_prob(x))
    for variable, gradient in zip(
        flow.trainable_variables, tape.gradient(loss, flow.trainable_variables), strict=True
    ):
        assert gradient is not None, variable.name
        assert np.any(gradient.numpy() != 0.0), variable.name


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("name", RECIPES)
def test_context(name, jit_compile):
    """One distribution a context: its batch shape, its own draws, its own density."""
    conditional = make(name, context_size=4)
    perturb(conditional, scale=0.2)
    assert isinstance(conditional, tff.distributions.ConditionalDistribution)
    context = tf.random.stateless_normal([5, 4], [0, 1])

    @tf.function(jit_compile=jit_compile, autograph=False)
    def draw(context):
        return conditional(context).experimental_sample_and_log_prob(2, seed=[1, 2])

    flow = conditional(context)
    # (With networks inside, TFP's constructor returns the class without composite tensors.)
    assert isinstance(flow, tfd.TransformedDistribution.__bases__[0])
    assert flow.batch_shape == [5]
    assert flow.event_shape == [3]
    y, log_prob = draw(context)
    assert y.shape == [2, 5, 3]
    assert log_prob.shape == [2, 5]
    np.testing.assert_allclose(flow.log_prob(tf.identity(y)), log_prob, atol=2e-4)
    for i in range(5):
        np.testing.assert_allclose(
            conditional(context[i]).log_prob(y[:, i]), log_prob[:, i], atol=2e-4
        )


@pytest.mark.parametrize("name", RECIPES)
def test_equal_contexts_get_independent_draws(name):
    conditional = make(name, context_size=4)
    y = conditional(tf.ones([2, 4])).sample(seed=3)
    assert not np.allclose(y[0], y[1])
    given_base = make(name, context_size=4, base=tff.distributions.standard_normal(3))
    y = given_base(tf.ones([2, 4])).sample(seed=3)
    assert y.shape == [2, 3]
    assert not np.allclose(y[0], y[1])


@pytest.mark.parametrize("name", RECIPES)
def test_context_reaches_every_variable(name):
    conditional = make(name, context_size=4)
    perturb(conditional)
    context = tf.Variable(tf.random.stateless_normal([5, 4], [0, 1]))
    with tf.GradientTape() as tape:
        y, log_prob = conditional(context).experimental_sample_and_log_prob(seed=1)
        loss = tf.reduce_sum(tf.sin(y)) + tf.reduce_sum(log_prob)
    variables = conditional.trainable_variables
    for variable, gradient in zip(
        [*variables, context], tape.gradient(loss, [*variables, context]), strict=True
    ):
        assert gradient is not None, variable.name
        assert np.all(np.isfinite(gradient)), variable.name


@pytest.mark.parametrize("name", [*RECIPES, "residual", "continuous"])
def test_fits_pairs(name):
    """`DensityModel` takes every conditional recipe, and trains all that it holds."""
    conditional = make(name, context_size=2)
    model = tff.models.DensityModel(conditional)
    model.compile(keras.optimizers.Adam(1e-2), run_eagerly=True)
    before = [v.numpy() for v in conditional.trainable_variables]
    rng = np.random.default_rng(0)
    context = rng.normal(size=[32, 2]).astype("float32")
    x = np.concatenate([context, -context[:, :1]], axis=1) + 0.5
    history = model.fit(x, context, batch_size=16, epochs=2, verbose=0).history
    assert np.all(np.isfinite(history["nats"]))
    for variable, value in zip(conditional.trainable_variables, before, strict=True):
        assert np.any(variable.numpy() != value), variable.name


def test_fits_pairs_with_one_base_for_all_contexts():
    base = tff.distributions.standard_normal(3)
    model = tff.models.DensityModel(make("real_nvp", context_size=2, base=base))
    model.compile(keras.optimizers.Adam(1e-2))
    x, context = np.ones([32, 3], "float32"), np.ones([32, 2], "float32")
    nats = model.fit(x, context, batch_size=16, epochs=3, verbose=0).history["nats"]
    assert nats[-1] < nats[0]


def test_context_with_unknown_batch_size():
    conditional = make("planar", context_size=4)

    @tf.function(input_signature=[tf.TensorSpec([None, 4])])
    def draw(context):
        return conditional(context).sample(seed=1)

    assert draw(tf.ones([7, 4])).shape == [7, 3]


@pytest.mark.parametrize("name", ["planar", "radial", "sylvester"])
@pytest.mark.parametrize("context_size", [None, 4])
def test_fast_direction(name, context_size):
    """`fast="log_prob"` is the same layers inverted."""
    flows = [make(name, context_size=context_size, fast=fast) for fast in ("sample", "log_prob")]
    if context_size:
        flows = [flow(tf.ones([4])) for flow in flows]
    x = tf.random.stateless_normal([5, 3], [0, 1])
    forward, inverted = (flow.bijector for flow in flows)
    np.testing.assert_allclose(forward.forward(x), inverted.inverse(tf.identity(x)), atol=1e-6)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("context_size", [None, 4])
def test_seed(name, context_size):
    first, again, other = (make(name, context_size=context_size, seed=seed) for seed in (5, 5, 6))
    for a, b in zip(first.variables, again.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(
        not np.array_equal(a, b) for a, b in zip(first.variables, other.variables, strict=True)
    )


@pytest.mark.parametrize("name", RECIPES)
def test_given_base(name):
    base = tfd.MultivariateNormalTriL(tf.Variable([1.0, 2.0, 3.0]), tf.eye(3), name="learned_base")
    flow = make(name, base=base)
    assert flow.distribution is base
    assert any(v is base.loc for v in flow.trainable_variables)


BAD_SETTINGS = {
    "event_size type": ({"event_size": 2.5}, TypeError, "`event_size`", "2.5"),
    "event_size": ({"event_size": 0}, ValueError, "`event_size`", "received 0"),
    "num_layers": ({"num_layers": 0}, ValueError, "`num_layers`", "received 0"),
    "context_size": ({"context_size": -1}, ValueError, "`context_size`", "received -1"),
    "dtype": ({"dtype": tf.int32}, TypeError, "`dtype`", "int32"),
    "base type": ({"base": 3}, TypeError, "`base`", "int"),
    "base shape": (
        {"base": tff.distributions.standard_normal(2)},
        ValueError,
        "`base`",
        "received (2,)",
    ),
    "base batch": (
        {"base": tfd.MultivariateNormalDiag(tf.zeros([4, 3]))},
        ValueError,
        "`base`",
        "received (4,)",
    ),
    "base dtype": (
        {"base": tff.distributions.standard_normal(3, tf.float64)},
        ValueError,
        "`base`",
        "received float64",
    ),
    "seed": ({"seed": "x"}, TypeError, "`seed`", "'x'"),
}


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("bad", BAD_SETTINGS)
def test_bad_settings(name, bad):
    settings, error, argument, received = BAD_SETTINGS[bad]
    with pytest.raises(error) as raised:
        getattr(tff.flows, name)(**{"event_size": 3, "num_layers": 2} | settings)
    for part in (argument, "expected", received):
        assert part in str(raised.value)


def test_bad_choices():
    with pytest.raises(ValueError, match=r"`fast`.*'slow'"):
        tff.flows.planar(2, fast="slow")
    with pytest.raises(ValueError, match=r"`event_size`.*at least 2"):
        tff.flows.real_nvp(1)
    with pytest.raises(ValueError, match=r"`activation`.*'nope'"):
        tff.flows.real_nvp(2, activation="nope")
    with pytest.raises(ValueError, match=r"`context`.*\(\.\.\., 4\).*\(2, 3\)"):
        make("planar", context_size=4)(tf.ones([2, 3]))


def test_bad_parameters_of_layers():
    ones = tf.ones
    with pytest.raises(ValueError, match=r"Expected shapes `w`.*received `w` \(3,\), `u` \(2,\)"):
        tff.bijectors.Planar(ones([3]), ones([2]), 0.0)
    with pytest.raises(ValueError, match="Expected shapes"):
        tff.bijectors.PlanarStack(ones([4, 3]), ones([4, 3]), ones([5]))
    with pytest.raises(ValueError, match="Expected shapes"):
        tff.bijectors.PlanarStack(ones([3]), ones([3]), ones([]))
    with pytest.raises(TypeError, match=r"one dtype.*float64"):
        tff.bijectors.Planar(ones([3]), ones([3], tf.float64), 0.0)
    with pytest.raises(TypeError, match=r"floating dtype.*int32"):
        tff.bijectors.Planar(ones([3], tf.int32), ones([3], tf.int32), 0)
    for alpha in (-1.0, 0.0, [1.0, -2.0]):
        with pytest.raises(ValueError, match=r"`alpha`.*positive.*received"):
            tff.bijectors.Radial(ones([3]), alpha, tf.zeros(tf.constant(alpha).shape))
    variable = tf.Variable(-1.0)
    radial = tff.bijectors.Radial(ones([3]), variable, 0.0, validate_args=True)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"`alpha` must be positive"):
        radial.forward(ones([3]))
