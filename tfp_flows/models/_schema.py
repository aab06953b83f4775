"""What one batch of data consists of: the names, shapes and dtypes of its columns."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Column:
    """One column of a batch.

    Attributes:
      name: the argument's name in messages.
      shape: the shape of one row, `None` for a size or a whole shape that is not known.
      dtype: the floating dtype in which the column is used.
      integers: whether integer and boolean data are accepted and cast.
      bounds: the least and the greatest value allowed, or `None`.
    """

    name: str
    shape: tuple[int | None, ...] | None
    dtype: tf.DType
    integers: bool = False
    bounds: tuple[float, float] | None = None

    def check(self, shape: tf.TensorShape, dtype: tf.DType) -> None:
        """Checks the static shape and the dtype of a batch of this column.

        Args:
          shape: the shape, with the batch dimension.
          dtype: the dtype.

        Raises:
          TypeError: the dtype does not fit.
          ValueError: the shape does not fit.
        """
        received = f"received {dtype.name}."
        if not (dtype.is_floating or dtype.is_integer or dtype.is_bool):
            raise TypeError(f"Argument `{self.name}`: expected real numbers, {received}")
        if dtype.is_floating and not self.dtype.is_floating:
            raise TypeError(
                f"Argument `{self.name}`: expected integers, since the distribution is discrete "
                f"({self.dtype.name}), {received}"
            )
        if not (dtype.is_floating or self.integers):
            raise TypeError(
                f"Argument `{self.name}`: expected floating data, since the distribution is "
                f"continuous ({self.dtype.name}), {received} The density of integers can be made "
                "as large as one likes; put the flow into a `distributions.Dequantized`."
            )
        if self.shape is None:
            return
        expected = tf.TensorShape([None, *self.shape])
        if not shape.is_compatible_with(expected):
            hint = ""
            if shape.rank == len(self.shape) and shape.is_compatible_with(expected[1:]):
                hint = " Is the batch dimension missing (`dataset.batch(batch_size)`)?"
            raise ValueError(
                f"Argument `{self.name}`: expected shape {_written(expected)} (n rows), "
                f"received {_written(shape)}.{hint}"
            )

    def cast(self, value: tf.Tensor) -> tf.Tensor:
        """Casts a batch to the dtype of the column, with the column's shape made static."""
        value = tf.cast(value, self.dtype)
        return value if self.shape is None else tf.ensure_shape(value, [None, *self.shape])


