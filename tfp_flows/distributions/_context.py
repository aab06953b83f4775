"""The one check of contexts."""

import tensorflow as tf


def checked_context(context, context_size: int, dtype: tf.DType) -> tf.Tensor:
    """Returns the context as a tensor of `dtype` whose last axis has size `context_size`.

    Raises:
      TypeError: the context does not consist of real numbers.
      ValueError: the last axis has another size, or there is none.
    """
    try:
        context = tf.convert_to_tensor(context, dtype_hint=dtype)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"Argument `context`: expected a tensor, received {type(context).__name__}. {error}"
        ) from error
    if not (context.dtype.is_floating or context.dtype.is_integer or context.dtype.is_bool):
        raise TypeError(
            f"Argument `context`: expected real numbers, received {context.dtype.name}."
        )
    shape = context.shape
    if shape.rank is not None and (
        shape.rank < 1 or not shape[-1:].is_compatible_with([context_size])
    ):
        raise ValueError(
            f"Argument `context`: expected shape (..., {context_size}), received {tuple(shape)}."
        )
    if shape.rank is not None and shape[-1] is None:
        sizes = shape[:-1].concatenate(context_size)
        context = tf.ensure_shape(context, sizes, name="argument_context")
    return tf.cast(context, dtype)
