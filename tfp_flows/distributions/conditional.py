"""Distributions that depend on a context."""

from collections.abc import Callable

import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_flows.distributions._context import checked_context


class ConditionalDistribution(tf.Module):
    """A flow that depends on a context: `flow(context)` is a plain `TransformedDistribution`.

    ```none
    y = f(x; context),   x ~ base(context)
    log p(y | context) = log base(x; context) - log|det df/dx|
    ```

    The distribution has the context's batch shape, so that samples for different contexts are
    independent draws. The module owns all variables; the distributions that it returns own none and
    are made afresh for each context.

    Args:
      bijector: `tf.Module` or other callable from a context `[..., context_size]` to a
        `tfb.Bijector`.
      base: the base distribution, with no batch shape; or a callable from a context to one with the
        context's.
      event_shape: shape of one event.
      context_size: size of the last axis of the context.
      dtype: floating dtype of the events.
      name: the module's name.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    # A recipe with a context size returns a ConditionalDistribution.
    flow = tff.flows.planar(event_size=2, num_layers=4, context_size=3, seed=0)
    posterior = flow(tf.ones([5, 3]))
    x, log_prob = posterior.experimental_sample_and_log_prob(seed=1)  # [5, 2] and [5]
    ```
    """

    def __init__(
        self,
        bijector: Callable[[tf.Tensor], tfb.Bijector],
        base: tfd.Distribution | Callable[[tf.Tensor], tfd.Distribution],
        *,
        event_shape,
        context_size: int,
        dtype: tf.DType = tf.float32,
        name: str = "conditional_distribution",
    ):
        super().__init__(name=name)
        self._bijector = bijector
        self._base = base
        self.event_shape = tf.TensorShape(event_shape)
        self.context_size = context_size
        self.dtype = tf.as_dtype(dtype)

    def __call__(self, context) -> tfd.TransformedDistribution:
        """Binds the context.

        Args:
          context: `[..., context_size]`, cast to `dtype`.

        Returns:
          A distribution with batch shape `[...]`.

        Raises:
          ValueError: the last axis of the context is not `context_size`.
        """
        context = checked_context(context, self.context_size, self.dtype)
        return tfd.TransformedDistribution(self._bind_base(context), self._bijector(context))

    def _bind_base(self, context):
        if not isinstance(self._base, tfd.Distribution):
            return self._base(context)
        # Independent draws for each context.
        static = context.shape[:-1]
        batch_shape = static if static.is_fully_defined() else tf.shape(context)[:-1]
        return tfd.BatchBroadcast(self._base, with_shape=batch_shape)
