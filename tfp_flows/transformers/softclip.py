"""Maps onto intervals and half lines: the last step of a flow on a bounded domain."""

import math

import numpy as np
import tensorflow as tf

from tfp_flows.transformers.affine import Affine
from tfp_flows.transformers.base import Transformer


class Softclip(Transformer):
    """An affine map, then a smooth clip to a domain with one end or two: R -> (low, high).

    ```none
    z = s(a) x + shift,   s(a) = softplus(a + log(e - 1))
    y = middle + half tanh((z - middle) / half)   for low and high, half = (high - low) / 2
    y = low + softplus(z - low)                   for low only
    y = high - softplus(high - z)                 for high only
    ```

    In the middle of an interval, and far from the end of a half line, the clip is the identity with
    slope one. Two parameters for each element: the shift and `a`. Zeros give the clip alone. Both
    directions are in closed form and cost the same.

    Only values inside the domain have an inverse: at its ends it is infinite, outside it is NaN.
    Values that a flow has to reach should not lie within rounding error of an end.

    Args:
      low: lower end, or `None`.
      high: upper end, or `None`; not both.

    Raises:
      ValueError: both ends are `None`, one is not finite, or they are in the wrong order.

    #### Examples

    A density on the unit square:

    ```python
    import tensorflow as tf
    import tensorflow_probability as tfp
    import tfp_flows as tff

    clip = tff.bijectors.Elementwise(
        tff.transformers.Softclip(low=0.0, high=1.0), params=tf.zeros([2]), event_ndims=0
    )
    flow = tff.flows.real_nvp(event_size=2, num_layers=4, seed=0)
    bounded = tfp.distributions.TransformedDistribution(flow, clip)
    samples = bounded.sample(5, seed=1)
    ```

    #### References

    The clip of half lines is that of `tfb.SoftClip`.
    """

    num_params = 2

    def __init__(self, low: float | None = None, high: float | None = None):
        ends = {"low": low, "high": high}
        if low is None and high is None:
            raise ValueError("Arguments `low`, `high`: expected at least one end, received None.")
        for name, end in ends.items():
            if end is not None and not math.isfinite(end):
                raise ValueError(f"Argument `{name}`: expected a finite number, received {end}.")
        if low is not None and high is not None and not low < high:
            raise ValueError(f"Argument `high`: expected more than low = {low}, received {high}.")
        self.low, self.high = low, high
        self._affine = Affine()

    def forward(self, x, params):
        z, log_scale = self._affine.forward(x, params)
        if self.high is None:
            y, log_slope = _above(z, self.low)
        elif self.low is None:
            y, log_slope = _mirrored(_above, z, self.high)
        else:
            y, log_slope = _between(z, self.low, self.high)
        return y, log_slope + log_scale

    def inverse(self, y, params):
        if self.high is None:
            z, log_slope = _from_above(y, self.low)
        elif self.low is None:
            z, log_slope = _mirrored(_from_above, y, self.high)
        else:
            z, log_slope = _from_between(y, self.low, self.high)
        x, log_scale = self._affine.inverse(z, params)
        return x, log_slope + log_scale

    def _settings(self):
        return (self.low, self.high)


def _above(z, low):
    return low + tf.math.softplus(z - low), tf.math.log_sigmoid(z - low)


def _from_above(y, low):
    # softplus^-1(d) = d + log(1 - exp(-d)).
    log_slope = tf.math.log(-tf.math.expm1(low - y))
    return y + log_slope, -log_slope


def _mirrored(clip, value, end):
    """The same for the other half line: both it and the value change their sign."""
    result, log_slope = clip(-value, -end)
    return -result, log_slope


def _between(z, low, high):
    half = 0.5 * (high - low)
    at = (z - 0.5 * (low + high)) / half
    # log sech^2 without overflow.
    distance = tf.abs(at)
    log_slope = 2.0 * (np.log(2.0) - distance - tf.math.softplus(-2.0 * distance))
    return 0.5 * (low + high) + half * tf.tanh(at), log_slope


def _from_between(y, low, high):
    # Both distances are exact close to their end, where `1 - tanh^2` would cancel.
    below, above = y - low, high - y
    half = 0.5 * (high - low)
    z = 0.5 * (low + high) + 0.5 * half * (tf.math.log(below) - tf.math.log(above))
    return z, 2.0 * np.log(half) - tf.math.log(below) - tf.math.log(above)
