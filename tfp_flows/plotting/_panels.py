"""Small multiples: panels that show the same part of the plane."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tfp_flows.plotting._arguments import check_integer
from tfp_flows.plotting._look import PAGE_WIDTH, style_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# (low, high) of the horizontal and of the vertical axis.
Limits = tuple[tuple[float, float], tuple[float, float]]


def make_panels(
    labels: list[str],
    limits: Limits,
    num_columns: int,
    title: str | None,
    below: float = 0.0,
    equal: bool = True,
) -> tuple[Figure, list[Axes]]:
    """Makes a figure of panels that all show the same part of the plane.

    Args:
      labels: titles of the panels.
      limits: what they show.
      num_columns: largest number of them side by side.
      title: a line above all of it, or None.
      below: room for a colour bar, in inches.
      equal: whether a unit has one length along both axes; otherwise panels are squares.
    """
    from matplotlib.figure import Figure

    num_columns = min(check_integer("num_columns", num_columns, 1), len(labels))
    num_rows = math.ceil(len(labels) / num_columns)
    ticks, heading = 0.3, 0.3 if any(labels) else 0.1  # inches beside and above a panel
    width = min(3.0, (PAGE_WIDTH - ticks) / num_columns)
    (left, right), (bottom, top) = limits
    height = (width - 0.1) * ((top - bottom) / (right - left) if equal else 1.0) + heading
    size = (
        num_columns * width + ticks,
        num_rows * height + ticks + below + (0.0 if title is None else 0.3),
    )
    figure = Figure(figsize=size, layout="compressed")
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06)  # keeps ticks and titles apart
    panels = figure.subplots(num_rows, num_columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes in panels[len(labels) :]:
        axes.remove()
    panels = list(panels[: len(labels)])
    for axes, label in zip(panels, labels, strict=True):
        axes.set(xlim=limits[0], ylim=limits[1], box_aspect=None if equal else 1.0)
        axes.set_aspect("equal" if equal else "auto")
        axes.set_title(label)
        style_ticks(axes)
        for axis in (axes.xaxis, axes.yaxis):
            axis.get_major_locator().set_params(nbins=4, steps=[1, 2, 5, 10])
    # A column whose last row is empty has its ticks one row higher.
    for axes in panels[-num_columns:]:
        axes.tick_params(labelbottom=True)
    if title is not None:
        figure.suptitle(title)
    return figure, panels


def as_limits(limits: Any) -> Limits:
    """Reads the three ways to write limits, see `density_grid`."""
    message = (
        "limits: expected a positive number, (low, high) or ((low, high), (low, high)), with "
        f"low < high; received {limits!r}"
    )
    try:
        array = np.asarray(limits, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(message) from None
    if array.shape == ():
        array = np.stack([-array, array])
    if array.shape not in ((2,), (2, 2)):
        raise ValueError(message)
    horizontal, vertical = np.broadcast_to(array, [2, 2]).tolist()
    if not (
        np.isfinite(array).all() and horizontal[0] < horizontal[1] and vertical[0] < vertical[1]
    ):
        raise ValueError(message)
    return tuple(horizontal), tuple(vertical)


def as_floating(dtype: Any) -> np.dtype:
    """Reads the name of a floating-point type, of NumPy or of TensorFlow."""
    try:
        result = np.dtype(getattr(dtype, "as_numpy_dtype", dtype))
    except TypeError:
        result = None
    if result is None or result.kind != "f":
        raise TypeError(f"dtype: expected a floating-point type; received {dtype!r}")
    return result