@dataclasses.dataclass(frozen=True)
class Schema:
    """The columns of a batch, and the forms in which a batch may come.

    A batch is a mapping `{"x": ..., "context": ..., "sample_weight": ...}`, or one of the tuples
    Keras knows. Without a context these are `x`, `(x,)`, and `(x, None, sample_weight)`; with one
    they are `(x, context)` and `(x, context, sample_weight)`. So the context stands where Keras has
    its targets. A pair is refused where there is no context: Keras would take its second part for
    targets, and a reader for weights.

    Attributes:
      x: the column of the events.
      context: the column of the contexts, or `None` for a model that has none.
    """

    x: Column
    context: Column | None = None

    @property
    def sample_weight(self) -> Column:
        """The column of the weights."""
        dtype = self.x.dtype if self.x.dtype.is_floating else tf.float32
        return Column("sample_weight", (), dtype, integers=True)

    def names(self) -> list[str]:
        """The names of the columns, in order."""
        return ["x", "sample_weight"] if self.context is None else ["x", "context", "sample_weight"]

    def split(self, batch: Any) -> dict[str, Any]:
        """Brings a batch in any of the forms into that of a mapping; weights only if there are any.

        Args:
          batch: the batch, or a whole data set of arrays, or its spec.

        Returns:
          The columns by name.

        Raises:
          ValueError: a part is missing, or there is one too many.
        """
        if isinstance(batch, tuple) and len(batch) == 1:
            batch = batch[0]
        if isinstance(batch, Mapping):
            columns = dict(batch)
        elif isinstance(batch, tuple):
            columns = self._from_tuple(batch)
        else:
            columns = {"x": batch}
        columns = {name: value for name, value in columns.items() if not _is_none(value)}
        required = [name for name in self.names() if name != "sample_weight"]
        if not set(required) <= set(columns) <= set(self.names()):
            raise ValueError(f"{self._expected()}, received columns {sorted(columns)}.")
        return {name: columns[name] for name in self.names() if name in columns}

    def _from_tuple(self, batch: tuple) -> dict[str, Any]:
        if len(batch) not in (2, 3):
            raise ValueError(f"{self._expected()}, received a tuple of {len(batch)} parts.")
        x, second, weight = (*batch, None)[:3]
        if self.context is not None:
            return {"x": x, "context": second, "sample_weight": weight}
        if not _is_none(second):
            raise ValueError(
                f"{self._expected()}, received a tuple of {len(batch)} parts. Its second part "
                "would be a context or targets, and this model has neither. Are they weights? "
                "Give them by name."
            )
        return {"x": x, "sample_weight": weight}

    def _expected(self) -> str:
        if self.context is None:
            return (
                'Expected data `x`, or `{"x": x, "sample_weight": w}` (in `tf.data` and generators '
                "also `(x, None, w)`; with arrays also `fit(x, sample_weight=w)`)"
            )
        return (
            'Expected data `(x, context)`, `(x, context, sample_weight)`, or `{"x": x, "context": '
            'c, "sample_weight": w}` (with arrays also `fit(x, context, sample_weight=w)`)'
        )

    def check(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Checks the static shape and the dtype of every column.

        Args:
          columns: arrays, tensors or `tf.TensorSpec`s by name.

        Returns:
          The same columns; weights of shape `[n, 1]`, as Keras accepts them, as `[n]`.

        Raises:
          TypeError: a dtype does not fit.
          ValueError: a shape does not fit, or the columns differ in the number of rows.
        """
        columns = dict(columns)
        weight = columns.get("sample_weight")
        if weight is not None and tf.TensorShape(weight.shape)[1:] == [1]:
            if isinstance(weight, tf.TensorSpec):
                columns["sample_weight"] = tf.TensorSpec(weight.shape[:1], weight.dtype)
            else:
                columns["sample_weight"] = weight[:, 0]
        for name, value in columns.items():
            getattr(self, name).check(tf.TensorShape(value.shape), _dtype(value))
        rows = {name: tf.TensorShape(value.shape)[:1] for name, value in columns.items()}
        if not all(count.is_compatible_with(rows["x"]) for count in rows.values()):
            counts = ", ".join(f"`{name}` {count.as_list()[0]}" for name, count in rows.items())
            raise ValueError(f"Expected columns of the same number of rows, received {counts}.")
        return columns

    def to_tensors(self, batch: Any) -> dict[str, tf.Tensor]:
        """Splits, checks and casts one batch, eagerly or while a graph is built.

        Args:
          batch: a batch of tensors or arrays, in any of the forms.

        Returns:
          The columns by name, in the dtypes and with the static shapes of the schema.
        """
        columns = {name: tf.convert_to_tensor(v) for name, v in self.split(batch).items()}
        return {name: getattr(self, name).cast(v) for name, v in self.check(columns).items()}


def _dtype(value: Any) -> tf.DType:
    try:
        return tf.as_dtype(value.dtype)
    except TypeError as error:
        raise TypeError(f"Expected arrays of numbers, received dtype {value.dtype}.") from error


def _is_none(value: Any) -> bool:
    # In a dataset's spec, a missing part is of a class that was not always public.
    return value is None or type(value).__name__ == "NoneTensorSpec"


def _written(shape: tf.TensorShape) -> str:
    if shape.rank is None:
        return "of unknown rank"
    sizes = ["n" if i == 0 and size is None else str(size) for i, size in enumerate(shape)]
    return f"[{', '.join(sizes)}]"
