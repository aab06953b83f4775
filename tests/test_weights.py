"""Weights files: whole or not there, checked before they are read, read all or none."""

import resource
import signal

import h5py
import keras
import numpy as np
import pytest

import tfp_flows as tff
from tests.files import assert_failed_write_leaves


def make(seed=0, num_layers=2):
    return tff.models.DensityModel(
        tff.flows.real_nvp(2, num_layers=num_layers, hidden_units=[4], seed=seed)
    )


def values(model):
    return [keras.ops.convert_to_numpy(variable) for variable in model.variables]


def assert_same(actual, expected):
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, e)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "flow.weights.h5"
    make(seed=1).save_weights(path)
    return path


def test_nothing_is_left_beside_the_file(path):
    make(seed=2).save_weights(str(path))
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_the_optimizer_comes_along(path):
    x = np.random.default_rng(0).normal(size=[64, 2])
    first, second = make(), make(seed=1)
    for model in (first, second):
        model.compile("adam")
        model.fit(x, epochs=1, shuffle=False, verbose=0)
    first.save_weights(path)
    second.load_weights(path)
    assert_same(values(second.optimizer), values(first.optimizer))


def truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


def foreign(path):
    path.write_text("weights")


def tampered(path):
    with h5py.File(path, "r+") as file:
        names = []
        file.visititems(lambda name, item: names.append(name) if hasattr(item, "dtype") else None)
        file[names[0]][...] = 0.5


def flipped(path):
    """One bit of a value, as a disk may lose it."""
    data = bytearray(path.read_bytes())
    value = make(seed=1).trainable_variables[0].numpy().tobytes()
    at = bytes(data).index(value)
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [truncated, empty, foreign, tampered, flipped])
def test_damaged_files_are_refused(damage, path):
    model = make(seed=2)
    before = values(model)
    damage(path)
    with pytest.raises(OSError, match=r"Argument `filepath`: expected .* received .*\.weights\.h5"):
        model.load_weights(path)
    assert_same(values(model), before)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        make().load_weights(tmp_path / "none.weights.h5")


@pytest.mark.parametrize("num_layers", [1, 3])
def test_weights_of_another_model(num_layers, path):
    model = make(num_layers=num_layers)
    before = values(model)
    with pytest.raises(ValueError, match="expected the weights of such a model"):
        model.load_weights(path)
    assert_same(values(model), before)


def test_seeds_come_along(path):
    model = make(seed=1)
    model.load_weights(path)
    model.compile("adam")
    model.fit(np.zeros([4, 2]), verbose=0)
    model.save_weights(path)
    other = make(seed=1)
    other.load_weights(path)
    assert_same(values(other), values(model))  # its seed, too, and that an epoch has been


def test_files_of_plain_keras_are_taken(path):
    """They have neither a digest nor seeds."""
    with h5py.File(path, "r+") as file:
        del file.attrs["tfp_flows_sha256"]
        del file["vars/seeds"]
    model = make(seed=4)
    model.load_weights(path)
    assert_same(map(np.array, model.weights), map(np.array, make(seed=1).weights))


def test_a_write_that_fails_leaves_the_file(path, monkeypatch):
    assert_failed_write_leaves(path, make(seed=2).save_weights, monkeypatch)


def test_no_such_folder(tmp_path):
    with pytest.raises(OSError, match="no such folder"):
        make().save_weights(tmp_path / "none" / "flow.weights.h5")


def test_a_full_disk(path):
    """No file may become as large as these weights."""
    before = path.read_bytes()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then it is an error of the write
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError, match=r"expected a place that can be written.*File too large"):
            make(seed=2).save_weights(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 1
