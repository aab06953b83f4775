"""Importance weights: how good they are, and what they say about normalizers and free energies."""

import math
from typing import Any, NamedTuple

import numpy as np


class Estimate(NamedTuple):
    """A number with its statistical error.

    Attributes:
      value: the estimate.
      standard_error: its standard error, from the delta method.
    """

    value: float
    standard_error: float


def effective_sample_size(log_weights: Any) -> float:
    """Returns Kish's effective sample size, as a fraction of the number of draws.

    ```none
    (sum_i w_i)^2 / (n sum_i w_i^2)
    ```

    It is 1 for equal weights and 1 / n where one weight outweighs all others. Draws that miss a
    part of the target cannot know: then it is too high.

    Args:
      log_weights: log w `[n]` in nats, such as log p~(z) - log q(z) of draws z of q. A constant in
        them is without effect; minus infinity is a weight of zero.

    Returns:
      The fraction, in (0, 1].

    Raises:
      TypeError: the weights are no array of real numbers.
      ValueError: there are none, the array is no vector, a weight is NaN or infinite, or all are 0.

    #### Examples

    ```python
    import numpy as np
    from tfp_flows import diagnostics

    print(diagnostics.effective_sample_size(np.log([1.0, 1.0, 2.0])))  # 16 / 18
    ```

    #### References

    L. Kish. Survey Sampling, 1965, section 11.7. A. Kong. A Note on Importance Sampling Using
    Standardized Weights, University of Chicago, technical report 348, 1992.
    """
    weights = np.exp(shifted_log_weights(log_weights)[0])
    return float(np.sum(weights) ** 2 / (weights.size * np.sum(weights**2)))


def log_normalizer(log_weights: Any) -> Estimate:
    """Estimates log Z = log E_q[p~(z) / q(z)] of an unnormalized density p~ = Z p.

    ```none
    log((1/n) sum_i w_i),   standard error sqrt(var(w) / n) / mean(w)
    ```

    The free energy of the target is minus log Z, in kT.

    Args:
      log_weights: log w = log p~(z) - log q(z) of independent draws z of q, `[n]` in nats. Minus
        infinity is a weight of zero.

    Returns:
      The estimate in nats; its error is NaN for a single draw.

    Raises:
      TypeError: the weights are no array of real numbers.
      ValueError: there are none, the array is no vector, a weight is NaN or infinite, or all are 0.

    #### Examples

    ```python
    import numpy as np
    from tfp_flows import diagnostics

    log_weights = np.random.default_rng(0).normal(2.0, 0.5, size=10_000)
    log_z = diagnostics.log_normalizer(log_weights)  # 2 + 0.5^2 / 2
    print(f"{log_z.value:.2f} +- {log_z.standard_error:.2f}")
    ```

    #### References

    F. Noe, S. Olsson, J. Koehler and H. Wu. Boltzmann Generators, 2019, arXiv:1812.01729.
    """
    shifted, largest = shifted_log_weights(log_weights)
    weights = np.exp(shifted)
    relative = weights / np.mean(weights)
    error = np.std(relative, ddof=1) / math.sqrt(weights.size) if weights.size > 1 else math.nan
    return Estimate(largest + math.log(np.mean(weights)), float(error))


def free_energy_difference(log_weights: Any, in_a: Any, in_b: Any) -> Estimate:
    """Estimates the difference F_B - F_A of the free energies of two states, in kT.

    ```none
    -log(W_B / W_A),   W_S = sum_{i in S} w_i
    standard error: sqrt(n/(n - 1) sum_i w_i^2 (1[i in B]/W_B - 1[i in A]/W_A)^2)
    ```

    Args:
      log_weights: log w `[n]` in nats, such as -U(z)/kT - log q(z) of independent draws z of q;
        `None` for draws of the target itself. Minus infinity is a weight of zero.
      in_a: which draws are in state A, boolean `[n]`.
      in_b: which are in state B, boolean `[n]`. A draw may be in neither state.

    Returns:
      The estimate in kT. If there is no weight in B it is plus infinity, if there is none in A
      minus infinity, with an infinite error. Draws of a Markov chain are not independent: there
      the error is too small.

    Raises:
      TypeError: the weights are no array of real numbers, or a state is no array of booleans.
      ValueError: a shape does not fit, a weight is NaN or infinite, a draw is in both states, or
        there is no weight in either state.

    #### Examples

    ```python
    import numpy as np
    from tfp_flows import diagnostics

    x = np.random.default_rng(0).normal(size=10_000)  # draws of q = N(0, 1), for p = N(1, 1)
    log_weights = x - 0.5
    difference = diagnostics.free_energy_difference(log_weights, in_a=x < 0.0, in_b=x > 0.0)
    print(f"{difference.value:.2f} +- {difference.standard_error:.2f} kT")  # -log(0.841 / 0.159)
    ```

    #### References

    F. Noe, S. Olsson, J. Koehler and H. Wu. Boltzmann Generators, 2019, arXiv:1812.01729. A. Owen.
    Monte Carlo Theory, Methods and Examples, 2013, equation 9.9: the error of a ratio.
    """
    weights = _weights(log_weights, np.size(in_a))
    in_a, in_b = _state("in_a", in_a, weights.size), _state("in_b", in_b, weights.size)
    if np.any(in_a & in_b):
        raise ValueError(
            "Argument `in_b`: expected draws that are not in state A, received "
            f"{np.sum(in_a & in_b)} that are."
        )
    weight_a, weight_b = np.sum(weights[in_a]), np.sum(weights[in_b])
    if weight_a == 0.0 and weight_b == 0.0:
        raise ValueError("Argument `log_weights`: expected weight in a state, received none.")
    if weight_a == 0.0 or weight_b == 0.0:
        return Estimate(math.inf if weight_b == 0.0 else -math.inf, math.inf)
    influence = weights * (in_b / weight_b - in_a / weight_a)
    variance = weights.size / (weights.size - 1) * np.sum(influence**2)
    return Estimate(math.log(weight_a / weight_b), math.sqrt(variance))


