"""Monotone rational-quadratic splines of one variable, both ways.

Between the knots `(x_k, y_k)` and `(x_{k+1}, y_{k+1})` with slopes `d_k`, `d_{k+1}`, let `t` and
`u = 1 - t` be the fractions of the bin's width to the left and to the right of `x`, and `v` and
`1 - v` those of its height below and above `y`. With `s` the bin's height over its width,

```none
v     = (s t^2 + d_k t u) / q,   1 - v = (s u^2 + d_{k+1} t u) / q
q     = s t^2 + (d_k + d_{k+1}) t u + s u^2
dy/dx = s^2 (d_{k+1} t^2 + 2 s t u + d_k u^2) / q^2
```

These are equations 4 and 5 of Durkan et al. (2019), Neural Spline Flows, arXiv:1906.04032, written
in both fractions: every sum is one of positive terms, so that nothing cancels. (The splines are
those of Gregory and Delbourgo, 1982, Piecewise rational quadratic interpolation to monotonic data.)
"""

from typing import NamedTuple

import tensorflow as tf


class Bin(NamedTuple):
    """The bin of a spline that a point lies in, elementwise.

    Attributes:
      left: x of the left knot.
      right: x of the right knot, greater than `left`.
      bottom: y of the left knot.
      top: y of the right knot, greater than `bottom`.
      left_slope: slope of the spline at the left knot, positive.
      right_slope: slope of the spline at the right knot, positive.
    """

    left: tf.Tensor
    right: tf.Tensor
    bottom: tf.Tensor
    top: tf.Tensor
    left_slope: tf.Tensor
    right_slope: tf.Tensor


def spline_knots(raw: tf.Tensor, bound: float, min_size: float) -> tf.Tensor:
    """Splits [-bound, bound] into B bins of positive size.

    Args:
      raw: `[..., B]`, unconstrained; equal values give equal bins.
      bound: half the length of the interval.
      min_size: the least size of a bin, as a fraction of the interval, below `1 / B`.

    Returns:
      The B + 1 knots in increasing order, `[..., B + 1]`; the first and the last one are exactly
      `-bound` and `bound`.
    """
    num_bins = raw.shape[-1]
    sizes = min_size + (1.0 - num_bins * min_size) * tf.nn.softmax(raw, axis=-1)
    inner = 2.0 * bound * tf.cumsum(sizes[..., :-1], axis=-1) - bound
    end = bound * tf.ones_like(sizes[..., :1])
    return tf.concat([-end, inner, end], axis=-1)


def spline_forward(at: Bin, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Evaluates the spline.

    Args:
      at: the bin that `x` lies in.
      x: the points.

    Returns:
      `y` and `log dy/dx`, with the shape of `x`.
    """
    width = at.right - at.left
    t, u = (x - at.left) / width, (at.right - x) / width
    slope = (at.top - at.bottom) / width
    q = _denominator(at, slope, t, u)
    below, above = (t * (slope * t + at.left_slope * u), u * (slope * u + at.right_slope * t))
    # From the nearer end, so that a point close to a knot keeps its distance from it.
    height = at.top - at.bottom
    y = tf.where(t < 0.5, at.bottom + height * (below / q), at.top - height * (above / q))
    return y, _log_slope(at, slope, t, u, q)


def spline_inverse(at: Bin, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Inverts the spline in closed form.

    Args:
      at: the bin that `y` lies in.
      y: the points.

    Returns:
      `x` and `log dx/dy`, with the shape of `y`.
    """
    height = at.top - at.bottom
    width = at.right - at.left
    slope = height / width
    below, above = (y - at.bottom) / height, (at.top - y) / height
    # The ratio t / u is the positive root of `a r^2 + b r - c = 0` with
    a, c = slope * above, slope * below
    b = at.left_slope * above - at.right_slope * below
    # whose discriminant is positive: b vanishes only where the product does not. Of the two forms
    # of the root, `2 c / (root + b)` and `(root - b) / 2 a`, the one that adds is taken.
    root = tf.sqrt(b * b + 4.0 * a * c)
    is_right = b < 0.0
    sum_ = root + tf.abs(b)
    t_part = tf.where(is_right, sum_, 2.0 * c)
    u_part = tf.where(is_right, 2.0 * a, sum_)
    t, u = t_part / (t_part + u_part), u_part / (t_part + u_part)
    x = tf.where(t < 0.5, at.left + width * t, at.right - width * u)
    return x, -_log_slope(at, slope, t, u, _denominator(at, slope, t, u))


def _denominator(at, slope, t, u):
    return slope * (t * t + u * u) + (at.left_slope + at.right_slope) * (t * u)


def _log_slope(at, slope, t, u, q):
    numerator = at.right_slope * t * t + 2.0 * slope * t * u + at.left_slope * u * u
    return tf.math.log(numerator * tf.square(slope / q))
