"""Training that was broken off goes on where its backup is, data included."""

import json
import math
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfp_flows.models import _random, _workers


class Resumption(NamedTuple):
    """Where a `fit` stands that may have been broken off.

    Attributes:
      is_backed_up: whether there is a `BackupAndRestore`.
      epochs_done: epochs it has been through before.
      seed: of the orders of its data.
    """

    is_backed_up: bool
    epochs_done: int
    seed: int


def resume(
    model: keras.Model, epochs: keras.random.SeedGenerator, callbacks: Any, initial_epoch: int
) -> Resumption:
    """Gives a model the weights of a backup that Keras's `BackupAndRestore` has left.

    The callback would do so itself, but only after the data have been set up. And it writes the
    number of the epoch after the weights: a process that is killed in between leaves a number that
    is too small, or none. So the weights carry their own, and the callback's file is made to agree.

    Args:
      model: the model, with the variables of its optimizer.
      epochs: of the model; counts its epochs, and has the seed of their orders.
      callbacks: those of `fit`.
      initial_epoch: where this `fit` began at first.

    Returns:
      Where it stands.
    """
    _, before = _random.position(epochs)
    folders = _backup_folders(callbacks)
    for folder in folders:
        weights = folder / "latest.weights.h5"
        if weights.is_file():
            model.load_weights(weights)
            if not _workers.is_chief(model.distribute_strategy):
                continue  # Two that write one file would fall over each other.
            epoch = initial_epoch + _random.position(epochs)[1] - before
            draft = folder / "training_metadata.json.tmp"
            draft.write_text(json.dumps({"epoch": epoch, "batch": 0}), encoding="utf-8")
            draft.replace(draft.with_suffix(""))
    seed, now = _random.position(epochs)
    # A later `fit` has other orders.
    seed_of_fit = np.random.SeedSequence([abs(seed), before]).generate_state(1)[0]
    return Resumption(bool(folders), now - before, int(seed_of_fit))


def agree(
    strategy: tf.distribute.Strategy,
    callbacks: Any,
    initial_epoch: int,
    resumption: Resumption,
) -> tuple[Any, int]:
    """Makes sure that all workers go on at the same epoch, and that one of them writes backups.

    Args:
      strategy: the strategy.
      callbacks: those of `fit`.
      initial_epoch: where this `fit` began at first.
      resumption: where this worker stands.

    Returns:
      The callbacks of this worker, and the epoch it begins with.

    Raises:
      ValueError: the workers stand at different epochs.
    """
    if not resumption.is_backed_up or _workers.number(strategy) == 1:
        return callbacks, initial_epoch
    epochs = _workers.gathered(strategy, resumption.epochs_done)
    if len(set(epochs)) > 1:
        raise ValueError(
            "Argument `callbacks`: expected a `BackupAndRestore` of a folder that all workers "
            f"share, received backups of {epochs} epochs on the {len(epochs)} workers."
        )
    if _workers.is_chief(strategy):
        return callbacks, initial_epoch
    return _without_backups(callbacks), initial_epoch + resumption.epochs_done


def one_pass(
    dataset: tf.data.Dataset, steps_per_epoch: int | None, steps_per_execution: int
) -> tuple[tf.data.Dataset, int | None]:
    """Makes one long pass of the passes over a dataset, so that batches can be counted.

    A dataset that shuffles draws its order when a pass begins, and versions of Keras begin once or
    twice for an epoch.

    Args:
      dataset: of known cardinality, or it is returned as it came.
      steps_per_epoch: as `fit` has it.
      steps_per_execution: as `compile` has it. Where it does not divide the cardinality, Keras
        would run into the next epoch: the dataset is returned as it came.

    Returns:
      The dataset, repeated without an end; and the steps of an epoch.
    """
    size = int(dataset.cardinality())
    if steps_per_epoch or size <= 0 or size % steps_per_execution:
        return dataset, steps_per_epoch
    return dataset.repeat(), size


def skip(
    dataset: tf.data.Dataset, epochs: int, steps_per_epoch: int | None, steps_per_execution: int
) -> tf.data.Dataset:
    """Leaves out the batches of the epochs that are done, if an epoch is a number of batches."""
    if not (epochs and steps_per_epoch):
        return dataset
    executions = math.ceil(steps_per_epoch / steps_per_execution)  # Keras runs whole ones
    return dataset.skip(epochs * executions * steps_per_execution)


class CountEpochs(keras.callbacks.Callback):
    """Counts the epochs of a model in one of its variables; stands before a backup of them.

    Args:
      epochs: the count, of a stream of seeds.
    """

    def __init__(self, epochs: keras.random.SeedGenerator) -> None:
        super().__init__()
        self._epochs = epochs

    def on_epoch_end(self, epoch: int, logs: Mapping | None = None) -> None:
        """Counts one more."""
        _random.advance(self._epochs)


def _backup_folders(callbacks: Any) -> list[pathlib.Path]:
    return [
        pathlib.Path(callback.backup_dir)
        for callback in _listed(callbacks)
        if isinstance(callback, keras.callbacks.BackupAndRestore)
    ]


def _without_backups(callbacks: Any) -> Any:
    others = [
        callback
        for callback in _listed(callbacks)
        if not isinstance(callback, keras.callbacks.BackupAndRestore)
    ]
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks.callbacks = others
        return callbacks
    return others


def _listed(callbacks: Any) -> list[keras.callbacks.Callback]:
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks = callbacks.callbacks
    return tf.nest.flatten(callbacks)
