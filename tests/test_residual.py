"""Residual layers: the bound on their networks, their log-det estimates, inverse and recipe."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows.bijectors import Residual
from tfp_flows.distributions import ConditionalDistribution
from tfp_flows.flows import residual
from tfp_flows.networks import LipschitzMLP
from tfp_flows.numerics import geometric, log_det_series, value_and_jacobian

tfb = tfp.bijectors


def perturb(module, scale=1.0, seed=1):
    rng = np.random.default_rng(seed)
    for variable in module.trainable_variables:
        variable.assign(tf.cast(scale * rng.normal(size=variable.shape), variable.dtype))
    return module


def random_network(event_size=3, coefficient=0.9, dtype=tf.float64, **settings):
    return perturb(LipschitzMLP(event_size, [6], coefficient, seed=0, dtype=dtype, **settings))


def inputs(*shape, dtype=tf.float64, seed=3):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), dtype)


def spectral_norms(network, x):
    _, jacobian = value_and_jacobian(network, x)
    return np.linalg.norm(jacobian.numpy().astype(np.float64), ord=2, axis=(-2, -1))


# The network.


@pytest.mark.parametrize("activation", ["lipswish", "elu", "sin", "softplus", "tanh"])
def test_network_contracts_whatever_its_variables(activation):
    network = LipschitzMLP(4, [7, 3], 0.9, activation, seed=0)
    for scale in (0.1, 1.0, 30.0):
        norms = spectral_norms(perturb(network, scale), inputs(50, 4, dtype=tf.float32))
        assert np.all(norms <= 0.9)
    assert spectral_norms(perturb(network, 1.0), inputs(50, 4, dtype=tf.float32)).max() > 0.02


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64], ids=lambda dtype: dtype.name)
def test_bound_is_above_the_norm_and_tight(dtype):
    """A linear network's Jacobian is its kernel; an orthogonal one is where the bound is worst."""
    network = LipschitzMLP(16, [], 0.9, seed=0, dtype=dtype)
    (kernel,) = (v for v in network.trainable_variables if len(v.shape) == 2)
    rng = np.random.default_rng(0)
    orthogonal = np.linalg.qr(rng.normal(size=[16, 16]))[0]
    rank_one = np.outer(rng.normal(size=16), rng.normal(size=16))
    for values in (rng.normal(size=[16, 16]), orthogonal, rank_one):
        for scale in (1.0, 1e5, 1e18):
            kernel.assign(tf.cast(scale * values, dtype))
            (norm,) = spectral_norms(network, tf.zeros([1, 16], dtype))
            assert 0.9 / 16 ** (1 / 128) - 1e-4 < norm <= 0.9
    # What is short already stays as it is.
    kernel.assign(tf.cast(0.5 * orthogonal, dtype))
    x = inputs(2, 16, dtype=dtype)
    np.testing.assert_allclose(network(x), x @ kernel, rtol=1e-5)
    for tiny in (0.0, 1e-30):
        kernel.assign(tf.fill(kernel.shape, tf.cast(tiny, dtype)))
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(network(x))
        assert np.all(np.isfinite(tape.gradient(loss, kernel)))


def test_network_starts_at_zero_and_sees_its_context():
    network = LipschitzMLP(3, [5], context_size=2, seed=0)
    x, context = inputs(4, 3, dtype=tf.float32), inputs(4, 2, dtype=tf.float32)
    np.testing.assert_array_equal(network(x, context), tf.zeros([4, 3]))
    perturb(network)
    assert not np.allclose(network(x, context), network(x, 2.0 * context))
    np.testing.assert_allclose(network.normalized(context)(x), network(x, context))
    with pytest.raises(ValueError, match="`context`: expected"):
        network(x)
    with pytest.raises(ValueError, match="`context`: expected None"):
        LipschitzMLP(3, [5])(x, context)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"coefficient": 1.0}, "`coefficient`: expected a number between 0 and 1.*received 1.0"),
        ({"activation": "relu6"}, "`activation`: expected one of .*received 'relu6'"),
        ({"hidden_units": [0]}, r"`hidden_units\[0\]`: expected at least 1, received 0"),
    ],
)
def test_network_errors(settings, message):
    with pytest.raises(ValueError, match=message):
        LipschitzMLP(2, **settings)


# The log-det.


def partial_sum(jacobian, num_terms):
    """`sum_k (-1)^(k+1) tr(J^k) / k`."""
    total, power = 0.0, tf.eye(jacobian.shape[-1], dtype=jacobian.dtype)
    for k in range(1, num_terms + 1):
        power = power @ jacobian
        total += (-1) ** (k + 1) * tf.linalg.trace(power) / k
    return total


