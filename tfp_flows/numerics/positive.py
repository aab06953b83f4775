"""Positive numbers from unconstrained ones, accurate at both ends and around one.

`s(x) = softplus(x + log(e - 1))` maps the real line onto the positive numbers with `s(0) = 1`: zero
parameters give the identity transform. A log-det needs `s`, `s - 1` and `log s`, and each of the
three loses all its digits somewhere when it is taken from another one: `s - 1` around `x = 0`,
`log s` where `s` underflows.
"""

import math
from typing import NamedTuple

import tensorflow as tf

_LOG_E_MINUS_1 = math.log(math.e - 1.0)
_ONE_MINUS_1_OVER_E = 1.0 - 1.0 / math.e


class Positive(NamedTuple):
    """The positive number `s(x)` with what a log-det needs of it, each to full relative precision.

    Attributes:
      value: `s(x)`. Underflows to 0 for very negative `x`.
      minus_one: `s(x) - 1`, in (-1, inf).
      log: `log s(x)`, finite for every finite `x`.
    """

    value: tf.Tensor
    minus_one: tf.Tensor
    log: tf.Tensor


def positive(x: tf.Tensor) -> Positive:
    """Returns `s(x) = softplus(x + log(e - 1))`, `s(x) - 1` and `log s(x)`.

    Args:
      x: float tensor of any shape, unconstrained.

    Returns:
      A `Positive` of tensors with the shape and dtype of `x`.
    """
    shifted = x + _LOG_E_MINUS_1
    value = tf.math.softplus(shifted)

    # s - 1 = log((1 + (e - 1) exp(x)) / e) = log1p((1 - 1/e) expm1(x)): no cancellation near x = 0.
    # Above 1, where expm1 would overflow, the plain difference loses less than one bit.
    small = tf.math.log1p(_ONE_MINUS_1_OVER_E * tf.math.expm1(tf.minimum(x, 1.0)))
    minus_one = tf.where(x < 1.0, small, value - 1.0)

    # Far left softplus(y) = exp(y) (1 - exp(y)/2 + ...), and exp(-37) is below the rounding error
    # of float64.
    far_left = shifted < -37.0
    middle = tf.math.log(tf.math.softplus(tf.maximum(shifted, -37.0)))
    near_one = tf.abs(minus_one) < 0.5
    log = tf.where(
        near_one,
        tf.math.log1p(tf.where(near_one, minus_one, tf.zeros_like(x))),
        tf.where(far_left, shifted, middle),
    )
    return Positive(value, minus_one, log)


def positive_above(x: tf.Tensor, floor: float) -> tf.Tensor:
    """Returns `floor + (1 - floor) softplus(x + log(e - 1))`: above the floor, and one for `x = 0`.

    What divides by a positive number needs a floor: no float is small enough to hold the softplus
    of -200. And the plain logarithm of the result is exact enough for a log-det, since it is that
    of the number that the value is multiplied by.

    Args:
      x: float tensor of any shape, unconstrained.
      floor: lower bound, in (0, 1).

    Returns:
      A tensor with the shape and dtype of `x`.
    """
    return floor + (1.0 - floor) * tf.math.softplus(x + _LOG_E_MINUS_1)


def log_interpolation(s: Positive, weight: tf.Tensor, complement: tf.Tensor) -> tf.Tensor:
    """Returns `log((1 - h) + h s)` for `h` in [0, 1]: the log of a weighted mean of 1 and `s`.

    The log-dets of the planar and the radial transform are sums of such terms. It is exact to
    rounding when `h s` is tiny, when `s` underflows, and when the mean is close to one.

    Args:
      s: the positive number, as `positive` returns it.
      weight: `h`, broadcasting with `s`.
      complement: `1 - h`, given by the caller, who knows it without cancellation.

    Returns:
      The logarithm, of the broadcast shape. Finite wherever `s.log` is.
    """
    excess = s.minus_one * weight
    near_one = excess > -0.5
    log_near_one = tf.math.log1p(tf.where(near_one, excess, tf.zeros_like(excess)))
    # Here h > 1/2. Both terms are non-negative, so that nothing cancels; the sum is zero only if
    # `s` underflowed and h = 1, and then the answer is log s itself.
    mean = tf.where(near_one, tf.ones_like(excess), complement + weight * s.value)
    is_zero = mean <= 0.0
    log_mean = tf.math.log(tf.where(is_zero, tf.ones_like(mean), mean))
    return tf.where(near_one, log_near_one, tf.where(is_zero, s.log, log_mean))
