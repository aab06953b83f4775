"""Data sets: builders, preparation, input pipelines, point sets and energies."""

import collections
import hashlib
import io
import math
import os
import pathlib
import shutil
import socket
import time
import types

import keras
import numpy as np
import pytest
import requests
import tensorflow as tf
import tensorflow_datasets as tfds
from scipy import special, stats
from sklearn.datasets import load_digits
from tensorflow.python.data.experimental.ops import distribute
from tensorflow_datasets.core.download import downloader
from tensorflow_datasets.core.utils import gcs_utils

from tfp_flows import datasets
from tfp_flows.datasets import loading, preparation

DIGITS = ("digits", "binarized_digits")
SIZES = {"train": 1297, "validation": 250, "test": 250}
AMAT_FILES = [f"binarized_mnist_{part}.amat" for part in ("train", "valid", "test")]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """A data folder in which both sets of digits are prepared."""
    root = tmp_path_factory.mktemp("data")
    for name in DIGITS:
        datasets.load(name, data_dir=root)
    return root


def images_of(dataset):
    """All images of an unbatched data set, `[n, H, W, 1]`."""
    return np.stack(list(dataset.as_numpy_iterator()))


def rows_of(images):
    return [image.tobytes() for image in images]


def everything_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def no_network(monkeypatch):
    """Lets every HTTP request fail at once; returns the list of the URLs that were asked for."""
    asked = []

    def send(self, request, **kwargs):
        asked.append(request.url)
        raise requests.ConnectionError("name resolution failed")

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    return asked


# The embedded digits.


@pytest.mark.parametrize(
    ("ours", "theirs"), [("binarized_digits", "binarized_mnist"), ("digits", "mnist")]
)
def test_features_are_those_of_mnist(data_dir, tmp_path, ours, theirs):
    info = tfds.builder(ours, data_dir=data_dir).info
    reference = tfds.builder(theirs, data_dir=tmp_path).info
    assert info.supervised_keys == reference.supervised_keys
    assert list(info.features) == list(reference.features)
    for key, feature in info.features.items():
        assert type(feature) is type(reference.features[key])
        assert feature.dtype == reference.features[key].dtype
    assert info.features["image"].shape == (8, 8, 1)
    assert {split: part.num_examples for split, part in info.splits.items()} == SIZES


@pytest.mark.parametrize("name", DIGITS)
def test_tfds_load_finds_the_builders(data_dir, name):
    elements = list(tfds.load(name, split="test", data_dir=data_dir, download=False))
    assert len(elements) == 250
    assert elements[0]["image"].shape == (8, 8, 1)


def test_splits_share_out_the_digits_of_scikit_learn(data_dir):
    reference = load_digits()
    expected = collections.Counter(
        (image.astype(np.uint8).tobytes(), int(label))
        for image, label in zip(reference.images, reference.target, strict=True)
    )
    received = collections.Counter()
    for split, size in SIZES.items():
        pairs = list(
            datasets.load("digits", split, data_dir=data_dir, with_labels=True).as_numpy_iterator()
        )
        assert len(pairs) == size
        assert pairs[0][0].dtype == np.uint8
        assert pairs[0][1].dtype == np.int64
        received.update((image.tobytes(), int(label)) for image, label in pairs)
    assert received == expected
    assert sum(received.values()) == 1797


def test_bits_are_bernoulli_of_the_grey_of_the_same_digit(data_dir):
    bits, grey = (
        np.concatenate(
            [
                images_of(datasets.load(name, split, data_dir=data_dir, shuffle=False))
                for split in SIZES
            ]
        )
        for name in ("binarized_digits", "digits")
    )
    assert bits.dtype == grey.dtype == np.uint8
    assert set(np.unique(bits)) == {0, 1}
    assert set(np.unique(grey)) == set(range(17))
    for level in range(17):
        drawn = bits[grey == level]
        p = level / 16
        deviation = math.sqrt(p * (1 - p) / drawn.size)
        assert abs(drawn.mean() - p) <= 4 * deviation, level
    # The draws of different pixels and of different digits are independent.
    residual = (bits - grey / 16.0).reshape(len(bits), -1)
    for a, b in ((residual[:, :-1], residual[:, 1:]), (residual[:-1], residual[1:])):
        products = a * b
        assert abs(products.mean()) <= 4 * products.std() / math.sqrt(products.size)


