"""How much memory does a training step need, against depth, stored and reversible?

    python benchmarks/memory.py [--quick] [--output FILE.md] [--kinds KIND ...]
        [--modes MODE ...] [--depths N ...] [--keep]

Flows of growing depth, as they are and as `flows.reversible(flow)`. A step is the loss, its
gradient and plain gradient descent. Every figure of memory has a process of its own, which runs the
step twice, to trace, compile and warm up, and reports by how much a third step exceeds what is
resident before it: weights, graph and program are aside, the gradients of the weights are not. On a
GPU it is the allocator's peak, else the peak of the resident set, from a memory allocator that
gives pages back at once (Linux only); times are taken in other processes, with the usual allocator,
of both flows in turns. The error is the largest difference of two gradients' entries over the
largest entry, with weights away from their initial values. The networks are smooth: with ReLU, one
preactivation of millions that rounding moves across zero is an error of 1e-4. With `--keep`, rows
of other kinds and modes in the table at `--output` stay.
"""

import argparse
import csv
import ctypes
import pathlib
import time

from common import Report, parse_options

# isort: split
import tensorflow as tf
from harness.processes import in_own_process, memory_status
from harness.timing import Local, alternate, in_mode

import tfp_flows as tff

HOWS = ("stored", "reversible")
# Freed blocks go back to the system, so that the resident set is what is in use.
RETURNING = {"MALLOC_MMAP_THRESHOLD_": "65536", "TF_ENABLE_ONEDNN_OPTS": "0"}
EVENT_SIZE, HIDDEN_UNITS = 64, (32,)
NETWORKS = {"hidden_units": HIDDEN_UNITS, "activation": "silu"}
MEGABYTE = 2.0**20

KINDS = {
    "affine": lambda depth: tff.flows.real_nvp(EVENT_SIZE, num_layers=depth, seed=0, **NETWORKS),
    "spline": lambda depth: tff.flows.neural_spline(
        EVENT_SIZE, num_layers=depth, seed=0, **NETWORKS
    ),
    "planar": lambda depth: tff.flows.planar(EVENT_SIZE, num_layers=depth, fast="log_prob", seed=0),
}


def make_flows(kind: str, depth: int) -> dict:
    """The flow as it is and the reversible one, which share their variables."""
    flow = KINDS[kind](depth)
    # Away from the identity, by steps that add up to the same however many layers there are.
    scale = 0.03 * depth**-0.5
    for k, variable in enumerate(flow.trainable_variables):
        variable.assign_add(scale * tf.random.stateless_normal(variable.shape, seed=[k, 1]))
    return dict(zip(HOWS, (flow, tff.flows.reversible(flow)), strict=True))


def loss_and_gradient(flow, variables):
    """A function of a batch."""

    def function(x):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(flow.log_prob(x))
        return loss, tape.gradient(loss, variables)

    return function


def batch_of(size: int) -> tf.Tensor:
    return tf.random.stateless_normal([size, EVENT_SIZE], seed=[0, 1])


def measure_memory(kind: str, depth: int, mode: str, batch: int, how: str) -> dict:
    """Peak of a step beyond what is there before, in MB, and seconds until a step can run."""
    flow = make_flows(kind, depth)[how]
    variables = flow.trainable_variables
    gradient = loss_and_gradient(flow, variables)

    def step(x):
        loss, gradients = gradient(x)
        for variable, value in zip(variables, gradients, strict=True):
            variable.assign_sub(1e-6 * value)
        return loss

    step, x = in_mode(step, mode), batch_of(batch)
    start = time.perf_counter()
    step(x).numpy()
    first = time.perf_counter() - start
    step(x).numpy()
    before = _reset_peak()
    step(x).numpy()
    sizes = sum(v.shape.num_elements() * v.dtype.size for v in variables)
    return {
        "peak": (_peak() - before) / MEGABYTE,
        "first": first,
        "weights": sizes / MEGABYTE,
    }


