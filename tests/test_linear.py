"""Normalization layers, linear maps and permutations against NumPy and TensorFlow's own ops."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows.bijectors import ActNorm, BatchNorm, InvertibleConv1x1, InvertibleLinear, Permutation

tfb = tfp.bijectors
RNG = np.random.default_rng(0)
SIZE = 6
ORDER = [3, 0, 5, 1, 4, 2]
SIGNS = [1, -1, -1, 1, -1, 1]
SIGNED = np.eye(SIZE)[ORDER] * SIGNS
PACKED = RNG.normal(size=[SIZE, SIZE])


def scale_of(raw):
    return 1e-6 + (1.0 - 1e-6) * np.log1p(np.exp(raw + np.log(np.e - 1.0)))


def plu(packed, signs):
    """`L` and `U + diag(s)` as Glow has them, from the packed parameters and the signs in `P`."""
    lower = np.tril(packed, -1) + np.eye(len(packed))
    scale = scale_of(np.diag(packed))
    upper = scale[:, np.newaxis] * np.triu(packed, 1) + np.diag(scale)
    signs = np.diag(signs)
    return signs @ lower @ signs, signs @ upper


LOWER, UPPER = plu(PACKED, SIGNS)
MATRIX = (LOWER @ UPPER)[ORDER]


def test_act_norm_against_numpy():
    shift, raw_scale = RNG.normal(size=[2, 3])
    x = RNG.normal(size=[5, 4, 2, 3])
    y, log_det = ActNorm(shift, raw_scale, event_shape=[4, 2, 3]).forward_and_log_det(x)
    np.testing.assert_allclose(y, shift + scale_of(raw_scale) * x, rtol=1e-13)
    expected = 4 * 2 * np.log(scale_of(raw_scale)).sum()
    np.testing.assert_allclose(log_det, np.full([5], expected), rtol=1e-12)


def test_batch_norm_against_tensorflow():
    shift, raw_scale, mean = RNG.normal(size=[3, 3])
    variance = RNG.uniform(0.1, 3.0, size=3)
    y = RNG.normal(size=[5, 2, 2, 3])
    norm = BatchNorm(shift, raw_scale, mean, variance, event_shape=[2, 2, 3], epsilon=0.01)
    x, log_det = norm.inverse_and_log_det(y)
    gamma = scale_of(raw_scale)
    expected = tf.nn.batch_normalization(y, mean, variance, shift, gamma, variance_epsilon=0.01)
    np.testing.assert_allclose(x, expected, rtol=1e-12, atol=1e-12)
    expected = 4 * np.log(gamma / np.sqrt(variance + 0.01)).sum()
    np.testing.assert_allclose(log_det, np.full([5], expected), rtol=1e-12)


def test_linear_against_numpy():
    shift = RNG.normal(size=SIZE)
    linear = InvertibleLinear(PACKED, shift, SIGNED)
    x = RNG.normal(size=[7, SIZE])
    y, log_det = linear.forward_and_log_det(x)
    np.testing.assert_allclose(y, x @ MATRIX.T + shift, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(log_det, np.full([7], np.linalg.slogdet(MATRIX)[1]), rtol=1e-12)
    x = linear.inverse(tf.identity(y))
    np.testing.assert_allclose(x, np.linalg.solve(MATRIX, (y - shift).numpy().T).T, rtol=1e-9)


def test_linear_agrees_with_stock():
    # (It takes NumPy's float64 for float32.)
    packed = tf.constant(np.tril(LOWER, -1) + UPPER)
    stock = tfb.ScaleMatvecLU(packed, np.argsort(ORDER))
    x = RNG.normal(size=[7, SIZE])
    linear = InvertibleLinear(PACKED, permutation=SIGNED)
    np.testing.assert_allclose(linear.forward(x), stock.forward(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [1, 2, 5, 64])
def test_starts_as_rotation(size):
    determinants = set()
    for seed in range(4):
        linear = InvertibleLinear.with_variables(size, seed, dtype=tf.float64)
        rows, log_det = linear.forward_and_log_det(np.eye(size))
        np.testing.assert_allclose(rows @ tf.transpose(rows), np.eye(size), atol=1e-13)
        np.testing.assert_allclose(log_det, 0.0, atol=1e-12)
        determinants.add(round(np.linalg.det(rows)))
    assert determinants == {-1, 1} or size == 1
    again = InvertibleLinear.with_variables(size, 3, dtype=tf.float64)
    np.testing.assert_array_equal(again.forward(np.eye(size)), rows)
    assert [v.name for v in linear.trainable_variables] == ["lower_upper:0", "shift:0"]


def test_conv_is_convolution():
    conv = InvertibleConv1x1(PACKED, [4, 3, SIZE], SIGNED)
    x = RNG.normal(size=[5, 4, 3, SIZE])
    y, log_det = conv.forward_and_log_det(x)
    expected = tf.nn.conv2d(x, MATRIX.T[np.newaxis, np.newaxis], strides=1, padding="SAME")
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)
    expected = 4 * 3 * np.linalg.slogdet(MATRIX)[1]
    np.testing.assert_allclose(log_det, np.full([5], expected), rtol=1e-12)
    rng = np.random.default_rng(1)
    trained = InvertibleConv1x1.with_variables([2, 2, 3], seed=rng)
    other = InvertibleConv1x1.with_variables([2, 2, 3], seed=rng)
    assert not np.allclose(trained.lower_upper, other.lower_upper)
    assert len(trained.trainable_variables) == 1


def test_float32_inverse_at_64_dimensions():
    linear = InvertibleLinear.with_variables(64, seed=0)
    linear.lower_upper.assign_add(0.05 * RNG.normal(size=[64, 64]))
    y = RNG.normal(size=[256, 64]).astype(np.float32)
    again = linear.forward(tf.identity(linear.inverse(y)))
    np.testing.assert_allclose(again, y, atol=2e-4)


def test_is_made_trainable_by_tfp():
    linear = tfp.experimental.util.make_trainable(InvertibleLinear, batch_and_event_shape=[3])
    assert [v.shape for v in linear.trainable_variables] == [[3, 3], [3]]


def test_inverts_its_matrix_once():
    """Triangular systems have one right-hand side a dimension, not one a vector."""
    linear = InvertibleLinear.with_variables(3, seed=0)
    graph = tf.function(linear.inverse).get_concrete_function(tf.TensorSpec([100, 3])).graph
    solves = [op for op in graph.get_operations() if "TriangularSolve" in op.type]
    assert [op.inputs[1].shape.as_list() for op in solves] == [[3, 3], [3, 3]]


def test_permutations():
    x = RNG.normal(size=[5, 2, 1, SIZE]).astype(np.float32)
    bijector = Permutation(ORDER, event_shape=[2, 1, SIZE])
    y, log_det = bijector.forward_and_log_det(x)
    np.testing.assert_array_equal(y, x[..., ORDER])
    np.testing.assert_array_equal(log_det, np.zeros([5]))
    np.testing.assert_array_equal(bijector.inverse(tf.identity(y)), x)
    np.testing.assert_array_equal(Permutation.reverse(3).forward([1.0, 2.0, 3.0]), [3.0, 2.0, 1.0])
    vectors = Permutation(ORDER)
    np.testing.assert_array_equal(vectors.forward(x), tfb.Permute(ORDER).forward(x))
    assert vectors.forward(x.astype(np.float64)).dtype == tf.float64


def test_random_permutations():
    first, again, other = (Permutation.random(50, seed).permutation for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(np.sort(first), np.arange(50))
    assert not np.array_equal(first, other)
    rng = np.random.default_rng(0)
    counts = np.zeros([3, 3])
    for _ in range(600):
        counts[np.arange(3), Permutation.random([2, 2, 3], rng).permutation] += 1
    np.testing.assert_allclose(counts, 200.0, atol=60)  # five standard deviations


def test_gradient_of_permutation_gathers():
    bijector = Permutation.random(9, seed=0)

    @tf.function
    def gradient(x):
        return tf.gradients(tf.reduce_sum(tf.range(9.0) * bijector.forward(x)), x)[0]

    np.testing.assert_array_equal(gradient(tf.zeros([9])), np.argsort(bijector.permutation))
    graph = gradient.get_concrete_function(tf.TensorSpec([9])).graph
    types = {op.type for op in graph.get_operations()}
    assert not [kind for kind in types if "Scatter" in kind or "Segment" in kind], types


BIJECTORS = {
    "act_norm": (lambda p: ActNorm(*p([3], [3])), 3),
    "batch_norm": (lambda p: BatchNorm(*p([3], [3], [3]), tf.exp(p([3])[0])), 3),
    "invertible_linear": (
        lambda p: InvertibleLinear(*p([3, 3], [3]), tf.reverse(tf.eye(3), [0])),
        3,
    ),
    "conv": (lambda p: InvertibleConv1x1(*p([3, 3]), [1, 3]), (1, 3)),
}


@pytest.mark.parametrize("name", BIJECTORS)
def test_a_thousand_draws_stay_finite(name):
    """Parameters and inputs up to 30, float32, each draw with its own input: also the gradients."""
    make, event_shape = BIJECTORS[name]
    rng = np.random.default_rng(2)
    scale = tf.constant(rng.choice([0.01, 1.0, 30.0], size=1000), tf.float32)
    variables = []

    def parameters(*shapes):
        for shape in shapes:
            draw = rng.uniform(-1.0, 1.0, size=[1000, *shape]).astype(np.float32)
            variables.append(tf.reshape(scale, [-1] + [1] * len(shape)) * draw)
        return variables[-len(shapes) :]

    x = tf.constant(rng.uniform(-30.0, 30.0, np.append(1000, event_shape)), tf.float32)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        bijector = make(lambda *shapes: [tape.watch(p) or p for p in parameters(*shapes)])
        results = [bijector.forward_and_log_det(x), bijector.inverse_and_log_det(tf.identity(x))]
        losses = [tf.reduce_sum(tf.tanh(v)) + tf.reduce_sum(d) for v, d in results]
    gradients = [g for loss in losses for g in tape.gradient(loss, [x, *variables])]
    for value in [*tf.nest.flatten(results), *gradients]:
        assert value is not None
        assert np.all(np.isfinite(value)), name


def test_are_composite_tensors():
    linear = InvertibleLinear(PACKED, None, SIGNED)
    chain = tfb.Chain(
        [
            Permutation.reverse(SIZE),
            linear,
            ActNorm(PACKED[0], PACKED[1]),
            BatchNorm(PACKED[0], PACKED[1], PACKED[2], PACKED[3] ** 2, momentum=0.5),
        ]
    )
    assert isinstance(chain, tf.__internal__.CompositeTensor)
    x = RNG.normal(size=[4, SIZE])
    through = tf.function(lambda bijector, x: bijector.forward(x))(chain, x)
    np.testing.assert_allclose(through, chain.forward(x), rtol=1e-12, atol=1e-12)
    flattened = tf.nest.flatten(chain, expand_composites=True)
    rebuilt = tf.nest.pack_sequence_as(chain, flattened, expand_composites=True)
    np.testing.assert_allclose(rebuilt.forward(x), chain.forward(x), rtol=1e-12, atol=1e-12)
    assert rebuilt.bijectors[3].momentum == 0.5


ERRORS = {
    "sizes": (lambda: ActNorm(tf.zeros([3]), tf.zeros([2])), ValueError, "`raw_scale`"),
    "dtypes": (lambda: ActNorm(tf.zeros([3]), tf.zeros([3], tf.float64)), TypeError, "float64"),
    "integers": (lambda: ActNorm(tf.zeros([3], tf.int32), [1, 2, 3]), TypeError, "int32"),
    "event shape": (lambda: ActNorm([0.0], [0.0], [2, 2]), ValueError, "`event_shape`"),
    "unknown size": (lambda: ActNorm.with_variables([None, 3]), ValueError, "`event_shape`"),
    "no size": (lambda: BatchNorm.with_variables([0]), ValueError, "`event_shape`"),
    "momentum": (lambda: BatchNorm.with_variables([3], momentum=1.0), ValueError, "`momentum`"),
    "epsilon": (lambda: BatchNorm.with_variables([3], epsilon=0.0), ValueError, "`epsilon`"),
    "square": (lambda: InvertibleLinear(np.zeros([2, 3])), ValueError, "`lower_upper`"),
    "shift": (lambda: InvertibleLinear(np.eye(3), np.zeros(2)), ValueError, "`shift`"),
    "order": (lambda: InvertibleLinear(np.eye(2), None, np.eye(3)), ValueError, "`permutation`"),
    "singular": (
        lambda: InvertibleLinear(np.eye(2), None, np.ones([2, 2])),
        ValueError,
        "`permutation`",
    ),
    "conv": (lambda: InvertibleConv1x1(np.eye(2), [4, 4, 3]), ValueError, "`event_shape`"),
    "seed": (lambda: InvertibleLinear.with_variables(3, seed=None), TypeError, "`seed`"),
    "twice": (lambda: Permutation([0, 0, 1]), ValueError, "`permutation`"),
    "floats": (lambda: Permutation([0.0, 1.0]), TypeError, "`permutation`"),
    "matrix": (lambda: Permutation([[0, 1]]), ValueError, "`permutation`"),
    "channels": (lambda: Permutation([1, 0], [2, 2, 3]), ValueError, "`event_shape`"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    make, error, part = ERRORS[name]
    with pytest.raises(error) as raised:
        make()
    for text in (part, "received"):
        assert text in str(raised.value), str(raised.value)