@pytest.mark.parametrize(
    ("name", "split", "digest"),
    [
        ("binarized_digits", "train", "0399e5e3f8c8bc3d"),
        ("binarized_digits", "validation", "32964eba3f9a1a0d"),
        ("binarized_digits", "test", "54efad0cbd1dcbc3"),
        ("digits", "train", "be483ea18786180d"),
        ("digits", "validation", "7eb40de89dd2f404"),
        ("digits", "test", "53b72b8f03ce198d"),
    ],
)
def test_split_members_never_change(data_dir, name, split, digest):
    rows = sorted(rows_of(images_of(datasets.load(name, split, data_dir=data_dir))))
    assert hashlib.sha256(b"".join(rows)).hexdigest()[:16] == digest


# Pipelines.


def test_elements_are_images_or_pairs(data_dir):
    single = datasets.load("digits", data_dir=data_dir)
    assert single.element_spec == tf.TensorSpec([8, 8, 1], tf.uint8)
    batched = datasets.load("digits", batch_size=100, data_dir=str(data_dir))
    assert batched.element_spec == tf.TensorSpec([None, 8, 8, 1], tf.uint8)
    assert [len(batch) for batch in batched] == [100] * 12 + [97]
    assert batched.cardinality() == 13
    full = datasets.load("digits", batch_size=100, data_dir=data_dir, drop_remainder=True)
    assert full.element_spec == tf.TensorSpec([100, 8, 8, 1], tf.uint8)
    assert full.cardinality() == 12
    images, labels = datasets.load(
        "digits", batch_size=np.int64(7), data_dir=data_dir, with_labels=True
    ).element_spec
    assert images.shape.as_list() == [None, 8, 8, 1]
    assert labels == tf.TensorSpec([None], tf.int64)


def test_labels_stay_with_their_images(data_dir):
    reference = {
        image.astype(np.uint8).tobytes(): label
        for image, label in zip(*(load_digits()[key] for key in ("images", "target")), strict=True)
    }
    pairs = datasets.load("digits", batch_size=64, data_dir=data_dir, with_labels=True, seed=3)
    for images, labels in pairs.as_numpy_iterator():
        assert [reference[row] for row in rows_of(images)] == labels.tolist()


def test_endless_stream_has_full_batches_and_whole_epochs(data_dir):
    stream = datasets.load(
        "binarized_digits", "test", 100, data_dir, shuffle=True, seed=0, repeat=True
    )
    assert stream.cardinality() == tf.data.INFINITE_CARDINALITY
    assert stream.element_spec.shape.as_list() == [100, 8, 8, 1]
    seen = np.concatenate(list(stream.take(5).as_numpy_iterator()))
    epochs = [rows_of(seen[:250]), rows_of(seen[250:])]
    assert sorted(epochs[0]) == sorted(epochs[1])
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize("in_memory", [True, False])
def test_shuffling_is_reproducible_and_fresh(data_dir, monkeypatch, in_memory):
    if not in_memory:
        monkeypatch.setattr(loading, "_CACHE_BYTES", 0)

    def orders(seed):
        dataset = datasets.load("digits", batch_size=50, data_dir=data_dir, seed=seed)
        return [rows_of(np.concatenate(list(dataset.as_numpy_iterator()))) for _ in range(3)]

    first = orders(seed=7)
    assert orders(seed=7) == first
    assert orders(seed=8)[0] != first[0]
    assert first[0] != first[1] != first[2] != first[0]
    assert sorted(first[0]) == sorted(first[1]) == sorted(first[2])


@pytest.mark.parametrize("num_batches", [1, 60])
def test_orders_of_an_endless_stream_do_not_depend_on_how_far_another_was_read(
    data_dir, num_batches
):
    def second(num_batches):
        stream = datasets.load(
            "binarized_digits", "test", 100, data_dir, shuffle=True, seed=0, repeat=True
        )
        first = list(stream.take(num_batches).as_numpy_iterator())
        orders = list(stream.take(5).as_numpy_iterator())
        assert (orders[0] != first[0]).any()
        return orders

    np.testing.assert_array_equal(second(num_batches), second(5))


