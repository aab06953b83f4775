"""Snapshots of variables: what they go back to, and for whom."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import models

tfd = tfp.distributions


def test_a_second_training_repeats_the_first():
    """The optimizer's moments and its count of steps go back, too, in one compiled step."""
    model = models.DensityModel(tfd.MultivariateNormalDiag(tf.Variable([3.0, -3.0]), [1.0, 1.0]))
    model.compile(keras.optimizers.Adam(0.5))
    model.optimizer.build(model.trainable_variables)
    start = models.Snapshot(model, model.optimizer)
    x = np.zeros([20, 2], "float32")
    losses = []
    for _ in range(2):
        start.restore()
        losses.append(model.fit(x, batch_size=10, epochs=3, verbose=0).history["loss"])
    assert losses[0] == losses[1]
    assert losses[0][-1] < losses[0][0]


def test_bound_functions_see_the_values_of_their_time():
    location = tf.Variable(1.0)
    mean = tfd.Normal(location, 1.0).mean
    first = models.Snapshot([location]).bind(mean)
    location.assign(2.0)
    second = models.Snapshot(tfd.Normal(location, 1.0)).bind(mean)
    assert (first().numpy(), second().numpy(), first().numpy()) == (1.0, 2.0, 1.0)


def test_bound_functions_are_not_those_of_a_cache():
    scale = tf.Variable(1.0)
    bijector, x = tfp.bijectors.Scale(scale), tf.constant(3.0)
    first = models.Snapshot(bijector).bind(bijector.forward)
    y = first(x)
    scale.assign(2.0)
    second = models.Snapshot(bijector).bind(bijector.forward)
    assert (float(y), float(second(x)), float(first(x))) == (3.0, 6.0, 3.0)


def test_snapshot_refuses():
    with pytest.raises(TypeError, match=r"`owners`: .* `variables`.* received int"):
        models.Snapshot(1)
    with pytest.raises(ValueError, match="`owners`: expected at least one variable"):
        models.Snapshot(tfd.Normal(0.0, 1.0))
