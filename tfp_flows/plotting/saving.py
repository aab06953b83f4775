"""`save`: a figure becomes a file, whole or not at all."""

from __future__ import annotations

import io
import os
import pathlib
import uuid
from typing import TYPE_CHECKING

from tfp_flows.plotting._arguments import check_integer, check_positive
from tfp_flows.plotting._look import look

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@look()
def save(
    figure: Figure,
    path: str | os.PathLike[str],
    dpi: float = 200.0,
    *,
    num_colours: int | None = None,
) -> pathlib.Path:
    """Writes a figure to a file, and makes the folder for it.

    The picture is drawn in memory, written beside `path` under another name, and then renamed: no
    reader ever sees half a picture, and an older picture stays until the new one is complete.

    Args:
      figure: the `matplotlib.figure.Figure` to write.
      path: name of the file; its ending (`.png`, `.pdf`, `.svg`, ...) says the format.
      dpi: dots an inch, for formats that consist of dots. 200 is sharp on screens that show a
        README with two dots a pixel.
      num_colours: at most this many colours, 2 to 256, in a PNG file, which makes it two to three
        times smaller; None for all.

    Returns:
      The path of the file.

    Raises:
      ImportError: if matplotlib is not installed.
      TypeError: if an argument has the wrong type.
      ValueError: if matplotlib cannot write the format, if `dpi` or `num_colours` is out of range
        or not for this format, or if the file cannot be written where `path` says.

    #### Examples

    ```python
    import pathlib
    import tempfile

    import numpy as np
    from tfp_flows import plotting

    figure = plotting.image_grid(np.random.default_rng(0).uniform(size=[4, 8, 8]))
    with tempfile.TemporaryDirectory() as folder:
        path = plotting.save(figure, pathlib.Path(folder) / "pictures" / "noise.png")
        print(path.name)  # noise.png
    ```
    """
    from matplotlib.figure import Figure

    if not isinstance(figure, Figure):
        raise TypeError(
            f"figure: expected a matplotlib.figure.Figure; received {type(figure).__name__}"
        )
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path: expected a str or a path; received {type(path).__name__}")
    dpi = check_positive("dpi", dpi)
    path = pathlib.Path(path)
    known = sorted(figure.canvas.get_supported_filetypes())
    file_format = path.suffix[1:].lower()
    if file_format not in known:
        raise ValueError(
            f"path: expected a file name that ends in one of {', '.join(f'.{k}' for k in known)}; "
            f"received {str(path)!r}"
        )

    if num_colours is not None:
        num_colours = check_integer("num_colours", num_colours, 2)
        if num_colours > 256 or file_format != "png":
            raise ValueError(
                "num_colours: expected None, or at most 256 for a file that ends in .png; received "
                f"{num_colours} for {str(path)!r}"
            )

    picture = io.BytesIO()
    figure.savefig(picture, format=file_format, dpi=dpi)
    if num_colours is not None:
        picture = _with_palette(picture, num_colours, dpi)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_bytes(picture.getvalue())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise ValueError(
            f"path: expected a file name in a folder that can be written to; received "
            f"{str(path)!r} ({error.strerror or error})"
        ) from error
    return path


def _with_palette(picture: io.BytesIO, num_colours: int, dpi: float) -> io.BytesIO:
    """Reduces a PNG picture to its most important colours."""
    from PIL import Image

    image = Image.open(picture).convert("RGB")
    # Dithering would trade the flat areas, which compress well, for noise.
    image = image.quantize(num_colours, kmeans=3, dither=Image.Dither.NONE)
    result = io.BytesIO()
    image.save(result, "PNG", optimize=True, dpi=(dpi, dpi))
    return result
