"""Checks of the values in the data: finite, within bounds, not empty."""

import gc
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfp_flows.models import _schema

# Errors that are raised inside an input pipeline reach us as TensorFlow errors, with the message
# somewhere in their text. This mark finds it there.
_MARK = "Bad data in argument "
_MARKED = re.compile(re.escape(_MARK) + r"[^\]\n]*")

# Rows are checked in blocks of about this many numbers, so that no large mask is made.
_BLOCK_SIZE = 2**20


def check_array(column: _schema.Column, values: np.ndarray, place: Callable[[int], str]) -> None:
    """Checks the values of an array.

    Args:
      column: what is expected.
      values: the array, rows first.
      place: says in words where a row is, by its number.

    Raises:
      ValueError: a value is not finite, or out of bounds. It names the first such row.
    """
    row_size = max(1, int(np.prod(values.shape[1:])))
    rows_a_block = max(1, _BLOCK_SIZE // row_size)
    for start in range(0, len(values), rows_a_block):
        block = values[start : start + rows_a_block]
        for expected, good in _conditions(column, block, np.isfinite):
            good_rows = good.reshape([len(block), -1]).all(axis=1)
            if not good_rows.all():
                row = start + int(np.argmin(good_rows))
                raise ValueError(_message(column, expected, place(row)))


def check_tensor(column: _schema.Column, values: tf.Tensor, batch: tf.Tensor) -> None:
    """Adds to an input pipeline the checks of one column of one batch.

    They belong in a `tf.data` function, not in the model: XLA would drop them there.

    Args:
      column: what is expected.
      values: the batch of that column, in the dtype of the column.
      batch: the number of the batch, int64.
    """
    for expected, good in _conditions(column, values, tf.math.is_finite):
        message = _message(column, expected, "batch {} (counted from 0)")
        tf.debugging.Assert(tf.reduce_all(good), [tf.strings.format(message, batch)])


def _conditions(column: _schema.Column, values: Any, is_finite: Any) -> Iterator[tuple[str, Any]]:
    """What is expected of the values, in words and elementwise."""
    if tf.as_dtype(values.dtype).is_floating:
        yield "finite values (no NaN, no infinity)", is_finite(values)
    if column.bounds is not None and values.dtype != bool:
        low, high = column.bounds
        yield f"values between {low:g} and {high:g}", (values >= low) & (values <= high)


def _message(column: _schema.Column, expected: str, place: str) -> str:
    # Without line breaks and closing brackets, by which `call_with_value_errors` knows the end.
    return f"{_MARK}`{column.name}`: expected {expected}, received another one in {place}."


def call_with_value_errors(function: Callable[..., Any], source: Any, **kwargs: Any) -> Any:
    """Runs a loop of Keras; what a check inside an input pipeline raises becomes a ValueError.

    Args:
      function: `fit`, `evaluate` or `predict` of Keras.
      source: its data.
      **kwargs: its other arguments.

    Returns:
      What it returns.

    Raises:
      ValueError: a check found bad data.
    """
    try:
        return function(source, **kwargs)
    except tf.errors.OpError as error:
        marked = _MARKED.search(str(error))
        if marked is None:
            raise
        message = marked.group()
    # Keras leaves the iterator of the failed pass in a reference cycle. One over Python code must
    # not live until the interpreter exits, where TensorFlow would wait for that code for ever. So
    # the error that refers to it is dropped here, and the cycle collected.
    if any(
        isinstance(data, (keras.utils.PyDataset, Iterator))
        for data in (source, kwargs.get("validation_data"))
    ):
        gc.collect()
    raise ValueError(message)


def refuse_empty(num_batches_or_rows: int | None) -> None:
    """Raises a ValueError if there is nothing; `None` stands for an unknown number."""
    if num_batches_or_rows == 0:
        raise ValueError("Argument `x`: expected data, received none: they hold no batch at all.")


def with_guard(callbacks: Any) -> Any:
    """Puts `RefuseEmptyData` in front of what a user gives as `callbacks`."""
    guard = RefuseEmptyData()
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks.append(guard)
        return callbacks
    if callbacks is None:
        return [guard]
    return [guard, *callbacks] if isinstance(callbacks, (list, tuple)) else [guard, callbacks]


class RefuseEmptyData(keras.callbacks.Callback):
    """Raises a ValueError when a pass over the data has met no batch at all.

    Keras would go on, and report a loss of zero. Sizes that are known are checked before; this is
    for data that turn out to be empty. It looks at what a batch leaves behind: older versions of
    Keras do not call callbacks for a last execution of fewer than `steps_per_execution` steps.
    """

    def on_epoch_begin(self, epoch: int, logs: Mapping | None = None) -> None:
        """Notes where the optimizer stands."""
        self._first_iteration = int(self.model.optimizer.iterations)

    def on_epoch_end(self, epoch: int, logs: Mapping | None = None) -> None:
        """Checks that the optimizer has made a step."""
        refuse_empty(int(self.model.optimizer.iterations) - self._first_iteration)

    def on_test_end(self, logs: Mapping | None = None) -> None:
        """Checks that a loss has been counted."""
        loss = next(metric for metric in self.model.metrics if metric.name == "loss")
        refuse_empty(int(loss.count))

    def on_predict_begin(self, logs: Mapping | None = None) -> None:
        """Starts to count batches; predictions leave nothing behind."""
        self._num_batches = 0

    def on_predict_batch_end(self, batch: int, logs: Mapping | None = None) -> None:
        """Counts a batch."""
        self._num_batches += 1

    def on_predict_end(self, logs: Mapping | None = None) -> None:
        """Checks that there was a batch."""
        refuse_empty(self._num_batches)
