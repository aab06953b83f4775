"""Normalizing flows for TensorFlow Probability that train in Keras."""

from tfp_flows import (
    bijectors,
    datasets,
    diagnostics,
    distributions,
    flows,
    inference,
    models,
    networks,
    numerics,
    plotting,
    transformers,
)

__version__ = "0.1.0"

__all__ = [
    "bijectors",
    "datasets",
    "diagnostics",
    "distributions",
    "flows",
    "inference",
    "models",
    "networks",
    "numerics",
    "plotting",
    "transformers",
]
