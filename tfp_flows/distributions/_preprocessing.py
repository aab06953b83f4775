"""The logit map of data in the unit interval, with its log-derivative."""

import math

import tensorflow as tf


def logit_of_unit(v: tf.Tensor, complement: tf.Tensor, alpha: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns `y = logit(alpha + (1 - 2 alpha) v)` and `log dy/dv`, elementwise.

    As in Papamakarios, Pavlakou and Murray (2017), arXiv:1705.07057, who call `alpha` lambda; after
    Dinh, Sohl-Dickstein and Bengio (2016), arXiv:1605.08803, section 4.1.

    Args:
      v: float tensor of any shape, in [0, 1]; in (0, 1) for `alpha = 0`.
      complement: `1 - v`, given by the caller, who knows it without cancellation.
      alpha: in [0, 1/2).

    Returns:
      Two tensors with the shape of `v`.
    """
    low = alpha + (1.0 - 2.0 * alpha) * v
    # As a sum of non-negatives: 1 - low would keep only four digits at alpha = 1e-6 in float32.
    high = alpha + (1.0 - 2.0 * alpha) * complement
    log_low, log_high = tf.math.log(low), tf.math.log(high)
    return log_low - log_high, math.log1p(-2.0 * alpha) - log_low - log_high


def unit_of_logit(y: tf.Tensor, alpha: float) -> tf.Tensor:
    """The inverse of `logit_of_unit`: `v = (sigmoid(y) - alpha) / (1 - 2 alpha)`.

    Args:
      y: float tensor of any shape.
      alpha: in [0, 1/2).

    Returns:
      A tensor with the shape of `y`; outside of [0, 1] where `|y| > logit(1 - alpha)`.
    """
    return (tf.sigmoid(y) - alpha) / (1.0 - 2.0 * alpha)
