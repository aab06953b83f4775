"""What holds for `x + g(x)` with a contraction `g`: its inverse, and the log-det of `I + J`."""

import math

import numpy as np
import tensorflow as tf

from tfp_flows.numerics.jacobian import VectorFunction, value_and_jacobian, value_and_vjp


def invert_residual(
    function: VectorFunction,
    y: tf.Tensor,
    coefficient: float,
    tolerance: float,
    is_dense: bool,
) -> tf.Tensor:
    """Solves `x + g(x) = y` for `x`, where `|g(x) - g(x')| <= c |x - x'|` with `c < 1`.

    The iteration `x <- y - g(x)` shortens the residual `y - x - g(x)` by the factor `c` at least.
    It ends when all residuals are within the tolerance, and at the latest after
    `log(tolerance) / log(c)` steps. With `is_dense` the better of this step and of Newton's is
    taken, which is there in a few steps.

    The iteration runs outside of differentiation. One last step with a live `y` and `g` makes the
    first derivatives those of the exact solution, `dx = (I + J)^-1 (dy - dg)`.

    Args:
      function: `g`, from `[..., D]` to `[..., D]`.
      y: `[..., D]`, of the same shape as `g(y)`.
      coefficient: c.
      tolerance: bound on the residual, relative to `1 + |x| + |y|`. The error of `x` is at most
        `1 / (1 - c)` times the residual.
      is_dense: whether to take D gradients a step for the Jacobian, D x D. Otherwise the linear
        system of the gradient is solved by the iteration `v <- dx - J^T v`.

    Returns:
      `x`, with the shape of `y`.
    """
    num_steps = math.ceil(math.log(tolerance) / math.log(coefficient))
    step = _newton_or_contraction if is_dense else _contraction
    x = tf.stop_gradient(_iterate(function, tf.stop_gradient(y), tolerance, num_steps, step))
    residual = y - x - function(x)
    if is_dense:
        _, jacobian = value_and_jacobian(function, x)
        return x + _solve(tf.stop_gradient(jacobian), residual)
    return x + _with_implicit_gradient(function, x, residual, tolerance, num_steps)


def log_det_plus_identity(jacobian: tf.Tensor) -> tf.Tensor:
    """Returns `log det(I + J)` for a matrix J whose largest singular value is below one.

    Elimination without pivoting: `x . (I + J) x >= (1 - |J|) |x|^2`, and every pivot inherits that
    lower bound, `1 - |J| > 0`. (XLA compiles no `slogdet`.)

    Args:
      jacobian: `[..., D, D]`, D static.

    Returns:
      `[...]`.
    """
    rest = tf.eye(jacobian.shape[-1], dtype=jacobian.dtype) + jacobian
    total = tf.math.log(rest[..., 0, 0])
    for _ in range(jacobian.shape[-1] - 1):
        factors = rest[..., 1:, :1] / rest[..., :1, :1]
        rest = rest[..., 1:, 1:] - factors * rest[..., :1, 1:]
        total += tf.math.log(rest[..., 0, 0])
    return total


def _iterate(function, y, tolerance, num_steps, step):
    """Repeats a step from `x = y` on until the residuals are within the tolerance."""

    def is_far(k, x, residual):
        bound = tolerance * (1.0 + _norm(x) + _norm(y))
        return (k < num_steps) & tf.reduce_any(_norm(residual) > bound)

    def body(k, x, residual):
        x = step(function, x, y, residual)
        return k + 1, x, y - x - function(x)

    return tf.while_loop(is_far, body, (0, y, -function(y)))[1]


def _contraction(function, x, y, residual):
    del function, y
    return x + residual


def _newton_or_contraction(function, x, y, residual):
    """Newton's step where its residual is the smaller one."""
    _, jacobian = value_and_jacobian(function, x)
    newton, contraction = x + _solve(jacobian, residual), x + residual
    sizes = [_norm(y - point - function(point)) for point in (newton, contraction)]
    return tf.where((sizes[0] <= sizes[1])[..., tf.newaxis], newton, contraction)


def _solve(jacobian, residual):
    """`(I + J)^-1 r`; NaN where J is not finite, which is an error of the whole batch elsewhere."""
    identity = tf.eye(jacobian.shape[-1], dtype=jacobian.dtype)
    is_finite = tf.reduce_all(tf.math.is_finite(jacobian), axis=[-2, -1])[..., tf.newaxis]
    matrix = tf.where(is_finite[..., tf.newaxis], identity + jacobian, identity)
    solution = tf.linalg.solve(matrix, residual[..., tf.newaxis])[..., 0]
    return tf.where(is_finite, solution, tf.constant(np.nan, solution.dtype))


def _with_implicit_gradient(function, x, residual, tolerance, num_steps):
    """The residual, with the gradient of `(I + J)^-1 r`."""

    @tf.custom_gradient
    def identity(residual):
        def grad(dx):
            _, vjp = value_and_vjp(function, x, num_copies=1)

            def is_far(k, v, change):
                return (k < num_steps) & tf.reduce_any(_norm(change) > tolerance * _norm(v))

            def body(k, v, change):
                del change
                following = dx - vjp(v[tf.newaxis])[0]
                return k + 1, following, following - v

            return tf.while_loop(is_far, body, (0, dx, dx))[1]

        return tf.identity(residual), grad

    return identity(residual)


def _norm(x):
    """The largest element, which over- and underflows less than the Euclidean norm."""
    return tf.reduce_max(tf.abs(x), axis=-1)
