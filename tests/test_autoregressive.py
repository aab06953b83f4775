"""Autoregressive flows: masks, element-by-element evaluation, gradients, and the recipes."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_flows as tff
from tfp_flows.bijectors import Autoregressive
from tfp_flows.flows import iaf, maf, neural_spline
from tfp_flows.networks import MaskedMLP

tfb, tfd = tfp.bijectors, tfp.distributions
AFFINE = tff.transformers.Affine()


def masked(event_size=4, num_params=2, hidden_units=(8, 9), order=None, **settings):
    """A network without zeros among its parameters."""
    settings = {"activation": "tanh", "zero_init_last": False, "seed": 0} | settings
    network = MaskedMLP(event_size, num_params, hidden_units, order=order, **settings)
    rng = np.random.default_rng(2)
    for variable in network.variables:
        if "bias" in variable.name:
            variable.assign(rng.normal(size=variable.shape))
    return network


def normal(*shape, seed=1, dtype=tf.float32):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), dtype)


def dependencies(network, context=None):
    """`[i, j]`: whether the parameters of element i depend on element j; all of them agree."""
    x = normal(7, network.event_size)
    with tf.GradientTape() as tape:
        tape.watch(x)
        rows = tf.reshape(network(x, context), [7, network.event_size, network.num_params])
    depends = np.any(tape.batch_jacobian(rows, x).numpy() != 0.0, axis=0)
    np.testing.assert_array_equal(depends.any(1), depends.all(1))
    return depends.any(1)


def allowed(order):
    """`[i, j]`: whether j comes before i."""
    positions = np.argsort(order)
    return positions[:, np.newaxis] > positions


@pytest.mark.parametrize("context_size", [None, 3])
@pytest.mark.parametrize("hidden_units", [(), (8, 9), (4, 30)], ids=str)
@pytest.mark.parametrize("order", [None, "random", [2, 0, 3, 1]], ids=str)
def test_dependencies_are_those_of_the_order(order, hidden_units, context_size):
    """No forbidden dependency, and none lost: the layers are wide enough."""
    network = masked(order=order, hidden_units=hidden_units, context_size=context_size)
    context = None if context_size is None else normal(3)
    assert sorted(network.order) == [0, 1, 2, 3]
    if order != "random":
        assert list(network.order) == ([0, 1, 2, 3] if order is None else order)
    np.testing.assert_array_equal(dependencies(network, context), allowed(network.order))


def test_random_orders_come_from_the_seed():
    orders = [tuple(masked(9, order="random", seed=seed).order) for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.parametrize("hidden_units", [(1,), (2,), (3, 5), (5, 3)], ids=str)
def test_narrow_layers_lose_no_more_than_they_must(hidden_units):
    depends = dependencies(masked(7, hidden_units=hidden_units))
    assert not np.any(depends & ~allowed(range(7)))
    assert depends[6, :6].all()
    # Each degree of the narrowest layer is the number of elements that some output sees.
    assert len({n for n in depends.sum(1) if n}) == min(hidden_units)


def test_one_element():
    """Its parameters come from the biases, and from the context where there is one."""
    assert not dependencies(masked(1)).any()
    network = masked(1, context_size=2)
    assert not np.allclose(network(tf.ones([1]), normal(2)), network(tf.ones([1]), normal(2) + 1.0))


@pytest.mark.parametrize("hidden_units", [(), (2,), (8, 2)], ids=str)
def test_context_reaches_all_parameters(hidden_units):
    network = masked(5, hidden_units=hidden_units, context_size=3)
    context = normal(3)
    with tf.GradientTape() as tape:
        tape.watch(context)
        params = network(normal(5), context)
    assert np.all(tape.jacobian(params, context).numpy() != 0.0)


def test_masked_weights():
    """They start at zero and get no gradient; the others fill Glorot's limits for their fans."""
    network = masked(16, 2, (64,), activation="relu")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.sin(network(normal(20, 16))))
    first, last = (v for v in network.trainable_variables if "kernel" in v.name)
    gradients = tape.gradient(loss, [first, last])
    inputs, degrees = np.arange(16), 1 + np.arange(64) * 15 // 64
    outputs = np.repeat(np.arange(16), 2)
    for kernel, gradient, mask in zip(
        (first.numpy(), last.numpy()),
        gradients,
        (inputs[:, np.newaxis] < degrees, degrees[:, np.newaxis] <= outputs),
        strict=True,
    ):
        assert np.all(kernel[~mask] == 0.0)
        assert np.all(gradient.numpy()[~mask] == 0.0)
        fans = mask.sum(0, keepdims=True) + mask.sum(1, keepdims=True)
        relative = np.abs(kernel / np.sqrt(6.0 / fans))[mask]
        assert 0.97 < relative.max() <= 1.0 + 1e-6
        assert 0.4 < relative.mean() < 0.6


