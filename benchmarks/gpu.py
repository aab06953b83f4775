"""How fast are flows and layers on a GPU, and how far from what it could do at best?

    python benchmarks/gpu.py [--quick] [--output FILE.md] [--seconds 110] [--tables steps layers]

The training-step and log-det tables on an accelerator, each time beside two floors: the time of the
matrix products at the rate of a large one, and the time of moving their operands and the events
through memory at the rate of a large pass; both rates are measured first. Where TensorFlow sees no
such device it says so, and stops.

How to read it: "of floor" is our time under XLA over the larger of the two floors: 1 would be
perfect. At a small batch the GPU is mostly empty, and launching kernels is what takes the time; at
the large one it is full. Rows come in the order of their weight; those for which `--seconds` are
not enough are left out and named: `--tables` and more seconds bring them, a row takes 10 to 60 with
its compilation. Every table is written row by row.
"""

import argparse
import time
from collections.abc import Iterable, Sequence

from common import Report, parse_options

# isort: split
import tensorflow as tf
from harness.contenders import QUICK, Sizes
from harness.floors import Ceilings, measure_ceilings
from harness.layers import LAYERS
from harness.tensorflow_flows import TensorFlowFlows
from harness.timing import able, alternate, ratio
from harness.work import work_of_flow, work_of_layer
from log_det import WORKS, log_det_share, make_layer, timed_works

import tfp_flows as tff

CONTENDERS = (("ours", "graph"), ("ours", "XLA"), ("TFP", "XLA"), ("networks", "XLA"))
FLOORS = ("matrix floor", "memory floor")

# (large batch?, model, work), the weightiest first; the stacks of planar and radial layers, which
# XLA takes longest to compile for a GPU, after the others.
STEPS = [
    (True, "RealNVP", "gradient"),
    (True, "spline", "gradient"),
    (False, "RealNVP", "gradient"),
    (True, "RealNVP", "log_prob"),
    (True, "planar", "gradient"),
    (True, "MAF", "gradient"),
    (True, "RealNVP", "sample"),
    (True, "spline", "log_prob"),
    (True, "spline", "sample"),
    (False, "planar", "gradient"),
    (False, "spline", "gradient"),
    (False, "RealNVP", "sample"),
    (False, "MAF", "sample"),
    (True, "radial", "gradient"),
    (False, "radial", "gradient"),
]
LAYER_NAMES = (
    "coupling, affine",
    "coupling, spline",
    "elementwise, spline",
    "linear, PLU",
    "Sylvester",
    "autoregressive, affine",
    "planar stack",
    "radial stack",
)
TABLES = ("steps", "layers")


class Settings:
    """Sizes and repetitions of a run; `--quick` has small ones."""

    def __init__(self, quick: bool):
        self.sizes = QUICK if quick else Sizes()
        self.batches = (8, 16) if quick else (1024, 65536)
        self.steps = [(True, "RealNVP", "log_prob")] if quick else STEPS
        self.layers = ("coupling, affine",) if quick else LAYER_NAMES
        self.event_sizes = ((4, 8),) if quick else ((64, 65536), (1024, 4096))  # D, batch
        self.rounds = 2 if quick else 20
        self.ceilings = (64, 1000, 2) if quick else (8192, 2**28, 20)


class Clock:
    """Says when a part of the time is over, counted from its making."""

    def __init__(self, seconds: float):
        self._start, self._seconds = time.perf_counter(), seconds

    def elapsed(self) -> float:
        return time.perf_counter() - self._start

    def within(self, items: Iterable, share: float, left_out: list):
        """Yields items as long as there is time; collects the others."""
        for item in items:
            if self.elapsed() < share * self._seconds:
                yield item
            else:
                left_out.append(item)


def step_row(flows: TensorFlowFlows, model: str, work: str, batch: int, ceilings, rounds):
    """One row of the table of flows."""
    x = tf.random.stateless_normal([batch, flows.sizes.event_size], seed=[0, 1])
    names = [" ".join(contender) for contender in CONTENDERS]
    start = time.perf_counter()
    clocks = flows.clocks(model, work, x, CONTENDERS)
    times = alternate(able(clocks, tf.errors.OpError), rounds)
    needed = work_of_flow(model, flows.sizes)
    floors = needed.floors(batch, ceilings, is_gradient=work == "gradient")
    return (
        *(model, work, batch),
        *(times.get(name) for name in names),
        *floors,
        ratio(times.get("ours XLA"), max(floors)),
        ratio(times.get("ours XLA"), times.get("TFP XLA")),
        time.perf_counter() - start,
    )


