"""What single layers and stacks of them share: arguments, shapes, and the way to the formulas."""

import abc
from typing import ClassVar

import tensorflow as tf

from tfp_flows.bijectors import _arguments
from tfp_flows.bijectors.base import FusedBijector


class LayerBijector(FusedBijector):
    """A transform of vectors by one layer, or by a stack of K layers.

    Both are computed by the formulas of a stack; a single layer is a stack of one.
    """

    # Rightmost dimensions of each argument, in the order of the formulas' parameters: `K` for
    # layers (stacks only) and `D` for the event.
    _event_letters: ClassVar[dict[str, str]]

    @staticmethod
    @abc.abstractmethod
    def _forward_layers(x, *parameters):
        """`y` and the log-det; the parameters have a layer axis."""

    @staticmethod
    @abc.abstractmethod
    def _inverse_layers(y, *parameters):
        """`x` and the inverse's log-det; the parameters have a layer axis."""

    def _set_arguments(self, **tensors) -> tf.DType:
        """Converts and checks the constructor's arguments; returns their dtype."""
        dtype, converted = _arguments.as_parameters(**tensors)
        arguments = dict(zip(tensors, converted, strict=True))
        self._sizes = _arguments.check_shapes(arguments, self._event_letters)
        if self._sizes.get("K", 1) is None:
            raise ValueError(
                f"Arguments {', '.join(f'`{name}`' for name in tensors)}: expected a static number "
                "of layers K, received None."
            )
        for name, tensor in arguments.items():
            setattr(self, f"_{name}", tensor)
        return dtype

    @property
    def _event_shape(self):
        return tf.TensorShape([self._sizes["D"]])

    def _forward_and_log_det(self, x):
        return self._forward_layers(x, *self._parameters_by_layer())

    def _inverse_and_log_det(self, y):
        return self._inverse_layers(y, *self._parameters_by_layer())

    def _parameters_by_layer(self):
        """Each parameter, read once, with a layer axis left of its event dimensions."""
        for name, letters in self._event_letters.items():
            parameter = tf.convert_to_tensor(getattr(self, f"_{name}"))
            is_stack = "K" in letters
            yield parameter if is_stack else tf.expand_dims(parameter, axis=-1 - len(letters))
