"""The shape of a distribution's tail: can an average over importance weights be trusted?"""

import math
from typing import Any

import numpy as np

from tfp_flows.diagnostics.importance import shifted_log_weights

# The prior of Zhang and Stephens, and the shrinkage of Vehtari et al. towards 1/2.
_PRIOR = 3.0
_SHRINKAGE = 10.0
_SMALLEST_TAIL = 5


def pareto_shape(log_weights: Any) -> float:
    """Estimates k, the shape of the generalized Pareto distribution of the largest weights.

    ```none
    p(w > u + t | w > u) ~ (1 + k t / sigma)^(-1/k),   u: the cutoff of the largest M weights,
    M = min(n / 5, 3 sqrt(n))
    ```

    Weights have 1/k finite moments: with k < 1/2 a variance, so that averages converge as usual;
    up to 0.7 averages are still usable; above, the proposal misses too much of the target, and
    neither averages nor their standard errors are to be trusted.

    Args:
      log_weights: log w `[n]` in nats, at least 25 that are not all equal. A constant in them is
        without effect; minus infinity is a weight of zero.

    Returns:
      The estimate of k, negative for bounded weights. It is minus infinity where the largest M + 1
      weights are all equal, and infinity where fewer than five of them outweigh the smallest of
      these.

    Raises:
      TypeError: the weights are no array of real numbers.
      ValueError: there are fewer than 25, the array is no vector, or a weight is NaN or infinite.

    #### Examples

    ```python
    import numpy as np
    from tfp_flows import diagnostics

    x = np.random.default_rng(0).standard_normal(10_000)  # draws of N(0, 1)
    too_wide = -0.5 * x**2 / 0.5 + 0.5 * x**2  # for a target of variance 0.5: bounded weights
    too_narrow = -0.5 * x**2 / 4.0 + 0.5 * x**2  # for one of variance 4: k = 1 - 1/4
    print(diagnostics.pareto_shape(too_wide), diagnostics.pareto_shape(too_narrow))
    ```

    #### References

    A. Vehtari, D. Simpson, A. Gelman, Y. Yao and J. Gabry. Pareto Smoothed Importance Sampling,
    2015, arXiv:1507.02646, sections 2.4 and 3. J. Zhang and M. Stephens. A New and Efficient
    Estimation Method for the Generalized Pareto Distribution, Technometrics 51 (2009), 316-325.
    """
    values = np.sort(shifted_log_weights(log_weights)[0])
    tail_size = math.ceil(min(values.size / 5.0, 3.0 * math.sqrt(values.size)))
    if tail_size < _SMALLEST_TAIL:
        raise ValueError(
            "Argument `log_weights`: expected at least 25 of them, to see their tail, received "
            f"{values.size}."
        )
    weights = np.exp(values[-tail_size - 1 :])
    excess = weights[1:] - weights[0]
    if excess[-1] <= 0.0:
        return -math.inf
    # Ties with the cutoff say nothing about the tail's shape.
    excess = excess[excess > 0.0]
    if excess.size < _SMALLEST_TAIL:
        return math.inf
    shape = _fit_shape(excess)
    return (shape * tail_size + 0.5 * _SHRINKAGE) / (tail_size + _SHRINKAGE)


def _fit_shape(excess: np.ndarray) -> float:
    """The shape of a generalized Pareto distribution, by the estimate of Zhang and Stephens.

    It is a posterior mean of theta = -k / sigma over a grid; given theta, the maximum likelihood
    estimate of k is the mean of log(1 - theta x).

    Args:
      excess: x, positive and in ascending order, `[m]`.
    """
    size = excess.size
    num_points = 30 + int(math.sqrt(size))
    quartile = excess[max(int(size / 4.0 + 0.5) - 1, 0)]
    grid = 1.0 - np.sqrt(num_points / (np.arange(num_points) + 0.5))
    theta = 1.0 / excess[-1] + grid / (_PRIOR * quartile)
    shape = np.mean(np.log1p(-theta[:, np.newaxis] * excess), axis=-1)
    profile = size * (np.log(-theta / shape) - shape - 1.0)
    weights = np.exp(profile - np.max(profile))
    theta_mean = np.sum(theta * weights) / np.sum(weights)
    return float(np.mean(np.log1p(-theta_mean * excess)))
