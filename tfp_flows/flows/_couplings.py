"""Coupling layers with their networks, for the recipes."""

import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_flows.bijectors import Coupling
from tfp_flows.flows import _recipe
from tfp_flows.networks import MLP
from tfp_flows.transformers import Transformer


class Couplings(tf.Module):
    """Coupling layers over alternating halves, each with its network.

    Args:
      transformer: the elementwise map of all layers.
      event_size: D.
      num_layers: K.
      hidden_units: sizes of the hidden layers of each network.
      activation: their activation.
      context_size: size of the context, or `None`.
      dtype: floating dtype.
      rng: where the initial values come from.
    """

    def __init__(
        self,
        transformer: Transformer,
        event_size: int,
        num_layers: int,
        hidden_units: Sequence[int],
        activation,
        context_size: int | None,
        dtype: tf.DType,
        rng: np.random.Generator,
    ):
        super().__init__(name="couplings")
        self._transformer = transformer
        first_half = np.arange(event_size) < event_size // 2
        self._masks = self._no_dependency(
            [first_half if k % 2 == 0 else ~first_half for k in range(num_layers)]
        )
        self._networks = [
            MLP(
                input_size=int(mask.sum()),
                output_size=int((~mask).sum()) * transformer.num_params,
                hidden_units=hidden_units,
                activation=activation,
                seed=rng,
                dtype=dtype,
                context_size=context_size,
                name=f"network_{k}",
            )
            for k, mask in enumerate(self._masks)
        ]

    def layers(self, context: tf.Tensor | None = None) -> list[tfb.Bijector]:
        """The couplings in the order of `tfb.Chain`: the last one first."""
        layers = [
            Coupling(
                self._transformer,
                network if context is None else functools.partial(network, context=context),
                mask,
                name=f"coupling_{k}",
            )
            for k, (network, mask) in enumerate(zip(self._networks, self._masks, strict=True))
        ]
        return layers[::-1]

    def bijector(self, context: tf.Tensor | None = None) -> tfb.Bijector:
        """The layers, the first one next to the base."""
        return _recipe.chain(self.layers(context))

    def __call__(self, context: tf.Tensor) -> tfb.Bijector:
        return self.bijector(context)
