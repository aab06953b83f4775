"""Pure tensor functions: no class that holds state, no variable."""

from tfp_flows.numerics.broadcasting import sum_to_shape_of
from tfp_flows.numerics.contraction import invert_residual, log_det_plus_identity
from tfp_flows.numerics.draws import stateless_normal, stateless_uniform
from tfp_flows.numerics.hyperbolic import sech_squared, solve_linear_plus_tanh, tiny
from tfp_flows.numerics.jacobian import unit_directions, value_and_jacobian, value_and_vjp
from tfp_flows.numerics.layer_axis import (
    combination,
    layers_first,
    layers_last,
    projections,
    with_rank,
)
from tfp_flows.numerics.logistic_mixture import (
    component_gains,
    component_roots,
    logit_of_mixture,
    solve_mixture,
)
from tfp_flows.numerics.norms import safe_norm
from tfp_flows.numerics.orthogonal import householder_columns, householder_product, orthogonalize
from tfp_flows.numerics.permutation import permute
from tfp_flows.numerics.positive import Positive, log_interpolation, positive, positive_above
from tfp_flows.numerics.power_series import geometric, log_det_series
from tfp_flows.numerics.probes import noise_seeds, random_directions
from tfp_flows.numerics.products import row_times_matrix
from tfp_flows.numerics.quadrature import integral_from_zero
from tfp_flows.numerics.roots import solve_increasing
from tfp_flows.numerics.runge_kutta import Solution, runge_kutta_4
from tfp_flows.numerics.scaling import times_exp
from tfp_flows.numerics.splines import Bin, bin_sizes, spline_forward, spline_inverse
from tfp_flows.numerics.tanh_system import forward_preactivations, inverse_preactivations

__all__ = [
    "Bin",
    "Positive",
    "Solution",
    "bin_sizes",
    "combination",
    "component_gains",
    "component_roots",
    "forward_preactivations",
    "geometric",
    "householder_columns",
    "householder_product",
    "integral_from_zero",
    "inverse_preactivations",
    "invert_residual",
    "layers_first",
    "layers_last",
    "log_det_plus_identity",
    "log_det_series",
    "log_interpolation",
    "logit_of_mixture",
    "noise_seeds",
    "orthogonalize",
    "permute",
    "positive",
    "positive_above",
    "projections",
    "random_directions",
    "row_times_matrix",
    "runge_kutta_4",
    "safe_norm",
    "sech_squared",
    "solve_increasing",
    "solve_linear_plus_tanh",
    "solve_mixture",
    "spline_forward",
    "spline_inverse",
    "stateless_normal",
    "stateless_uniform",
    "sum_to_shape_of",
    "times_exp",
    "tiny",
    "unit_directions",
    "value_and_jacobian",
    "value_and_vjp",
    "with_rank",
]