def measure_time(kind: str, depth: int, mode: str, batch: int, rounds: int) -> dict:
    """Milliseconds of loss and gradient of both flows, and how far their gradients differ."""
    flows, x = make_flows(kind, depth), batch_of(batch)
    variables = flows["stored"].trainable_variables
    functions = {
        how: in_mode(loss_and_gradient(flow, variables), mode) for how, flow in flows.items()
    }
    (_, expected), (_, actual) = (functions[how](x) for how in HOWS)
    largest = max(float(tf.reduce_max(tf.abs(g))) for g in expected)
    pairs = zip(actual, expected, strict=True)
    error = max(float(tf.reduce_max(tf.abs(a - b))) for a, b in pairs) / largest
    times = alternate({how: Local(f, x) for how, f in functions.items()}, rounds, warm_up=1)
    return {"error": error, **times}


def _gpu():
    return "GPU:0" if tf.config.list_physical_devices("GPU") else None


def _reset_peak():
    """Starts to look for a new peak; returns the bytes in use."""
    if _gpu():
        tf.config.experimental.reset_memory_stats(_gpu())
        return tf.config.experimental.get_memory_info(_gpu())["current"]
    ctypes.CDLL(None).malloc_trim(0)  # what compilation has left free would hide the step's part
    pathlib.Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return memory_status("VmRSS")


def _peak():
    if _gpu():
        return tf.config.experimental.get_memory_info(_gpu())["peak"]
    return memory_status("VmHWM")


WORKS = {"memory": measure_memory, "time": measure_time}


def measure(work: str, *arguments, in_process: bool = False) -> dict:
    """One measurement, in a process of its own."""
    if in_process:
        return WORKS[work](*arguments)
    environment = RETURNING if work == "memory" else {}
    return in_own_process(WORKS[work], *arguments, environment=environment)


def rows(options, batch: int):
    """One row for each kind, mode and depth."""
    for kind in options.kinds:
        for mode in options.modes:
            first = None
            for depth in options.depths:
                common, here = (kind, depth, mode, batch), options.quick
                stored, reversible = (
                    measure("memory", *common, how, in_process=here) for how in HOWS
                )
                rounds = 1 if options.quick else options.rounds
                times = measure("time", *common, rounds, in_process=here)
                first = first or reversible["peak"]
                yield (
                    kind,
                    mode,
                    depth,
                    stored["peak"],
                    reversible["peak"],
                    reversible["peak"] / first if first else None,
                    stored["weights"],
                    times["error"],
                    times["stored"],
                    times["reversible"],
                    times["reversible"] / times["stored"],
                    stored["first"],
                    reversible["first"],
                )


def kept_rows(options) -> list[list[str | float | None]]:
    """Rows of a former run of other kinds and modes."""
    path = options.output and options.output.with_suffix(".csv")
    if not (options.keep and path and path.exists()):
        return []
    with path.open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    return [
        [kind, mode, int(depth), *(float(cell) if cell else None for cell in numbers)]
        for kind, mode, depth, *numbers in rows
        if kind not in options.kinds or mode not in options.modes
    ]


def main(argv=None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=["affine"])
    parser.add_argument("--modes", nargs="+", choices=("eager", "graph", "XLA"))
    parser.add_argument("--depths", nargs="+", type=int)
    parser.add_argument("--rounds", type=int, default=5, help="timed steps")
    parser.add_argument("--keep", action="store_true", help="keep other rows of the table")
    options = parse_options(__doc__, argv, parser)
    options.modes = options.modes or (["graph"] if options.quick else ["graph", "XLA"])
    options.depths = options.depths or ([2] if options.quick else [8, 32, 128, 512])
    batch = 16 if options.quick else 8192
    report = Report(
        options,
        f"A step of flows on D = {EVENT_SIZE}, hidden {list(HIDDEN_UNITS)}, batch {batch}, "
        f"float32; {tff.diagnostics.describe_machine()}; `python benchmarks/memory.py`",
    )
    found = kept_rows(options)
    for row in rows(options, batch):
        found.append(row)
        report.table(
            "",
            "MB beyond weights, with the gradients of the weights; times the least depth; "
            "milliseconds of loss and gradient; seconds of the first step, traced and compiled.",
            (
                "layers",
                "mode",
                "depth",
                "stored MB",
                "reversible MB",
                "x least depth",
                "weights MB",
                "gradients' error",
                "stored ms",
                "reversible ms",
                "time x",
                "stored first s",
                "reversible first s",
            ),
            found,
        )


if __name__ == "__main__":
    main()