@pytest.mark.parametrize("split", ["train[:80%]", "train+test", "test", "validation[:10%]"])
def test_training_splits_are_shuffled_by_default(data_dir, split):
    plain = rows_of(images_of(datasets.load("digits", split, data_dir=data_dir, shuffle=False)))
    default = datasets.load("digits", split, data_dir=data_dir, seed=0)
    shuffled = rows_of(images_of(default))
    assert sorted(shuffled) == sorted(plain)
    assert (shuffled != plain) == split.startswith("train")


def test_large_splits_are_shuffled_through_a_bounded_buffer(data_dir, monkeypatch):
    monkeypatch.setattr(loading, "_CACHE_BYTES", 0)
    monkeypatch.setattr(loading, "_SHUFFLE_BYTES", 20 * 64)
    plain = rows_of(images_of(datasets.load("binarized_digits", "test", None, data_dir)))
    shuffled = datasets.load("binarized_digits", "test", None, data_dir, shuffle=True, seed=1)
    rows = rows_of(images_of(shuffled))
    assert sorted(rows) == sorted(plain)
    assert rows != plain
    # With room for 20 images, none comes out more than 19 places before its turn.
    assert all(row in plain[: place + 20] for place, row in enumerate(rows))


def test_two_workers_share_out_the_images(data_dir):
    rows = []
    for worker in range(2):
        dataset = datasets.load("digits", batch_size=100, data_dir=data_dir, seed=0)
        shard = distribute._AutoShardDataset(dataset, num_workers=2, index=worker)
        rows.append(rows_of(np.concatenate(list(shard.as_numpy_iterator()))))
    assert [len(part) for part in rows] == [697, 600]
    whole = rows_of(images_of(datasets.load("digits", data_dir=data_dir)))
    assert sorted(rows[0] + rows[1]) == sorted(whole)


def test_small_splits_are_read_once(data_dir, tmp_path):
    root = tmp_path / "copy"
    shutil.copytree(data_dir, root)
    dataset = datasets.load("digits", batch_size=100, data_dir=root, seed=0)
    first = sum(int(tf.reduce_sum(tf.cast(batch, tf.int64))) for batch in dataset)
    shutil.rmtree(root)
    assert first == sum(int(tf.reduce_sum(tf.cast(batch, tf.int64))) for batch in dataset)


def test_goes_into_fit(data_dir):
    class Bernoulli(keras.Model):
        """One logit for each pixel, fitted by maximum likelihood."""

        def build(self, input_shape):
            self.logits = self.add_weight(shape=input_shape[1:], initializer="zeros")

        def call(self, x):
            return keras.ops.zeros_like(keras.ops.cast(x, "float32")) + self.logits

        def compute_loss(self, x, y=None, y_pred=None, sample_weight=None, training=True):
            return keras.losses.binary_crossentropy(
                keras.ops.cast(keras.ops.reshape(x, [-1]), "float32"),
                keras.ops.reshape(y_pred, [-1]),
                from_logits=True,
            )

    model = Bernoulli()
    model.compile(optimizer=keras.optimizers.Adam(0.1))
    train = datasets.load("binarized_digits", batch_size=100, data_dir=data_dir, seed=0)
    history = model.fit(train, epochs=4, shuffle=False, verbose=0).history["loss"]
    marginals = images_of(datasets.load("binarized_digits", data_dir=data_dir)).mean(0)
    entropy = -np.mean(
        special.xlogy(marginals, marginals) + special.xlogy(1 - marginals, 1 - marginals)
    )
    assert entropy < history[-1] < entropy + 0.03 < history[0]


