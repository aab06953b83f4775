"""Recipes: settings in, a `tfd.TransformedDistribution` out."""

from tfp_flows.flows.autoregressive import iaf, maf
from tfp_flows.flows.configuration import from_config, get_config
from tfp_flows.flows.continuous import continuous
from tfp_flows.flows.coupling import nice, real_nvp
from tfp_flows.flows.glow import glow
from tfp_flows.flows.initialization import initialize, update_statistics
from tfp_flows.flows.neural_spline import neural_spline
from tfp_flows.flows.planar import planar
from tfp_flows.flows.radial import radial
from tfp_flows.flows.real_nvp_image import real_nvp_image
from tfp_flows.flows.residual import residual
from tfp_flows.flows.reversible import reversible
from tfp_flows.flows.sylvester import sylvester

__all__ = [
    "continuous",
    "from_config",
    "get_config",
    "glow",
    "iaf",
    "initialize",
    "maf",
    "neural_spline",
    "nice",
    "planar",
    "radial",
    "real_nvp",
    "real_nvp_image",
    "residual",
    "reversible",
    "sylvester",
    "update_statistics",
]
