"""KL divergences from draws."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows._checks import check_at_least
from tfp_flows.diagnostics.importance import Estimate


def sampled_kl(
    distribution: Any,
    target_log_prob_fn: Callable[[tf.Tensor], Any],
    num_samples: int,
    *,
    seed: Any = 0,
) -> Estimate:
    """Estimates KL(q || p) from draws of q.

    ```none
    z_i ~ q,   KL(q || p) ~ mean_i d_i,   d_i = log q(z_i) - log p(z_i)
    standard error: std(d) / sqrt(n)
    ```

    For an unnormalized p~ = Z p this is KL(q || p) - log Z. The draws come with their densities in
    one pass, so sampling q and scoring with p should be the cheap directions.

    Args:
      distribution: q, a `tfd.Distribution` of batch shape `[]`.
      target_log_prob_fn: a callable, events `[n, ...event]` -> log p `[n]` in nats, such as the
        `log_prob` of a distribution.
      num_samples: n.
      seed: of the draws, in any form that TFP takes.

    Returns:
      The estimate in nats, with its standard error. It can be negative, where the divergence is
      smaller than its error.

    Raises:
      TypeError: `num_samples` is no integer.
      ValueError: it is less than 1, or the target returns another shape.

    #### Examples

    ```python
    import tensorflow_probability as tfp
    from tfp_flows import diagnostics

    tfd = tfp.distributions
    q, p = tfd.Normal(0.0, 1.0), tfd.Normal(1.0, 1.0)
    kl = diagnostics.sampled_kl(q, p.log_prob, num_samples=1000, seed=[0, 0])
    print(f"{kl.value:.2f} +- {kl.standard_error:.2f} nats")  # 0.5
    ```
    """
    check_at_least(1, num_samples=num_samples)
    z, log_q = distribution.experimental_sample_and_log_prob(num_samples, seed=seed)
    # A bijector that both share is not to look into its cache for `z`.
    log_p = np.asarray(target_log_prob_fn(tf.identity(z)))
    if log_p.shape != (num_samples,):
        raise ValueError(
            "Argument `target_log_prob_fn`: expected a function that returns a log-density for "
            f"each of the events {z.shape}, received the shape {log_p.shape}."
        )
    differences = log_q.numpy() - log_p
    error = np.std(differences) / num_samples**0.5
    return Estimate(float(np.mean(differences)), float(error))
