"""Fixed permutations."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfp_flows import _tfp
from tfp_flows.bijectors import _channels
from tfp_flows.bijectors.base import FusedBijector
from tfp_flows.numerics import permute


class Permutation(FusedBijector, _tfp.AutoCompositeTensorBijector):
    """A fixed permutation of vectors, or of the channels of images.

    ```none
    y_i = x_permutation[i],   log|det dy/dx| = 0
    ```

    Both directions cost O(1) for each element. As `tfb.Permute`, but its gradient gathers by the
    inverse permutation, where that of `tf.gather` is a scatter-add.

    A permutation is a setting, as a mask is, and no variable: it is not saved with weights. Who
    loads them into a model made anew must give a random permutation the seed it had.

    #### Examples

    ```python
    import tfp_flows as tff
    import tensorflow as tf

    rotate = tff.bijectors.Permutation([2, 0, 1])
    y = rotate.forward(tf.constant([10.0, 20.0, 30.0]))  # [30, 10, 20]
    shuffle = tff.bijectors.Permutation.random(5, seed=0)
    flip = tff.bijectors.Permutation.reverse(5)
    channels = tff.bijectors.Permutation([1, 0], event_shape=[8, 8, 2])
    ```
    """

    def __init__(
        self,
        permutation: Sequence[int] | np.ndarray,
        event_shape: Sequence[int] | None = None,
        dtype: tf.DType | None = None,
        validate_args: bool = False,
        name: str = "permutation",
    ):
        """Creates the permutation.

        Args:
          permutation: static integers `[C]`, each of 0 to C - 1 once.
          event_shape: static shape of one event, whose last dimension is C; for example `[height,
            width, C]`. Default: vectors, `[C]`.
          dtype: of the events, or `None` for any.
          validate_args: as in every TFP bijector; the arguments are always checked.
          name: the bijector's name.

        Raises:
          TypeError: `permutation` does not hold integers.
          ValueError: it is none, or `event_shape` does not fit.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            self._permutation = _channels.permutation_of(permutation)
            self._static_shape = _channels.event_shape_of(event_shape, self._permutation.size)
            super().__init__(
                forward_min_event_ndims=self._static_shape.rank,
                is_constant_jacobian=True,
                validate_args=validate_args,
                parameters=parameters,
                dtype=dtype,
                name=name,
            )

    @classmethod
    def random(
        cls,
        event_shape: int | Sequence[int],
        seed: int | np.random.Generator,
        name: str = "random_permutation",
    ) -> "Permutation":
        """Draws a permutation uniformly.

        Args:
          event_shape: the size of vectors, or the static shape of one event.
          seed: integer or NumPy generator.
          name: the bijector's name.

        Returns:
          The permutation of the last axis.

        Raises:
          TypeError: `seed` is neither an integer nor a generator.
          ValueError: the event shape is not static, or empty.
        """
        shape = _shape_of(event_shape)
        return cls(_channels.rng_of(seed).permutation(shape[-1]), shape, name=name)

    @classmethod
    def reverse(
        cls, event_shape: int | Sequence[int], name: str = "reversing_permutation"
    ) -> "Permutation":
        """Creates the permutation that reverses the last axis.

        Args:
          event_shape: the size of vectors, or the static shape of one event.
          name: the bijector's name.

        Returns:
          The permutation.

        Raises:
          ValueError: the event shape is not static, or empty.
        """
        shape = _shape_of(event_shape)
        return cls(np.arange(shape[-1])[::-1], shape, name=name)

    @classmethod
    def _parameter_properties(cls, dtype):
        del dtype
        return {}  # no tensor among the arguments

    @property
    def permutation(self) -> np.ndarray:
        """Where each element comes from, `[C]`."""
        return self._permutation

    @property
    def _event_shape(self):
        return self._static_shape

    @property
    def _is_permutation(self):
        return True

    def _forward_and_log_det(self, x):
        return self._permuted(x, self._permutation)

    def _inverse_and_log_det(self, y):
        return self._permuted(y, np.argsort(self._permutation))

    def _permuted(self, x, permutation):
        zero = tf.zeros([], x.dtype)
        return permute(x, permutation), _channels.total_log_det(zero, x, self._static_shape)


def _shape_of(event_shape):
    is_size = isinstance(event_shape, (int, np.integer))
    return _channels.event_shape_of([event_shape] if is_size else event_shape, None)
