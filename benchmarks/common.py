"""What the benchmarks share: their options, what they ran on, and where the tables go."""

import argparse
import pathlib
from collections.abc import Iterable


def parse_options(description: str) -> argparse.Namespace:
    """The options `--quick` and `--output`; the description's first line is the help text."""
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--output", type=pathlib.Path, help="a file for the table")
    return parser.parse_args()


def report(title: str, header: Iterable[str], rows: Iterable[Iterable], options) -> None:
    """Prints a Markdown table, and writes it to the file that `--output` names."""
    header = list(header)
    lines = [title, "", f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    lines += [f"| {' | '.join(map(str, row))} |" for row in rows]
    table = "\n".join(lines) + "\n"
    print(table)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(table)
