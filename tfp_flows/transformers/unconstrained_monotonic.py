"""Integrals of positive networks: unconstrained monotonic neural networks."""

import math

import numpy as np
import tensorflow as tf

from tfp_flows._checks import check_at_least
from tfp_flows.numerics import integral_from_zero, solve_increasing
from tfp_flows.transformers.affine import Affine
from tfp_flows.transformers.base import Transformer

# At zero parameters the units' transitions are spread over this part of [-bound, bound].
_SPREAD = 0.8


class UnconstrainedMonotonic(Transformer):
    """The integral of a positive network, by quadrature: R -> R.

    ```none
    y = scale(a) G(x) + shift,   G(x) = integral_0^x g(t) dt,   scale as in `Affine`
    g(t) = exp(sum_j v_j tanh(w_j (t - c_j)))
    v = raw v / sqrt(1 + H |raw v|^2 / max_log_slope^2),   so that sum_j |v_j| < max_log_slope
    w_j = max_rate sigmoid(raw w_j),   c_j = raw c_j + offset_j
    ```

    The formula holds on [-bound, bound]; outside, G goes on as a straight line, with a continuous
    slope. The network's weights are the parameters of the element, `3 num_units + 2` of them: raw
    `v`, `c` and `w` of H units, then the shift and `a`. Zeros give the identity; the offsets,
    spread over the interval, give the units gradients that differ, so that training can start
    there.

    G is a Gauss-Legendre sum, and its log-derivative is that of the very sum: the log-det is exact,
    however few points there are. What the points decide is how fast `g` may change: `max_rate` is
    such that the sum increases in `x` for all parameters (the function of that name has the proof).
    Slopes of G lie between `exp(-max_log_slope) / 2` and `3 exp(max_log_slope) / 2`.

    The forward direction is the cheaper one, O(num_points num_units) with its log-derivative. The
    inverse searches for the root, at the cost of typically five to ten forward evaluations; its
    gradients are exact, and cost one.

    Args:
      num_units: H, size of the network's hidden layer, at least 1.
      num_points: nodes of the quadrature, at least 8.
      bound: half the length of the interval, positive.
      max_log_slope: bound of `|log g|`, positive and at most 5: with a larger one, rounding in
        float32 outweighs the smallest slopes.

    Raises:
      TypeError: `num_units` or `num_points` is no integer.
      ValueError: an argument is out of range.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    integral = tff.transformers.UnconstrainedMonotonic(num_units=4)
    params = tf.random.stateless_normal([3, integral.num_params], seed=[0, 1])
    y, log_derivative = integral.forward(tf.ones([3]), params)
    x, _ = integral.inverse(y, params)  # ones
    ```

    #### References

    Wehenkel and Louppe (2019), Unconstrained Monotonic Neural Networks, arXiv:1908.05164, eq. 1
    (there with Clenshaw-Curtis quadrature, and a network that sees an embedding of the condition).
    """

    def __init__(
        self,
        num_units: int = 8,
        num_points: int = 24,
        bound: float = 5.0,
        max_log_slope: float = 3.0,
    ):
        check_at_least(1, num_units=num_units)
        check_at_least(1, num_points=num_points)
        if num_points < 8:
            raise ValueError(f"Argument `num_points`: expected at least 8, received {num_points}.")
        if not 0.0 < bound < math.inf:
            raise ValueError(f"Argument `bound`: expected a positive number, received {bound}.")
        if not 0.0 < max_log_slope <= 5.0:
            raise ValueError(
                "Argument `max_log_slope`: expected a positive number, at most 5, "
                f"received {max_log_slope}."
            )
        self.num_units = num_units
        self.num_points = num_points
        self.bound = float(bound)
        self.max_log_slope = float(max_log_slope)
        self.max_rate = max_rate(num_points, self.bound, self.max_log_slope)
        self.num_params = 3 * num_units + 2
        self._affine = Affine()

    def forward(self, x, params):
        network, outer = self._split(params)
        value, log_derivative = self._integral(x, *network)
        y, log_scale = self._affine.forward(value, outer)
        return y, log_derivative + log_scale

    def inverse(self, y, params):
        network, outer = self._split(params)
        target, log_scale = self._affine.inverse(y, outer)
        # G(0) = 0, and its slopes are bounded: see the docstring of the class.
        near = target / (1.5 * math.exp(self.max_log_slope))
        far = target / (0.5 * math.exp(-self.max_log_slope))
        x = solve_increasing(
            self._integral,
            target,
            network,
            low=tf.minimum(near, far),
            high=tf.maximum(near, far),
            magnitude=tf.abs(target),
            start=target,
        )
        _, log_derivative = self._integral(x, *network)
        return x, log_scale - log_derivative

    def _integral(self, x, amplitudes, rates, centers):
        """Returns G(x), and the logarithm of its derivative."""

        def integrand(t):
            u = tf.tanh(rates * (t[..., tf.newaxis] - centers))
            g = tf.exp(tf.reduce_sum(amplitudes * u, axis=-1))
            return g, g * tf.reduce_sum(amplitudes * rates * (1.0 - u * u), axis=-1)

        nearest = tf.clip_by_value(x, -self.bound, self.bound)
        value, slope = integral_from_zero(integrand, nearest, self.num_points)
        return value + slope * (x - nearest), tf.math.log(slope)

    def _split(self, params):
        """Returns the weights of the network `[..., 1, H]`, and the parameters of the outer map."""
        num = self.num_units
        amplitudes, centers, rates, outer = tf.split(params, [num, num, num, 2], axis=-1)
        squares = tf.reduce_sum(amplitudes * amplitudes, axis=-1, keepdims=True)
        amplitudes /= tf.sqrt(1.0 + (num / self.max_log_slope**2) * squares)
        offsets = _SPREAD * self.bound * (2.0 * np.arange(1, num + 1) / (num + 1) - 1.0)
        network = (
            amplitudes,
            self.max_rate * tf.sigmoid(rates),
            centers + tf.constant(offsets, params.dtype),
        )
        network = tuple(weights[..., tf.newaxis, :] for weights in network)  # one row for all nodes
        return network, outer

    def _settings(self):
        return (self.num_units, self.num_points, self.bound, self.max_log_slope)


