"""What is a distribution and no bijector."""

from tfp_flows.distributions.conditional import ConditionalDistribution
from tfp_flows.distributions.gaussian import ConditionalGaussian, standard_normal

__all__ = ["ConditionalDistribution", "ConditionalGaussian", "standard_normal"]
