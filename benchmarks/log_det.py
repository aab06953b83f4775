"""What does a log-det cost, and how does it grow with the size of the event?

    python benchmarks/log_det.py [--quick] [--output FILE.md] [--device CPU:0] [--only NAME ...]

For every bijector, compiled by XLA: forward alone, forward with log-det, inverse with log-det, and
the gradient of value and log-det (to the variables and the input, in the cheap direction), over the
event size D and over the batch. Beside them the same log-det from an autodiff Jacobian and
`slogdet`, where D is small. Medians in milliseconds, all works of a row in turns.

How to read it: the log-det's share is what forward with log-det takes longer than forward, as a
part of it: zero where the value needs everything that the log-det needs. The exponent a of time ~
D^a is the slope of a least-squares line through the logarithms, over those D at which work
dominates overhead: the time is at least twice that at the smallest D; if these are fewer than
three, the three largest D. Sizes at which one run would take longer than `--longest` are left out.
Each bijector has a process of its own. With `--only`, the other rows of the table at `--output` are
kept as they are.
"""

import argparse
import csv
import math
import pathlib
import statistics
from collections.abc import Mapping, Sequence

import numpy as np
from common import Report, parse_options

# isort: split
import tensorflow as tf
from harness.layers import FAMILIES, LAYERS, Layer
from harness.processes import in_own_process
from harness.timing import Local, able, alternate, in_mode, ratio

import tfp_flows as tff

WORKS = ("forward", "forward + log-det", "inverse + log-det", "gradient")
AUTODIFF = "autodiff log-det"
LARGEST_AUTODIFF = 64  # a Jacobian of all points at once takes batch D^2 numbers
GROWING = WORKS[1:]


class Settings:
    """Sizes and repetitions of a run; `--quick` has small ones."""

    def __init__(self, quick: bool):
        self.sizes = [4] if quick else [2, 16, 64, 256, 1024, 4096]
        self.batch = 4 if quick else 256
        self.batches = [] if quick else [16, 1024, 16384]
        self.size_of_batches = 4 if quick else 64
        self.rounds = 2 if quick else 20
        self.names = ["ActNorm", "coupling, affine"] if quick else list(LAYERS)


