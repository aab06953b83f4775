"""Squeezing: positions of an image become channels."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfp_flows.bijectors._reshaping import ReshapingBijector, reshape_events
from tfp_flows.bijectors.masks import checked_image_shape
from tfp_flows.numerics import permute


class Squeeze(ReshapingBijector):
    """Every square block of positions becomes the channels of one position.

    ```none
    y[i, j, k channels + c] = x[b i + di_k, b j + dj_k, c],   b = block_size
    ```

    It maps `[height, width, channels]` to `[height / b, width / b, b^2 channels]`, and preserves
    volume: R^n -> R^n, log-det zero. Both directions only move numbers.

    The offsets `(di_k, dj_k)` are those of a block's positions, first all whose sum is even, then
    the others: (0, 0), (1, 1), (0, 1), (1, 0) for blocks of two. So the two halves of the channels
    are the two colours of a checkerboard, for an even block size, and couplings with
    `channel_mask` go on where those with `checkerboard_mask` have ended.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    squeeze = tff.bijectors.Squeeze([4, 4, 1])
    y = squeeze.forward(tf.reshape(tf.range(16.0), [4, 4, 1]))  # [2, 2, 4]
    y[0, 0]  # [0., 5., 1., 4.]
    ```

    #### References

    Dinh, Sohl-Dickstein and Bengio (2016), Density estimation using Real NVP, arXiv:1605.08803,
    section 3.6 and figure 3.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        block_size: int = 2,
        dtype: tf.DType | None = None,
        validate_args: bool = False,
        name: str = "squeeze",
    ):
        """Creates the bijector.

        Args:
          event_shape: `[height, width, channels]` of its inputs; height and width are multiples of
            the block size.
          block_size: height and width of the blocks, at least 1.
          dtype: dtype of the images; `None` takes any.
          validate_args: as in every TFP bijector; shapes and dtypes are always checked.
          name: the bijector's name.

        Raises:
          TypeError: a size is no integer.
          ValueError: a size is not positive, or the blocks do not fill the image.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            height, width, channels = checked_image_shape("event_shape", event_shape)
            _check_block_size(block_size, height, width)
            self._block_size = int(block_size)
            self._sizes = self._no_dependency((height, width, channels))
            self._order = self._no_dependency(_channel_order(self._block_size, channels))
            super().__init__(
                forward_min_event_ndims=3,
                is_constant_jacobian=True,
                validate_args=validate_args,
                parameters=parameters,
                dtype=dtype,
                name=name,
            )

    @classmethod
    def _parameter_properties(cls, dtype):
        del dtype
        return {}  # no tensor among the arguments

    @property
    def block_size(self) -> int:
        """Height and width of the blocks."""
        return self._block_size

    @property
    def _is_permutation(self):
        return True

    @property
    def _event_shape(self):
        return tf.TensorShape(self._sizes)

    @property
    def _output_shape(self):
        (height, width, channels), b = self._sizes, self._block_size
        return tf.TensorShape([height // b, width // b, b * b * channels])

    def _forward_and_log_det(self, x):
        (height, width, channels), b = self._sizes, self._block_size
        blocks = tf.reshape(x, [-1, height // b, b, width // b, b, channels])
        y = reshape_events(_swap_inner(blocks), x, 3, self._output_shape)
        return permute(y, self._order), tf.zeros_like(x[..., 0, 0, 0])

    def _inverse_and_log_det(self, y):
        (height, width, channels), b = self._sizes, self._block_size
        rows = permute(y, np.argsort(self._order))
        blocks = tf.reshape(rows, [-1, height // b, width // b, b, b, channels])
        x = reshape_events(_swap_inner(blocks), y, 3, self._event_shape)
        return x, tf.zeros_like(y[..., 0, 0, 0])


def _swap_inner(blocks):
    """From `[n, h, b, w, b, c]` to `[n, h, w, b, b, c]`, and back."""
    return tf.transpose(blocks, [0, 1, 3, 2, 4, 5])


def _channel_order(block_size, channels):
    """Where each channel comes from, when a block's positions stand row by row."""
    positions = np.arange(block_size**2)
    colour = (positions // block_size + positions % block_size) % 2
    order = np.argsort(colour, kind="stable")
    return np.add.outer(order * channels, np.arange(channels)).ravel()


def _check_block_size(block_size, height, width):
    if not isinstance(block_size, (int, np.integer)) or isinstance(block_size, bool):
        raise TypeError(f"Argument `block_size`: expected an integer, received {block_size!r}.")
    if block_size < 1:
        raise ValueError(f"Argument `block_size`: expected at least 1, received {block_size}.")
    if height % block_size or width % block_size:
        raise ValueError(
            f"Argument `event_shape`: expected a height and a width that are multiples of "
            f"`block_size` {block_size}, received {height} and {width}."
        )
