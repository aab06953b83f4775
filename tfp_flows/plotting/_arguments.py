"""Checks of arguments that several pictures share."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import numpy as np


def check_integer(argument: str, value: Any, minimum: int) -> int:
    """Returns `value` as an `int`, or raises if it is none, or less than `minimum`."""
    message = f"{argument}: expected an integer >= {minimum}; received {value!r}"
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(message) from None
    if isinstance(value, bool):
        raise TypeError(message)
    if number < minimum:
        raise ValueError(message)
    return number


def check_positive(argument: str, value: Any) -> float:
    """Returns `value` as a `float`, or raises if it is no positive finite number."""
    message = f"{argument}: expected a positive number; received {value!r}"
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(message) from None
    if not 0.0 < number < float("inf"):
        raise ValueError(message)
    return number


def check_labelled(argument: str, value: Any, kind: str) -> None:
    """Raises unless `value` is a mapping from one or more labels, which are strings.

    Args:
      argument: what the message calls the argument.
      value: what the caller passed.
      kind: what the message calls the values of the mapping.
    """
    expected = f"{argument}: expected a mapping from labels to {kind}"
    if not isinstance(value, Mapping):
        raise TypeError(f"{expected}; received {type(value).__name__}")
    if not value:
        raise ValueError(f"{expected}, at least one; received none")
    for label in value:
        if not isinstance(label, str):
            raise TypeError(f"{expected}; received the label {label!r}")


def numbers(argument: str, value: Any) -> np.ndarray:
    """Returns `value`, an array or a tensor, as a float64 array; booleans count."""
    expected = f"{argument}: expected an array or tensor of real numbers"
    try:
        array = np.asarray(value)
    except Exception as error:  # what a tensor without a value raises depends on its library
        raise TypeError(f"{expected}; received {type(value).__name__} ({error})") from error
    # NumPy itself does not know bfloat16.
    if array.dtype.kind not in "buif" and array.dtype.name != "bfloat16":
        raise TypeError(f"{expected}; received dtype {array.dtype.name}")
    return array.astype(np.float64)


def evaluate(
    argument: str, function: Any, points: np.ndarray, shape: tuple[int, ...], finite: bool = True
) -> np.ndarray:
    """Calls `function` on points of the plane and checks what it returns.

    Args:
      argument: what the message calls the function.
      function: what the caller passed.
      points: array `[n, 2]`.
      shape: the shape to return.
      finite: whether infinite values are errors; NaNs are in any case.

    Returns:
      A float array of the shape `shape`.
    """
    if not callable(function):
        raise TypeError(f"{argument}: expected a callable; received {type(function).__name__}")
    values = numbers(f"result of {argument}", function(points))
    if values.shape != shape:
        raise ValueError(
            f"{argument}: expected a callable that returns the shape {shape} for points of the "
            f"shape {points.shape}; received the shape {values.shape}"
        )
    wrong = ~np.isfinite(values) if finite else np.isnan(values) | (values == np.inf)
    if wrong.any():
        rows = wrong.reshape(len(points), -1).any(axis=1)
        raise ValueError(
            f"{argument}: expected a callable that returns finite numbers; received "
            f"{values[wrong][0]} at {points[rows][0].tolist()} ({rows.sum()} of {len(points)} "
            "points)"
        )
    return values
