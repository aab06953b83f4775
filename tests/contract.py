"""What every bijector must pass, in float32 and float64.

Each public function takes a case and a dtype, and measures or asserts. TFP's cache makes
`inverse(forward(x))` return `x` itself: inputs are wrapped in `tf.identity` wherever that matters.
"""

import functools
import pathlib
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tests.case import Case, Parameters

tfb = tfp.bijectors

# `tfb.Invert` of a bijector that is no composite tensor is of TFP's private base class.
INVERT = tfb.Invert.__bases__[0]

# Of values of order one. An inverse may lose what the forward direction's slope takes away.
TOLERANCE = {tf.float32: 2e-5, tf.float64: 1e-11}
LOG_DET_TOLERANCE = {tf.float32: 5e-5, tf.float64: 1e-10}


def points(case: Case, dtype: tf.DType, *batch_shape: int, seed=1, scale=2.0) -> tf.Tensor:
    """Random inputs of a case."""
    return case.domain(_normal((*batch_shape, *case.event_shape), dtype, seed, scale))


def images(case: Case, dtype: tf.DType, *batch_shape: int, seed=1, scale=2.0) -> tf.Tensor:
    """Random outputs of a case; its inputs where both are real vectors of one shape."""
    return case.codomain(_normal((*batch_shape, *output_shape(case)), dtype, seed, scale))


def output_shape(case: Case) -> tuple[int, ...]:
    """Shape of one output."""
    return case.event_shape if case.output_shape is None else case.output_shape


def _normal(shape, dtype, seed, scale):
    """Normal draws of one scale, or of another one in each row."""
    scale = np.reshape(scale, [-1, *[1] * (len(shape) - 1)])
    return tf.constant(scale * np.random.default_rng(seed).normal(size=shape), dtype)


def forward_and_log_det(bijector, x):
    """Value and log-det of one direction, with the cache broken."""
    x = tf.identity(x)
    return bijector.forward(x), bijector.forward_log_det_jacobian(x)


def inverse_and_log_det(bijector, y):
    """Value and log-det of the other direction, with the cache broken."""
    y = tf.identity(y)
    return bijector.inverse(y), bijector.inverse_log_det_jacobian(y)


# Each direction with what makes its arguments, and the shape of its values.
DIRECTIONS = (
    (forward_and_log_det, points, output_shape),
    (inverse_and_log_det, images, lambda case: case.event_shape),
)


# Measurements, which the closing table of `python -m tests.errors` prints.


def round_trip_errors(case: Case, dtype: tf.DType) -> dict[str, float]:
    """Worst `|f^-1(f(x)) - x|` and `|f(f^-1(y)) - y|`, relative to values above one."""
    bijector = case.make(Parameters(dtype))
    x = points(case, dtype, 64)
    y, log_det = forward_and_log_det(bijector, x)
    x_again, inverse_log_det = inverse_and_log_det(bijector, y)
    given = images(case, dtype, 64)
    from_y, _ = inverse_and_log_det(bijector, given)
    y_again, _ = forward_and_log_det(bijector, from_y)
    return {
        "x": _relative_error(x_again, x),
        "y": _relative_error(y_again, given),
        "log_det": _relative_error(inverse_log_det, -log_det),
    }


def log_det_errors(case: Case, dtype: tf.DType) -> dict[str, float]:
    """Worst error of both log-dets against the log-determinant of the autodiff Jacobian."""
    bijector = case.make(Parameters(dtype))
    return {
        name: _log_det_error(lambda v, d=direction: d(bijector, v), inputs(case, dtype, 16))
        for name, (direction, inputs, _) in zip(("forward", "inverse"), DIRECTIONS, strict=True)
    }


def _log_det_error(direction, x):
    size = int(np.prod(x.shape[1:]))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        value, log_det = direction(x)
    jacobian = tape.batch_jacobian(value, x, experimental_use_pfor=False)  # pfor traces for long
    jacobian = tf.reshape(jacobian, [-1, size, size])
    _, expected = np.linalg.slogdet(jacobian.numpy().astype(np.float64))
    return _relative_error(log_det, expected)


# Assertions.


def check_round_trip(case, dtype):
    """Both ways around, with the cache broken."""
    errors = round_trip_errors(case, dtype)
    tolerance = case.slack * TOLERANCE[dtype]
    assert errors["x"] <= 20 * tolerance, errors  # a slope of 1/20 is allowed for
    assert errors["y"] <= tolerance, errors
    assert errors["log_det"] <= 5 * case.slack * LOG_DET_TOLERANCE[dtype], errors


def check_log_det(case, dtype):
    """Both log-dets against autodiff."""
    errors = log_det_errors(case, dtype)
    assert max(errors.values()) <= case.slack * LOG_DET_TOLERANCE[dtype], errors


