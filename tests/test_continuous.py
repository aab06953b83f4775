"""Continuous flows: closed forms, the order of the solver, estimates and regularization."""

import numpy as np
import pytest
import scipy.linalg
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows.bijectors import Continuous
from tfp_flows.distributions import ConditionalDistribution
from tfp_flows.flows import continuous

tfb = tfp.bijectors

MATRIX = np.array([[0.3, -1.0], [0.8, 0.2]])


def linear(time, z):
    del time
    return tf.linalg.matvec(MATRIX, z)


def swirl(time, z):
    """A velocity that depends on time and bends."""
    return tf.sin(tf.stack([z[..., 1] + time, 0.5 * z[..., 0] * z[..., 1]], axis=-1))


def perturb(module, scale=0.5, seed=1):
    rng = np.random.default_rng(seed)
    for variable in module.trainable_variables:
        variable.assign(tf.cast(scale * rng.normal(size=variable.shape), variable.dtype))
    return module


def inputs(*shape, dtype=tf.float64, seed=3):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), dtype)


def test_linear_velocity_is_a_matrix_exponential():
    flow = Continuous(linear, event_size=2, num_steps=40)
    exponential = scipy.linalg.expm(MATRIX)
    for shape in ((2,), (5, 2), (3, 1, 2)):
        x = inputs(*shape)
        y, log_det = flow.forward_and_log_det(x)
        np.testing.assert_allclose(y, x.numpy() @ exponential.T, atol=1e-8)
        np.testing.assert_allclose(log_det, np.full(shape[:-1], np.trace(MATRIX)), atol=1e-12)
        x_again, inverse_log_det = flow.inverse_and_log_det(tf.identity(y))
        np.testing.assert_allclose(x_again, x, atol=1e-8)
        np.testing.assert_allclose(inverse_log_det, -log_det, atol=1e-12)


def test_error_falls_with_the_fourth_power_of_the_steps():
    x = inputs(20, 2)
    reference = Continuous(swirl, 2, num_steps=40).forward_and_log_det(x)
    errors = [
        [np.abs(a - b).max() for a, b in zip(flow.forward_and_log_det(x), reference, strict=True)]
        for flow in (Continuous(swirl, 2, num_steps=n) for n in (4, 8))
    ]
    for coarse, fine in zip(*errors, strict=True):
        assert 10.0 < coarse / fine < 25.0


def test_adaptive_solver_of_tfp_agrees():
    flow = perturb(continuous(2, hidden_units=[4], num_steps=32, dtype=tf.float64, seed=0))
    network = flow.bijector.velocity
    solver = tfp.math.ode.DormandPrince(rtol=1e-9, atol=1e-9)
    adaptive = Continuous(network, 2, ode_solve_fn=solver.solve)
    assert len(adaptive.trainable_variables) == 4
    y = inputs(3, 2)
    run = tf.function(lambda y: adaptive.inverse_and_log_det(y), autograph=False)
    for a, b in zip(run(y), flow.bijector.inverse_and_log_det(y), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_log_det_is_that_of_the_map():
    flow = Continuous(swirl, 2, num_steps=16)
    x = inputs(4, 2)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y, log_det = flow.forward_and_log_det(x)
        parts = tf.unstack(y, axis=-1)
    jacobian = tf.stack([tape.gradient(part, x) for part in parts], axis=-2)
    np.testing.assert_allclose(log_det, np.linalg.slogdet(jacobian)[1], atol=1e-5)


def test_probes_estimate_the_trace():
    x = tf.repeat(inputs(1, 2), 4_000, axis=0)
    exact = Continuous(swirl, 2, num_steps=4).forward_log_det_jacobian(x[0])
    flow = Continuous(swirl, 2, num_steps=4, num_probes=2, seed=5)
    estimates = flow.forward_log_det_jacobian(x).numpy()
    error = estimates.std() / np.sqrt(len(estimates))
    assert error > 0.0
    assert abs(estimates.mean() - exact) < 4.0 * error
    np.testing.assert_array_equal(flow.forward_log_det_jacobian(tf.identity(x)), estimates)
    fresh = Continuous(swirl, 2, num_steps=4, num_probes=2)
    first, second = (fresh.forward_log_det_jacobian(tf.identity(x)) for _ in range(2))
    assert not np.allclose(first, second)


def test_regularization_in_closed_form():
    y = inputs(4, 2)
    drift = Continuous(lambda time, z: 0.0 * z + [3.0, 4.0], 2, kinetic=0.1, jacobian=1.0)
    np.testing.assert_allclose(drift.regularization(y), np.full([4], 2.5))
    jacobian = Continuous(linear, 2, jacobian=2.0)
    np.testing.assert_allclose(jacobian.regularization(y), np.full([4], 2.0 * (MATRIX**2).sum()))
    # dz/dt = t z: |f|^2 = t^2 z^2 along z(t) = y exp((t^2 - 1) / 2), on a fine grid.
    bending = Continuous(lambda time, z: time * z, 2, kinetic=1.0, num_steps=32)
    t = np.linspace(0.0, 1.0, 10_001)
    along = np.trapezoid(t**2 * np.exp(t**2 - 1.0), t)
    expected = along * (y.numpy() ** 2).sum(axis=-1)
    np.testing.assert_allclose(bending.regularization(y), expected, rtol=1e-6)
    np.testing.assert_array_equal(Continuous(linear, 2).regularization(y), np.zeros([4]))
    # |J^T v|^2 in the mean over probes.
    probed = Continuous(linear, 2, jacobian=2.0, num_probes=500, num_steps=2, seed=0)
    np.testing.assert_allclose(probed.regularization(y), jacobian.regularization(y), rtol=0.1)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"num_steps": 0}, ValueError, "`num_steps`: expected at least 1, received 0"),
        ({"num_probes": 0}, ValueError, "`num_probes`: expected at least 1, received 0"),
        ({"kinetic": -1.0}, ValueError, "`kinetic`: expected at least 0.0, received -1.0"),
        ({"velocity": 3}, TypeError, "`velocity`: expected a callable, received int"),
    ],
)
def test_errors(settings, error, message):
    with pytest.raises(error, match=message):
        Continuous(**{"velocity": linear, "event_size": 2} | settings)


