"""What is done with a trained flow: its latent space, importance sampling, Markov chains."""

from tfp_flows.inference.completion import Completion, complete
from tfp_flows.inference.hmc import HMCResult, sample_hmc
from tfp_flows.inference.importance import ImportanceSamples, importance_sample
from tfp_flows.inference.latents import at_temperature, interpolate
from tfp_flows.inference.neutra import hmc_kernel, neutra_kernel
from tfp_flows.inference.speed import samples_per_second

__all__ = [
    "Completion",
    "HMCResult",
    "ImportanceSamples",
    "at_temperature",
    "complete",
    "hmc_kernel",
    "importance_sample",
    "interpolate",
    "neutra_kernel",
    "sample_hmc",
    "samples_per_second",
]
