"""What the benchmarks share: their options, what they ran on, and where the tables go."""

import argparse
import datetime
import os
import pathlib
import platform
from collections.abc import Iterable

import tensorflow as tf


def parse_options(description: str) -> argparse.Namespace:
    """The options `--quick` and `--output`; the description's first line is the help text."""
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--output", type=pathlib.Path, help="a file for the table")
    return parser.parse_args()


def machine() -> str:
    """Cores, architecture, TensorFlow's version and the date, for the line above a table."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpus = [
        tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
        for gpu in tf.config.list_physical_devices("GPU")
    ]
    parts = [f"{cores} cores", platform.machine(), *gpus, f"TensorFlow {tf.__version__}"]
    return ", ".join([*parts, str(datetime.date.today())])


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
