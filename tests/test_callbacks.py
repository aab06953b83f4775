"""The callbacks: when they act, and what they leave behind."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import models, plotting

tfd = tfp.distributions


def compiled(learning_rate=0.5):
    distribution = tfd.MultivariateNormalDiag(tf.Variable([3.0, -3.0]), [1.0, 1.0])
    model = models.DensityModel(distribution)
    model.compile(keras.optimizers.SGD(learning_rate))
    return model


def data():
    return np.zeros([20, 2], "float32")


def test_early_stopping_restores_the_best_weights():
    model, x = compiled(), data()
    # Training moves to 0, where the validation set is not: its nats fall first and rise then.
    elsewhere = np.full([20, 2], [2.0, -2.0], "float32")
    stop = models.EarlyStopping(patience=2)
    history = model.fit(
        x, batch_size=20, epochs=50, validation_data=elsewhere, callbacks=[stop], verbose=0
    ).history
    best = int(np.argmin(history["val_nats"]))
    assert len(history["val_nats"]) == best + 3
    restored = model.evaluate(elsewhere, verbose=0, return_dict=True)["nats"]
    assert restored == pytest.approx(min(history["val_nats"]))


def test_early_stopping_restores_where_training_ends_first():
    model, x = compiled(learning_rate=3.0), data()  # diverges from the first step
    stop = models.EarlyStopping(patience=100, monitor="nats")
    history = model.fit(x, batch_size=20, epochs=4, callbacks=[stop], verbose=0).history
    assert history["nats"][-1] > history["nats"][0]
    assert model.evaluate(x, verbose=0, return_dict=True)["nats"] < history["nats"][-1]


def test_pictures_at_their_epochs(tmp_path):
    model = compiled()
    seen = []

    def draw():
        seen.append(model.distribution.mean().numpy()[0])
        return plotting.density_grid(model.distribution.log_prob, num_points=4)

    pictures = models.PictureEvery(2, draw, tmp_path / "new" / "folder")
    model.fit(data(), batch_size=20, epochs=5, callbacks=[pictures], verbose=0)
    stored = sorted(path.name for path in (tmp_path / "new" / "folder").iterdir())
    assert stored == [f"epoch_000{n}.png" for n in (0, 2, 4, 5)]
    assert seen[0] == 3.0
    assert seen == sorted(seen, reverse=True)


def test_pictures_leave_training_as_it_is(tmp_path):
    def losses(*callbacks):
        keras.utils.set_random_seed(0)
        model = models.ReverseKLModel(
            tfd.MultivariateNormalDiag(tf.Variable([3.0, -3.0]), [1.0, 1.0]),
            tfd.MultivariateNormalDiag([0.0, 0.0]).log_prob,
            seed=0,
        )
        model.compile(keras.optimizers.SGD(0.1))
        draw = [
            models.PictureEvery(
                1,
                lambda: plotting.density_grid(model.distribution.log_prob, num_points=2),
                tmp_path,
            )
        ]
        return model.fit(
            epochs=3,
            steps_per_epoch=2,
            batch_size=8,
            verbose=0,
            callbacks=draw if callbacks else [],
        ).history["loss"]

    assert losses() == losses("with pictures")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: models.BetaAnnealing(0), ValueError, "`num_steps`: expected at least 1"),
        (lambda: models.BetaAnnealing(10, start=1.5), ValueError, r"`start`: .* \[0, 1\]"),
        (lambda: models.EarlyStopping(patience=0), ValueError, "`patience`"),
        (lambda: models.PictureEvery(0, print, "."), ValueError, "`num_epochs`"),
        (
            lambda: models.PictureEvery(1.5, print, "."),
            TypeError,
            "`num_epochs`: expected an integer",
        ),
        (lambda: models.PictureEvery(1, None, "."), TypeError, "`draw`: expected a callable"),
    ],
    ids=["steps", "start", "patience", "zero", "fraction", "draw"],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_annealing_wants_a_beta():
    with pytest.raises(ValueError, match="expected a model with a variable `beta`"):
        compiled().fit(
            data(), callbacks=[models.BetaAnnealing(10)], verbose=0, batch_size=20, epochs=1
        )
