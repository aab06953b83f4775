"""How long does a training step take, ours, stock TFP's, other libraries', and the networks alone?

    python benchmarks/training_step.py [--quick] [--output FILE.md] [--peers PYTHON [--compiled]]
    make bench-peers

Density, its gradient (of the mean negative log-density to all variables), and samples of five
flows on 64 dimensions: RealNVP, spline couplings, MAF, planar and radial layers. Ours eagerly, as a
graph and by XLA; the same flow of stock TFP bijectors, with the same networks, in the same modes;
the networks alone, the floor of any flow with them; and the peers normflows and zuko (PyTorch, with
`--compiled` by `torch.compile`, too, which takes a minute a function) and flowjax (JAX, compiled).
The peers have an environment of their own, whose interpreter `--peers` names; without one they are
left out.

How to read it: only ratios count, as machines drift. All functions of a row run in turns, in one
process for TensorFlow and one for each peer, a few runs a turn. The last table holds the ratios
against the targets of the project.
"""

import argparse
import pathlib
from collections.abc import Mapping, Sequence

from common import Report, parse_options

# isort: split
import tensorflow as tf
from harness.contenders import MODELS, QUICK, WORKS, Sizes
from harness.peers import Peer, PeerError, started
from harness.targets import HEADER, target_rows
from harness.tensorflow_flows import TensorFlowFlows
from harness.timing import MODES, Local, Timed, able, alternate, in_mode, ratio

import tfp_flows as tff

MAKERS = ("ours", "TFP", "networks")


class Settings:
    """Sizes and repetitions of a run; `--quick` has small ones."""

    def __init__(self, quick: bool, compiled: bool):
        self.sizes = QUICK if quick else Sizes()
        self.batch = 8 if quick else 1024
        self.models = ("RealNVP", "planar") if quick else MODELS
        self.works = ("log_prob", "sample") if quick else WORKS
        self.rounds, self.runs_a_round = (2, 1) if quick else (7, 3)
        self.unwanted_modes = set() if compiled else {"compiled"}


def measure(
    flows: TensorFlowFlows, peers: Sequence[Peer], model: str, work: str, settings: Settings
) -> dict[str, float]:
    """Milliseconds of everybody who does this work, by maker and mode."""
    x = tf.random.stateless_normal([settings.batch, settings.sizes.event_size], seed=[0, 1])
    contenders = [(maker, mode) for maker in MAKERS for mode in MODES]
    clocks: dict[str, Timed] = dict(flows.clocks(model, work, x, contenders))
    for peer in peers:
        modes = [mode for mode in peer.modes if mode not in settings.unwanted_modes]
        theirs = {f"{peer.name} {mode}": peer.clock(model, work, mode) for mode in modes}
        clocks |= able(theirs, PeerError)
    return alternate(clocks, settings.rounds, settings.runs_a_round)


def measure_planar_inverse(settings: Settings) -> dict[tuple[str, str, str], float]:
    """Both directions of the planar layers, each with its log-det."""
    sizes = settings.sizes
    flow = tff.flows.planar(sizes.event_size, sizes.num_simple_layers, seed=0)
    x = tf.random.stateless_normal([settings.batch, sizes.event_size], seed=[0, 1])
    y = flow.bijector.forward(x)
    functions = {
        "forward": (lambda x: flow.bijector.forward_and_log_det(tf.identity(x)), x),
        "inverse": (lambda y: flow.bijector.inverse_and_log_det(tf.identity(y)), y),
    }
    clocks = {work: Local(in_mode(f, "XLA"), value) for work, (f, value) in functions.items()}
    times = alternate(clocks, settings.rounds, settings.runs_a_round)
    return {("planar stack", work, "ours XLA"): value for work, value in times.items()}


class Tables:
    """All times so far, and the tables of them."""

    def __init__(self, report: Report):
        self._report = report
        self._times: dict[tuple[str, str, str], float] = {}

    def add(self, times: Mapping[tuple[str, str, str], float]) -> None:
        self._times |= times
        self._report.table(
            "", "Milliseconds.", ("flow", "work", *self._names()), self._rows(self._value)
        )

    def finish(self) -> None:
        """Stores the ratios, the targets, and a picture."""
        rows = self._rows(self._in_times_of_ours)
        self._report.table(
            "ratios", "In times of ours by XLA.", ("flow", "work", *self._names()), rows
        )
        targets = target_rows(self._times)
        if targets:
            self._report.table(
                "targets",
                "Targets. Ours by XLA but in the last rows; the peers and the bare networks in "
                "their fastest mode each.",
                HEADER,
                targets,
            )
        dots = {
            f"{flow}\n{work}": dict(zip(self._names(), row, strict=True))
            for flow, work, *row in rows
            if flow in MODELS
        }
        self._report.dots("", dots, x_label="time in times of ours by XLA", reference=1.0)

    def _names(self):
        return list(dict.fromkeys(who for _, _, who in self._times))

    def _rows(self, cell):
        keys = dict.fromkeys((flow, work) for flow, work, _ in self._times)
        return [(*key, *(cell(*key, who) for who in self._names())) for key in keys]

    def _value(self, *key):
        return self._times.get(key)

    def _in_times_of_ours(self, flow, work, who):
        return ratio(self._times.get((flow, work, who)), self._times.get((flow, work, "ours XLA")))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--peers",
        type=pathlib.Path,
        metavar="PYTHON",
        help="interpreter of the environment with normflows, zuko and flowjax",
    )
    parser.add_argument("--compiled", action="store_true", help="PyTorch's compiler, too")
    options = parse_options(__doc__, argv, parser)
    if options.peers and not options.peers.is_file():
        parser.error(f"--peers: expected an interpreter, received {options.peers}")
    return options


def main(argv: Sequence[str] | None = None) -> None:
    options = parse(argv)
    settings = Settings(options.quick, options.compiled)
    with started(options.peers, settings.sizes, settings.batch) as peers:
        with_whom = "; ".join(peer.versions for peer in peers) or "the peers left out"
        report = Report(
            options,
            f"`python benchmarks/training_step.py`: {settings.sizes}, batch {settings.batch}; "
            f"medians of {settings.rounds * settings.runs_a_round} runs; "
            f"{tff.diagnostics.describe_machine()}; {with_whom}.",
        )
        if not peers:
            print("normflows, zuko and flowjax are left out: `make bench-peers` brings them.")
        tables = Tables(report)
        for model in settings.models:
            flows = TensorFlowFlows(settings.sizes)
            for work in settings.works:
                times = measure(flows, peers, model, work, settings)
                tables.add({(model, work, who): value for who, value in times.items()})
        tables.add(measure_planar_inverse(settings))
        tables.finish()


if __name__ == "__main__":
    main()
