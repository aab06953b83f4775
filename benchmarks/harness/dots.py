"""A picture of times or ratios: a row for each work, a dot for each contender."""

from collections.abc import Mapping
from typing import Any


def dot_plot(
    rows: Mapping[str, Mapping[str, float | None]], x_label: str, reference: float | None = None
) -> Any:
    """Draws numbers on a logarithmic axis.

    Args:
      rows: for each work the numbers by contender; `None` leaves a dot out. Contenders that begin
        with the same word share a colour, those that end with the same word a marker.
      x_label: what the numbers are.
      reference: where a vertical line stands.

    Returns:
      A `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, NullFormatter

    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    makers = list(dict.fromkeys(name.split()[0] for name in names))
    markers = dict(zip(dict.fromkeys(name.split()[-1] for name in names), "osD^v<>", strict=False))
    figure = Figure(figsize=(8.5, 1.2 + 0.42 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for name in names:
        points = [
            (row[name], y) for y, row in enumerate(rows.values()) if row.get(name) is not None
        ]
        maker, mode = name.split()[0], name.split()[-1]
        axes.plot(
            *zip(*points, strict=True),
            linestyle="",
            marker=markers[mode],
            color=f"C{makers.index(maker)}",
            label=name,
        )
    axes.set(xscale="log", xlabel=x_label, yticks=range(len(rows)), yticklabels=list(rows))
    axes.invert_yaxis()
    if reference is not None:
        axes.axvline(reference, color="0.6", linewidth=0.8)
    axes.grid(axis="y", color="0.92")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    figure.legend(loc="outside right upper", fontsize=9)
    return figure
