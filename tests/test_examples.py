"""The examples run as a user runs them, and print what the README says they print."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"


def run(name, *options):
    """Runs an example in a process of its own; returns what it wrote to its two streams."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *options], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def check_table(stdout, names):
    """One row a posterior: parameters, -ELBO, importance-weighted -log p, seconds."""
    rows = dict(re.findall(r"^(\w+) +[\d,]+ +([\d.]+) +[\d.]+ +\d+$", stdout, flags=re.M))
    assert list(rows) == list(names)
    assert all(0.0 < float(neg_elbo) < 600.0 for neg_elbo in rows.values())


@pytest.mark.slow
def test_vae_compares_posteriors(tmp_path):
    output = tmp_path / "pictures"
    code, stdout, stderr = run("vae_binarized_mnist.py", "--compare", "--quick", "--output", output)
    assert code == 0, stderr
    check_table(stdout, ["none", "planar", "radial", "real_nvp"])
    assert "neg_elbo" in stdout  # Keras's progress bar
    for picture in ("vae_learning_curves.png", "vae_images.png"):
        assert str(output / picture) in stdout
        assert (output / picture).stat().st_size > 1000
    assert "oneDNN" not in stderr
    assert "cuda" not in stderr.lower()


def test_unwritable_output_is_refused_before_any_work(tmp_path):
    (tmp_path / "file").touch()
    code, stdout, stderr = run("vae_binarized_mnist.py", "--output", tmp_path / "file" / "below")
    assert code == 2
    assert not stdout
    assert "--output: expected a folder that can be written to, received" in stderr


@pytest.mark.real_data
def test_vae_on_binarized_mnist(tmp_path):
    data_dir = os.environ.get("TFP_FLOWS_DATA_DIR")
    if not data_dir:
        pytest.skip("TFP_FLOWS_DATA_DIR names no folder with the prepared binarized MNIST")
    code, stdout, stderr = run(
        "vae_binarized_mnist.py",
        *("--dataset", "binarized_mnist", "--data-dir", data_dir, "--posterior", "planar"),
        *("--quick", "--epochs", "3", "--steps", "150", "--hidden", "100"),
        *("--output", tmp_path),
    )
    assert code == 0, stderr
    check_table(stdout, ["planar"])
    neg_elbo = float(re.search(r"^planar +[\d,]+ +([\d.]+)", stdout, flags=re.M).group(1))
    assert neg_elbo < 205.79  # independent pixels with the training set's marginals
