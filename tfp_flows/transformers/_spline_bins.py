"""From unconstrained parameters to the bin of a spline that a point lies in."""

import tensorflow as tf

from tfp_flows.numerics import positive_above, splines

# The least size of a bin as a fraction of the interval, and the limits of the slope at a knot.
_MIN_SIZE = 1e-3
_MIN_SLOPE = 1e-3
# The inverse squares slopes, which may not overflow.
_MAX_SLOPE = 1e9
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
    slopes: tf.Tensor,
    bound: float,
    by_height: bool,
) -> splines.Bin:
    """Finds each point's bin.

    Args:
      value: points in [-bound, bound].
      widths: `[..., B]`, unconstrained.
      heights: `[..., B]`, unconstrained.
      slopes: unconstrained slopes at the knots: `[..., B - 1]` at the inner ones, if the slope at
        both ends is one; or `[..., B]`, where the last knot has that of the first one.
      bound: half the length of the interval.
      by_height: whether the points are values of the spline instead of arguments.

    Returns:
      The bins, elementwise.
    """
    widths = splines.bin_sizes(widths, 2.0 * bound, _MIN_SIZE)
    heights = splines.bin_sizes(heights, 2.0 * bound, _MIN_SIZE)
    # The bin is constant between knots: no gradient goes through the search. Nor through anything
    # that is sliced or joined here, whose gradients would cost a pass over all bins each.
    searched = tf.stop_gradient(heights if by_height else widths)[..., :-1]
    knots = tf.cumsum(searched, axis=-1) - bound
    # One for each inner knot that the point has passed, that is for each bin to the left of it.
    passed = tf.cast(value[..., tf.newaxis] >= knots, value.dtype)
    one = tf.ones_like(passed[..., :1])
    to_the_left = tf.concat([passed, 0.0 * one], axis=-1)
    in_bin = tf.concat([one, passed], axis=-1) - to_the_left
    # The slopes are picked unconstrained: two softplus for each point, not B + 1.
    left_slope, right_slope = (
        tf.reduce_sum(at * slopes, axis=-1) for at in _ends(in_bin, slopes.shape[-1])
    )
    return splines.Bin(
        tf.reduce_sum(to_the_left * widths, axis=-1) - bound,
        tf.reduce_sum(in_bin * widths, axis=-1),
        tf.reduce_sum(to_the_left * heights, axis=-1) - bound,
        tf.reduce_sum(in_bin * heights, axis=-1),
        positive_above(tf.minimum(left_slope, _MAX_SLOPE), _MIN_SLOPE),
        positive_above(tf.minimum(right_slope, _MAX_SLOPE), _MIN_SLOPE),
    )


def _ends(in_bin, num_slopes):
    """One for the knot at the left end of the bin, and one for that at the right end."""
    if num_slopes < in_bin.shape[-1]:  # of the outer knots, zero: the raw value of slope one
        return in_bin[..., 1:], in_bin[..., :-1]
    return in_bin, tf.roll(in_bin, 1, axis=-1)
