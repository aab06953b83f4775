"""`ReverseKLModel`: what it minimizes, what it counts, what it refuses."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import flows, models

tfd = tfp.distributions

LOG_Z = 1.5
TARGET = tfd.MultivariateNormalDiag([1.0, -2.0], [0.5, 2.0])


def log_target(z):
    """An unnormalized density whose normalizer is known."""
    return TARGET.log_prob(z) + LOG_Z


def gaussian(loc=(0.0, 0.0), scale=(1.0, 1.0)):
    loc, log_scale = tf.Variable(loc), tf.Variable(np.log(scale).astype("float32"))
    scale = tfp.util.DeferredTensor(log_scale, tf.exp)
    return tfd.MultivariateNormalDiag(loc, scale)


def compiled(model, learning_rate=0.05, **kwargs):
    model.compile(keras.optimizers.Adam(learning_rate), **kwargs)
    return model


def gradient(model, num_draws):
    """The gradient that a step would take, with respect to the location."""
    batch = {"x": tf.zeros([num_draws, 2])}
    with tf.GradientTape() as tape:
        losses, values, _ = model.losses_and_metrics(batch, training=True)
        loss = tf.reduce_mean(losses)
    return loss, tape.gradient(loss, model.trainable_variables[0]), values


@pytest.mark.parametrize("jit_compile", [False, True])
def test_finds_a_gaussian_and_its_normalizer(jit_compile):
    keras.utils.set_random_seed(0)
    distribution = gaussian()
    model = compiled(
        models.ReverseKLModel(distribution, log_target, path_gradient=True, seed=0),
        jit_compile=jit_compile,
    )
    model.fit(epochs=2, steps_per_epoch=150, batch_size=64, verbose=0)
    np.testing.assert_allclose(distribution.mean(), TARGET.mean(), atol=0.02)
    np.testing.assert_allclose(distribution.stddev(), TARGET.stddev(), rtol=0.02)
    logs = model.evaluate(verbose=0, return_dict=True)
    assert logs["reverse_kl"] == pytest.approx(-LOG_Z, abs=1e-3)
    assert logs["loss"] == logs["reverse_kl"]
    assert logs["effective_sample_size"] == pytest.approx(1.0, abs=1e-3)


def test_loss_is_the_divergence_up_to_the_normalizer():
    distribution = gaussian(scale=(2.0, 0.5))
    model = compiled(models.ReverseKLModel(distribution, log_target, seed=0))
    logs = model.evaluate(batch_size=20_000, steps=5, verbose=0, return_dict=True)
    expected = tfd.kl_divergence(distribution, TARGET) - LOG_Z
    assert logs["reverse_kl"] == pytest.approx(float(expected), rel=0.01)


def test_effective_sample_size_is_kish():
    distribution = gaussian()
    model = models.ReverseKLModel(distribution, log_target, seed=3)
    _, _, values = gradient(model, 50)
    log_weights = -values["reverse_kl"].numpy()
    weights = np.exp(log_weights - log_weights.max())
    expected = weights.sum() ** 2 / (50 * (weights**2).sum())
    np.testing.assert_allclose(values["effective_sample_size"], np.full(50, expected), rtol=1e-4)


def test_path_gradient_keeps_the_loss_and_loses_its_noise():
    # At the optimum the path gradient of each draw is zero, that of the plain estimator is not.
    plain, path = (
        models.ReverseKLModel(
            gaussian((1.0, -2.0), (0.5, 2.0)), log_target, path_gradient=on, seed=0
        )
        for on in (False, True)
    )
    loss, noisy, _ = gradient(plain, 10)
    same_loss, exact, _ = gradient(path, 10)
    np.testing.assert_allclose(same_loss, loss, rtol=1e-6)
    np.testing.assert_allclose(exact, [0.0, 0.0], atol=1e-5)
    assert np.abs(noisy).max() > 0.05


def test_path_gradient_is_unbiased():
    plain, path = (
        models.ReverseKLModel(gaussian(), log_target, path_gradient=on, seed=0)
        for on in (False, True)
    )
    # d KL / d loc = (loc - m) / s^2
    for model in (plain, path):
        np.testing.assert_allclose(gradient(model, 100_000)[1], [-4.0, 0.5], atol=0.05)


def test_path_gradient_of_a_flow():
    model = compiled(
        models.ReverseKLModel(flows.planar(2, 4, seed=0), log_target, path_gradient=True, seed=0)
    )
    history = model.fit(epochs=3, steps_per_epoch=20, batch_size=64, verbose=0).history
    assert history["reverse_kl"][-1] < history["reverse_kl"][0]


def test_beta_scales_the_target_in_training_only():
    model = models.ReverseKLModel(gaussian(), log_target, seed=0)
    model.beta.assign(0.25)
    batch = {"x": tf.zeros([1000, 2])}
    losses, values, extra = model.losses_and_metrics(batch, training=True)
    entropy_part = tfd.MultivariateNormalDiag([0.0, 0.0]).entropy()
    expected = -entropy_part + 0.25 * (tf.reduce_mean(values["reverse_kl"]) + entropy_part)
    np.testing.assert_allclose(tf.reduce_mean(losses), expected, atol=0.1)
    assert extra["beta"] == 0.25
    losses, values, extra = model.losses_and_metrics(batch, training=False)
    np.testing.assert_array_equal(losses, values["reverse_kl"])
    assert not extra


def test_annealing_follows_the_optimizer():
    betas = []
    model = compiled(models.ReverseKLModel(gaussian(), log_target, seed=0))
    record = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: betas.append(float(model.beta))
    )
    annealing = models.BetaAnnealing(num_steps=4, start=0.2)
    fit = {"steps_per_epoch": 3, "batch_size": 8, "verbose": 0, "callbacks": [annealing, record]}
    model.fit(epochs=1, **fit)
    assert float(model.beta) == 1.0
    model.fit(epochs=1, **fit)  # resumed
    np.testing.assert_allclose(betas, [0.2, 0.4, 0.6, 0.8, 1.0, 1.0], rtol=1e-6)


def test_two_runs_with_one_seed_are_equal():
    def run():
        model = compiled(models.ReverseKLModel(flows.planar(2, 2, seed=0), log_target, seed=5))
        history = model.fit(epochs=2, steps_per_epoch=3, batch_size=16, verbose=0).history
        return history["loss"], model.evaluate(verbose=0), model.evaluate(verbose=0)

    first, second = run(), run()
    assert first == second
    assert first[1] == first[2]


def test_examples_pull_towards_a_mode_that_energy_alone_misses():
    modes = tfd.Mixture(
        tfd.Categorical(probs=[0.5, 0.5]),
        [tfd.MultivariateNormalDiag([c, 0.0], [0.4, 0.4]) for c in (-4.0, 4.0)],
    )
    x = modes.sample(500, seed=[0, 1]).numpy()

    def mean(example_weight):
        """Where a Gaussian that starts at the left mode ends."""
        distribution = gaussian(loc=(-4.0, 0.0))
        model = compiled(
            models.ReverseKLModel(
                distribution, modes.log_prob, example_weight=example_weight, seed=0
            ),
            learning_rate=0.2,
        )
        if example_weight:
            model.fit(x, batch_size=100, epochs=20, verbose=0)
        else:
            model.fit(epochs=1, steps_per_epoch=100, batch_size=100, verbose=0)
        return float(distribution.mean()[0])

    assert mean(0.0) == pytest.approx(-4.0, abs=0.1)
    assert mean(50.0) == pytest.approx(0.0, abs=0.5)


def test_validation_examples_and_their_metrics():
    model = compiled(models.ReverseKLModel(gaussian(), log_target, example_weight=0.5, seed=0))
    x = TARGET.sample(100, seed=[0, 0]).numpy()
    logs = model.fit(x, batch_size=20, epochs=1, validation_split=0.2, verbose=0).history
    assert {"nats", "bits_per_dim", "reverse_kl", "val_nats", "val_reverse_kl"} <= set(logs)
    logs = model.evaluate(x, verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(logs["reverse_kl"] + 0.5 * logs["nats"], rel=1e-5)
    np.testing.assert_allclose(-np.mean(model.predict(x, verbose=0)), logs["nats"], rtol=1e-4)


def test_variables_of_the_target_are_not_trained():
    teacher = keras.layers.Dense(1)
    teacher.build([None, 2])
    model = models.ReverseKLModel(gaussian(), lambda z: teacher(z)[:, 0], seed=0)
    layer = keras.layers.Lambda(lambda z: tf.reduce_sum(z, -1))
    assert len(model.trainable_weights) == 2
    assert len(models.ReverseKLModel(gaussian(), layer, seed=0).layers) == 1


def test_weights_survive_a_round_trip(tmp_path):
    model = compiled(models.ReverseKLModel(gaussian(), log_target, seed=0))
    model.fit(epochs=1, steps_per_epoch=2, batch_size=4, verbose=0)
    model.save_weights(tmp_path / "w.weights.h5")
    other = compiled(models.ReverseKLModel(gaussian(), log_target, seed=1))
    other.load_weights(tmp_path / "w.weights.h5")
    for mine, theirs in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: models.ReverseKLModel(lambda c: c, log_target), TypeError, "`distribution`"),
        (
            lambda: models.ReverseKLModel(tfd.Poisson(tf.Variable(1.0)), log_target),
            ValueError,
            "expected a reparameterized distribution",
        ),
        (lambda: models.ReverseKLModel(gaussian(), 3.0), TypeError, "`target_log_prob_fn`"),
        (
            lambda: models.ReverseKLModel(gaussian(), lambda z: z),
            ValueError,
            r"`target_log_prob_fn`: expected .* received float32 \(2, 2\)",
        ),
        (
            lambda: models.ReverseKLModel(gaussian(), log_target, example_weight=-1.0),
            ValueError,
            "`example_weight`",
        ),
        (
            lambda: models.ReverseKLModel(TARGET, log_target),
            ValueError,
            "with variables to train",
        ),
    ],
    ids=["conditional", "not_reparameterized", "number", "shape", "negative", "no_variables"],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_bad_calls():
    model = compiled(models.ReverseKLModel(gaussian(), log_target, seed=0))
    x = np.zeros([4, 2], "float32")
    with pytest.raises(ValueError, match="`x`: expected None"):
        model.fit(x)
    with pytest.raises(ValueError, match="`x`: expected None"):
        model.evaluate(x)
    with pytest.raises(ValueError, match="`steps_per_epoch`: expected a number"):
        model.fit(epochs=1)
    with pytest.raises(ValueError, match="`batch_size`: expected at least 1"):
        model.fit(steps_per_epoch=1, batch_size=0)
    by_example = compiled(models.ReverseKLModel(gaussian(), log_target, example_weight=1.0))
    with pytest.raises(ValueError, match="`x`: expected examples"):
        by_example.fit(steps_per_epoch=1)
    with pytest.raises(ValueError, match="`sample_weight`: expected None"):
        by_example.fit(x, sample_weight=np.ones(4), verbose=0)