@pytest.mark.parametrize("context_shape", [None, (3,), (2, 1, 3)], ids=str)
@pytest.mark.parametrize(
    ("event_size", "hidden_units"), [(5, ()), (5, (3,)), (5, (11, 6)), (1, (4,))], ids=str
)
def test_element_by_element(event_size, hidden_units, context_shape):
    """The steps of `begin_sequence` give what a whole pass gives; later elements do not count."""
    context = None if context_shape is None else normal(*context_shape)
    network = masked(
        event_size,
        hidden_units=hidden_units,
        order="random",
        context_size=None if context is None else 3,
    )
    x = normal(4, event_size)
    whole = network(x, context)
    expected = tf.reshape(whole, [*whole.shape[:-1], event_size, 2])
    step, state = network.begin_sequence(x, context)
    for k, index in enumerate(network.order):
        later = np.isin(range(event_size), network.order[k:])
        params, state = step(k, tf.where(later, 9.0, x), state)
        np.testing.assert_allclose(params, expected[..., index, :], atol=1e-6)


def scale(raw):
    """That of `Affine`."""
    return 0.001 + 0.999 * np.log1p(np.exp(raw + np.log(np.e - 1.0)))


def reference(network, x):
    """The flow written out with NumPy, one element after the other."""
    y, log_det = np.zeros_like(x), np.zeros(x.shape[:-1])
    for i in network.order:
        params = network(tf.constant(y)).numpy().reshape(*x.shape, 2)[..., i, :]
        y[..., i] = x[..., i] * scale(params[..., 1]) + params[..., 0]
        log_det += np.log(scale(params[..., 1]))
    return y, log_det


@pytest.mark.parametrize("whole", [False, True])
def test_against_reference(whole):
    """With the steps of `MaskedMLP`, and with whole passes of an arbitrary callable."""
    network = masked(order="random", dtype=tf.float64)
    bijector = (
        Autoregressive(AFFINE, lambda y: network(y), order=network.order)
        if whole
        else Autoregressive(AFFINE, network, validate_args=True)
    )
    x = np.random.default_rng(0).normal(size=[2, 3, 4])
    y, log_det = bijector.forward_and_log_det(x)
    expected_y, expected_log_det = reference(network, x)
    np.testing.assert_allclose(y, expected_y, rtol=1e-12)
    np.testing.assert_allclose(log_det, expected_log_det, rtol=1e-12, atol=1e-12)


def test_against_tfp():
    network = masked(dtype=tf.float64)

    def shift_and_log_scale(y):
        shift, raw = tf.unstack(tf.reshape(network(y), [-1, 4, 2]), axis=-1)
        scale = 0.001 + 0.999 * tf.math.softplus(raw + np.log(np.e - 1.0))
        return shift, tf.math.log(scale)

    ours, theirs = (
        Autoregressive(AFFINE, network),
        tfb.MaskedAutoregressiveFlow(shift_and_log_scale),
    )
    x = normal(6, 4, dtype=tf.float64)
    for method in ("forward", "inverse"):
        np.testing.assert_allclose(
            getattr(ours, method)(x), getattr(theirs, method)(x), rtol=1e-10, atol=1e-12
        )
        method = f"{method}_log_det_jacobian"
        np.testing.assert_allclose(
            getattr(ours, method)(tf.identity(x), 1),
            getattr(theirs, method)(tf.identity(x), 1),
            rtol=1e-10,
            atol=1e-12,
        )


