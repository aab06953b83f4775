"""Two workers train as one process does; one that dies ends the other, and both go on again."""

import importlib
import json
import pathlib
import sys

import numpy as np
import pytest
import tensorflow as tf

from examples import cluster
from tests import multi_worker_program as program
from tfp_flows import datasets

ROOT = pathlib.Path(__file__).parents[1]
SECONDS = 400
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "1", "CUDA_VISIBLE_DEVICES": "-1"}


def run(folder, epoch_of_death):
    """Runs the program on two workers."""
    datasets.load("digits")  # Prepared once, before both read it.
    command = [sys.executable, "-m", "tests.multi_worker_program", str(folder), str(epoch_of_death)]
    cluster.run(command, 2, timeout=SECONDS, environment={"PYTHONPATH": str(ROOT), **QUIET})


def results(folder, name):
    return [json.loads((folder / f"{name}_{index}.json").read_text("utf-8")) for index in (0, 1)]


@pytest.mark.slow
def test_workers(tmp_path):
    with pytest.raises(cluster.WorkerError) as error:
        run(tmp_path, epoch_of_death=2)
    survivor, killed = error.value.codes
    assert killed == -9, error.value
    assert survivor not in (0, -9), error.value  # it ended by itself, with an error
    one = tf.distribute.get_strategy()
    first, second = results(tmp_path, "keras")
    assert first == second
    assert "received backups of [2, 0] epochs on the 2 workers" in first["not shared"]
    expected = program.fit_keras(one, tmp_path / "one")
    for name, values in first["keras"].items():
        # The last two epochs: the others were before a new start.
        np.testing.assert_allclose(values, expected[name][2:], rtol=1e-5)

    run(tmp_path, epoch_of_death=-1)
    first, second = results(tmp_path, "tf_keras")
    assert first == second
    assert first["tf_keras"]["epoch"] == [2, 3]
    expected = program.fit_tf_keras(one, tmp_path / "one_tf_keras")
    np.testing.assert_allclose(first["tf_keras"]["loss"], expected["loss"][2:], rtol=1e-5)


@pytest.mark.slow
def test_example(monkeypatch, tmp_path, capsys):
    monkeypatch.syspath_prepend(ROOT / "examples")
    table = tmp_path / "table.md"
    options = ["--quick", "--layers", "1", "--timeout", str(SECONDS), "--table", str(table)]
    options += ["--output", str(tmp_path), "--backup", str(tmp_path / "backup")]
    importlib.import_module("multi_worker").main(options)
    assert "steps per second" in capsys.readouterr().out
    cells = table.read_text("utf-8").splitlines()[-1].strip("| ").split("|")
    workers, first, last, rate, ratio = map(float, cells)
    assert workers == 2
    assert 2.0 < last < first < 5.0
    assert rate > 0.0
    assert ratio == 1.0
