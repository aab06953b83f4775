"""Mixtures of logistic distribution functions on the logit scale, both ways.

```none
value = logit(sum_k w_k sigmoid(z_k)),   z_k increasing and affine in x,   sum_k w_k = 1
```

The logit is the logarithm of the distribution function minus that of the survival function, each a
sum of positive terms: nothing cancels in the tails, where both directions are asymptotically
affine.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfp_flows.numerics.roots import solve_increasing
from tfp_flows.numerics.scaling import times_exp


def component_gains(num_components: int, dtype: tf.DType) -> tf.Tensor:
    """Factors on the raw parameters of the components of a mixture, `[num_components]`.

    Components with equal parameters get equal gradients, and would stay equal forever. Sizes from 1
    down to 1/2 with alternating signs tell them apart as soon as a parameter moves, and leave zero
    where it is.
    """
    sizes = np.linspace(1.0, 0.5, num_components)
    return tf.constant(sizes * (-1.0) ** np.arange(num_components), dtype)


def logit_of_mixture(
    z: tf.Tensor, log_weights: tf.Tensor, log_slopes: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns `logit(sum_k w_k sigmoid(z_k))` and the logarithm of its derivative in `x`.

    Args:
      z: `[..., K]`, affine in `x`.
      log_weights: `log w_k`, normalised, broadcasting with `z`.
      log_slopes: `log dz_k/dx`, broadcasting with `z`.

    Returns:
      Both with the shape of `z` without its last axis, finite wherever `z` and the arguments are.
    """
    log_below, log_above = tf.math.log_sigmoid(z), tf.math.log_sigmoid(-z)
    cdf_terms, survival_terms = log_weights + log_below, log_weights + log_above
    value = tf.reduce_logsumexp(cdf_terms, -1) - tf.reduce_logsumexp(survival_terms, -1)
    # With F the distribution function, dvalue/dx = F'/F + F'/(1 - F), that is
    #   sum_k (p_k (1 - sigmoid(z_k)) + q_k sigmoid(z_k)) dz_k/dx,
    # where p_k and q_k are the shares of component k in F and in 1 - F. All terms are positive, and
    # log_softmax keeps the shares exact where their logarithms are large.
    log_derivative = tf.reduce_logsumexp(
        tf.concat(
            [
                tf.nn.log_softmax(cdf_terms) + log_above + log_slopes,
                tf.nn.log_softmax(survival_terms) + log_below + log_slopes,
            ],
            axis=-1,
        ),
        axis=-1,
    )
    return value, log_derivative


def component_roots(z: tf.Tensor, log_slopes: tf.Tensor) -> tf.Tensor:
    """Returns `z exp(-log_slopes)`, kept from overflow.

    A component that is that flat is a constant for all points that a float can hold; infinite, its
    root would be no end of a bracket.

    Args:
      z: `[..., K]`.
      log_slopes: `[..., K]`.

    Returns:
      `[..., K]`, finite wherever `z` is, and infinite where `z` is.
    """
    largest = np.finfo(z.dtype.as_numpy_dtype).max
    roots = tf.clip_by_value(times_exp(z, -log_slopes), -0.25 * largest, 0.25 * largest)
    return tf.where(tf.math.is_inf(z), z, roots)


def solve_mixture(
    function: Callable[..., tuple[tf.Tensor, tf.Tensor]],
    target: tf.Tensor,
    params: tuple[tf.Tensor, ...],
    component_roots: tf.Tensor,
    weights: tf.Tensor,
) -> tf.Tensor:
    """Solves `function(x, *params) = target`, where `function` is a `logit_of_mixture`.

    The mixture lies between its components, so the root lies between theirs.

    Args:
      function: as `roots.solve_increasing` takes it.
      target: `[...]`.
      params: what `function` depends on.
      component_roots: `[..., K]`, the `x` at which `z_k = target`.
      weights: `[..., K]`, those of the components.

    Returns:
      `x`, `[...]`.
    """
    return solve_increasing(
        function,
        target,
        params,
        low=tf.reduce_min(component_roots, axis=-1),
        high=tf.reduce_max(component_roots, axis=-1),
        # Around the median the logit is a difference of numbers of order one.
        magnitude=tf.maximum(tf.abs(target), 1.0),
        start=tf.reduce_sum(weights * component_roots, axis=-1),
    )
