"""The multilayer perceptron."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfp_flows._checks import check_at_least, check_hidden_units
from tfp_flows.networks.initializers import Seed, generator
from tfp_flows.networks.linear import Linear

_ACTIVATIONS = {
    "elu": tf.nn.elu,
    "gelu": tf.nn.gelu,
    "leaky_relu": tf.nn.leaky_relu,
    "relu": tf.nn.relu,
    "silu": tf.nn.silu,
    "softplus": tf.nn.softplus,
    "tanh": tf.tanh,
}


class Perceptron(tf.Module):
    """What the fully connected networks share: their layers, and one pass through them.

    `masks`, where given, holds one constant factor for each kernel, see `Linear`. All other
    arguments are those of `MLP`.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        hidden_units: Sequence[int],
        activation: str | Callable[[tf.Tensor], tf.Tensor],
        zero_init_last: bool,
        seed: Seed,
        dtype: tf.DType,
        context_size: int | None,
        name: str,
        masks: Sequence[np.ndarray] | None = None,
    ):
        super().__init__(name=name)
        check_at_least(1, input_size=input_size, output_size=output_size)
        check_hidden_units(hidden_units)
        if context_size is not None:
            check_at_least(1, context_size=context_size)
        self.input_size = input_size
        self.output_size = output_size
        self.context_size = context_size
        self._activation = _activation(activation)
        rng = generator(seed)
        sizes = [input_size, *hidden_units, output_size]
        last = len(sizes) - 2
        self._layers = [
            Linear(
                sizes[i],
                sizes[i + 1],
                kernel_scale=0.0 if zero_init_last and i == last else 1.0,
                seed=rng,
                dtype=dtype,
                mask=None if masks is None else masks[i],
                name=f"{name}_{i}",
            )
            for i in range(len(sizes) - 1)
        ]
        self._context_layer = None
        if context_size is not None:
            scale = 0.0 if zero_init_last and last == 0 else 1.0
            self._context_layer = Linear(
                context_size, sizes[1], scale, False, rng, dtype, name=f"{name}_context"
            )

    def __call__(self, x: tf.Tensor, context: tf.Tensor | None = None) -> tf.Tensor:
        """Evaluates the network.

        Args:
          x: `[..., input_size]`.
          context: `[..., context_size]`, its leading dimensions broadcasting with those of `x`;
            given exactly if the network has a `context_size`.

        Returns:
          `[..., output_size]`.

        Raises:
          ValueError: a size is wrong, or `context` is missing or superfluous.
        """
        _check_last_axis("x", x, self.input_size)
        h = self._layers[0](x)
        shift = self._context_shift(context)
        h = h if shift is None else h + shift
        for layer in self._layers[1:]:
            h = layer(self._activation(h))
        return h

    def _context_shift(self, context):
        """What the context adds to the first layer's output, or `None` without a context.

        Mapped by itself, the context costs one product, however many `x` share it.
        """
        if self._context_layer is not None:
            _check_last_axis("context", context, self.context_size)
            return self._context_layer(context)
        if context is not None:
            raise ValueError(
                "Argument `context`: expected None (no `context_size` was given), "
                "received a tensor."
            )
        return None


class MLP(Perceptron):
    """A fully connected network: the default conditioner.

    ```none
    h_1 = activation(x K_1 + context C + b_1),   h_i = activation(h_{i-1} K_i + b_i),
    output = h_n K + b
    ```

    With `zero_init_last` the output is zero at first, so that a flow of such layers starts as the
    identity.

    Args:
      input_size: size of the last axis of the input.
      output_size: size of the last axis of the output.
      hidden_units: sizes of the hidden layers; empty for a linear map.
      activation: a name (`"relu"`, `"silu"`, `"elu"`, `"gelu"`, `"leaky_relu"`, `"softplus"`,
        `"tanh"`) or a function from tensor to tensor.
      zero_init_last: whether the last layer starts at zero. Otherwise, as the others, Glorot
        uniform.
      seed: integer, NumPy generator or `None`.
      dtype: floating dtype of the variables.
      context_size: size of the last axis of `context`, or `None` for a network without context.
      name: the module's name.

    Raises:
      ValueError: a size is not positive, or the activation is unknown.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    network = tff.networks.MLP(input_size=2, output_size=6, hidden_units=[64, 64], seed=0)
    params = network(tf.ones([5, 2]))  # [5, 6], zeros at first
    ```
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        hidden_units: Sequence[int] = (64, 64),
        activation: str | Callable[[tf.Tensor], tf.Tensor] = "relu",
        zero_init_last: bool = True,
        seed: Seed = None,
        dtype: tf.DType = tf.float32,
        context_size: int | None = None,
        name: str = "mlp",
    ):
        super().__init__(
            input_size,
            output_size,
            hidden_units,
            activation,
            zero_init_last,
            seed,
            dtype,
            context_size,
            name,
        )


def _activation(activation):
    if callable(activation):
        return activation
    if activation not in _ACTIVATIONS:
        raise ValueError(
            f"Argument `activation`: expected one of {sorted(_ACTIVATIONS)} or a function, "
            f"received {activation!r}."
        )
    return _ACTIVATIONS[activation]


def _check_last_axis(argument, value, size):
    if value is None:
        raise ValueError(f"Argument `{argument}`: expected a tensor [..., {size}], received None.")
    if value.shape.rank is not None and (
        value.shape.rank < 1 or not value.shape[-1:].is_compatible_with([size])
    ):
        raise ValueError(
            f"Argument `{argument}`: expected a last axis of size {size}, "
            f"received shape {tuple(value.shape)}."
        )
