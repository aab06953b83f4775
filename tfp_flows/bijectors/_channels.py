"""What the bijectors over the last axis share: vectors `[C]`, or images `[height, width, C]`."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _tfp
from tfp_flows.bijectors._arguments import trailing_shape, tuple_of
from tfp_flows.numerics import positive_above, tiny

# Data of any unit can be normalized, and the inverse of any parameters is finite.
_MIN_SCALE = 1e-6


def event_shape_of(event_shape: Sequence[int] | None, num_channels: int | None) -> tf.TensorShape:
    """Checks the `event_shape` of a constructor.

    Args:
      event_shape: as it was given; `None` stands for vectors.
      num_channels: what the other arguments say that its last dimension is, if they do.

    Returns:
      The event shape.

    Raises:
      ValueError: it is not static, has no axis or an empty one, or another last dimension.
    """
    if event_shape is None:
        return tf.TensorShape([num_channels])
    shape = tf.TensorShape(event_shape)
    if not shape.rank or not shape.is_fully_defined() or 0 in shape:
        raise ValueError(
            "Argument `event_shape`: expected positive static dimensions, at least one, "
            f"received {tuple_of(shape)}."
        )
    if num_channels is not None and shape[-1] != num_channels:
        raise ValueError(
            f"Argument `event_shape`: expected {trailing_shape([num_channels])}, as the other "
            f"arguments have it, received {tuple(shape)}."
        )
    return shape


def permutation_of(permutation) -> np.ndarray:
    """Checks the `permutation` of a constructor.

    Args:
      permutation: as it was given.

    Returns:
      The permutation, an integer array `[C]`.

    Raises:
      TypeError: it does not hold integers.
      ValueError: it is not static, or does not hold each of 0 to C - 1 once.
    """
    is_symbolic = tf.is_tensor(permutation) and tf.get_static_value(permutation) is None
    if is_symbolic:
        raise ValueError(
            "Argument `permutation`: expected a static array, received a symbolic tensor."
        )
    static = np.asarray(permutation)
    if static.dtype.kind not in "iu":
        raise TypeError(
            f"Argument `permutation`: expected integers, received dtype {static.dtype}."
        )
    if static.ndim != 1 or not np.array_equal(np.sort(static), np.arange(max(static.size, 1))):
        raise ValueError(
            "Argument `permutation`: expected a vector with each of 0 to C - 1 once, received "
            f"{static.tolist()}."
        )
    return static


def beside_channels(parameter: tf.Tensor, event_shape: tf.TensorShape) -> tf.Tensor:
    """Makes `[..., C]` broadcast with events: `[..., 1, 1, C]` for images."""
    for _ in range(event_shape.rank - 1):
        parameter = parameter[..., tf.newaxis, :]
    return parameter


def total_log_det(log_det: tf.Tensor, value: tf.Tensor, event_shape: tf.TensorShape) -> tf.Tensor:
    """The log-det of a whole event, from that of each of its positions.

    Args:
      log_det: `[...]`, of the map of one position's channels; the same at all positions.
      value: `[..., *event_shape]`, whose batch shape the result has.
      event_shape: of one event.

    Returns:
      The log-det with the batch shape of `value`.
    """
    batch_shape = _tfp.prefer_static.shape(value)[: value.shape.rank - event_shape.rank]
    num_positions = int(np.prod(event_shape[:-1], dtype=np.int64))
    return tf.broadcast_to(num_positions * log_det, batch_shape)


def statistics(
    value: tf.Tensor, parameter: tf.Tensor, event_shape: tf.TensorShape
) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and variance of each channel over a batch.

    Args:
      value: `[..., *batch_shape, *event_shape]`.
      parameter: `[*batch_shape, C]`: the statistics are taken over all dimensions left of its batch
        shape, and over the positions.
      event_shape: of one event.

    Returns:
      Mean and variance (that of the batch itself, with denominator n), both `[*batch_shape, C]`.
    """
    left = value.shape.rank - (event_shape.rank - 1) - parameter.shape.rank
    positions = range(value.shape.rank - event_shape.rank, value.shape.rank - 1)
    axes = [*range(left), *positions]
    # Relative to one of the values: a large mean does not cost the digits of a small variance, and
    # the variance of equal values is exactly zero.
    first = (slice(0, 1) if axis in axes else slice(None) for axis in range(value.shape.rank))
    origin = value[tuple(first)]
    mean, variance = tf.nn.moments(value - origin, axes)
    return mean + tf.squeeze(origin, axes), variance


def channel_scale(raw: tf.Tensor) -> tf.Tensor:
    """Returns the positive scales that stand for unconstrained ones, zeros for ones."""
    return positive_above(raw, _MIN_SCALE)


def unconstrained(scale: tf.Tensor) -> tf.Tensor:
    """Returns `p` with `s(p) = scale`, for the `s` of `channel_scale`."""
    inverse = tfp.math.softplus_inverse
    value = tf.maximum((scale - _MIN_SCALE) / (1.0 - _MIN_SCALE), tiny(scale.dtype))
    return inverse(value) - inverse(tf.ones([], scale.dtype))


def rng_of(seed: int | np.random.Generator) -> np.random.Generator:
    """Returns a NumPy generator for the seed of a random map, which must be given.

    Raises:
      TypeError: `seed` is neither an integer nor a NumPy generator.
    """
    if isinstance(seed, (int, np.integer, np.random.Generator)) and not isinstance(seed, bool):
        return np.random.default_rng(seed)
    raise TypeError(
        f"Argument `seed`: expected an integer or a NumPy generator, received {seed!r}."
    )