class Counting:
    """A conditioner of whole passes, which counts their runs, in compiled code, too."""

    def __init__(self):
        self.network = masked(3, hidden_units=())
        self.order = self.network.order
        self.runs = 0

    def __call__(self, y):
        tf.py_function(self._count, [], [])
        return self.network(y)

    def _count(self):
        self.runs += 1


USES = {
    "log_prob": (lambda flow: flow.log_prob(tf.ones([2, 3])), 1),
    # One for each element, and one for value and log-det.
    "sample": (lambda flow: flow.sample(2, seed=1), 4),
    "sample_and_log_prob": (lambda flow: flow.experimental_sample_and_log_prob(2, seed=1), 4),
}


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("use", USES)
def test_passes_of_the_conditioner(use, traced):
    conditioners = [Counting() for _ in range(2)]
    layers = [Autoregressive(AFFINE, c, name=f"layer_{i}") for i, c in enumerate(conditioners)]
    flow = tfd.TransformedDistribution(tff.distributions.standard_normal(3), tfb.Chain(layers))
    run, expected = USES[use]
    run = functools.partial(run, flow)
    tf.nest.map_structure(tf.identity, (tf.function(run) if traced else run)())
    assert [c.runs for c in conditioners] == [expected, expected]
    assert len(flow.trainable_variables) == 4


