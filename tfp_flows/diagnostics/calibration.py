"""Simulation-based calibration: are posteriors as wide as they claim to be?"""

from typing import Any

import numpy as np
from scipy import stats

from tfp_flows._checks import check_at_least


def simulation_ranks(truth: Any, draws: Any) -> np.ndarray:
    """Ranks of true parameters among draws from their posteriors.

    ```none
    theta_i ~ prior,   x_i ~ p(x | theta_i),   theta_i^1 ... theta_i^S ~ q(theta | x_i)
    rank_i = number of s with theta_i^s < theta_i
    ```

    If q is the exact posterior, each rank is uniform on 0, 1, ..., S. Ranks that pile up at both
    ends mean that q is too narrow, in the middle that it is too wide, at one end that it is moved
    to one side.

    Any number that is computed from parameters and data has ranks, such as log q(theta | x): these
    say whether regions of highest density hold what they should.

    Args:
      truth: `[n]` or `[n, D]`, one row for each simulation.
      draws: `[S, n]` or `[S, n, D]`, S draws for each of them. Draws equal to the truth count as
        greater; for continuous parameters there are none.

    Returns:
      The ranks, integers from 0 to S in the shape of `truth`.

    Raises:
      ValueError: there are no draws, the shapes do not fit, or a value is not finite.

    #### Examples

    ```python
    import numpy as np
    from tfp_flows import diagnostics

    rng = np.random.default_rng(0)
    theta = rng.normal(size=500)
    x = theta + rng.normal(size=500)
    draws = 0.5 * x + 0.5**0.5 * rng.normal(size=[99, 500])  # the exact posterior
    ranks = diagnostics.simulation_ranks(theta, draws)
    print(diagnostics.rank_p_value(ranks, num_draws=99))  # 0.05 or less in one of 20 cases
    print(diagnostics.coverage(ranks, num_draws=99, levels=[0.5, 0.9]))
    ```

    #### References

    Talts, Betancourt, Simpson, Vehtari and Gelman (2018), Validating Bayesian Inference Algorithms
    with Simulation-Based Calibration, arXiv:1804.06788, algorithm 1.
    """
    truth, draws = np.asarray(truth), np.asarray(draws)
    if truth.ndim not in (1, 2) or draws.shape[1:] != truth.shape or not draws.size:
        raise ValueError(
            "Argument `draws`: expected the shape [S, n] or [S, n, D] for `truth` [n] or [n, D], "
            f"received {draws.shape} for {truth.shape}."
        )
    for name, values in (("truth", truth), ("draws", draws)):
        if not np.isfinite(values).all():
            raise ValueError(f"Argument `{name}`: expected finite numbers, received others, too.")
    return np.sum(draws < truth, axis=0)


def rank_p_value(ranks: Any, num_draws: int, num_bins: int = 20) -> np.ndarray:
    """Tests whether ranks are uniform: Pearson's chi-square test on their histogram.

    Args:
      ranks: integers from 0 to S, `[n]` or `[n, D]`.
      num_draws: S.
      num_bins: B, bins of the histogram, from 2 to S + 1. They hold nearly the same number of ranks
        each; what they are expected to hold is exact. About five ranks in each are enough.

    Returns:
      The p-value of each column, float64 `[]` or `[D]`. Small ones speak against uniformity.

    Raises:
      TypeError: the ranks are no integers.
      ValueError: there are no ranks, one is out of range, or a number is.

    #### Examples

    ```python
    import numpy as np
    from tfp_flows import diagnostics

    ranks = np.random.default_rng(0).integers(0, 100, size=[2000, 2])
    ranks[:, 1] //= 2  # of a posterior that is always shifted to one side
    print(diagnostics.rank_p_value(ranks, num_draws=99))  # the second is 0
    ```

    #### References

    Talts, Betancourt, Simpson, Vehtari and Gelman (2018), Validating Bayesian Inference Algorithms
    with Simulation-Based Calibration, arXiv:1804.06788, section 5.
    """
    ranks = _checked_ranks(ranks, num_draws)
    check_at_least(2, num_bins=num_bins)
    if num_bins > num_draws + 1:
        raise ValueError(
            f"Argument `num_bins`: expected at most {num_draws + 1}, one for each possible rank, "
            f"received {num_bins}."
        )
    edges = np.floor(np.linspace(0, num_draws + 1, num_bins + 1))
    expected = len(ranks) * np.diff(edges) / (num_draws + 1)
    columns = ranks.reshape(len(ranks), -1).T
    counts = [np.histogram(column + 0.5, edges)[0] for column in columns]
    p_values = [stats.chisquare(count, expected).pvalue for count in counts]
    return np.reshape(p_values, ranks.shape[1:])


def coverage(ranks: Any, num_draws: int, levels: Any) -> np.ndarray:
    """How often central intervals of the posterior hold the true parameter.

    Args:
      ranks: integers from 0 to S, `[n]` or `[n, D]`.
      num_draws: S.
      levels: probabilities of the intervals, `[m]`, each in (0, 1).

    Returns:
      The fractions of the n simulations whose parameter lies in the interval, float64 `[m]` or
      `[m, D]`. For exact posteriors they are the levels, up to 1/(S + 1) and to errors of
      `sqrt(level (1 - level) / n)`.

    Raises:
      TypeError: the ranks are no integers.
      ValueError: there are no ranks, one is out of range, or a level is.

    #### Examples

    ```python
    import numpy as np
    from tfp_flows import diagnostics

    ranks = np.random.default_rng(0).integers(25, 75, size=1000)  # of posteriors twice too wide
    print(diagnostics.coverage(ranks, num_draws=99, levels=[0.5, 0.9]))  # 1 and 1
    ```
    """
    ranks = _checked_ranks(ranks, num_draws)
    levels = np.asarray(levels, np.float64)
    if levels.ndim != 1 or np.any(levels <= 0.0) or np.any(levels >= 1.0):
        raise ValueError(
            f"Argument `levels`: expected a vector of numbers in (0, 1), received {levels}."
        )
    # The middle of what a rank stands for on [0, 1], mirrored: 0 in the centre, 1 at both ends.
    distance = np.abs(2.0 * (ranks + 0.5) / (num_draws + 1) - 1.0)
    return np.stack([np.mean(distance <= level, axis=0) for level in levels])


def _checked_ranks(ranks, num_draws):
    check_at_least(1, num_draws=num_draws)
    ranks = np.asarray(ranks)
    if ranks.dtype.kind not in "iu":
        raise TypeError(f"Argument `ranks`: expected integers, received {ranks.dtype}.")
    if ranks.ndim not in (1, 2) or not ranks.size:
        raise ValueError(f"Argument `ranks`: expected [n] or [n, D], received {ranks.shape}.")
    if ranks.min() < 0 or ranks.max() > num_draws:
        raise ValueError(
            f"Argument `ranks`: expected 0 to {num_draws}, received {ranks.min()} to {ranks.max()}."
        )
    return ranks
