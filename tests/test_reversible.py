"""Chains that keep no activations: the gradients of the plain ones, and what is kept."""

import functools
import re
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_flows as tff
from tests.test_flows import make, perturb

tfb, tfd = tfp.bijectors, tfp.distributions
DTYPES = [tf.float32, tf.float64]
CLOSE = {tf.float32: 1e-5, tf.float64: 1e-10}
SEED = tf.constant([1, 2])


def density(flow, x):
    """A loss of densities, and its gradients."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = -tf.reduce_mean(flow.log_prob(x))
    return loss, tape.gradient(loss, [x, *variables(flow)])


def energy(flow, x):
    """A loss of samples, and its gradients."""
    with tf.GradientTape() as tape:
        x, log_prob = flow.experimental_sample_and_log_prob(x.shape[0], seed=SEED)
        loss = tf.reduce_mean(tf.reduce_sum(tf.cos(x), axis=-1) + log_prob)
    return loss, tape.gradient(loss, variables(flow))


def variables(module):
    """In an order that two flows of the same variables share."""
    return sorted(module.trainable_variables, key=id)


def points(*shape, dtype=tf.float32):
    return tf.random.stateless_normal(shape, [3, 4], dtype=dtype)


def assert_same(actual, expected, close=1e-5):
    """Equal up to a part of the largest entry."""
    actual, expected = tf.nest.flatten(actual), tf.nest.flatten(expected)
    largest = max(1.0, *(float(tf.reduce_max(tf.abs(e))) for e in expected))
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=0.0, atol=close * largest)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("name", ["real_nvp", "neural_spline", "planar"])
def test_gradients_at_depth_64(name, dtype):
    flow = make(name, 4, num_layers=64, dtype=dtype)
    # At twice this scale the plain spline's float32 gradients are off by 6e-5 of their largest
    # entry, measured in float64, and so are these: there is nothing to agree with to 1e-5.
    perturb(flow, scale=0.05)
    reversible = tff.flows.reversible(flow)
    assert {v.ref() for v in reversible.trainable_variables} == {v.ref() for v in variables(flow)}
    x = points(6, 4, dtype=dtype)
    assert_same(density(reversible, x), density(flow, x), CLOSE[dtype])


@pytest.mark.parametrize("name", ["real_nvp", "neural_spline", "planar"])
def test_gradients_of_samples(name):
    flow = make(name, 4, num_layers=9)
    perturb(flow, scale=0.1)
    x = points(6, 4)
    assert_same(energy(tff.flows.reversible(flow), x), energy(flow, x))


@pytest.mark.slow
def test_recipes():
    """Of images, whose shape changes, and inverted stacks; the batch size is not static."""
    glow = tff.flows.glow([4, 4, 1], num_levels=2, num_steps=1, hidden_channels=4, seed=0)
    for flow in (glow, make("radial", 3, num_layers=9, fast="log_prob"), make("sylvester", 3)):
        perturb(flow, 0.1)
        signature = [tf.TensorSpec([None, *flow.event_shape])]
        loss = functools.partial(density, tff.flows.reversible(flow))
        traced = tf.function(loss, signature, autograph=False)
        x = points(5, *flow.event_shape)
        assert_same(traced(x), density(flow, x))


@pytest.mark.parametrize("name", ["nice", "planar"])
def test_context(name):
    """The context and what is made of it get their gradients, in whatever graph that is."""
    flow = make(name, 3, num_layers=9 if name == "planar" else 3, context_size=2)
    perturb(flow, 0.1)
    x, context = points(5, 3), points(5, 2)

    def loss(flow, is_graph):
        with tf.GradientTape() as tape:
            tape.watch(context)
            log_prob = flow(context).log_prob
            log_prob = tf.function(log_prob, autograph=False) if is_graph else log_prob
            log_prob = tf.reduce_mean(log_prob(x))
        return log_prob, tape.gradient(log_prob, [context, *variables(flow)])

    reversible = tff.flows.reversible(flow)
    for is_graph in (False, True) if name == "nice" else (False,):
        assert_same(loss(reversible, is_graph), loss(flow, False))


def test_broadcast_parameters():
    """One point, three transforms: its gradient is the sum of all."""
    parameters = [tf.Variable(points(3, 2)) for _ in range(2)]
    layers = [tff.bijectors.ActNorm(*parameters), tfb.Shift(tf.Variable([1.0, 2.0]))]
    x = tf.Variable([0.3, -0.5])

    def gradients(bijector):
        with tf.GradientTape() as tape:
            y, log_det = bijector.forward(tf.identity(x)), bijector.forward_log_det_jacobian(x, 1)
            loss = tf.reduce_sum(tf.sin(y)) + tf.reduce_sum(log_det * [1.0, 2.0, 3.0])
        return tape.gradient(loss, [x, *variables(bijector)])

    assert_same(gradients(tff.bijectors.Reversible(layers)), gradients(tfb.Chain(layers)))


@pytest.mark.parametrize("is_graph", [False, True])
def test_second_derivatives(is_graph):
    flow = make("real_nvp", 3, dtype=tf.float64)
    perturb(flow)
    x = points(4, 3, dtype=tf.float64)

    def slope(flow):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                log_prob = tf.reduce_sum(flow.log_prob(x))
            score = inner.gradient(log_prob, x)
            loss = tf.reduce_sum(score**2)
        return outer.gradient(loss, [x, *variables(flow)], unconnected_gradients="zero")

    reversible = tff.flows.reversible(flow)
    function = tf.function(slope, autograph=False) if is_graph else slope
    assert_same(function(reversible), slope(flow), 1e-10)


class Watched(tf.Module):
    """A network that knows how many of its outputs are still there."""

    def __init__(self):
        super().__init__()
        self.kernel = tf.Variable([[0.1, 0.2]])
        self.outputs = []

    def __call__(self, x):
        y = tf.tanh(x @ self.kernel)
        self.outputs.append(weakref.ref(y))
        return y

    @property
    def num_kept(self):
        return sum(output() is not None for output in self.outputs)


@pytest.mark.parametrize(("kind", "num_kept"), [(tfb.Chain, 8), (tff.bijectors.Reversible, 0)])
def test_what_a_tape_keeps(kind, num_kept):
    network, affine = Watched(), tff.transformers.Affine()
    masks = [[k % 2 == 0, k % 2 == 1] for k in range(8)]
    bijector = kind([tff.bijectors.Coupling(affine, network, mask) for mask in masks])
    with tf.GradientTape() as tape:
        y = bijector.forward(points(3, 2))
        loss = tf.reduce_sum(y * y)
    assert network.num_kept == num_kept
    assert np.all(np.isfinite(tape.gradient(loss, network.kernel)))
    # Layers are couplings: forward, and once more backwards, value and inverse from one run.
    assert len(network.outputs) == (8 if num_kept else 16)


def test_what_a_compiled_step_keeps():
    """No copies of the weights, to write over them, nor all that the log-dets are made of."""
    flow = tff.flows.reversible(make("real_nvp", 64, num_layers=6))
    matrices = [v for v in variables(flow) if v.shape.rank == 2]

    @tf.function(jit_compile=True, autograph=False)
    def step(x):
        loss, (_, *gradients) = density(flow, x)
        for variable, gradient in zip(variables(flow), gradients, strict=True):
            variable.assign_sub(0.01 * gradient)
        return loss

    program = step.experimental_get_compiler_ir(points(7, 64))(stage="optimized_hlo")
    _, _, program = program.partition("\nENTRY ")
    copied = re.findall(r"= f32\[(\d+,\d+)\]\S+ copy\(%arg", program)
    assert not {"{},{}".format(*v.shape) for v in matrices}.intersection(copied)
    operands = re.findall(r" fusion\((%[^)]*)\)", program)
    assert max(names.count("%") for names in operands) <= 10  # not of all layers


@pytest.mark.parametrize("jit_compile", [False, True])
def test_one_example_that_is_not_a_number(jit_compile):
    """The others' values and gradients do not see it."""
    flow = make("real_nvp", 3)
    perturb(flow, 0.1)

    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            log_prob = tff.flows.reversible(flow).log_prob(x)
        return log_prob, tape.gradient(log_prob, x)

    x = points(4, 3)
    spoiled = tf.concat([x[:1] * np.nan, x[1:]], axis=0)
    gradient = tf.function(gradient, jit_compile=jit_compile, autograph=False)
    assert_same([part[1:] for part in gradient(spoiled)], [part[1:] for part in gradient(x)])


