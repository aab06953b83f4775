"""How a coupling splits an event: one part passes through, the other one is transformed."""

import numpy as np
import tensorflow as tf

from tfp_flows.numerics import permute


def make_split(mask) -> "ChannelSplit | SpatialSplit":
    """Returns the split for a mask.

    Args:
      mask: boolean array of the event's shape, True where an element passes through.

    Returns:
      A `ChannelSplit` if the mask depends on the last axis only (always so for vectors), else a
      `SpatialSplit`.

    Raises:
      TypeError: the mask is not boolean.
      ValueError: the mask is not static, has no axis, or keeps or transforms everything.
    """
    static = tf.get_static_value(mask) if tf.is_tensor(mask) else np.asarray(mask)
    if static is None:
        raise ValueError("Argument `mask`: expected a static array, received a symbolic tensor.")
    if static.dtype != np.bool_:
        raise TypeError(
            f"Argument `mask`: expected a boolean array, received dtype {static.dtype}."
        )
    if static.ndim == 0:
        raise ValueError("Argument `mask`: expected at least one axis, received a scalar.")
    if static.all() or not static.any():
        raise ValueError(
            "Argument `mask`: expected both True (passes through) and False (is transformed), "
            f"received only {bool(static.any())} in shape {static.shape}."
        )
    rows = static.reshape(-1, static.shape[-1])
    return ChannelSplit(static) if (rows == rows[0]).all() else SpatialSplit(static)


class ChannelSplit:
    """A split along the last axis, by slicing; other orders of the elements are permuted first.

    The conditioner sees the kept elements, `[..., num_kept]`, and its output holds the parameters
    of the transformed ones, `[..., num_transformed * num_params]`.
    """

    def __init__(self, mask: np.ndarray):
        kept = mask.reshape(-1, mask.shape[-1])[0]
        self.event_shape = tf.TensorShape(mask.shape)
        self._num_kept = int(kept.sum())
        self._num_transformed = int((~kept).sum())
        self._kept_first = bool(kept[0])
        order = np.argsort(~kept if self._kept_first else kept, kind="stable")
        is_sorted = (order == np.arange(order.size)).all()
        self._order = None if is_sorted else order

    @property
    def conditioner_shape(self) -> tuple[int, ...]:
        """Shape of one input of the conditioner."""
        return (*self.event_shape[:-1], self._num_kept)

    @property
    def transformed_shape(self) -> tuple[int, ...]:
        """Shape of one event's transformed part."""
        return (*self.event_shape[:-1], self._num_transformed)

    def split(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns what the conditioner sees and what is transformed."""
        if self._order is not None:
            x = permute(x, self._order)
        # A split, not slices: its gradient is one concatenation.
        if self._kept_first:
            return tuple(tf.split(x, [self._num_kept, self._num_transformed], axis=-1))
        transformed, kept = tf.split(x, [self._num_transformed, self._num_kept], axis=-1)
        return kept, transformed

    def merge(self, x: tf.Tensor, kept: tf.Tensor, transformed: tf.Tensor) -> tf.Tensor:
        """Puts the transformed part back beside the kept one."""
        del x
        if transformed.shape.rank is None or transformed.shape[:-1] != kept.shape[:-1]:
            # The parameters may have more batch dimensions than the input.
            shape = tf.concat([tf.shape(transformed)[:-1], [self._num_kept]], axis=0)
            kept = tf.broadcast_to(kept, shape)
        parts = [kept, transformed] if self._kept_first else [transformed, kept]
        y = tf.concat(parts, axis=-1)
        return y if self._order is None else permute(y, np.argsort(self._order))

    def sum_log_derivative(self, log_derivative: tf.Tensor) -> tf.Tensor:
        """Sums over the transformed elements of an event."""
        return tf.reduce_sum(log_derivative, axis=_last_axes(self.event_shape))


class SpatialSplit:
    """A split of images by a mask over positions, such as a checkerboard.

    The conditioner sees the whole event with zeros at the transformed positions, so that
    convolutions apply, and its output holds parameters for every position, `[..., height, width,
    channels * num_params]`; those of kept positions are not used.
    """

    def __init__(self, mask: np.ndarray):
        self.event_shape = tf.TensorShape(mask.shape)
        self._mask = mask

    @property
    def conditioner_shape(self) -> tuple[int, ...]:
        """Shape of one input of the conditioner."""
        return tuple(self.event_shape)

    @property
    def transformed_shape(self) -> tuple[int, ...]:
        """Shape of the transformed part: the whole event; kept positions are put back."""
        return tuple(self.event_shape)

    def split(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns what the conditioner sees and what is transformed."""
        zeros = tf.zeros_like(x)
        return tf.where(self._mask, x, zeros), tf.where(self._mask, zeros, x)

    def merge(self, x: tf.Tensor, kept: tf.Tensor, transformed: tf.Tensor) -> tf.Tensor:
        """Puts the transformed part back beside the kept one."""
        del kept
        return tf.where(self._mask, x, transformed)

    def sum_log_derivative(self, log_derivative: tf.Tensor) -> tf.Tensor:
        """Sums over the transformed elements of an event."""
        moved = tf.where(self._mask, tf.zeros_like(log_derivative), log_derivative)
        return tf.reduce_sum(moved, axis=_last_axes(self.event_shape))


def _last_axes(event_shape):
    return list(range(-event_shape.rank, 0))