def functions(bijector, layer: Layer):
    """The function of each work, of a batch of events."""
    ndims = bijector.forward_min_event_ndims, bijector.inverse_min_event_ndims

    def forward(x):
        return bijector.forward(tf.identity(x))

    def forward_and_log_det(x):
        x = tf.identity(x)
        return bijector.forward(x), bijector.forward_log_det_jacobian(x, ndims[0])

    def inverse_and_log_det(y):
        y = tf.identity(y)
        return bijector.inverse(y), bijector.inverse_log_det_jacobian(y, ndims[1])

    cheap = forward_and_log_det if layer.cheap == "forward" else inverse_and_log_det

    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value, log_det = cheap(x)
            squares = tf.reduce_sum(value * value, axis=list(range(1, value.shape.rank)))
            loss = tf.reduce_mean(squares - log_det)
        variables = list(bijector.trainable_variables)
        return tape.gradient(loss, [*variables, x], unconnected_gradients="zero")

    def jacobian(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = cheap(x)[0]
            value = tf.reshape(value, [value.shape[0], -1])
        jacobian = tape.batch_jacobian(value, x)
        return tf.reshape(jacobian, [*value.shape, value.shape[-1]])

    compiled = in_mode(jacobian, layer.jacobian_mode)

    def autodiff(x):
        return tf.linalg.slogdet(compiled(x)).log_abs_determinant  # XLA knows no slogdet

    made = (forward, forward_and_log_det, inverse_and_log_det, gradient)
    return {**dict(zip(WORKS, made, strict=True)), AUTODIFF: autodiff}


def make_layer(layer: Layer, event_size: int):
    """The bijector at an event size; `None` if it has no such size."""
    shape = layer.event_shape(event_size)
    return None if shape is None else layer.make(shape, np.random.default_rng(0))


def timed_works(layer: Layer, event_size: int, batch: int, works: Sequence[str] = WORKS):
    """What `alternate` takes, for one bijector at one size; empty if it has no such size."""
    bijector = make_layer(layer, event_size)
    if bijector is None:
        return {}
    inputs = layer.inputs(layer.event_shape(event_size))
    x = tf.random.stateless_normal([batch, *inputs], seed=[0, 1])
    y = bijector.forward(x)
    made = functions(bijector, layer)
    arguments = dict.fromkeys(made, x if layer.cheap == "forward" else y)
    arguments |= {WORKS[0]: x, WORKS[1]: x, WORKS[2]: y}
    return {
        work: Local(in_mode(made[work], "graph" if work == AUTODIFF else "XLA"), arguments[work])
        for work in works
    }


def log_det_share(times: Mapping[str, float]) -> float | None:
    """What forward with log-det takes longer than forward, as a part of it."""
    bare = ratio(times.get("forward"), times.get("forward + log-det"))
    return None if bare is None else max(0.0, 1.0 - bare)


def growth_exponent(times: Mapping[int, float]) -> tuple[float, int] | None:
    """Slope of log time over log D, and the least D that counts; `None` for fewer than three."""
    sizes = sorted(times)
    if len(sizes) < 3:
        return None
    grown = [size for size in sizes if times[size] >= 2.0 * times[sizes[0]]]
    sizes = grown if len(grown) >= 3 else sizes[-3:]
    line = statistics.linear_regression(
        [math.log(size) for size in sizes], [math.log(times[size]) for size in sizes]
    )
    return line.slope, sizes[0]


Times = dict[tuple[str, int, int], dict[str, float]]  # by bijector, D and batch; by work


def measured(name: str, settings: Settings, longest: float, device: str) -> Times:
    """The times of one bijector, until one run takes longer than `longest` seconds."""
    times: Times = {}
    by_size = [(size, settings.batch) for size in settings.sizes]
    by_batch = [(settings.size_of_batches, batch) for batch in settings.batches]
    with tf.device(device):
        for points in (by_size, by_batch):
            for size, batch in points:
                is_small = size <= LARGEST_AUTODIFF and batch <= settings.batch
                works = (*WORKS, AUTODIFF) if is_small else WORKS
                timed = timed_works(LAYERS[name], size, batch, works)
                timed = able(timed, (tf.errors.OpError, ValueError))
                if any(min(clock(1)) > 1e3 * longest for clock in timed.values()):
                    break
                if timed:
                    times[name, size, batch] = alternate(timed, settings.rounds)
    return times


def stored(path: pathlib.Path | None) -> Times:
    """The times in the CSV file beside a table, if there is one."""
    if path is None or not path.with_suffix(".csv").exists():
        return {}
    with path.with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        return {
            (row["bijector"], int(row["D"]), int(row["batch"])): {
                work: float(row[work]) for work in (*WORKS, AUTODIFF) if row[work]
            }
            for row in csv.DictReader(file)
            if row["bijector"] in LAYERS
        }


class Sweep:
    """Times by bijector, D, batch and work, and the tables of them."""

    def __init__(self, report: Report, times: Times):
        self._report = report
        self._times = times

    def add(self, name: str, times: Times) -> None:
        """Takes in what was measured of a bijector, in the place of what it had of it."""
        others = {key: row for key, row in self._times.items() if key[0] != name}
        order = list(LAYERS)
        self._times = dict(sorted((others | times).items(), key=lambda row: order.index(row[0][0])))
        self._show()

    def _show(self):
        report, times = self._report, self._times
        fits = [fit for fit in map(self._exponents, self._names()) if any(fit[1:])]
        if fits:
            report.table(
                "growth",
                "Exponents a of time ~ D^a, each with the least D that the fit counts. The target "
                "for planar and radial layers and couplings is at most 1.1.",
                ("bijector", *(cell for work in GROWING for cell in (work, "from D"))),
                fits,
            )
        report.table(
            "",
            "Milliseconds; the log-det's share of forward; autodiff's time for the log-det, in "
            "times of ours (value with log-det in the cheap direction).",
            ("bijector", "D", "batch", *WORKS, "share", AUTODIFF, "times ours"),
            [self._row(key) for key in times],
        )

    def _row(self, key):
        times = self._times[key]
        cheap = f"{LAYERS[key[0]].cheap} + log-det"
        autodiff = times.get(AUTODIFF)
        works = (times.get(work) for work in WORKS)
        return (*key, *works, log_det_share(times), autodiff, ratio(autodiff, times.get(cheap)))

    def _names(self, family=LAYERS):
        """The bijectors of a family, or all, of which there are times."""
        known = {name for name, _, _ in self._times}
        return [name for name in family if name in known]

    def _by_size(self, name, work):
        # The batch of the growth is the one that the first row has.
        batch = next(b for n, _, b in self._times if n == name)
        return {
            size: times[work]
            for (n, size, b), times in self._times.items()
            if (n, b) == (name, batch) and work in times
        }

    def _exponents(self, name):
        fits = [growth_exponent(self._by_size(name, work)) or (None, None) for work in GROWING]
        return (name, *(cell for fit in fits for cell in fit))

    def draw(self) -> None:
        """Forward with log-det against D, a panel for each family."""
        panels = {}
        for title, family in FAMILIES.items():
            points = {name: self._by_size(name, WORKS[1]) for name in self._names(family)}
            curves = {name: (list(p), list(p.values())) for name, p in points.items() if p}
            if curves:
                panels[title] = curves
        label = "milliseconds, forward with log-det"
        look = {"x_label": "D", "y_label": label, "log_x": True, "log_y": True, "height": 0.33}
        self._report.panels("", panels, **look)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="CPU:0", help="as TensorFlow names it")
    parser.add_argument("--only", nargs="+", choices=LAYERS, metavar="NAME", help="some bijectors")
    parser.add_argument("--longest", type=float, default=1.0, metavar="SECONDS", help="of one run")
    options = parse_options(__doc__, argv, parser)
    settings = Settings(options.quick)
    report = Report(
        options,
        f"`python benchmarks/log_det.py`: float32, XLA on {options.device}, medians of "
        f"{settings.rounds} runs; {tff.diagnostics.describe_machine()}.",
    )
    sweep = Sweep(report, stored(options.output) if options.only else {})
    for name in options.only or settings.names:
        arguments = name, settings, options.longest, options.device
        sweep.add(
            name, measured(*arguments) if options.quick else in_own_process(measured, *arguments)
        )
    sweep.draw()


if __name__ == "__main__":
    main()
