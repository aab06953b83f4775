"""The benchmarks run in their quick settings, and store what they print; no time is asserted."""

import csv
import importlib
import math
import os
import pathlib
import sys

import pytest

import tfp_flows as tff

BENCHMARKS = pathlib.Path(__file__).parents[1] / "benchmarks"
QUESTIONS = sorted({path.stem for path in BENCHMARKS.glob("*.py")} - {"common"})
MORE_OPTIONS = {"gpu": ["--device", "CPU:0"]}
FIRST_ROWS = {"memory": "| affine | graph | 2 |"}
DRAWN = {"compile_time", "input_pipeline", "log_det", "training_step"}


@pytest.fixture
def load(monkeypatch):
    """Imports a module by name as if a benchmark were started where it lies."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    # The examples have a `common`, too: each finds its own.
    others = {name: sys.modules.pop(name) for name in ("common",) if name in sys.modules}
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(BENCHMARKS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    sys.modules.update(others)


@pytest.mark.slow
@pytest.mark.parametrize("name", QUESTIONS)
def test_benchmark(name, load, tmp_path, capsys):
    output = tmp_path / "results" / f"{name}.md"
    load(name).main(["--quick", "--output", str(output), *MORE_OPTIONS.get(name, [])])
    printed = capsys.readouterr().out
    text = output.read_text("utf-8")
    assert f"`python benchmarks/{name}.py" in text
    assert "TensorFlow" in text.split("\n\n")[0]
    assert str(tmp_path) not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert set(rows) <= set(printed.splitlines())
    assert FIRST_ROWS.get(name, "|") in text
    tables = list(output.parent.glob("*.csv"))
    assert tables
    for table in tables:
        header, *cells = csv.reader(table.open(encoding="utf-8"))
        assert cells, table.name
        assert {len(row) for row in cells} == {len(header)}
        assert any(is_number(cell) for cell in cells[0]), cells
        assert not {"nan", "inf", "-inf"} & {cell for row in cells for cell in row}
    if name in DRAWN:
        assert (output.parent / f"{name}.png").stat().st_size > 5_000


def is_number(cell):
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def test_without_a_gpu_that_is_said(load, capsys):
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        pytest.skip("there is one")
    load("gpu").main([])
    assert "TensorFlow sees no GPU here" in capsys.readouterr().out


def test_every_bijector_is_measured(load):
    import numpy as np

    layers = load("harness.layers").LAYERS
    measured = {
        type(layer.make(layer.event_shape(4), np.random.default_rng(0))).__name__
        for layer in layers.values()
    }
    assert measured == public_bijectors()


def public_bijectors():
    public = {name: getattr(tff.bijectors, name) for name in tff.bijectors.__all__}
    base = tff.bijectors.FusedBijector
    return {n for n, c in public.items() if isinstance(c, type) and issubclass(c, base)} - {
        "FusedBijector"
    }


def test_growth_exponent_is_that_of_the_work(load):
    exponent = load("log_det").growth_exponent
    overhead = {size: 1.0 + 1e-3 * size**2 for size in (2, 4, 16, 64, 256, 1024, 4096)}
    slope, first = exponent(overhead)
    assert first == 64  # the first at which the time has doubled
    assert 1.9 < slope < 2.0
    assert exponent({2: 1.0, 4: 1.0}) is None


def test_clocks_take_turns(load):
    calls = []

    def clock(name):
        def run(num_runs):
            calls.extend([name] * num_runs)
            return [float(len(calls))] * num_runs

        return run

    alternate = load("harness.timing").alternate
    alternate({"a": clock("a"), "b": clock("b")}, num_rounds=2, warm_up=1)
    assert calls == ["a", "b", "a", "b", "b", "a"]


def test_targets_compare_with_the_fastest(load):
    targets = load("harness.targets")
    times = {
        ("RealNVP", "gradient", "ours XLA"): 5.0,
        ("RealNVP", "gradient", "ours graph"): 9.0,
        ("RealNVP", "gradient", "TFP graph"): 8.0,
        ("RealNVP", "gradient", "zuko eager"): 10.0,
        ("RealNVP", "gradient", "networks graph"): 4.0,
    }
    rows = [(row[1], *row[4:]) for row in targets.target_rows(times)]
    assert rows == [
        ("fastest peer: TFP graph", 0.625, "at most 0.55", "no"),
        ("bare networks: networks graph", 1.25, "at most 1.35", "yes"),
        ("TFP graph", 1.125, "at most 1", "no"),
    ]


PEER = """
class Peer:
    versions, modes = "fake 1.0", ("eager",)

    def __init__(self, sizes):
        print("noise")
        self.batch = sizes["batch"]

    def function(self, model, work, mode):
        if work == "sample":
            raise ArithmeticError(self.batch)
        return None if model == "radial" else lambda: None
"""


def test_worker_answers(load, tmp_path, monkeypatch):
    (tmp_path / "of_fake.py").write_text(PEER)
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    peers, sizes = load("harness.peers"), load("harness.contenders").QUICK
    with peers.started(sys.executable, sizes, 8, names=("fake",)) as (peer,):
        assert (peer.versions, peer.modes) == ("fake 1.0", ["eager"])
        assert len(peer.clock("planar", "log_prob", "eager")(3)) == 3
        with pytest.raises(peers.PeerError, match="no such flow"):
            peer.clock("radial", "log_prob", "eager")(1)
        with pytest.raises(peers.PeerError, match="ArithmeticError: 8"):
            peer.clock("planar", "sample", "eager")(1)