# Bad input.


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"name": "cifar10"}, ValueError, ["name", "'binarized_digits'", "'mnist'", "'cifar10'"]),
        ({"name": None}, TypeError, ["name", "None"]),
        ({"split": "dev"}, ValueError, ["split", "'train', 'validation', 'test'", "'dev'"]),
        ({"name": "mnist", "split": "validation"}, ValueError, ["split", "'train', 'test'"]),
        ({"split": "train+dev"}, ValueError, ["split", "'train+dev'"]),
        ({"split": "train["}, ValueError, ["split", "'train['"]),
        ({"split": "train[:5000]"}, ValueError, ["split", "1297"]),
        ({"split": "train[:0]"}, ValueError, ["split", "at least one example"]),
        ({"split": "train[5:3]"}, ValueError, ["split", "at least one example"]),
        ({"split": 1}, TypeError, ["split", "1"]),
        ({"batch_size": 0}, ValueError, ["batch_size", ">= 1", "0"]),
        ({"batch_size": -3}, ValueError, ["batch_size", ">= 1", "-3"]),
        ({"batch_size": 10.0}, TypeError, ["batch_size", "integer", "10.0"]),
        ({"batch_size": True}, TypeError, ["batch_size", "integer", "True"]),
        ({"batch_size": 1298, "drop_remainder": True}, ValueError, ["batch_size", "1297", "1298"]),
        ({"drop_remainder": True}, ValueError, ["drop_remainder", "batch_size"]),
        ({"seed": -1}, ValueError, ["seed", "-1"]),
        ({"seed": 2**63}, ValueError, ["seed"]),
        ({"seed": "a"}, TypeError, ["seed", "'a'"]),
        (
            {"with_labels": True, "name": "binarized_digits"},
            ValueError,
            ["with_labels", "no label"],
        ),
        ({"data_dir": 3}, TypeError, ["data_dir", "3"]),
        ({"data_dir": ""}, ValueError, ["data_dir", "''"]),
    ],
)
def test_bad_arguments(data_dir, arguments, error, words):
    with pytest.raises(error) as caught:
        datasets.load(**{"name": "digits", "data_dir": data_dir, **arguments})
    assert str(caught.value).startswith(words[0] + ":")
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("kind", ["file", "below_a_file", "kernel", "read_only"])
def test_unwritable_data_dir(tmp_path, monkeypatch, kind):
    def unexpected(*args, **kwargs):
        raise AssertionError("work has begun")

    monkeypatch.setattr(datasets.Digits, "_split_generators", unexpected)
    file = tmp_path / "file"
    file.write_text("x")
    read_only = tmp_path / "read_only"
    read_only.mkdir(mode=0o555)
    folder = {
        "file": file,
        "below_a_file": file / "a" / "b",
        "kernel": pathlib.Path("/proc/tfp_flows/a"),
        "read_only": read_only,
    }[kind]
    if kind == "kernel" and not pathlib.Path("/proc/self").is_dir():
        pytest.skip("this system has no /proc")
    if kind == "read_only" and os.access(read_only, os.W_OK):
        pytest.skip("permissions do not stop this user")
    with pytest.raises(ValueError, match=r"^data_dir: expected a folder that can be") as e:
        datasets.load("digits", data_dir=folder)
    assert str(folder) in str(e.value)
    assert everything_below(tmp_path) == ["file", "read_only"]


def test_remote_data_dir_has_to_be_prepared(tmp_path, monkeypatch):
    # A stand-in for the builder of a bucket: to ask a real one takes a network.
    builder = types.SimpleNamespace(data_path=tmp_path / "none", data_dir_root="gs://bucket/tfds")
    monkeypatch.setattr(preparation.tfds, "builder", lambda name, data_dir: builder)
    with pytest.raises(ValueError, match=r"^data_dir: expected a local folder.*gs://bucket/tfds"):
        datasets.load("digits", data_dir="gs://bucket/tfds")


