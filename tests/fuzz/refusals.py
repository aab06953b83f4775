"""Arguments that are no input of a bijector or a distribution: each gets an error that names it."""

import dataclasses
import re
from typing import Any

import numpy as np
import tensorflow as tf
from hypothesis import strategies

from tests.fuzz.targets import Entry, Target

_REAL = ("float16", "bfloat16", "float32", "float64", "int32", "int64", "uint8")
_DTYPES = (*_REAL, "bool", "complex64", "complex128", "string")
_OBJECTS = {
    "None": lambda shape: None,
    "text": lambda shape: "text",
    "object": lambda shape: object(),
    "mapping": lambda shape: {"x": np.zeros(shape)},
    "uneven lists": lambda shape: [[1.0], [1.0, 2.0]],
    "ragged": lambda shape: tf.ragged.constant([[1.0], [1.0, 2.0]]),
    "sparse": lambda shape: tf.sparse.from_dense(tf.ones([2, *shape])),
}


class NotRefusedError(AssertionError):
    """A wrong argument gives a result."""


class UndocumentedError(AssertionError):
    """The error is of another type, or does not name the argument."""


@dataclasses.dataclass(frozen=True)
class Refusal:
    """A wrong argument.

    Attributes:
      entry: which function of the target, counted modulo their number.
      batch_shape: in front of the event.
      dtype: of the tensor, `None` for the right one.
      change: of the event's sizes: which, and by how much; `None` for the right ones.
      drop: whether to leave the event's first dimension and the batch out.
      what: a word for an object that is no tensor, or `None`.
      is_traced: whether the function is traced with unknown sizes.
    """

    entry: int
    batch_shape: tuple[int, ...]
    dtype: str | None
    change: tuple[int, int] | None
    drop: bool
    what: str | None
    is_traced: bool


def refusals() -> strategies.SearchStrategy[Refusal]:
    """Draws wrong arguments; a few are right after all, which `check` passes over."""
    return strategies.builds(
        Refusal,
        entry=strategies.integers(0, 3),
        batch_shape=strategies.lists(strategies.integers(0, 3), max_size=3).map(tuple),
        dtype=strategies.one_of(strategies.none(), strategies.sampled_from(_DTYPES)),
        change=strategies.one_of(
            strategies.none(),
            strategies.tuples(strategies.integers(0, 3), strategies.sampled_from([-2, -1, 1, 2])),
        ),
        drop=strategies.booleans(),
        what=strategies.one_of(strategies.none(), strategies.sampled_from(list(_OBJECTS))),
        is_traced=strategies.booleans(),
    )


def check(target: Target, refusal: Refusal) -> None:
    """Gives a wrong argument to a function of a target."""
    entry = target.entries[refusal.entry % len(target.entries)]
    value = _value(entry, target.dtype, refusal)
    if tf.is_tensor(value) and hasattr(value, "numpy") and _is_right(entry, target.dtype, value):
        return
    call = entry.call
    if refusal.is_traced and entry.reads_values and isinstance(value, tf.Tensor):
        call = _traced(entry, value)
    try:
        result = call(value)
    except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
        # What cannot become a tensor does not get past TFP's distributions.
        is_from_tfp = refusal.what is not None and not entry.is_ours
        if not is_from_tfp and not re.search(_naming(entry.argument), str(error)):
            raise UndocumentedError(f"{entry.name}: {_described(value)}: {error}") from error
        return
    raise NotRefusedError(f"{entry.name}: {_described(value)} gives {result}")


def _naming(argument):
    """A pattern: our messages; our nodes in those of graphs; and those of `tfb.Chain`."""
    return f"`{argument}`|argument_{argument}\\b|^{argument}: "


def _value(entry, dtype, refusal) -> Any:
    shape = list(entry.event_shape)
    if refusal.change is not None:
        axis, difference = refusal.change
        shape[axis % len(shape)] = max(0, shape[axis % len(shape)] + difference)
    shape = shape[1:] if refusal.drop else [*refusal.batch_shape, *shape]
    if refusal.what is not None:
        return _OBJECTS[refusal.what](shape)
    name = refusal.dtype or dtype.name
    return tf.fill(shape, "text") if name == "string" else tf.zeros(shape, name)


def _is_right(entry, dtype, value):
    rank = len(entry.event_shape)
    has_shape = value.shape.rank >= rank and value.shape[value.shape.rank - rank :] == list(
        entry.event_shape
    )
    can_be_cast = entry.casts and value.dtype.name in (*_REAL, "bool")
    return has_shape and (value.dtype == dtype or can_be_cast)


def _traced(entry: Entry, value: tf.Tensor):
    """The function, which knows nothing of the sizes while it is traced."""
    spec = tf.TensorSpec([None] * value.shape.rank, value.dtype)
    return tf.function(entry.call, input_signature=[spec], autograph=False)


def _described(value):
    if isinstance(value, tf.Tensor):
        return f"{value.dtype.name} {tuple(value.shape)}"
    return repr(value)
