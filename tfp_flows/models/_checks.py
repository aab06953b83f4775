"""Checks of the values in the data: finite, within bounds, not empty."""

import gc
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfp_flows.models import _schema

# Errors that are raised inside an input pipeline reach us as TensorFlow errors, with our message
# somewhere in their text. It has neither line breaks nor closing brackets, which end it there.
_OUR_MESSAGE = re.compile(
    r"Argument `\w+`: expected (finite values|values between|rows of)[^\]\n]*"
)
# The same of Python code that makes batches: the end of its traceback stands first, in a line.
_OUR_ERROR = re.compile(r"(TypeError|ValueError): ((?:Argument `\w+`: e|E)xpected [^\n]*)")

_KINDS = {"TypeError": TypeError, "ValueError": ValueError}

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
                bad = int(np.argmin(good_rows))
                value = block[bad][~good[bad]].flat[0]
                received = f"{value} in {place(start + bad)}"
                raise ValueError(_message(column, expected, received))


def check_tensor(column: _schema.Column, values: tf.Tensor, batch: tf.Tensor) -> None:
    """Adds to an input pipeline the checks of the values of one column of one batch.

    They belong in a `tf.data` function, not in the model: XLA would drop them there.

    Args:
      column: what is expected.
      values: the batch of that column, in the dtype of the column.
      batch: the number of the batch, int64.
    """
    for expected, good in _conditions(column, values, tf.math.is_finite):
        _assert_in_pipeline(good, column, expected, batch)
    # The mean loss of no rows is NaN.
    _assert_in_pipeline(tf.shape(values)[0] > 0, column, "rows of data", batch, "none")


def with_checked_shape(column: _schema.Column, values: tf.Tensor, batch: tf.Tensor) -> tf.Tensor:
    """Adds to an input pipeline a check of a shape that is not known statically.

    Args:
      column: what is expected.
      values: the batch of that column.
      batch: the number of the batch, int64.

    Returns:
      The values, behind the check.
    """
    if column.shape is None or values.shape[1:].is_fully_defined():
        return values
    # Shapes that do not even broadcast are unequal, and no error of their own.
    good = tf.raw_ops.Equal(
        x=tf.shape(values)[1:],
        y=tf.constant(column.shape, tf.int32),
        incompatible_shape_error=False,
    )
    check = _assert_in_pipeline(good, column, f"rows of shape {column.shape}", batch)
    with tf.control_dependencies([check]):
        return tf.identity(values)


def _assert_in_pipeline(
    good: tf.Tensor,
    column: _schema.Column,
    expected: str,
    batch: tf.Tensor,
    received: str = "others",
) -> tf.Operation:
    message = _message(column, expected, f"{received} in batch {{}} (counted from 0)")
    return tf.debugging.Assert(tf.reduce_all(good), [tf.strings.format(message, batch)])


def _conditions(column: _schema.Column, values: Any, is_finite: Any) -> Iterator[tuple[str, Any]]:
    """What is expected of the values, in words and elementwise."""
    if tf.as_dtype(values.dtype).is_floating:
        yield "finite values (no NaN, no infinity)", is_finite(values)
    if column.bounds is not None and values.dtype != bool:
        low, high = column.bounds
        yield f"values between {low:g} and {high:g}", (values >= low) & (values <= high)


def _message(column: _schema.Column, expected: str, received: str) -> str:
    return f"Argument `{column.name}`: expected {expected}, received {received}."


def call_with_value_errors(function: Callable[..., Any], source: Any, **kwargs: Any) -> Any:
    """Runs a loop of Keras; what a check inside an input pipeline raises becomes a plain error.

    Args:
      function: `fit`, `evaluate` or `predict` of Keras.
      source: its data.
      **kwargs: its other arguments.

    Returns:
      What it returns.

    Raises:
      TypeError: a check found data of another dtype.
      ValueError: a check found bad data.
    """
    try:
        return function(source, **kwargs)
    except tf.errors.OpError as error:
        raised, asserted = _OUR_ERROR.search(str(error)), _OUR_MESSAGE.search(str(error))
        if raised is not None:
            kind, message = _KINDS[raised.group(1)], raised.group(2)
        elif asserted is not None:
            kind, message = ValueError, asserted.group()
        else:
            raise
    # Keras leaves the iterator of the failed pass in a reference cycle. One over Python code must
    # not live until the interpreter exits, where TensorFlow would wait for that code for ever. So
    # the error that refers to it is dropped here, and the cycle collected.
    if any(
        isinstance(data, (keras.utils.PyDataset, Iterator))
        for data in (source, kwargs.get("validation_data"))
    ):
        gc.collect()
    raise kind(message)


def refuse_empty(num_batches_or_rows: int | None) -> None:
    """Raises a ValueError if there is nothing; `None` stands for an unknown number."""
    if num_batches_or_rows == 0:
        raise ValueError("Argument `x`: expected data, received none: they hold no batch at all.")


def with_guard(callbacks: Any, *others: keras.callbacks.Callback) -> Any:
    """Puts `RefuseEmptyData`, and others, in front of what a user gives as `callbacks`."""
    guards = [RefuseEmptyData(), *others]
    if isinstance(callbacks, keras.callbacks.CallbackList):
        for guard in guards:
            guard.set_model(callbacks.model)
        callbacks.callbacks[:0] = guards
        return callbacks
    if callbacks is None:
        return guards
    return [*guards, *callbacks] if isinstance(callbacks, (list, tuple)) else [*guards, callbacks]


class RefuseEmptyData(keras.callbacks.Callback):
    """Raises a ValueError when a pass over the data has met no batch at all.

    Keras would go on, and report a loss of zero. Sizes that are known are checked before; this is
    for data that turn out to be empty. It looks at what a batch leaves behind: older versions of
    Keras do not call callbacks for a last execution of fewer than `steps_per_execution` steps.
    """

    def on_epoch_begin(self, epoch: int, logs: Mapping | None = None) -> None:
        """Starts a pass over the training data."""
        self._is_training = True

    def on_epoch_end(self, epoch: int, logs: Mapping | None = None) -> None:
        """Checks the training data, if no validation has begun since."""
        self._check_training()

    def on_test_begin(self, logs: Mapping | None = None) -> None:
        """Checks the training data, before Keras resets the metrics for validation."""
        self._check_training()

    def on_test_end(self, logs: Mapping | None = None) -> None:
        """Checks the data of validation or evaluation."""
        refuse_empty(self._num_rows())

    def _check_training(self) -> None:
        if getattr(self, "_is_training", False):
            self._is_training = False
            refuse_empty(self._num_rows())

    def _num_rows(self) -> int:
        """The rows of which the loss has been counted since the metrics were reset."""
        loss = next(metric for metric in self.model.metrics if metric.name == "loss")
        return int(loss.count.numpy())

    def on_predict_begin(self, logs: Mapping | None = None) -> None:
        """Starts to count batches; predictions leave nothing behind."""
        self._num_batches = 0

    def on_predict_batch_end(self, batch: int, logs: Mapping | None = None) -> None:
        """Counts a batch."""
        self._num_batches += 1

    def on_predict_end(self, logs: Mapping | None = None) -> None:
        """Checks that there was a batch."""
        refuse_empty(self._num_batches)
