"""The residual flow."""

import functools
from collections.abc import Callable, Sequence

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_flows._recording import recorded
from tfp_flows.bijectors import Residual
from tfp_flows.flows import _recipe
from tfp_flows.networks import LipschitzMLP, generator

# Up to this size the whole Jacobian costs less than the terms of a series.
_LARGEST_EXACT = 4


@recorded
def residual(
    event_size: int,
    num_layers: int = 8,
    *,
    hidden_units: Sequence[int] = (64, 64),
    activation: str | Callable[[tf.Tensor], tf.Tensor] = "lipswish",
    coefficient: float = 0.9,
    log_det: str | None = None,
    num_terms: int = 10,
    num_probes: int = 1,
    noise_seed: int | None = None,
    context_size: int | None = None,
    base=None,
    dtype: tf.DType = tf.float32,
    seed=None,
    name: str = "residual_flow",
) -> _recipe.Flow:
    """A flow of residual layers, `bijectors.Residual`, from the data to a Gaussian.

    ```none
    x = f_K(... f_1(y)),   f_k(z) = z + g_k(z),   |g_k(z) - g_k(z')| <= c |z - z'|,   x ~ base
    ```

    As in the papers, densities are the cheap direction; sampling solves a fixed point in each
    layer. With `log_det="exact"` a density costs O(K D) evaluations of a network; otherwise it is
    an estimate from O(K) products with Jacobians for each term of a series.

    Args:
      event_size: D, size of the vectors.
      num_layers: K.
      hidden_units: sizes of the hidden layers of each layer's `networks.LipschitzMLP`.
      activation: their activation, as `networks.LipschitzMLP` takes it.
      coefficient: c, between 0 and 1. Each layer stretches by `1 + c` and shrinks by `1 - c` at
        most.
      log_det: `"exact"`, `"series"` or `"unbiased"`, see `bijectors.Residual`. Default: exact up
        to D = 4, then unbiased.
      num_terms: terms of the series that are always summed; without meaning for `"exact"`.
      num_probes: random probes for each point; without meaning for `"exact"`.
      noise_seed: integer that fixes the noise of the estimates, or `None` for a new one in every
        evaluation, which training needs.
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
      ValueError: a number is out of its range, `log_det` or the activation is unknown, or the base
        does not fit.

    #### Examples

    ```python
    import tfp_flows as tff

    flow = tff.flows.residual(event_size=2, num_layers=4, seed=0)
    log_prob = flow.log_prob(flow.sample(5, seed=1))
    ```

    #### References

    Behrmann, Grathwohl, Chen, Duvenaud and Jacobsen (2019), Invertible Residual Networks,
    arXiv:1811.00995; Chen, Behrmann, Duvenaud and Jacobsen (2019), Residual Flows for Invertible
    Generative Modeling, arXiv:1906.02735.
    """
    _recipe.check_settings(event_size, num_layers, context_size, base, dtype)
    rng = generator(seed)
    networks = [
        LipschitzMLP(
            event_size,
            hidden_units,
            coefficient=coefficient,
            activation=activation,
            seed=rng,
            dtype=dtype,
            context_size=context_size,
            name=f"network_{k}",
        )
        for k in range(num_layers)
    ]
    layers = _ResidualLayers(
        networks,
        noise_seed,
        log_det=log_det or ("exact" if event_size <= _LARGEST_EXACT else "unbiased"),
        num_terms=num_terms,
        num_probes=num_probes,
    )
    if context_size is not None:
        return _recipe.conditional(layers, event_size, context_size, base, dtype, rng, name)
    return _recipe.unconditional(layers.bijector(networks), event_size, base, dtype, name)


class _ResidualLayers(tf.Module):
    """The layers with their networks; from a context to a bijector."""

    def __init__(self, networks, noise_seed, **settings):
        super().__init__(name="residual_layers")
        self._networks = networks
        self._noise_seed = noise_seed
        self._settings = self._no_dependency(settings)

    def bijector(self, networks):
        """From noise to data: the layers inverted."""
        layers = [
            Residual(
                network,
                # The noise of different layers is independent.
                seed=None if self._noise_seed is None else self._noise_seed + k,
                name=f"residual_{k}",
                **self._settings,
            )
            for k, network in enumerate(networks)
        ]
        return tfb.Invert(_recipe.chain(layers[::-1]))

    def __call__(self, context):
        return self.bijector(
            [functools.partial(network, context=context) for network in self._networks]
        )
