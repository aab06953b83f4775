"""Coupling: masks, conditioners of every kind, and how often they run."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

import tfp_flows as tff

tfb, tfd = tfp.bijectors, tfp.distributions
AFFINE = tff.transformers.Affine()
MASK = [True, True, False, False, False]


def weights(seed=0):
    return tf.Variable(0.5 * np.random.default_rng(seed).normal(size=[2, 6]), dtype=tf.float32)


def reference(x, params, mask):
    """RealNVP written out with NumPy."""
    x, y = np.asarray(x, np.float64), np.array(x, np.float64)
    mask = np.asarray(mask)
    params = np.asarray(params, np.float64).reshape(*x.shape[:-1], -1, 2)
    scale = 1e-3 + (1 - 1e-3) * np.log1p(np.exp(params[..., 1] + np.log(np.e - 1)))
    y[..., ~mask] = x[..., ~mask] * scale + params[..., 0]
    return y, np.log(scale).sum(-1)


@pytest.mark.parametrize(
    "mask", [MASK, [not m for m in MASK], [False, True, False, True, False]], ids=str
)
def test_against_reference(mask):
    kernel = tf.constant(
        np.random.default_rng(0).normal(size=[sum(mask), 2 * (5 - sum(mask))]), tf.float32
    )
    coupling = tff.bijectors.Coupling(AFFINE, lambda x: tf.tanh(x @ kernel), mask)
    x = np.random.default_rng(1).normal(size=[7, 5]).astype(np.float32)
    y, log_det = coupling.forward_and_log_det(x)
    params = np.tanh(x[:, np.asarray(mask)] @ kernel.numpy())
    expected_y, expected_log_det = reference(x, params, mask)
    np.testing.assert_allclose(y, expected_y, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(log_det, expected_log_det, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(y.numpy()[:, np.asarray(mask)], x[:, np.asarray(mask)])


class Counting:
    """A conditioner that counts its Python calls, and its runs inside compiled code."""

    def __init__(self):
        self.kernel = weights()
        self.calls = 0
        self.runs = 0

    def __call__(self, x):
        self.calls += 1
        tf.py_function(self._count, [], [])
        return tf.tanh(x @ self.kernel)

    def _count(self):
        self.runs += 1


USES = {
    "log_prob": lambda flow: flow.log_prob(tf.ones([3, 5])),
    "sample": lambda flow: flow.sample(3, seed=1),
    "sample_and_log_prob": lambda flow: flow.experimental_sample_and_log_prob(3, seed=1),
}


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("inverted", [False, True])
def test_conditioner_runs_once_a_layer(use, traced, inverted):
    conditioners = [Counting() for _ in range(3)]
    layers = [
        tff.bijectors.Coupling(AFFINE, c, MASK, name=f"layer_{i}")
        for i, c in enumerate(conditioners)
    ]
    bijector = tfb.Chain([layers[0], tfb.Permute([2, 3, 4, 0, 1]), *layers[1:]])
    bijector = tfb.Invert(bijector) if inverted else bijector
    flow = tfd.TransformedDistribution(tff.distributions.standard_normal(5), bijector)
    run = functools.partial(USES[use], flow)
    if traced:
        run = tf.function(run)
    tf.nest.map_structure(tf.identity, run())
    assert [c.calls for c in conditioners] == [1, 1, 1]
    assert [c.runs for c in conditioners] == [1, 1, 1]


def closure(kernel):
    return lambda x: tf.tanh(x @ kernel)


class Method:
    def __init__(self, kernel):
        self.kernel = kernel

    def apply(self, x):
        return tf.tanh(x @ self.kernel)


def keras_3(_):
    return keras.Sequential([keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(6)])


def keras_2(_):
    return tf_keras.Sequential(
        [tf_keras.layers.Dense(4, activation="tanh"), tf_keras.layers.Dense(6)]
    )


CONDITIONERS = {
    "closure": (closure, 1),
    "partial": (lambda kernel: functools.partial(tf.linalg.matmul, b=kernel), 1),
    "method": (lambda kernel: Method(kernel).apply, 1),
    "module": (lambda _: tff.networks.MLP(2, 6, [4]), 4),
    "keras_3": (keras_3, 4),
    "keras_2": (keras_2, 4),
    "closure of keras_3": (lambda _: (lambda net: lambda x: net(x))(built(keras_3(None))), 4),
}


def built(network):
    network.build((None, 2))
    return network


@pytest.mark.parametrize("kind", CONDITIONERS)
def test_variables_are_complete(kind):
    make, expected = CONDITIONERS[kind]
    coupling = tff.bijectors.Coupling(AFFINE, make(weights()), MASK)
    flow = tfd.TransformedDistribution(
        tff.distributions.standard_normal(5), tfb.Chain([tfb.Invert(coupling)])
    )
    assert len(coupling.trainable_variables) == expected
    assert len(flow.trainable_variables) == expected
    with tf.GradientTape() as tape:
        loss = -tf.reduce_mean(flow.log_prob(tf.random.stateless_normal([6, 5], [0, 1])))
    gradients = tape.gradient(loss, flow.trainable_variables)
    assert all(g is not None for g in gradients)


@pytest.mark.parametrize("make", [keras_3, keras_2])
@pytest.mark.parametrize("shape", [[], [4], [2, 3]])
def test_keras_conditioners_take_any_batch_shape(make, shape):
    coupling = tff.bijectors.Coupling(AFFINE, make(None), MASK)
    x = tf.random.stateless_normal([*shape, 5], [0, 1])
    y, log_det = coupling.forward_and_log_det(x)
    assert y.shape == x.shape
    assert log_det.shape == shape
    np.testing.assert_allclose(coupling.inverse(tf.identity(y)), x, atol=1e-5)


def test_convolutional_conditioner_on_a_checkerboard():
    mask = np.add.outer(np.arange(4), np.arange(4)) % 2 == 0
    mask = mask[..., np.newaxis]
    conv = keras.layers.Conv2D(2, 3, padding="same", kernel_initializer="glorot_uniform")
    coupling = tff.bijectors.Coupling(AFFINE, conv, mask)
    x = tf.random.stateless_normal([2, 5, 4, 4, 1], [0, 1])
    y, log_det = coupling.forward_and_log_det(x)
    assert log_det.shape == [2, 5]
    np.testing.assert_array_equal(y.numpy()[..., mask], x.numpy()[..., mask])
    assert not np.allclose(y.numpy()[..., ~mask], x.numpy()[..., ~mask])
    np.testing.assert_allclose(coupling.inverse(tf.identity(y)), x, atol=1e-5)


def test_network_in_lower_precision():
    """The log-det is accumulated in the dtype of the input, whatever the network's."""
    network = keras.layers.Dense(6, dtype="mixed_bfloat16", kernel_initializer="ones")
    coupling = tff.bijectors.Coupling(AFFINE, network, MASK)
    x = tf.random.stateless_normal([4, 5], [0, 1])
    y, log_det = coupling.forward_and_log_det(x)
    assert y.dtype == log_det.dtype == tf.float32
    np.testing.assert_allclose(coupling.inverse(tf.identity(y)), x, atol=1e-5)


