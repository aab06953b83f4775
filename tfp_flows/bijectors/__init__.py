"""`tfb.Bijector` subclasses, one transform a file."""

from tfp_flows.bijectors.act_norm import ActNorm
from tfp_flows.bijectors.autoregressive import Autoregressive
from tfp_flows.bijectors.base import FusedBijector
from tfp_flows.bijectors.batch_norm import BatchNorm
from tfp_flows.bijectors.continuous import Continuous
from tfp_flows.bijectors.coupling import Coupling
from tfp_flows.bijectors.elementwise import Elementwise
from tfp_flows.bijectors.householder_rotation import HouseholderRotation
from tfp_flows.bijectors.invertible_conv1x1 import InvertibleConv1x1
from tfp_flows.bijectors.invertible_linear import InvertibleLinear
from tfp_flows.bijectors.masks import alternating_mask, channel_mask, checkerboard_mask
from tfp_flows.bijectors.multiscale import Multiscale
from tfp_flows.bijectors.permutation import Permutation
from tfp_flows.bijectors.planar import Planar, PlanarStack
from tfp_flows.bijectors.radial import Radial, RadialStack
from tfp_flows.bijectors.residual import Residual
from tfp_flows.bijectors.reversible import Reversible
from tfp_flows.bijectors.squeeze import Squeeze
from tfp_flows.bijectors.sylvester import Sylvester

__all__ = [
    "ActNorm",
    "Autoregressive",
    "BatchNorm",
    "Continuous",
    "Coupling",
    "Elementwise",
    "FusedBijector",
    "HouseholderRotation",
    "InvertibleConv1x1",
    "InvertibleLinear",
    "Multiscale",
    "Permutation",
    "Planar",
    "PlanarStack",
    "Radial",
    "RadialStack",
    "Residual",
    "Reversible",
    "Squeeze",
    "Sylvester",
    "alternating_mask",
    "channel_mask",
    "checkerboard_mask",
]
