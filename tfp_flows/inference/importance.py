"""Importance sampling: a flow's samples with what it takes to make them those of a target."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows._checks import check_at_least


class ImportanceSamples(NamedTuple):
    """What `importance_sample` returns.

    Attributes:
      samples: `[n, ...event]`, of the proposal.
      log_weights: log p~ - log q of each, `[n]`, float64, in nats. `diagnostics` has what they are
        good for: their effective sample size, normalizers, free energies.
    """

    samples: np.ndarray
    log_weights: np.ndarray

    @property
    def relative_log_weights(self) -> np.ndarray:
        """The log-weights with mean weight 1, `[n]`: log(p / q) by the estimate of log Z."""
        shifted = self.log_weights - np.max(self.log_weights)
        return shifted - np.log(np.mean(np.exp(shifted)))

    def resample(self, num_samples: int, seed: int | None = None) -> np.ndarray:
        """Draws from the samples with their weights, with replacement.

        Args:
          num_samples: how many to draw.
          seed: int, or `None` for a fresh one.

        Returns:
          Approximate samples of the target, `[num_samples, ...event]`. Some occur several times.

        Raises:
          TypeError: `num_samples` is no integer.
          ValueError: it is less than 1.
        """
        check_at_least(1, num_samples=num_samples)
        weights = np.exp(self.log_weights - np.max(self.log_weights))
        chosen = np.random.default_rng(seed).choice(
            len(weights), num_samples, p=weights / np.sum(weights)
        )
        return self.samples[chosen]


def importance_sample(
    proposal: tfd.Distribution,
    target_log_prob_fn: Callable[[tf.Tensor], Any],
    num_samples: int,
    *,
    batch_size: int = 10_000,
    seed: int = 0,
) -> ImportanceSamples:
    """Samples a flow and weights the samples for an unnormalized density p~.

    ```none
    z_i ~ q,   w_i = p~(z_i) / q(z_i),   E_p[f] ~ sum_i w_i f(z_i) / sum_i w_i
    ```

    Such averages are exact in the limit, however far q is from p, if q is positive where p is;
    how many samples it takes is said by `diagnostics.effective_sample_size` and `pareto_shape`.
    Samples and their densities are computed together, in batches, in one graph.

    Args:
      proposal: q, a distribution of batch shape `[]`, such as a trained flow.
      target_log_prob_fn: a callable, events `[n, ...event]` -> log p~ `[n]` in nats.
      num_samples: n.
      batch_size: samples in the memory of a device at a time. The samples depend on it.
      seed: int.

    Returns:
      The samples and their log-weights.

    Raises:
      TypeError: a number is no integer, or `proposal` is no distribution.
      ValueError: a number is out of range, or the target returns another shape.

    #### Examples

    ```python
    import tfp_flows as tff

    energy = tff.datasets.energy("u1")
    flow = tff.flows.real_nvp(event_size=2, num_layers=4, seed=0)
    drawn = tff.inference.importance_sample(flow, lambda z: -energy(z), num_samples=1000)
    print(tff.diagnostics.log_normalizer(drawn.log_weights))
    ```

    #### References

    F. Noe, S. Olsson, J. Koehler and H. Wu. Boltzmann Generators, 2019, arXiv:1812.01729.
    """
    check_at_least(1, num_samples=num_samples, batch_size=batch_size)
    check_at_least(0, seed=seed)
    if not isinstance(proposal, tfd.Distribution):
        raise TypeError(
            f"Argument `proposal`: expected a tfd.Distribution, received {type(proposal).__name__}."
        )

    @tf.function(autograph=False)
    def draw(size: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        z, log_q = proposal.experimental_sample_and_log_prob(size, seed=seed)
        log_p = tf.convert_to_tensor(target_log_prob_fn(z), name="log_p")
        if not log_p.shape.is_compatible_with(log_q.shape) or log_p.shape.rank != 1:
            raise ValueError(
                "Argument `target_log_prob_fn`: expected a function that returns a log-density "
                f"for each of the events {z.shape}, received the shape {log_p.shape}."
            )
        return z, tf.cast(log_p, tf.float64) - tf.cast(log_q, tf.float64)

    parts = [
        draw(tf.constant(min(batch_size, num_samples - start)), tf.constant([seed, start]))
        for start in range(0, num_samples, batch_size)
    ]
    return ImportanceSamples(*(np.concatenate(values) for values in zip(*parts, strict=True)))