def test_volume_preserving_layers_have_an_entropy():
    """NICE without scaling keeps the entropy of its base: TFP is told of the constant Jacobian."""
    coupling = tff.bijectors.Coupling(
        tff.transformers.Additive(), tff.networks.MLP(2, 3, [4]), MASK
    )
    base = tff.distributions.standard_normal(5)
    flow = tfd.TransformedDistribution(base, coupling)
    np.testing.assert_allclose(flow.entropy(), base.entropy())
    assert coupling.is_constant_jacobian


NETWORK = tff.networks.MLP(2, 6, [4])
BAD_ARGUMENTS = {
    "mask of integers": ({"mask": [1, 1, 0, 0, 0]}, TypeError, "boolean", "int64"),
    "mask keeps all": ({"mask": [True] * 5}, ValueError, "both", "only True"),
    "mask moves all": ({"mask": [False] * 5}, ValueError, "both", "only False"),
    "scalar mask": ({"mask": True}, ValueError, "at least one axis", "scalar"),
    "no callable": ({"conditioner": 3}, TypeError, "callable", "int"),
    "no transformer": ({"transformer": tfb.Exp()}, TypeError, "Transformer", "Exp"),
    "transformer class": (
        {"transformer": tff.transformers.Affine},
        TypeError,
        "Transformer",
        "received",
    ),
    "input width": ({"mask": [True, False, False]}, ValueError, "input_size 1", "received 2"),
    "output width": (
        {"mask": [True, True, False, False]},
        ValueError,
        "output_size 4",
        "received 6",
    ),
}


@pytest.mark.parametrize("bad", BAD_ARGUMENTS)
def test_bad_arguments(bad):
    changed, error, expected, received = BAD_ARGUMENTS[bad]
    arguments = {"transformer": AFFINE, "conditioner": NETWORK, "mask": MASK} | changed
    with pytest.raises(error) as raised:
        tff.bijectors.Coupling(**arguments)
    message = str(raised.value)
    assert f"`{next(iter(changed))}`" in message or "`conditioner`" in message
    assert expected in message
    assert received in message


@pytest.mark.parametrize("width", [5, 7])
def test_conditioner_with_wrong_width(width):
    coupling = tff.bijectors.Coupling(AFFINE, lambda x: tf.zeros([4, width]), MASK)
    with pytest.raises(ValueError, match=rf"`conditioner`.*\(\.\.\., 6\).*\(4, {width}\)"):
        coupling.forward(tf.zeros([4, 5]))