def test_fit_and_weights(tmp_path):
    flow = make("real_nvp", 2)
    model = tff.models.DensityModel(tff.flows.reversible(flow))
    assert len(model.trainable_weights) == len(flow.trainable_variables)
    model.compile(keras.optimizers.Adam(1e-2))
    x = np.random.default_rng(0).normal(size=[128, 2]).astype("float32") + 2.0
    history = model.fit(x, batch_size=32, epochs=3, verbose=0).history
    assert history["loss"][-1] < history["loss"][0] - 0.1

    other = tff.flows.reversible(make("real_nvp", 2, seed=1))
    model.save_weights(tmp_path / "flow.weights.h5")
    tff.models.DensityModel(other).load_weights(tmp_path / "flow.weights.h5")
    assert_same(other.log_prob(x), flow.log_prob(x))


def test_initialize():
    """The data pass through the chain."""
    glow = tff.flows.glow([4, 4, 1], num_levels=1, num_steps=1, hidden_channels=4, seed=0)
    tff.flows.initialize(tff.flows.reversible(glow), points(64, 4, 4, 1) + 3.0)
    latents = glow.bijector.inverse(points(64, 4, 4, 1) + 3.0)
    assert abs(float(tf.reduce_mean(latents))) < 1e-4


def test_errors():
    shift = tfb.Shift(tf.constant([1.0, 2.0]))
    reversible = tff.bijectors.Reversible
    for bijectors, error, message in (
        (shift, TypeError, "expected a list of tfb.Bijector"),
        ([shift, 1.0], TypeError, "expected a list of tfb.Bijector"),
        ([], ValueError, "at least one bijector"),
        ([shift, tfb.Shift(tf.constant(1.0, tf.float64))], TypeError, "float32, float64"),
        ([tfb.Invert(tfb.Chain([make("residual", 2).bijector]))], ValueError, "the Residual"),
    ):
        with pytest.raises(error, match=message):
            reversible(bijectors)
    base = tff.distributions.standard_normal(2)
    with pytest.raises(TypeError, match="ConditionalDistribution, received"):
        tff.flows.reversible(base)
    with pytest.raises(ValueError, match="several layers"):
        tff.flows.reversible(tfd.TransformedDistribution(base, shift))
    again = tff.flows.reversible(tff.flows.reversible(make("real_nvp", 2)))
    assert isinstance(again.bijector, reversible)
