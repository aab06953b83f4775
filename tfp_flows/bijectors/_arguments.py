"""Checks of constructor arguments that several bijectors share."""

from collections.abc import Iterable, Mapping

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_flows import _tfp


def as_parameters(dtype_hint: tf.DType = tf.float32, **tensors) -> tuple[tf.DType, list]:
    """Converts constructor arguments to one common floating dtype; variables stay live.

    Args:
      dtype_hint: the dtype if no argument has one.
      **tensors: the arguments by name.

    Returns:
      The dtype, and the arguments as tensors or variables, in order.

    Raises:
      TypeError: the arguments have different dtypes, or one that is not floating.
    """
    dtypes = {
        name: tf.as_dtype(t.dtype).name
        for name, t in tensors.items()
        if tf.is_tensor(t) or _tfp.tensor_util.is_ref(t)
    }
    if len(set(dtypes.values())) > 1:
        received = ", ".join(f"`{name}` {dtype}" for name, dtype in dtypes.items())
        raise TypeError(f"Expected arguments of one dtype, received {received}.")
    dtype = _tfp.dtype_util.common_dtype(list(tensors.values()), dtype_hint=dtype_hint)
    if not tf.as_dtype(dtype).is_floating:
        raise TypeError(
            f"Arguments {_quoted(tensors)}: expected a floating dtype, "
            f"received {tf.as_dtype(dtype).name}."
        )
    converted = [
        _tfp.tensor_util.convert_nonref_to_tensor(t, dtype=dtype, name=name)
        for name, t in tensors.items()
    ]
    return dtype, converted


def common_dtype(argument: str, bijectors: Iterable[tfb.Bijector]) -> tf.DType | None:
    """Returns the dtype of those bijectors that have one; raises a TypeError if they differ."""
    dtypes = {tf.as_dtype(bijector.dtype) for bijector in bijectors if bijector.dtype is not None}
    if len(dtypes) > 1:
        names = ", ".join(sorted(dtype.name for dtype in dtypes))
        raise TypeError(
            f"Argument `{argument}`: expected bijectors of one dtype, received {names}."
        )
    return dtypes.pop() if dtypes else None


def check_shapes(
    tensors: Mapping[str, tf.Tensor], event_shapes: Mapping[str, str]
) -> dict[str, int | None]:
    """Checks that the rightmost dimensions of the arguments fit together, as far as they are known
    statically.

    Args:
      tensors: arguments by name.
      event_shapes: the expected rightmost dimensions by name, one letter each: `{"w": "KD", "b":
        "K"}`.

    Returns:
      The size of each letter, `None` where it is unknown.

    Raises:
      ValueError: an argument has too few dimensions, or two of them give different sizes to a
        letter, or the dimensions left of the event do not broadcast.
    """
    sizes: dict[str, int] = {}
    batch_shape = tf.TensorShape([])
    received = ", ".join(f"`{name}` {tuple_of(t.shape)}" for name, t in tensors.items())
    expected = ", ".join(
        f"`{name}` [..., {', '.join(letters)}]" if letters else f"`{name}` [...]"
        for name, letters in event_shapes.items()
    )
    message = f"Expected shapes {expected}; received {received}."
    for name, letters in event_shapes.items():
        shape = tensors[name].shape
        if shape.rank is None:
            batch_shape = tf.TensorShape(None)
            continue
        if shape.rank < len(letters):
            raise ValueError(message)
        num_batch = shape.rank - len(letters)
        for letter, size in zip(letters, shape[num_batch:], strict=True):
            if size is not None and sizes.setdefault(letter, size) != size:
                raise ValueError(message)
        try:
            batch_shape = tf.broadcast_static_shape(batch_shape, shape[:num_batch])
        except ValueError as error:
            raise ValueError(message) from error
    return {letter: sizes.get(letter) for letters in event_shapes.values() for letter in letters}


def check_positive(name: str, value) -> None:
    """Raises a ValueError if a constant argument is known to hold a value that is not positive."""
    if _tfp.tensor_util.is_ref(value):
        return
    static = tf.get_static_value(value)
    if static is not None and not np.all(static > 0.0):
        raise ValueError(
            f"Argument `{name}`: expected positive values, received a minimum of {np.min(static)}."
        )


def trailing_shape(shape) -> str:
    """The shape of a tensor by its rightmost dimensions, for messages: `(..., 3)`."""
    return f"({', '.join(['...', *map(str, shape)])})"


def tuple_of(shape: tf.TensorShape) -> tuple | None:
    """A shape as a tuple for messages, `None` for an unknown rank."""
    return None if shape.rank is None else tuple(shape)


def _quoted(names) -> str:
    return ", ".join(f"`{name}`" for name in names)
