"""Checks of settings that the distributions share."""

from collections.abc import Callable

import tensorflow as tf
import tensorflow_probability as tfp


def check_half_open(low: float, high: float, **values: float) -> None:
    """Raises a ValueError unless all values are in `[low, high)`."""
    for name, value in values.items():
        if not low <= value < high:
            raise ValueError(
                f"Argument `{name}`: expected a number in [{low:g}, {high:g}), received {value!r}."
            )


def check_network(network: Callable, input_size: int, output_size: int) -> None:
    """Checks a network, whose sizes are known if it declares them, as the package's do.

    Raises:
      TypeError: it is not callable.
      ValueError: it declares sizes (`input_size`, `output_size`) that do not fit.
    """
    if not callable(network):
        raise TypeError(
            f"Argument `network`: expected a callable, received {type(network).__name__}."
        )
    for attribute, size in {"input_size": input_size, "output_size": output_size}.items():
        received = getattr(network, attribute, None)
        if isinstance(received, int) and received != size:
            raise ValueError(
                f"Argument `network`: expected {attribute} {size}, received {received}."
            )


def check_density(distribution: tfp.distributions.Distribution) -> None:
    """Checks a density over one tensor.

    Raises:
      TypeError: it is no distribution, or not over one floating tensor.
      ValueError: its event shape is not static.
    """
    if not isinstance(distribution, tfp.distributions.Distribution):
        raise TypeError(
            "Argument `distribution`: expected a tfd.Distribution, "
            f"received {type(distribution).__name__}."
        )
    dtype = distribution.dtype
    if not isinstance(dtype, tf.DType) or not dtype.is_floating:
        raise TypeError(
            f"Argument `distribution`: expected one over one floating tensor, received {dtype}."
        )
    if not distribution.event_shape.is_fully_defined():
        raise ValueError(
            "Argument `distribution`: expected a static event shape, "
            f"received {distribution.event_shape}."
        )
