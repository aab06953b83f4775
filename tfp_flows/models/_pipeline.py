"""From what a user hands to `fit` to checked batches in one form."""

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfp_flows.models import _arrays, _checks, _resumption, _schema

# The batch size of Keras.
_BATCH_SIZE = 32


def source(schema: _schema.Schema, data: Any, batch_size: int | None = None) -> Any:
    """Turns data into something that yields checked batches in the order of the data.

    Args:
      schema: what is expected.
      data: arrays or a source of batches, in any of the forms.
      batch_size: rows in a batch of arrays, 32 by default.

    Returns:
      A `tf.data.Dataset`, a `keras.utils.PyDataset` or an iterator.

    Raises:
      TypeError: a dtype does not fit.
      ValueError: the structure, a shape or a value does not fit, or there are no data.
    """
    if not _arrays.holds_arrays(data):
        return _checked(schema, data)
    size = batch_size or _BATCH_SIZE
    return _arrays.dataset(_arrays.to_columns(schema, data, size), size)


def training_sources(
    schema: _schema.Schema,
    data: Any,
    validation_data: Any,
    *,
    batch_size: int | None,
    validation_batch_size: int | None,
    validation_split: float,
    shuffle: bool,
    steps_per_epoch: int | None,
    steps_per_execution: int,
    resumption: _resumption.Resumption,
) -> tuple[Any, Any, int | None]:
    """Turns the data arguments of `fit` into sources of checked batches.

    Args:
      schema: what is expected.
      data: the training data.
      validation_data: the validation data, or `None`.
      batch_size: as `fit` has it, like all that follows.
      validation_batch_size: as `fit` has it.
      validation_split: as `fit` has it.
      shuffle: as `fit` has it.
      steps_per_epoch: as `fit` has it.
      steps_per_execution: as `compile` has it.
      resumption: where this `fit` stands.

    Returns:
      The source of training batches; that of validation batches, `None` if there is none; and the
      steps of an epoch, `None` for a pass over all data.

    Raises:
      TypeError: a dtype does not fit.
      ValueError: the structure, a shape or a value does not fit, or there are no data.
    """
    if _arrays.holds_arrays(data):
        if batch_size is None and steps_per_epoch:
            batch_size = math.ceil(len(schema.split(data)["x"]) / steps_per_epoch)
        size = batch_size or _BATCH_SIZE
        arrays = _arrays.to_columns(schema, data, size)
        if validation_split and validation_data is None:
            arrays, validation_data = _arrays.split(arrays, validation_split)
        training = _arrays.dataset(arrays, size, resumption.seed if shuffle else None)
        if steps_per_epoch:
            training = training.repeat()
    elif validation_split:
        raise ValueError(
            "Argument `validation_split`: expected 0 unless the data are arrays, "
            f"received {validation_split}. Use `validation_data`."
        )
    else:
        training = _checked(schema, data)
    if resumption.is_backed_up and isinstance(training, tf.data.Dataset):
        training, steps_per_epoch = _resumption.one_pass(
            training, steps_per_epoch, steps_per_execution
        )
        training = _resumption.skip(
            training, resumption.epochs_done, steps_per_epoch, steps_per_execution
        )
    if validation_data is not None:
        validation_data = source(schema, validation_data, validation_batch_size or batch_size)
    return training, validation_data, steps_per_epoch


def read_again(source: Any) -> Iterator[Any]:
    """The batches of a source from its beginning, none if it can be read once only.

    Args:
      source: from `source` or `training_sources`.

    Yields:
      The batches.
    """
    if isinstance(source, tf.data.Dataset):
        yield from source
    elif isinstance(source, keras.utils.PyDataset):
        yield from (source[number] for number in range(source.num_batches or 0))


def joined(x: Any, y: Any, sample_weight: Any) -> Any:
    """Joins the three data arguments of Keras's methods into one piece of data.

    Args:
      x: arrays, or data that bring everything with them.
      y: what stands in the second place, or `None`.
      sample_weight: the weights, or `None`.

    Returns:
      `x` itself, if it is alone; a tuple of three otherwise.

    Raises:
      ValueError: `x` brings its own context and weights, and others are given beside it.
    """
    if y is None and sample_weight is None:
        return x
    if isinstance(x, (tuple, Mapping)) or not _arrays.holds_arrays(x):
        raise ValueError(
            f"Argument `x`: expected one array if contexts or weights are given beside it, received"
            f" {type(x).__name__}. Put them into the data instead."
        )
    return x, y, sample_weight


def events(schema: _schema.Schema, data: Any) -> np.ndarray:
    """All events of data in memory.

    Args:
      schema: what is expected.
      data: arrays or a source of batches, in any of the forms.

    Returns:
      `x`, `[n, ...event]`.

    Raises:
      TypeError: a dtype does not fit.
      ValueError: the structure, a shape or a value does not fit, or there are no data.
    """
    if _arrays.holds_arrays(data):
        return _arrays.to_arrays(schema, data, "row {}".format)["x"]
    batches = _checks.call_with_value_errors(list, source(schema, data))
    _checks.refuse_empty(len(batches))
    return np.concatenate([schema.to_tensors(batch)["x"] for batch in batches])


