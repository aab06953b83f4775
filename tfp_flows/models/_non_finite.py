"""Where in a model values stop to be finite: a batch is followed layer by layer."""

import itertools
from typing import Any

import keras
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import _tfp, _walk


class FoundError(Exception):
    """Its text names the first place where a value is not finite."""


def check(place: str, values: Any) -> None:
    """Raises a FoundError that names the place, unless all values are finite."""
    for value in tf.nest.flatten(values):
        if value.dtype.is_floating and not bool(tf.reduce_all(tf.math.is_finite(value))):
            raise FoundError(place)


def check_network(role: str, network: keras.layers.Layer, x: tf.Tensor, training: bool) -> Any:
    """Follows an input through a network.

    Args:
      role: what the network is, in words.
      network: a Keras layer; a `Sequential` is followed layer by layer.
      x: its input.
      training: whether it is run as in training.

    Returns:
      Its output.

    Raises:
      FoundError: an output is not finite.
    """
    layers = network.layers if isinstance(network, keras.Sequential) else [network]
    for number, layer in enumerate(layers):
        takes_training = getattr(layer, "_call_has_training_arg", False)
        x = layer(x, training=training) if takes_training else layer(x)
        check(f"the output of layer {number} of the {role}, '{layer.name}'", x)
    return x


def check_log_prob(role: str, distribution: tfd.Distribution, x: tf.Tensor) -> None:
    """Follows events from the data to the base.

    Args:
      role: what the distribution is, in words.
      distribution: a distribution.
      x: events.

    Raises:
      FoundError: an output, a log-det or the log-density is not finite.
    """
    visit = _Visitor(role, "from the data to the base")
    end = _walk.inverse(distribution, x, visit)
    base = distribution
    while hasattr(base, "distribution"):  # of a transformed one, or a wrapper such as Independent
        base = base.distribution
    if base.event_shape == end.shape[end.shape.rank - base.event_shape.rank :]:
        check(f"the log-density of the base of the {role}, '{base.name}'", base.log_prob(end))
    log_prob = distribution.log_prob(tf.identity(x))
    check(f"the log-density of the {role}, '{distribution.name}'", log_prob)


def check_sample(
    role: str, distribution: tfd.Distribution, sample_shape: Any, seed: tf.Tensor
) -> tf.Tensor:
    """Draws from a base, and follows the draws to the data.

    Args:
      role: what the distribution is, in words.
      distribution: a distribution.
      sample_shape: the shape of the draws.
      seed: a stateless seed.

    Returns:
      The draws, those of `distribution.sample(sample_shape, seed)`.

    Raises:
      FoundError: an output, a log-det or the log-density is not finite.
    """
    visit = _Visitor(role, "from the base to the data")
    z = _draw(role, distribution, sample_shape, seed, visit)
    _, log_prob = distribution.experimental_sample_and_log_prob(sample_shape, seed=seed)
    check(f"the log-density of the {role}, '{distribution.name}'", log_prob)
    return z


def check_gradients(variables: list[keras.Variable], gradients: list[Any]) -> None:
    """Raises a FoundError that names the variables whose gradients are not finite, if any.

    Args:
      variables: the variables.
      gradients: those of the loss, `None` for none.
    """
    bad = []
    for variable, gradient in zip(variables, gradients, strict=True):
        try:
            check(variable.path, [] if gradient is None else tf.convert_to_tensor(gradient))
        except FoundError as place:
            bad.append(str(place))
    if bad:
        others = f", and those of {len(bad) - 1} other variables" if len(bad) > 1 else ""
        raise FoundError(f"the gradient of '{bad[0]}'{others}")


class _Visitor:
    """Applies layers one after the other, and checks what leaves them."""

    def __init__(self, role: str, direction: str) -> None:
        self._where = f"of the {role}, counted {direction}"
        self._numbers = itertools.count()

    def __call__(self, layer, value, is_inverse):
        kind = type(layer).__name__
        place = f"of layer {next(self._numbers)} {self._where}: '{layer.name}', of class {kind}"
        if is_inverse:
            result = layer.inverse(value)
            log_det = layer.inverse_log_det_jacobian(value, layer.inverse_min_event_ndims)
        else:
            result = layer.forward(value)
            log_det = layer.forward_log_det_jacobian(value, layer.forward_min_event_ndims)
        check(f"the output {place}", result)
        check(f"the log-det Jacobian {place}", log_det)
        return result


def _draw(role, distribution, sample_shape, seed, visit):
    """Draws of the innermost distribution, through the bijectors around it."""
    if isinstance(distribution, _tfp.TransformedDistribution):
        z = _draw(role, distribution.distribution, sample_shape, seed, visit)
        return _walk.forward(distribution.bijector, z, visit)
    z = distribution.sample(sample_shape, seed=seed)
    check(f"a draw of the base of the {role}, '{distribution.name}'", z)
    return z
