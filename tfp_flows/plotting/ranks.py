"""Rank histograms: whether a posterior's draws are calibrated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from tfp_flows.plotting._arguments import check_integer, check_labelled, numbers
from tfp_flows.plotting._look import COLOURS, FAINT, INK, look
from tfp_flows.plotting._plots import add_legend, make_plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BAND = 0.99


@look()
def rank_histograms(
    ranks: Mapping[str, Any],
    num_draws: int,
    *,
    num_bins: int = 20,
    num_columns: int = 4,
    title: str | None = None,
) -> Figure:
    """Draws histograms of the ranks of true parameters among draws from their posteriors.

    With the exact posterior all `num_draws + 1` ranks are equally likely. Heights are counts over
    those expected then; 99 % of such counts lie in the grey band, bin by bin. A hill means that the
    posteriors are too wide, a valley that they are too narrow, a slope that they are too high or
    too low.

    Args:
      ranks: for each label, such as a parameter's name, an integer array or tensor `[n]` with, for
        each of n simulations, how many of the posterior's draws lie below the true value.
      num_draws: number of draws that a rank was taken among; ranks are from 0 to `num_draws`.
      num_bins: number of bars, at most `num_draws + 1`. Where they cannot all hold as many ranks,
        the expected counts take that into account.
      num_columns: largest number of plots side by side.
      title: a line above all of it.

    Returns:
      A `matplotlib.figure.Figure` with one axes for each label, in order.

    Raises:
      ImportError: if matplotlib is not installed.
      TypeError: if an argument has the wrong type.
      ValueError: if there is no label, a number is out of range, or ranks are no integers from 0 to
        `num_draws`.

    #### Examples

    ```python
    import numpy as np
    from tfp_flows import plotting

    ranks = np.random.default_rng(0).integers(0, 100, size=[500, 2])  # 0 to 99
    figure = plotting.rank_histograms(dict(zip(["mean", "scale"], ranks.T)), num_draws=99)
    ```

    #### References

    S. Talts, M. Betancourt, D. Simpson, A. Vehtari and A. Gelman, Validating Bayesian Inference
    Algorithms with Simulation-Based Calibration, 2018, arXiv:1804.06788.
    """
    check_labelled("ranks", ranks, "ranks")
    num_draws = check_integer("num_draws", num_draws, 1)
    num_bins = check_integer("num_bins", num_bins, 2)
    if num_bins > num_draws + 1:
        raise ValueError(
            f"num_bins: expected at most num_draws + 1 = {num_draws + 1}; received {num_bins}"
        )
    arrays = {
        label: _ranks(f"ranks[{label!r}]", values, num_draws) for label, values in ranks.items()
    }

    figure, panels = make_plots(list(ranks), num_columns, title)
    bin_of_rank = np.arange(num_draws + 1) * num_bins // (num_draws + 1)
    probabilities = np.bincount(bin_of_rank) / (num_draws + 1)
    edges = np.linspace(0.0, 1.0, num_bins + 1)
    highest = 0.0
    for axes, values in zip(panels, arrays.values(), strict=True):
        expected = len(values) * probabilities
        heights = np.bincount(bin_of_rank[values], minlength=num_bins) / expected
        low, high = stats.binom.interval(_BAND, len(values), probabilities) / expected
        band = axes.stairs(
            high, edges, baseline=low, fill=True, color=FAINT, alpha=0.35, linewidth=0.0, zorder=2
        )
        axes.stairs(heights, edges, fill=True, color=COLOURS[0], alpha=0.6, linewidth=0.0)
        uniform = axes.axhline(1.0, color=INK, linewidth=0.9, linestyle="--")
        highest = max(highest, heights.max(), high.max())
    for axes in panels:
        axes.set(xlim=(0.0, 1.0), ylim=(0.0, 1.05 * highest), xlabel="rank / number of draws")
    add_legend(figure, {"exact posterior": uniform, "99 % of its counts": band})
    return figure


def _ranks(argument: str, value: Any, num_draws: int) -> np.ndarray:
    array = numbers(argument, value)
    wrong = (array < 0) | (array > num_draws) | (array != np.round(array))
    if array.ndim != 1 or not len(array) or wrong.any():
        received = array[wrong][0] if wrong.any() else f"the shape {array.shape}"
        raise ValueError(
            f"{argument}: expected integers from 0 to {num_draws}, of shape [n]; received "
            f"{received}"
        )
    return array.astype(int)
