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
      width: distance in x to the right knot, positive.
      bottom: y of the left knot.
      height: distance in y to the right knot, positive.
      left_slope: slope of the spline at the left knot, positive.
      right_slope: slope of the spline at the right knot, positive.
    """

    left: tf.Tensor
    width: tf.Tensor
    bottom: tf.Tensor
    height: tf.Tensor
    left_slope: tf.Tensor
    right_slope: tf.Tensor


def bin_sizes(raw: tf.Tensor, total: float, min_fraction: float) -> tf.Tensor:
    """Splits an interval into B bins of positive size.

    Args:
      raw: `[..., B]`, unconstrained; equal values give equal bins.
      total: length of the interval.
      min_fraction: the least size of a bin, as a fraction of the interval, below `1 / B`.

    Returns:
      The sizes, `[..., B]`, which add up to `total`.
    """
    least = total * min_fraction
    return least + (total - raw.shape[-1] * least) * tf.nn.softmax(raw, axis=-1)


def spline_forward(at: Bin, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Evaluates the spline.

    Args:
      at: the bin that `x` lies in.
      x: the points.

    Returns:
      `y` and `log dy/dx`, with the shape of `x`.
    """

    @tf.custom_gradient
    def evaluate(x, *at):
        at = Bin(*at)
        point = _locate(at, x)
        # From the nearer end, so that a point close to a knot keeps its distance from it.
        v = tf.where(point.t < 0.5, point.below / point.q, 1.0 - point.above / point.q)
        y, slope_at_x = at.bottom + at.height * v, _slope(point)

        def grad(dy, dlog):
            dx = dy * slope_at_x + dlog * _log_slope_in_t(at, point) / at.width
            return dx, *_pull_back(at, point, dx, dy, dlog)

        return (y, tf.math.log(slope_at_x)), grad

    return evaluate(x, *at)


def spline_inverse(at: Bin, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Inverts the spline in closed form.

    Args:
      at: the bin that `y` lies in.
      y: the points.

    Returns:
      `x` and `log dx/dy`, with the shape of `y`.
    """

    @tf.custom_gradient
    def evaluate(y, *at):
        at = Bin(*at)
        point = _find(at, y)
        x = at.left + at.width * tf.where(point.t < 0.5, point.t, 1.0 - point.u)
        slope_at_x = _slope(point)

        def grad(dx, dlog):
            # At the solution dx = (dy - dF) / F', with F the forward map, and log dx/dy = -log F'.
            dy = (dx - dlog * _log_slope_in_t(at, point) / at.width) / slope_at_x
            return dy, *_pull_back(at, point, -dx, -dy, -dlog)

        return (x, -tf.math.log(slope_at_x)), grad

    return evaluate(y, *at)


class _Point(NamedTuple):
    """A point in its bin.

    Attributes:
      t: fraction of the width to its left.
      u: `1 - t`.
      slope: `s`, the bin's height over its width.
      below: numerator of `v`.
      above: numerator of `1 - v`.
      q: their denominator, and sum.
      n: `d_{k+1} t^2 + 2 s t u + d_k u^2`, so that the slope at the point is `n (s / q)^2`.
    """

    t: tf.Tensor
    u: tf.Tensor
    slope: tf.Tensor
    below: tf.Tensor
    above: tf.Tensor
    q: tf.Tensor
    n: tf.Tensor


def _locate(at, x):
    t, u = (d / at.width for d in _distances(x, at.left, at.width))
    return _point(at, t, u)


def _find(at, y):
    slope = at.height / at.width
    below, above = (d / at.height for d in _distances(y, at.bottom, at.height))
    # The ratio t / u is the positive root of `a r^2 + b r - c = 0` with
    a, c = slope * above, slope * below
    b = at.left_slope * above - at.right_slope * below
    # whose discriminant is positive: b vanishes only where the product does not. Of the two forms
    # of the root, `2 c / (root + b)` and `(root - b) / 2 a`, the one that adds is taken.
    sum_ = tf.sqrt(b * b + 4.0 * a * c) + tf.abs(b)
    t = tf.where(b < 0.0, sum_, 2.0 * c)
    u = tf.where(b < 0.0, 2.0 * a, sum_)
    return _point(at, t / (t + u), u / (t + u))


def _distances(value, start, size):
    """To both ends of a bin; zero, where rounding has put the value on an end's other side."""
    return tf.maximum(value - start, 0.0), tf.maximum(start + size - value, 0.0)


def _point(at, t, u):
    slope = at.height / at.width
    below, above = t * (slope * t + at.left_slope * u), u * (slope * u + at.right_slope * t)
    n = at.right_slope * t * t + 2.0 * slope * t * u + at.left_slope * u * u
    return _Point(t, u, slope, below, above, below + above, n)


def _slope(point):
    """`dy/dx`; in this order, since the square alone underflows where the slopes are steep."""
    ratio = point.slope / point.q
    return point.n * ratio * ratio


def _log_slope_in_t(at, point):
    """The derivative of `log dy/dx` in `t`: `n_t / n - 2 q_t / q`."""
    t, u, slope, _, _, q, n = point
    n_t = at.right_slope * t + slope * (u - t) - at.left_slope * u
    q_t = (u - t) * (at.left_slope + at.right_slope - 2.0 * slope)
    return 2.0 * (n_t / n - q_t / q)


def _pull_back(at, point, dx, dy, dlog):
    """Cotangents of the bin, from those of the value and the log-slope, and of the point.

    Of `v`, of `y = bottom + height v` and of `L = log dy/dx` the derivatives at fixed `t` are

    ```none
    v_s = t u (d_{k+1} t^2 - d_k u^2) / q^2,   v_d = t u (1 - v) / q and -t u v / q
    L_s = 2 / s + 2 t u / n - 2 (t^2 + u^2) / q,   L_d = (u^2 and t^2) / n - 2 t u / q
    ```

    for the slopes `d = d_k` and `d_{k+1}`; and `t = (x - left) / width`, `s = height / width`.
    """
    t, u, slope, below, above, q, n = point
    tu, tt, uu = t * u, t * t, u * u
    dv = dy * at.height * tu / (q * q)
    dlog_q, dlog_n = 2.0 * dlog / q, dlog / n
    ds = (
        dv * (at.right_slope * tt - at.left_slope * uu)
        + dlog * 2.0 / slope
        + 2.0 * dlog_n * tu
        - dlog_q * (tt + uu)
    )
    return Bin(
        left=-dx,
        width=-(t * dx + ds * slope / at.width),
        bottom=dy,
        height=dy * below / q + ds / at.width,
        left_slope=dv * above + dlog_n * uu - dlog_q * tu,
        right_slope=-dv * below + dlog_n * tt - dlog_q * tu,
    )