def test_series_and_its_gradient_with_exact_traces():
    """With `sqrt(D) e_i` as probes, both of the series that are estimated are sums one can do."""
    network, x = random_network(), inputs(5, 3)
    probes = tf.broadcast_to(tf.sqrt(3.0) * tf.eye(3)[:, tf.newaxis], [3, 5, 3])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        value, estimate = log_det_series(network, x, tf.cast(probes, x.dtype), num_terms=6)
        expected_value, jacobian = value_and_jacobian(network, x)
        expected = partial_sum(jacobian, 6)
    close = {"rtol": 1e-6, "atol": 1e-6}  # the probes come from float32
    np.testing.assert_allclose(value, expected_value)
    np.testing.assert_allclose(estimate, expected, **close)
    variables = [x, *network.trainable_variables]
    for a, b in zip(
        tape.gradient(estimate, variables), tape.gradient(expected, variables), strict=True
    ):
        a, b = (tf.zeros([]) if g is None else g for g in (a, b))
        np.testing.assert_allclose(a, b, **close)


def estimates(network, point, num_draws, **settings):
    """Independent estimates of one log-det, and their gradients with respect to the point."""
    layer = Residual(network, seed=7, **settings)
    x = tf.repeat(point[tf.newaxis], num_draws, axis=0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        log_det = layer.forward_log_det_jacobian(x)
    return log_det.numpy(), tape.gradient(log_det, x).numpy()


def standard_errors(draws, expected):
    """How many standard errors the mean of the draws is away."""
    error = draws.std(axis=0) / np.sqrt(len(draws))
    return np.max(np.abs(draws.mean(axis=0) - expected) / error)


def test_unbiased_estimator_is_unbiased_and_the_series_is_not():
    # An eigenvalue of the Jacobian near -0.8: the series converges slowly.
    network = LipschitzMLP(2, [4], 0.9, activation=tf.sin, seed=0, dtype=tf.float64)
    for variable, value in zip(
        network.trainable_variables,
        (np.full([4], 0.2), np.ones([2, 4]), np.zeros([2]), -np.ones([4, 2])),
        strict=True,
    ):
        variable.assign(value)
    point = tf.constant([0.1, -0.2], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(point)
        exact = Residual(network).forward_log_det_jacobian(point)
        _, jacobian = value_and_jacobian(network, point)
    gradient = tape.gradient(exact, point)
    eigenvalues = np.abs(np.linalg.eigvals(jacobian))
    assert 0.5 < eigenvalues.max() < 0.9

    for continuation, num_terms in ((None, 2), (0.75, 3)):
        log_dets, gradients = estimates(
            network,
            point,
            5_000,
            log_det="unbiased",
            num_terms=num_terms,
            continuation=continuation,
        )
        assert standard_errors(log_dets, exact) < 4.0
        assert standard_errors(gradients, gradient) < 4.0
        assert log_dets.std() / np.sqrt(5_000) < 0.05

    log_dets, _ = estimates(network, point, 5_000, log_det="series", num_terms=3, num_probes=2)
    assert standard_errors(log_dets, partial_sum(jacobian, 3)) < 4.0
    assert standard_errors(log_dets, exact) > 10.0
    # The stated bound on what is left out.
    assert abs(partial_sum(jacobian, 3) - exact) < 2 * 0.9**4 / (4 * 0.1)


def test_geometric():
    n = geometric(tf.random.stateless_uniform([20_000], [1, 2]), 0.8).numpy()
    assert n.min() == 0
    for j in (1, 3, 10):
        assert abs(np.mean(n >= j) - 0.8**j) < 0.015
    assert np.isfinite(geometric(tf.constant([0.0, 1.0]), 0.99).numpy()).all()


@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
def test_noise_is_fixed_by_a_seed_and_new_without_one(mode):
    network = random_network(dtype=tf.float32)
    x = inputs(4, 3, dtype=tf.float32)
    for seed in (1, None):
        layer = Residual(network, "unbiased", num_terms=1, continuation=0.5, seed=seed)
        run = layer.forward_log_det_jacobian
        if mode != "eager":
            run = tf.function(run, jit_compile=mode == "xla", autograph=False)
        first, second = run(tf.identity(x)), run(tf.identity(x))
        assert np.all(np.isfinite(first))
        assert np.allclose(first, second) == (seed is not None)


# The layer.


@pytest.mark.parametrize("log_det", ["exact", "series"])
def test_linear_layer_against_numpy(log_det):
    network = perturb(LipschitzMLP(4, [], 0.9, seed=0, dtype=tf.float64))
    layer = Residual(network, log_det)
    offset = network(tf.zeros([1, 4], tf.float64)).numpy()
    matrix = np.eye(4) + network(tf.eye(4, dtype=tf.float64)).numpy() - offset
    y = inputs(5, 4)
    x = layer.inverse(y)
    np.testing.assert_allclose(x, np.linalg.solve(matrix.T, (y - offset).numpy().T).T, atol=1e-12)
    if log_det == "exact":
        expected = np.full([5], np.linalg.slogdet(matrix)[1])
        np.testing.assert_allclose(layer.forward_log_det_jacobian(x), expected, atol=1e-12)


def test_inverse_has_the_same_gradients_by_both_solvers():
    network = random_network()
    results = []
    for log_det in ("exact", "series"):
        layer, y = Residual(network, log_det, seed=0), inputs(5, 3)
        with tf.GradientTape() as tape:
            tape.watch(y)
            x = layer.inverse(y)
            loss = tf.reduce_sum(tf.sin(x))
        results.append([x, *tape.gradient(loss, [y, *network.trainable_variables])])
    for dense, iterative in zip(*results, strict=True):
        np.testing.assert_allclose(dense, iterative, atol=1e-12)


def test_tolerance_is_met():
    network, y = random_network(), inputs(5, 3)
    layer = Residual(network, "series", tolerance=1e-3)
    x = layer.inverse(y)
    residual_size = np.abs(y - x - network(x))
    assert 1e-9 < residual_size.max() < 1e-3 * (1.0 + np.abs(x).max() + np.abs(y).max())


def test_any_contraction_with_its_variables():
    matrix = tf.Variable([[0.5, 0.1], [-0.2, 0.3]])
    layer = Residual(lambda x: tf.sin(x @ matrix), event_size=2, coefficient=0.7)
    assert [v is matrix for v in layer.trainable_variables] == [True]
    x = inputs(3, 2, dtype=tf.float32)
    np.testing.assert_allclose(layer.inverse(tf.identity(layer.forward(x))), x, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"log_det": "trace"}, ValueError, "`log_det`: expected one of .*received 'trace'"),
        ({"num_terms": 0}, ValueError, "`num_terms`: expected at least 1, received 0"),
        ({"continuation": 1.0}, ValueError, "`continuation`: expected a number between 0 and 1"),
        ({"tolerance": 0.0}, ValueError, "`tolerance`: expected a number between 0 and 1"),
        ({"network": tf.sin}, ValueError, "`event_size`: expected a number.*received None"),
        ({"network": 3, "event_size": 2, "coefficient": 0.5}, TypeError, "expected a callable"),
    ],
)
def test_layer_errors(settings, error, message):
    with pytest.raises(error, match=message):
        Residual(**{"network": random_network()} | settings)


