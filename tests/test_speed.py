"""How fast flows sample, by a clock that is wound by hand."""

import types

import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import inference

tfd = tfp.distributions
tfb = tfp.bijectors

FLOW = tfd.TransformedDistribution(tfd.Normal(0.0, 1.0), tfb.Scale(2.0))


def test_speed_is_the_median_without_the_first_draw(monkeypatch):
    seconds = [50.0, 2.0, 4.0, 900.0]
    ticks = iter([tick for duration in seconds for tick in (0.0, duration)])
    clock = types.SimpleNamespace(perf_counter=lambda: next(ticks))
    monkeypatch.setattr("tfp_flows.inference.speed.time", clock)
    assert inference.samples_per_second(FLOW, 12, num_repeats=3) == 12 / 4.0


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"flow": tfd.Normal(0.0, 1.0)}, TypeError, "`flow`: expected a tfd.Transformed"),
        ({"num_samples": 0}, ValueError, "`num_samples`: expected at least 1"),
        ({"num_repeats": tf.constant(2)}, TypeError, "`num_repeats`: expected an integer"),
        ({"seed": -1}, ValueError, "`seed`: expected at least 0"),
    ],
)
def test_speed_refuses(change, error, message):
    with pytest.raises(error, match=message):
        inference.samples_per_second(**({"flow": FLOW, "num_samples": 1} | change))
