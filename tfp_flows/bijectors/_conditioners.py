"""Any callable as a conditioner, with its variables in sight."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from tfp_flows._variables import find_variables
from tfp_flows.bijectors._arguments import trailing_shape
from tfp_flows.transformers import Transformer


def as_conditioner(conditioner: Callable, input_shape: tuple[int, ...]) -> "Conditioner":
    """Wraps a conditioner.

    Args:
      conditioner: any callable from tensor to tensor; a layer of either Keras, too.
      input_shape: shape of one input, without batch dimensions.

    Returns:
      The conditioner as a `tf.Module` whose `variables` are complete.

    Raises:
      TypeError: it is not callable.
    """
    if not callable(conditioner):
        raise TypeError(
            f"Argument `conditioner`: expected a callable, received {type(conditioner).__name__}."
        )
    # Asked of the class: an unbuilt tf_keras model raises when its own weights are looked at.
    if hasattr(type(conditioner), "weights") and hasattr(conditioner, "built"):
        return _KerasConditioner(conditioner, input_shape)
    return Conditioner(conditioner, input_shape)


def declared(conditioner: Callable, attribute: str) -> Any:
    """What a conditioner says of itself, also from inside a `functools.partial`; else `None`."""
    while isinstance(conditioner, functools.partial):
        conditioner = conditioner.func
    return getattr(conditioner, attribute, None)


def bound_method(conditioner: Callable, name: str) -> Callable | None:
    """A method of a conditioner, with what `functools.partial`s around it bind; else `None`."""
    if not isinstance(conditioner, functools.partial):
        return getattr(conditioner, name, None)
    method = bound_method(conditioner.func, name)
    if method is None:
        return None
    return functools.partial(method, *conditioner.args, **conditioner.keywords)


def check_declared_sizes(conditioner: Callable, expected: Mapping[str, int], purpose: str) -> None:
    """The package's networks declare their sizes: a misfit is reported before any work is done.

    Args:
      conditioner: any callable.
      expected: sizes by the attribute that declares them.
      purpose: what the sizes follow from, for the message.

    Raises:
      ValueError: a declared size is another one.
    """
    for attribute, size in expected.items():
        received = declared(conditioner, attribute)
        if isinstance(received, int) and received != size:
            raise ValueError(
                f"Argument `conditioner`: expected {attribute} {size} for {purpose}, "
                f"received {received}."
            )


def rows_of_parameters(
    output, shape: Sequence[int], transformer: Transformer, dtype: tf.DType, name: str
) -> tf.Tensor:
    """Gives each transformed element its row of a conditioner's output.

    Args:
      output: `[..., *positions, channels * num_params]`.
      shape: of one event's transformed part, `(*positions, channels)`.
      transformer: whose parameters they are.
      dtype: of the result; a network in lower precision must not lower that of the log-det.
      name: the bijector's name, for the message.

    Returns:
      `[..., *positions, channels, num_params]`.

    Raises:
      ValueError: the output has another shape.
    """
    output = tf.convert_to_tensor(output)
    num_params = transformer.num_params
    *positions, channels = shape
    expected = [*positions, channels * num_params]
    static = output.shape
    if static.rank is not None and not (
        static.rank >= len(expected)
        and static[static.rank - len(expected) :].is_compatible_with(expected)
    ):
        raise ValueError(
            f"{name}: argument `conditioner`: expected an output of shape "
            f"{trailing_shape(expected)} ({channels} transformed elements x {num_params} "
            f"parameters of {transformer!r}), received shape {tuple(static)}."
        )
    output = tf.cast(output, dtype)
    rows = static[:-1].concatenate([channels, num_params])
    if rows.is_fully_defined():
        return tf.reshape(output, rows)
    params = tf.reshape(output, tf.concat([tf.shape(output)[:-1], [channels, num_params]], axis=0))
    return tf.ensure_shape(params, rows)


class Conditioner(tf.Module):
    """A callable with the variables that it holds.

    `tf.Module` finds the variables of modules only. Those in closures, partial functions, bound
    methods and Keras 3 layers are looked up once, when the bijector is made.
    """

    def __init__(self, function: Callable, input_shape: tuple[int, ...]):
        super().__init__(name="conditioner")
        self._function = function
        self._input_shape = input_shape
        self._found_variables = find_variables(function)

    @property
    def dtype(self) -> tf.DType | None:
        """The floating dtype of the variables, if they have one in common."""
        dtypes = {v.dtype for v in self._found_variables if v.dtype.is_floating}
        return dtypes.pop() if len(dtypes) == 1 else None

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        return self._function(x)


class _KerasConditioner(Conditioner):
    """A Keras layer: it wants exactly one batch dimension, and has variables once it is built."""

    def __init__(self, layer, input_shape):
        if not layer.built:
            layer(tf.zeros([1, *input_shape], dtype=layer.compute_dtype))
        super().__init__(layer, input_shape)

    def __call__(self, x):
        batch_shape = tf.shape(x)[: tf.rank(x) - len(self._input_shape)]
        y = self._function(tf.reshape(x, [-1, *self._input_shape]))
        static = x.shape[: x.shape.rank - len(self._input_shape)].concatenate(y.shape[1:])
        return tf.ensure_shape(
            tf.reshape(y, tf.concat([batch_shape, tf.shape(y)[1:]], axis=0)), static
        )