def check_batches(case, dtype):
    """A batch of parameters gives what its members give one by one, and broadcasts; also with
    inputs whose rank is unknown while tracing."""
    batch = case.make(Parameters(dtype, batch_shape=[3]))
    assert batch.experimental_batch_shape() == [3]
    singles = [batch[i] for i in range(3)]
    for direction, inputs, value_shape in DIRECTIONS:
        x = inputs(case, dtype, 4, 3)
        together = direction(batch, x)
        assert together[0].shape == [4, 3, *value_shape(case)]
        assert together[1].shape == [4, 3]
        for i, single in enumerate(singles):
            for a, b in zip(together, direction(single, x[:, i]), strict=True):
                assert_close(a[:, i], b, dtype)
        # One point, three transforms.
        broadcast = direction(batch, x[0, 0])
        assert broadcast[0].shape == [3, *value_shape(case)]
        assert broadcast[1].shape == [3]
        for i, single in enumerate(singles):
            for a, b in zip(broadcast, direction(single, x[0, 0]), strict=True):
                assert_close(a[i], b, dtype)

        traced = _traced(direction, batch, None, dtype)
        for given, expected in ((x, together), (x[0, 0], broadcast)):
            for a, b in zip(traced(given), expected, strict=True):
                assert a.shape == b.shape
                assert_close(a, b, dtype)


def check_shapes(case, dtype):
    """No batch dimension, several, an empty one; a size or a rank unknown while tracing."""
    bijector = case.make(Parameters(dtype))
    for direction, inputs, value_shape in DIRECTIONS:
        x = inputs(case, dtype, 2, 3)
        value, log_det = direction(bijector, x)
        assert value.shape == [2, 3, *value_shape(case)]
        assert log_det.shape == [2, 3]
        one_value, one_log_det = direction(bijector, x[1, 2])
        assert one_value.shape == value_shape(case)
        assert one_log_det.shape == []
        assert_close(one_value, value[1, 2], dtype)
        assert_close(one_log_det, log_det[1, 2], dtype)

        empty_value, empty_log_det = direction(bijector, x[:0])
        assert empty_value.shape == [0, 3, *value_shape(case)]
        assert empty_log_det.shape == [0, 3]

        for shape in ([None, *x.shape[2:]], None):
            traced = _traced(direction, bijector, shape, dtype)
            for a, b in zip(traced(x[0]), (value[0], log_det[0]), strict=True):
                assert a.shape == b.shape
                assert_close(a, b, dtype)


def check_modes(case, dtype):
    """Eager, as a graph and compiled by XLA: the same values and log-dets, and, once (compiling
    takes long), the same gradients."""
    bijector = case.make(Parameters(dtype))
    at = points(case, dtype, 4), images(case, dtype, 4)

    def values(x, y_given):
        return *forward_and_log_det(bijector, x), *inverse_and_log_det(bijector, y_given)

    def values_and_gradients(x, y_given):
        with tf.GradientTape() as tape:
            results = values(x, y_given)
            loss = sum(tf.reduce_sum(tf.sin(v)) for v in results)
        return *results, *tape.gradient(loss, bijector.trainable_variables)

    with_gradients = dtype == tf.float32
    for function, jit_compile in (
        (values, False),
        (values_and_gradients if with_gradients else values, True),
    ):
        compiled = tf.function(function, jit_compile=jit_compile)(*at)
        for a, b in zip(compiled, function(*at), strict=True):
            assert_close(a, b, dtype, factor=10 * case.slack)


def check_gradients(case, dtype):
    """Every variable and the input get a finite gradient; in float64 the exact one."""
    bijector = case.make(Parameters(dtype))
    variables = bijector.trainable_variables
    assert bool(variables) == (case.no_variables is None)
    assert (len(variables) == len(bijector.variables)) == (case.frozen is None)
    for direction, inputs, _ in DIRECTIONS:
        x = tf.Variable(inputs(case, dtype, 5, scale=1.0))

        def loss(x=x, direction=direction):
            value, log_det = direction(bijector, x)
            weights = tf.cast(tf.range(1, 6), dtype)
            return tf.reduce_sum(tf.sin(value)) + tf.reduce_sum(weights * log_det)

        with tf.GradientTape() as tape:
            value = loss()
        gradients = tape.gradient(value, [*variables, x])
        for variable, gradient in zip([*variables, x], gradients, strict=True):
            assert gradient is not None, variable.name
            assert np.all(np.isfinite(gradient)), variable.name
        if dtype == tf.float64:
            for variable, gradient in zip([*variables, x], gradients, strict=True):
                _check_finite_difference(loss, variable, gradient)


def _check_finite_difference(loss, variable, gradient, step=1e-6):
    """The slope along a random direction, by central differences."""
    direction = np.random.default_rng(2).normal(size=variable.shape)
    start = variable.numpy()
    sides = []
    for sign in (1.0, -1.0):
        variable.assign(start + sign * step * direction)
        sides.append(float(loss()))
    variable.assign(start)
    expected = (sides[0] - sides[1]) / (2.0 * step)
    actual = float(tf.reduce_sum(gradient * direction))
    assert abs(actual - expected) <= 2e-6 * max(1.0, abs(expected)), (
        variable.name,
        actual,
        expected,
    )


