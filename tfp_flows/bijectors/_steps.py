"""The single steps of a chain of bijectors."""

import dataclasses
import functools
from collections.abc import Sequence

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_flows import _tfp
from tfp_flows._variables import find_tensors
from tfp_flows.bijectors._layers import LayerBijector
from tfp_flows.bijectors.base import FusedBijector

# Layers of a stack that are one step together. More of them use the stack's formulas better, fewer
# keep less.
BLOCK_SIZE = 8


@dataclasses.dataclass(frozen=True)
class Step:
    """One bijector of a chain in one of its directions.

    Attributes:
      bijector: the bijector.
      is_inverse: whether the step is `bijector.inverse`.
      event_ndims: how many rightmost dimensions of the step's argument are the event.
    """

    bijector: tfb.Bijector
    is_inverse: bool
    event_ndims: int

    def __call__(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the value and the log-det, past every cache."""
        bijector = self.bijector
        if isinstance(bijector, FusedBijector) and self.event_ndims == self._min_event_ndims:
            if self.is_inverse:
                return bijector._inverse_pass(x)
            return bijector._forward_pass(x)
        x = tf.identity(x)
        if self.is_inverse:
            return bijector.inverse(x), bijector.inverse_log_det_jacobian(x, self.event_ndims)
        return bijector.forward(x), bijector.forward_log_det_jacobian(x, self.event_ndims)

    def reversed(self) -> "Step":
        """The step that undoes this one."""
        return Step(self.bijector, not self.is_inverse, self.output_event_ndims)

    @functools.cached_property
    def sources(self) -> list[tf.Tensor]:
        """The tensors that the step depends on besides its argument and variables."""
        return find_tensors(self.bijector)

    @property
    def output_event_ndims(self) -> int:
        """How many rightmost dimensions of the step's value are the event."""
        growth = self.bijector.inverse_min_event_ndims - self.bijector.forward_min_event_ndims
        return self.event_ndims + (-growth if self.is_inverse else growth)

    @property
    def event_shape(self) -> tf.TensorShape | None:
        """The argument's event shape, where the bijector fixes it."""
        if not isinstance(self.bijector, FusedBijector):
            return None
        return self.bijector._output_shape if self.is_inverse else self.bijector._event_shape

    @property
    def _min_event_ndims(self):
        if self.is_inverse:
            return self.bijector.inverse_min_event_ndims
        return self.bijector.forward_min_event_ndims


def flatten(bijector: tfb.Bijector, is_inverse: bool = False) -> list[tuple[tfb.Bijector, bool]]:
    """Takes chains and inversions apart, to any depth.

    Returns:
      The bijectors in the order of application, each with whether it is applied inversely.
    """
    if isinstance(bijector, _tfp.Invert):
        return flatten(bijector.bijector, not is_inverse)
    if isinstance(bijector, _tfp.Chain):
        parts = bijector.bijectors if is_inverse else reversed(bijector.bijectors)
        return [pair for part in parts for pair in flatten(part, is_inverse)]
    return [(bijector, is_inverse)]


def make_steps(bijectors: Sequence[tuple[tfb.Bijector, bool]], event_ndims: int) -> list[Step]:
    """Makes the steps of a chain; stacks of layers become several.

    Args:
      bijectors: as `flatten` returns them.
      event_ndims: of the first step's argument.
    """
    steps = []
    for bijector, is_inverse in bijectors:
        blocks = _blocks(bijector)
        for block in reversed(blocks) if is_inverse else blocks:
            steps.append(Step(block, is_inverse, event_ndims))
            event_ndims = steps[-1].output_event_ndims
    return steps


def _blocks(bijector):
    """A stack of layers as several shorter ones, which share tensors split from its parameters."""
    if not isinstance(bijector, LayerBijector) or bijector._sizes.get("K", 1) <= BLOCK_SIZE:
        return [bijector]
    num_layers = bijector._sizes["K"]
    sizes = [min(BLOCK_SIZE, num_layers - k) for k in range(0, num_layers, BLOCK_SIZE)]
    parts = {}
    for name, letters in bijector._event_letters.items():
        parameter = tf.convert_to_tensor(getattr(bijector, f"_{name}"))
        parts[name] = tf.split(parameter, sizes, axis=letters.index("K") - len(letters))
    return [
        bijector.copy(**dict(zip(parts, block, strict=True)))
        for block in zip(*parts.values(), strict=True)
    ]


def event_shape(bijectors: Sequence[tuple[tfb.Bijector, bool]], event_ndims: int) -> tf.TensorShape:
    """The event shape of a chain's argument, as far as its bijectors fix it.

    Args:
      bijectors: as `flatten` returns them.
      event_ndims: of the argument.
    """
    passed: list[tuple[tfb.Bijector, bool]] = []
    for bijector, is_inverse in bijectors:
        if isinstance(bijector, FusedBijector):
            shape = bijector._output_shape if is_inverse else bijector._event_shape
            for earlier, was_inverse in reversed(passed):
                back = earlier.forward_event_shape if was_inverse else earlier.inverse_event_shape
                shape = back(shape)
            return shape
        passed.append((bijector, is_inverse))
    return tf.TensorShape([None] * event_ndims)
