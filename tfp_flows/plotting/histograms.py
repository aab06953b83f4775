"""Histograms of one variable beside the densities that they should follow."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfp_flows.plotting._arguments import check_integer, check_labelled, evaluate, numbers
from tfp_flows.plotting._look import COLOURS, INK, look
from tfp_flows.plotting._panels import as_floating, as_limits
from tfp_flows.plotting._plots import add_legend, make_plots

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CURVE_POINTS = 400


@look()
def histograms(
    samples: Mapping[str, Mapping[str, Any]],
    *,
    densities: Mapping[str, Mapping[str, Callable[[np.ndarray], Any]]] | None = None,
    bins: int = 60,
    limits: Any = None,
    num_columns: int = 3,
    title: str | None = None,
    dtype: str = "float32",
) -> Figure:
    """Draws histograms of samples of one variable, one small plot for each variable.

    A histogram has area one, also where `limits` cut it. In a plot the first one is filled, others
    are outlines; a label has one colour in all plots. Densities are dark lines.

    Args:
      samples: for each plot a mapping from labels to samples, arrays or tensors `[n]`; one that is
        empty leaves a plot of densities alone.
      densities: for some plots a mapping from labels to callables from points, `[m]`, to densities,
        `[m]`.
      bins: number of bins of a histogram.
      limits: what the horizontal axes show: a pair (low, high) for all plots, or a mapping from
        some of the plots to such pairs; None for the samples but a thousandth at either end.
      num_columns: largest number of plots side by side.
      title: a line above all of it.
      dtype: floating-point type of the points that the densities get.

    Returns:
      A `matplotlib.figure.Figure` with one axes for each plot, in order; where a label would not be
      clear otherwise, a legend stands below all of them.

    Raises:
      ImportError: if matplotlib is not installed.
      TypeError: if an argument has the wrong type.
      ValueError: if there is no plot or nothing in one, a number is out of range, a sample is not
        finite, `densities` or `limits` name other plots, a density returns the wrong shape or a
        number that is negative or not finite, or there are neither samples nor limits.

    #### Examples

    ```python
    import numpy as np
    from scipy import stats
    from tfp_flows import plotting

    rng = np.random.default_rng(0)
    figure = plotting.histograms(
        {"x": {"samples": rng.normal(size=5000)}, "y": {"samples": rng.uniform(size=5000)}},
        densities={"x": {"normal": stats.norm.pdf}},
    )
    ```
    """
    check_labelled("samples", samples, "mappings")
    bins = check_integer("bins", bins, 1)
    densities = {} if densities is None else _of_plots("densities", densities, samples)
    panels = {}
    for name, group in samples.items():
        arrays = _arrays(f"samples[{name!r}]", group)
        shown = _shown(name, limits, arrays, samples)
        x = np.linspace(*shown, _CURVE_POINTS).astype(as_floating(dtype))
        curves = {
            label: (x, _density(f"densities[{name!r}][{label!r}]", function, x))
            for label, function in densities.get(name, {}).items()
        }
        if not arrays and not curves:
            raise ValueError(f"samples[{name!r}]: expected samples or a density; received neither")
        panels[name] = (shown, arrays, curves)

    figure, plots = make_plots(list(panels), num_columns, title)
    colours = _styles([arrays for _, arrays, _ in panels.values()], COLOURS)
    dashes = _styles([curves for _, _, curves in panels.values()], ("-", "--", ":"))
    handles: dict[str, Any] = {}
    for axes, (shown, arrays, curves) in zip(plots, panels.values(), strict=True):
        for rank, (label, values) in enumerate(arrays.items()):
            bars = _draw_bars(axes, values, shown, bins, colours[label], filled=rank == 0)
            handles.setdefault(label, bars)
        for label, curve in curves.items():
            (line,) = axes.plot(*curve, color=INK, linestyle=dashes[label], linewidth=1.2)
            handles.setdefault(label, line)
        axes.set(xlim=shown, ylim=(0.0, None))
    if len(handles) > 1:
        add_legend(figure, handles)
    return figure


def _arrays(argument: str, group: Any) -> dict[str, np.ndarray]:
    if not isinstance(group, Mapping):
        raise TypeError(
            f"{argument}: expected a mapping from labels to samples; received "
            f"{type(group).__name__}"
        )
    if not group:
        return {}
    check_labelled(argument, group, "samples")
    arrays = {label: numbers(f"{argument}[{label!r}]", values) for label, values in group.items()}
    for label, values in arrays.items():
        if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
            raise ValueError(
                f"{argument}[{label!r}]: expected finite numbers of shape [n]; received the shape "
                f"{values.shape} with {np.isfinite(values).sum()} finite ones"
            )
    return arrays


def _of_plots(argument: str, value: Any, samples: Mapping[str, Any]) -> Mapping[str, Any]:
    """Checks a mapping from some of the plots."""
    check_labelled(argument, value, "what belongs to them")
    if unknown := set(value) - set(samples):
        raise ValueError(
            f"{argument}: expected labels of plots, {list(samples)}; received {sorted(unknown)}"
        )
    return value


def _shown(
    name: str, limits: Any, arrays: dict[str, np.ndarray], samples: Mapping[str, Any]
) -> tuple[float, float]:
    """Limits of the horizontal axis of a plot."""
    if isinstance(limits, Mapping):
        limits = _of_plots("limits", limits, samples).get(name)
    if limits is not None:
        return as_limits(limits)[0]
    if not arrays:
        raise ValueError(f"limits: expected some for {name!r}, which has no samples; received none")
    low, high = np.quantile(np.concatenate(list(arrays.values())), [0.001, 0.999])
    margin = 0.04 * (high - low) or 0.04 * abs(high) or 1.0
    return low - margin, high + margin


def _density(argument: str, function: Any, x: np.ndarray) -> np.ndarray:
    values = evaluate(argument, function, x, x.shape)
    if (values < 0.0).any():
        raise ValueError(
            f"{argument}: expected densities, and not their logarithms; received {values.min():g}"
        )
    return values


def _styles(groups: list[dict[str, Any]], choices: Sequence[str]) -> dict[str, str]:
    """One of the choices for each label, in the order in which labels occur."""
    labels = dict.fromkeys(label for group in groups for label in group)
    return dict(zip(labels, itertools.cycle(choices), strict=False))


def _draw_bars(
    axes: Axes,
    values: np.ndarray,
    shown: tuple[float, float],
    bins: int,
    colour: str,
    filled: bool,
) -> Artist:
    """A histogram, in units of density; returns what the legend shows."""
    counts, edges = np.histogram(values, bins, shown)
    # Of all values, so that those outside do not raise the others.
    heights = counts * bins / (len(values) * (shown[1] - shown[0]))
    return axes.stairs(
        heights,
        edges,
        fill=filled,
        color=colour,
        alpha=0.45 if filled else 1.0,
        linewidth=0.0 if filled else 1.3,
    )
