"""Workers train as one process does; one that dies ends the other, and both go on again."""

import importlib
import json
import pathlib
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from examples import cluster
from tests import multi_worker_program as program
from tfp_flows import datasets

ROOT = pathlib.Path(__file__).parents[1]
SECONDS = 400
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "1", "CUDA_VISIBLE_DEVICES": "-1"}


def run(folder, num_workers, epoch_of_death=-1):
    """Runs the program on several workers."""
    datasets.load("digits")  # Prepared once, before all read it.
    command = [sys.executable, "-m", "tests.multi_worker_program", str(folder), str(epoch_of_death)]
    environment = {"PYTHONPATH": str(ROOT), **QUIET}
    cluster.run(command, num_workers, timeout=SECONDS, environment=environment)


def result(folder, name, num_workers):
    """What the program has written, the same for each worker."""
    paths = [folder / f"{name}_{index}.json" for index in range(num_workers)]
    first, *others = (json.loads(path.read_text("utf-8")) for path in paths)
    assert all(other == first for other in others)
    return first


@pytest.fixture(scope="module")
def one_process(tmp_path_factory):
    """What a single process reaches."""
    keras.utils.set_random_seed(0)
    one, folder = tf.distribute.get_strategy(), tmp_path_factory.mktemp("one")
    return {
        "keras": program.fit_keras(one, folder / "keras"),
        "tf_keras": program.fit_tf_keras(one, folder / "tf_keras"),
    }


def check_equal(found, expected, first_epoch=0):
    assert set(found) == set(expected)
    for name, values in found.items():
        np.testing.assert_allclose(values, expected[name][first_epoch:], rtol=1e-5, err_msg=name)


@pytest.mark.slow
def test_a_worker_that_dies(one_process, tmp_path):
    with pytest.raises(cluster.WorkerError) as error:
        run(tmp_path, 2, epoch_of_death=2)
    survivor, killed = error.value.codes
    assert killed == -9, error.value
    assert survivor not in (0, -9), error.value  # it ended by itself, with an error
    found = result(tmp_path, "broken_off", 2)
    assert "received backups of [2, 0] epochs on the 2 workers" in found["not shared"]
    # The last two epochs: the others were before a new start.
    check_equal(found["keras"], one_process["keras"], first_epoch=2)

    run(tmp_path, 2)
    found = result(tmp_path, "whole", 2)
    assert found["tf_keras"]["epoch"] == [2, 3]
    check_equal(found["tf_keras"], one_process["tf_keras"], first_epoch=2)
    check_equal(found["keras"], one_process["keras"])


@pytest.mark.slow
def test_four_workers(one_process, tmp_path):
    run(tmp_path, 4)
    found = result(tmp_path, "whole", 4)
    for name, expected in one_process.items():
        check_equal(found[name], expected)


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
