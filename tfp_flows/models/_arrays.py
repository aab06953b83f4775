"""Data in memory: checked arrays, and batches of them."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows.models import _checks, _schema


def holds_arrays(data: Any) -> bool:
    """Whether data are arrays or structures of arrays, not a source of batches."""
    if isinstance(data, Mapping):
        data = tuple(data.values())
    if isinstance(data, tuple):
        return all(holds_arrays(part) for part in data)
    return data is None or isinstance(data, list) or hasattr(data, "__array__")


def to_arrays(
    schema: _schema.Schema, data: Any, place: Callable[[int], str]
) -> dict[str, np.ndarray]:
    """Splits, casts and checks arrays.

    Args:
      schema: what is expected.
      data: the arrays in any of the forms that `schema` knows.
      place: says in words where a row is, by its number, see `check_array`.

    Returns:
      The columns by name. Floating ones have the dtype of the schema; integers stay as they are
      (images of one byte a pixel) and are cast batch by batch.

    Raises:
      TypeError: a dtype does not fit.
      ValueError: a shape, the number of rows, or a value does not fit.
    """
    columns = {}
    for name, value in schema.split(data).items():
        try:
            columns[name] = np.asarray(value)
        except ValueError as error:
            raise ValueError(f"Argument `{name}`: expected an array. {error}") from error
    columns = schema.check(columns)
    _checks.refuse_empty(len(columns["x"]))
    for name, array in columns.items():
        column = getattr(schema, name)
        if tf.as_dtype(array.dtype).is_floating:
            # A value beyond the range of the dtype becomes infinite, and is reported as that.
            with np.errstate(over="ignore"):
                columns[name] = array.astype(column.dtype.as_numpy_dtype, copy=False)
        _checks.check_array(column, columns[name], place)
    return columns


def to_columns(schema: _schema.Schema, data: Any, batch_size: int) -> dict[str, np.ndarray]:
    """`to_arrays`, where a bad row is named together with the batch it would come in."""
    return to_arrays(
        schema,
        data,
        lambda row: (
            f"row {row} (batch {row // batch_size} at {batch_size} rows a batch, counted from 0)"
        ),
    )


def split(
    arrays: Mapping[str, np.ndarray], fraction: float
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Splits the last rows off for validation.

    Args:
      arrays: the columns by name, all of n rows.
      fraction: the part to split off, in (0, 1).

    Returns:
      The first and the last rows.

    Raises:
      ValueError: one of the two would be empty.
    """
    total = len(arrays["x"])
    first = math.floor(total * (1.0 - fraction))
    if not 0 < first < total:
        raise ValueError(
            "Argument `validation_split`: expected a fraction that leaves rows on both sides, "
            f"received {fraction} for {total} rows."
        )
    return (
        {name: array[:first] for name, array in arrays.items()},
        {name: array[first:] for name, array in arrays.items()},
    )


def dataset(
    arrays: Mapping[str, np.ndarray], batch_size: int, seed: int | None = None
) -> tf.data.Dataset:
    """Batches of arrays, in a new random order in every epoch if wanted.

    Keras 3 could make them, but not for us: it rounds float64 data to float32, drops weights where
    there are no targets, and after `keras.utils.set_random_seed` it repeats one and the same order
    in every epoch.

    Args:
      arrays: the columns by name, all of n rows.
      batch_size: rows in a batch; the last one holds what is left.
      seed: of the orders, which are the same in every process; `None` for the order of the rows.

    Returns:
      A dataset of known cardinality; each element a mapping of tensors.
    """
    num_rows = len(arrays["x"])
    num_batches = -(-num_rows // batch_size)
    tensors = {name: tf.convert_to_tensor(array) for name, array in arrays.items()}

    def batches_of_rows(seed_of_order: tf.Tensor) -> tf.data.Dataset:
        order = tf.range(num_rows, dtype=tf.int64)
        if seed is not None:
            order = tf.random.experimental.stateless_shuffle(order, seed_of_order)
        return tf.data.Dataset.range(num_batches).map(
            lambda i: order[i * batch_size : (i + 1) * batch_size]
        )

    seeds = tf.data.Dataset.random(seed or 0, rerandomize_each_iteration=True).batch(2).take(1)
    dataset = seeds.flat_map(batches_of_rows).map(
        lambda rows: {name: tf.gather(tensor, rows) for name, tensor in tensors.items()},
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    options = tf.data.Options()
    # There are no files by which several workers could divide the data.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return (
        dataset.apply(tf.data.experimental.assert_cardinality(num_batches))
        .with_options(options)
        .prefetch(tf.data.AUTOTUNE)
    )
