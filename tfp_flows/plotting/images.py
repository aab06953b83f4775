"""Grey images side by side: a grid of samples, or labelled rows of data and reconstructions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfp_flows.plotting._arguments import check_integer, check_labelled, numbers
from tfp_flows.plotting._look import FAINT, LINE, PAGE_WIDTH, look, text_width

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# All lengths are in inches.
_LARGEST_TILE = 0.75  # an image is drawn at most this wide,
_SMALLEST_TILE = 0.1  # and at least this wide
_GAP = 0.04


@look()
def image_grid(
    images: Any, num_columns: int | None = None, titles: Sequence[str] | None = None
) -> Figure:
    """Draws grey images in a tight grid, row by row.

    Args:
      images: array or tensor of n images, `[n, H, W]` or `[n, H, W, 1]`, with values from 0 (black)
        to 1 (white).
      num_columns: number of images in a row; None for about as many as there are rows.
      titles: n short texts to write above the images; None for none.

    Returns:
      A `matplotlib.figure.Figure` with one axes, in which image k is `axes.images[k]`.

    Raises:
      ImportError: if matplotlib is not installed.
      TypeError: if an argument has the wrong type.
      ValueError: if the shape or the values of `images` are not as above, `num_columns` out of
        range (at most 60 fit on a page), or there are not as many `titles` as images.

    #### Examples

    ```python
    import numpy as np
    from tfp_flows import plotting

    images = np.random.default_rng(0).uniform(size=[12, 8, 8])
    figure = plotting.image_grid(images, num_columns=6)
    ```
    """
    images = _as_images("images", images)
    if num_columns is None:
        num_columns = math.ceil(math.sqrt(len(images)))
    else:
        num_columns = min(check_integer("num_columns", num_columns, 1), len(images))
    if titles is not None:
        titles = _as_titles(titles, len(images))
    shape = (math.ceil(len(images) / num_columns), num_columns)
    widest = max(map(text_width, titles)) if titles else None
    sheet = _Sheet(shape, images.shape[1] / images.shape[2], widest=widest)
    for index, image in enumerate(images):
        left, top = sheet.add(image, *divmod(index, num_columns))
        if titles:
            sheet.axes.text(
                left + sheet.width / 2, top - _GAP, titles[index], ha="center", va="bottom"
            )
    return sheet.figure


@look()
def image_rows(rows: Mapping[str, Any]) -> Figure:
    """Draws rows of grey images, each with a label on its left.

    Args:
      rows: for each label an array or tensor of n images, `[n, H, W]` or `[n, H, W, 1]`, with
        values from 0 (black) to 1 (white). All have the same shape.

    Returns:
      A `matplotlib.figure.Figure` with one axes, in which image k of row j is
      `axes.images[j * n + k]`.

    Raises:
      ImportError: if matplotlib is not installed.
      TypeError: if an argument has the wrong type.
      ValueError: if there is no row, if the shape or the values of the images are not as above, or
        if the images do not fit on a page side by side.

    #### Examples

    ```python
    import numpy as np
    from tfp_flows import plotting

    data = np.random.default_rng(0).uniform(size=[10, 8, 8])
    figure = plotting.image_rows({"data": data, "reconstruction": data**2})
    ```
    """
    check_labelled("rows", rows, "images")
    arrays = {label: _as_images(f"rows[{label!r}]", images) for label, images in rows.items()}
    shapes = {label: array.shape for label, array in arrays.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(f"rows: expected images of one shape; received {shapes}")
    num_columns, height, width = next(iter(shapes.values()))
    margin = max(map(text_width, arrays)) + 3 * _GAP
    sheet = _Sheet((len(arrays), num_columns), height / width, margin=margin)
    for row, (label, images) in enumerate(arrays.items()):
        tops = [sheet.add(image, row, column)[1] for column, image in enumerate(images)]
        sheet.axes.text(margin - _GAP, tops[0] + sheet.height / 2, label, ha="right", va="center")
    return sheet.figure


def _as_images(argument: str, value: Any) -> np.ndarray:
    """Returns images as an array `[n, H, W]`."""
    images = numbers(argument, value)
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    if images.ndim != 3 or 0 in images.shape:
        raise ValueError(
            f"{argument}: expected one or more images, of the shape [n, H, W] or [n, H, W, 1]; "
            f"received the shape {np.shape(value)}"
        )
    lowest, highest = images.min(), images.max()
    if not (lowest >= 0.0 and highest <= 1.0):  # a NaN is neither
        raise ValueError(
            f"{argument}: expected values from 0 to 1; received values from {lowest:g} to "
            f"{highest:g}"
        )
    return images


def _as_titles(titles: Any, num_images: int) -> list[str]:
    if (
        isinstance(titles, str)
        or not isinstance(titles, Sequence)
        or not all(isinstance(title, str) for title in titles)
    ):
        raise TypeError(f"titles: expected a sequence of texts; received {titles!r}")
    if len(titles) != num_images:
        raise ValueError(
            f"titles: expected {num_images}, one for each image; received {len(titles)}"
        )
    return list(titles)


class _Sheet:
    """A figure with one axes that measures in inches, to the right and down, for tiles in rows.

    Args:
      shape: number of rows and of columns.
      aspect: height of an image divided by its width.
      widest: text above an image that has to fit; None for no line of text above the rows.
      margin: space on the left of the images.

    Raises:
      ValueError: if so many columns do not fit on a page.
    """

    def __init__(
        self, shape: tuple[int, int], aspect: float, widest: float | None = None, margin: float = 0
    ):
        from matplotlib.figure import Figure

        page = PAGE_WIDTH - margin - _GAP
        room = page / shape[1] - _GAP
        if room < _SMALLEST_TILE:
            most = max(0, int(page / (_SMALLEST_TILE + _GAP)))
            raise ValueError(
                f"images: expected at most {most} side by side, which is what a width of "
                f"{PAGE_WIDTH} inches can hold; received {shape[1]}"
            )
        self.width = min(room, max(_LARGEST_TILE, widest or 0.0))
        self.height = self.width * aspect
        self._line = 0.0 if widest is None else LINE
        self._margin = margin + _GAP
        size = (
            self._margin + shape[1] * (self.width + _GAP),
            _GAP + shape[0] * (self._line + self.height + _GAP),
        )
        self.figure = Figure(figsize=size)
        self.axes = self.figure.add_axes((0.0, 0.0, 1.0, 1.0))
        self.axes.set_axis_off()
        self.axes.set(xlim=(0.0, size[0]), ylim=(size[1], 0.0))

    def add(self, image: np.ndarray, row: int, column: int) -> tuple[float, float]:
        """Draws an image, and returns where its left upper corner is."""
        from matplotlib.patches import Rectangle

        left = self._margin + column * (self.width + _GAP)
        top = _GAP + row * (self._line + self.height + _GAP) + self._line
        self.axes.imshow(
            image,
            cmap="gray",
            vmin=0.0,
            vmax=1.0,
            interpolation="nearest",
            aspect="auto",
            extent=(left, left + self.width, top + self.height, top),
        )
        # White images would have no edge on white paper.
        self.axes.add_patch(
            Rectangle(
                (left, top), self.width, self.height, fill=False, edgecolor=FAINT, linewidth=0.5
            )
        )
        return left, top
