"""`stacked`: several pictures in one, below each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tfp_flows.plotting._look import PAGE_WIDTH, look

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

_GAP = 0.1  # between two pictures, in inches


@look()
def stacked(figures: Sequence[Figure]) -> Figure:
    """Puts figures below each other, each in the middle of the page.

    They are drawn when the result is, at its resolution: `save(stacked([a, b]), path, dpi)` is as
    sharp as `save(a, path, dpi)`. In formats of lines, such as PDF, they are images.

    Args:
      figures: the `matplotlib.figure.Figure`s from top to bottom; they belong to the result from
        then on.

    Returns:
      A `matplotlib.figure.Figure` without axes of its own, as wide as a page or as the widest.

    Raises:
      ImportError: if matplotlib is not installed.
      TypeError: if one is no figure.
      ValueError: if there is none, or one is given twice.

    #### Examples

    ```python
    import numpy as np
    from tfp_flows import plotting

    images = np.random.default_rng(0).uniform(size=[12, 8, 8])
    losses = {"model": {"loss": [3.0, 2.0, 1.5]}}
    figure = plotting.stacked(
        [plotting.image_grid(images, num_columns=6), plotting.learning_curves(losses, "loss")]
    )
    ```
    """
    from matplotlib.figure import Figure

    if isinstance(figures, Figure) or not isinstance(figures, Sequence):
        raise TypeError(
            f"figures: expected a sequence of figures; received {type(figures).__name__}"
        )
    if not figures:
        raise ValueError("figures: expected one or more; received none")
    for k, figure in enumerate(figures):
        if not isinstance(figure, Figure):
            raise TypeError(
                f"figures[{k}]: expected a matplotlib.figure.Figure; received "
                f"{type(figure).__name__}"
            )
    if len({id(figure) for figure in figures}) < len(figures):
        raise ValueError("figures: expected different ones; received one twice")

    sizes = [figure.get_size_inches() for figure in figures]
    width = max(PAGE_WIDTH, *(size[0] for size in sizes))
    top = sum(size[1] for size in sizes) + _GAP * (len(sizes) - 1)
    stack = Figure(figsize=(width, top))
    for figure, (its_width, its_height) in zip(figures, sizes, strict=True):
        stack.add_artist(_embedded(figure, 0.5 * (width - its_width), top - its_height))
        top -= its_height + _GAP
    return stack


def _embedded(figure: Figure, left: float, bottom: float) -> Artist:
    """An artist that draws `figure` with its lower left corner there, in inches."""
    from matplotlib.artist import Artist
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    class Embedded(Artist):
        def draw(self, renderer) -> None:
            dots = self.figure.dpi * renderer.get_image_magnification()
            canvas = FigureCanvasAgg(figure)
            figure.set_dpi(dots)
            canvas.draw()
            picture = np.asarray(canvas.buffer_rgba())
            corner = [round(inches * self.figure.dpi) for inches in (left, bottom)]
            gc = renderer.new_gc()
            renderer.draw_image(gc, *corner, picture[::-1])  # its first row is the lowest
            gc.restore()

    return Embedded()
