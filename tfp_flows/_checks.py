"""Checks of settings that all parts of the package share."""

import numbers
from collections.abc import Sequence

import tensorflow as tf


def check_at_least(minimum: int, **sizes: int) -> None:
    """Checks integers.

    Args:
      minimum: the smallest value allowed.
      **sizes: the arguments by name.

    Raises:
      TypeError: one is no integer.
      ValueError: one is too small.
    """
    for name, value in sizes.items():
        if not isinstance(value, numbers.Integral) or isinstance(value, bool):
            raise TypeError(f"Argument `{name}`: expected an integer, received {value!r}.")
        if value < minimum:
            raise ValueError(f"Argument `{name}`: expected at least {minimum}, received {value}.")


def check_hidden_units(hidden_units: Sequence[int], minimum: int = 1) -> None:
    """Checks the sizes of hidden layers, `hidden_units`, as `check_at_least` does."""
    check_at_least(minimum, **{f"hidden_units[{i}]": n for i, n in enumerate(hidden_units)})


def check_floating(dtype: tf.DType) -> None:
    """Raises a TypeError unless `dtype` is floating."""
    if not tf.as_dtype(dtype).is_floating:
        raise TypeError(f"Argument `dtype`: expected a floating dtype, received {dtype!r}.")
