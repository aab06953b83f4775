"""Parameters from data: `flows.initialize`, `flows.update_statistics`, and training with both."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

import tfp_flows as tff
from tfp_flows.bijectors import ActNorm, BatchNorm, InvertibleConv1x1, InvertibleLinear
from tfp_flows.flows import initialize, update_statistics

tfb, tfd = tfp.bijectors, tfp.distributions
RNG = np.random.default_rng(0)
DATA = (RNG.normal(size=[300, 2]) @ [[3.0, 1.0], [0.0, 0.2]] + [7.0, -40.0]).astype(np.float32)


def flow_of(*bijectors, size=2, dtype=tf.float32):
    """A flow whose last bijector is next to the base."""
    return tfd.TransformedDistribution(
        tff.distributions.standard_normal(size, dtype), tfb.Chain(list(bijectors))
    )


def coupling(mask, seed=0):
    network = tff.networks.MLP(1, 2, [4], activation="tanh", zero_init_last=False, seed=seed)
    return tff.bijectors.Coupling(tff.transformers.Affine(), network, mask)


def assert_normalized(x, axis=0, tolerance=2e-6):
    np.testing.assert_allclose(np.mean(x, axis, np.float64), 0.0, atol=tolerance)
    np.testing.assert_allclose(np.std(x, axis, np.float64), 1.0, atol=tolerance)


def test_every_layer_normalizes():
    """In the order of `log_prob`, in nested chains, inverted or not, beside other layers."""
    norms = [ActNorm.with_variables([2]) for _ in range(4)]
    couplings = [coupling([True, False]), coupling([False, True]), coupling([True, False], seed=1)]
    flow = flow_of(
        norms[0],
        couplings[0],
        tfb.Invert(norms[1]),
        tfb.Chain([couplings[1], norms[2]]),
        tfb.Invert(tfb.Chain([tfb.Invert(norms[3]), couplings[2]])),
    )
    networks = [v for v in flow.variables if v.name.startswith("mlp")]
    before = [v.numpy() for v in networks]
    initialize(flow, DATA)
    for variable, value in zip(networks, before, strict=True):
        np.testing.assert_array_equal(variable, value)

    x = tf.constant(DATA)
    for direction in (
        norms[0].inverse,
        couplings[0].inverse,
        norms[1].forward,
        couplings[1].inverse,
        norms[2].inverse,
        couplings[2].forward,
        norms[3].inverse,
    ):
        x = direction(tf.identity(x))
        if isinstance(direction.__self__, ActNorm):
            assert_normalized(x)
    np.testing.assert_allclose(x, flow.bijector.inverse(DATA), rtol=1e-5, atol=1e-5)


def test_is_the_standard_score():
    act_norm = ActNorm.with_variables([2], dtype=tf.float64)
    flow = flow_of(act_norm, dtype=tf.float64)
    initialize(flow, DATA)
    data = DATA.astype(np.float64)
    np.testing.assert_allclose(act_norm.shift, data.mean(0), rtol=1e-13)
    scale = 1e-6 + (1.0 - 1e-6) * np.log1p(np.exp(act_norm.raw_scale + np.log(np.e - 1.0)))
    np.testing.assert_allclose(scale, data.std(0), rtol=1e-12)
    gaussian = tfd.MultivariateNormalDiag(data.mean(0), data.std(0))
    np.testing.assert_allclose(flow.log_prob(data), gaussian.log_prob(data), rtol=1e-11)


def test_images():
    images = RNG.gamma(2.0, size=[20, 4, 2, 3]) * [1.0, 5.0, 0.1] + [0.0, 9.0, -3.0]
    norm = ActNorm.with_variables([4, 2, 3], dtype=tf.float64)
    mix = InvertibleConv1x1.with_variables([4, 2, 3], seed=0, dtype=tf.float64)
    base = tfd.Independent(tfd.Normal(tf.zeros([4, 2, 3], tf.float64), tf.ones([], tf.float64)), 3)
    initialize(tfd.TransformedDistribution(base, tfb.Chain([mix, norm])), images)
    for channel in np.moveaxis(norm.inverse(mix.inverse(images)), -1, 0):
        assert_normalized(channel, axis=None, tolerance=1e-13)


def test_batch_of_flows():
    """One set of statistics for each member of a batch, and one for all where it is shared."""
    single, shared = ActNorm(*variables([3, 2], [3, 2])), ActNorm(*variables([2], [2]))
    base = tfd.BatchBroadcast(tff.distributions.standard_normal(2), [3])
    flow = tfd.TransformedDistribution(base, tfb.Chain([shared, single]))
    x = tf.constant(DATA.reshape(100, 3, 2))
    initialize(flow, x)
    x = shared.inverse(x)
    assert_normalized(x, axis=(0, 1))
    assert_normalized(single.inverse(x))


def test_bases_and_distributions_of_parts():
    """A base that is a flow, behind TFP's wrappers and behind a distribution that walks."""

    class Scaled(tfd.Normal):
        def __init__(self, inner):
            super().__init__(0.0, 1.0)
            self._inner = inner

        def _walk_inverse(self, step_fn, y):
            return step_fn(self._inner, 0.1 * y)

        event_shape = property(lambda self: self._inner.event_shape)

    norms = [ActNorm.with_variables([2]) for _ in range(2)]
    base = tfd.Independent(tfd.Sample(flow_of(norms[1])), 0)
    initialize(Scaled(tfd.TransformedDistribution(base, norms[0])), DATA)
    np.testing.assert_allclose(norms[0].shift, 0.1 * DATA.mean(0), rtol=1e-5)
    np.testing.assert_allclose(norms[1].shift, [0.0, 0.0], atol=2e-6)
    np.testing.assert_allclose(norms[1].raw_scale, [0.0, 0.0], atol=2e-6)


