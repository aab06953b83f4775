"""The examples run, print what the README says they print, and leave their picture and table."""

import importlib
import os
import pathlib
import re
import subprocess
import sys

import pytest

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"
# `planar_and_radial` trains nothing; tests/test_plotting.py runs it.
STORIES = sorted(
    {path.stem for path in EXAMPLES.glob("*.py")} - {"common", "gallery", "planar_and_radial"}
)
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
    assert set(gallery.STORIES) == set(STORIES) - {"vae_binarized_mnist"}
    for story, (pictures, _) in gallery.STORIES.items():
        assert (EXAMPLES / "results" / f"{story}.md").exists()
        for picture in pictures:
            assert (EXAMPLES / "gallery" / f"{picture}.png").exists()


def run(name, *options):
    """Runs an example in a process of its own; returns what it wrote to its two streams."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *options], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


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
