"""The planar flow."""

import numpy as np
import tensorflow as tf

from tfp_flows._recording import recorded
from tfp_flows.bijectors import PlanarStack
from tfp_flows.flows import _recipe
from tfp_flows.networks import Linear, generator


@recorded
def planar(
    event_size: int,
    num_layers: int = 16,
    *,
    context_size: int | None = None,
    base=None,
    fast: str = "sample",
    dtype: tf.DType = tf.float32,
    seed=None,
    name: str = "planar_flow",
) -> _recipe.Flow:
    """A flow of planar layers, `bijectors.PlanarStack`, on a Gaussian.

    ```none
    y = f_K(... f_1(x)),   f_k(z) = z + u^_k tanh(w_k . z + b_k),   x ~ base
    ```

    With a context, the layers' parameters are an affine function of it: an amortized posterior.

    Args:
      event_size: D, size of the vectors.
      num_layers: K.
      context_size: size of the context, or `None` for a flow without one.
      base: the base distribution on `[D]`. Default: a standard normal one; with a context, a
        diagonal Gaussian whose location and scale are affine in the context (then `base` may also
        be a callable of the context).
      fast: `"sample"` puts the layers in the direction of sampling, as in the paper, which
        variational inference needs; `"log_prob"` inverts them, so that densities of data are the
        cheap direction. Both directions are exact.
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

    flow = tff.flows.planar(event_size=2, num_layers=8, seed=0)
    x, log_prob = flow.experimental_sample_and_log_prob(5, seed=1)
    ```

    #### References

    Rezende and Mohamed (2015), Variational Inference with Normalizing Flows, arXiv:1505.05770.
    """
    _recipe.check_settings(event_size, num_layers, context_size, base, dtype)
    _recipe.check_fast(fast)
    rng = generator(seed)
    if context_size is not None:
        layers = _ConditionalPlanar(event_size, num_layers, context_size, fast, dtype, rng)
        return _recipe.conditional(layers, event_size, context_size, base, dtype, rng, name)
    w, u, b = _initial_values(event_size, num_layers, rng)
    stack = PlanarStack(
        w=tf.Variable(w, dtype=dtype, name="w"),
        u=tf.Variable(u, dtype=dtype, name="u"),
        b=tf.Variable(b, dtype=dtype, name="b"),
    )
    return _recipe.unconditional(_recipe.directed(stack, fast), event_size, base, dtype, name)


class _ConditionalPlanar(tf.Module):
    """From a context to planar layers: all parameters in one affine map."""

    def __init__(self, event_size, num_layers, context_size, fast, dtype, rng):
        super().__init__(name="conditional_planar")
        self._shape = (num_layers, event_size)
        self._fast = fast
        w, u, b = _initial_values(event_size, num_layers, rng)
        self._parameters = Linear(
            context_size,
            num_layers * (2 * event_size + 1),
            bias=np.concatenate([w.ravel(), u.ravel(), b]),
            seed=rng,
            dtype=dtype,
            gain=_recipe.CONTEXT_GAIN,
            name="planar_parameters",
        )

    def __call__(self, context):
        num_layers, event_size = self._shape
        size = num_layers * event_size
        w, u, b = tf.split(self._parameters(context), [size, size, num_layers], axis=-1)
        matrix = tf.concat([tf.shape(context)[:-1], self._shape], axis=0)
        static = context.shape[:-1].concatenate(self._shape)
        w, u = (tf.ensure_shape(tf.reshape(v, matrix), static) for v in (w, u))
        return _recipe.directed(PlanarStack(w, u, b), self._fast)


def _initial_values(event_size, num_layers, rng):
    """Random hyperplanes through the bulk of a standard normal, and layers near the identity."""
    w = rng.normal(size=[num_layers, event_size]) / np.sqrt(event_size)
    u = 0.01 * rng.normal(size=[num_layers, event_size])
    b = rng.normal(size=[num_layers])
    return w, u, b
