"""Trainable scales that stay away from zero."""

import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows.numerics import positive_above


def floored_scale(raw: tf.Tensor, min_scale: float) -> tf.Tensor:
    """Returns `min_scale + (1 - min_scale) s(raw)`: above `min_scale`, and one where `raw = 0`.

    The likelihood of a mixture has no maximum where a component may shrink onto a point; and in
    float32 the gradient `x^2 / scale^3` overflows for scales far below `min_scale`.

    Args:
      raw: float tensor of any shape, unconstrained.
      min_scale: the lower bound, in [0, 1).

    Returns:
      Scales with the shape of `raw`.
    """
    return positive_above(raw, min_scale)


def trainable_scale(shape, min_scale: float, dtype: tf.DType) -> tfp.util.DeferredTensor:
    """Makes scales of one out of a trainable variable.

    Args:
      shape: their shape.
      min_scale: the lower bound, in [0, 1).
      dtype: floating dtype.

    Returns:
      A deferred tensor of that shape, which reads its variable at each use.
    """

    def scale(raw):
        return floored_scale(raw, min_scale)

    raw = tf.Variable(tf.zeros(shape, dtype), name="raw_scale")
    return tfp.util.DeferredTensor(raw, scale)


def trainable_scale_tril(size: int, min_scale: float, dtype: tf.DType) -> tfp.util.DeferredTensor:
    """Makes a lower triangular matrix out of a trainable variable, the identity at first.

    Args:
      size: D, rows and columns.
      min_scale: the lower bound of its diagonal, in [0, 1).
      dtype: floating dtype.

    Returns:
      A deferred tensor `[D, D]`, which reads its variable `[D (D + 1) / 2]` at each use.
    """

    def scale_tril(raw):
        lower = tfp.math.fill_triangular(raw)
        diagonal = floored_scale(tf.linalg.diag_part(lower), min_scale)
        return tf.linalg.set_diag(lower, diagonal)

    raw = tf.Variable(np.zeros([math.comb(size + 1, 2)]), dtype=dtype, name="raw_scale_tril")
    return tfp.util.DeferredTensor(raw, scale_tril, shape=[size, size])
