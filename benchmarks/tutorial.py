"""How long do a thousand steps take on a known tutorial's density, and how near do they come?

    python benchmarks/tutorial.py [--quick] [--output FILE.md] --peers .venv-peers/bin/python

The story `examples/density_2d.py` and the tutorial of normflows on the same density, each in a
process of its own, in turns: a ~ U(1, 2), b given a ~ N(a, variance a), 512 new points a step. Both
are timed from the making of the flow to the last step; ours includes tracing. The entropy, which no
NLL gets below, is 1.6121 nats. Without the environment of `make bench-peers`, ours runs alone.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from common import parse_options, report

import tfp_flows as tff

HERE = pathlib.Path(__file__).resolve().parent
STORY = HERE.parent / "examples" / "density_2d.py"


def run_story(seed: int, quick: bool) -> tuple[float, float]:
    """Seconds and test NLL of our story, read from its table."""
    with tempfile.TemporaryDirectory() as folder:
        table = pathlib.Path(folder) / "table.md"
        command = [sys.executable, STORY, "--seed", str(seed), "--verbose", "0"]
        command += ["--output", folder, "--table", table, *(["--quick"] if quick else [])]
        subprocess.run(command, check=True, capture_output=True)
        last = table.read_text(encoding="utf-8").strip().split("\n")[-1]
    cells = [cell.strip() for cell in last.strip("|").split("|")]
    return float(cells[-1]), float(cells[1])


def run_tutorial(python: str, seed: int, quick: bool) -> tuple[float, float]:
    """Seconds and test NLL of the tutorial."""
    sizes = ["3", "1000"] if quick else ["1000", "500000"]
    command = [python, HERE / "peers" / "tutorial.py", *sizes, str(seed)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    answer = json.loads(printed.strip().split("\n")[-1])
    return answer["seconds"], answer["nll"]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", help="the Python of the environment of `make bench-peers`")
    options = parse_options(__doc__, argv, parser)
    contenders = {"examples/density_2d.py": lambda seed: run_story(seed, options.quick)}
    if options.peers:
        contenders["normflows, tutorial"] = lambda seed: run_tutorial(
            options.peers, seed, options.quick
        )
    else:
        print("Without --peers the tutorial is left out.")
    seeds = range(1 if options.quick else 3)
    results = {name: [] for name in contenders}
    for seed in seeds:
        for name, run in contenders.items():
            results[name].append(run(seed))
    medians = {
        name: [statistics.median(column) for column in zip(*runs, strict=True)]
        for name, runs in results.items()
    }
    ours = medians["examples/density_2d.py"][0]
    report(
        f"A thousand steps of 512 points, medians of {len(seeds)} seeds, in turns; "
        f"{tff.diagnostics.describe_machine()}; `python benchmarks/tutorial.py --peers PYTHON`",
        ("flow", "seconds", "test NLL", "our seconds / its"),
        [(name, s, f"{nll:.4f}", ours / s) for name, (s, nll) in medians.items()],
        options,
    )


if __name__ == "__main__":
    main()