def test_prepared_data_need_no_writing(data_dir, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError("read-only")

    monkeypatch.setattr(preparation.tempfile, "TemporaryDirectory", refuse)
    monkeypatch.setattr(pathlib.Path, "mkdir", refuse)
    assert datasets.load("digits", data_dir=data_dir).cardinality() == 1297


def test_folder_without_info_is_refused(tmp_path):
    broken = tmp_path / "digits" / "1.0.0"
    broken.mkdir(parents=True)
    with pytest.raises(ValueError, match=r"^data_dir: .*without dataset_info.json") as caught:
        datasets.load("digits", data_dir=tmp_path)
    assert str(broken) in str(caught.value)


# Preparation.


@pytest.mark.parametrize("name", DIGITS)
def test_digits_never_touch_the_network(tmp_path, monkeypatch, no_network, name):
    def refuse(*args, **kwargs):
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(gcs_utils, "exists", refuse)  # TensorFlow's own client, not of Python.
    assert datasets.load(name, data_dir=tmp_path).cardinality() == 1297
    assert not no_network
    assert everything_below(tmp_path)[:2] == [name, f"{name}/1.0.0"]
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("binarized_mnist", AMAT_FILES),
        (
            "mnist",
            [
                f"{part}-{kind}-ubyte.gz"
                for part in ("train", "t10k")
                for kind in ("images-idx3", "labels-idx1")
            ],
        ),
    ],
)
def test_no_network(tmp_path, no_network, name, files):
    root = tmp_path / "a" / "b"
    start = time.perf_counter()
    with pytest.raises(ConnectionError) as caught:
        datasets.load(name, data_dir=root)
    assert time.perf_counter() - start < 5
    message = str(caught.value)
    for word in [*files, str(root / "downloads" / "manual"), "'binarized_digits'", f"{name!r}"]:
        assert word in message
    assert message.count(".amat,") + message.count(".gz,") >= len(files) - 1
    assert len(no_network) == 1
    assert everything_below(tmp_path) == []


def test_files_of_the_user_stay(tmp_path, no_network):
    manual = tmp_path / "downloads" / "manual"
    manual.mkdir(parents=True)
    (manual / AMAT_FILES[0]).write_text("0 1\n")
    before = everything_below(tmp_path)
    with pytest.raises(ConnectionError) as caught:
        datasets.load("binarized_mnist", data_dir=tmp_path)
    missing = str(caught.value).split("missing there: ")[1]
    assert [name for name in AMAT_FILES if name in missing] == AMAT_FILES[1:]
    assert everything_below(tmp_path) == before


def test_damaged_files_are_named(tmp_path, no_network):
    manual = tmp_path / "downloads" / "manual"
    manual.mkdir(parents=True)
    for name in AMAT_FILES:
        (manual / name).write_text("0 1\n")
    before = everything_below(tmp_path)
    with pytest.raises(Exception, match="wrong checksum") as caught:
        datasets.load("binarized_mnist", data_dir=tmp_path)
    assert str(manual) in str(caught.value)
    assert not no_network
    assert everything_below(tmp_path) == before


@pytest.mark.parametrize(
    "error", [requests.ConnectionError("cut off"), tfds.download.DownloadError("HTTP code: 503")]
)
def test_download_that_breaks_off_leaves_nothing(tmp_path, monkeypatch, error):
    half_written = []

    def download(self, url, destination_path, verify=True):
        path = destination_path / "half"
        path.write_text("0 1 0")
        half_written.append(path)
        raise error

    monkeypatch.setattr(preparation, "_check_downloads", lambda builder, manual_dir: None)
    monkeypatch.setattr(downloader._Downloader, "_sync_download", download)
    with pytest.raises(ConnectionError) as caught:
        datasets.load("binarized_mnist", data_dir=tmp_path / "data")
    assert half_written
    assert str(error) in str(caught.value)
    assert AMAT_FILES[0] in str(caught.value)
    assert everything_below(tmp_path) == []


def test_server_that_has_lost_the_files(tmp_path, monkeypatch):
    def send(self, request, **kwargs):
        response = requests.Response()
        response.status_code = 404
        response.url = request.url
        response.raw = io.BytesIO()
        return response

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    with pytest.raises(ConnectionError, match="404"):
        datasets.load("binarized_mnist", data_dir=tmp_path)
    assert everything_below(tmp_path) == []


def during_generation(monkeypatch, action):
    """Calls `action()` once, after ten examples of a split of the digits have been written."""
    generate = datasets.Digits._generate_examples
    calls = []

    def interrupted(self, examples, members):
        for count, example in enumerate(generate(self, examples, members)):
            if count == 10 and not calls:
                calls.append(None)
                action()
            yield example

    monkeypatch.setattr(datasets.Digits, "_generate_examples", interrupted)


