"""Transformers that are inverted by a root: values, densities, implicit gradients, and the root."""

import functools

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import tensorflow as tf

from tfp_flows.numerics import integral_from_zero, solve_increasing
from tfp_flows.transformers import DeepSigmoid, LogisticMixtureCDF, UnconstrainedMonotonic

TRANSFORMERS = {
    "logistic_mixture": LogisticMixtureCDF(4),
    "deep_sigmoid": DeepSigmoid(4),
    "unconstrained_monotonic": UnconstrainedMonotonic(4),
}
DTYPES = [np.float32, np.float64]
each = pytest.mark.parametrize("transformer", TRANSFORMERS.values(), ids=TRANSFORMERS.keys())


def draw(transformer, size, scale=1.0, dtype=np.float64, seed=0):
    """Random inputs and parameters."""
    rng = np.random.default_rng(seed)
    params = scale * rng.normal(size=(size, transformer.num_params))
    return tf.constant(3.0 * rng.normal(size=size), dtype), tf.constant(params, dtype)


def s(x):
    return np.logaddexp(0.0, x + np.log(np.e - 1.0))


def outer_scale(a):
    return 0.001 + 0.999 * s(a)


def gains(num):
    return np.array([(1.0 - 0.5 * k / max(num - 1, 1)) * (-1) ** k for k in range(num)])


# The maps written out with SciPy, for one element.


def logit_of_mixture(weights, z):
    cdf = scipy.special.softmax(weights) @ scipy.special.expit(z)
    # Near one, the number itself has no digits for its logit.
    return scipy.special.logit(cdf) if cdf < 1.0 - 1e-5 else np.nan


def logistic_mixture(x, params, num):
    weights, locations, scales = gains(num) * params[: 3 * num].reshape(3, num)
    z = (x - locations) / s(scales)
    return outer_scale(params[-1]) * logit_of_mixture(weights, z) + params[-2]


def deep_sigmoid(x, params, num):
    weights, slopes, offsets = gains(num) * params.reshape(3, num)
    return logit_of_mixture(weights, s(slopes) * x + offsets)


def unconstrained_monotonic(x, params, num, bound, max_rate, max_log_slope=3.0):
    v, c, w = params[: 3 * num].reshape(3, num)
    v = v / np.sqrt(1.0 + num * v @ v / max_log_slope**2)
    c = c + 0.8 * bound * np.linspace(-1.0, 1.0, num + 2)[1:-1]
    w = max_rate * scipy.special.expit(w)

    def g(t):
        return np.exp(v @ np.tanh(w * (t - c)))

    end = np.clip(x, -bound, bound)
    area = scipy.integrate.quad(g, 0.0, end, epsabs=1e-13, epsrel=1e-13)[0]
    return outer_scale(params[-1]) * (area + g(end) * (x - end)) + params[-2]


@pytest.mark.parametrize(
    ("transformer", "reference"),
    [
        (LogisticMixtureCDF(4), functools.partial(logistic_mixture, num=4)),
        (LogisticMixtureCDF(1), functools.partial(logistic_mixture, num=1)),
        (DeepSigmoid(4), functools.partial(deep_sigmoid, num=4)),
    ],
    ids=["mixture of 4", "mixture of 1", "sigmoid of 4"],
)
def test_against_scipy(transformer, reference):
    x, params = draw(transformer, 50)
    expected = np.array([reference(*row) for row in zip(x.numpy(), params.numpy(), strict=True)])
    has_value = np.isfinite(expected)
    assert np.sum(has_value) > 30
    y, _ = transformer.forward(x, params)
    np.testing.assert_allclose(y[has_value], expected[has_value], rtol=1e-9, atol=1e-9)


