"""The usual masks of coupling layers, and the check of the shapes that they are made for."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf


def checkerboard_mask(event_shape: Sequence[int], parity: int = 0) -> np.ndarray:
    """Returns a checkerboard over the positions of an image, the same for all channels.

    ```none
    mask[i, j, c] = (i + j + parity) is even
    ```

    Args:
      event_shape: `[height, width, channels]`, at least two positions.
      parity: 0 or 1; two masks of different parity are each other's complement.

    Returns:
      Boolean array `[height, width, channels]`, True where a `Coupling` lets an element pass
      through.

    Raises:
      TypeError: a size or the parity is no integer.
      ValueError: a size is not positive, there is one position only, or the parity is neither 0
        nor 1.

    #### Examples

    ```python
    import tfp_flows as tff

    tff.bijectors.checkerboard_mask([2, 2, 1])[..., 0]  # [[True, False], [False, True]]
    ```

    #### References

    Dinh, Sohl-Dickstein and Bengio (2016), Density estimation using Real NVP, arXiv:1605.08803,
    section 3.4.
    """
    height, width, channels = checked_image_shape("event_shape", event_shape)
    _check_parity(parity)
    if height * width < 2:
        raise ValueError(
            "Argument `event_shape`: expected at least two positions, "
            f"received {(height, width, channels)}."
        )
    colour = np.add.outer(np.arange(height), np.arange(width)) % 2
    return np.repeat(colour[..., np.newaxis] == parity, channels, axis=-1)


def channel_mask(event_shape: Sequence[int], parity: int = 0) -> np.ndarray:
    """Returns a mask of half of an image's channels, or of a vector's elements.

    ```none
    mask[..., c] = c < channels // 2     for parity 0, its complement for parity 1
    ```

    Args:
      event_shape: `[height, width, channels]`, or `[channels]`; at least two channels.
      parity: 0 or 1; two masks of different parity are each other's complement.

    Returns:
      Boolean array of the event's shape, True where a `Coupling` lets an element pass through.

    Raises:
      TypeError: a size or the parity is no integer.
      ValueError: the shape has another rank, a size is not positive, there is one channel only, or
        the parity is neither 0 nor 1.

    #### Examples

    ```python
    import tfp_flows as tff

    tff.bijectors.channel_mask([1, 1, 4])[0, 0]  # [True, True, False, False]
    ```

    #### References

    Dinh, Sohl-Dickstein and Bengio (2016), Density estimation using Real NVP, arXiv:1605.08803,
    section 3.4.
    """
    shape = _checked_shape("event_shape", event_shape, ranks=(1, 3))
    _check_parity(parity)
    if shape[-1] < 2:
        raise ValueError(
            f"Argument `event_shape`: expected at least two channels, received {shape}."
        )
    first_half = np.arange(shape[-1]) < shape[-1] // 2
    return np.broadcast_to(first_half == (parity == 0), shape).copy()


def alternating_mask(event_size: int, parity: int = 0) -> np.ndarray:
    """Returns a mask of every other element of a vector.

    ```none
    mask[i] = (i + parity) is even
    ```

    Args:
      event_size: D, at least two.
      parity: 0 or 1; two masks of different parity are each other's complement.

    Returns:
      Boolean array `[D]`, True where a `Coupling` lets an element pass through.

    Raises:
      TypeError: the size or the parity is no integer.
      ValueError: the size is below two, or the parity is neither 0 nor 1.

    #### Examples

    ```python
    import tfp_flows as tff

    tff.bijectors.alternating_mask(5)  # [True, False, True, False, True]
    ```

    #### References

    Dinh, Krueger and Bengio (2014), NICE: Non-linear Independent Components Estimation,
    arXiv:1410.8516, section 5.1 (odd and even components).
    """
    (size,) = _checked_shape("event_size", [event_size], ranks=(1,))
    _check_parity(parity)
    if size < 2:
        raise ValueError(f"Argument `event_size`: expected at least 2, received {size}.")
    return np.arange(size) % 2 == parity


def checked_image_shape(argument: str, shape: Sequence[int]) -> tuple[int, int, int]:
    """Returns the shape of an image as a tuple.

    Args:
      argument: the name of the argument, for messages.
      shape: `[height, width, channels]`, as a sequence, an array or a `tf.TensorShape`.

    Returns:
      `(height, width, channels)`.

    Raises:
      TypeError: it is no sequence of integers.
      ValueError: it has another rank than three, or a size is not positive or not static.
    """
    return _checked_shape(argument, shape, ranks=(3,))


def _checked_shape(argument, shape, ranks):
    """A static shape of positive sizes, as a tuple of Python integers."""
    names = {1: "[channels]", 3: "[height, width, channels]"}
    expected = " or ".join(names[rank] for rank in ranks)
    message = f"Argument `{argument}`: expected {expected}, received {shape!r}."
    if isinstance(shape, tf.TensorShape):
        sizes = shape.as_list() if shape.rank is not None else []
    elif isinstance(shape, Sequence) or getattr(shape, "ndim", 0) == 1:
        sizes = list(shape)
    else:
        raise TypeError(message)
    if len(sizes) not in ranks or None in sizes:
        raise ValueError(message)
    if not all(
        isinstance(size, (int, np.integer)) and not isinstance(size, bool) for size in sizes
    ):
        raise TypeError(f"Argument `{argument}`: expected integers, received {shape!r}.")
    if min(sizes) < 1:
        raise ValueError(f"Argument `{argument}`: expected positive sizes, received {shape!r}.")
    return tuple(int(size) for size in sizes)


def _check_parity(parity):
    if not isinstance(parity, (int, np.integer)) or isinstance(parity, bool):
        raise TypeError(f"Argument `parity`: expected an integer, received {parity!r}.")
    if parity not in (0, 1):
        raise ValueError(f"Argument `parity`: expected 0 or 1, received {parity}.")
