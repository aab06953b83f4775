"""A small part of `make fuzz`; what it has found; and that it finds planted faults."""

import numpy as np
import pytest
import tensorflow as tf

import tfp_flows as tff
from tests.fuzz import __main__ as program
from tests.fuzz import checks, refusals, targets, training
from tests.fuzz.examples import Example, examples
from tfp_flows.numerics import invert_residual


@pytest.mark.parametrize("name", ["bijector radial", "model DensityModel"])
def test_a_few_examples(name):
    outcome = program.fuzz(program.make(name), num_examples=10, seed=0)
    assert not outcome.failures, outcome.failures
    assert outcome.count >= 10


def rows(*kinds, seed=0, parameters=0.0, parameters_seed=0, double=False):
    return Example((len(kinds),), kinds, seed, parameters, parameters_seed, double)


FOUND = {
    # |x - c|^2 overflowed.
    "radial far away": ("bijector radial", rows(20)),
    # (s / q)^2 underflowed.
    "spline with steep knots": ("recipe neural_spline", rows("mixed", "mixed", parameters=1e-3)),
    # The root of a flat component overflowed, and was the end of the bracket.
    "flat component": ("bijector coupling_deep_sigmoid", rows("zero", parameters=30.0)),
    # Zero times an exponential that overflowed.
    "exponential scale": (
        "bijector elementwise_exponential_affine",
        Example((2,), (3,), seed=3, parameters=1e3, parameters_seed=3, double=False),
    ),
    # An outer scale of 1e-25, by which the search's target overflowed; and a component's slope.
    "scale without a floor": (
        "bijector coupling_logistic_mixture",
        Example((5,), (14,), seed=0, parameters=30.0, parameters_seed=9, double=False),
    ),
    "steep component": (
        "bijector coupling_logistic_mixture",
        rows("mixed", seed=1, parameters=1e3, parameters_seed=3),
    ),
    # The square of a slope of 1e21.
    "spline with vast slopes": (
        "recipe neural_spline",
        Example((6,), ("mixed",), seed=0, parameters=1e6, parameters_seed=0, double=False),
    ),
    # TensorFlow's convolution of no images has the wrong shape.
    "no images": ("recipe glow", Example((0,), ("zero",), 0, 0.0, 0, False)),
    # The scale of the base underflowed.
    "scale of zero": (
        "conditional nice",
        rows("zero", "zero", "zero", 3, parameters=1.0, double=True),
    ),
}


@pytest.mark.parametrize("case", FOUND)
def test_found(case):
    name, example = FOUND[case]
    single, double = (targets.make(name, dtype) for dtype in (tf.float32, tf.float64))
    checks.check(single, double, example)


def test_matrix_that_is_not_finite():
    """One NaN was an error of the whole batch."""
    y = tf.constant([[np.nan, 1.0], [1.0, 2.0]])
    x = invert_residual(lambda x: 0.5 * tf.sin(x), y, 0.5, 1e-6, is_dense=True)
    np.testing.assert_array_equal(np.isnan(x), [[True, True], [False, False]])
    np.testing.assert_allclose(x[1] + 0.5 * tf.sin(x[1]), y[1], atol=1e-5)


@pytest.mark.parametrize("shape", [[None, None], None])
@pytest.mark.parametrize("size", [1, 4])
def test_sizes_that_are_known_too_late(size, shape):
    """A size of one would broadcast."""
    bijector = tff.bijectors.Radial(tf.zeros([3]), 1.0, 0.5)
    forward = tf.function(bijector.forward, input_signature=[tf.TensorSpec(shape)])
    assert forward(tf.ones([2, 3])).shape == [2, 3]
    with pytest.raises(tf.errors.InvalidArgumentError, match="argument_x"):
        forward(tf.ones([2, size]))


def test_batches_without_rows_and_with_other_columns():
    trial = training.Trial("DensityModel")
    empty = tf.data.Dataset.from_tensor_slices([2, 0]).map(lambda n: tf.ones([n, 2]))
    with pytest.raises(ValueError, match=r"`x`: expected rows of data.*batch 1"):
        trial.model.fit(empty, verbose=0)
    for form in ("generator", "py_dataset"):
        call = training.Example("fit", form, (("none", "none"), ("none", "ones")), seed=0)
        data, _ = trial.data(call)
        with pytest.raises(ValueError, match=r"columns of the first batch.*in batch"):
            trial.model.fit(data, verbose=0, shuffle=False)


def fault(call, is_density=False):
    """A target of vectors of size two with one direction and no variables."""

    def make(dtype):
        direction = targets.Direction("call", call, (2,), ((2,), ()), is_density=is_density)
        entry = targets.Entry("call", "x", lambda x: call(tf.convert_to_tensor(x)), (2,))
        return targets.Target("fault", dtype, tf.Module(), [direction], [entry])

    return make(tf.float32), make(tf.float64)


def zeros(x):
    return tf.zeros_like(x[..., 0])


FAULTS = {
    "NaNSwallowedError": lambda x: (tf.where(tf.math.is_nan(x), tf.ones_like(x), x), zeros(x)),
    "InfinitySwallowedError": lambda x: (tf.clip_by_value(x, -9.0, 9.0), zeros(x)),
    "ContaminationError": lambda x: (x + 0.0 * tf.reduce_sum(x), zeros(x)),
    "NotFiniteError": lambda x: (tf.sqrt(x * x), zeros(x)),
    "ShapeError": lambda x: (x, tf.reduce_sum(x)),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_planted_faults_are_found(kind):
    single, double = fault(FAULTS[kind])
    task = program.Task(examples(), lambda example: checks.check(single, double, example))
    outcome = program.fuzz(task, num_examples=300, seed=0)
    assert kind in {type(failure).__name__ for failure in outcome.failures}


def test_overflow_is_no_fault():
    """The exact result decides: it is beyond the range of float32."""
    single, double = fault(lambda x: (x**3, zeros(x)))
    x = rows(20, 3)
    checks.check(single, double, x)
    assert not np.all(np.isfinite(single.call([x.rows([2])[0]])[0][0]))


def test_arguments_that_are_not_refused_are_found():
    single, _ = fault(lambda x: (x, zeros(x)))
    task = program.Task(refusals.refusals(), lambda refusal: refusals.check(single, refusal))
    outcome = program.fuzz(task, num_examples=100, seed=0)
    assert {type(f).__name__ for f in outcome.failures} & {"NotRefusedError", "UndocumentedError"}