@pytest.mark.parametrize("error", [RuntimeError("disk on fire"), KeyboardInterrupt("stop")])
def test_failed_preparation_leaves_nothing(tmp_path, monkeypatch, error):
    def fail():
        assert everything_below(tmp_path)
        raise error

    during_generation(monkeypatch, fail)
    with pytest.raises(type(error), match=str(error)):
        datasets.load("digits", data_dir=tmp_path / "data")
    assert everything_below(tmp_path) == []
    assert datasets.load("digits", data_dir=tmp_path / "data").cardinality() == 1297


def test_killed_preparation_does_not_disturb_the_next(tmp_path, monkeypatch):
    # What lies on the disk in the middle of a preparation is what a killed one leaves.
    during_generation(monkeypatch, lambda: shutil.copytree(tmp_path / "a", tmp_path / "b"))
    datasets.load("digits", data_dir=tmp_path / "a")
    left = everything_below(tmp_path / "b")
    assert any("incomplete" in path for path in left)
    assert datasets.load("digits", data_dir=tmp_path / "b").cardinality() == 1297
    assert everything_below(tmp_path / "a") == [
        path for path in everything_below(tmp_path / "b") if path not in left or path == "digits"
    ]


def test_two_preparations_at_a_time(tmp_path, monkeypatch):
    def other():
        assert datasets.load("digits", data_dir=tmp_path).cardinality() == 1297

    during_generation(monkeypatch, other)
    assert len(images_of(datasets.load("digits", data_dir=tmp_path))) == 1297
    assert not [path for path in everything_below(tmp_path) if "incomplete" in path]


# The real binarized MNIST.


@pytest.fixture(scope="module")
def real_data_dir():
    folder = os.environ.get("TFP_FLOWS_DATA_DIR")
    if not folder:
        pytest.skip("TFP_FLOWS_DATA_DIR does not name a folder with the prepared binarized MNIST")
    return folder


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("split", "size", "pixels"),
    [("train", 50_000, 5_118_041), ("validation", 10_000, 1_028_036), ("test", 10_000, 1_038_896)],
)
def test_real_binarized_mnist(real_data_dir, split, size, pixels):
    dataset = datasets.load("binarized_mnist", split, 1000, real_data_dir)
    images = np.concatenate(list(dataset.as_numpy_iterator()))
    assert images.shape == (size, 28, 28, 1)
    assert images.dtype == np.uint8
    assert set(np.unique(images)) == {0, 1}
    assert int(images.sum(dtype=np.int64)) == pixels


@pytest.mark.real_data
def test_real_training_stream(real_data_dir):
    stream = datasets.load("binarized_mnist", "train", 100, real_data_dir, seed=0)
    epochs, seconds = [], []
    for _ in range(3):
        start = time.perf_counter()
        epochs.append(list(stream.as_numpy_iterator()))
        seconds.append(time.perf_counter() - start)
    print(f"\nbatches of 100 a second, by epoch: {[round(500 / s) for s in seconds]}")
    rows = [rows_of(np.concatenate(epoch)) for epoch in epochs]
    assert len(set(rows[0])) == 50_000  # All training images differ.
    assert set(rows[0]) == set(rows[1]) == set(rows[2])
    assert rows[0] != rows[1] != rows[2] != rows[0]


# Point sets.

NUM_POINTS = 4000
TOYS = ("moons", "rings", "checkerboard", "spirals", "pinwheel", "uniform_gaussian")


@pytest.fixture(params=[0, 1])
def toy(request):
    return lambda name: datasets.toy(name, NUM_POINTS, seed=request.param).astype(np.float64)


def assert_mean(values, expected):
    """The mean is within five standard errors."""
    assert abs(np.mean(values) - expected) < 5 * np.std(values) / math.sqrt(len(values))


def distances_to_curve(points, curve):
    return np.sqrt(((points[:, None] - curve[None]) ** 2).sum(-1)).min(1)