def max_rate(num_points: int, bound: float, max_log_slope: float) -> float:
    """The largest rate of a unit for which the quadrature increases in its end.

    With V for `max_log_slope`, h = log g and rates up to w: `|tanh(z)| <= 1` and `|sech(z)|^2 <= 2`
    in the complex strip `|Im z| <= pi / 4`, so `|g| <= e^V` and `|h'| <= 2 V w` where `|Im t| <=
    pi / (4 w)`. `G'(x)` is the quadrature on [0, 1] of `d/du (u g(x u)) = g (1 + x u h')`, whose
    integral is `g(x) >= e^-V`. Its error with n Gauss-Legendre nodes is at most `32/15 M rho^(-2n)
    / (1 - rho^-2)`, where M bounds the integrand in the ellipse with foci at the ends and
    semi-axes summing up to rho half intervals (the Chebyshev coefficients fall off as `rho^-k`, and
    the first 2n are integrated exactly). The ellipse that just fits into the strip at `x = bound`
    has `rho = e^eta`, `sinh(eta) = pi / (2 w bound)`, and there
    `|x u| <= bound (1 + cosh(eta)) / 2`. For a smaller `|x|` the same rho serves, with a smaller M.

    The rate returned makes the error half of `e^-V`, so that `G'` is at least half of it, too.

    Args:
      num_points: n.
      bound: the largest `|x|`.
      max_log_slope: V.

    Returns:
      w, in units of one over those of `bound`.
    """

    def log_error(eta):
        size = 1.0 + max_log_slope * math.pi / 2.0 * (1.0 + math.cosh(eta)) / math.sinh(eta)
        tail = -2.0 * num_points * eta - math.log(-math.expm1(-2.0 * eta))
        return math.log(32.0 / 15.0) + max_log_slope + math.log(size) + tail

    # The error falls with eta: bisection.
    low, high = 1e-6, 50.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        too_large = log_error(middle) > math.log(0.5) - max_log_slope
        low, high = (middle, high) if too_large else (low, middle)
    return math.pi / (2.0 * bound * math.sinh(high))
