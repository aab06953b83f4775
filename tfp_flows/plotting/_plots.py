"""Small multiples of plots: panels with an axis of their own each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tfp_flows.plotting._arguments import check_integer
from tfp_flows.plotting._look import LINE, PAGE_WIDTH, style_ticks

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def make_plots(labels: list[str], num_columns: int, title: str | None) -> tuple[Figure, list[Axes]]:
    """Makes a figure of plots of bars and curves, whose heights carry no numbers.

    Args:
      labels: titles of the plots.
      num_columns: largest number of them side by side.
      title: a line above all of it.
    """
    from matplotlib.figure import Figure

    num_columns = min(check_integer("num_columns", num_columns, 1), len(labels))
    num_rows = math.ceil(len(labels) / num_columns)
    width = min(4.0, PAGE_WIDTH / num_columns)
    height = min(2.2, 0.75 * width) + (0.3 if any(labels) else 0.0)
    size = (num_columns * width, num_rows * height + (0.0 if title is None else 0.3))
    figure = Figure(figsize=size, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06)
    grid = figure.subplots(num_rows, num_columns, squeeze=False).ravel()
    for axes in grid[len(labels) :]:
        axes.remove()
    panels = list(grid[: len(labels)])
    for axes, label in zip(panels, labels, strict=True):
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.set_yticks([])
        axes.set_title(label)
        style_ticks(axes)
        axes.xaxis.get_major_locator().set_params(nbins=5, steps=[1, 2, 5, 10])
    if title is not None:
        figure.suptitle(title)
    return figure, panels


def add_legend(figure: Figure, handles: Mapping[str, Artist]) -> None:
    """Writes below all plots what their colours and lines mean, and makes room for it."""
    num_columns = min(len(handles), 4)
    figure.legend(
        handles=list(handles.values()),
        labels=list(handles),
        loc="outside lower center",
        ncols=num_columns,
    )
    figure.set_figheight(figure.get_figheight() + LINE * math.ceil(len(handles) / num_columns))
