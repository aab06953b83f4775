"""Recipes: settings in, a `tfd.TransformedDistribution` out."""

from tfp_flows.flows.coupling import nice, real_nvp
from tfp_flows.flows.planar import planar
from tfp_flows.flows.radial import radial

__all__ = ["nice", "planar", "radial", "real_nvp"]
