"""Gradients of what was broadcast."""

import tensorflow as tf


def sum_to_shape_of(primal: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
    """Sums a gradient over the dimensions along which its primal was broadcast.

    Args:
      primal: of any shape.
      gradient: of a shape to which that of `primal` broadcasts.

    Returns:
      The sum, of the shape of `primal`.
    """
    if gradient.shape.is_fully_defined() and gradient.shape == primal.shape:
        return gradient
    axes, _ = tf.raw_ops.BroadcastGradientArgs(s0=tf.shape(primal), s1=tf.shape(gradient))
    return tf.reshape(tf.reduce_sum(gradient, axis=axes), tf.shape(primal))
