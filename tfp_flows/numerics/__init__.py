"""Pure tensor functions: no class that holds state, no variable."""

from tfp_flows.numerics.hyperbolic import sech_squared, solve_linear_plus_tanh, tiny
from tfp_flows.numerics.norms import safe_norm
from tfp_flows.numerics.permutation import permute
from tfp_flows.numerics.positive import Positive, log_interpolation, positive
from tfp_flows.numerics.products import row_times_matrix
from tfp_flows.numerics.tanh_system import forward_preactivations, inverse_preactivations

__all__ = [
    "Positive",
    "forward_preactivations",
    "inverse_preactivations",
    "log_interpolation",
    "permute",
    "positive",
    "row_times_matrix",
    "safe_norm",
    "sech_squared",
    "solve_linear_plus_tanh",
    "tiny",
]
