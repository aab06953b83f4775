"""How good samples and densities are: pure functions of arrays and callables."""

from tfp_flows.diagnostics.bits import bits_per_dim
from tfp_flows.diagnostics.calibration import coverage, rank_p_value, simulation_ranks
from tfp_flows.diagnostics.divergence import sampled_kl
from tfp_flows.diagnostics.grid import GridKL, grid_kl, grid_log_integral
from tfp_flows.diagnostics.importance import (
    Estimate,
    effective_sample_size,
    free_energy_difference,
    free_energy_profile,
    log_normalizer,
)
from tfp_flows.diagnostics.machine import describe_machine
from tfp_flows.diagnostics.outliers import auroc, likelihood_ratio, typicality
from tfp_flows.diagnostics.pareto import pareto_shape
from tfp_flows.diagnostics.two_sample import c2st

__all__ = [
    "Estimate",
    "GridKL",
    "auroc",
    "bits_per_dim",
    "c2st",
    "coverage",
    "describe_machine",
    "effective_sample_size",
    "free_energy_difference",
    "free_energy_profile",
    "grid_kl",
    "grid_log_integral",
    "likelihood_ratio",
    "log_normalizer",
    "pareto_shape",
    "rank_p_value",
    "sampled_kl",
    "simulation_ranks",
    "typicality",
]
