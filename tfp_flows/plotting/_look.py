"""The look that all pictures share, and the late import of matplotlib."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

# The width of a page, in inches: at 100 dots an inch, that of the text column of a README.
PAGE_WIDTH = 8.5
# In points. Nothing is set smaller than SMALL.
SMALL = 9.0
MEDIUM = 10.0
# The height of a line of small text, in inches.
LINE = 1.5 * SMALL / 72.0

INK = "#333333"
FAINT = "#999999"
# Okabe and Ito's palette, which the colour-blind can tell apart, without its yellow.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
SEQUENTIAL = "viridis"

_LOOK = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that all machines draw alike
    "font.size": SMALL,
    "text.color": INK,
    "text.usetex": False,
    "axes.axisbelow": True,
    "axes.edgecolor": FAINT,
    "axes.facecolor": "white",
    "axes.grid": False,
    "axes.labelcolor": INK,
    "axes.labelsize": SMALL,
    "axes.linewidth": 0.6,
    "axes.titlecolor": INK,
    "axes.titlepad": 4.0,
    "axes.spines.bottom": True,
    "axes.spines.left": True,
    "axes.spines.right": True,
    "axes.spines.top": True,
    "axes.titlesize": MEDIUM,
    "axes.titleweight": "normal",
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
    "figure.edgecolor": "white",
    "figure.facecolor": "white",
    "figure.titlesize": MEDIUM,
    "figure.titleweight": "normal",
    "image.origin": "upper",
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.solid_capstyle": "round",
    "mathtext.fontset": "dejavusans",
    "savefig.bbox": None,
    "savefig.facecolor": "auto",
    "savefig.transparent": False,
}
# An axis makes its ticks when it is drawn, perhaps under other settings: they are told one by one.
_TICKS = {
    "color": FAINT,
    "direction": "out",
    "labelcolor": INK,
    "labelfontfamily": _LOOK["font.family"],
    "labelsize": SMALL,
    "length": 2.5,
    "pad": 2.5,
    "width": 0.6,
}


@contextlib.contextmanager
def look() -> Iterator[None]:
    """Sets the look for what is made inside the block, or in the function it decorates.

    Raises:
      ImportError: if matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise ImportError(
            "tfp_flows.plotting draws with matplotlib, which is not installed; "
            "run: pip install tfp-flows[plot]"
        ) from error
    with matplotlib.rc_context(_LOOK):
        yield


def style_ticks(axes: Axes) -> None:
    """Gives the ticks of `axes`, also those it makes later, the look."""
    axes.tick_params(which="both", **_TICKS)


def text_width(text: str) -> float:
    """The width of a line of small text, in inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    path = TextPath((0.0, 0.0), text, size=SMALL, prop=FontProperties())
    return path.get_extents().width / 72.0 if len(path.vertices) else 0.0


def diverging(middle: str) -> Colormap:
    """Blue below, orange above, and a colour in the middle: grey shows on white paper."""
    from matplotlib.colors import LinearSegmentedColormap

    stops = ("#08306B", "#0072B2", middle, "#D55E00", "#7A2C00")
    return LinearSegmentedColormap.from_list("blue_orange", stops)
