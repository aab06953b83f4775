"""Plots of curves: one wide axes, the looks of its lines, and labels at their ends."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from tfp_flows.plotting._look import COLOURS, PAGE_WIDTH, SMALL, style_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The height of a line of labels, in points.
_LINE_OF_LABELS = 1.3 * SMALL


def make_plot(x_label: str, y_label: str, height: float = 0.5) -> tuple[Figure, Axes]:
    """Makes a figure of one axes, as wide as the page.

    Args:
      x_label: what stands below the horizontal axis.
      y_label: what stands above the vertical one, so that no text is turned.
      height: of the figure, as a fraction of its width.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(PAGE_WIDTH, height * PAGE_WIDTH), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#E6E6E6", linewidth=0.6)
    style_ticks(axes)
    axes.set_xlabel(x_label)
    axes.set_title(y_label, loc="left")
    return figure, axes


def line_styles() -> Iterator[tuple[str, str]]:
    """Dashes and colours for any number of lines; the first 21 all differ."""
    return itertools.cycle(itertools.product(("-", "--", ":"), COLOURS))


def last_finite(values: np.ndarray) -> float:
    """The last value of a curve that is a number."""
    return float(values[np.isfinite(values)][-1])


def label_ends(
    axes: Axes, ends: Mapping[str, tuple[float, str]], furthest: float = float("inf")
) -> bool:
    """Writes labels beside the ends of curves, one below the other where they are close.

    Args:
      axes: with its final limits.
      ends: for each label the height of its curve's end, in data, and the colour.
      furthest: how many lines of text a label may stand from its curve's end.

    Returns:
      Whether it was done: not where a label would stand further away.
    """
    if not ends:
        return True
    axes.figure.draw_without_rendering()  # places the axes, so that heights can be compared
    points_per_dot = 72.0 / axes.figure.dpi
    heights = [axes.transData.transform((1.0, y))[1] * points_per_dot for y, _ in ends.values()]
    placed = _spread(heights, _LINE_OF_LABELS)
    if max(abs(placed - heights)) > furthest * _LINE_OF_LABELS:
        return False
    for (label, (y, colour)), height, at in zip(ends.items(), heights, placed, strict=True):
        axes.annotate(
            label,
            xy=(1.0, y),
            xycoords=("axes fraction", "data"),
            xytext=(5.0, at - height),
            textcoords="offset points",
            color=colour,
            va="center",
            annotation_clip=False,
        )
    return True


def _spread(heights: list[float], distance: float) -> np.ndarray:
    """Moves numbers as little as needed to have all of them at least `distance` apart.

    Least squares: with the k-th smallest lowered by k * distance they only have to stay in order,
    and the closest numbers that do are the means of pools of neighbours.
    """
    order = np.argsort(heights, kind="stable")
    pools: list[list[float]] = []
    for rank, height in enumerate(np.asarray(heights)[order]):
        pools.append([height - rank * distance])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    lowered = np.concatenate([np.full(len(pool), np.mean(pool)) for pool in pools])
    spread = np.empty(len(heights))
    spread[order] = lowered + distance * np.arange(len(heights))
    return spread
