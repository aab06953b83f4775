"""Diagonal Gaussians: the base of most flows, with and without a context."""

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows._recording import recorded
from tfp_flows.distributions._context import checked_context
from tfp_flows.distributions._normal import PhiloxNormal
from tfp_flows.networks import Linear, generator
from tfp_flows.numerics import positive, tiny


@recorded
def standard_normal(event_size: int, dtype: tf.DType = tf.float32) -> tfd.Distribution:
    """The standard normal distribution on vectors.

    Args:
      event_size: D, size of the vectors.
      dtype: floating dtype.

    Returns:
      A `tfd.Independent` normal with event shape `[D]` and no batch shape.

    #### Examples

    ```python
    import tfp_flows as tff

    base = tff.distributions.standard_normal(event_size=2)
    base.log_prob([0.0, 0.0])  # -log(2 pi) = -1.8379
    ```
    """
    return tfd.Independent(
        PhiloxNormal(tf.zeros([event_size], dtype), tf.ones([], dtype)), reinterpreted_batch_ndims=1
    )


@recorded
class ConditionalGaussian(tf.Module):
    """A diagonal Gaussian whose location and scale are affine in a context.

    ```none
    x | context ~ N(loc, diag(scale)^2),   loc = context A + a,   scale = s(context B + b)
    ```

    With `s(p) = softplus(p + log(e - 1))`. It is the base of conditional flows and, by itself, the
    posterior of a plain variational autoencoder.

    Args:
      event_size: D, size of `x`.
      context_size: size of the last axis of the context.
      seed: integer, NumPy generator or `None`.
      dtype: floating dtype of the variables.
      name: the module's name.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    posterior = tff.distributions.ConditionalGaussian(event_size=2, context_size=3, seed=0)
    posterior(tf.ones([5, 3])).sample(seed=1)  # [5, 2]
    ```

    #### References

    Kingma and Welling (2013), Auto-Encoding Variational Bayes, arXiv:1312.6114, eq. 9.
    """

    def __init__(
        self,
        event_size: int,
        context_size: int,
        seed=None,
        dtype: tf.DType = tf.float32,
        name: str = "conditional_gaussian",
    ):
        super().__init__(name=name)
        self.event_shape = tf.TensorShape([event_size])
        self.context_size = context_size
        self.dtype = tf.as_dtype(dtype)
        rng = generator(seed)
        self._loc = Linear(context_size, event_size, seed=rng, dtype=dtype, name="loc")
        # Scales of one at first, whatever the context.
        self._scale = Linear(context_size, event_size, 0.0, seed=rng, dtype=dtype, name="scale")

    def __call__(self, context) -> tfd.Distribution:
        """Returns the Gaussian with the batch shape of the context.

        Args:
          context: `[..., context_size]`.

        Returns:
          A `tfd.Independent` normal with batch shape `[...]` and event shape `[D]`.

        Raises:
          ValueError: the last axis of the context is not `context_size`.
        """
        context = checked_context(context, self.context_size, self.dtype)
        # A scale that has underflowed makes densities zero, not NaN.
        scale = tf.maximum(positive(self._scale(context)).value, tiny(self.dtype))
        normal = PhiloxNormal(self._loc(context), scale)
        return tfd.Independent(normal, reinterpreted_batch_ndims=1)
