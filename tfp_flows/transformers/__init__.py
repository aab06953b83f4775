"""Elementwise monotone maps, both ways, each with its log-derivative."""

from tfp_flows.transformers.affine import Additive, Affine, ExponentialAffine
from tfp_flows.transformers.base import Transformer, check_transformer
from tfp_flows.transformers.circular_spline import CircularRationalQuadraticSpline
from tfp_flows.transformers.deep_sigmoid import DeepSigmoid
from tfp_flows.transformers.inverted import Inverted
from tfp_flows.transformers.logistic_mixture_cdf import LogisticMixtureCDF
from tfp_flows.transformers.rational_quadratic_spline import RationalQuadraticSpline
from tfp_flows.transformers.softclip import Softclip
from tfp_flows.transformers.unconstrained_monotonic import UnconstrainedMonotonic

__all__ = [
    "Additive",
    "Affine",
    "CircularRationalQuadraticSpline",
    "DeepSigmoid",
    "ExponentialAffine",
    "Inverted",
    "LogisticMixtureCDF",
    "RationalQuadraticSpline",
    "Softclip",
    "Transformer",
    "UnconstrainedMonotonic",
    "check_transformer",
]
