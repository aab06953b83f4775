"""Autoregressive layers with their networks, for the recipes."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_flows.bijectors import Autoregressive
from tfp_flows.flows import _recipe
from tfp_flows.networks import MaskedMLP
from tfp_flows.transformers import Transformer

ORDERS = ("alternate", "random")
Order = str | Sequence[Sequence[int]]


def check_order(order: Order, num_layers: int) -> None:
    """Raises a ValueError unless `order` names a choice of the layers' orders, or holds them."""
    if isinstance(order, str) and order in ORDERS:
        return
    if isinstance(order, str) or not hasattr(order, "__len__") or len(order) != num_layers:
        raise ValueError(
            f"Argument `order`: expected one of {ORDERS} or {num_layers} permutations, one for "
            f"each layer, received {order!r}."
        )


class Autoregressions(tf.Module):
    """Autoregressive layers, each with its masked network.

    Args:
      transformer: the elementwise map of all layers.
      event_size: D.
      num_layers: K.
      hidden_units: sizes of the hidden layers of each network.
      activation: their activation.
      order: `"alternate"` for 0 to D - 1 and its reverse in turns, `"random"` for one permutation a
        layer; or these permutations themselves.
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
        order: Order,
        inverted: bool,
        context_size: int | None,
        dtype: tf.DType,
        rng: np.random.Generator,
    ):
        super().__init__(name="autoregressions")
        self._transformer = transformer
        self._inverted = inverted
        if isinstance(order, str):
            ascending = list(range(event_size))
            turns: list[Any] = [ascending, ascending[::-1]] if order == "alternate" else [order]
            orders = [turns[k % len(turns)] for k in range(num_layers)]
        else:
            orders = list(order)
        self._networks = [
            MaskedMLP(
                event_size,
                transformer.num_params,
                hidden_units=hidden_units,
                activation=activation,
                order=order_of_layer,
                seed=rng,
                dtype=dtype,
                context_size=context_size,
                name=f"network_{k}",
            )
            for k, order_of_layer in enumerate(orders)
        ]

    @property
    def orders(self) -> list[list[int]]:
        """The elements of each layer in the order in which they see each other."""
        return [network.order.tolist() for network in self._networks]

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
        chain = _recipe.chain(layers[::-1])
        return tfb.Invert(chain) if self._inverted else chain

    def __call__(self, context: tf.Tensor) -> tfb.Bijector:
        return self.bijector(context)