STEP_HEADER = (
    *("flow", "work", "batch"),
    *(" ".join(contender) for contender in CONTENDERS),
    *FLOORS,
    *("of floor", "ours / TFP", "seconds for the row"),
)


def layer_row(name: str, event_size: int, batch: int, ceilings: Ceilings, rounds: int):
    """One row of the table of layers."""
    layer = LAYERS[name]
    times = alternate(able(timed_works(layer, event_size, batch), tf.errors.OpError), rounds)
    needed = work_of_layer(layer, make_layer(layer, event_size), event_size)
    floors = needed.floors(batch, ceilings, is_gradient=False)
    return (
        *(name, event_size, batch),
        *(times.get(work) for work in WORKS),
        log_det_share(times),
        *floors,
        ratio(times.get(f"{layer.cheap} + log-det"), max(floors)),
    )


LAYER_HEADER = ("bijector", "D", "batch", *WORKS, "share of log-det", *FLOORS, "of floor")


def fill_steps(settings: Settings, report: Report, ceilings: Ceilings, steps: Iterable) -> None:
    """Measures flows, and writes each row when it is there."""
    flows, rows = TensorFlowFlows(settings.sizes), []
    for is_large, model, work in steps:
        batch = settings.batches[is_large]
        rows.append(step_row(flows, model, work, batch, ceilings, settings.rounds))
        report.table("steps", "Flows; milliseconds.", STEP_HEADER, rows)


def fill_layers(settings: Settings, report: Report, ceilings: Ceilings, sizes: Iterable) -> None:
    """Measures layers, and writes each row when it is there."""
    rows = []
    for size in sizes:
        rows.append(layer_row(*size, ceilings, settings.rounds))
        report.table(
            "layers",
            "Layers by XLA; milliseconds. The floors are those of the value with its log-det in "
            "the cheap direction.",
            LAYER_HEADER,
            rows,
        )


def measure(settings: Settings, report: Report, clock: Clock, tables: Sequence[str]) -> None:
    """Fills the tables; where there are two, the first one has two thirds of the time."""
    ceilings = measure_ceilings(*settings.ceilings)
    report.table(
        "ceilings",
        "What the device reaches: a large float32 matrix product, and a large pass over memory.",
        ("TFLOP/s", "GB/s"),
        [(ceilings.flops / 1e12, ceilings.bandwidth / 1e9)],
    )
    left_out: list = []
    if "steps" in tables:
        share = 0.67 if "layers" in tables else 1.0
        fill_steps(settings, report, ceilings, clock.within(settings.steps, share, left_out))
    if "layers" in tables:
        sizes = [(name, *size) for size in settings.event_sizes for name in settings.layers]
        fill_layers(settings, report, ceilings, clock.within(sizes, 1.0, left_out))
    print(f"{clock.elapsed():.0f} seconds; left out: {left_out or 'nothing'}", flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="GPU:0", help="as TensorFlow names it")
    parser.add_argument("--seconds", type=float, default=110.0, help="then no new row begins")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--no-tf32", action="store_true", help="float32 products in full")
    options = parse_options(__doc__, argv, parser)
    kind = options.device.partition(":")[0]
    if not tf.config.list_physical_devices(kind):
        print(f"TensorFlow sees no {kind} here: there is nothing to measure.")
        return
    if options.no_tf32:
        tf.config.experimental.enable_tensor_float_32_execution(False)
    tf32 = tf.config.experimental.tensor_float_32_execution_enabled()
    settings = Settings(options.quick)
    report = Report(
        options,
        f"`python benchmarks/gpu.py` on {options.device}: {settings.sizes}; matrix products in "
        f"{'TF32 where the device has it' if tf32 else 'full float32'}; medians of "
        f"{settings.rounds} runs, in turns; {tff.diagnostics.describe_machine()}.",
    )
    with tf.device(options.device):
        measure(settings, report, Clock(options.seconds), options.tables)


if __name__ == "__main__":
    main()
