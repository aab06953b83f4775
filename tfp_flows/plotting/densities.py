"""Densities on the plane."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tfp_flows.plotting._arguments import check_integer, check_labelled, evaluate
from tfp_flows.plotting._look import SEQUENTIAL, look
from tfp_flows.plotting._panels import as_floating, as_limits, make_panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@look()
def density_grid(
    log_prob: Callable[[np.ndarray], Any] | Mapping[str, Callable[[np.ndarray], Any]],
    limits: Any = 4.0,
    *,
    num_points: int = 200,
    num_columns: int = 4,
    title: str | None = None,
    dtype: str = "float32",
) -> Figure:
    """Draws densities on the plane, one small picture for each.

    Each density is drawn relative to its own largest value, so that it need not be normalized.

    Args:
      log_prob: a callable from points, `[n, 2]`, to log-densities, `[n]`, in nats, up to a
        constant, such as the `log_prob` of a distribution; or a mapping from labels to such
        callables. Minus infinity is a log-density as any other.
      limits: the part of the plane to show: half the width of a square around the origin, a pair
        (low, high) for both axes, or a pair of such pairs, of the horizontal and the vertical axis.
      num_points: number of points in each direction at which the densities are evaluated, >= 2.
      num_columns: largest number of pictures side by side.
      title: a line above all of it.
      dtype: floating-point type of the points that the callables get.

    Returns:
      A `matplotlib.figure.Figure` with one axes for each density, in order.

    Raises:
      ImportError: if matplotlib is not installed.
      TypeError: if an argument has the wrong type.
      ValueError: if there is no density, a number is out of range, or a callable returns the wrong
        shape, a NaN, plus infinity, or minus infinity everywhere.

    #### Examples

    ```python
    from tfp_flows import datasets, plotting

    energies = {name: datasets.energy(name) for name in ("u1", "u2")}
    figure = plotting.density_grid(
        {name: lambda z, energy=energy: -energy(z) for name, energy in energies.items()},
        limits=4.0,
    )
    ```
    """
    if isinstance(log_prob, Mapping):
        check_labelled("log_prob", log_prob, "callables")
        names = {label: f"log_prob[{label!r}]" for label in log_prob}
    else:
        log_prob = {"": log_prob}
        names = {"": "log_prob"}
    limits = as_limits(limits)
    num_points = check_integer("num_points", num_points, 2)
    # Points are the centers of the picture's cells.
    x, y = (low + (high - low) * (np.arange(num_points) + 0.5) / num_points for low, high in limits)
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2).astype(as_floating(dtype))
    densities = []
    for label, function in log_prob.items():
        values = evaluate(names[label], function, points, (len(points),), finite=False)
        if np.isneginf(values).all():
            raise ValueError(
                f"{names[label]}: expected a density that is positive somewhere within limits; "
                "received minus infinity everywhere"
            )
        densities.append(np.exp(values - values.max()).reshape(num_points, num_points))

    figure, panels = make_panels(list(log_prob), limits, num_columns, title)
    for axes, density in zip(panels, densities, strict=True):
        axes.imshow(
            density,
            cmap=SEQUENTIAL,
            vmin=0.0,
            vmax=1.0,
            extent=(*limits[0], *limits[1]),
            origin="lower",
            interpolation="bilinear",
        )
    return figure
