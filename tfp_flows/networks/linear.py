"""The affine map of vectors that all networks are made of."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows.networks.initializers import Seed, generator, glorot_uniform


class Linear(tf.Module):
    """`y = gain x K + bias`, over the last axis of `x`.

    Args:
      input_size: size of the last axis of `x`.
      output_size: size of the last axis of `y`.
      kernel_scale: factor on Glorot's uniform limits; 0 starts with a kernel of zeros.
      bias: initial bias, `[output_size]`, or `None` for zeros; `False` for no bias at all.
      seed: integer, NumPy generator or `None`.
      dtype: floating dtype of the variables.
      gain: constant factor on the product. Adam's steps do not depend on the scale of a kernel, so
        a gain below one is a smaller learning rate for what the kernel does to `y`.
      mask: constant factor on the kernel, `[input_size, output_size]` of zeros and ones, or `None`.
        The initial limits count the connections that it leaves.
      name: the module's name.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    y = tff.networks.Linear(3, 2, seed=0)(tf.ones([5, 3]))  # [5, 2]
    ```
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        kernel_scale: float = 1.0,
        bias: np.ndarray | bool | None = None,
        seed: Seed = None,
        dtype: tf.DType = tf.float32,
        gain: float = 1.0,
        mask: np.ndarray | None = None,
        name: str = "linear",
    ):
        super().__init__(name=name)
        kernel = glorot_uniform(
            generator(seed), [input_size, output_size], dtype, scale=kernel_scale
        )
        self._gain = gain
        self._mask = None if mask is None else np.asarray(mask, kernel.dtype)
        if mask is not None:
            kernel *= _masked_scale(self._mask)
        self.kernel = tf.Variable(kernel, name=f"{name}_kernel")
        self.bias: Any = None
        if bias is not False:
            values = np.zeros([output_size]) if bias is None else bias
            self.bias = tf.Variable(values, dtype=dtype, name=f"{name}_bias")

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """Maps `[..., input_size]` to `[..., output_size]`."""
        input_size, output_size = self.kernel.shape
        if x.shape.rank == 2:
            y = tf.matmul(x, self.effective_kernel())
        else:
            # One product over all leading dimensions is faster than a batch of products.
            y = tf.matmul(tf.reshape(x, [-1, input_size]), self.effective_kernel())
            y = tf.reshape(y, tf.concat([tf.shape(x)[:-1], [output_size]], axis=0))
            y = tf.ensure_shape(y, x.shape[:-1].concatenate(output_size))
        y = y if self._gain == 1.0 else self._gain * y
        return y if self.bias is None else y + self.bias

    def effective_kernel(self) -> tf.Tensor:
        """The kernel under its mask, `[input_size, output_size]`."""
        return self.kernel if self._mask is None else self.kernel * self._mask


def _masked_scale(mask):
    """From Glorot's limits for full kernels to those for the connections that a mask leaves."""
    fans = mask.sum(axis=0, keepdims=True) + mask.sum(axis=1, keepdims=True)
    return mask * np.sqrt(sum(mask.shape) / np.maximum(fans, 1.0))
