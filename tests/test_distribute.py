"""Training on two devices is training on one; the parts of a data set make up the whole."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tfp_flows import datasets

ROOT = pathlib.Path(__file__).parents[1]
SECONDS = 500


@pytest.fixture(scope="module")
def two_devices():
    """What a process with two devices has found; their number is settled once in a process."""
    datasets.load("digits")  # Prepared before that process reads it.
    done = subprocess.run(
        [sys.executable, "-m", "tests.replicas_program"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_two_replicas_train_as_one(two_devices):
    for name, (one, two) in two_devices["histories"].items():
        assert set(one) == set(two), name
        # Of a batch: it is another one for each replica.
        for metric in set(one) - {"effective_sample_size"}:
            np.testing.assert_allclose(
                two[metric], one[metric], rtol=1e-5, atol=1e-5, err_msg=f"{name}: {metric}"
            )


@pytest.mark.slow
def test_what_cannot_be_distributed_is_refused(two_devices):
    assert "made under the strategy's scope, received" in two_devices["refused"]["outside"]
    assert "Argument `jit_compile`: expected False" in two_devices["refused"]["jit"]


def images(**settings):
    return [image.tobytes() for image in datasets.load("digits", **settings).as_numpy_iterator()]


def part(index, **settings):
    context = tf.distribute.InputContext(2, index, num_replicas_in_sync=2)
    return images(split="test", input_context=context, **settings)


@pytest.mark.parametrize("num_files", [1, 4])
def test_parts_of_a_data_set(num_files, tmp_path, monkeypatch):
    settings = {"data_dir": tmp_path, "shuffle": True, "seed": 1}
    builder = tfds.builder("digits", data_dir=tmp_path)
    config = tfds.download.DownloadConfig(num_shards=num_files)
    builder.download_and_prepare(download_config=config)
    assert len(builder.info.splits["test"].file_instructions) == num_files
    parts = [part(index, **settings) for index in (0, 1)]
    assert all(len(images) > 100 for images in parts)
    assert sorted(parts[0] + parts[1]) == sorted(images(split="test", **settings))
    assert len(part(0, batch_size=50, **settings)[0]) == 25 * 64
    with pytest.raises(ValueError, match="not divisible"):
        part(0, batch_size=51, **settings)
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": {"worker": ["a:1", "b:1"]}}))
    with pytest.raises(ValueError, match="seed: expected an integer, as 2 workers"):
        datasets.load("digits", data_dir=tmp_path)
