"""Points of the plane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tfp_flows.plotting._arguments import check_integer, check_labelled, numbers
from tfp_flows.plotting._look import COLOURS, look
from tfp_flows.plotting._panels import as_limits, make_panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@look()
def scatter_grid(
    points: Mapping[str, Any],
    limits: Any = 4.0,
    *,
    num_columns: int = 4,
    title: str | None = None,
    max_points: int = 5000,
) -> Figure:
    """Draws points of the plane as dots, one small picture for each set.

    Args:
      points: for each label an array or tensor `[n, 2]`.
      limits: the part of the plane to show: half the width of a square around the origin, a pair
        (low, high) for both axes, or a pair of such pairs, of the horizontal and the vertical axis.
      num_columns: largest number of pictures side by side.
      title: a line above all of it.
      max_points: of a larger set every so many-th point is drawn, that many in all.

    Returns:
      A `matplotlib.figure.Figure` with one axes for each set, in order.

    Raises:
      ImportError: if matplotlib is not installed.
      TypeError: if an argument has the wrong type.
      ValueError: if there is no set, a number is out of range, or a set has another shape or a
        point that is not finite.

    #### Examples

    ```python
    from tfp_flows import datasets, plotting

    names = ("moons", "spirals")
    figure = plotting.scatter_grid({name: datasets.toy(name, 1000, seed=0) for name in names})
    ```
    """
    check_labelled("points", points, "arrays")
    limits = as_limits(limits)
    max_points = check_integer("max_points", max_points, 1)
    sets = [_plane(f"points[{label!r}]", array) for label, array in points.items()]

    figure, panels = make_panels(list(points), limits, num_columns, title)
    for axes, array in zip(panels, sets, strict=True):
        # Evenly over the set, whose order may mean something.
        shown = np.linspace(0, len(array) - 1, min(max_points, len(array))).astype(int)
        # Fewer dots can be larger without becoming one blot.
        size = np.clip(4000.0 / len(shown), 0.8, 8.0)
        axes.scatter(*array[shown].T, s=size, color=COLOURS[0], alpha=0.5, linewidths=0.0)
    return figure


def _plane(argument: str, value: Any) -> np.ndarray:
    array = numbers(argument, value)
    if array.ndim != 2 or array.shape[1] != 2 or not len(array):
        raise ValueError(f"{argument}: expected the shape [n, 2]; received {array.shape}")
    if not np.isfinite(array).all():
        wrong = ~np.isfinite(array).all(axis=1)
        raise ValueError(
            f"{argument}: expected finite numbers; received {array[wrong][0].tolist()} "
            f"({wrong.sum()} of {len(array)} points)"
        )
    return array
