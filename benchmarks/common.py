"""What the benchmarks share: their options, and where their tables and pictures go."""

import argparse
import csv
import importlib.util
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# Read when TensorFlow is imported, which every benchmark does after this file.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def parse_options(
    description: str,
    argv: Sequence[str] | None = None,
    parser: argparse.ArgumentParser | None = None,
) -> argparse.Namespace:
    """The options `--quick` and `--output`; the description's first line is the help text.

    `parser` may bring options of its own.
    """
    if parser is None:
        parser = argparse.ArgumentParser()
    parser.description = description.partition("\n")[0]
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument(
        "--output",
        type=pathlib.Path,
        metavar="FILE.md",
        help="where the tables go, as Markdown; as CSV, and drawn, they stand beside it",
    )
    return parser.parse_args(argv)


class Report:
    """The tables of one benchmark: printed, and stored as Markdown, CSV and a picture.

    Each change is written at once, so that a run that is cut short leaves what it has measured.

    Args:
      options: of the command line.
      title: what holds for all tables: the command, the sizes, the machine.
    """

    def __init__(self, options: argparse.Namespace, title: str):
        self._path = options.output
        self._title = title
        self._sections: dict[str, list[str]] = {}
        print(title, flush=True)

    def table(
        self, name: str, title: str, header: Iterable[str], rows: Iterable[Iterable[Any]]
    ) -> None:
        """Prints a table and stores it.

        One of the same name is replaced; if it has only grown, its new rows are printed alone.

        Args:
          name: what the CSV file is called after the Markdown file; "" for the file itself.
          title: one or two sentences that say how to read it.
          header: names of the columns.
          rows: cells; numbers are stored in full as CSV, and with three digits as Markdown.
        """
        header, rows = list(header), [list(row) for row in rows]
        lines = [*([title, ""] if title else []), *_markdown(header, rows)]
        before, self._sections[name] = self._sections.get(name), lines
        is_continued = before is not None and lines[: len(before)] == before
        print("\n".join(lines[len(before) :] if is_continued else ["", *lines]), flush=True)
        self._write_markdown()
        if self._path:
            with self._beside(name, ".csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([header, *rows])

    def panels(self, name: str, panels: Mapping[str, Mapping[str, Any]], **look: Any) -> None:
        """Draws curves by title, see `tff.plotting.lines`, where matplotlib is there."""
        self._draw(name, _stacked_lines, panels, **look)

    def dots(self, name: str, rows: Mapping[str, Mapping[str, Any]], **look: Any) -> None:
        """Draws numbers, see `harness.dots`, into a PNG file, where matplotlib is there."""
        from harness.dots import dot_plot

        self._draw(name, dot_plot, rows, **look)

    def _draw(self, name, draw, data, **look):
        if self._path and data and importlib.util.find_spec("matplotlib"):
            import tfp_flows as tff

            figure = draw(data, **look)
            tff.plotting.save(figure, self._beside(name, ".png"), num_colours=64)

    def _write_markdown(self):
        if self._path:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            sections = [[self._title], *self._sections.values()]
            text = "\n\n".join("\n".join(lines) for lines in sections)
            self._path.write_text(text + "\n", encoding="utf-8")

    def _beside(self, name, suffix):
        return self._path.with_name(self._path.stem + (f"_{name}" if name else "") + suffix)


def _stacked_lines(panels, **look):
    from tfp_flows import plotting

    figures = [plotting.lines(curves, title=title, **look) for title, curves in panels.items()]
    return plotting.stacked(figures)


def report(title: str, header: Iterable[str], rows: Iterable[Iterable], options) -> None:
    """Prints a single table, and stores it where `--output` says."""
    Report(options, title).table("", "", header, rows)


def _markdown(header, rows):
    lines = [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    return lines + [f"| {' | '.join(map(_cell, row))} |" for row in rows]


def _cell(value):
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000.0 else f"{value:.3g}"
    return str(value)
