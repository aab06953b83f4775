"""The examples run, print what the README says they print, and leave their picture and table."""

import importlib
import os
import pathlib
import re
import subprocess
import sys

import pytest

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"
# `planar_and_radial` trains nothing; tests/test_plotting.py runs it, and tests/test_multi_worker.py
# the one with several processes.
OTHERS = {"cluster", "common", "gallery", "multi_worker", "planar_and_radial", "resumable"}
STORIES = sorted({path.stem for path in EXAMPLES.glob("*.py")} - OTHERS)
MORE_OPTIONS = {"vae_binarized_mnist": ["--compare"]}


@pytest.fixture
def main(monkeypatch):
    """The `main` of a story by name, imported as if the story were started where it lies."""
    monkeypatch.syspath_prepend(EXAMPLES)
    return lambda name: importlib.import_module(name).main


def table_of(path):
    """The rows of a Markdown table, after its header."""
    _, _, *rows = [line for line in path.read_text("utf-8").splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


@pytest.mark.slow
@pytest.mark.parametrize("name", STORIES)
def test_story(name, main, tmp_path, capsys):
    options = ["--quick", *MORE_OPTIONS.get(name, [])]
    table = tmp_path / "tables" / f"{name}.md"
    main(name)([*options, "--output", str(tmp_path / "new"), "--table", str(table)])
    printed = capsys.readouterr().out
    assert "step" in printed  # Keras's progress bar
    picture = tmp_path / "new" / f"{name}.png"
    assert str(picture) in printed
    assert picture.stat().st_size > 5_000
    head = table.read_text("utf-8").splitlines()[0]
    assert re.search(r"`python examples/\w*.* --quick.*`: \d+ seconds in all, .*TensorFlow", head)
    assert str(tmp_path) not in head
    rows = table_of(table)
    assert rows
    for row in rows:
        assert row[0] in printed
        assert any(re.fullmatch(r"[-+]?[\d.,]+(e-\d+)?( %)?", cell) for cell in row[1:]), row
        assert not {"nan", "inf", "-inf"} & set(row)


def test_the_gallery_is_what_the_stored_tables_say(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    gallery = importlib.import_module("gallery")
    assert gallery.gallery() in gallery.README.read_text("utf-8")
    assert set(gallery.STORIES) == set(STORIES)
    for story, (pictures, _) in gallery.STORIES.items():
        assert (EXAMPLES / "results" / f"{story}.md").exists()
        for picture in pictures:
            assert (EXAMPLES / "gallery" / f"{picture}.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize("monitor", ["nats", None])
def test_a_training_goes_on_after_its_last_epoch(monitor, monkeypatch, tmp_path):
    import keras
    import numpy as np

    import tfp_flows as tff

    monkeypatch.syspath_prepend(EXAMPLES)
    resumable = importlib.import_module("resumable")
    x = np.random.default_rng(0).normal(1.0, 1.0, [64, 2]).astype("float32")

    def start(stop_after=None):
        epochs = []
        flow = tff.flows.planar(2, num_layers=1, fast="log_prob", seed=0)
        model = tff.models.DensityModel(flow)
        model.compile(keras.optimizers.Adam(1e-2))

        def on_epoch_end(epoch, logs):
            epochs.append(epoch)
            if epoch == stop_after:
                raise KeyboardInterrupt

        watching = keras.callbacks.LambdaCallback(on_epoch_end=on_epoch_end)
        try:
            log, machines = resumable.fit_resumably(
                model, tmp_path / "run", x, epochs=4, monitor=monitor, callbacks=[watching],
                batch_size=32, verbose=0,
            )  # fmt: skip
        except KeyboardInterrupt:
            return epochs, None, None
        assert len(machines) == 1
        return epochs, log, model.evaluate(x, batch_size=64, verbose=0, return_dict=True)["nats"]

    assert start(stop_after=1) == ([0, 1], None, None)
    epochs, log, best = start()
    assert epochs == [2, 3]
    assert [row["epoch"] for row in log] == [0, 1, 2, 3]
    assert log[3]["nats"] < log[0]["nats"]
    again = start()
    assert again[0] == []  # nothing is left to train; the best weights are there
    assert again[1:] == (log, best)


def run(name, *options):
    """Runs an example in a process of its own; returns what it wrote to its two streams."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *options], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_process_is_quiet_and_refuses_an_unwritable_output_before_any_work(tmp_path):
    (tmp_path / "file").touch()
    code, stdout, stderr = run("vae_binarized_mnist.py", "--output", tmp_path / "file" / "below")
    assert code == 2
    assert not stdout
    assert "--output: expected a folder that can be written to, received" in stderr
    assert "oneDNN" not in stderr
    assert "cuda" not in stderr.lower()


@pytest.mark.real_data
def test_vae_on_binarized_mnist(tmp_path):
    data_dir = os.environ.get("TFP_FLOWS_DATA_DIR")
    if not data_dir:
        pytest.skip("TFP_FLOWS_DATA_DIR names no folder with the prepared binarized MNIST")
    table = tmp_path / "table.md"
    code, _, stderr = run(
        "vae_binarized_mnist.py",
        *("--dataset", "binarized_mnist", "--data-dir", data_dir, "--posterior", "planar"),
        *("--quick", "--epochs", "3", "--steps", "150", "--hidden", "100"),
        *("--output", tmp_path, "--table", table),
    )
    assert code == 0, stderr
    [(name, _, neg_elbo, *_)] = table_of(table)
    assert name == "planar"
    assert float(neg_elbo) < 205.79  # independent pixels with the training set's marginals
