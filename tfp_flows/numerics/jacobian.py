"""Jacobians of functions of vectors, and products with them, by autodiff that XLA compiles."""

from collections.abc import Callable

import tensorflow as tf

VectorFunction = Callable[[tf.Tensor], tf.Tensor]


def value_and_vjp(
    function: VectorFunction, x: tf.Tensor, num_copies: int
) -> tuple[tf.Tensor, VectorFunction]:
    """Evaluates a function on copies of `x`, to be differentiated in a direction each.

    One product with all copies in its batch takes the place of a loop, or of one derivative after
    the other: the graph does not grow with their number. Both results can be differentiated again.

    Args:
      function: from `[..., D]` to `[..., D]`.
      x: `[..., D]`, of static rank and of the same shape as `function(x)`.
      num_copies: n.

    Returns:
      The value, `[..., D]`; and a function from `[n, ..., D]`, a direction `v` for each copy, to
      `J^T v`, of the same shape.
    """
    copies = tf.broadcast_to(x, tf.concat([[num_copies], tf.shape(x)], axis=0))
    copies = tf.ensure_shape(copies, [num_copies, *x.shape])
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(copies)
        values = function(copies)

    def vjp(directions):
        products = tape.gradient(
            values, copies, directions, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        return tf.ensure_shape(products, copies.shape)

    return values[0], vjp


def value_and_jacobian(function: VectorFunction, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns `function(x)` and its Jacobian, at the cost of D evaluations and D gradients.

    Args:
      function: from `[..., D]` to `[..., D]`.
      x: `[..., D]`, of static rank and of the same shape as `function(x)`; D is static.

    Returns:
      The value, `[..., D]`, and the Jacobian `J[..., i, j] = d function_i / d x_j`, `[..., D, D]`.
    """
    value, vjp = value_and_vjp(function, x, x.shape[-1])
    rank = x.shape.rank
    return value, tf.transpose(vjp(unit_directions(x)), [*range(1, rank), 0, rank])


def unit_directions(x: tf.Tensor) -> tf.Tensor:
    """The D unit vectors for each `x`: `x` is `[..., D]`, they are `[D, ..., D]`."""
    size, rank = x.shape[-1], x.shape.rank
    basis = tf.reshape(tf.eye(size, dtype=x.dtype), [size, *[1] * (rank - 1), size])
    basis = tf.broadcast_to(basis, tf.concat([[size], tf.shape(x)], axis=0))
    return tf.ensure_shape(basis, [size, *x.shape])