def free_energy_profile(log_weights: Any, coordinate: Any, edges: Any) -> np.ndarray:
    """Estimates the free energy along a reaction coordinate s, a weighted histogram of it.

    ```none
    F(s) = -log p(s) = -log(sum_{i in bin} w_i / (width of the bin sum_i w_i))     in kT
    ```

    Args:
      log_weights: log w `[n]` in nats, as for `free_energy_difference`.
      coordinate: s of the draws, `[n]`.
      edges: ascending ends of the bins of s, `[m + 1]`.

    Returns:
      F in each bin, `[m]`; infinity where a bin has no weight.

    Raises:
      TypeError: the weights are no array of real numbers.
      ValueError: a shape does not fit, or the edges do not ascend; the weights are wrong as in
        `free_energy_difference`.

    #### Examples

    ```python
    import numpy as np
    from tfp_flows import diagnostics

    s = np.random.default_rng(0).normal(size=10_000)
    profile = diagnostics.free_energy_profile(None, s, edges=[-1.0, 0.0, 1.0])
    ```
    """
    weights = _weights(log_weights, np.size(coordinate))
    coordinate, edges = np.asarray(coordinate), np.asarray(edges)
    if coordinate.shape != weights.shape:
        raise ValueError(
            f"Argument `coordinate`: expected the shape {weights.shape}, received "
            f"{coordinate.shape}."
        )
    if edges.ndim != 1 or edges.size < 2 or not np.all(np.diff(edges) > 0.0):
        raise ValueError(
            f"Argument `edges`: expected two or more ascending numbers, received {edges.tolist()}."
        )
    mass = np.histogram(coordinate, edges, weights=weights / np.sum(weights))[0]
    with np.errstate(divide="ignore"):
        return np.log(np.diff(edges)) - np.log(mass)


def shifted_log_weights(log_weights: Any) -> tuple[np.ndarray, float]:
    """The log-weights, in float64 and with the largest one 0, and what that one was."""
    values = np.asarray(log_weights)
    if values.dtype.kind not in "iuf" and values.dtype.name != "bfloat16":
        raise TypeError(
            "Argument `log_weights`: expected an array of real numbers, received dtype "
            f"{values.dtype}."
        )
    if values.ndim != 1 or values.size == 0:
        raise ValueError(
            f"Argument `log_weights`: expected the shape (n,), n > 0, received {values.shape}."
        )
    values = values.astype(np.float64)
    largest = float(np.max(values))
    if not math.isfinite(largest):
        kind = "only weights of zero" if largest == -math.inf else largest
        raise ValueError(f"Argument `log_weights`: expected finite numbers, received {kind}.")
    return values - largest, largest


def _weights(log_weights: Any, num_draws: int) -> np.ndarray:
    """The weights up to a factor; for `None` equal ones, of so many draws."""
    if log_weights is None:
        return np.ones(num_draws)
    return np.exp(shifted_log_weights(log_weights)[0])


def _state(argument: str, members: Any, size: int) -> np.ndarray:
    members = np.asarray(members)
    if members.dtype != bool:
        raise TypeError(
            f"Argument `{argument}`: expected an array of booleans, received dtype {members.dtype}."
        )
    if members.shape != (size,):
        raise ValueError(
            f"Argument `{argument}`: expected the shape ({size},), received {members.shape}."
        )
    return members
