"""Flows of coupling layers: NICE and RealNVP."""

from collections.abc import Sequence

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_flows._recording import recorded
from tfp_flows.flows import _recipe
from tfp_flows.flows._couplings import Couplings
from tfp_flows.networks import Linear, generator
from tfp_flows.transformers import Additive, Affine


@recorded
def nice(
    event_size: int,
    num_layers: int = 4,
    *,
    hidden_units: Sequence[int] = (64, 64),
    activation="relu",
    context_size: int | None = None,
    base=None,
    dtype: tf.DType = tf.float32,
    seed=None,
    name: str = "nice",
) -> _recipe.Flow:
    """NICE: additive couplings with alternating halves, and one diagonal scaling.

    ```none
    y = f_K(... f_1(exp(s) * x)),   f_k: y_A = z_A,  y_B = z_B + network_k(z_A),   x ~ base
    ```

    The couplings preserve volume; the scaling, next to the base, does not. Sampling and density
    cost the same.

    Args:
      event_size: D, size of the vectors, at least 2.
      num_layers: K, number of couplings. Fewer than two leave one half untouched.
      hidden_units: sizes of the hidden layers of each coupling's network.
      activation: their activation, as `networks.MLP` takes it.
      context_size: size of the context, or `None` for a flow without one. The networks see the
        context beside their input, and the scaling is affine in it.
      base: the base distribution on `[D]`. Default: a standard normal one; with a context, a
        diagonal Gaussian whose location and scale are affine in the context (then `base` may also
        be a callable of the context).
      dtype: floating dtype.
      seed: integer, NumPy generator or `None`.
      name: the distribution's name.

    Returns:
      A `tfd.TransformedDistribution`; with a context, a `distributions.ConditionalDistribution`.

    Raises:
      TypeError: a size is no integer, the dtype is not floating, or the base is no distribution.
      ValueError: a size is too small, or the base does not fit.

    #### Examples

    ```python
    import tfp_flows as tff

    flow = tff.flows.nice(event_size=2, num_layers=4, seed=0)
    log_prob = flow.log_prob(flow.sample(5, seed=1))
    ```

    #### References

    Dinh, Krueger and Bengio (2014), NICE: Non-linear Independent Components Estimation,
    arXiv:1410.8516.
    """
    _recipe.check_settings(event_size, num_layers, context_size, base, dtype, min_event_size=2)
    rng = generator(seed)
    couplings = Couplings(
        Additive(), event_size, num_layers, hidden_units, activation, context_size, dtype, rng
    )
    if context_size is not None:
        layers = _ScaledCouplings(couplings, event_size, context_size, dtype, rng)
        return _recipe.conditional(layers, event_size, context_size, base, dtype, rng, name)
    scale = tfb.Scale(log_scale=tf.Variable(tf.zeros([event_size], dtype), name="log_scale"))
    bijector = _recipe.chain([*couplings.layers(), scale])
    return _recipe.unconditional(bijector, event_size, base, dtype, name)


@recorded
def real_nvp(
    event_size: int,
    num_layers: int = 8,
    *,
    hidden_units: Sequence[int] = (64, 64),
    activation="relu",
    context_size: int | None = None,
    base=None,
    dtype: tf.DType = tf.float32,
    seed=None,
    name: str = "real_nvp",
) -> _recipe.Flow:
    """RealNVP: affine couplings with alternating halves.

    ```none
    y = f_K(... f_1(x)),   f_k: y_A = z_A,  y_B = scale_k(z_A) * z_B + shift_k(z_A),   x ~ base
    ```

    Sampling and density cost the same: one evaluation of each network.

    Args:
      event_size: D, size of the vectors, at least 2.
      num_layers: K, number of couplings. Fewer than two leave one half untouched.
      hidden_units: sizes of the hidden layers of each coupling's network.
      activation: their activation, as `networks.MLP` takes it.
      context_size: size of the context, or `None` for a flow without one. The networks see the
        context beside their input.
      base: the base distribution on `[D]`. Default: a standard normal one; with a context, a
        diagonal Gaussian whose location and scale are affine in the context (then `base` may also
        be a callable of the context).
      dtype: floating dtype.
      seed: integer, NumPy generator or `None`.
      name: the distribution's name.

    Returns:
      A `tfd.TransformedDistribution`; with a context, a `distributions.ConditionalDistribution`.

    Raises:
      TypeError: a size is no integer, the dtype is not floating, or the base is no distribution.
      ValueError: a size is too small, or the base does not fit.

    #### Examples

    ```python
    import tfp_flows as tff

    flow = tff.flows.real_nvp(event_size=2, num_layers=4, seed=0)
    log_prob = flow.log_prob(flow.sample(5, seed=1))
    ```

    #### References

    Dinh, Sohl-Dickstein and Bengio (2016), Density estimation using Real NVP, arXiv:1605.08803.
    """
    _recipe.check_settings(event_size, num_layers, context_size, base, dtype, min_event_size=2)
    rng = generator(seed)
    couplings = Couplings(
        Affine(), event_size, num_layers, hidden_units, activation, context_size, dtype, rng
    )
    if context_size is not None:
        return _recipe.conditional(couplings, event_size, context_size, base, dtype, rng, name)
    return _recipe.unconditional(couplings.bijector(), event_size, base, dtype, name)


class _ScaledCouplings(tf.Module):
    """Couplings after a diagonal scaling that is affine in the context."""

    def __init__(self, couplings, event_size, context_size, dtype, rng):
        super().__init__(name="scaled_couplings")
        self._couplings = couplings
        self._log_scale = Linear(
            context_size, event_size, kernel_scale=0.0, seed=rng, dtype=dtype, name="log_scale"
        )

    def __call__(self, context):
        scale = tfb.Scale(log_scale=self._log_scale(context))
        return _recipe.chain([*self._couplings.layers(context), scale])
