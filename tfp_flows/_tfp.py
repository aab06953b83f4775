"""The one door to TFP's internals: nothing else here imports `tensorflow_probability.python`."""

import tensorflow_probability as tfp
from tensorflow_probability.python.bijectors.bijector import AutoCompositeTensorBijector
from tensorflow_probability.python.internal import (
    assert_util,
    auto_composite_tensor,
    dtype_util,
    parameter_properties,
    prefer_static,
    samplers,
    tensor_util,
)
from tensorflow_probability.python.internal.cache_util import BijectorCacheWithGreedyAttrs

# Where a part is no composite tensor, TFP makes objects of the base classes of these three.
Chain = tfp.bijectors.Chain.__bases__[0]
Invert = tfp.bijectors.Invert.__bases__[0]
TransformedDistribution = tfp.distributions.TransformedDistribution.__bases__[0]

__all__ = [
    "AutoCompositeTensorBijector",
    "BijectorCacheWithGreedyAttrs",
    "Chain",
    "Invert",
    "TransformedDistribution",
    "assert_util",
    "auto_composite_tensor",
    "dtype_util",
    "parameter_properties",
    "prefer_static",
    "samplers",
    "tensor_util",
]
