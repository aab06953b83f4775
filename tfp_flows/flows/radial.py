"""The radial flow."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import bijectors as tfb

from tfp_flows._recording import recorded
from tfp_flows.bijectors import RadialStack
from tfp_flows.flows import _recipe
from tfp_flows.networks import Linear, generator
from tfp_flows.numerics import positive


@recorded
def radial(
    event_size: int,
    num_layers: int = 16,
    *,
    context_size: int | None = None,
    base=None,
    fast: str = "sample",
    dtype: tf.DType = tf.float32,
    seed=None,
    name: str = "radial_flow",
) -> _recipe.Flow:
    """A flow of radial layers, `bijectors.RadialStack`, on a Gaussian.

    ```none
    y = f_K(... f_1(x)),   f_k(z) = z + b^_k (z - c_k) / (alpha_k + |z - c_k|),   x ~ base
    ```

    With a context, the layers' parameters are functions of it: an amortized posterior. Sampling and
    density cost the same.

    Args:
      event_size: D, size of the vectors.
      num_layers: K.
      context_size: size of the context, or `None` for a flow without one.
      base: the base distribution on `[D]`. Default: a standard normal one; with a context, a
        diagonal Gaussian whose location and scale are affine in the context (then `base` may also
        be a callable of the context).
      fast: `"sample"` puts the layers in the direction of sampling, as in the paper; `"log_prob"`
        inverts them.
      dtype: floating dtype.
      seed: integer, NumPy generator or `None`.
      name: the distribution's name.

    Returns:
      A `tfd.TransformedDistribution`; with a context, a `distributions.ConditionalDistribution`.

    Raises:
      TypeError: a size is no integer, the dtype is not floating, or the base is no distribution.
      ValueError: a size is too small, `fast` is unknown, or the base does not fit.

    #### Examples

    ```python
    import tfp_flows as tff

    flow = tff.flows.radial(event_size=2, num_layers=8, seed=0)
    x, log_prob = flow.experimental_sample_and_log_prob(5, seed=1)
    ```

    #### References

    Rezende and Mohamed (2015), Variational Inference with Normalizing Flows, arXiv:1505.05770.
    """
    _recipe.check_settings(event_size, num_layers, context_size, base, dtype)
    _recipe.check_fast(fast)
    rng = generator(seed)
    if context_size is not None:
        layers = _ConditionalRadial(event_size, num_layers, context_size, fast, dtype, rng)
        return _recipe.conditional(layers, event_size, context_size, base, dtype, rng, name)
    center, beta = _initial_values(event_size, num_layers, rng)
    alpha = np.full([num_layers], np.sqrt(event_size), tf.as_dtype(dtype).as_numpy_dtype)
    stack = RadialStack(
        center=tf.Variable(center, dtype=dtype, name="center"),
        alpha=tfp.util.TransformedVariable(alpha, tfb.Softplus(), dtype=dtype, name="alpha"),
        beta=tf.Variable(beta, dtype=dtype, name="beta"),
    )
    return _recipe.unconditional(_recipe.directed(stack, fast), event_size, base, dtype, name)


class _ConditionalRadial(tf.Module):
    """From a context to radial layers: all parameters in one affine map."""

    def __init__(self, event_size, num_layers, context_size, fast, dtype, rng):
        super().__init__(name="conditional_radial")
        self._shape = (num_layers, event_size)
        self._fast = fast
        center, beta = _initial_values(event_size, num_layers, rng)
        self._parameters = Linear(
            context_size,
            num_layers * (event_size + 2),
            bias=np.concatenate([center.ravel(), np.zeros([num_layers]), beta]),
            seed=rng,
            dtype=dtype,
            gain=_recipe.CONTEXT_GAIN,
            name="radial_parameters",
        )

    def __call__(self, context):
        num_layers, event_size = self._shape
        sizes = [num_layers * event_size, num_layers, num_layers]
        center, alpha, beta = tf.split(self._parameters(context), sizes, axis=-1)
        matrix = tf.concat([tf.shape(context)[:-1], self._shape], axis=0)
        static = context.shape[:-1].concatenate(self._shape)
        center = tf.ensure_shape(tf.reshape(center, matrix), static)
        # In units of the typical distance from a center; the bound keeps alpha positive where the
        # softplus underflows.
        alpha = np.sqrt(event_size) * tf.maximum(positive(alpha).value, 1e-6)
        return _recipe.directed(RadialStack(center, alpha, beta), self._fast)


def _initial_values(event_size, num_layers, rng):
    """Centers spread as the base is, and layers near the identity."""
    return rng.normal(size=[num_layers, event_size]), 0.01 * rng.normal(size=[num_layers])
