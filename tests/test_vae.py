"""`FlowVAE`: it trains the bound of the paper, and its estimates of log p(x) are right."""

import functools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import distributions, flows
from tfp_flows.models import FlowVAE

tfb, tfd = tfp.bijectors, tfp.distributions

LATENT, SHAPE = 2, (4, 4, 1)
PIXELS = math.prod(SHAPE)


def networks(context_size=2 * LATENT):
    encoder = keras.Sequential(
        [keras.layers.Flatten(), keras.layers.Dense(8, "elu"), keras.layers.Dense(context_size)],
        name="encoder",
    )
    decoder = keras.Sequential(
        [
            keras.layers.Dense(8, "elu"),
            keras.layers.Dense(PIXELS),
            keras.layers.Reshape(SHAPE),
        ],
        name="decoder",
    )
    return encoder, decoder


def gaussian_posterior(context):
    loc, scale = tf.split(context, 2, axis=-1)
    return tfd.MultivariateNormalDiag(loc, 1e-3 + tf.nn.softplus(scale))


class FlowPosterior(tf.Module):
    """A Gaussian that is shifted by a variable of the posterior."""

    def __init__(self, dtype=tf.float32):
        super().__init__()
        self.event_shape = tf.TensorShape([LATENT])
        self.context_size = 2 * LATENT
        self.dtype = dtype
        self.shift = tf.Variable(tf.zeros([LATENT], dtype), name="shift")

    def __call__(self, context):
        return tfd.TransformedDistribution(gaussian_posterior(context), tfb.Shift(self.shift))


def images(n=32, dtype="uint8", seed=0):
    """Two prototypes with noise, so that there is something to learn."""
    generator = np.random.default_rng(seed)
    prototypes = generator.integers(0, 2, [2, *SHAPE])
    flips = generator.uniform(size=[n, *SHAPE]) < 0.05
    return (prototypes[generator.integers(0, 2, n)] ^ flips).astype(dtype)


def vae(*arguments, seed=0, optimizer=None, run_eagerly=True, **kwargs):
    """A small model; eager unless the test is about graphs, since tracing takes longer."""
    keras.utils.set_random_seed(1)
    model = FlowVAE(*networks(), *(arguments or (FlowPosterior(),)), seed=seed, **kwargs)
    model.compile(optimizer or keras.optimizers.Adam(1e-2), run_eagerly=run_eagerly)
    return model


# The numbers.


def test_loss_and_metrics_are_the_terms_of_the_bound():
    model = vae(FlowPosterior(), tfd.MultivariateNormalDiag([0.5, -0.5], [1.5, 0.7]))
    x = images()
    logs = model.evaluate(x, batch_size=32, return_dict=True, verbose=0)
    # The first seed of an evaluation, by what the class says of it; the rest is done by hand.
    q = model.posterior(model.encoder(x))
    z, log_q = q.experimental_sample_and_log_prob(seed=[int(model._evaluation_seeds.state[0]), 0])
    logits = model.decoder(z).numpy().astype("float64")
    log_x = np.sum(x * logits - np.logaddexp(0.0, logits), axis=(1, 2, 3))
    log_z = model.prior.log_prob(z)
    reconstruction, kl = -np.mean(log_x), np.mean(log_q - log_z)
    np.testing.assert_allclose(logs["reconstruction"], reconstruction, rtol=1e-5)
    np.testing.assert_allclose(logs["kl"], kl, rtol=1e-4)
    np.testing.assert_allclose(logs["neg_elbo"], reconstruction + kl, rtol=1e-5)
    np.testing.assert_allclose(logs["loss"], reconstruction + kl, rtol=1e-5)
    np.testing.assert_allclose(
        logs["bits_per_dim"], (reconstruction + kl) / (PIXELS * math.log(2.0)), rtol=1e-5
    )
    assert set(logs) == {"loss", "neg_elbo", "reconstruction", "kl", "bits_per_dim"}


