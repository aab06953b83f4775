"""The one check of contexts."""

import tensorflow as tf


def checked_context(context, context_size: int, dtype: tf.DType) -> tf.Tensor:
    """Returns the context as a tensor of `dtype` whose last axis has size `context_size`.

    Raises:
      ValueError: the last axis has another size, or there is none.
    """
    context = tf.convert_to_tensor(context, dtype_hint=dtype)
    shape = context.shape
    if shape.rank is not None and (
        shape.rank < 1 or not shape[-1:].is_compatible_with([context_size])
    ):
        raise ValueError(
            f"Argument `context`: expected shape (..., {context_size}), received {tuple(shape)}."
        )
    return tf.cast(context, dtype)