class Layers(tf.Module):
    """A normalization layer, and a coupling that sees the context."""

    def __init__(self):
        super().__init__()
        self.norm = ActNorm.with_variables([2])
        self.network = tff.networks.MLP(1, 2, [4], context_size=1, zero_init_last=False, seed=0)

    def __call__(self, context):
        network = functools.partial(self.network, context=context)
        see = tff.bijectors.Coupling(tff.transformers.Affine(), network, [True, False])
        return tfb.Chain([see, self.norm])


def test_conditional():
    layers, base = Layers(), tff.distributions.standard_normal(2)
    flow = tff.distributions.ConditionalDistribution(layers, base, event_shape=[2], context_size=1)
    context = RNG.normal(size=[300, 1]).astype(np.float32)
    initialize(flow, DATA, context)
    assert_normalized(flow(context).bijector.inverse(DATA))
    with pytest.raises(ValueError, match="`context`: expected the contexts"):
        initialize(flow, DATA)


def test_constant_channels_and_large_means():
    values = np.stack([np.full(200, 0.1), np.zeros(200), 1e4 + 0.1 * RNG.normal(size=200)], axis=1)
    values = values.astype(np.float32)
    norm = ActNorm.with_variables([3])
    initialize(flow_of(norm, size=3), values)
    x = norm.inverse(values).numpy()
    np.testing.assert_array_equal(x[:, :2], np.zeros([200, 2]))
    np.testing.assert_allclose(norm.raw_scale[:2], 0.0, atol=1e-7)
    assert abs(x[:, 2].std(dtype=np.float64) - 1.0) < 1e-5
    assert abs(x[:, 2].mean(dtype=np.float64)) < 1e-2  # the mean itself has a spacing of 1e-3


def test_shared_layer_keeps_its_first_values():
    norm, between = ActNorm.with_variables([2]), coupling([True, False])
    initialize(flow_of(norm, between, norm), DATA)
    assert_normalized(norm.inverse(DATA))


def variables(*shapes):
    return [tf.Variable(tf.zeros(shape)) for shape in shapes]


