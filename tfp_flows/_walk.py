"""How a value passes through a distribution or a bijector, layer after layer.

The walk is TFP's: a bijector or distribution of several parts, such as `tfb.Chain`, has two methods
`_walk_inverse(step_fn, y)` and `_walk_forward(step_fn, x)`, which return `inverse(y)` and
`forward(x)` with `step_fn(part, value)` in the place of each part's own method. (A distribution has
the first one only. The parts of a distribution may be distributions.)
"""

from collections.abc import Callable

import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_flows import _tfp

# Takes a layer, the value that has arrived there, and whether the layer is to be inverted; returns
# the value that leaves it.
Visit = Callable[[tfb.Bijector, tf.Tensor, bool], tf.Tensor]

# Distributions whose events pass through the distribution inside as they are.
_WRAPPERS = (tfd.BatchBroadcast, tfd.Independent, tfd.Sample)


def inverse(part: tfb.Bijector | tfd.Distribution, value: tf.Tensor, visit: Visit) -> tf.Tensor:
    """Takes a value from the data to the base, as `log_prob` does.

    Args:
      part: a distribution, or a bijector.
      value: what it is to invert.
      visit: is called for each layer, in the order in which the value meets them.

    Returns:
      What arrives.
    """
    if hasattr(part, "_walk_inverse"):
        return part._walk_inverse(lambda inner, v: inverse(inner, v, visit), value)
    if isinstance(part, _tfp.Invert):
        return forward(part.bijector, value, visit)
    if isinstance(part, tfb.Bijector):
        return visit(part, value, True)
    if isinstance(part, _tfp.TransformedDistribution):
        return inverse(part.distribution, inverse(part.bijector, value, visit), visit)
    if isinstance(part, _WRAPPERS):
        return inverse(part.distribution, value, visit)
    return value  # the base


def forward(part: tfb.Bijector, value: tf.Tensor, visit: Visit) -> tf.Tensor:
    """Takes a value from the base to the data, as sampling does.

    Args:
      part: a bijector.
      value: what it is to transform.
      visit: is called for each layer, in the order in which the value meets them.

    Returns:
      What arrives.
    """
    if hasattr(part, "_walk_forward"):
        return part._walk_forward(lambda inner, v: forward(inner, v, visit), value)
    if isinstance(part, _tfp.Invert):
        return inverse(part.bijector, value, visit)
    return visit(part, value, False)
