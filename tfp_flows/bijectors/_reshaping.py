"""The base of bijectors whose outputs have another event shape than their inputs."""

from collections.abc import Sequence

import tensorflow as tf

from tfp_flows import _tfp
from tfp_flows.bijectors._arguments import trailing_shape, tuple_of
from tfp_flows.bijectors.base import FusedBijector

ps = _tfp.prefer_static


class ReshapingBijector(FusedBijector):
    """A fused bijector that tells TFP of its two event shapes, which are static.

    TFP asks for the shape of an output by that of an input, which may have more dimensions on the
    left than the event has: they stay.
    """

    def _forward_event_shape(self, input_shape):
        return self._exchanged(input_shape, "x", self._event_shape, self._output_shape)

    def _inverse_event_shape(self, output_shape):
        return self._exchanged(output_shape, "y", self._output_shape, self._event_shape)

    def _forward_event_shape_tensor(self, input_shape):
        return _exchanged_tensor(input_shape, self._event_shape, self._output_shape)

    def _inverse_event_shape_tensor(self, output_shape):
        return _exchanged_tensor(output_shape, self._output_shape, self._event_shape)

    def _exchanged(self, shape, argument, old, new):
        shape = tf.TensorShape(shape)
        if shape.rank is None:
            return shape
        if shape.rank < old.rank or not old.is_compatible_with(shape[shape.rank - old.rank :]):
            raise ValueError(
                f"{self.name}: argument `{argument}`: expected event shape {tuple(old)}, that is a "
                f"shape {trailing_shape(old)}, received {tuple_of(shape)}."
            )
        return shape[: shape.rank - old.rank].concatenate(new)


def _exchanged_tensor(shape, old, new):
    return ps.concat([shape[: ps.size(shape) - old.rank], ps.cast(new, shape.dtype)], axis=0)


def reshape_events(values: tf.Tensor, like: tf.Tensor, num_dims: int, event_shape) -> tf.Tensor:
    """Gives values the batch dimensions of another tensor.

    Args:
      values: tensor with as many elements as the result; its own shape does not matter.
      like: tensor whose batch dimensions are wanted.
      num_dims: how many rightmost dimensions of `like` are no batch dimensions.
      event_shape: what stands in their place, static.

    Returns:
      A tensor of shape `[..., *event_shape]`.
    """
    batch_shape = tf.shape(like)[: tf.rank(like) - num_dims]
    y = tf.reshape(values, tf.concat([batch_shape, event_shape], axis=0))
    if like.shape.rank is None:
        return y
    return tf.ensure_shape(y, like.shape[: like.shape.rank - num_dims].concatenate(event_shape))


def concat_batches(parts: Sequence[tf.Tensor], event_ndims: int) -> tf.Tensor:
    """Concatenates along the last axis; batch dimensions broadcast.

    Args:
      parts: tensors `[..., *event]` whose events differ in their last axis only.
      event_ndims: rank of the events.

    Returns:
      The concatenated events, with the broadcast batch dimensions.
    """
    batch_shapes = [part.shape[:-event_ndims] for part in parts]
    if any(shape.rank is None or shape != batch_shapes[0] for shape in batch_shapes):
        # A level's parameters may have more batch dimensions than its input.
        batch_shape = ps.shape(parts[0])[:-event_ndims]
        for part in parts[1:]:
            batch_shape = ps.broadcast_shape(batch_shape, ps.shape(part)[:-event_ndims])
        parts = [
            tf.broadcast_to(part, ps.concat([batch_shape, ps.shape(part)[-event_ndims:]], axis=0))
            for part in parts
        ]
    return tf.concat(parts, axis=-1)
