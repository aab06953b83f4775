"""What colours mean: scales of signed numbers, and the bar below the panels that explains one."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from tfp_flows.plotting._look import LINE, diverging, style_ticks, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

# How much higher a figure with a colour bar is, in inches.
BAR = 0.35


@dataclasses.dataclass(frozen=True)
class Scale:
    """What the colours of samples mean.

    Attributes:
      mappable: from numbers to colours.
      phrases: what stands below the bar; a new line may begin between two of them.
      extend: at which ends numbers lie outside of the bar, as matplotlib calls it.
      shown: the part of the bar in which numbers lie, or None for all of it.
    """

    mappable: ScalarMappable
    phrases: list[str]
    extend: str = "neither"
    shown: tuple[float, float] | None = None


def symmetric_scale(
    values: np.ndarray, phrases: list[str], *, quantile: float, smallest: float, middle: str
) -> Scale:
    """A scale about 0, on which the few numbers beyond a quantile share the last colours.

    Args:
      values: what is to be drawn.
      phrases: what they are.
      quantile: of the numbers without their signs: where the scale ends.
      smallest: with all numbers closer to 0 than that, the scale ends at 1.
      middle: the colour of 0.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    bound = float(np.quantile(np.abs(values), quantile)) if values.size else 0.0
    bound = bound if bound > smallest else 1.0
    low, high = (float(f(values, initial=0.0)) for f in (np.min, np.max))
    extend = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}
    return Scale(
        ScalarMappable(Normalize(-bound, bound), diverging(middle)),
        phrases,
        extend[low < -bound, high > bound],
        (max(low, -bound), min(high, bound)),
    )


def add_colour_bar(figure: Figure, panels: list[Axes], scale: Scale) -> None:
    """Draws the bar below all panels of a figure that `make_panels` made with room for it."""
    bar = figure.colorbar(
        scale.mappable,
        ax=panels,
        location="bottom",
        extend=scale.extend,
        fraction=0.05,
        pad=0.03,
        shrink=0.6,
        aspect=50,
    )
    if scale.shown is not None and scale.shown[0] < scale.shown[1]:
        bar.ax.set_xlim(scale.shown)
    bar.outline.set_visible(False)
    style_ticks(bar.ax)
    lines = [scale.phrases[0]]
    for phrase in scale.phrases[1:]:
        longer = f"{lines[-1]} {phrase}"
        if text_width(longer) < figure.get_figwidth() - 0.5:
            lines[-1] = longer
        else:
            lines.append(phrase)
    bar.set_label("\n".join(line.rstrip(";") for line in lines))
    figure.set_figheight(figure.get_figheight() + (len(lines) - 1) * LINE)