@pytest.mark.parametrize("name", TOYS)
def test_toy_is_a_seeded_array(name):
    points = datasets.toy(name, 100, seed=5)
    assert points.shape == (100, 2)
    assert points.dtype == np.float32
    np.testing.assert_array_equal(points, datasets.toy(name, 100, seed=5))
    assert not np.array_equal(points, datasets.toy(name, 100, seed=6))
    assert not np.array_equal(datasets.toy(name, 100), datasets.toy(name, 100))
    assert datasets.toy(name, 1).shape == (1, 2)


@pytest.mark.parametrize("name", TOYS[:-1])
def test_toy_is_centred(toy, name):
    for coordinate in toy(name).T:
        assert_mean(coordinate, 0.0)


def test_uniform_gaussian(toy):
    a, b = toy("uniform_gaussian").T
    residual = (b - a) / np.sqrt(a)
    assert stats.kstest(a - 1.0, "uniform").pvalue > 1e-4
    assert stats.kstest(residual, "norm").pvalue > 1e-4
    assert_mean(a * residual, 0.0)
    assert_mean(-stats.norm(a, np.sqrt(a)).logpdf(b), 1.612086)


def test_checkerboard(toy):
    cells = np.floor((toy("checkerboard") + 4.0) / 2.0).astype(int)
    counts = np.zeros((4, 4))
    np.add.at(counts, tuple(np.clip(cells, 0, 3).T), 1)
    black = np.add.outer(np.arange(4), np.arange(4)) % 2 == 0
    assert counts[~black].sum() <= 2  # float32 may round a point onto the next square.
    assert stats.chisquare(counts[black], np.full(8, counts[black].mean())).pvalue > 1e-4


def test_rings(toy):
    radius = np.hypot(*toy("rings").T)
    ring = np.clip(np.rint(radius / 0.75), 1, 4)
    assert_mean((radius - 0.75 * ring) ** 2, 0.08**2)
    counts = np.array([np.sum(ring == k) for k in (1, 2, 3, 4)])
    assert stats.chisquare(counts).pvalue > 1e-4


def test_moons(toy):
    points = toy("moons")
    t = np.linspace(0.0, np.pi, 400)
    upper = np.stack([2 * np.cos(t) - 1.0, 2 * np.sin(t) - 0.5], -1)
    distances = np.stack([distances_to_curve(points, arc) for arc in (upper, -upper)])
    # The distance from a long curve to a point with Gaussian noise is half-normal.
    assert abs(distances.min(0).mean() - 0.1 * math.sqrt(2 / math.pi)) < 0.005
    assert_mean(distances.argmin(0), 0.5)


def test_spirals(toy):
    points = toy("spirals")
    t = np.linspace(0.0, 3 * np.pi, 1000)
    arm = np.stack([t / np.pi * np.cos(t), t / np.pi * np.sin(t)], -1)
    distances = np.stack([distances_to_curve(points, curve) for curve in (arm, -arm)])
    assert abs(distances.min(0).mean() - 0.08 * math.sqrt(2 / math.pi)) < 0.005
    assert_mean(distances.argmin(0), 0.5)
    assert_mean((points**2).sum(1) / 9, 0.5 + 2 * 0.08**2 / 9)


def test_pinwheel(toy):
    z = toy("pinwheel") @ [1.0, 1j]
    assert_mean(np.abs(z) ** 2, 2.0**2 + 0.6**2 + 0.2**2)
    blade = np.mod(np.angle(z) - 0.4 * np.abs(z), 2 * np.pi)
    counts = np.bincount(np.rint(blade / (2 * np.pi / 5)).astype(int) % 5, minlength=5)
    assert stats.chisquare(counts).pvalue > 1e-4
    assert abs(np.mean(np.exp(5j * blade))) > 0.8
    for order in (1, 2, 3, 4):
        assert abs(np.mean(np.exp(1j * order * blade))) < 5 / math.sqrt(NUM_POINTS)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("circles", 10), ValueError, ["name", "'moons'", "'uniform_gaussian'", "'circles'"]),
        ((3, 10), TypeError, ["name", "3"]),
        (("moons", 0), ValueError, ["num_samples", ">= 1", "0"]),
        (("moons", 2.5), TypeError, ["num_samples", "2.5"]),
        (("moons", 10, -1), ValueError, ["seed", "-1"]),
        (("moons", 10, 0.5), TypeError, ["seed", "0.5"]),
    ],
)
def test_toy_bad_arguments(arguments, error, words):
    with pytest.raises(error) as caught:
        datasets.toy(*arguments)
    assert str(caught.value).startswith(words[0] + ":")
    for word in words:
        assert word in str(caught.value)