def shapes(schema: _schema.Schema, data: Any) -> dict[str, tuple[int | None, ...]]:
    """The shapes of the columns, with the batch dimension unknown.

    Args:
      schema: which columns there are.
      data: arrays, a `tf.data.Dataset` or a `keras.utils.PyDataset`.

    Returns:
      The shapes by name.

    Raises:
      ValueError: the data cannot be looked at without using them up, or the structure does not fit.
    """
    if isinstance(data, tf.data.Dataset):
        columns = schema.split(data.element_spec)
    elif isinstance(data, keras.utils.PyDataset):
        columns = schema.split(data[0])
    elif _arrays.holds_arrays(data):
        columns = {name: np.asarray(value) for name, value in schema.split(data).items()}
    else:
        raise ValueError(
            "Argument `x`: expected a model that is built, since the shapes of these data "
            f"({type(data).__name__}) are not known before they are read. Call `model.build` with "
            "the shape of a batch first."
        )
    return {name: (None, *tuple(value.shape)[1:]) for name, value in columns.items()}


def _checked(schema: _schema.Schema, data: Any) -> Any:
    """Adds the checks to a source of batches.

    Args:
      schema: what is expected.
      data: a `tf.data.Dataset`, a `keras.utils.PyDataset`, or an iterator of batches.

    Returns:
      A source of the same kind, whose batches are mappings. What is none of these is returned as
      it came; its batches are checked for structure, shape and dtype in the training step.

    Raises:
      TypeError: a dtype does not fit.
      ValueError: the structure or a shape does not fit, or the data are known to be empty.
    """
    if isinstance(data, tf.data.Dataset):
        return _checked_dataset(schema, data)
    if isinstance(data, keras.utils.PyDataset):
        _checks.refuse_empty(data.num_batches)
        return _CheckedPyDataset(schema, data)
    if isinstance(data, Iterator):
        start = list(itertools.islice(data, 1))
        _checks.refuse_empty(len(start))
        return _checked_iterator(schema, itertools.chain(start, data))
    return data


def _checked_dataset(schema: _schema.Schema, dataset: tf.data.Dataset) -> tf.data.Dataset:
    _checks.refuse_empty(int(dataset.cardinality()))
    specs = schema.split(dataset.element_spec)
    for name, spec in specs.items():
        if not isinstance(spec, tf.TensorSpec):
            raise TypeError(f"Argument `{name}`: expected dense tensors, received {spec}.")
    schema.check(specs)

    def check(number: tf.Tensor, batch: Any) -> dict[str, tf.Tensor]:
        columns = schema.split(batch)
        for name, values in columns.items():
            columns[name] = _checks.with_checked_shape(getattr(schema, name), values, number)
        columns = schema.to_tensors(columns)
        for name, values in columns.items():
            _checks.check_tensor(getattr(schema, name), values, number)
        return columns

    return dataset.enumerate().map(check, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def _checked_batch(schema: _schema.Schema, batch: Any, number: int) -> tuple[dict]:
    # Keras wants tuples from generators.
    return (_arrays.to_arrays(schema, batch, lambda row: f"row {row} of batch {number}"),)


def _checked_iterator(schema: _schema.Schema, batches: Iterator) -> Iterator[tuple[dict]]:
    first = None
    for number, batch in enumerate(batches):
        checked = _checked_batch(schema, batch, number)
        first = first or checked
        _check_same_columns(first, checked, number)
        yield checked


def _check_same_columns(first: tuple[dict], other: tuple[dict], number: int) -> None:
    """Keras makes one dataset of all batches."""
    names, received = (
        ", ".join(f"`{name}` of {values.dtype}" for name, values in batch.items())
        for (batch,) in (first, other)
    )
    if names != received:
        raise ValueError(
            f"Expected the columns of the first batch, {names}, received {received} in batch "
            f"{number} (counted from 0)."
        )


class _CheckedPyDataset(keras.utils.PyDataset):
    """A `PyDataset` whose batches are checked where they are made."""

    def __init__(self, schema: _schema.Schema, inner: keras.utils.PyDataset) -> None:
        super().__init__(
            workers=inner.workers,
            use_multiprocessing=inner.use_multiprocessing,
            max_queue_size=inner.max_queue_size,
        )
        self._schema = schema
        self._inner = inner
        self._first: tuple[dict] | None = None

    def __getitem__(self, index: int) -> tuple[dict]:
        checked = _checked_batch(self._schema, self._inner[index], index)
        first = self._first = self._first or checked
        _check_same_columns(first, checked, index)
        return checked

    @property
    def num_batches(self) -> int | None:
        return self._inner.num_batches

    def on_epoch_begin(self) -> None:
        self._inner.on_epoch_begin()

    def on_epoch_end(self) -> None:
        self._inner.on_epoch_end()
