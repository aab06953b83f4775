"""Random directions for estimates of traces, and where their randomness comes from."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows.numerics.draws import stateless_uniform


def noise_seeds(seed: int | None, num_seeds: int) -> list[tf.Tensor]:
    """Returns seeds of stateless draws.

    Args:
      seed: an integer, from which the same seeds follow in every evaluation (TFP would draw new
        ones from it each time); or `None` for new ones from TensorFlow's global generator, also in
        every run of a compiled function.
      num_seeds: how many.

    Returns:
      `num_seeds` seeds, int32 tensors `[2]`.
    """
    parent = None
    if seed is not None:
        parent = np.random.SeedSequence(seed).generate_state(2).view(np.int32)
    return tf.unstack(tfp.random.split_seed(parent, n=num_seeds, salt="tfp_flows"), num_seeds)


def random_directions(x: tf.Tensor, num_directions: int, seed: tf.Tensor) -> tf.Tensor:
    """Draws vectors of elements +-1, `[n, ..., D]` for `x` of shape `[..., D]`.

    Their mean is zero and their covariance the identity, so that `v^T A v` has mean `tr A`; among
    independent elements of that kind these give it the smallest variance.

    Args:
      x: the points, of static rank.
      num_directions: n, how many for each.
      seed: of the stateless draws, int32 `[2]`.

    Returns:
      The vectors, of the dtype of `x`.
    """
    shape = tf.concat([[num_directions], tf.shape(x)], axis=0)
    uniform = stateless_uniform(shape, seed, x.dtype)
    directions = tf.where(uniform < 0.5, tf.constant(-1.0, x.dtype), tf.constant(1.0, x.dtype))
    return tf.ensure_shape(directions, [num_directions, *x.shape])
