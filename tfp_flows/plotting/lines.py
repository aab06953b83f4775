"""Curves over a common axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tfp_flows.plotting._arguments import check_labelled, check_positive, numbers
from tfp_flows.plotting._curves import label_ends, last_finite, line_styles, make_plot
from tfp_flows.plotting._look import INK, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# A curve of at most as many points shows them as dots.
_FEW = 20
# A label stands at most that many lines of text from its curve; otherwise there is a legend.
_FURTHEST = 2.0


@look()
def lines(
    curves: Mapping[str, tuple[Any, Any]],
    *,
    x_label: str,
    y_label: str,
    log_x: bool = False,
    log_y: bool = False,
    references: Mapping[str, float] | None = None,
    height: float = 0.5,
    title: str | None = None,
) -> Figure:
    """Draws curves y(x), and horizontal lines to compare them with.

    The labels stand beside the ends of the curves, or in a legend where the ends are too close to
    each other or some curves end early. Curves of few points show them as dots.

    Args:
      curves: for each label the points (x, y) of a curve, two arrays or tensors `[n]`. NaNs and
        infinities in y are gaps; x is finite, and positive on a logarithmic axis, as y is.
      x_label: what stands below the horizontal axis.
      y_label: what stands above the vertical axis.
      log_x: whether the horizontal axis is logarithmic.
      log_y: whether the vertical axis is.
      references: for each label the height of a dashed horizontal line.
      height: of the figure, as a fraction of its width.
      title: a line above all of it.

    Returns:
      A `matplotlib.figure.Figure` with one axes, in which the lines carry the labels.

    Raises:
      ImportError: if matplotlib is not installed.
      TypeError: if an argument has the wrong type.
      ValueError: if there is no curve, or a number or a shape is not as above.

    #### Examples

    ```python
    import numpy as np
    from tfp_flows import plotting

    layers = np.array([2, 8, 32])
    figure = plotting.lines(
        {"planar": (layers, [0.5, 0.1, 0.03]), "radial": (layers, [0.6, 0.3, 0.1])},
        x_label="layers",
        y_label="KL divergence in nats",
        log_x=True,
        log_y=True,
        references={"target": 0.02},
    )
    ```
    """
    check_labelled("curves", curves, "pairs (x, y)")
    points = {
        label: _points(f"curves[{label!r}]", curve, log_x, log_y) for label, curve in curves.items()
    }
    heights = _heights(references, log_y)
    height = check_positive("height", height)

    figure, axes = make_plot(x_label, y_label, height)
    if title is not None:
        figure.suptitle(title)
    axes.set(xscale="log" if log_x else "linear", yscale="log" if log_y else "linear")
    ends = {}
    for (label, (x, y)), (dashes, colour) in zip(points.items(), line_styles(), strict=False):
        axes.plot(
            x,
            y,
            color=colour,
            linestyle=dashes,
            linewidth=1.6,
            marker="o" if len(x) <= _FEW else None,
            markersize=4.0,
            label=label,
        )
        ends[label] = (last_finite(y), colour)
    for label, level in heights.items():
        axes.axhline(level, color=INK, linestyle=(0, (4, 3)), linewidth=1.0, label=label)
    axes.margins(x=0.01, y=0.05)
    axes.autoscale_view()
    if log_x:
        _plain_ticks(axes.xaxis, np.unique(np.concatenate([x for x, _ in points.values()])))
    if log_y:
        _plain_ticks(axes.yaxis)
    _write_labels(axes, points, ends, {label: (y, INK) for label, y in heights.items()})
    return figure


def _points(argument: str, curve: Any, log_x: bool, log_y: bool) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(curve, (tuple, list)) or len(curve) != 2:
        raise TypeError(f"{argument}: expected a pair (x, y); received {type(curve).__name__}")
    x, y = (numbers(f"{name} of {argument}", v) for name, v in zip("xy", curve, strict=True))
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(
            f"{argument}: expected x and y of one shape [n]; received {x.shape} and {y.shape}"
        )
    if not np.isfinite(y).any() or not np.isfinite(x).all():
        raise ValueError(
            f"{argument}: expected finite x, and some finite y; received {np.isfinite(x).sum()} "
            f"and {np.isfinite(y).sum()} finite ones of {len(x)}"
        )
    for name, values, is_log in (("x", x, log_x), ("y", y, log_y)):
        if is_log and (values <= 0.0).any():
            raise ValueError(
                f"{name} of {argument}: expected positive numbers on a logarithmic axis; received "
                f"{values[values <= 0.0][0]}"
            )
    # Lines break at NaNs; infinities would stretch the axis.
    return x, np.where(np.isfinite(y), y, np.nan)


def _heights(references: Mapping[str, float] | None, log_y: bool) -> dict[str, float]:
    if not references:
        return {}
    check_labelled("references", references, "numbers")
    heights = {}
    for label, value in references.items():
        height = numbers(f"references[{label!r}]", value)
        if height.shape != () or not np.isfinite(height) or (log_y and height <= 0.0):
            raise ValueError(
                f"references[{label!r}]: expected a finite number, positive on a logarithmic axis; "
                f"received {value!r}"
            )
        heights[label] = float(height)
    return heights


def _plain_ticks(axis: Any, values: np.ndarray | None = None) -> None:
    """Writes 0.01 and not 10^-2, whose exponent is too small to read.

    Args:
      axis: a logarithmic one.
      values: what is drawn along it; where these are a few, they are the ticks.
    """
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

    low, high = np.log10(axis.get_view_interval())
    if values is not None and len(values) <= 8:
        axis.set_major_locator(FixedLocator(values))
    else:
        axis.set_major_locator(LogLocator(subs=(1.0,) if high - low > 3.0 else (1.0, 2.0, 5.0)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _write_labels(
    axes: Axes,
    points: dict[str, tuple[np.ndarray, np.ndarray]],
    ends: dict[str, tuple[float, str]],
    references: dict[str, tuple[float, str]],
) -> None:
    """At the ends, if the curves reach the right side and lie apart there; else in a legend."""
    fraction = axes.transScale + axes.transLimits
    reached = [
        fraction.transform((x[np.isfinite(y)].max(), ends[label][0]))[0]
        for label, (x, y) in points.items()
    ]
    if min(reached) > 0.9 and label_ends(axes, ends | references, _FURTHEST):
        return
    label_ends(axes, references)
    handles = [line for line in axes.lines if line.get_label() in ends]
    axes.figure.legend(handles=handles, loc="outside right upper")
