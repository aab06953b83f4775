"""Estimates of `log det(I + J)` for a contraction, from products with its Jacobian alone.

```none
log det(I + J) = sum_k (-1)^(k+1) tr(J^k) / k,   tr(J^k) = E v^T J^k v,   E v v^T = I
d log det(I + J) = tr((I + J)^-1 dJ) = sum_k (-1)^(k+1) E v^T J^(k-1) dJ v
```

Value and gradient are estimated each by its own series (the second one is Neumann's), with the same
probes `v` and the same terms. So neither is the derivative of the other for given probes, but both
have the right mean; and what a gradient keeps in memory does not grow with the number of terms.
"""

import math

import tensorflow as tf

from tfp_flows.numerics.jacobian import VectorFunction, value_and_vjp


def log_det_series(
    function: VectorFunction,
    x: tf.Tensor,
    probes: tf.Tensor,
    num_terms: int,
    num_extra: tf.Tensor | None = None,
    continuation: float = 0.5,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Evaluates `g` and estimates `log det(I + J)`, for its Jacobian J.

    Without `num_extra` the series ends after n terms. With it, it goes on for a random number of
    terms, each divided by the probability that it is reached: the mean over `num_extra` and probes
    is the sum of the whole series.

    Args:
      function: `g`, from `[..., D]` to `[..., D]`, a contraction.
      x: `[..., D]`, of static rank and of the same shape as `g(x)`.
      probes: `v`, `[num_probes, ..., D]`, of mean zero and covariance one.
      num_terms: n, how many terms are always summed.
      num_extra: how many terms follow, int32 `[num_probes, ...]`, drawn by `geometric`; or `None`.
      continuation: the parameter of these draws.

    Returns:
      `g(x)`, `[..., D]`, and the estimate, `[...]`.
    """
    value, vjp = value_and_vjp(function, x, probes.shape[0])
    last_term = tf.constant(num_terms)
    if num_extra is not None:
        # (An empty batch has no largest number.)
        last_term += tf.maximum(tf.reduce_max(num_extra), 0)

    def weight(k):
        """One over the probability that term k is reached, or zero where it is not."""
        ones = tf.ones_like(probes[..., 0])
        if num_extra is None:
            return ones
        beyond = tf.maximum(k - num_terms, 0)
        inverse_probability = tf.pow(
            tf.constant(1.0 / continuation, probes.dtype), tf.cast(beyond, probes.dtype)
        )
        return tf.where(beyond <= num_extra, inverse_probability * ones, tf.zeros_like(ones))

    def body(k, power, total, neumann):
        """`power` is `(J^T)^(k-1) v`."""
        weight_k = weight(k) * tf.cast(1 - 2 * ((k + 1) % 2), probes.dtype)
        neumann += weight_k[..., tf.newaxis] * power
        power = vjp(power)
        trace = tf.reduce_sum(power * probes, axis=-1)
        return k + 1, power, total + weight_k * trace / tf.cast(k, probes.dtype), neumann

    start = (1, probes, tf.zeros_like(probes[..., 0]), tf.zeros_like(probes))
    _, _, total, neumann = tf.while_loop(lambda k, *_: k <= last_term, body, start)
    total = tf.stop_gradient(total)
    # No value, only a gradient: that of u^T J v, with u the sum of Neumann's series.
    surrogate = tf.reduce_sum(vjp(tf.stop_gradient(neumann)) * probes, axis=-1)
    estimates = total + (surrogate - tf.stop_gradient(surrogate))
    return value, tf.reduce_mean(estimates, axis=0)


def geometric(uniform: tf.Tensor, continuation: float) -> tf.Tensor:
    """Draws N >= 0 with `P(N >= j) = continuation^j`.

    Args:
      uniform: draws from (0, 1), any shape.
      continuation: the probability of one more, between 0 and 1.

    Returns:
      N, int32, with the shape of `uniform`.
    """
    # A zero among the draws of float32 would give infinity.
    uniform = tf.maximum(uniform, 1e-30)
    return tf.cast(tf.floor(tf.math.log(uniform) / math.log(continuation)), tf.int32)
