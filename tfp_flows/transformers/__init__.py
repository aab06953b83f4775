"""Elementwise monotone maps, both ways, each with its log-derivative."""

from tfp_flows.transformers.affine import Additive, Affine
from tfp_flows.transformers.base import Transformer
from tfp_flows.transformers.circular_spline import CircularRationalQuadraticSpline
from tfp_flows.transformers.rational_quadratic_spline import RationalQuadraticSpline
from tfp_flows.transformers.softclip import Softclip

__all__ = [
    "Additive",
    "Affine",
    "CircularRationalQuadraticSpline",
    "RationalQuadraticSpline",
    "Softclip",
    "Transformer",
]