class Hiding(tff.bijectors.FusedBijector):
    """Holds a layer, but does not let anybody walk through."""

    def __init__(self, inner):
        parameters = dict(locals())
        self._inner = inner
        super().__init__(forward_min_event_ndims=1, dtype=tf.float32, parameters=parameters)

    _event_shape = tf.TensorShape([2])

    def _forward_and_log_det(self, x):
        return self._inner.forward_and_log_det(x)

    def _inverse_and_log_det(self, y):
        return self._inner.inverse_and_log_det(y)


def test_subclass_that_does_not_describe_its_parameters():
    """Its batch shape is unknown, which only an input of unknown rank would ask for."""
    inner = tff.bijectors.Radial(tf.zeros([2]), 1.0, 0.5)
    call = tf.function(
        lambda x: Hiding(inner).forward_and_log_det(x), input_signature=[tf.TensorSpec(None)]
    )
    for a, b in zip(call(DATA), inner.forward_and_log_det(DATA), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


REFUSED = {
    "NaN": ([], lambda f: initialize(f, np.where(DATA[0] == DATA, np.nan, DATA)), "finite"),
    "infinite": ([], lambda f: initialize(f, np.full_like(DATA, np.inf)), "finite"),
    "empty": ([], lambda f: initialize(f, DATA[:0]), "`batch`"),
    "no rows": ([], lambda f: initialize(f, DATA[0]), "`batch`"),
    "event size": ([], lambda f: initialize(f, DATA[:, :1]), "`batch`"),
    "dtype": ([], lambda f: initialize(f, DATA.astype(int)), "expected a floating dtype"),
    "context": ([], lambda f: initialize(f, DATA, DATA), "`context`: expected None"),
    "traced": ([], lambda f: tf.function(initialize)(f, DATA), "outside of `tf.function`"),
    "overflow": (
        [tfb.Scale(tf.constant([1e-38, 1.0])), tfb.Scale(1e-8)],
        lambda f: initialize(f, DATA),
        "stay finite",
    ),
    "constants": (
        [ActNorm([0.0, 0.0], [0.0, 0.0])],
        lambda f: initialize(f, DATA),
        "expected a variable of shape (2,)",
    ),
    "other parameters": (
        [ActNorm(*variables([2], [3, 2]))],
        lambda f: initialize(f, DATA.reshape(100, 3, 2)),
        "argument `raw_scale`: expected a variable of shape (2,)",
    ),
    "hidden": ([Hiding(ActNorm.with_variables([2]))], lambda f: initialize(f, DATA), "followed"),
    "inverted": (
        [tfb.Invert(BatchNorm.with_variables([2]))],
        lambda f: initialize(f, DATA),
        "inverse direction",
    ),
    "update": ([], lambda f: update_statistics(f, DATA[:, :1]), "`batch`"),
    "update NaN": ([], lambda f: update_statistics(f, DATA * np.nan), "finite"),
    "update inverted": (
        [tfb.Invert(BatchNorm.with_variables([2]))],
        lambda f: update_statistics(f, DATA),
        "inverse direction",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_change_nothing(name):
    parts, call, message = REFUSED[name]
    flow = flow_of(ActNorm.with_variables([2]), BatchNorm.with_variables([2]), *parts)
    before = [v.numpy() for v in flow.variables]
    with pytest.raises((TypeError, ValueError)) as raised:
        call(flow)
    assert message in str(raised.value), str(raised.value)
    assert "received" in str(raised.value)
    for variable, value in zip(flow.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_nothing_to_initialize():
    with pytest.raises(ValueError, match="with an ActNorm or a BatchNorm"):
        initialize(flow_of(coupling([True, False])), DATA)
    with pytest.raises(TypeError, match="`distribution`"):
        initialize("flow", DATA)


def normalized_flow(seed=0):
    return flow_of(
        BatchNorm.with_variables([2]),
        InvertibleLinear.with_variables(2, seed),
        coupling([True, False], seed),
        BatchNorm.with_variables([2]),
        ActNorm.with_variables([2]),
    )


@pytest.mark.parametrize("way", ["checkpoint", "keras"])
def test_reloaded_is_not_initialized_again(way, tmp_path):
    flow, fresh = normalized_flow(), normalized_flow(seed=1)
    initialize(flow, DATA)
    expected = flow.log_prob(DATA).numpy()
    if way == "checkpoint":
        path = tf.train.Checkpoint(flow=flow).write(str(tmp_path / "flow"))
        tf.train.Checkpoint(flow=fresh).read(path).assert_consumed()
    else:
        path = str(tmp_path / "flow.weights.h5")
        tff.models.DensityModel(flow).save_weights(path)
        tff.models.DensityModel(fresh).load_weights(path)
    other = DATA[::-1] * 3.0 + 1.0  # evaluating other data first changes nothing
    fresh.log_prob(other)
    np.testing.assert_array_equal(fresh.log_prob(DATA), expected)


@pytest.mark.parametrize("mode", ["eager", "graph", "jit"])
def test_running_statistics_against_numpy(mode):
    """The running averages of a loop written out, for two layers one behind the other."""
    norms = [BatchNorm.with_variables([2], 0.7, dtype=tf.float64) for _ in range(2)]
    flow = flow_of(*norms, dtype=tf.float64)

    def update(x):
        update_statistics(flow, x)

    if mode != "eager":
        update = tf.function(update, jit_compile=mode == "jit")
    mean, variance = np.zeros([2, 2]), np.ones([2, 2])
    for step in range(3):
        x = DATA[50 * step : 50 * step + 50].astype(np.float64)
        update(tf.constant(x))
        for layer in range(2):
            mean[layer] = 0.7 * mean[layer] + 0.3 * x.mean(0)
            variance[layer] = 0.7 * variance[layer] + 0.3 * x.var(0)
            x = (x - mean[layer]) / np.sqrt(variance[layer] + 1e-5)
    for layer in range(2):
        np.testing.assert_allclose(norms[layer].mean, mean[layer], rtol=1e-11)
        np.testing.assert_allclose(norms[layer].variance, variance[layer], rtol=1e-11)


def test_updates_nothing_else():
    flow = flow_of(ActNorm.with_variables([2]), coupling([True, False]))
    before = [v.numpy() for v in flow.variables]
    update_statistics(flow, DATA)
    for variable, value in zip(flow.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


class TfKerasModel(tf_keras.Model):
    def __init__(self, distribution):
        super().__init__()
        self.distribution = distribution

    def train_step(self, data):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(self.distribution.log_prob(data))
        trained = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, trained), trained, strict=True))
        update_statistics(self.distribution, data)
        return {"loss": loss}


def fit_keras(flow, x):
    model = tff.models.DensityModel(flow)
    model.compile(keras.optimizers.Adam(0.05))
    assert len(model.non_trainable_variables) >= 4
    return model.fit(x, batch_size=60, epochs=5, verbose=0).history["loss"]


def fit_tf_keras(flow, x):
    model = TfKerasModel(flow)
    model.compile(tf_keras.optimizers.Adam(0.05))
    assert len(model.non_trainable_variables) == 4
    return model.fit(x, batch_size=60, epochs=5, verbose=0).history["loss"]


def fit_tape(flow, x):
    optimizer = keras.optimizers.Adam(0.05)
    optimizer.build(flow.trainable_variables)

    @tf.function(jit_compile=True)
    def step(x):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(flow.log_prob(x))
        trained = flow.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, trained), trained, strict=True))
        update_statistics(flow, x)
        return loss

    return [float(step(tf.constant(x))) for _ in range(25)]


@pytest.mark.parametrize("fit", [fit_keras, fit_tf_keras, fit_tape])
def test_training(fit):
    """With either Keras and without: the loss falls, and the statistics follow the data."""
    norms = BatchNorm.with_variables([2], 0.8), BatchNorm.with_variables([2], 0.8)
    flow = flow_of(norms[0], coupling([True, False]), norms[1])
    initialize(flow, DATA[:60])
    start = norms[0].mean.numpy()
    losses = fit(flow, DATA)
    assert np.all(np.isfinite(losses))
    assert losses[-1] < losses[0] - 0.2, losses
    assert not np.array_equal(norms[0].mean, start)
    np.testing.assert_allclose(norms[0].mean, DATA.mean(0), atol=0.2 * DATA.std(0).max())