def test_wrong_output_of_the_network():
    layer = Residual(lambda x: 0.1 * x[..., :1], event_size=2, coefficient=0.5)
    with pytest.raises(ValueError, match=r"expected an output of shape \(\.\.\., 2\)"):
        layer.forward(tf.ones([3, 2]))


# The recipe.


def test_recipe_is_a_density():
    flow = perturb(residual(2, num_layers=2, hidden_units=[5], dtype=tf.float64, seed=0))
    points = np.linspace(-14.0, 14.0, 181)
    grid = tf.constant(np.stack(np.meshgrid(points, points), axis=-1).reshape(-1, 2))
    total = np.exp(flow.log_prob(grid)).sum() * (points[1] - points[0]) ** 2
    assert abs(total - 1.0) < 1e-3
    y, log_prob = flow.experimental_sample_and_log_prob(4, seed=1)
    np.testing.assert_allclose(flow.log_prob(tf.identity(y)), log_prob, atol=1e-10)


def test_recipe_with_a_context():
    conditional = perturb(residual(5, 2, hidden_units=[4], context_size=3, noise_seed=0, seed=0))
    assert isinstance(conditional, ConditionalDistribution)
    context = inputs(4, 3, dtype=tf.float32)
    flow = conditional(context)
    assert flow.sample(2, seed=1).shape == [2, 4, 5]
    assert flow.log_prob(tf.zeros([5])).shape == [4]
    with tf.GradientTape() as tape:
        tape.watch(context)
        loss = tf.reduce_sum(conditional(context).log_prob(tf.zeros([2, 4, 5])))
    variables = conditional.trainable_variables
    for gradient in tape.gradient(loss, [context, *variables]):
        assert gradient is not None
        assert np.any(gradient != 0.0)


def test_recipe_learns():
    flow = residual(2, num_layers=2, hidden_units=[16], seed=0)
    data = inputs(256, 2, dtype=tf.float32) * [2.0, 0.5] + [1.0, -1.0]
    optimizer = tf.keras.optimizers.Adam(0.03)
    variables = flow.trainable_variables
    assert len(variables) == 8

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(flow.log_prob(data))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    losses = [float(step()) for _ in range(40)]
    # -log p of N(1, 4) x N(-1, 1/4) is 2.84, that of the base about 5.
    assert losses[0] > 4.0
    assert losses[-1] < 3.1
