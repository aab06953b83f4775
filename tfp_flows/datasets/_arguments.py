"""Checks of arguments that several functions of this package share."""

import operator
from collections.abc import Iterable
from typing import Any

# The seeds that both NumPy and tf.data take.
_LARGEST_SEED = 2**63 - 1


def check_name(argument: str, value: Any, known: Iterable[str]) -> None:
    """Raises unless `value` is one of the strings `known`.

    Args:
      argument: what the message calls the argument.
      value: what the caller passed.
      known: the names that exist.

    Raises:
      TypeError: if `value` is not a string.
      ValueError: if it is none of `known`.
    """
    names = ", ".join(repr(name) for name in known)
    if not isinstance(value, str):
        raise TypeError(f"{argument}: expected one of {names}; received {value!r}")
    if value not in known:
        raise ValueError(f"{argument}: expected one of {names}; received {value!r}")


def check_integer(argument: str, value: Any, minimum: int, maximum: int | None = None) -> int:
    """Returns `value` as an `int`, of whatever integer type it is.

    Args:
      argument: what the message calls the argument.
      value: what the caller passed; a bool is no integer here.
      minimum: the smallest value allowed.
      maximum: the largest value allowed; None for no limit.

    Returns:
      The value.

    Raises:
      TypeError: if `value` is not an integer.
      ValueError: if it lies outside the limits.
    """
    limits = f">= {minimum}" if maximum is None else f"from {minimum} to {maximum}"
    message = f"{argument}: expected an integer {limits}; received {value!r}"
    if isinstance(value, bool):
        raise TypeError(message)
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(message) from None
    if number < minimum or (maximum is not None and number > maximum):
        raise ValueError(message)
    return number


def check_seed(seed: Any) -> int | None:
    """Returns `seed`, None or an integer from 0 to 2**63 - 1.

    Args:
      seed: what the caller passed.

    Returns:
      The seed.

    Raises:
      TypeError: if it is neither None nor an integer.
      ValueError: if it is negative or needs more than 63 bits.
    """
    return None if seed is None else check_integer("seed", seed, 0, _LARGEST_SEED)
