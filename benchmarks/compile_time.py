"""How long do flows take to trace and to compile, against their depth, ours and stock TFP's?

    python benchmarks/compile_time.py [--quick] [--output FILE.md]

Couplings, affine and with splines, and MAF on 64 dimensions, with the same networks: seconds for
TensorFlow to trace a fresh `tf.function(jit_compile=True)` of the loss and its gradient, and
seconds for XLA to compile it, which is the first call less a later one.

How to read it: ours and the stock one are built anew and take turns; medians. Slopes in the depth
are what another layer costs. The project's target is a ratio of at most 0.33 for trace and compile
together at 8 spline layers.
"""

import dataclasses
import gc
import statistics
import time
from collections.abc import Sequence

from common import Report, parse_options

# isort: split
import tensorflow as tf
from harness.contenders import QUICK, TENSORFLOW, Sizes
from harness.timing import in_mode

import tfp_flows as tff

MAKERS = ("ours", "TFP")
HEADER = (
    *("flow", "layers"),
    *(f"{maker}: {phase}" for maker in MAKERS for phase in ("trace", "compile")),
    "ratio of both together",
)


class Settings:
    """Sizes and repetitions of a run; `--quick` has small ones."""

    def __init__(self, quick: bool):
        self.sizes = QUICK if quick else Sizes()
        self.batch = 8 if quick else 1024
        self.models = ("RealNVP",) if quick else ("RealNVP", "spline", "MAF")
        self.depths = (1,) if quick else (2, 4, 8, 16)
        self.rounds = 1 if quick else 3


def trace_and_compile(maker: str, model: str, sizes: Sizes, x: tf.Tensor) -> tuple[float, float]:
    """Seconds to trace, and seconds to compile, a fresh flow's loss and gradient."""
    function, _ = TENSORFLOW[maker](model, sizes).works(x)["gradient"]
    step = in_mode(function, "XLA")
    start = time.perf_counter()
    step.get_concrete_function(x)
    traced = time.perf_counter()
    run(step, x)
    first = time.perf_counter()
    run(step, x)
    later = time.perf_counter()
    gc.collect()  # what is left of it is not to slow down the next one
    return traced - start, (first - traced) - (later - first)


def run(step, x) -> None:
    step(x)
    tf.test.experimental.sync_devices()


def row(model: str, depth: int, x: tf.Tensor, settings: Settings) -> tuple:
    """Medians of both makers in turns."""
    sizes = dataclasses.replace(settings.sizes, num_layers=depth)
    seconds = {maker: [] for maker in MAKERS}
    for _ in range(settings.rounds):
        for maker, measured in seconds.items():
            measured.append(trace_and_compile(maker, model, sizes, x))
    medians = {
        maker: tuple(statistics.median(phase) for phase in zip(*measured, strict=True))
        for maker, measured in seconds.items()
    }
    ratio = sum(medians["ours"]) / sum(medians["TFP"])
    return (model, depth, *medians["ours"], *medians["TFP"], ratio)


def draw(report: Report, rows: Sequence[tuple]) -> None:
    """Trace and compile together, against the depth."""
    panels = {}
    for model in dict.fromkeys(row[0] for row in rows):
        _, depths, *phases, _ = zip(*(row for row in rows if row[0] == model), strict=True)
        totals = [[t + c for t, c in zip(*pair, strict=True)] for pair in (phases[:2], phases[2:])]
        panels[model] = {
            maker: (depths, total) for maker, total in zip(MAKERS, totals, strict=True)
        }
    report.panels("", panels, x_label="layers", y_label="seconds", log_x=True, log_y=True)


def main(argv: Sequence[str] | None = None) -> None:
    options = parse_options(__doc__, argv)
    settings = Settings(options.quick)
    x = tf.random.stateless_normal([settings.batch, settings.sizes.event_size], seed=[0, 1])
    report = Report(
        options,
        f"`python benchmarks/compile_time.py`: loss and its gradient, {settings.sizes}, batch "
        f"{settings.batch}, XLA; medians of {settings.rounds}; "
        f"{tff.diagnostics.describe_machine()}.",
    )
    rows = []
    for model in settings.models:
        for depth in settings.depths:
            rows.append(row(model, depth, x, settings))
            report.table("", "Seconds.", HEADER, rows)
    draw(report, rows)


if __name__ == "__main__":
    main()
