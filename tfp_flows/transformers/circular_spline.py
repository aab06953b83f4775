"""Rational-quadratic splines on the circle."""

import numpy as np
import tensorflow as tf

from tfp_flows.numerics import splines
from tfp_flows.transformers._spline_bins import check_num_bins, find_bin
from tfp_flows.transformers.base import Transformer


class CircularRationalQuadraticSpline(Transformer):
    """A rational-quadratic spline of angles, then a rotation: [-pi, pi) -> [-pi, pi).

    ```none
    y = spline(x) + phase   (mod 2 pi)
    ```

    The spline maps [-pi, pi] onto itself with equal slopes at both ends, so that a density stays
    continuous across the cut; the rotation moves the point that the spline leaves where it is.
    Angles are taken modulo 2 pi, and returned in [-pi, pi). Both directions are in closed form and
    cost the same.

    `3 num_bins + 1` parameters for each element: widths and heights (softmax), slopes (softplus)
    and the phase. Zeros give the identity.

    A conditioner that sees angles should see them through their sine and cosine, or the density of
    a coupling jumps where a kept angle passes pi.

    Args:
      num_bins: B, the number of bins, at least 2.

    Raises:
      TypeError: `num_bins` is no integer.
      ValueError: `num_bins` is out of range.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    spline = tff.transformers.CircularRationalQuadraticSpline(num_bins=8)
    params = tf.random.stateless_normal([3, spline.num_params], seed=[0, 1])
    y, log_derivative = spline.forward(tf.constant([-3.0, 0.0, 3.0]), params)
    ```

    #### References

    Rezende, Papamakarios, Racaniere, Albergo, Kanwar, Shanahan and Cranmer (2020), Normalizing
    Flows on Tori and Spheres, arXiv:2002.02428, section 2.1.2.
    """

    def __init__(self, num_bins: int = 8):
        check_num_bins(num_bins)
        self.num_bins = num_bins
        self.num_params = 3 * num_bins + 1

    def forward(self, x, params):
        at, phase = self._parts(params)
        y, log_slope = at(_wrap(x), splines.spline_forward, by_height=False)
        return _wrap(y + phase), log_slope

    def inverse(self, y, params):
        at, phase = self._parts(params)
        x, log_slope = at(_wrap(y - phase), splines.spline_inverse, by_height=True)
        return _wrap(x), log_slope

    def _parts(self, params):
        """The spline, as a function of point and direction, and the phase."""
        num_bins = self.num_bins
        widths, heights, slopes, phase = tf.split(
            params, [num_bins, num_bins, num_bins, 1], axis=-1
        )

        def evaluate(value, direction, by_height):
            at = find_bin(value, widths, heights, slopes, _pi(value), by_height)
            return direction(at, value)

        return evaluate, _wrap(phase[..., 0])

    def _settings(self):
        return (self.num_bins,)


def _pi(x):
    return x.dtype.as_numpy_dtype(np.pi)


def _wrap(angle):
    """The angle in [-pi, pi); one that is there already is returned as it is."""
    pi = _pi(angle)
    wrapped = angle - 2.0 * pi * tf.floor((angle + pi) / (2.0 * pi))
    # Rounding can give pi itself.
    below = np.nextafter(pi, np.zeros_like(pi))
    inside = (angle >= -pi) & (angle < pi)
    # Clipped to constants, an angle would have no gradient at the ends.
    return tf.where(inside, angle, wrapped - tf.stop_gradient(_excess(wrapped, -pi, below)))


def _excess(x, low, high):
    """How far `x` lies outside of the interval."""
    return x - tf.clip_by_value(x, low, high)
