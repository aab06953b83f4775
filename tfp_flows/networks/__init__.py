"""Conditioners: `tf.Module` networks that know no bijector."""

from tfp_flows.networks.conv import Conv2D
from tfp_flows.networks.gated_residual import GatedResidualNetwork
from tfp_flows.networks.initializers import generator, glorot_uniform
from tfp_flows.networks.linear import Linear
from tfp_flows.networks.lipschitz_mlp import LipschitzMLP
from tfp_flows.networks.masked_mlp import MaskedMLP
from tfp_flows.networks.mlp import MLP

__all__ = [
    "MLP",
    "Conv2D",
    "GatedResidualNetwork",
    "Linear",
    "LipschitzMLP",
    "MaskedMLP",
    "generator",
    "glorot_uniform",
]
