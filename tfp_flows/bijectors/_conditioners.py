"""Any callable as a conditioner, with its variables in sight."""

from collections.abc import Callable

import tensorflow as tf

from tfp_flows._variables import find_variables


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
