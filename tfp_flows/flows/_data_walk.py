"""How a batch is carried through a distribution, to give layers parameters from data.

The batch goes as in `log_prob`, from the data to the base. Each layer that takes parameters from
data decides them when the batch reaches it, and the batch goes on with these. Variables change only
after the batch has arrived.

A layer that takes parameters from data has one of the hooks below, a method
`hook(value, is_inverse)`, which returns constructor arguments by name; the variables that it was
made of under these names are assigned.
"""

from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_flows import _walk

# The hooks.
INITIALIZE = "_data_dependent_parameters"
UPDATE = "_updated_statistics"


def layers_with(hook: str, distribution: tfd.Distribution) -> list[tfb.Bijector]:
    """The layers of a distribution that have a hook."""
    return [module for module in distribution.submodules if hasattr(module, hook)]


def checked(distribution: Any, batch: Any, context: Any) -> tuple[tfd.Distribution, tf.Tensor]:
    """Checks the arguments of the public functions.

    Returns:
      The distribution with the context bound, and the batch in its dtype.

    Raises:
      TypeError: the distribution is none, or the batch is not floating.
      ValueError: the batch is empty or not finite, as far as that is known, or its shape does not
        fit; or `context` is missing or superfluous.
    """
    if not isinstance(distribution, tfd.Distribution):
        if not callable(distribution):
            raise TypeError(
                "Argument `distribution`: expected a tfd.Distribution or a conditional one, "
                f"received {type(distribution).__name__}."
            )
        if context is None:
            raise ValueError(
                "Argument `context`: expected the contexts of the batch, received None."
            )
        distribution = distribution(context)
    elif context is not None:
        raise ValueError(
            "Argument `context`: expected None, as the distribution is not conditional, "
            "received contexts."
        )
    if not isinstance(distribution.dtype, tf.DType):
        raise TypeError(
            "Argument `distribution`: expected a distribution over one tensor, received one over "
            f"a structure of dtype {distribution.dtype}."
        )
    batch = tf.convert_to_tensor(batch)
    if distribution.dtype.is_floating and not batch.dtype.is_floating:
        raise TypeError(
            f"Argument `batch`: expected a floating dtype, received {batch.dtype.name}."
        )
    _check_shape(batch.shape, distribution)
    if tf.executing_eagerly() and not tf.size(batch) > 0:
        raise ValueError(f"Argument `batch`: expected rows, received shape {tuple(batch.shape)}.")
    if tf.executing_eagerly() and not _is_finite(batch):
        raise ValueError("Argument `batch`: expected finite numbers, received some that are not.")
    return distribution, tf.cast(batch, distribution.dtype)


class Walk:
    """Carries a batch from the data to the base, and collects what is to be assigned.

    Args:
      distribution: whose layers are to get parameters.
      batch: as `checked` returns it.
      hook: which parameters.

    Raises:
      ValueError: a layer cannot be reached, or is not made of variables, or the batch does not stay
        finite on its way.
    """

    def __init__(self, distribution, batch, hook: str):
        self._hook = hook
        self._reached: set[int] = set()
        # By id: the variable and its value.
        self._planned: dict[int, tuple[tf.Variable, tf.Tensor]] = {}
        end = _walk.inverse(distribution, batch, self._visit)
        for layer in layers_with(hook, distribution):
            if id(layer) not in self._reached:
                raise ValueError(
                    f"Argument `distribution`: expected {layer.name} to be part of a tfb.Chain, a "
                    "tfb.Invert or a multiscale bijector, or the bijector itself, received it "
                    "inside of another one, through which the batch cannot be followed."
                )
        values = [end, *(value for _, value in self._planned.values())]
        if tf.executing_eagerly() and not all(_is_finite(value) for value in values):
            raise ValueError(
                "Argument `batch`: expected data that stay finite on their way to the base, "
                "received some that do not."
            )

    def assign(self) -> None:
        """Sets the variables to what has been decided."""
        for variable, value in self._planned.values():
            variable.assign(value)

    def _visit(self, part, value, is_inverse):
        part = self._decided(part, value, is_inverse)
        return part.inverse(value) if is_inverse else part.forward(value)

    def _decided(self, part, value, is_inverse):
        """The part with the parameters that it takes from the batch."""
        if not hasattr(part, self._hook):
            return part
        self._reached.add(id(part))
        values = getattr(part, self._hook)(value, is_inverse)
        for name, proposed in values.items():
            variable = part.parameters[name]
            if not hasattr(variable, "assign") or variable.shape != proposed.shape:
                raise ValueError(
                    f"{part.name}: argument `{name}`: expected a variable of shape "
                    f"{tuple(proposed.shape)}, received {variable!r}."
                )
            # A layer that the batch passes twice keeps what its first pass has decided.
            _, values[name] = self._planned.setdefault(id(variable), (variable, proposed))
        return part.copy(**values)


def _check_shape(shape, distribution):
    event_rank = distribution.event_shape.rank
    if shape.rank is None or event_rank is None:
        raise ValueError(
            f"Argument `batch`: expected a static rank, received shape {shape} for a distribution "
            f"of event shape {distribution.event_shape}."
        )
    # A `tfd.BatchBroadcast` over a number of contexts that is not static knows no batch shape.
    batch_shape = distribution.batch_shape if distribution.batch_shape.rank else tf.TensorShape([])
    expected = batch_shape.concatenate(distribution.event_shape)
    num_rows = shape.rank - event_rank
    if (
        num_rows < max(1, batch_shape.rank)
        or not shape[num_rows:].is_compatible_with(distribution.event_shape)
        or not shape[shape.rank - expected.rank :].is_compatible_with(expected)
    ):
        raise ValueError(
            f"Argument `batch`: expected rows of shape {tuple(expected)}, with at least one "
            f"dimension left of the event, received shape {tuple(shape)}."
        )


def _is_finite(value):
    return not value.dtype.is_floating or bool(tf.reduce_all(tf.math.is_finite(value)))
