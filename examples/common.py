"""What all examples need: a quiet TensorFlow, options, and a place for tables and pictures."""

import argparse
import contextlib
import os
import pathlib
import shlex
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_START = time.perf_counter()


@contextlib.contextmanager
def silence():
    """Keeps TensorFlow's start-up noise off the screen.

    TensorFlow 2.18 to 2.21 logs a part of it before it reads its own environment variables, so
    standard error is closed to it for as long as it is imported.
    """
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    screen = os.dup(2)
    with pathlib.Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(screen, 2)
        os.close(screen)


def output_folder(path: str) -> pathlib.Path:
    """Makes the folder that `--output` names; one that cannot be written to is refused at once."""
    folder = pathlib.Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise argparse.ArgumentTypeError(
            f"expected a folder that can be written to, received {path!r} ({error.strerror})"
        ) from error
    return folder


def parse_options(
    description: str,
    full: Mapping[str, Any],
    quick: Mapping[str, Any],
    argv: Sequence[str] | None = None,
    parser: argparse.ArgumentParser | None = None,
) -> argparse.Namespace:
    """Parses the options of a story; its docstring's first line is the help text.

    Every entry of `full` is an option with that default, and `--quick` replaces the defaults by the
    entries of `quick`. `parser` may bring options of its own.
    """
    if parser is None:
        parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    for name, value in full.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), metavar=str(value))
    parser.add_argument("--quick", action="store_true", help="a few steps, to see that it runs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verbose", type=int, choices=(0, 1, 2), default=1)
    parser.add_argument("--output", type=output_folder, default="outputs", metavar="DIR")
    parser.add_argument("--table", type=pathlib.Path, metavar="FILE", help="store the table there")
    options = parser.parse_args(argv)
    for name, value in {**full, **(quick if options.quick else {})}.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    options.command = _command(sys.argv[1:] if argv is None else argv)
    return options


def _command(arguments: Sequence[str]) -> str:
    """The command as somebody else would type it: without the places of this machine's files."""
    places = ("--output", "--table", "--data-dir", "--runs", "--verbose")
    kept = [
        argument
        for before, argument in zip(["", *arguments], arguments, strict=False)
        if argument not in places and before not in places
    ]
    return shlex.join(["python", f"examples/{pathlib.Path(sys.argv[0]).name}", *kept])


def fit_settings(options: argparse.Namespace) -> dict[str, Any]:
    """What Keras's `fit` takes of the options of a story."""
    return {
        "epochs": options.epochs,
        "steps_per_epoch": getattr(options, "steps", None),
        "batch_size": options.batch_size,
        "verbose": options.verbose,
    }


def load_digits(split: str) -> Any:
    """All grey digits of a split in one array, `[n, 8, 8, 1]`, from 0 to 16."""
    import numpy as np

    import tfp_flows as tff

    return np.concatenate(list(tff.datasets.load("digits", split, batch_size=250, shuffle=False)))


def count_parameters(module: Any) -> int:
    """How many numbers a flow, or any other `tf.Module`, learns."""
    return sum(variable.shape.num_elements() for variable in module.trainable_variables)


def report(
    options: argparse.Namespace, title: str, header: Iterable[str], rows: Iterable[Iterable]
) -> None:
    """Prints a table; with `--table`, stores it with what it was measured with, too."""
    header, rows = [str(cell) for cell in header], [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    print(f"\n{title}")
    for row in (header, *rows):
        first, *rest = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join([first, *(cell.strip().rjust(len(cell)) for cell in rest)]))
    if options.table:
        import tfp_flows as tff

        seconds = time.perf_counter() - _START
        machine = tff.diagnostics.describe_machine()
        lines = [
            f"{title}. `{options.command}`: {seconds:.0f} seconds in all, {machine}.",
            "",
            *(f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)),
        ]
        options.table.parent.mkdir(parents=True, exist_ok=True)
        unfinished = options.table.with_suffix(".unfinished")
        unfinished.write_text("\n".join(lines) + "\n", encoding="utf-8")
        unfinished.replace(options.table)
