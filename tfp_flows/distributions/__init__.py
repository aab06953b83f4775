"""What is a distribution and no bijector."""

from tfp_flows.distributions.autoregressive_base import AutoregressiveMixture, autoregressive_base
from tfp_flows.distributions.conditional import ConditionalDistribution
from tfp_flows.distributions.dequantized import Dequantized
from tfp_flows.distributions.full_covariance import full_covariance_gaussian
from tfp_flows.distributions.gaussian import ConditionalGaussian, standard_normal
from tfp_flows.distributions.gaussian_mixture import gaussian_mixture
from tfp_flows.distributions.resampled import ResampledGaussian, resampled_gaussian

__all__ = [
    "AutoregressiveMixture",
    "ConditionalDistribution",
    "ConditionalGaussian",
    "Dequantized",
    "ResampledGaussian",
    "autoregressive_base",
    "full_covariance_gaussian",
    "gaussian_mixture",
    "resampled_gaussian",
    "standard_normal",
]
