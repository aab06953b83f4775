"""A thousand random transforms and points a case: nothing is ever infinite or NaN in float32."""

import sys

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies

from tests.case import Parameters
from tests.cases import CASES
from tests.contract import DIRECTIONS

DRAWS = 1000
ROWS = 250  # draws of parameters that are evaluated at once, where parameters have batches


class Draws(Parameters):
    """Parameters of scales from 0.01 to 30, in each row of the batch another one."""

    def __init__(self, seed: int, rows: int | None):
        super().__init__(tf.float32, [rows] if rows else [], seed=seed)
        self.has_rows = rows is not None
        self._scales = scales(seed, ROWS if self.has_rows else 1)

    def network(self, input_size, output_size):
        """In place of a network a table: random parameters for each row of the input."""
        self.has_rows = True
        self._scales = scales(int(self._rng.integers(2**32)), ROWS)
        return _Table(self._values([ROWS, output_size]))

    def _values(self, shape):
        values = super()._values(shape)
        if shape[:1] == (ROWS,) or shape[:1] == [ROWS]:
            return self._scales.reshape(-1, *[1] * (len(shape) - 1)) * values
        return self._scales[0] * values


class _Table(tf.Module):
    def __init__(self, values):
        super().__init__()
        self.values = tf.Variable(values, dtype=tf.float32)

    def __call__(self, x):
        rows, output_size = self.values.shape
        shape = [rows, *[1] * (len(x.shape) - 2), output_size]
        return tf.broadcast_to(tf.reshape(self.values, shape), [*x.shape[:-1], output_size])


def scales(seed, num):
    return np.exp(np.random.default_rng(seed).uniform(np.log(0.01), np.log(30.0), size=num))


@pytest.fixture(autouse=True, scope="module")
def _forget_generated_modules():
    """Hypothesis reads all local modules for constants. Those that AutoGraph has made by then are
    thousands, and nobody needs them by name."""
    for name in [name for name in sys.modules if name.startswith("__autograph_generated_file")]:
        del sys.modules[name]


@pytest.mark.parametrize("name", CASES)
def test_everything_is_finite(name):
    case = CASES[name]
    rows = ROWS if case.no_batch is None else None
    draws = Draws(0, rows)
    case.make(draws)
    # Where all points of a batch share their parameters, there are fewer points to a batch.
    num_points = ROWS if draws.has_rows else 50

    @hypothesis.settings(
        max_examples=DRAWS // num_points, deadline=None, derandomize=True, database=None
    )
    @hypothesis.given(seed=strategies.integers(0, 2**32 - 1))
    def check(seed):
        bijector = case.make(Draws(seed, rows))
        for direction, inputs, _ in DIRECTIONS:
            scale = scales(seed + 1, num_points)
            x = inputs(case, tf.float32, num_points, seed=seed, scale=scale)
            with tf.GradientTape() as tape:
                tape.watch(x)
                value, log_det = direction(bijector, x)
                loss = tf.reduce_sum(tf.tanh(value)) + tf.reduce_sum(log_det)
            gradients = tape.gradient(loss, [x, *bijector.trainable_variables])
            for tensor in (value, log_det, *(g for g in gradients if g is not None)):
                assert np.all(np.isfinite(tensor)), direction.__name__

    check()