# Energies.

LOG_Z = {"u1": 1.87750, "u2": 2.08209, "u3": 2.64171, "u4": 2.68457}


def plain_energy(name, x, y):
    """The formulas of the paper as they stand, in float64."""
    w1 = np.sin(2 * np.pi * x / 4)
    w2 = 3 * np.exp(-(((x - 1) / 0.6) ** 2) / 2)
    w3 = 3 / (1 + np.exp(-(x - 1) / 0.3))

    def bump(value, scale):
        return np.exp(-((value / scale) ** 2) / 2)

    if name == "u1":
        ring = ((np.sqrt(x**2 + y**2) - 2) / 0.4) ** 2 / 2
        return ring - np.log(bump(x - 2, 0.6) + bump(x + 2, 0.6))
    if name == "u2":
        return ((y - w1) / 0.4) ** 2 / 2
    if name == "u3":
        return -np.log(bump(y - w1, 0.35) + bump(y - w1 + w2, 0.35))
    return -np.log(bump(y - w1, 0.4) + bump(y - w1 + w3, 0.35))


@pytest.mark.parametrize("name", LOG_Z)
def test_energy_log_normalizer(name):
    n = 800
    middle = -4 + 8 * (np.arange(n) + 0.5) / n
    z = np.stack(np.meshgrid(middle, middle, indexing="ij"), -1)
    log_z = tf.reduce_logsumexp(-datasets.energy(name)(z)) + 2 * math.log(8 / n)
    assert abs(float(log_z) - LOG_Z[name]) < 1e-5


@pytest.mark.parametrize("name", LOG_Z)
@pytest.mark.parametrize("jit", [False, True])
def test_energy_values(name, jit):
    z = np.random.default_rng(0).uniform(-4, 4, (5, 40, 2))
    function = tf.function(datasets.energy(name), jit_compile=jit)
    expected = plain_energy(name, z[..., 0], z[..., 1])
    np.testing.assert_allclose(function(tf.constant(z)), expected, rtol=1e-10)
    single = function(tf.constant(z, tf.float32))
    assert single.dtype == tf.float32
    np.testing.assert_allclose(single, expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", LOG_Z)
def test_energy_gradients(name):
    function = datasets.energy(name)
    z = tf.constant(np.random.default_rng(1).uniform(-4, 4, (20, 2)))
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = function(z)
    gradient = tape.gradient(value, z).numpy()
    step = 1e-6
    for axis in range(2):
        shift = step * np.eye(2)[axis]
        difference = (
            plain_energy(name, *(z.numpy() + shift).T) - plain_energy(name, *(z.numpy() - shift).T)
        ) / (2 * step)
        np.testing.assert_allclose(gradient[:, axis], difference, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", LOG_Z)
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_energy_is_finite_far_out_and_at_the_origin(name, dtype):
    z = tf.constant([[0, 0], [1e-8, 0], [1e4, -1e4], [-1e4, 1e4], [2, 0], [1e-30, 1e-30]], dtype)
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = datasets.energy(name)(z)
    gradient = tape.gradient(value, z)
    assert np.isfinite(value).all()
    assert np.isfinite(gradient).all()
    if name == "u1":
        np.testing.assert_allclose(gradient[0], [0, 0], atol=1e-6)


def test_energy_bad_arguments():
    with pytest.raises(ValueError, match=r"^name: expected one of 'u1', .*received 'u5'"):
        datasets.energy("u5")
    with pytest.raises(TypeError, match=r"^name: .*received 1"):
        datasets.energy(1)
    for z in ([[1.0, 2.0, 3.0]], 1.0):
        with pytest.raises(ValueError, match=r"^z: expected the shape \[\.\.\., 2\]; received"):
            datasets.energy("u1")(z)
    with pytest.raises(TypeError, match=r"^z: expected a floating-point tensor; .*int32"):
        datasets.energy("u1")([1, 2])
