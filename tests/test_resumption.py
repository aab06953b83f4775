"""Training that is broken off and started again ends where one ends that never was."""

import json

import keras
import numpy as np
import pytest

from tests import kill
from tests.resumption import CASES, X, density, train

pytestmark = pytest.mark.slow


class KilledError(Exception):
    """Stands for the end of a process."""


class KillAt(keras.callbacks.Callback):
    """Breaks training off after a number of batches."""

    def __init__(self, num_batches):
        super().__init__()
        self.left = num_batches

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise KilledError


@pytest.mark.parametrize("name", CASES)
def test_the_end_is_the_same(name, tmp_path):
    expected = train(name, tmp_path / "whole")
    # Of the second part nothing is left: it does not reach a backup.
    for num_batches in (9, 4, 11):
        with pytest.raises(KilledError):
            train(name, tmp_path / "broken", KillAt(num_batches))
    actual = train(name, tmp_path / "broken")
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, e)


def test_several_steps_an_execution(tmp_path):
    expected = train("arrays in steps", tmp_path / "whole", steps_per_execution=2)
    with pytest.raises(KilledError):
        train("arrays in steps", tmp_path / "broken", KillAt(5), steps_per_execution=2)
    actual = train("arrays in steps", tmp_path / "broken", steps_per_execution=2)
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, e)


@pytest.mark.parametrize("text", ["", '{"epoch": 0, "batch": 0}'])
def test_killed_between_the_files_of_a_backup(text, tmp_path):
    """The weights are there, and the number of their epoch is not, or is too small."""
    expected = train("arrays", tmp_path / "whole")
    with pytest.raises(KilledError):
        train("arrays", tmp_path / "broken", KillAt(16))
    metadata = tmp_path / "broken" / "training_metadata.json"
    assert json.loads(metadata.read_text())["epoch"] == 2
    metadata.write_text(text)
    actual = train("arrays", tmp_path / "broken")
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, e)


def test_each_fit_has_its_own_orders():
    keras.utils.set_random_seed(0)
    model = density()
    model.compile(keras.optimizers.Adam(1e-2))
    seen = []
    step = model.train_step
    model.train_step = lambda data: seen.append(data["x"].numpy()) or step(data)
    model.run_eagerly = True
    for _ in range(2):
        model.fit(X, batch_size=50, epochs=2, verbose=0)
    for i, first in enumerate(seen):
        np.testing.assert_array_equal(np.sort(first, axis=0), np.sort(X, axis=0))
        for second in seen[:i]:
            assert not np.array_equal(first, second)


def test_killed_processes(capsys):
    """A few of the kills of `make kill`."""
    assert kill.main(["--quick"]) == 0
    assert "| density | 3 |" in capsys.readouterr().out
