"""Draws from the standard Gaussian that are accepted or rejected, and how many are rejected."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows.numerics import stateless_normal, stateless_uniform


def normal_points(num_points: int, event_size: int, seed, dtype: tf.DType) -> tf.Tensor:
    """A randomized Halton sequence, pushed through the normal quantile function.

    Args:
      num_points: M.
      event_size: D.
      seed: as TFP's samplers take it.
      dtype: floating dtype.

    Returns:
      `[M, D]`.
    """
    uniform = tfp.mcmc.sample_halton_sequence(event_size, num_points, dtype=tf.float64, seed=seed)
    # Strictly inside (0, 1), where the quantiles are finite.
    margin = np.finfo(np.float64).eps
    return tf.cast(tf.math.ndtri(tf.clip_by_value(uniform, margin, 1.0 - margin)), dtype)


def draw_accepted(
    logits: Callable[[tf.Tensor], tf.Tensor], shape, num_rounds: int, dtype: tf.DType, seed
) -> tf.Tensor:
    """Draws from the standard Gaussian until a draw is accepted, at most `num_rounds` times.

    Args:
      logits: callable from `[n, D]` to the logits of the acceptance probability `[n]`.
      shape: `[n, D]`.
      num_rounds: T. The T-th draw is accepted in any case.
      dtype: floating dtype.
      seed: as TFP's samplers take it.

    Returns:
      `[n, D]`, without a gradient.
    """
    seed = tfp.random.sanitize_seed(seed, salt="draw_accepted")

    def propose(t, x, is_done):
        normal_seed, uniform_seed = tfp.random.split_seed(
            tf.random.experimental.stateless_fold_in(seed, t)
        )
        proposal = stateless_normal(shape, normal_seed, dtype)
        uniform = stateless_uniform(shape[:1], uniform_seed, dtype)
        accepts = (uniform < tf.sigmoid(logits(proposal))) | (t == num_rounds - 1)
        takes = accepts & ~is_done
        return t + 1, tf.where(takes[:, tf.newaxis], proposal, x), is_done | accepts

    _, x, _ = tf.while_loop(
        lambda t, x, is_done: ~tf.reduce_all(is_done),
        propose,
        (0, tf.zeros(shape, dtype), tf.zeros(shape[:1], tf.bool)),
        maximum_iterations=num_rounds,
    )
    return tf.stop_gradient(x)


def log_rejected(logits: tf.Tensor) -> tf.Tensor:
    """Returns the log of the mean probability of a rejection, log(1 - Z).

    Args:
      logits: of the acceptance probability at points that stand for the Gaussian, `[M]`.

    Returns:
      A scalar, from whichever of Z and 1 - Z is the smaller one.
    """
    z = tf.reduce_mean(tf.sigmoid(logits))
    return tf.where(
        z < 0.5,
        tf.math.log1p(-tf.minimum(z, 0.5)),
        log_mean_exp(tf.math.log_sigmoid(-logits)),
    )


def log_mean_exp(values: tf.Tensor) -> tf.Tensor:
    """Returns the log of the mean of `exp(values)` over all of them, a scalar."""
    return tf.reduce_logsumexp(values) - tf.math.log(tf.cast(tf.size(values), values.dtype))


@tf.custom_gradient
def value_with_gradient_of(value: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """Returns `value`, with the gradient of `other`, which a graph evaluates only if it is asked.

    Args:
      value: float tensor.
      other: tensor of the same shape and dtype.

    Returns:
      A tensor like them.
    """
    return tf.identity(value), lambda upstream: (None, upstream)