def test_wrong_output_of_the_velocity():
    with pytest.raises(ValueError, match=r"expected an output of shape \(\.\.\., 2\)"):
        Continuous(lambda time, z: z[..., :1], 2).forward(tf.ones([3, 2]))


# The recipe.


def test_recipe_starts_as_its_base_and_is_a_density():
    flow = continuous(2, hidden_units=[5], num_steps=8, dtype=tf.float64, seed=0)
    y = inputs(6, 2)
    np.testing.assert_allclose(flow.log_prob(y), flow.distribution.log_prob(y), atol=1e-12)
    perturb(flow)
    points = np.linspace(-10.0, 10.0, 121)
    grid = tf.constant(np.stack(np.meshgrid(points, points), axis=-1).reshape(-1, 2))
    total = np.exp(flow.log_prob(grid)).sum() * (points[1] - points[0]) ** 2
    assert abs(total - 1.0) < 1e-3


def test_recipe_with_a_context():
    conditional = perturb(continuous(2, hidden_units=[4], num_steps=3, context_size=3, seed=0))
    assert isinstance(conditional, ConditionalDistribution)
    context = inputs(4, 3, dtype=tf.float32)
    flow = conditional(context)
    assert flow.sample(2, seed=1).shape == [2, 4, 2]
    assert flow.log_prob([0.0, 1.0]).shape == [4]
    with tf.GradientTape() as tape:
        tape.watch(context)
        loss = tf.reduce_sum(conditional(context).log_prob(tf.ones([2, 4, 2])))
    for gradient in tape.gradient(loss, [context, *conditional.trainable_variables]):
        assert gradient is not None
        assert np.any(gradient != 0.0)
    with pytest.raises(ValueError, match="`ode_solve_fn`: expected None"):
        continuous(2, context_size=3, ode_solve_fn=tfp.math.ode.DormandPrince().solve)


@pytest.mark.slow
def test_recipe_learns_under_xla():
    flow = continuous(2, hidden_units=[16], num_steps=4, kinetic=0.01, seed=0)
    data = inputs(256, 2, dtype=tf.float32) * [2.0, 0.5] + [1.0, -1.0]
    variables = flow.trainable_variables
    assert len(variables) == 4
    optimizer = tf.keras.optimizers.Adam(0.03)
    optimizer.build(variables)

    @tf.function(jit_compile=True, autograph=False)
    def loss_and_gradients():
        with tf.GradientTape() as tape:
            nats = -tf.reduce_mean(flow.log_prob(data))
            loss = nats + tf.reduce_mean(flow.bijector.regularization(data))
        return nats, tape.gradient(loss, variables)

    losses = []
    for _ in range(60):
        nats, gradients = loss_and_gradients()
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        losses.append(float(nats))
    # -log p of N(1, 4) x N(-1, 1/4) is 2.84, that of the base about 5.
    assert losses[0] > 4.0
    assert losses[-1] < 3.1