def test_warm_up_follows_equation_20():
    model = vae(beta_warmup_steps=8, optimizer=keras.optimizers.SGD(0.0))
    seen = {"beta": [], "loss": [], "kl": [], "neg_elbo": [], "reconstruction": []}

    class Recorder(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            for name, values in seen.items():
                values.append(logs[name])

    history = model.fit(
        images(), batch_size=32, epochs=10, shuffle=False, callbacks=[Recorder()], verbose=0
    )
    beta = np.minimum(1.0, 0.01 + np.arange(10) / 8)
    np.testing.assert_allclose(seen["beta"], beta, rtol=1e-5)
    np.testing.assert_allclose(history.history["beta"], beta, rtol=1e-5)
    # One batch an epoch, so the first logs are of the first draw alone. By hand:
    model = vae(beta_warmup_steps=8, optimizer=keras.optimizers.SGD(0.0))
    x = tf.constant(images())
    q = model.posterior(model.encoder(x))
    z, log_q = q.experimental_sample_and_log_prob(seed=[0, 0])
    log_q, log_z = np.mean(log_q), np.mean(model.prior.log_prob(z))
    np.testing.assert_allclose(seen["kl"][0], log_q - log_z, rtol=1e-4)
    np.testing.assert_allclose(
        seen["loss"][0], log_q - beta[0] * (-seen["reconstruction"][0] + log_z), rtol=1e-4
    )
    # Without warm-up, and in evaluation always, beta is 1.
    plain = vae(optimizer=keras.optimizers.SGD(0.0)).fit(images(), verbose=0).history
    assert plain["beta"] == [1.0]
    np.testing.assert_allclose(plain["loss"], plain["neg_elbo"], rtol=1e-5)
    logs = model.evaluate(images(), return_dict=True, verbose=0)
    np.testing.assert_allclose(logs["loss"], logs["neg_elbo"], rtol=1e-5)


def linear_gaussian(size=3, noise=0.5, dtype="float64"):
    """p(z) = N(0, 1), p(x|z) = N(A z + b, noise^2): log p(x) is known, and so is p(z|x)."""
    generator = np.random.default_rng(0)
    matrix = generator.normal(size=[size, LATENT])
    offset = generator.normal(size=size)
    encoder = keras.layers.Dense(2 * LATENT, dtype=dtype)
    decoder = keras.layers.Dense(size, dtype=dtype)
    posterior = FlowPosterior(tf.as_dtype(dtype))
    model = FlowVAE(
        encoder,
        decoder,
        posterior,
        likelihood=lambda out: tfd.Independent(tfd.Normal(out, tf.cast(noise, out.dtype)), 1),
        seed=0,
    )
    decoder.set_weights([matrix.T, offset])
    covariance = matrix @ matrix.T + noise**2 * np.eye(size)
    exact = tfd.MultivariateNormalTriL(offset, np.linalg.cholesky(covariance))
    x = exact.sample(40, seed=[1, 2]).numpy()
    # A posterior near the true one: its mean exactly, its scale a little too wide.
    gain = matrix.T @ np.linalg.inv(covariance)
    true_scale = np.sqrt(np.diag(np.eye(LATENT) - gain @ matrix))
    scale = np.log(np.expm1(1.3 * true_scale - 1e-3))
    encoder.set_weights(
        [
            np.concatenate([gain.T, np.zeros([size, LATENT])], axis=1),
            np.concatenate([-gain @ offset, scale]),
        ]
    )
    return model, x, exact


def test_importance_weights_give_the_exact_density_of_a_linear_gaussian_model():
    model, x, exact = linear_gaussian()
    log_prob = exact.log_prob(x).numpy()
    runs = np.stack([model.importance_log_prob(x, 400, batch_size=16, seed=s) for s in range(8)])
    assert runs.shape == (8, 40)
    assert runs.dtype == np.float64
    error = np.std(runs, axis=0, ddof=1)
    # The log of a mean is biased by minus half the variance of the mean's relative error.
    bias = runs.mean(0) - (log_prob - 0.5 * error**2)
    assert np.max(np.abs(bias) / (error / math.sqrt(8))) < 6.0
    assert np.max(error) < 0.1
    # The evidence bound is further away, on the same side.
    elbo = np.mean([model.elbo(x, 100, seed=s) for s in range(4)], axis=0)
    assert np.all(elbo < runs.mean(0) - 0.01)


def test_chunks_and_batches_do_not_change_what_is_estimated():
    model, x, exact = linear_gaussian()
    # One sample: the importance-weighted estimate is the evidence bound's.
    one = model.importance_log_prob(np.repeat(x, 50, axis=0), 1, batch_size=500, seed=0)
    elbo = model.elbo(np.repeat(x, 50, axis=0), seed=1)
    np.testing.assert_allclose(
        one.reshape([40, 50]).mean(1), elbo.numpy().reshape([40, 50]).mean(1), atol=0.6
    )
    # 30 samples in chunks of 7: the last chunk counts for two. Many rows make the mean tight.
    rows = np.repeat(x[:4], 200, axis=0)
    means = [
        model.importance_log_prob(rows, 30, chunk_size=chunk, batch_size=size, seed=3)
        .reshape([4, 200])
        .mean(axis=1)
        for chunk, size in [(7, 64), (30, 800)]
    ]
    np.testing.assert_allclose(means[0], means[1], atol=0.03)
    # One seed, one result; and rows of a padded batch are not mixed up.
    again = model.importance_log_prob(rows, 30, chunk_size=7, batch_size=64, seed=3)
    np.testing.assert_array_equal(again.reshape([4, 200]).mean(axis=1), means[0])
    spread = np.abs(model.importance_log_prob(x, 50, batch_size=7, seed=0) - exact.log_prob(x))
    assert np.max(spread) < 1.0


def test_importance_weights_do_not_overflow():
    model, x, _ = linear_gaussian(noise=1e-3, dtype="float32")
    far = (x + 1e3).astype("float32")
    assert np.all(np.isfinite(model.importance_log_prob(far, 10, seed=0)))


# Training.


def test_training_lowers_the_bound_and_improves_the_exact_density():
    model = vae(optimizer=keras.optimizers.Adam(2e-2), run_eagerly=False)
    x = images(128)
    history = model.fit(x, epochs=15, batch_size=32, validation_data=images(32, seed=0), verbose=0)
    values = history.history
    assert values["neg_elbo"][-1] < values["neg_elbo"][0] - 2.0
    assert values["val_neg_elbo"][-1] < values["val_neg_elbo"][0] - 2.0
    assert np.any(model.posterior.shift.numpy() != 0.0)
    bound = model.importance_log_prob(x[:16], 50, seed=0)
    assert np.mean(bound) > np.mean(model.elbo(x[:16], 50, seed=0))


def test_graphs_give_the_numbers_of_eager_mode_and_xla_draws_anew_in_every_step():
    losses = {}
    for name, mode in {
        "eager": {"run_eagerly": True},
        "graph": {"jit_compile": False},
        "xla": {"jit_compile": True},
    }.items():
        model = vae()
        model.compile(keras.optimizers.SGD(0.0), **mode)
        history = model.fit(images(), batch_size=16, epochs=4, shuffle=False, verbose=0).history
        losses[name] = history["loss"]
    np.testing.assert_allclose(losses["graph"], losses["eager"], rtol=1e-5)
    # TensorFlow's generator under XLA is another one, so these agree as random numbers do.
    assert len(set(losses["xla"])) == len(set(losses["eager"])) == 4
    np.testing.assert_allclose(np.mean(losses["xla"]), np.mean(losses["eager"]), rtol=0.03)


def test_two_runs_with_one_seed_are_equal_and_evaluation_does_not_disturb():
    def run(seed, **kwargs):
        model = vae(seed=seed)
        history = model.fit(images(), epochs=3, shuffle=False, verbose=0, **kwargs).history
        return model, history["loss"]

    model, losses = run(5)
    assert run(5)[1] == losses
    assert run(6)[1] != losses
    # Sampling and validation in between leave the training as it is.
    assert run(5, validation_data=images())[1] == losses
    first = model.evaluate(images(), verbose=0)
    model.sample(3)
    model.elbo(images())
    assert model.evaluate(images(), verbose=0) == first
    np.testing.assert_array_equal(
        model.predict(images(), verbose=0), model.predict(images(), verbose=0)
    )
    # Without a seed of its own, the model follows Keras's.
    assert run(None)[1] == run(None)[1]


def test_the_end_of_data_of_unknown_size_takes_no_seed():
    model = vae(run_eagerly=False)
    dataset = tf.data.Dataset.from_tensor_slices(images()).batch(16).filter(lambda x: True)
    model.fit(dataset, epochs=3, verbose=0)
    assert model._training_seeds.state.numpy()[1] == 6


def test_learned_prior_likelihood_and_posterior_are_weights_of_the_model():
    scale = tf.Variable(0.0, name="log_scale")
    prior = tfd.MultivariateNormalDiag(tf.Variable(tf.zeros(LATENT), name="prior_loc"))
    model = vae(
        FlowPosterior(),
        prior,
        likelihood=lambda out: tfd.Independent(tfd.Normal(out, tf.exp(scale)), 3),
    )
    owned = {w.path for w in model.trainable_weights}
    for path in ("posterior/shift", "prior/prior_loc", "likelihood/log_scale"):
        assert any(name.endswith(path) for name in owned), owned
    assert len(owned) == 4 + 4 + 3
    lines = []
    model.summary(print_fn=lambda line, **_: lines.append(line))
    for name in ("encoder", "decoder", "posterior", "prior", "likelihood"):
        assert name in "".join(lines)
    model.fit(images(dtype="float32") * 3.0, verbose=0)  # no bounds without Bernoulli
    assert all(np.any(v.numpy() != 0.0) for v in (scale, prior.loc, model.posterior.shift))


def test_variables_that_the_posterior_shares_with_the_encoder_are_owned_once():
    encoder, decoder = networks()
    shared = encoder.layers[1]

    def posterior(context):
        assert shared.built
        return gaussian_posterior(context)

    prior = tfd.MultivariateNormalDiag(tf.zeros(LATENT))
    model = FlowVAE(encoder, decoder, posterior, prior)
    assert len(model.trainable_weights) == 8


@pytest.mark.parametrize(
    "posterior",
    [
        lambda **kwargs: distributions.ConditionalGaussian(LATENT, **kwargs),
        functools.partial(flows.planar, LATENT, num_layers=2),
        functools.partial(flows.radial, LATENT, num_layers=2),
        functools.partial(flows.nice, LATENT, num_layers=2),
        functools.partial(flows.real_nvp, LATENT, num_layers=2),
    ],
    ids=["gaussian", "planar", "radial", "nice", "real_nvp"],
)
def test_every_posterior_of_the_package_trains_and_is_owned_once(posterior):
    posterior = posterior(context_size=2 * LATENT, seed=0)
    model = vae(posterior)
    own = [id(w._value) for w in model.get_layer("posterior").weights]
    assert sorted(own) == sorted(id(v) for v in posterior.variables)
    before = [v.numpy() for v in posterior.trainable_variables]
    losses = model.fit(images(64), epochs=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert all(
        np.any(v.numpy() != b) for v, b in zip(posterior.trainable_variables, before, strict=True)
    )


def convolutional():
    encoder = keras.Sequential(
        [
            keras.layers.Conv2D(4, 3, strides=2, padding="same"),
            keras.layers.Flatten(),
            keras.layers.Dense(4),
        ]
    )
    decoder = keras.Sequential(
        [
            keras.layers.Dense(2 * 2 * 3),
            keras.layers.Reshape([2, 2, 3]),
            keras.layers.Conv2DTranspose(1, 3, strides=2, padding="same"),
        ]
    )
    return encoder, decoder


def test_convolutional_decoders_and_all_methods():
    model = FlowVAE(*convolutional(), FlowPosterior(), seed=0)
    x = images()
    assert model.elbo(x, num_samples=3).shape == [32]
    assert model.importance_log_prob(x[:5], 7).shape == (5,)
    assert model.importance_log_prob(tf.data.Dataset.from_tensor_slices(x).batch(9), 2).shape == (
        32,
    )
    draws, means = model.sample(6, seed=3), model.sample(6, seed=3, mean=True)
    assert draws.shape == means.shape == [6, *SHAPE]
    assert set(np.unique(draws)) <= {0, 1}
    assert np.all((means > 0.0) & (means < 1.0))
    np.testing.assert_array_equal(model.sample(6, seed=3), draws)
    assert np.any(model.sample(6) != model.sample(6))
    np.testing.assert_array_equal(
        model.reconstruct(x, seed=1), model.reconstruct(x.astype("float32"), seed=[1, 0])
    )
    assert model.reconstruct(x).shape == [32, *SHAPE]
    assert model.predict(x, verbose=0).shape == (32, *SHAPE)


def test_reconstructions_are_means_of_the_likelihood():
    model = vae()
    x = images(4)
    z = model.posterior(model.encoder(x)).sample(seed=[9, 0])
    np.testing.assert_allclose(
        model.reconstruct(x, seed=9), tf.sigmoid(model.decoder(z)), rtol=1e-5
    )


def test_data_in_every_form():
    model, x = vae(), images()
    expected = model.evaluate(x, batch_size=8, verbose=0)
    sliced = tf.data.Dataset.from_tensor_slices
    for form in (sliced(x).batch(8), sliced((x,)).batch(8), sliced({"x": x}).batch(8)):
        np.testing.assert_allclose(model.evaluate(form, verbose=0), expected, rtol=1e-5)
    np.testing.assert_allclose(
        model.evaluate(x.astype(bool), batch_size=8, verbose=0), expected, rtol=1e-5
    )
    w = np.arange(32) < 8
    weighted = model.evaluate(x, sample_weight=w, batch_size=32, return_dict=True, verbose=0)
    first = model.evaluate(x[:8], batch_size=8, return_dict=True, verbose=0)
    # The draws of the first eight rows differ with the batch size, the terms only by those.
    assert abs(weighted["neg_elbo"] - first["neg_elbo"]) < 3.0
    np.testing.assert_allclose(weighted["loss"], weighted["neg_elbo"] * 8 / 32, rtol=1e-5)
    model.fit(sliced(x).batch(8), validation_data=sliced(x).batch(8), verbose=0)


def test_modes_callbacks_and_weights_files(tmp_path):
    x = images()
    model = vae()
    model.compile("adam", steps_per_execution=2)
    history = model.fit(
        x,
        batch_size=4,
        epochs=3,
        validation_split=0.25,
        verbose=0,
        callbacks=[
            keras.callbacks.ModelCheckpoint(tmp_path / "a.weights.h5", save_weights_only=True),
            keras.callbacks.EarlyStopping("val_neg_elbo", mode="min"),
            keras.callbacks.ReduceLROnPlateau("val_loss"),
            keras.callbacks.BackupAndRestore(tmp_path / "backup"),
            keras.callbacks.TerminateOnNaN(),
        ],
    )
    assert np.all(np.isfinite(history.history["loss"]))
    model.save_weights(tmp_path / "b.weights.h5")
    model.compile()
    keras.utils.set_random_seed(3)
    other = FlowVAE(*networks(), FlowPosterior(), seed=0)
    other.compile(run_eagerly=True)
    assert other.evaluate(x, verbose=0) != pytest.approx(model.evaluate(x, verbose=0), rel=1e-3)
    other.load_weights(tmp_path / "b.weights.h5")
    np.testing.assert_allclose(
        other.evaluate(x, verbose=0), model.evaluate(x, verbose=0), rtol=1e-5
    )
    np.testing.assert_array_equal(other.posterior.shift, model.posterior.shift)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_networks_with_a_float32_bound(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = vae()
        assert model.encoder(images()).dtype == policy.removeprefix("mixed_")
        assert model.elbo(images()).dtype == tf.float32
        losses = model.fit(images(), epochs=5, verbose=0).history["loss"]
        assert losses[-1] < losses[0]
        inner = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        assert inner.global_clipnorm == 100.0
        model = vae(beta_warmup_steps=10)
        beta = model.fit(images(), batch_size=8, epochs=2, verbose=0).history["beta"]
        np.testing.assert_allclose(beta, [0.31, 0.71], rtol=1e-5)
    finally:
        keras.config.set_dtype_policy(before)


# Clipping.


def test_gradients_are_clipped_by_their_global_norm():
    x = images()

    def step(**kwargs):
        model = vae(optimizer=keras.optimizers.SGD(1.0), **kwargs)
        before = [w.numpy() for w in model.trainable_weights]
        model.fit(x, batch_size=32, verbose=0)
        after = [w.numpy() for w in model.trainable_weights]
        return math.sqrt(sum(np.sum(np.square(a - b)) for a, b in zip(after, before, strict=True)))

    free = step(global_clipnorm=None)
    assert free > 0.5
    assert step() == pytest.approx(free, rel=1e-5)  # far below 100
    assert step(global_clipnorm=0.1) == pytest.approx(0.1, rel=1e-4)


def test_an_optimizer_that_clips_is_left_alone():
    for argument in ("clipnorm", "clipvalue", "global_clipnorm"):
        model = vae(optimizer=keras.optimizers.Adam(**{argument: 7.0}))
        assert model.optimizer.global_clipnorm == (7.0 if argument == "global_clipnorm" else None)
    assert vae(optimizer="adam").optimizer.global_clipnorm == 100.0
    model = vae(global_clipnorm=None)
    assert model.optimizer.global_clipnorm is None


# Bad input.


def test_images_out_of_bounds_or_not_finite():
    model, x = vae(), images(dtype="float32")
    x[9, 0, 0, 0] = 1.5
    batched = tf.data.Dataset.from_tensor_slices(x).batch(4)
    for run in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=r"`x`: expected values between 0 and 1.*row 9 "):
            run(x, verbose=0)
        with pytest.raises(ValueError, match=r"`x`: expected values between 0 and 1.*batch 2 "):
            run(batched, verbose=0)
    with pytest.raises(ValueError, match=r"`x`: expected values between 0 and 1.*row 0 "):
        model.fit(255 * np.ones([8, *SHAPE], "uint8"), verbose=0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        model.importance_log_prob(x)
    x[9, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match=r"`x`: expected finite.*row 9 "):
        model.fit(x, verbose=0)
    with pytest.raises(ValueError, match="received none"):
        model.fit(x[:0], verbose=0)
    with pytest.raises(ValueError, match=r"`x`: expected shape \[n, 4, 4, 1\]"):
        model.fit(x.reshape([32, 16]), verbose=0)
    with pytest.raises(ValueError, match=r"tuple of 2 parts"):
        model.fit(tf.data.Dataset.from_tensor_slices((x, np.zeros(32))).batch(4), verbose=0)


def wrong_arguments():
    encoder, decoder = networks()
    good = {"encoder": encoder, "decoder": decoder, "posterior": FlowPosterior()}
    yield good | {"encoder": lambda x: x}, TypeError, "`encoder`: expected a Keras 3 layer"
    yield good | {"posterior": 3}, TypeError, "`posterior`: expected a callable"
    yield good | {"prior": 3}, TypeError, "`prior`: expected a tfd.Distribution"
    yield good | {"likelihood": 3}, TypeError, "`likelihood`: expected a callable"
    prior = tfd.MultivariateNormalDiag(tf.zeros(3))
    yield good | {"prior": prior}, ValueError, r"`prior`: expected batch shape \[\] and event"
    prior = tfd.MultivariateNormalDiag(tf.zeros(2))
    no_event = {"prior": prior, "posterior": lambda c: tfd.Normal(c[..., :2], 1.0)}
    yield good | no_event, ValueError, r"`posterior`: expected batch shape \[1\].*Independent"
    wrong_size = {"prior": prior, "posterior": lambda c: tfd.MultivariateNormalDiag(c)}
    yield good | wrong_size, ValueError, r"`posterior`: expected events of shape \(2,\)"
    yield good | {"prior": prior, "posterior": lambda c: c}, TypeError, "`posterior`.*returns"
    yield good | {"posterior": gaussian_posterior}, ValueError, "`prior`: expected a distribution"
    yield good | {"likelihood": lambda o: o}, TypeError, "`likelihood`.*returns"
    yield good | {"beta_warmup_steps": -1}, ValueError, "`beta_warmup_steps`"
    yield good | {"global_clipnorm": 0.0}, ValueError, "`global_clipnorm`"
    other = keras.Sequential([keras.Input([3]), keras.layers.Dense(16)])
    yield good | {"decoder": other}, ValueError, r"`decoder`.*latents of shape \(2,\)"
    flat = keras.Sequential([keras.Input([16]), keras.layers.Dense(4)])
    yield good | {"encoder": flat}, ValueError, r"`encoder`.*\(4, 4, 1\)"

    def discrete(context):
        return tfd.Independent(tfd.Poisson(tf.exp(context[..., :2])), 1)

    yield good | {"prior": prior, "posterior": discrete}, ValueError, "reparameterized"


@pytest.mark.parametrize("case", range(15))
def test_wrong_arguments(case):
    kwargs, error, message = list(wrong_arguments())[case]
    with pytest.raises(error, match=message):
        FlowVAE(**kwargs)


def test_the_latent_size_can_come_from_a_built_encoder():
    encoder, decoder = networks()
    encoder.build((None, *SHAPE))
    model = FlowVAE(encoder, decoder, gaussian_posterior, seed=0)
    assert model.prior.event_shape == [LATENT]
    assert model.sample(2).shape == [2, *SHAPE]
    with pytest.raises(ValueError, match="`num_samples`: expected at least 1"):
        model.importance_log_prob(images(), 0)