def test_quadrature_against_scipy():
    """Units slower than the limit for 24 points, so that 64 reach full precision."""
    transformer = UnconstrainedMonotonic(4, num_points=64, bound=4.0)
    transformer.max_rate = UnconstrainedMonotonic(4, num_points=24, bound=4.0).max_rate
    reference = functools.partial(
        unconstrained_monotonic, num=4, bound=4.0, max_rate=transformer.max_rate
    )
    x, params = draw(transformer, 50, scale=2.0)
    assert np.any(np.abs(x) > 4.0)
    expected = [reference(*row) for row in zip(x.numpy(), params.numpy(), strict=True)]
    np.testing.assert_allclose(transformer.forward(x, params)[0], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("transformer", [LogisticMixtureCDF(4), DeepSigmoid(4)], ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_tails_are_straight(transformer, dtype):
    """Far out on one side the distribution function is one, and the logit that of the tail."""
    _, params = draw(transformer, 20, dtype=dtype)
    raw = params.numpy().astype(np.float64)
    num = 4
    first, second, third = np.moveaxis(gains(num) * raw[:, : 3 * num].reshape(-1, 3, num), 1, 0)
    log_weights = scipy.special.log_softmax(first, axis=-1)
    is_mixture = isinstance(transformer, LogisticMixtureCDF)
    a, b = (outer_scale(raw[:, -1]), raw[:, -2]) if is_mixture else (1.0, 0.0)
    for x in (-1e4, 1e4):
        z = (x - second) / s(third) if is_mixture else s(second) * x + third
        slopes = 1.0 / s(third) if is_mixture else s(second)
        terms = log_weights - np.sign(x) * z
        tail = -np.sign(x) * scipy.special.logsumexp(terms, axis=-1)
        slope = np.sum(scipy.special.softmax(terms, axis=-1) * slopes, axis=-1)
        y, log_derivative = transformer.forward(tf.fill([20], tf.constant(x, dtype)), params)
        eps = np.finfo(dtype).eps
        np.testing.assert_allclose(y, a * tail + b, rtol=50 * eps, atol=50 * eps * 1e4)
        np.testing.assert_allclose(log_derivative, np.log(a * slope), rtol=50 * eps, atol=50 * eps)


@each
@pytest.mark.parametrize("scale", [0.01, 1.0, 3.0, 10.0])
def test_log_derivative_against_autodiff(transformer, scale):
    x, params = draw(transformer, 200, scale)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y, log_derivative = transformer.forward(x, params)
    expected = np.log(tape.gradient(y, x))
    np.testing.assert_allclose(log_derivative, expected, rtol=1e-10, atol=1e-10)


@each
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [0.01, 1.0, 3.0, 10.0])
def test_round_trips(transformer, scale, dtype):
    """Both ways, up to what rounding the value in between costs."""
    x, params = draw(transformer, 1000, scale, dtype)
    y, log_derivative = transformer.forward(x, params)
    x_again, inverse_log_derivative = transformer.inverse(y, params)
    y_again, _ = transformer.forward(x_again, params)
    # A slope may underflow: then nothing is said about `x`.
    slope = np.exp(log_derivative.numpy().astype(np.float64)) + 1e-300
    # Size of the numbers that are added up in y.
    size_y = np.maximum(np.abs(y), 1.0)
    if not isinstance(transformer, DeepSigmoid):
        size_y = size_y + np.abs(params[:, -2]) + s(params[:, -1].numpy())
    size_x = np.maximum(np.abs(x), np.abs(x_again)) + scale
    eps = np.finfo(dtype).eps
    # Between the two points the slope may change: allow for the one that explains more.
    slope_again = np.exp(-inverse_log_derivative.numpy().astype(np.float64)) + 1e-300
    steep, flat = np.maximum(slope, slope_again), np.minimum(slope, slope_again)
    assert np.all(np.abs(y_again - y) <= 64.0 * eps * (size_y + size_x * steep))
    assert np.all(np.abs(x_again - x) <= 64.0 * eps * (size_x + size_y / flat))
    if scale <= 1.0:
        tolerance = 2e-5 if dtype == np.float32 else 2e-14
        np.testing.assert_allclose(x_again, x, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(y_again, y, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(
            inverse_log_derivative, -log_derivative, rtol=tolerance, atol=tolerance
        )


@each
def test_densities_integrate_to_one(transformer):
    """The density of a standard normal base, by the trapezoid rule where the base has any mass."""
    _, params = draw(transformer, 6, seed=3)
    low, high = (
        transformer.inverse(tf.fill([6], tf.cast(y, tf.float64)), params)[0] for y in (-9, 9)
    )
    x = tf.linspace(low, high, 10_001, axis=-1)  # [6, 10001]
    y, log_derivative = transformer.forward(x, params[:, tf.newaxis])
    density = np.exp(-0.5 * y.numpy() ** 2 + log_derivative) / np.sqrt(2.0 * np.pi)
    np.testing.assert_allclose(np.trapezoid(density, x, axis=-1), 1.0, atol=1e-6)


def loss_of_inverse(transformer, y, params):
    x, log_derivative = transformer.inverse(y, params)
    return tf.reduce_sum(tf.sin(x)) + tf.reduce_sum(log_derivative**2)


def slope(function, at, direction, step=1e-5):
    """The derivative of a function along a direction, by central differences."""
    sides = [float(function(at + sign * step * direction)) for sign in (1.0, -1.0)]
    return (sides[0] - sides[1]) / (2.0 * step)


@each
def test_implicit_gradients(transformer):
    """First and second derivatives of the inverse against finite differences."""
    y, params = draw(transformer, 7)
    rng = np.random.default_rng(1)
    direction, weights = (tf.constant(rng.normal(size=params.shape)) for _ in range(2))

    def gradient(params, y=y):
        with tf.GradientTape() as tape:
            tape.watch([params, y])
            loss = loss_of_inverse(transformer, y, params)
        return tape.gradient(loss, [params, y])

    d_params, d_y = gradient(params)
    expected = slope(lambda p: loss_of_inverse(transformer, y, p), params, direction)
    assert float(tf.reduce_sum(d_params * direction)) == pytest.approx(expected, rel=1e-6)
    expected = slope(lambda v: loss_of_inverse(transformer, v, params), y, direction[:, 0])
    assert float(tf.reduce_sum(d_y * direction[:, 0])) == pytest.approx(expected, rel=1e-6)

    def projected(params):
        return tf.reduce_sum(weights * gradient(params)[0])

    with tf.GradientTape() as tape:
        tape.watch(params)
        total = projected(params)
    second = float(tf.reduce_sum(tape.gradient(total, params) * direction))
    assert second == pytest.approx(slope(projected, params, direction), rel=1e-5)


@each
def test_training_starts_at_zero(transformer):
    """Zeros give the identity, and one step from there tells the components apart."""
    x = tf.constant(np.random.default_rng(0).normal(size=[64]) + 0.5)
    params = tf.zeros([transformer.num_params], x.dtype)
    y, log_derivative = transformer.forward(x, params)
    np.testing.assert_allclose(y, x, rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(log_derivative, 0.0, atol=1e-14)

    def gradient(params):
        with tf.GradientTape() as tape:
            tape.watch(params)
            y, log_derivative = transformer.forward(x, params)
            loss = tf.reduce_mean(tf.abs(y - 1.0) - log_derivative)
        return tape.gradient(loss, params).numpy()

    groups = gradient(params)[:12].reshape(3, 4)
    moving = [group for group in groups if np.all(group != 0.0)]
    assert moving
    for group in moving:
        assert np.min(np.diff(np.sort(group))) > 1e-3 * np.max(np.abs(group))
    groups = gradient(params - 0.1 * gradient(params))[:12].reshape(3, 4)
    for group in groups:
        assert np.min(np.diff(np.sort(group))) > 1e-5 * np.max(np.abs(group)) > 0.0


@each
def test_extremes_stay_finite(transformer):
    """1,000 draws of inputs and parameters up to 30 in size, float32, values and gradients."""
    rng = np.random.default_rng(0)
    size = rng.choice([0.1, 3.0, 30.0], size=(1000, 1))
    params = (size * rng.uniform(-1.0, 1.0, (1000, transformer.num_params))).astype(np.float32)
    params[::10] = np.sign(params[::10]) * 30.0
    value = (3.0 * rng.normal(size=1000)).astype(np.float32)
    value[:60] = np.repeat([0.0, 1e-8, -1e-8, 30.0, 1e4, -1e4], 10)
    for direction in (transformer.forward, transformer.inverse):
        at, given = tf.constant(value), tf.constant(params)
        with tf.GradientTape() as tape:
            tape.watch([at, given])
            result, log_derivative = direction(at, given)
            loss = tf.reduce_sum(tf.tanh(result)) + tf.reduce_sum(log_derivative)
        for tensor in (result, log_derivative, *tape.gradient(loss, [at, given])):
            assert np.all(np.isfinite(tensor)), direction.__name__


def test_quadrature_increases_at_the_limit_of_its_rate():
    """Slopes keep their bounds with the fastest units, and fail with ten times as fast ones."""
    rng = np.random.default_rng(0)
    transformer = UnconstrainedMonotonic(2, num_points=12)
    params = rng.normal(size=(2000, transformer.num_params)) * [30.0, 30.0, 3.0, 3.0, 0, 0, 0, 0]
    params[:, 4:6] = 30.0  # the largest rate
    x = rng.uniform(-6.0, 6.0, size=2000)
    _, log_slope = transformer.forward(tf.constant(x), tf.constant(params))
    assert np.all(log_slope >= -3.0 - np.log(2.0))
    assert np.all(log_slope <= 3.0 + np.log(1.5))
    assert np.min(log_slope) < -2.5
    transformer.max_rate *= 10.0
    _, log_slope = transformer.forward(tf.constant(x), tf.constant(params))
    assert np.any(np.isnan(log_slope))


def test_quadrature_and_its_derivative():
    """Exact for polynomials of degree 2 n - 1, and consistent where it is not exact."""
    x = tf.constant([-1.5, 0.0, 2.0], tf.float64)
    value, derivative = integral_from_zero(lambda t: (t**5, 5.0 * t**4), x, 3)
    np.testing.assert_allclose(value, x**6 / 6.0, rtol=1e-14)
    np.testing.assert_allclose(derivative, x**5, rtol=1e-14)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value, derivative = integral_from_zero(lambda t: (tf.exp(t), tf.exp(t)), x, 2)
    np.testing.assert_allclose(derivative, tape.gradient(value, x), rtol=1e-14)
    assert not np.allclose(derivative, tf.exp(x), rtol=1e-4)


@pytest.mark.parametrize("dtype", DTYPES)
def test_root_between_plateaus(dtype):
    """Slopes of 1e-6 beside a jump: the root is right to the last digits of what determines it."""

    def function(x, c):
        z = 1e4 * (x - c)
        log_sech_squared = 2.0 * (np.log(2.0) - tf.abs(z) - tf.math.softplus(-2.0 * tf.abs(z)))
        jump = np.log(1e4) + log_sech_squared
        return 1e-6 * x + tf.tanh(z), tf.math.log(1e-6 + tf.exp(jump))

    rng = np.random.default_rng(0)
    c = tf.constant(rng.normal(size=500), dtype)
    expected = c + tf.constant(rng.choice([0.0, 1e-4, -1e-4, 1e-2, 1.0, 50.0], 500), dtype)
    target, log_slope = function(expected, c)
    low, high = tf.fill([500], tf.constant(-1e3, dtype)), tf.fill([500], tf.constant(1e4, dtype))
    solve = functools.partial(solve_increasing, function)
    root = solve(target, [c], low, high, tf.ones_like(c))
    residual = np.abs(function(root, c)[0] - target)
    eps = np.finfo(dtype).eps
    jump_by_rounding = np.abs(root) * np.exp(function(root, c)[1])
    assert np.all(residual <= 8.0 * eps * (1.0 + jump_by_rounding + np.exp(log_slope)))
    # What else is in the batch does not matter, and an empty one is no special case.
    alone = solve(target[:1], [c[:1]], low[:1], high[:1], tf.ones([1], dtype))
    np.testing.assert_array_equal(alone, root[:1])
    assert solve(target[:0], [c[:0]], low[:0], high[:0], tf.ones([0], dtype)).shape == [0]


def test_settings():
    for transformer in TRANSFORMERS.values():
        assert transformer != DeepSigmoid(5)
        assert transformer == eval(repr(transformer))  # noqa: S307 (our own)


BAD_SETTINGS = {
    "no integer": (lambda: LogisticMixtureCDF(2.0), TypeError, "num_components"),
    "boolean": (lambda: DeepSigmoid(True), TypeError, "num_units"),
    "no unit": (lambda: DeepSigmoid(0), ValueError, "num_units"),
    "few points": (lambda: UnconstrainedMonotonic(2, 4), ValueError, "num_points"),
    "no bound": (lambda: UnconstrainedMonotonic(2, bound=0.0), ValueError, "bound"),
    "slopes": (lambda: UnconstrainedMonotonic(2, max_log_slope=9.0), ValueError, "max_log_slope"),
}


@pytest.mark.parametrize("bad", BAD_SETTINGS)
def test_bad_settings(bad):
    make, error, name = BAD_SETTINGS[bad]
    with pytest.raises(error, match=rf"`{name}`: expected .*, received"):
        make()
