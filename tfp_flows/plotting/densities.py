"""Densities on the plane, and how they differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tfp_flows.plotting._arguments import check_integer, check_labelled, evaluate
from tfp_flows.plotting._look import SEQUENTIAL, look
from tfp_flows.plotting._panels import Limits, as_floating, as_limits, make_panels
from tfp_flows.plotting._scales import BAR, add_colour_bar, symmetric_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@look()
def density_grid(
    log_prob: Callable[[np.ndarray], Any] | Mapping[str, Callable[[np.ndarray], Any]],
    limits: Any = 4.0,
    *,
    num_points: int = 200,
    num_columns: int = 4,
    title: str | None = None,
    equal: bool = True,
    common_scale: bool = False,
    dtype: str = "float32",
) -> Figure:
    """Draws densities on the plane, one small picture for each.

    Each density is drawn relative to its own largest value, so that it need not be normalized; with
    a common scale relative to that of the first one, and what is larger looks the same.

    Args:
      log_prob: a callable from points, `[n, 2]`, to log-densities, `[n]`, in nats, up to a
        constant, such as the `log_prob` of a distribution; or a mapping from labels to such
        callables. Minus infinity is a log-density as any other.
      limits: the part of the plane to show: half the width of a square around the origin, a pair
        (low, high) for both axes, or a pair of such pairs, of the horizontal and the vertical axis.
      num_points: number of points in each direction at which the densities are evaluated, >= 2.
      num_columns: largest number of pictures side by side.
      title: a line above all of it.
      equal: whether a unit has one length along both axes; otherwise the pictures are squares.
      common_scale: whether all are drawn on the scale of the first.
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
    points = _cells(limits, num_points, dtype)
    largest, densities = None, []
    for label, function in log_prob.items():
        values = evaluate(names[label], function, points, (len(points),), finite=False)
        if np.isneginf(values).all():
            raise ValueError(
                f"{names[label]}: expected a density that is positive somewhere within limits; "
                "received minus infinity everywhere"
            )
        largest = values.max() if largest is None or not common_scale else largest
        relative = np.exp(np.minimum(values - largest, 0.0))
        densities.append(relative.reshape(num_points, num_points))

    figure, panels = make_panels(list(log_prob), limits, num_columns, title, equal=equal)
    for axes, density in zip(panels, densities, strict=True):
        _show(axes, density, limits, cmap=SEQUENTIAL, vmin=0.0, vmax=1.0)
    return figure


@look()
def difference_grid(
    differences: Mapping[str, Callable[[np.ndarray], Any]],
    limits: Any = 4.0,
    *,
    num_points: int = 200,
    num_columns: int = 4,
    title: str | None = None,
    label: str | None = None,
    equal: bool = True,
    dtype: str = "float32",
) -> Figure:
    """Draws signed functions of the plane, such as errors of densities, on one scale of colours.

    White is 0, blue is below and orange above. The scale ends where the 0.5 % largest values of all
    pictures begin, so that a sharp edge does not decide what is seen elsewhere; the bar is pointed
    where there are such.

    Args:
      differences: for each label a callable from points, `[n, 2]`, to numbers, `[n]`.
      limits: the part of the plane to show, as `density_grid` takes it.
      num_points: number of points in each direction at which the functions are evaluated, >= 2.
      num_columns: largest number of pictures side by side.
      title: a line above all of it.
      label: what the numbers are, for the colour bar.
      equal: whether a unit has one length along both axes; otherwise the pictures are squares.
      dtype: floating-point type of the points that the callables get.

    Returns:
      A `matplotlib.figure.Figure` with one axes for each function, in order, and then that of the
      colour bar.

    Raises:
      ImportError: if matplotlib is not installed.
      TypeError: if an argument has the wrong type.
      ValueError: if there is no function, a number is out of range, or a callable returns the wrong
        shape or a number that is not finite.

    #### Examples

    ```python
    import numpy as np
    from tfp_flows import plotting

    def density(x, scale):
        return np.exp(-0.5 * np.sum(x**2, axis=-1) / scale**2) / (2 * np.pi * scale**2)

    figure = plotting.difference_grid(
        {f"scale {s}": lambda x, s=s: density(x, s) - density(x, 1.0) for s in (0.9, 1.1)},
        label="difference of the densities",
    )
    ```
    """
    check_labelled("differences", differences, "callables")
    limits = as_limits(limits)
    num_points = check_integer("num_points", num_points, 2)
    points = _cells(limits, num_points, dtype)
    values = np.stack(
        [
            evaluate(f"differences[{name!r}]", function, points, (len(points),))
            for name, function in differences.items()
        ]
    )

    figure, panels = make_panels(list(differences), limits, num_columns, title, BAR, equal)
    scale = symmetric_scale(values, [label or ""], quantile=0.995, smallest=0.0, middle="#FFFFFF")
    for axes, difference in zip(panels, values, strict=True):
        picture = difference.reshape(num_points, num_points)
        _show(axes, picture, limits, cmap=scale.mappable.cmap, norm=scale.mappable.norm)
    add_colour_bar(figure, panels, scale)
    return figure


def _cells(limits: Limits, num_points: int, dtype: Any) -> np.ndarray:
    """Centers of the cells of a regular grid, `[num_points^2, 2]`, row by row from below."""
    x, y = (low + (high - low) * (np.arange(num_points) + 0.5) / num_points for low, high in limits)
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2).astype(as_floating(dtype))


def _show(axes: Axes, picture: np.ndarray, limits: Limits, **colours: Any) -> None:
    axes.imshow(
        picture,
        extent=(*limits[0], *limits[1]),
        origin="lower",
        interpolation="bilinear",
        aspect=axes.get_aspect(),  # as it is
        **colours,
    )
