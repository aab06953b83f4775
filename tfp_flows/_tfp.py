"""The one door to TFP's internals: nothing else here imports `tensorflow_probability.python`."""

from tensorflow_probability.python.bijectors.bijector import AutoCompositeTensorBijector
from tensorflow_probability.python.internal import (
    assert_util,
    auto_composite_tensor,
    dtype_util,
    parameter_properties,
    prefer_static,
    tensor_util,
)
from tensorflow_probability.python.internal.cache_util import BijectorCacheWithGreedyAttrs

__all__ = [
    "AutoCompositeTensorBijector",
    "BijectorCacheWithGreedyAttrs",
    "assert_util",
    "auto_composite_tensor",
    "dtype_util",
    "parameter_properties",
    "prefer_static",
    "tensor_util",
]
