"""Learning curves of several trainings in one plot."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tfp_flows.plotting._arguments import check_labelled, numbers
from tfp_flows.plotting._curves import label_ends, last_finite, line_styles, make_plot
from tfp_flows.plotting._look import INK, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_THIN = 0.9
_THICK = 2.0


@dataclasses.dataclass(frozen=True)
class _Curve:
    """What was recorded in training: values by epoch, the first of which is epoch 1."""

    epochs: np.ndarray
    values: np.ndarray


@look()
def learning_curves(
    histories: Mapping[str, Any],
    metric: str = "neg_elbo",
    validation: bool = True,
    *,
    metric_label: str | None = None,
) -> Figure:
    """Draws one metric of several trainings, epoch by epoch: training thin, validation thick.

    The vertical axis shows the bulk and the end of each curve; what lies far above or below, as
    the first epochs do, leaves the picture.

    Args:
      histories: for each label what `fit` returned, a Keras `History` (of either Keras), or its
        `history`, a mapping from names of metrics to lists of one number an epoch.
      metric: name of the metric in the histories. That of the validation set is `"val_" + metric`;
        where it has fewer values, `validation_freq` is taken to have been a whole number.
      validation: whether to draw the metric of the validation set, too, where it was recorded.
      metric_label: what to write above the axis; None for `metric`.

    Returns:
      A `matplotlib.figure.Figure` with one axes, in which the lines carry the labels.

    Raises:
      ImportError: if matplotlib is not installed.
      TypeError: if an argument has the wrong type.
      ValueError: if there is no history, if one lacks the metric, or if what it recorded is no
        list of numbers.

    #### Examples

    ```python
    from tfp_flows import plotting

    figure = plotting.learning_curves(
        {
            "no flow": {"loss": [9.0, 5.0, 4.0], "val_loss": [6.0, 4.5, 4.3]},
            "planar": {"loss": [8.0, 4.5, 3.0], "val_loss": [5.0, 3.9, 3.5]},
        },
        metric="loss",
    )
    ```
    """
    check_labelled("histories", histories, "histories of Keras")
    if not isinstance(metric, str):
        raise TypeError(f"metric: expected the name of a metric; received {metric!r}")
    pairs = {
        label: _recorded(f"histories[{label!r}]", history, metric, validation)
        for label, history in histories.items()
    }

    figure, axes = make_plot("epoch", metric_label or metric)
    ends = {}
    for (label, (training, validated)), (dashes, colour) in zip(
        pairs.items(), line_styles(), strict=False
    ):
        axes.plot(
            training.epochs,
            training.values,
            color=colour,
            linestyle=dashes,
            linewidth=_THIN,
            alpha=0.7 if validated else 1.0,
            label=f"_{label} (training)" if validated else label,
        )
        if validated:
            axes.plot(
                validated.epochs,
                validated.values,
                color=colour,
                linestyle=dashes,
                linewidth=_THICK,
                label=label,
            )
        ends[label] = (last_finite((validated or training).values), colour)

    drawn = [curve for pair in pairs.values() for curve in pair if curve is not None]
    axes.set_ylim(*_vertical_limits([curve.values for curve in drawn]))
    last = max(curve.epochs[-1] for curve in drawn)
    axes.set_xlim(min(curve.epochs[0] for curve in drawn) - 0.01 * last, last * 1.01)
    axes.xaxis.get_major_locator().set_params(integer=True)
    if any(validated is not None for _, validated in pairs.values()):
        _explain_widths(axes)
    label_ends(axes, ends)
    return figure


def _recorded(
    argument: str, history: Any, metric: str, validation: bool
) -> tuple[_Curve, _Curve | None]:
    """Returns the curves of the training and of the validation set, the latter if there is one."""
    record = getattr(history, "history", history)
    if not isinstance(record, Mapping):
        raise TypeError(
            f"{argument}: expected a Keras History or its `history`; received "
            f"{type(history).__name__}"
        )
    if metric not in record:
        raise ValueError(
            f"metric: expected one that {argument} recorded, which are "
            f"{', '.join(map(repr, record)) or 'none'}; received {metric!r}"
        )
    values = _values(f"{argument}[{metric!r}]", record[metric])
    epochs = 1 + np.arange(len(values))
    counted = getattr(history, "epoch", [])  # does not start at 0 where training was resumed
    if len(counted) == len(values):
        epochs = 1 + np.asarray(counted)
    name = f"val_{metric}"
    if not validation or name not in record:
        return _Curve(epochs, values), None
    validated = _values(f"{argument}[{name!r}]", record[name])
    every = max(1, len(values) // len(validated))
    if len(epochs[every - 1 :: every]) != len(validated):
        raise ValueError(
            f"{argument}[{name!r}]: expected a value every so many of the {len(values)} epochs; "
            f"received {len(validated)} values"
        )
    return _Curve(epochs, values), _Curve(epochs[every - 1 :: every], validated)


def _values(argument: str, recorded: Any) -> np.ndarray:
    values = numbers(argument, recorded)
    if values.ndim != 1 or not np.isfinite(values).any():
        raise ValueError(
            f"{argument}: expected one number an epoch, some of them finite; received {recorded!r}"
        )
    return values


def _vertical_limits(curves: list[np.ndarray]) -> tuple[float, float]:
    """Limits around the middle 60 % of each curve, once more as wide on either side, and its end.

    Quantiles, and not a number of epochs to leave out: how long a curve falls steeply differs.
    """
    curves = [values[np.isfinite(values)] for values in curves]
    low = min(np.quantile(values, 0.2) for values in curves)
    high = max(np.quantile(values, 0.8) for values in curves)
    reach = high - low
    everything = np.concatenate(curves)
    ends = [values[-1] for values in curves]
    low = min(max(low - reach, everything.min()), *ends)
    high = max(min(high + reach, everything.max()), *ends)
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin


def _explain_widths(axes: Axes) -> None:
    from matplotlib.lines import Line2D

    widths = {"training": _THIN, "validation": _THICK}
    axes.legend(
        handles=[Line2D([], [], color=INK, lw=w, label=name) for name, w in widths.items()],
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=2,
        borderpad=0.0,
        borderaxespad=0.2,
    )
