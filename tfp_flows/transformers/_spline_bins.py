"""From unconstrained parameters to the bin of a spline that a point lies in."""

import tensorflow as tf

from tfp_flows.numerics import positive, splines

# The least size of a bin as a fraction of the interval, and the least slope at a knot.
_MIN_SIZE = 1e-3
_MIN_SLOPE = 1e-3
_MAX_BINS = 256


def check_num_bins(num_bins: int) -> None:
    """Raises an error unless `num_bins` is an integer in range."""
    if not isinstance(num_bins, int) or isinstance(num_bins, bool):
        raise TypeError(f"Argument `num_bins`: expected an integer, received {num_bins!r}.")
    if not 2 <= num_bins <= _MAX_BINS:
        raise ValueError(f"Argument `num_bins`: expected 2 to {_MAX_BINS}, received {num_bins}.")


def find_bin(
    value: tf.Tensor,
    widths: tf.Tensor,
    heights: tf.Tensor,
    raw_slopes: tf.Tensor,
    bound: float,
    by_height: bool,
) -> splines.Bin:
    """Finds each point's bin.

    Args:
      value: points in [-bound, bound].
      widths: `[..., B]`, unconstrained.
      heights: `[..., B]`, unconstrained.
      raw_slopes: `[..., B + 1]`, unconstrained slopes at all knots.
      bound: half the length of the interval.
      by_height: whether the points are values of the spline instead of arguments.

    Returns:
      The bins, elementwise.
    """
    x = splines.spline_knots(widths, bound, _MIN_SIZE)
    y = splines.spline_knots(heights, bound, _MIN_SIZE)
    # A point lies in the bin after the last knot that it has passed.
    passed = tf.cast(value[..., tf.newaxis] >= (y if by_height else x)[..., 1:-1], value.dtype)
    one = tf.ones_like(passed[..., :1])
    in_bin = tf.concat([one, passed], axis=-1) - tf.concat([passed, 0.0 * one], axis=-1)

    def ends(of_knots):
        """Picks the values at both ends of the bin: a sum of one term and zeros, so exact."""
        return (
            tf.reduce_sum(in_bin * of_knots[..., :-1], axis=-1),
            tf.reduce_sum(in_bin * of_knots[..., 1:], axis=-1),
        )

    # The slopes are picked unconstrained: two softplus for each point, not B + 1.
    left_slope, right_slope = (positive(raw, _MIN_SLOPE).value for raw in ends(raw_slopes))
    return splines.Bin(*ends(x), *ends(y), left_slope, right_slope)
