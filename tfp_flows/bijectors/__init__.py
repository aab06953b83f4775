"""`tfb.Bijector` subclasses, one transform a file."""

from tfp_flows.bijectors.base import FusedBijector
from tfp_flows.bijectors.coupling import Coupling
from tfp_flows.bijectors.elementwise import Elementwise
from tfp_flows.bijectors.planar import Planar, PlanarStack
from tfp_flows.bijectors.radial import Radial, RadialStack

__all__ = [
    "Coupling",
    "Elementwise",
    "FusedBijector",
    "Planar",
    "PlanarStack",
    "Radial",
    "RadialStack",
]
