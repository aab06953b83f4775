"""Euclidean norms whose gradient is finite at the origin."""

import tensorflow as tf


def safe_norm(x: tf.Tensor, keepdims: bool = False) -> tf.Tensor:
    """Returns `|x|` over the last axis, with the subgradient 0 where `x = 0`.

    Args:
      x: float tensor `[..., D]`.
      keepdims: whether the last axis stays, with size one.

    Returns:
      The norm, `[...]` or `[..., 1]`.
    """
    squared = tf.reduce_sum(x * x, axis=-1, keepdims=keepdims)
    # The square root's slope is infinite at 0, and 0 * inf is NaN: it must not see a zero, even
    # where it is not used.
    is_zero = squared <= 0.0
    root = tf.sqrt(tf.where(is_zero, tf.ones_like(squared), squared))
    return tf.where(is_zero, tf.zeros_like(root), root)
