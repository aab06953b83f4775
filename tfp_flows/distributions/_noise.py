"""Noise in the unit cube that dequantizes integers, with its log-density."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows.numerics import stateless_uniform


class Noise(NamedTuple):
    """Draws of u in (0, 1), accurate at both ends.

    Attributes:
      value: u, `draws + [..., *event_shape]`.
      complement: `1 - u`, without cancellation.
      log_prob: `log q(u | x)`, `draws + [...]`, or a scalar.
    """

    value: tf.Tensor
    complement: tf.Tensor
    log_prob: tf.Tensor


def uniform_noise(levels: tf.Tensor, draws: list[int], seed) -> Noise:
    """Draws u uniformly.

    Args:
      levels: the integers `[..., *event_shape]`, in the floating dtype of the noise.
      draws: shape in front of theirs, for several draws.
      seed: a stateless seed.

    Returns:
      The draws.
    """
    shape = tf.concat([tf.constant(draws, tf.int32), tf.shape(levels)], axis=0)
    u = stateless_uniform(shape, seed, levels.dtype)
    u = tf.ensure_shape(u, tf.TensorShape(draws).concatenate(levels.shape))
    # Multiples of eps in [0, 1); half of one further, neither u nor 1 - u is ever zero, and both
    # are exact.
    u += 0.5 * np.finfo(levels.dtype.as_numpy_dtype).eps
    return Noise(u, 1.0 - u, tf.zeros([], levels.dtype))


def variational_noise(
    noise: Callable[[tf.Tensor], tfd.Distribution],
    levels: tf.Tensor,
    num_levels: int,
    event_shape: tf.TensorShape,
    draws: list[int],
    seed,
) -> Noise:
    """Draws u = sigmoid(z), with z from a distribution that depends on the integers.

    Args:
      noise: callable from data scaled to (-1, 1), see `Dequantized`.
      levels: the integers `[..., *event_shape]`, in the floating dtype of the noise.
      num_levels: N.
      event_shape: shape of one event, static.
      draws: shape in front of theirs, for several draws.
      seed: a stateless seed.

    Returns:
      The draws.

    Raises:
      ValueError: the distribution does not fit.
    """
    context = (2.0 * levels + 1.0) / num_levels - 1.0
    batch = levels.shape[: levels.shape.rank - event_shape.rank]
    size = event_shape.num_elements()
    if hasattr(noise, "context_size"):
        rows = tf.concat([tf.shape(levels)[: batch.rank], [size]], axis=0)
        context = tf.ensure_shape(tf.reshape(context, rows), batch.concatenate([size]))
    posterior = noise(context)
    fits = any(posterior.event_shape.is_compatible_with(shape) for shape in ([size], event_shape))
    if not fits or not posterior.batch_shape.is_compatible_with(batch):
        raise ValueError(
            f"Argument `noise`: expected a distribution with batch shape {batch} and event shape "
            f"{event_shape} or ({size},), received {posterior.batch_shape} and "
            f"{posterior.event_shape}."
        )
    z, log_q = posterior.experimental_sample_and_log_prob(draws, seed=seed)
    z = tf.reshape(z, tf.concat([tf.constant(draws, tf.int32), tf.shape(levels)], axis=0))
    z = tf.ensure_shape(z, tf.TensorShape(draws).concatenate(levels.shape))
    # log du/dz = -softplus(z) - softplus(-z).
    log_derivative = -tf.math.softplus(z) - tf.math.softplus(-z)
    log_q -= tf.reduce_sum(log_derivative, axis=list(range(-event_shape.rank, 0)))
    return Noise(tf.sigmoid(z), tf.sigmoid(-z), log_q)
