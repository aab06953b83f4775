"""Between the integers of a `Dequantized` and the density inside of it."""

import math

import tensorflow as tf

from tfp_flows.distributions import Dequantized


def point_in_box(
    distribution: Dequantized, w: tf.Tensor, low: tf.Tensor, high: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Where a point of a box of x + u lies for the density inside.

    ```none
    x + u = low + (high - low) sigmoid(w),   v = (x + u) / N
    y = v,   or with `logit`   y = logit(alpha + (1 - 2 alpha) v)
    ```

    Args:
      distribution: whose density is over y.
      w: unconstrained, `[..., *event_shape]`.
      low: the box's lower ends, from 0 to N, which broadcast with `w`.
      high: its upper ends, above `low`.

    Returns:
      y, in the shape of `w`, and log|det dy/dw|, `[...]`.
    """
    num_levels = distribution.num_levels
    # The distances of v from both ends of the unit interval, as sums of what is not negative.
    v = (low + (high - low) * tf.sigmoid(w)) / num_levels
    complement = (num_levels - high + (high - low) * tf.sigmoid(-w)) / num_levels
    log_derivative = tf.math.log((high - low) / num_levels) - tf.math.softplus(w)
    log_derivative -= tf.math.softplus(-w)
    y = v
    if distribution.parameters["logit"]:
        alpha = distribution.parameters["alpha"]
        log_low = tf.math.log(alpha + (1.0 - 2.0 * alpha) * v)
        log_high = tf.math.log(alpha + (1.0 - 2.0 * alpha) * complement)
        y = log_low - log_high
        log_derivative += math.log1p(-2.0 * alpha) - log_low - log_high
    axes = list(range(-distribution.event_shape.rank, 0))
    return y, tf.reduce_sum(log_derivative, axis=axes)


def middle_of_cell(distribution: Dequantized, x: tf.Tensor) -> tf.Tensor:
    """The y of x + 1/2, of integers in the dtype of the density."""
    return point_in_box(distribution, tf.zeros_like(x), x, x + 1.0)[0]


def place_in_box(
    distribution: Dequantized, y: tf.Tensor, low: tf.Tensor, high: tf.Tensor, margin: float
) -> tf.Tensor:
    """The w of a point; one outside of the box, or near its edge, is moved inside by a margin."""
    position = (_scaled(distribution, y) - low) / (high - low)
    position = tf.clip_by_value(position, margin, 1.0 - margin)
    return tf.math.log(position) - tf.math.log1p(-position)


def nearest_level(distribution: Dequantized, y: tf.Tensor) -> tf.Tensor:
    """The integers x whose cell y lies in, or is nearest to, in the dtype of their distribution."""
    levels = tf.clip_by_value(
        tf.floor(_scaled(distribution, y)), 0.0, distribution.num_levels - 1.0
    )
    return tf.cast(levels, distribution.dtype)


def _scaled(distribution, y):
    """x + u; with `logit` below 0 or above N where y belongs to no x."""
    if distribution.parameters["logit"]:
        alpha = distribution.parameters["alpha"]
        y = (tf.sigmoid(y) - alpha) / (1.0 - 2.0 * alpha)
    return distribution.num_levels * y
