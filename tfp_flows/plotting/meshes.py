"""How transforms move the points of the plane."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tfp_flows.plotting._arguments import (
    check_integer,
    check_labelled,
    check_positive,
    evaluate,
)
from tfp_flows.plotting._look import INK, SEQUENTIAL, look
from tfp_flows.plotting._panels import Limits, as_floating, as_limits, make_panels
from tfp_flows.plotting._scales import BAR, Scale, add_colour_bar, symmetric_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Where a curved line of the mesh is approximated by straight pieces.
_PIECES = 120


@look()
def transformed_mesh(
    transforms: Mapping[str, Callable[[np.ndarray], Any]],
    log_dets: Mapping[str, Callable[[np.ndarray], Any]] | None = None,
    *,
    half_width: float = 3.0,
    num_lines: int = 13,
    num_samples: int = 1000,
    seed: int = 0,
    limits: Any = None,
    num_columns: int = 5,
    title: str | None = None,
    dtype: str = "float32",
) -> Figure:
    """Draws how transforms move points of the plane, one small picture for each transform.

    In each of them the transform has moved the lines of a regular mesh and samples of the standard
    normal distribution. The colour of a sample is its log-det, if `log_dets` is given: grey where
    areas stay as they are, orange where they grow, so that the density falls, blue where they
    shrink. Otherwise it is the density of the standard normal where the sample came from. A
    transform that changes nothing, `lambda x: x`, shows the state before.

    Args:
      transforms: for each label a callable from points, `[n, 2]`, to points, `[n, 2]`, such as the
        `forward` of a bijector.
      log_dets: for the same labels, callables from points, `[n, 2]`, to the log-dets of the
        Jacobians, `[n]`, in nats, such as the `forward_log_det_jacobian` of a bijector.
      half_width: the mesh covers the square [-half_width, half_width]^2.
      num_lines: number of lines of the mesh in each direction; 0 for no mesh.
      num_samples: number of samples; 0 for none.
      seed: integer >= 0 that fixes the samples.
      limits: the part of the plane that all pictures show: half the width of a square around the
        origin, a pair (low, high) for both axes, or a pair of such pairs, of the horizontal and the
        vertical axis. None for what holds all moved meshes, or samples if there is no mesh.
      num_columns: largest number of pictures side by side.
      title: a line above all of it.
      dtype: floating-point type of the points that the callables get.

    Returns:
      A `matplotlib.figure.Figure`, whose first axes are those of the transforms, in order; with
      samples, that of the colour bar follows.

    Raises:
      ImportError: if matplotlib is not installed.
      TypeError: if an argument has the wrong type.
      ValueError: if there is no transform, nothing to draw, the labels of `log_dets` are others, a
        number is out of range, or a callable returns the wrong shape or a number that is not
        finite.

    #### Examples

    ```python
    import tfp_flows as tff
    from tfp_flows import plotting

    layers = {
        f"beta = {beta:g}": tff.bijectors.Radial(center=[0.0, 0.0], alpha=1.0, beta=beta)
        for beta in (-2.0, 0.0, 2.0)
    }
    figure = plotting.transformed_mesh(
        {label: layer.forward for label, layer in layers.items()},
        log_dets={label: layer.forward_log_det_jacobian for label, layer in layers.items()},
    )
    ```
    """
    check_labelled("transforms", transforms, "callables")
    half_width = check_positive("half_width", half_width)
    num_lines = check_integer("num_lines", num_lines, 0)
    num_samples = check_integer("num_samples", num_samples, 0)
    seed = check_integer("seed", seed, 0)
    if num_lines == num_samples == 0:
        raise ValueError("num_samples: expected a positive number without lines; received 0")
    if log_dets is not None:
        check_labelled("log_dets", log_dets, "callables")
        if set(log_dets) != set(transforms):
            raise ValueError(
                f"log_dets: expected the labels of transforms, {list(transforms)}; received "
                f"{list(log_dets)}"
            )
    floating = as_floating(dtype)
    lines = _mesh(half_width, num_lines).astype(floating)
    samples = np.random.default_rng(seed).standard_normal([num_samples, 2]).astype(floating)

    moved_lines, moved_samples, colours = [], [], []
    for label, transform in transforms.items():
        start = np.concatenate([lines.reshape(-1, 2), samples])
        moved = evaluate(f"transforms[{label!r}]", transform, start, start.shape)
        moved_lines.append(moved[: lines.size // 2].reshape(lines.shape))
        moved_samples.append(moved[lines.size // 2 :])
        if log_dets is None:
            colours.append(np.exp(-0.5 * np.sum(np.square(samples), axis=-1)) / (2.0 * np.pi))
        elif num_samples:
            function = log_dets[label]
            colours.append(evaluate(f"log_dets[{label!r}]", function, samples, (num_samples,)))
    if limits is None:
        limits = _around(moved_lines if num_lines else moved_samples)
    else:
        limits = as_limits(limits)

    figure, panels = make_panels(list(transforms), limits, num_columns, title, below=BAR)
    scale = _density_scale() if log_dets is None else _log_det_scale(np.concatenate(colours))
    for axes, curves, points, colour in zip(
        panels, moved_lines, moved_samples, colours, strict=True
    ):
        _draw_moved(axes, curves, points, colour, scale)
    if num_samples:
        add_colour_bar(figure, panels, scale)
    return figure


def _density_scale() -> Scale:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    norm = Normalize(0.0, 1.0 / (2.0 * np.pi))
    phrases = ["density of the standard normal", "where the point came from"]
    return Scale(ScalarMappable(norm, SEQUENTIAL), phrases)


def _log_det_scale(log_dets: np.ndarray) -> Scale:
    """Symmetric about 0, so that grey means "as before"."""
    low, high = (float(f(log_dets, initial=0.0)) for f in (np.min, np.max))
    meanings = {
        "log-det in nats;": True,
        "blue: areas shrink, density rises;": low < 0.0,
        "orange: areas grow, density falls": high > 0.0,
    }
    phrases = [phrase for phrase, occurs in meanings.items() if occurs]
    return symmetric_scale(log_dets, phrases, quantile=0.99, smallest=1e-3, middle="#A8A8A8")


def _draw_moved(
    axes: Axes, lines: np.ndarray, points: np.ndarray, colours: np.ndarray, scale: Scale
) -> None:
    from matplotlib.collections import LineCollection

    mesh = LineCollection(list(lines), colors=INK, linewidths=0.35, alpha=0.55)
    axes.add_collection(mesh, autolim=False)
    axes.scatter(
        *points.T,
        c=colours,
        cmap=scale.mappable.cmap,
        norm=scale.mappable.norm,
        s=3.0,
        linewidths=0.0,
        zorder=0.5 * mesh.get_zorder(),
    )


def _mesh(half_width: float, num_lines: int) -> np.ndarray:
    """The lines of a regular mesh, `[2 num_lines, points of a line, 2]`: upright ones first."""
    along, across = (np.linspace(-half_width, half_width, n) for n in (_PIECES + 1, num_lines))
    upright = np.stack(np.broadcast_arrays(across[:, np.newaxis], along), axis=-1)
    return np.concatenate([upright, upright[..., ::-1]])


def _around(points: list[np.ndarray]) -> Limits:
    """Limits that hold all points, with a margin."""
    everything = np.concatenate([array.reshape(-1, 2) for array in points])
    low, high = everything.min(axis=0).astype(float), everything.max(axis=0).astype(float)
    margin = 0.03 * max(*(high - low), 1e-6)
    (left, bottom), (right, top) = low - margin, high + margin
    return (float(left), float(right)), (float(bottom), float(top))
