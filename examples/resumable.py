"""Trainings of hours: broken off and started again, they go on after their last epoch."""

import csv
import pathlib
import time
from collections.abc import Sequence
from typing import Any

import keras

import tfp_flows as tff

Log = list[dict[str, float]]


def fit_resumably(
    model: keras.Model,
    folder: pathlib.Path,
    data: Any,
    *,
    epochs: int,
    monitor: str | None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **settings: Any,
) -> tuple[Log, list[str]]:
    """Trains a model, or what is left of that, and gives it the weights of its best epoch.

    Everything that the next start needs lies in `folder`: a backup of the last epoch, those
    weights, the log, and on which machines the training has been.

    Args:
      model: a compiled model.
      folder: made if it is not there.
      data: as `fit` takes it.
      epochs: of the whole training.
      monitor: the metric whose smallest value the best epoch has; None to take the last one.
      callbacks: others beside those that are needed here.
      **settings: of `fit`.

    Returns:
      The log, one mapping an epoch with its `seconds`, and the machines.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log, best, machines = (folder / n for n in ("log.csv", "best.weights.h5", "machines.txt"))
    before = read_log(log) if log.exists() else []
    scores = [row[monitor] for row in before] if monitor else []
    if len(before) < epochs:
        with machines.open("a", encoding="utf-8") as file:
            file.write(tff.diagnostics.describe_machine() + "\n")
        needed = [
            keras.callbacks.BackupAndRestore(folder / "backup"),
            keras.callbacks.ModelCheckpoint(
                best, monitor or "loss", mode="min", save_best_only=bool(monitor),
                save_weights_only=True, initial_value_threshold=min(scores, default=None),
            ),
            stopwatch(),
            keras.callbacks.CSVLogger(log, append=True),
        ]  # fmt: skip
        model.fit(data, epochs=epochs, callbacks=[*needed, *callbacks], **settings)
    model.load_weights(best)
    seen = machines.read_text(encoding="utf-8").splitlines()
    return read_log(log), list(dict.fromkeys(seen))


def stopwatch() -> keras.callbacks.Callback:
    """Adds the seconds of each epoch to its logs."""
    start = time.perf_counter()

    def on_epoch_end(epoch, logs):
        nonlocal start
        logs["seconds"] = time.perf_counter() - start
        start = time.perf_counter()

    return keras.callbacks.LambdaCallback(on_epoch_end=on_epoch_end)


def read_log(path: pathlib.Path) -> Log:
    """The rows of a log, without the cells that Keras leaves empty."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [{key: float(value) for key, value in row.items() if value != "NA"} for row in rows]
