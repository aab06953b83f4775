"""Conditioners: `tf.Module` networks that know no bijector."""

from tfp_flows.networks.initializers import generator, glorot_uniform
from tfp_flows.networks.linear import Linear
from tfp_flows.networks.mlp import MLP

__all__ = ["MLP", "Linear", "generator", "glorot_uniform"]
