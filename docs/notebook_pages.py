"""The notebooks as pages of the site: text, code, and the outputs that are stored in them."""

import functools
import re
from collections.abc import Iterator

import nbconvert
import nbformat
import sources


@functools.cache
def _converted(name: str) -> tuple[str, dict[str, bytes]]:
    """A notebook as Markdown, and its pictures by file name."""
    notebook = nbformat.read(sources.NOTEBOOKS / f"{name}.ipynb", as_version=4)
    exporter = nbconvert.MarkdownExporter()
    names = {"unique_key": name, "output_files_dir": "."}
    text, resources = exporter.from_notebook_node(notebook, resources=names)
    pictures = {file.removeprefix("./"): picture for file, picture in resources["outputs"].items()}
    text = re.sub(r"!\[png\]\((?:\./)?", "![What the cell above shows](notebooks/", text)
    download = f"\n\n[This page as a notebook](notebooks/{name}.ipynb)\n"
    return text.rstrip() + download, pictures


def _names() -> list[str]:
    return sorted(path.stem for path in sources.NOTEBOOKS.glob("*.ipynb"))


def pages() -> Iterator[tuple[str, str]]:
    """Where each page stands, and what it says."""
    for name in _names():
        yield f"notebooks/{name}.md", _converted(name)[0]


def pictures() -> Iterator[tuple[str, bytes]]:
    """Where each picture stands, and its bytes."""
    for name in _names():
        for file, content in _converted(name)[1].items():
            yield f"notebooks/{file}", content
