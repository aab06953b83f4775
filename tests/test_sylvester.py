"""Sylvester transforms, their orthonormal directions, and products of reflections."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_flows as tff
from tfp_flows.bijectors import HouseholderRotation, Sylvester
from tfp_flows.flows import sylvester
from tfp_flows.numerics import (
    householder_columns,
    householder_product,
    orthogonalize,
)

DTYPES = [np.float32, np.float64]
SCALES = [0.01, 1.0, 3.0]
SIZES = [(4, 2), (3, 3), (4, 1)]
ORTHOGONAL = {
    "projection": lambda rng, d, m: orthogonalize(rng.normal(size=(d, m))),
    "householder": lambda rng, d, m: householder_columns(rng.normal(size=(d, d)), m),
    "permutation": lambda rng, d, m: tf.eye(d, m, dtype=tf.float64)[::-1],
}


def parameters(rng, event_size, num_units, scale, orthogonal="projection"):
    shapes = (num_units, num_units), (num_units, num_units), (num_units,)
    q = ORTHOGONAL[orthogonal](rng, event_size, num_units)
    return [q.numpy(), *(scale * rng.normal(size=shape) for shape in shapes)]


def jacobian(function, x):
    """`dy/dx` at each point, one gradient for each element of `y`."""
    x = tf.constant(x)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        columns = tf.unstack(function(tf.identity(x)), axis=-1)
    return np.stack([tape.gradient(y, x).numpy() for y in columns], axis=-2)


# The transform.


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("orthogonal", ORTHOGONAL)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_log_det(size, orthogonal, scale):
    rng = np.random.default_rng(0)
    bijector = Sylvester(*parameters(rng, *size, scale, orthogonal))
    x = 2.0 * rng.normal(size=(8, size[0]))
    for direction in ("forward", "inverse"):
        value, log_det = getattr(bijector, f"{direction}_and_log_det")(tf.constant(x))
        sign, expected = np.linalg.slogdet(jacobian(getattr(bijector, direction), x))
        assert np.all(sign == 1.0)
        np.testing.assert_allclose(log_det, expected, rtol=1e-10, atol=1e-10)
        assert scale < 3.0 or np.max(np.abs(value - x)) > 0.1  # far from the identity


def test_equals_its_formula():
    """A loop over units, written from the paper, with the constrained diagonal."""
    rng = np.random.default_rng(1)
    q, r, r_tilde, b = parameters(rng, 4, 3, 1.5)
    x = rng.normal(size=4)
    a, moved = np.zeros(3), np.zeros(3)
    for i in range(3):
        a[i] = b[i] + sum(r_tilde[i, j] * (q[:, j] @ x) for j in range(i, 3))
    log_det = 0.0
    for i in range(3):
        m = np.log1p(np.exp(r[i, i] * r_tilde[i, i]) * (np.e - 1.0)) - 1.0
        log_det += np.log(1.0 + m / np.cosh(a[i]) ** 2)
        moved[i] = m / r_tilde[i, i] * np.tanh(a[i])
        moved[i] += sum(r[i, j] * np.tanh(a[j]) for j in range(i + 1, 3))
    y, actual = Sylvester(q, r, r_tilde, b).forward_and_log_det(x)
    np.testing.assert_allclose(y, x + q @ moved, rtol=1e-12)
    np.testing.assert_allclose(actual, log_det, rtol=1e-12)


@pytest.mark.parametrize("along", [-2.0, -0.1, 0.0, 3.0])
def test_one_unit_is_a_planar_transform(along):
    rng = np.random.default_rng(2)
    w, b = rng.normal(size=5), 0.7
    norm = np.linalg.norm(w)
    planar = tff.bijectors.Planar(w, along * w / norm, b)
    one_unit = Sylvester((w / norm)[:, np.newaxis], [[along]], [[norm]], [b])
    x = tf.constant(rng.normal(size=(6, 5)))
    for method in ("forward_and_log_det", "inverse_and_log_det"):
        for actual, expected in zip(
            getattr(one_unit, method)(x), getattr(planar, method)(tf.identity(x)), strict=True
        ):
            np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-13)


def test_only_the_upper_triangles_count():
    q, r, r_tilde, b = parameters(np.random.default_rng(3), 4, 3, 1.0)
    x = np.ones([2, 4])
    full = Sylvester(q, r, r_tilde, b).forward(x)
    upper = Sylvester(q, np.triu(r), np.triu(r_tilde), b).forward(x)
    np.testing.assert_array_equal(full, upper)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", SCALES)
def test_inverse_is_backward_stable(scale, dtype):
    """The bounds of the planar transform, and the same floor where slopes are steep."""
    bound = {np.float32: 2e-5, np.float64: 1e-11}[dtype]
    unit = np.finfo(dtype).eps
    for size in ((3, 1), (4, 2), (3, 3), (20, 8)):
        rng = np.random.default_rng(size)
        bijector = Sylvester(*(p.astype(dtype) for p in parameters(rng, *size, scale)))
        y = bijector.forward(rng.normal(size=(64, size[0])).astype(dtype))
        x = bijector.inverse(tf.identity(y)).numpy()
        again = bijector.forward(x)
        error = np.abs(again - y) / np.maximum(1.0, np.abs(y))
        # What the last digit of x makes of y: no algorithm can do better.
        floor = np.zeros([64, 1])
        for _ in range(4):
            signs = rng.choice([-unit, unit], size=x.shape)
            moved = bijector.forward((x * (1.0 + signs)).astype(dtype))
            floor = np.maximum(floor, np.max(np.abs(moved - again), axis=-1, keepdims=True))
        assert np.all(error <= np.maximum(bound, 4.0 * floor)), (size, error.max())
        assert np.median(error) <= bound


def test_gradients_of_the_inverse():
    rng = np.random.default_rng(4)
    raw, *others = [rng.normal(size=(4, 2)), *parameters(rng, 4, 2, 3.0)[1:]]
    values = [raw, *others, rng.normal(size=(5, 4))]

    def loss(values):
        raw, r, r_tilde, b, y = values
        x, log_det = Sylvester(orthogonalize(raw), r, r_tilde, b).inverse_and_log_det(y)
        return tf.reduce_sum(tf.sin(x)) + tf.reduce_sum(log_det)

    tensors = [tf.constant(v) for v in values]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        total = loss(tensors)
    for i, gradient in enumerate(tape.gradient(total, tensors)):
        direction, step = rng.normal(size=values[i].shape), 1e-6
        sides = [
            float(loss([*tensors[:i], tensors[i] + s * step * direction, *tensors[i + 1 :]]))
            for s in (1.0, -1.0)
        ]
        expected = (sides[0] - sides[1]) / (2.0 * step)
        actual = float(tf.reduce_sum(gradient * direction))
        assert abs(actual - expected) <= 1e-6 * max(1.0, abs(expected)), i


def test_gradient_of_the_diagonal_keeps_its_digits():
    """`(s(p) - 1) / p` and its slope cancel near p = 0; the product p runs through it here."""
    r = np.concatenate([[0.0], np.geomspace(1e-30, 30.0, 40), [0.999, 1.0, 1.001]])
    r = np.concatenate([r, -r])

    def gradient(dtype):
        diagonal = tf.constant(r, dtype)
        with tf.GradientTape() as tape:
            tape.watch(diagonal)
            matrix = diagonal[:, np.newaxis, np.newaxis]
            one = tf.ones([1, 1], dtype)
            y = Sylvester(one, matrix, one, tf.zeros([1], dtype)).forward(tf.ones([1], dtype))
        return tape.gradient(y, diagonal).numpy()

    precise = gradient(np.float64)
    np.testing.assert_allclose(gradient(np.float32), precise, rtol=2e-6, atol=1e-8)
    # With r~ = 1, r^ = s(r) - 1: its slope is a sigmoid.
    expected = np.tanh(1.0) / (1.0 + np.exp(-r) / (np.e - 1.0))
    np.testing.assert_allclose(precise, expected, rtol=1e-13, atol=1e-16)


def test_random_extremes_are_finite():
    """A thousand draws at scales up to 30, each with its own parameters, in float32."""
    rng = np.random.default_rng(6)
    scales = 30.0 ** rng.uniform(-1.0, 1.0, size=1000)
    shapes = {"q": (4, 3), "r": (3, 3), "r_tilde": (3, 3), "b": (3,), "x": (4,)}
    values = [
        tf.constant(scales.reshape(-1, *[1] * len(s)) * rng.normal(size=(1000, *s)), tf.float32)
        for s in shapes.values()
    ]
    for direction in ("forward_and_log_det", "inverse_and_log_det"):
        with tf.GradientTape() as tape:
            tape.watch(values)
            q, r, r_tilde, b, x = values
            bijector = Sylvester(orthogonalize(q), r, r_tilde, b)
            value, log_det = getattr(bijector, direction)(x)
            loss = tf.reduce_sum(tf.tanh(value)) + tf.reduce_sum(log_det)
        for result in (value, log_det, *tape.gradient(loss, values)):
            assert np.all(np.isfinite(result))


def test_errors():
    ones = tf.ones
    with pytest.raises(ValueError, match=r"`q`.*M at most D.*D = 2 and M = 3"):
        Sylvester(ones([2, 3]), ones([3, 3]), ones([3, 3]), ones([3]))
    with pytest.raises(ValueError, match=r"Expected shapes `q` \[..., D, M\].*`b` \(3,\)"):
        Sylvester(ones([3, 2]), ones([2, 2]), ones([2, 2]), ones([3]))
    with pytest.raises(ValueError, match="Expected shapes"):
        Sylvester(ones([3, 2]), ones([2, 3]), ones([2, 2]), ones([2]))
    with pytest.raises(TypeError, match=r"one dtype.*float64"):
        Sylvester(ones([3, 2], tf.float64), ones([2, 2]), ones([2, 2]), ones([2]))
    q = np.linalg.qr(np.random.default_rng(5).normal(size=(40, 8)))[0].astype(np.float32)
    others = np.ones([8, 8], np.float32), np.ones([8, 8], np.float32), np.ones([8], np.float32)
    Sylvester(q, *others, validate_args=True)
    with pytest.raises(tf.errors.InvalidArgumentError, match="`q` must have orthonormal columns"):
        Sylvester(1.01 * q, *others, validate_args=True)
    variable = Sylvester(tf.Variable(1.01 * q), *others, validate_args=True)
    with pytest.raises(tf.errors.InvalidArgumentError, match="`q` must have orthonormal columns"):
        variable.forward(np.ones([40], np.float32))
    with pytest.raises(ValueError, match=r"Expected shapes `vectors`.*received `vectors` \(3,\)"):
        HouseholderRotation(ones([3]))


# Orthonormal columns by projection.


def nearest(matrix):
    """The reference: the polar factor of the normalised columns, by singular values."""
    unit = matrix / np.linalg.norm(matrix, axis=-2, keepdims=True)
    u, _, v = np.linalg.svd(unit, full_matrices=False)
    return u @ v


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [(1, 1), (5, 1), (2, 2), (8, 8), (40, 8), (200, 4)], ids=str)
def test_projection(size, dtype):
    matrix = np.random.default_rng(0).normal(size=(20, *size)).astype(dtype)
    q = orthogonalize(tf.constant(matrix)).numpy()
    bound = {np.float32: 1e-6, np.float64: 1e-12}[dtype]
    gram = np.einsum("ndi,ndj->nij", q, q, dtype=np.float64)
    np.testing.assert_allclose(gram, np.broadcast_to(np.eye(size[1]), gram.shape), atol=bound)
    # The directions are as accurate as the matrix is well-conditioned.
    condition = np.linalg.cond(matrix).max()
    np.testing.assert_allclose(q, nearest(matrix.astype(np.float64)), atol=4.0 * bound * condition)


def test_projection_ignores_the_scales_of_columns():
    matrix = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
    scales = np.array([1e-20, 1.0, 1e20], np.float32)
    np.testing.assert_allclose(orthogonalize(matrix * scales), orthogonalize(matrix), atol=2e-6)


@pytest.mark.parametrize("size", [(4, 2), (3, 3), (5, 1)], ids=str)
def test_gradient_of_the_projection(size):
    rng = np.random.default_rng(2)
    matrix, weights, direction = (rng.normal(size=(6, *size)) for _ in range(3))

    def gradient(dtype):
        at = tf.constant(matrix, dtype)
        with tf.GradientTape() as tape:
            tape.watch(at)
            total = tf.reduce_sum(tf.cast(weights, dtype) * orthogonalize(at))
        return tape.gradient(total, at).numpy()

    step = 1e-6
    sides = [np.sum(weights * nearest(matrix + s * step * direction)) for s in (1.0, -1.0)]
    exact = gradient(np.float64)
    assert np.sum(exact * direction) == pytest.approx((sides[0] - sides[1]) / (2.0 * step), 1e-6)
    np.testing.assert_allclose(gradient(np.float32), exact, atol=2e-5 * np.max(np.abs(exact)))


def test_second_derivatives_of_the_projection():
    rng = np.random.default_rng(3)
    matrix, weights, direction = (rng.normal(size=(4, 2)) for _ in range(3))

    def first(at):
        with tf.GradientTape() as tape:
            tape.watch(at)
            total = tf.reduce_sum(weights * orthogonalize(at))
        return tf.reduce_sum(tf.sin(tape.gradient(total, at)))

    at = tf.constant(matrix)
    with tf.GradientTape() as tape:
        tape.watch(at)
        total = first(at)
    sides = [float(first(at + s * 1e-6 * direction)) for s in (1.0, -1.0)]
    actual = float(tf.reduce_sum(tape.gradient(total, at) * direction))
    assert actual == pytest.approx((sides[0] - sides[1]) / 2e-6, 1e-6)


@pytest.mark.parametrize("matrix", [np.zeros([3, 2]), np.full([3, 2], 30.0), np.eye(3, 3) - 1.0])
def test_projection_of_what_has_no_full_rank_is_finite(matrix):
    at = tf.constant(matrix, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(at)
        q = orthogonalize(at)
        total = tf.reduce_sum(q * tf.constant(np.arange(q.shape.num_elements()), tf.float32)[0])
    assert np.all(np.isfinite(q))
    assert np.all(np.isfinite(tape.gradient(total, at)))


# Products of reflections.


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [(1, 1), (1, 4), (3, 4), (6, 4)], ids=str)
def test_reflections(size, dtype):
    """Against a product of matrices; vectors of zeros, tiny, huge and equal ones among them."""
    event_size = size[1]
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(5, *size)).astype(dtype)
    vectors[1, 0] = 0.0
    vectors[2] *= 1e-20
    vectors[3] *= 1e20
    vectors[4] = vectors[4, :1]
    x = rng.normal(size=(5, event_size)).astype(dtype)
    expected = np.broadcast_to(np.eye(event_size), (5, event_size, event_size)).copy()
    for i in range(5):
        for v in vectors[i].astype(np.float64):
            if np.any(v):
                expected[i] @= np.eye(event_size) - 2.0 * np.outer(v, v) / (v @ v)
    close = {"atol": 40 * np.finfo(dtype).eps}
    columns = householder_columns(vectors, event_size)
    np.testing.assert_allclose(columns, expected, **close)
    y = householder_product(vectors, x)
    np.testing.assert_allclose(y, np.einsum("nij,nj->ni", expected, x), **close)
    np.testing.assert_allclose(householder_product(vectors, y, transpose=True), x, **close)
    np.testing.assert_allclose(householder_columns(vectors, 1), expected[..., :1], **close)


def test_rotation_starts_as_the_identity():
    x = tf.constant(np.random.default_rng(1).normal(size=(3, 4)))
    np.testing.assert_array_equal(HouseholderRotation(tf.zeros([2, 4], tf.float64)).forward(x), x)
    v = np.random.default_rng(2).normal(size=(1, 4))
    vectors = tf.Variable(np.repeat(v, 2, axis=0))
    with tf.GradientTape() as tape:
        y = HouseholderRotation(vectors).forward(x)
        total = tf.reduce_sum(tf.sin(y) * tf.constant(np.arange(12.0).reshape(3, 4)))
    np.testing.assert_allclose(y, x, atol=1e-14)
    assert np.max(np.abs(tape.gradient(total, vectors))) > 0.1


def test_rotation_preserves_volume_and_orientation():
    rotation = HouseholderRotation(np.random.default_rng(3).normal(size=(2, 4)))
    j = jacobian(rotation.forward, np.ones([1, 4]))
    np.testing.assert_allclose(np.linalg.det(j), 1.0, rtol=1e-12)
    np.testing.assert_allclose(j[0] @ j[0].T, np.eye(4), atol=1e-14)


# The recipe.


def perturb(module, scale=0.5):
    rng = np.random.default_rng(1)
    for variable in module.trainable_variables:
        variable.assign_add(scale * rng.normal(size=variable.shape))


@pytest.mark.parametrize("orthogonal", ORTHOGONAL)
def test_recipe(orthogonal):
    """All variables learn, from the density of data and from samples."""
    flow = sylvester(3, 2, orthogonal=orthogonal, dtype=tf.float64, seed=0)
    assert len(flow.trainable_variables) == (6 if orthogonal == "permutation" else 8)
    perturb(flow)
    with tf.GradientTape(persistent=True) as tape:
        y, log_prob = flow.experimental_sample_and_log_prob(6, seed=2)
        again = flow.log_prob(tf.identity(y))
        losses = tf.reduce_mean(log_prob), tf.reduce_mean(flow.log_prob(np.ones([1, 3])))
    np.testing.assert_allclose(again, log_prob, rtol=1e-10)
    _, log_det = np.linalg.slogdet(jacobian(flow.bijector.inverse, y.numpy()))
    latents = flow.bijector.inverse(tf.identity(y))
    np.testing.assert_allclose(
        log_prob, flow.distribution.log_prob(latents) + log_det, rtol=1e-9, atol=1e-9
    )
    variables = flow.trainable_variables
    for variable, *gradients in zip(
        variables, *(tape.gradient(loss, variables) for loss in losses), strict=True
    ):
        of_samples, of_data = (g.numpy() for g in gradients)
        assert np.any(of_samples != 0.0), variable.name
        assert np.all(of_data != 0.0), variable.name


@pytest.mark.parametrize("orthogonal", ORTHOGONAL)
def test_amortized_recipe(orthogonal):
    """Each context its own layers: what a context gives in a batch, it gives alone."""
    conditional = sylvester(3, 2, orthogonal=orthogonal, context_size=4, dtype=tf.float64, seed=0)
    perturb(conditional, scale=0.3)
    context = tf.constant(np.random.default_rng(2).normal(size=(5, 4)))
    flow = conditional(context)
    assert flow.batch_shape == [5]
    y, log_prob = flow.experimental_sample_and_log_prob(2, seed=3)
    assert y.shape == [2, 5, 3]
    np.testing.assert_allclose(flow.log_prob(tf.identity(y)), log_prob, rtol=1e-9)
    for i in (0, 3):
        alone = conditional(context[i])
        np.testing.assert_allclose(alone.log_prob(y[:, i]), log_prob[:, i], rtol=1e-9)
        _, log_det = np.linalg.slogdet(jacobian(alone.bijector.inverse, y[:, i].numpy()))
        latents = alone.bijector.inverse(tf.identity(y[:, i]))
        expected = alone.distribution.log_prob(latents) + log_det
        np.testing.assert_allclose(log_prob[:, i], expected, rtol=1e-9)
    nested = conditional(tf.reshape(context[:4], [2, 2, 4]))
    assert nested.batch_shape == [2, 2]
    np.testing.assert_allclose(nested.log_prob(y[0, 0])[0, 0], log_prob[0, 0], rtol=1e-9)


def test_permutations_alternate():
    layers = sylvester(3, 2, orthogonal="permutation", seed=0).bijector.bijectors[::-1]
    np.testing.assert_array_equal(layers[0].q, np.eye(3))
    np.testing.assert_array_equal(layers[1].q, np.eye(3)[::-1])


@pytest.mark.parametrize("orthogonal", ["projection", "householder"])
def test_directions_of_the_recipe_are_orthonormal(orthogonal):
    flow = sylvester(6, 2, num_units=2, orthogonal=orthogonal, seed=0)
    for layer in flow.bijector.bijectors:
        q = tf.convert_to_tensor(layer.q)
        assert q.shape == [6, 2]
        np.testing.assert_allclose(tf.matmul(q, q, transpose_a=True), np.eye(2), atol=1e-6)


def test_fast_direction():
    flows = [sylvester(3, 2, seed=0, fast=fast) for fast in ("sample", "log_prob")]
    x = np.ones([2, 3], np.float32)
    inverted = flows[1].bijector
    assert isinstance(inverted, tfp.bijectors.Invert)
    np.testing.assert_allclose(flows[0].bijector.forward(x), inverted.inverse(x), atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"num_units": 4}, ValueError, r"`num_units`: expected at least 1 and at most 3.*4"),
        ({"num_units": 2.0}, TypeError, r"`num_units`: expected an integer, received 2.0"),
        (
            {"num_units": 2, "orthogonal": "permutation"},
            ValueError,
            r"`num_units`: expected at least 3 and at most 3, received 2",
        ),
        ({"orthogonal": "qr"}, ValueError, r"`orthogonal`: expected one of.*received 'qr'"),
        ({"num_reflections": 2}, ValueError, r"`num_reflections`: expected None.*received 2"),
        (
            {"num_reflections": 0, "orthogonal": "householder"},
            ValueError,
            r"`num_reflections`: expected at least 1, received 0",
        ),
        ({"fast": "slow"}, ValueError, r"`fast`: expected one of.*received 'slow'"),
    ],
)
def test_bad_settings(settings, error, message):
    with pytest.raises(error, match=message):
        sylvester(3, 2, **settings)
