"""The convolution that networks over images are made of."""

import tensorflow as tf

from tfp_flows._checks import check_at_least
from tfp_flows.networks.initializers import Seed, generator, glorot_uniform
from tfp_flows.networks.mlp import _check_last_axis


class Conv2D(tf.Module):
    """A convolution of images with zeros around them: height and width stay as they are.

    ```none
    y[i, j] = sum_{di, dj} x[i + di, j + dj] K[di, dj] + bias
    ```

    Args:
      input_size: number of channels of `x`, the size of its last axis.
      output_size: number of channels of `y`.
      kernel_size: height and width of the kernel.
      kernel_scale: factor on the initial limits, Glorot's for the matrix from a patch of `x` to a
        position of `y`; 0 starts with a kernel of zeros.
      seed: integer, NumPy generator or `None`.
      dtype: floating dtype of the variables.
      name: the module's name.

    Raises:
      TypeError: a size is no integer.
      ValueError: a size is not positive.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    convolution = tff.networks.Conv2D(input_size=3, output_size=8, seed=0)
    y = convolution(tf.ones([5, 32, 32, 3]))  # [5, 32, 32, 8]
    ```
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        kernel_size: int = 3,
        kernel_scale: float = 1.0,
        seed: Seed = None,
        dtype: tf.DType = tf.float32,
        name: str = "conv2d",
    ):
        super().__init__(name=name)
        check_at_least(1, input_size=input_size, output_size=output_size, kernel_size=kernel_size)
        self.input_size = input_size
        self.output_size = output_size
        matrix = glorot_uniform(
            generator(seed), [kernel_size**2 * input_size, output_size], dtype, scale=kernel_scale
        )
        kernel = matrix.reshape([kernel_size, kernel_size, input_size, output_size])
        self.kernel = tf.Variable(kernel, name=f"{name}_kernel")
        self.bias = tf.Variable(tf.zeros([output_size], dtype), name=f"{name}_bias")

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """Convolves images.

        Args:
          x: `[..., height, width, input_size]`, any number of leading dimensions.

        Returns:
          `[..., height, width, output_size]`.

        Raises:
          ValueError: `x` has another number of channels, or too few dimensions.
        """
        _check_last_axis("x", x, self.input_size)
        if x.shape.rank is not None and x.shape.rank < 3:
            raise ValueError(
                f"Argument `x`: expected shape (..., height, width, {self.input_size}), "
                f"received {tuple(x.shape)}."
            )
        # A convolution takes exactly one batch dimension.
        shape = tf.shape(x)
        images = tf.reshape(x, tf.concat([[-1], shape[-3:]], axis=0))
        if self.kernel.shape[0] == 1:
            y = tf.tensordot(images, self.kernel[0, 0], axes=1)
        else:
            y = tf.nn.conv2d(images, self.kernel, strides=1, padding="SAME")
        # (Without images, TensorFlow 2.21 returns an output with the input's channels on CPUs: the
        # bias must not meet it before this. The axis in front keeps graphs from leaving the reshape
        # out, which by their reckoning changes nothing.)
        y = tf.expand_dims(y, axis=0)
        y = tf.reshape(y, tf.concat([shape[:-1], [self.output_size]], axis=0))
        return tf.ensure_shape(y, x.shape[:-1].concatenate(self.output_size)) + self.bias
