"""Autoregressive layers with their networks, for the recipes."""

import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_flows.bijectors import Autoregressive
from tfp_flows.networks import MaskedMLP
from tfp_flows.transformers import Transformer

ORDERS = ("alternate", "random")


def check_order(order: str) -> None:
    """Raises a ValueError unless `order` names a choice of the layers' orders."""
    if order not in ORDERS:
        raise ValueError(f"Argument `order`: expected one of {ORDERS}, received {order!r}.")


class Autoregressions(tf.Module):
    """Autoregressive layers, each with its masked network.

    Args:
      transformer: the elementwise map of all layers.
      event_size: D.
      num_layers: K.
      hidden_units: sizes of the hidden layers of each network.
      activation: their activation.
      order: `"alternate"` for 0 to D - 1 and its reverse in turns, `"random"` for one permutation a
        layer.
      inverted: whether the cheap direction is the forward one.
      context_size: size of the context, or `None`.
      dtype: floating dtype.
      rng: where the initial values and the orders come from.
    """

    def __init__(
        self,
        transformer: Transformer,
        event_size: int,
        num_layers: int,
        hidden_units: Sequence[int],
        activation,
        order: str,
        inverted: bool,
        context_size: int | None,
        dtype: tf.DType,
        rng: np.random.Generator,
    ):
        super().__init__(name="autoregressions")
        self._transformer = transformer
        self._inverted = inverted
        ascending = list(range(event_size))
        alternating = (ascending, ascending[::-1])
        self._networks = [
            MaskedMLP(
                event_size,
                transformer.num_params,
                hidden_units=hidden_units,
                activation=activation,
                order=order if order == "random" else alternating[k % 2],
                seed=rng,
                dtype=dtype,
                context_size=context_size,
                name=f"network_{k}",
            )
            for k in range(num_layers)
        ]

    def bijector(self, context: tf.Tensor | None = None) -> tfb.Bijector:
        """The layers, the first one next to the base; next to the data where they are inverted."""
        layers = [
            Autoregressive(
                self._transformer,
                network if context is None else functools.partial(network, context=context),
                name=f"autoregressive_{k}",
            )
            for k, network in enumerate(self._networks)
        ]
        chain = tfb.Chain(layers[::-1])
        return tfb.Invert(chain) if self._inverted else chain

    def __call__(self, context: tf.Tensor) -> tfb.Bijector:
        return self.bijector(context)