def unrolled(conditioner, x, order):
    """What `forward_and_log_det` computes, for plain automatic differentiation."""
    y = tf.zeros_like(x)
    for k in range(len(order)):
        value, log_derivative = AFFINE.forward(
            x, tf.reshape(conditioner(y), [*x.shape, AFFINE.num_params])
        )
        y = tf.where(np.isin(range(len(order)), order[: k + 1]), value, y)
    return y, tf.reduce_sum(log_derivative, axis=-1)


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("whole", [False, True])
def test_gradients_through_the_sequence(whole, traced):
    """In the input, the variables and a context that is bound: those of plain differentiation."""
    network = masked(hidden_units=[5], order="random", context_size=2, dtype=tf.float64)
    sources = [normal(3, 4, dtype=tf.float64), normal(3, 2, dtype=tf.float64, seed=2)]

    def ours(x, conditioner):
        bound = (lambda y: conditioner(y)) if whole else conditioner
        return Autoregressive(AFFINE, bound, order=network.order).forward_and_log_det(x)

    def plain(x, conditioner):
        return unrolled(conditioner, x, network.order)

    def gradients(direction, x, context):
        with tf.GradientTape() as tape:
            tape.watch([x, context])
            y, log_det = direction(x, functools.partial(network, context=context))
            loss = tf.reduce_sum(tf.sin(y)) + tf.reduce_sum(tf.exp(0.3 * log_det))
        return tape.gradient(loss, [x, context, *network.trainable_variables])

    actual, expected = (functools.partial(gradients, d) for d in (ours, plain))
    actual = (tf.function(actual, autograph=False) if traced else actual)(*sources)
    for a, b in zip(actual, expected(*sources), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("traced", [False, True])
def test_second_derivatives_of_the_sequence_are_refused(traced):
    """One live step cannot give them; the other direction has them."""
    bijector = Autoregressive(AFFINE, masked(2, hidden_units=[2]))

    def hessian(direction, x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                loss = tf.reduce_sum(tf.sin(direction(x)))
            slope = tf.reduce_sum(tf.sin(inner.gradient(loss, x)))
        return outer.gradient(slope, x)

    if traced:
        hessian = tf.function(hessian, autograph=False)
    else:
        assert np.any(hessian(bijector.inverse, normal(2)).numpy() != 0.0)
    with pytest.raises(NotImplementedError, match="Second derivatives"):
        hessian(bijector.forward, normal(2))


def test_batch_shapes_of_input_and_context_broadcast():
    network = masked(order="random", context_size=3)
    context = normal(5, 3)
    bijector = Autoregressive(AFFINE, functools.partial(network, context=context))
    y, log_det = bijector.forward_and_log_det(normal(4))
    assert y.shape == [5, 4]
    assert log_det.shape == [5]
    x = bijector.inverse(tf.identity(y))
    np.testing.assert_allclose(x, np.broadcast_to(normal(4), [5, 4]), atol=1e-5)


def strictly_upper(shape, dtype=None):
    """A kernel that is autoregressive for the order 0, 1, 2 and two parameters."""
    return tf.cast(np.arange(3)[:, np.newaxis] < np.arange(6) // 2, dtype or tf.float32)


def test_network_in_lower_precision():
    """A Keras layer; the log-det is accumulated in the dtype of the input."""
    layer = keras.layers.Dense(6, dtype="mixed_bfloat16", kernel_initializer=strictly_upper)
    bijector = Autoregressive(AFFINE, layer, event_size=3)
    assert len(bijector.trainable_variables) == 2
    x = normal(2, 4, 3)
    y, log_det = bijector.forward_and_log_det(x)
    assert y.dtype == log_det.dtype == tf.float32
    np.testing.assert_allclose(bijector.inverse(tf.identity(y)), x, atol=1e-5)


def test_a_conditioner_that_looks_ahead_is_found():
    bijector = Autoregressive(
        AFFINE, lambda y: tf.repeat(tf.reverse(y, [-1]), 2, axis=-1), None, 3, validate_args=True
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"`conditioner`.*earlier elements"):
        bijector.forward(normal(4, 3))


RECIPES = {
    "maf": maf,
    "iaf": iaf,
    "autoregressive": functools.partial(neural_spline, structure="autoregressive", num_bins=3),
    "coupling": functools.partial(neural_spline, structure="coupling", num_bins=3),
}


def perturbed(recipe, event_size=2, amount=0.3, **settings):
    """A flow of two layers, away from its start."""
    flow = RECIPES[recipe](event_size, num_layers=2, hidden_units=[6], seed=0, **settings)
    rng = np.random.default_rng(1)
    for variable in flow.trainable_variables:
        variable.assign_add(tf.cast(amount * rng.normal(size=variable.shape), variable.dtype))
    return flow


@pytest.mark.parametrize("recipe", RECIPES)
def test_density_integrates_to_one(recipe):
    """With a context: on a grid for each of two of them, whose densities differ."""
    flow = perturbed(recipe, context_size=3, dtype=tf.float64)(normal(2, 3, dtype=tf.float64))
    points = np.linspace(-12.0, 12.0, 301)
    grid = np.stack(np.meshgrid(points, points), axis=-1).reshape(-1, 1, 2)
    density = np.exp(flow.log_prob(grid))
    np.testing.assert_allclose(density.sum(0) * (points[1] - points[0]) ** 2, 1.0, atol=3e-3)
    assert np.abs(density[:, 0] - density[:, 1]).max() > 1e-2


@pytest.mark.parametrize("recipe", RECIPES)
def test_samples_have_their_density(recipe):
    flow = perturbed(recipe, 3)
    assert flow.event_shape == [3]
    y, log_prob = flow.experimental_sample_and_log_prob(6, seed=2)
    np.testing.assert_allclose(flow.log_prob(tf.identity(y)), log_prob, atol=1e-4)
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(flow.log_prob(tf.identity(y)))
    variables = flow.trainable_variables
    assert len(variables) == 8
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        assert gradient is not None, variable.name
        assert np.any(gradient.numpy() != 0.0), variable.name


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipes_start_as_the_base(recipe):
    flow = RECIPES[recipe](3, num_layers=2, hidden_units=[6], seed=0)
    y = normal(5, 3)
    np.testing.assert_allclose(flow.log_prob(y), flow.distribution.log_prob(y), atol=1e-4)


@pytest.mark.parametrize("context_size", [None, 2])
def test_iaf_is_inverted_maf(context_size):
    forward, inverted = (perturbed(name, 3, context_size=context_size) for name in ("maf", "iaf"))
    if context_size is not None:
        forward, inverted = (flow(normal(2)) for flow in (forward, inverted))
    x = normal(5, 3)
    np.testing.assert_allclose(
        forward.bijector.inverse(x), inverted.bijector.forward(tf.identity(x)), rtol=1e-6
    )


def test_orders_of_the_layers():
    def orders(order):
        layers = maf(5, num_layers=3, hidden_units=[4], order=order, seed=0).bijector.bijectors
        return [list(layer.order) for layer in layers[::-1]]

    ascending = [0, 1, 2, 3, 4]
    assert orders("alternate") == [ascending, ascending[::-1], ascending]
    drawn = orders("random")
    assert all(sorted(order) == ascending for order in drawn)
    assert orders(np.array(drawn)) == drawn
    with pytest.raises(ValueError, match=r"`order`: expected.*3 permutations.*received \[\["):
        orders(drawn[:2])
    assert drawn[0] != drawn[1] != drawn[2]


def test_one_dimension():
    """A flow on the line: an affine map, whose parameters depend on the context alone."""
    conditional = perturbed("maf", 1, context_size=2)
    flow = conditional(normal(2))
    y = np.linspace(-30.0, 30.0, 2001, dtype=np.float32)[:, np.newaxis]
    assert abs(np.exp(flow.log_prob(y)).sum() * (y[1, 0] - y[0, 0]) - 1.0) < 1e-3


NETWORK = masked(3)
BAD_LAYERS = {
    "no callable": ({"conditioner": 3, "event_size": 3}, TypeError, "callable", "int"),
    "no transformer": ({"transformer": tfb.Exp()}, TypeError, "Transformer", "Exp"),
    "event_size unknown": (
        {"conditioner": lambda y: y},
        ValueError,
        "`event_size`: expected an integer",
        "None",
    ),
    "event_size": ({"event_size": 4}, ValueError, "`order`", "received array([0, 1, 2])"),
    "order": ({"order": [0, 1, 1]}, ValueError, "`order`: expected a permutation", "[0, 1, 1]"),
    "another order": ({"order": [2, 1, 0]}, ValueError, "the conditioner's order", "[2, 1, 0]"),
    "output width": (
        {"transformer": tff.transformers.Additive()},
        ValueError,
        "output_size 3 for events of size 3",
        "received 6",
    ),
}


@pytest.mark.parametrize("bad", BAD_LAYERS)
def test_bad_arguments(bad):
    changed, error, expected, received = BAD_LAYERS[bad]
    with pytest.raises(error) as raised:
        Autoregressive(**{"transformer": AFFINE, "conditioner": NETWORK} | changed)
    assert expected in str(raised.value)
    assert received in str(raised.value)


def test_conditioner_with_wrong_width():
    bijector = Autoregressive(AFFINE, lambda y: tf.zeros([4, 5]), event_size=3)
    with pytest.raises(ValueError, match=r"`conditioner`.*\(\.\.\., 6\).*\(4, 5\)"):
        bijector.inverse(tf.zeros([4, 3]))


BAD_NETWORKS = {
    "event_size": ({"event_size": 0}, "`event_size`.*at least 1.*received 0"),
    "num_params": ({"num_params": 0}, "`num_params`.*at least 1.*received 0"),
    "hidden_units": ({"hidden_units": [4, 0]}, r"`hidden_units\[1\]`.*at least 1.*received 0"),
    "one unit": (
        {"hidden_units": [1], "context_size": 2},
        r"`hidden_units\[0\]`.*at least 2.*received 1",
    ),
    "order": ({"order": [0, 1, 3, 4]}, r"`order`.*0 to 3.*received \[0, 1, 3, 4\]"),
    "order name": ({"order": "reversed"}, "`order`.*permutation.*received 'reversed'"),
}


@pytest.mark.parametrize("bad", BAD_NETWORKS)
def test_bad_networks(bad):
    changed, message = BAD_NETWORKS[bad]
    with pytest.raises(ValueError, match=message):
        masked(**changed)


def test_bad_recipes():
    with pytest.raises(ValueError, match=r"`order`.*'alternate'.*received 'up'"):
        maf(3, order="up")
    with pytest.raises(TypeError, match=r"`transformer`.*received int"):
        iaf(3, transformer=3)
    with pytest.raises(ValueError, match=r"`structure`.*'coupling'.*received 'tree'"):
        neural_spline(3, structure="tree")
    with pytest.raises(ValueError, match=r"`event_size`: expected at least 2"):
        neural_spline(1)
    with pytest.raises(ValueError, match=r"`num_layers`: expected at least 1"):
        maf(3, num_layers=0)