def check_identity(case, dtype):
    """Zero parameters give the identity, exactly enough to start training from."""
    bijector = case.make(Parameters(dtype, fill=0.0))
    x = points(case, dtype, 8)
    for direction in (forward_and_log_det, inverse_and_log_det):
        value, log_det = direction(bijector, x)
        assert_close(value, x, dtype, factor=case.slack)
        assert_close(log_det, tf.zeros_like(log_det), dtype, factor=case.slack)


def check_extremes(case, dtype):
    """Inputs and parameters at their limits: everything stays finite, gradients, too."""
    limits = tf.constant([0.0, 1e-8, -1e-8, 1.0, 1e4, -1e4], dtype)

    def filled(shape):
        return tf.tensordot(limits, tf.ones(shape, dtype), axes=0)

    for fill in (None, 0.0, 30.0, -30.0):
        bijector = case.make(Parameters(dtype, fill=fill))
        x, y = case.domain(filled(case.event_shape)), case.codomain(filled(output_shape(case)))
        if case.points is not None:
            special = case.points(bijector)
            x, y = tf.concat([x, special], axis=0), tf.concat([y, special], axis=0)
        for direction, at in ((forward_and_log_det, x), (inverse_and_log_det, y)):
            with tf.GradientTape() as tape:
                tape.watch(at)
                value, log_det = direction(bijector, at)
                loss = tf.reduce_sum(tf.tanh(value)) + tf.reduce_sum(log_det)
            gradients = tape.gradient(loss, [at, *bijector.trainable_variables])
            message = f"{direction.__name__}, parameters {fill}"
            assert np.all(np.isfinite(value)), message
            assert np.all(np.isfinite(log_det)), message
            for gradient in gradients:
                assert gradient is None or np.all(np.isfinite(gradient)), message


def check_bookkeeping(case, dtype):
    """Copies, equality, and checkpoints into a bijector with other values."""
    bijector = case.make(Parameters(dtype))
    x = points(case, dtype, 4)
    expected = bijector.forward(tf.identity(x))

    copy = bijector.copy()
    assert copy == bijector
    assert hash(copy) == hash(bijector)
    assert_close(copy.forward(tf.identity(x)), expected, dtype)
    assert bijector.copy(validate_args=True).validate_args
    assert repr(bijector)
    if case.no_variables is not None:
        return

    other = case.make(Parameters(dtype, seed=5))
    assert other != bijector
    assert not np.allclose(other.forward(tf.identity(x)), expected)
    values = [tf.identity(v) for v in bijector.variables]
    checkpoint = tf.train.Checkpoint(bijector=bijector)
    path = checkpoint.write(_temporary_path())
    tf.train.Checkpoint(bijector=other).read(path).assert_consumed()
    np.testing.assert_array_equal(other.forward(tf.identity(x)), bijector.forward(tf.identity(x)))
    for variable, value in zip(other.variables, values, strict=True):
        np.testing.assert_array_equal(variable, value)


def check_errors(case, dtype):
    """Wrong event size, rank or dtype: an error that says what was expected and what came."""
    bijector = case.make(Parameters(dtype))
    other_dtype = tf.float64 if dtype == tf.float32 else tf.float32
    forward = bijector.forward, bijector.forward_log_det_jacobian
    inverse = bijector.inverse, bijector.inverse_log_det_jacobian
    names = "yx" if isinstance(bijector, INVERT) else "xy"
    shapes = case.event_shape, output_shape(case)
    for argument, shape, methods in zip(names, shapes, (forward, inverse), strict=True):
        wrong_size = tf.zeros([2, *shape[:-1], shape[-1] + 1], dtype)
        wrong_rank = tf.zeros(shape[1:], dtype)
        wrong_dtype = tf.zeros([2, *shape], other_dtype)
        for method in methods:
            for value, error, expected, received in (
                (wrong_size, ValueError, str(shape), str(tuple(wrong_size.shape))),
                (wrong_rank, ValueError, str(shape), str(tuple(wrong_rank.shape))),
                (wrong_dtype, TypeError, dtype.name, other_dtype.name),
            ):
                message = _message(method, value, error)
                for part in (f"`{argument}`", "expected", expected, "received", received):
                    assert part in message, (part, message)


def _message(method, value, error):
    try:
        method(value)
    except error as raised:
        return str(raised)
    raise AssertionError(f"no {error.__name__} for shape {value.shape} and dtype {value.dtype}")


def assert_close(actual, expected, dtype, factor=1.0):
    """Equal up to the tolerance of the dtype, relative to values above one."""
    tolerance = factor * TOLERANCE[dtype]
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


def _traced(direction, bijector, shape, dtype):
    """A direction as a graph that knows no more of its input than a shape."""
    return tf.function(
        functools.partial(direction, bijector), input_signature=[tf.TensorSpec(shape, dtype)]
    )


def _relative_error(actual, expected):
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    return float(np.max(np.abs(actual - expected) / np.maximum(1.0, np.abs(expected))))


def _temporary_path():
    return str(pathlib.Path(tempfile.mkdtemp()) / "checkpoint")
