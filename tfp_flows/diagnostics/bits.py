"""Bits per dimension of a data set."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from tfp_flows._checks import check_at_least


def bits_per_dim(
    distribution: Any, data: Iterable, *, num_samples: int | None = None, seed: int = 0
) -> float:
    """How many bits a density takes for each element of the events of a data set.

    ```none
    -(1/n) sum_i log p(x_i) / (D log 2)   for events of D elements
    ```

    For integers, the events of a `distributions.Dequantized`, it is a bound of the code length,
    which more draws of the noise make tighter. Each batch has its own draws, the same at every
    call.

    Args:
      distribution: with `log_prob` and a known `event_shape`, batch shape `[]`.
      data: batches of events, `[n, ...event]` each, such as a `tf.data.Dataset`.
      num_samples: draws of the noise for each event; `None` for distributions without noise.
      seed: int, of the draws.

    Returns:
      Bits per dimension.

    Raises:
      TypeError: `num_samples` or `seed` is no integer.
      ValueError: one is out of range, or there is no batch.

    #### Examples

    ```python
    import tfp_flows as tff

    test = tff.datasets.load("digits", split="test", batch_size=250)
    flow = tff.flows.glow([8, 8, 1], num_steps=1, hidden_channels=4, seed=0)  # to be trained
    density = tff.distributions.Dequantized(flow, num_levels=17, logit=True)
    print(tff.diagnostics.bits_per_dim(density, test, num_samples=2))
    ```

    #### References

    L. Theis, A. van den Oord and M. Bethge, A note on the evaluation of generative models, 2015,
    arXiv:1511.01844, section 3.1.
    """
    check_at_least(0, seed=seed)
    if num_samples is not None:
        check_at_least(1, num_samples=num_samples)
    nats = []
    for k, x in enumerate(data):
        noise = {} if num_samples is None else {"num_samples": num_samples, "seed": [seed, k]}
        nats.append(np.asarray(distribution.log_prob(x, **noise)))
    if not nats:
        raise ValueError("Argument `data`: expected at least one batch, received none.")
    size = distribution.event_shape.num_elements()
    return float(-np.mean(np.concatenate(nats)) / (size * math.log(2.0)))
