"""The gated residual network: the conditioner of couplings on images."""

from collections.abc import Callable

import tensorflow as tf

from tfp_flows._checks import check_at_least
from tfp_flows.networks.conv import Conv2D
from tfp_flows.networks.initializers import Seed, generator
from tfp_flows.networks.linear import Linear
from tfp_flows.networks.mlp import _activation, _check_last_axis


class GatedResidualNetwork(tf.Module):
    """A convolutional network over images, with a gate on what each block adds.

    ```none
    h_0 = conv(x) + context C,   h_i = h_{i-1} + a_i * sigmoid(b_i),   output = conv(act(h_n))
    (a_i, b_i) = conv1x1(act(conv(act(h_{i-1}))))
    ```

    It sees channels and returns channels: as a `Coupling`'s conditioner, with `channel_mask` those
    that pass through and `num_params` for each transformed one, with `checkerboard_mask` all
    channels and `num_params` for each. The context is the same at all positions. Each 3 x 3
    convolution lets a position see one further position in every direction: 2 + n in all.

    With `zero_init_last` the output is zero at first, so that a flow of such layers starts as the
    identity.

    Args:
      input_size: number of channels of the input.
      output_size: number of channels of the output.
      hidden_channels: number of channels of each `h_i`.
      num_blocks: n, the number of gated blocks; 0 leaves two convolutions.
      kernel_size: height and width of the kernels (those of the gates are 1).
      activation: a name (see `MLP`) or a function from tensor to tensor.
      zero_init_last: whether the last convolution starts at zero.
      seed: integer, NumPy generator or `None`.
      dtype: floating dtype of the variables.
      context_size: size of the last axis of `context`, or `None` for a network without context.
      name: the module's name.

    Raises:
      TypeError: a size is no integer.
      ValueError: a size is too small, or the activation is unknown.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    network = tff.networks.GatedResidualNetwork(input_size=2, output_size=4, seed=0)
    params = network(tf.ones([5, 8, 8, 2]))  # [5, 8, 8, 4], zeros at first
    ```

    #### References

    Ho, Chen, Srinivas, Duan and Abbeel (2019), Flow++: Improving Flow-Based Generative Models with
    Variational Dequantization and Architecture Design, arXiv:1902.00275, section 3.3 (the gated
    convolutions, without attention and layer normalization); Dinh, Sohl-Dickstein and Bengio
    (2016), Density estimation using Real NVP, arXiv:1605.08803, section 3.7 (residual networks in
    couplings).
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        hidden_channels: int = 64,
        num_blocks: int = 1,
        kernel_size: int = 3,
        activation: str | Callable[[tf.Tensor], tf.Tensor] = "relu",
        zero_init_last: bool = True,
        seed: Seed = None,
        dtype: tf.DType = tf.float32,
        context_size: int | None = None,
        name: str = "gated_residual_network",
    ):
        super().__init__(name=name)
        check_at_least(
            1, input_size=input_size, output_size=output_size, hidden_channels=hidden_channels
        )
        check_at_least(1, kernel_size=kernel_size)
        check_at_least(0, num_blocks=num_blocks)
        self.input_size = input_size
        self.output_size = output_size
        self.context_size = context_size
        self._activation = _activation(activation)
        rng = generator(seed)

        def conv(inputs, outputs, size, scale, part):
            return Conv2D(inputs, outputs, size, scale, rng, dtype, name=f"{name}_{part}")

        hidden = hidden_channels
        self._first = conv(input_size, hidden, kernel_size, 1.0, "first")
        self._blocks = [
            (
                conv(hidden, hidden, kernel_size, 1.0, f"block_{i}"),
                conv(hidden, 2 * hidden, 1, 1.0, f"gate_{i}"),
            )
            for i in range(num_blocks)
        ]
        last_scale = 0.0 if zero_init_last else 1.0
        self._last = conv(hidden, output_size, kernel_size, last_scale, "last")
        self._context_layer = None
        if context_size is not None:
            check_at_least(1, context_size=context_size)
            self._context_layer = Linear(
                context_size, hidden, bias=False, seed=rng, dtype=dtype, name=f"{name}_context"
            )

    def __call__(self, x: tf.Tensor, context: tf.Tensor | None = None) -> tf.Tensor:
        """Evaluates the network.

        Args:
          x: `[..., height, width, input_size]`.
          context: `[..., context_size]`, its leading dimensions broadcasting with those of `x`;
            given exactly if the network has a `context_size`.

        Returns:
          `[..., height, width, output_size]`.

        Raises:
          ValueError: a size is wrong, or `context` is missing or superfluous.
        """
        h = self._first(x)
        if self._context_layer is not None:
            _check_last_axis("context", context, self.context_size)
            h += self._context_layer(context)[..., tf.newaxis, tf.newaxis, :]
        elif context is not None:
            raise ValueError(
                "Argument `context`: expected None (no `context_size` was given), "
                "received a tensor."
            )
        for conv, gate in self._blocks:
            a, b = tf.split(gate(self._activation(conv(self._activation(h)))), 2, axis=-1)
            h += a * tf.sigmoid(b)
        return self._last(self._activation(h))
