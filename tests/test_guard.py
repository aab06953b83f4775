"""A loss or a gradient that is not finite stops training, is explained, and does no harm."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_flows as tff

tfd = tfp.distributions
X = np.random.default_rng(0).uniform(0.5, 2.0, size=[80, 2]).astype("float32")
SPOILED = X.copy()
SPOILED[29] = -1.0  # not the exponential of anything; in batch 3 of 8 rows


def flow():
    """Of positive numbers."""
    flow = tff.flows.real_nvp(2, num_layers=2, hidden_units=[4], seed=0)
    return tfd.TransformedDistribution(flow, tfp.bijectors.Exp())


def density(optimizer=None, distribution=None, **settings):
    keras.utils.set_random_seed(0)
    model = tff.models.DensityModel(flow() if distribution is None else distribution)
    model.compile(optimizer or keras.optimizers.Adam(1e-2), **settings)
    return model


def values(model):
    return [keras.ops.convert_to_numpy(weight) for weight in model.weights]


def assert_same(actual, expected):
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, e)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        pytest.param({"jit_compile": True}, marks=pytest.mark.slow),
        {"run_eagerly": True},
        {"steps_per_execution": 5},
    ],
    ids=str,
)
def test_a_bad_batch(settings):
    expected = density(**settings)
    if "steps_per_execution" in settings:
        expected.compile(keras.optimizers.Adam(1e-2))
    expected.fit(X[:24], batch_size=8, shuffle=False, verbose=0)
    model = density(**settings)
    place = (
        "the output of layer 0 of the distribution, counted from the data .* 'exp', of class Exp"
    )
    with pytest.raises(
        FloatingPointError, match=f"batch 3 of epoch 0 .*{place}.*before that batch"
    ):
        model.fit(SPOILED, batch_size=8, shuffle=False, verbose=0)
    assert_same(values(model), values(expected))
    model.fit(X, batch_size=8, verbose=0)  # and it can go on


def test_data_that_come_in_another_order():
    model = density()
    data = tf.data.Dataset.from_tensor_slices(SPOILED).shuffle(80).batch(8)
    with pytest.raises(FloatingPointError, match="First is the output of layer 0"):
        model.fit(data, verbose=0)
    assert np.isfinite(model.evaluate(X, verbose=0, return_dict=True)["loss"])


def test_data_that_cannot_be_read_again():
    model = density()
    model.build((None, 2))
    with pytest.raises(FloatingPointError, match=r"batch 3 of epoch 0.*not found again"):
        model.fit(iter(np.split(SPOILED, 10)), steps_per_epoch=10, verbose=0)
    assert np.isfinite(model.evaluate(X, verbose=0, return_dict=True)["loss"])


def test_weights_that_are_at_fault():
    model = density(keras.optimizers.SGD(1e30))
    first = values(model)
    with pytest.raises(FloatingPointError, match=r"batch 1 of epoch 0.*last weights known to be"):
        model.fit(X, batch_size=8, verbose=0)
    assert_same(values(model), first)


class Spoil(keras.callbacks.Callback):
    """Makes weights NaN after a number of batches."""

    def __init__(self, weights, num_batches):
        super().__init__()
        self.weights = weights
        self.left = num_batches

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            for weight in self.weights:
                weight.assign(np.nan * weight)


def test_how_far_training_goes_back():
    """To the copy after 64 batches, not to the one that nobody has tried."""
    x = np.tile(X, [10, 1])
    expected = density()
    expected.fit(x, batch_size=8, shuffle=False, verbose=0, steps_per_epoch=64)
    model = density()
    spoil = Spoil(model.trainable_weights, 96)
    with pytest.raises(FloatingPointError, match="batch 96 of epoch 0"):
        model.fit(x, batch_size=8, shuffle=False, verbose=0, callbacks=[spoil])
    assert_same(values(model), values(expected))


def test_a_coupling_layer_is_named():
    model = density()
    last = model.distribution.distribution.bijector.bijectors[-1]  # the one next to the base
    spoil = Spoil(last.trainable_variables, 2)
    with pytest.raises(FloatingPointError, match=r"layer \d of the .*of class Coupling"):
        model.fit(X, batch_size=8, verbose=0, callbacks=[spoil])


def vae():
    encoder = keras.Sequential([keras.layers.Dense(3), keras.layers.Dropout(0.5)])
    decoder = keras.Sequential([keras.layers.Dense(4, "elu"), keras.layers.Dense(2, name="last")])
    posterior = tff.flows.planar(2, num_layers=2, context_size=3, seed=0)
    return tff.models.FlowVAE(encoder, decoder, posterior, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("weight", "place"),
    [
        (lambda m: m.encoder.weights, "the output of layer 0 of the encoder"),
        (lambda m: m.posterior.trainable_variables, "of the (base of the )?posterior"),
        (lambda m: m.decoder.weights[-2:], "the output of layer 1 of the decoder, 'last'"),
    ],
    ids=["encoder", "posterior", "decoder"],
)
def test_vae(weight, place):
    model = vae()
    model.compile(keras.optimizers.Adam(1e-3))
    spoil = Spoil(weight(model), 3)
    with pytest.raises(FloatingPointError, match=f"batch 3 of epoch 0.*{place}"):
        model.fit((X > 1).astype("float32"), batch_size=8, verbose=0, callbacks=[spoil])
    assert all(np.isfinite(value).all() for value in values(model))


@pytest.mark.parametrize(
    ("target", "place"),
    [
        (lambda z: tf.math.log(-1.0 - z[:, 0] ** 2), "the log-density of the target"),
        (lambda z: -tf.sqrt(0.0 * z[:, 0]), "the gradient of '.*', and those of"),
    ],
    ids=["value", "gradient"],
)
def test_reverse_kl(target, place):
    """The second target has a finite value, and no finite gradient."""
    flow = tff.flows.real_nvp(2, num_layers=2, hidden_units=[4], seed=0)
    model = tff.models.ReverseKLModel(flow, target)
    model.compile("adam")
    before = values(model)
    with pytest.raises(FloatingPointError, match=f"batch 0 of epoch 0.*{place}.*first weights"):
        model.fit(steps_per_epoch=3, batch_size=8, verbose=0)
    assert_same(values(model), before)


def test_train_on_batch():
    model = density()
    before = values(model)
    with pytest.raises(FloatingPointError, match=r"this batch.*layer 0.*before that batch"):
        model.train_on_batch(SPOILED)
    assert_same(values(model), before)
    model.train_on_batch(X)
    assert any(not np.array_equal(a, b) for a, b in zip(values(model), before, strict=True))


def test_draws_are_followed_as_they_are_sampled():
    """What explains a bad draw must look at the very same one."""
    from tfp_flows.models import _non_finite

    flow = tff.flows.maf(2, num_layers=2, hidden_units=[4], seed=0)
    z = _non_finite.check_sample("distribution", flow, 5, [1, 2])
    np.testing.assert_allclose(z, flow.sample(5, seed=[1, 2]), rtol=1e-6)
