"""Elementwise monotone maps, both ways, each with its log-derivative."""

from tfp_flows.transformers.affine import Additive, Affine
from tfp_flows.transformers.base import Transformer

__all__ = ["Additive", "Affine", "Transformer"]
