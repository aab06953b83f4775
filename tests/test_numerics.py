"""The numerics against references in extended precision."""

import numpy as np
import pytest
import tensorflow as tf

from tfp_flows import numerics

DTYPES = [np.float32, np.float64]
_LOG_E_MINUS_1 = np.log(np.expm1(np.longdouble(1.0)))


def s(x):
    return np.logaddexp(np.longdouble(0.0), np.asarray(x, np.longdouble) + _LOG_E_MINUS_1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_positive_keeps_its_digits(dtype):
    x = np.concatenate(
        [
            np.linspace(-80.0, 80.0, 401),
            np.geomspace(1e-12, 2.0, 50),
            -np.geomspace(1e-12, 2.0, 50),
            [0.0, 1e4],
        ]
    ).astype(dtype)
    actual = numerics.positive(tf.constant(x))
    tolerance = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(actual.value, s(x).astype(dtype), rtol=2 * tolerance * 80)
    # log(softplus(y)) - y and log1p lose nothing: the reference is s - 1 in extended precision.
    near = np.abs(x) < 1.0
    reference = np.log1p(
        (1.0 - np.exp(np.longdouble(-1.0))) * np.expm1(x[near].astype(np.longdouble))
    )
    np.testing.assert_allclose(actual.minus_one[near], reference.astype(dtype), rtol=tolerance)
    log = np.log(s(x))
    log[near] = np.log1p(reference)
    np.testing.assert_allclose(actual.log, log.astype(dtype), rtol=4 * tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
def test_positive_at_zero_is_one(dtype):
    at_zero = numerics.positive(tf.zeros([], dtype))
    assert float(at_zero.minus_one) == 0.0
    assert float(at_zero.log) == 0.0
    assert float(at_zero.value) == pytest.approx(1.0, abs=2.0 * float(np.finfo(dtype).eps))


@pytest.mark.parametrize("dtype", DTYPES)
def test_log_interpolation(dtype):
    raw = np.array([-400.0, -80.0, -30.0, -3.0, -1e-6, 0.0, 1e-6, 3.0, 30.0, 300.0])
    complement = np.array([0.0, 1e-30, 1e-8, 0.25, 0.5, 0.75, 1.0 - 2.0**-20, 1.0])
    raw, complement = (v.ravel().astype(dtype) for v in np.meshgrid(raw, complement))
    weight = (1.0 - complement.astype(np.longdouble)).astype(dtype)
    actual = numerics.log_interpolation(numerics.positive(tf.constant(raw)), weight, complement)
    c = complement.astype(np.longdouble)
    expected = np.log(c + weight.astype(np.longdouble) * s(raw))
    assert np.all(np.isfinite(actual))
    np.testing.assert_allclose(
        actual, expected.astype(dtype), rtol=2e2 * np.finfo(dtype).eps, atol=4 * np.finfo(dtype).eps
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_sech_squared(dtype):
    x = np.concatenate([np.linspace(-40.0, 40.0, 101), [1e-8, 1e4]]).astype(dtype)
    expected = 1.0 / np.cosh(x[:-1].astype(np.longdouble)) ** 2
    actual = numerics.sech_squared(tf.constant(x)).numpy()
    np.testing.assert_allclose(actual[:-1], expected.astype(dtype), rtol=200 * np.finfo(dtype).eps)
    assert actual[-1] == 0.0


def test_safe_norm_has_a_gradient_at_zero():
    x = tf.constant([[0.0, 0.0], [3.0, 4.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        norm = numerics.safe_norm(x)
    np.testing.assert_allclose(norm, [0.0, 5.0])
    np.testing.assert_allclose(tape.gradient(norm, x), [[0.0, 0.0], [0.6, 0.8]], rtol=1e-6)


def test_permute_and_its_gradient():
    order = np.array([2, 0, 3, 1])
    x = tf.reshape(tf.range(8.0), [2, 4])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = numerics.permute(x, order)
        loss = tf.reduce_sum(y * [1.0, 10.0, 100.0, 1000.0])
    np.testing.assert_array_equal(y, x.numpy()[:, order])
    np.testing.assert_array_equal(tape.gradient(loss, x), [[10.0, 1000.0, 1.0, 100.0]] * 2)


@pytest.mark.parametrize("num_layers", [1, 3, 8, 19])
@pytest.mark.parametrize("batched", [False, True])
def test_triangular_systems(num_layers, batched):
    """The solutions satisfy their equations, whatever the number of blocks."""
    rng = np.random.default_rng(0)
    r = rng.normal(size=(5, num_layers))
    gram = 0.5 * rng.normal(size=(5, num_layers, num_layers) if batched else [num_layers] * 2)
    m = np.expm1(rng.normal(size=num_layers))

    a = numerics.forward_preactivations(tf.constant(r.T), tf.constant(gram)).numpy().T
    upper = np.triu(gram, 1)
    np.testing.assert_allclose(
        a - np.einsum("bj,...jk->bk" if not batched else "bj,bjk->bk", np.tanh(a), upper),
        r,
        atol=1e-12,
    )

    arguments = (r.T, gram, m[:, np.newaxis], m[:, np.newaxis] + 1.0)
    a = numerics.inverse_preactivations(*map(tf.constant, arguments)).numpy().T
    lower = np.tril(gram, -1)
    coupled = np.einsum("bj,...jk->bk" if not batched else "bj,bjk->bk", np.tanh(a), lower)
    np.testing.assert_allclose(a + m * np.tanh(a) + coupled, r, atol=1e-12)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_times_exp(dtype, jit_compile):
    """The exponential alone overflows, or underflows, in half of these."""
    largest = np.log(np.finfo(dtype).max)
    log_scale = np.array([0.0, 1.0, 1.5, -1.5, 1.5, -1.5, 9.0]) * largest.astype(dtype)
    x = np.exp(np.array([0.0, -0.5, -0.9, 0.9, -0.7, 0.7, 0.0]) * largest).astype(dtype)
    x[-1] = 0.0
    x, log_scale = tf.constant(x), tf.constant(log_scale.astype(dtype))
    with tf.GradientTape() as tape:
        tape.watch([x, log_scale])
        product = tf.function(numerics.times_exp, jit_compile=jit_compile)(x, log_scale)
    expected = np.longdouble(x) * np.exp(np.longdouble(log_scale))
    np.testing.assert_allclose(product, expected.astype(dtype), rtol=largest * np.finfo(dtype).eps)
    np.testing.assert_array_equal(tape.gradient(product, log_scale), product)


def test_times_exp_of_other_shapes_twice():
    """First and second derivatives are those of the plain product."""
    x, log_scale = tf.constant([[1.0], [-2.0]]), tf.constant([0.5, -1.0, 0.0])

    def derivatives(function):
        with tf.GradientTape() as outer:
            outer.watch([x, log_scale])
            with tf.GradientTape() as inner:
                inner.watch([x, log_scale])
                y = tf.reduce_sum(function(x, log_scale) ** 2)
            first = inner.gradient(y, [x, log_scale])
            total = sum(tf.reduce_sum(g**2) for g in first)
        return *first, *outer.gradient(total, [x, log_scale])

    plain = derivatives(lambda x, log_scale: x * tf.exp(log_scale))
    for actual, expected in zip(derivatives(numerics.times_exp), plain, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5)


@pytest.mark.parametrize("shape", [[3, 4], [4], [1, 4], [3, 1], []])
def test_sum_to_shape_of(shape):
    primal, gradient = tf.ones(shape), tf.random.stateless_normal([2, 3, 4], seed=[0, 0])
    with tf.GradientTape() as tape:
        tape.watch(primal)
        broadcast = tf.broadcast_to(primal, [2, 3, 4])
    expected = tape.gradient(broadcast, primal, output_gradients=gradient)
    traced = tf.function(numerics.sum_to_shape_of, reduce_retracing=True)
    for call in (numerics.sum_to_shape_of, traced):
        np.testing.assert_allclose(call(primal, gradient), expected, rtol=1e-5)
