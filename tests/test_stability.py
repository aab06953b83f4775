"""Backward stability of the inverses of planar and radial layers, also at extreme parameters."""

import numpy as np
import pytest
import tensorflow as tf

import tfp_flows as tff

BOUND = {np.float32: 2e-5, np.float64: 1e-11}
SIZES = (1, 2, 3, 64, 784)


def planar_parameters(rng, num_layers, size, scale):
    return [
        scale * rng.normal(size=s) for s in ((num_layers, size), (num_layers, size), num_layers)
    ]


def radial_parameters(rng, num_layers, size, scale):
    center, alpha, beta = (rng.normal(size=s) for s in ((num_layers, size), num_layers, num_layers))
    return [scale * center, np.exp(alpha), scale * beta]


STACKS = {
    "planar": (tff.bijectors.PlanarStack, planar_parameters),
    "radial": (tff.bijectors.RadialStack, radial_parameters),
}


def errors(stack, y):
    """`|f(f^-1(y)) - y| / max(1, |y|)`, and what the rounding of `f^-1(y)` alone makes of it."""
    x = stack.inverse(tf.identity(y))
    again = stack.forward(tf.identity(x))
    error = np.abs(again - y) / np.maximum(1.0, np.abs(y))
    # No float is nearer to the true preimage than half a unit in the last place; the forward slopes
    # magnify that. A point whose slopes are steep cannot do better, whatever the algorithm.
    rng = np.random.default_rng(0)
    unit = np.finfo(y.numpy().dtype).eps
    floor = np.zeros_like(error)
    for _ in range(8):
        moved = x * (1.0 + unit * rng.choice([-1.0, 1.0], size=x.shape)).astype(x.numpy().dtype)
        floor = np.maximum(floor, np.abs(stack.forward(moved) - again))
    return error, floor.max(axis=-1, keepdims=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("num_layers", [1, 8])
@pytest.mark.parametrize("name", STACKS)
def test_inverse_is_backward_stable(name, num_layers, scale, dtype):
    make, parameters = STACKS[name]
    bound = BOUND[dtype] * (1 if num_layers == 1 else 10)
    for size in SIZES:
        rng = np.random.default_rng(size)
        stack = make(*(p.astype(dtype) for p in parameters(rng, num_layers, size, scale)))
        y = stack.forward(rng.normal(size=(64, size)).astype(dtype))
        error, floor = errors(stack, y)
        assert np.all(error <= np.maximum(bound, 4.0 * num_layers * floor)), (size, error.max())
        # The floor is for rare points on a steep slope: all others are within the bound.
        assert np.quantile(error.max(axis=-1), 0.9) <= bound, size


SPECIAL = {
    "w = 0": lambda size: ("planar", [np.zeros(size), np.ones(size), np.array(0.5)]),
    "w.u = -30": lambda size: (
        "planar",
        [np.ones(size), np.full(size, -30.0 / size), np.array(0.1)],
    ),
    "w.u = 300": lambda size: (
        "planar",
        [np.ones(size), np.full(size, 300.0 / size), np.array(0.1)],
    ),
    "alpha = 1e-6": lambda size: ("radial", [np.ones(size), np.array(1e-6), np.array(2.0)]),
    "alpha = 1e-6, contracting": lambda size: (
        "radial",
        [np.ones(size), np.array(1e-6), np.array(-20.0)],
    ),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("special", SPECIAL)
def test_special_parameters(special, dtype):
    layers = {"planar": tff.bijectors.Planar, "radial": tff.bijectors.Radial}
    for size in SIZES:
        name, parameters = SPECIAL[special](size)
        layer = layers[name](*(p.astype(dtype) for p in parameters))
        x = np.random.default_rng(0).normal(size=(64, size)).astype(dtype)
        if name == "radial":
            x[0] = parameters[0]  # the center itself
        for y in (tf.constant(x), layer.forward(x)):
            error, floor = errors(layer, y)
            assert np.all(error <= np.maximum(BOUND[dtype], 4.0 * floor)), (size, error.max())
            assert np.median(error) <= BOUND[dtype]


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_scalar_equation(dtype):
    """The root of `a + m tanh(a) = r` against bisection in extended precision."""
    rng = np.random.default_rng(0)
    size = 20_000
    one_plus_m = np.exp(
        np.concatenate(
            [rng.uniform(-30, 0, size), rng.uniform(-3, 3, size), rng.uniform(0, 11, size)]
        )
    )
    r = 10.0 ** rng.uniform(-8, 4.5, 3 * size) * rng.choice([-1.0, 1.0], 3 * size)
    r = np.where(rng.random(3 * size) < 0.3, one_plus_m + rng.normal(size=3 * size), r)
    s, r = (v.astype(dtype.as_numpy_dtype) for v in (one_plus_m, r))
    a = tff.numerics.solve_linear_plus_tanh(tf.constant(r), tf.constant(s - 1.0), tf.constant(s))

    s, r = s.astype(np.longdouble), r.astype(np.longdouble)
    m = (s.astype(dtype.as_numpy_dtype) - dtype.as_numpy_dtype(1.0)).astype(np.longdouble)
    lower, upper = np.zeros_like(r), np.abs(r) + 2.0
    for _ in range(120):
        middle = 0.5 * (lower + upper)
        below = middle + m * np.tanh(middle) < np.abs(r)
        lower, upper = np.where(below, middle, lower), np.where(below, upper, middle)
    root = np.sign(r) * lower
    # Backward error: how far the right-hand side would have to move.
    slope = 1.0 + m / np.cosh(np.clip(root, -40, 40)) ** 2
    terms = np.abs(root) + np.abs(m * np.tanh(root))
    backward = np.abs(a.numpy() - root) * slope / terms
    assert backward.max() <= 4.0 * dtype.as_numpy_dtype(np.finfo(dtype.as_numpy_dtype).eps)


@pytest.mark.parametrize("name", STACKS)
def test_stack_equals_chain(name):
    import tensorflow_probability as tfp

    make, parameters = STACKS[name]
    single = {"planar": tff.bijectors.Planar, "radial": tff.bijectors.Radial}[name]
    values = parameters(np.random.default_rng(0), 6, 4, 1.0)
    stack = make(*values)
    chain = tfp.bijectors.Chain([single(*(v[k] for v in values)) for k in reversed(range(6))])
    x = np.random.default_rng(1).normal(size=(10, 4))
    for method in ("forward", "inverse", "forward_log_det_jacobian", "inverse_log_det_jacobian"):
        actual, expected = (getattr(b, method)(tf.constant(x)) for b in (stack, chain))
        if "log_det" in method:
            assert actual.shape == [10]
        np.testing.assert_allclose(actual, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_second_derivatives_of_planar_stack(direction):
    """The gradients are written by hand; theirs must be right, too."""
    values = planar_parameters(np.random.default_rng(0), 3, 2, 1.0)
    w = tf.Variable(values[0])
    stack = tff.bijectors.PlanarStack(w, *values[1:])
    x = tf.constant(np.random.default_rng(1).normal(size=(4, 2)))

    def gradient():
        with tf.GradientTape() as tape:
            value, log_det = getattr(stack, f"{direction}_and_log_det")(tf.identity(x))
            loss = tf.reduce_sum(tf.sin(value)) + tf.reduce_sum(log_det**2)
        return tape.gradient(loss, w)

    with tf.GradientTape() as tape:
        g = gradient()
        total = tf.reduce_sum(tf.cos(g))
    second = tape.gradient(total, w)
    direction_w = np.random.default_rng(2).normal(size=w.shape)
    start, step = w.numpy(), 1e-6
    sides = []
    for sign in (1.0, -1.0):
        w.assign(start + sign * step * direction_w)
        sides.append(float(tf.reduce_sum(tf.cos(gradient()))))
    expected = (sides[0] - sides[1]) / (2.0 * step)
    assert abs(float(tf.reduce_sum(second * direction_w)) - expected) < 1e-5 * max(1, abs(expected))
