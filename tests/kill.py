"""Kills trainings at random moments and starts them again: `python -m tests.kill`.

For each model a process trains under Keras's `BackupAndRestore` to the end. Then a training of the
same program is killed (SIGKILL) and started again, many times, until it ends, too. Both ends must
be equal bit for bit, optimizer included. The exit status is 1 where they are not.
"""

import argparse
import multiprocessing
import pathlib
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# By name in `tests.resumption`, which only the processes that train import.
MODELS = {"density": "arrays", "vae": "vae", "reverse KL": "reverse KL"}

# The server imports TensorFlow, but runs none of it, so it has a single thread and can be forked.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.conftest", "tests.resumption"])

COLUMNS = (
    "model",
    "kills",
    "in epoch (min, median, max)",
    "before an epoch",
    "while a backup was written",
    "starts from a backup",
    "equal",
    "seconds",
)

_BEGIN = -1  # what a process reports before it makes the model; then it reports every epoch


class Moment(NamedTuple):
    """When to kill: at a fraction of the epoch; or, for `_BEGIN`, of the time before the first."""

    epoch: int
    fraction: float


class Run(NamedTuple):
    """One process: what it reported, and when (seconds); and whether it was killed."""

    reports: list[int]
    times: list[float]
    was_killed: bool

    @property
    def first_epoch(self) -> int | None:
        """Where it went on, if it came so far."""
        return self.reports[1] if len(self.reports) > 1 else None


class Paces(NamedTuple):
    """Seconds of a training that was not killed: before its first epoch, and of an epoch."""

    begin: float
    epoch: float


def moments(rng: np.random.Generator, num_kills: int, epochs: int) -> list[Moment]:
    """Random moments, uniform over the training; about every fifth at the start of a process.

    Some fall into the same epoch: the process is then killed before it has come any further.
    """
    positions = np.sort(rng.uniform(0, epochs - 1, num_kills))  # the last epoch is left to it
    at_start = rng.uniform(size=num_kills) < 0.2
    return [
        Moment(_BEGIN if early else int(position), position % 1)
        for position, early in zip(positions, at_start, strict=True)
    ]


def run(
    case: str,
    epochs: int,
    folder: pathlib.Path,
    moment: Moment | None = None,
    paces: Paces | None = None,
) -> Run:
    """Trains in a process of its own, which is killed at a moment unless it ends before."""
    receiver, sender = _PROCESSES.Pipe(duplex=False)
    process = _PROCESSES.Process(target=_train, args=(case, epochs, folder, sender))
    process.start()
    sender.close()
    reports, times, deadline = [], [], None
    while True:
        patience = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not receiver.poll(patience):
            process.kill()
            break
        try:
            reports.append(receiver.recv())
        except EOFError:  # the process has ended
            deadline = None
            break
        times.append(time.monotonic())
        if moment is not None and deadline is None and reports[-1] >= moment.epoch:
            pace = paces.begin if moment.epoch == _BEGIN else paces.epoch
            deadline = times[-1] + moment.fraction * pace
    process.join()
    if deadline is None and process.exitcode != 0:
        raise RuntimeError(f"The training of {case} failed with status {process.exitcode}.")
    return Run(reports, times, was_killed=deadline is not None)


def _train(case, epochs, folder, sender):
    """What a process does."""
    import keras

    from tests import resumption

    class Report(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            sender.send(epoch)

    sender.send(_BEGIN)
    variables = resumption.train(case, folder / "backup", Report(), epochs=epochs)
    np.savez(folder / "end.npz", *variables)


def compare(model: str, num_kills: int, epochs: int, seed: int) -> tuple[str, bool]:
    """Trains one model without kills and with them.

    Returns:
      A row of the table, and whether both ends are equal.
    """
    start = time.monotonic()
    rng = np.random.default_rng([seed, list(MODELS).index(model)])
    case = MODELS[model]
    with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as broken:
        whole, broken = pathlib.Path(whole), pathlib.Path(broken)
        unbroken = run(case, epochs, whole)
        seconds = np.diff(unbroken.times)
        paces = Paces(seconds[0], np.median(seconds[1:]))
        killed, drafts = [], set()
        for moment in moments(rng, num_kills, epochs):
            process = run(case, epochs, broken, moment, paces)
            if not process.was_killed:
                break
            killed.append(process)
            drafts |= set((broken / "backup").glob(".latest.*"))
        last = process if not process.was_killed else run(case, epochs, broken)
        equal = _equal(whole / "end.npz", broken / "end.npz")
    reached = [process.reports[-1] for process in killed if process.reports[-1] != _BEGIN]
    resumed = [process for process in (*killed, last) if process.first_epoch]
    figures = (
        model,
        len(killed),
        f"{min(reached)}, {np.median(reached):g}, {max(reached)} of {epochs}" if reached else "-",
        len(killed) - len(reached),
        len(drafts),
        len(resumed),
        "yes" if equal else "NO",
        f"{time.monotonic() - start:.0f}",
    )
    return "| " + " | ".join(map(str, figures)) + " |", equal


def _equal(first: pathlib.Path, second: pathlib.Path) -> bool:
    """Whether two files hold the same arrays, bit for bit."""
    with np.load(first) as a, np.load(second) as b:
        return a.files == b.files and all(
            (a[name].dtype, a[name].shape, a[name].tobytes())
            == (b[name].dtype, b[name].shape, b[name].tobytes())
            for name in a.files
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20, help="of each model")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--quick", action="store_true", help="one model, three kills, eight epochs")
    options = parser.parse_args(argv)
    models = list(MODELS)
    if options.quick:
        options.kills, options.epochs, models = 3, 8, models[:1]
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|", flush=True)
    all_equal = True
    for model in models:
        row, equal = compare(model, options.kills, options.epochs, options.seed)
        print(row, flush=True)
        all_equal = all_equal and equal
    return 0 if all_equal else 1


if __name__ == "__main__":
    sys.exit(main())
