"""Invertible 1x1 convolutions."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfp_flows import _tfp
from tfp_flows.bijectors import _channels
from tfp_flows.bijectors._channel_matrix import ChannelMatrix, random_rotation

_Properties = _tfp.parameter_properties.ParameterProperties


class InvertibleConv1x1(ChannelMatrix, _tfp.AutoCompositeTensorBijector):
    """An invertible linear map of the channels, the same at every position: images R^(h x w x C).

    ```none
    y_ij = W x_ij,   W = P L diag(s(d)) (I + U),
    s(p) = 1e-6 + (1 - 1e-6) softplus(p + log(e - 1))
    log|det dy/dx| = h w sum_c log s(d_c)
    ```

    `P` is a fixed permutation matrix, with signs, `L` is lower triangular with a diagonal of ones,
    `U` strictly upper triangular. Zero parameters give `P`, by default the identity.

    Cost: O(C^2) for each position in both directions, one matrix product with `W` or with its
    inverse, which two triangular solves give once a call in O(C^3). The log-det costs O(C).

    #### Examples

    ```python
    import tfp_flows as tff
    import tensorflow as tf

    # Trainable, at first a random rotation of the channels.
    mix = tff.bijectors.InvertibleConv1x1.with_variables(event_shape=[8, 8, 3], seed=0)
    y, log_det = mix.forward_and_log_det(tf.ones([5, 8, 8, 3]))
    ```

    #### References

    Kingma and Dhariwal (2018), Glow: Generative Flow with Invertible 1x1 Convolutions,
    arXiv:1807.03039, section 3.2 and eq. 10. (The paper's `U + diag(s)` is `diag(s) (I + U)` here,
    with the signs of its vector `s` in `P`, so that the matrix cannot become singular.)
    """

    def __init__(
        self,
        lower_upper,
        event_shape: Sequence[int],
        permutation=None,
        validate_args: bool = False,
        name: str = "invertible_conv1x1",
    ):
        """Creates the layer.

        Args:
          lower_upper: float tensor `[..., C, C]`: `L` below the diagonal, `U` above it, and the
            unconstrained `d` on it.
          event_shape: static shape of one event, `[height, width, C]`; any number of positions'
            dimensions.
          permutation: float tensor `[..., C, C]`, the matrix `P`, which is orthogonal. Where it is
            random, a variable that is not trainable, so that it is saved with the others. Default:
            the identity.
          validate_args: as in every TFP bijector; shapes and dtypes are always checked.
          name: the bijector's name.

        Raises:
          TypeError: the arguments differ in dtype, or are not floating.
          ValueError: the shapes do not fit together, or `permutation` is not orthogonal.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            dtype = self._set_matrix(lower_upper, None, permutation, event_shape)
            super().__init__(
                forward_min_event_ndims=self._static_shape.rank,
                is_constant_jacobian=True,
                validate_args=validate_args,
                parameters=parameters,
                dtype=dtype,
                name=name,
            )

    @classmethod
    def with_variables(
        cls,
        event_shape: Sequence[int],
        seed: int | np.random.Generator,
        dtype: tf.DType = tf.float32,
        name: str = "invertible_conv1x1",
    ) -> "InvertibleConv1x1":
        """Creates the layer with variables, at first a random rotation of the channels.

        Args:
          event_shape: static shape of one event, `[height, width, C]`.
          seed: integer or NumPy generator.
          dtype: floating dtype.
          name: the bijector's name.

        Returns:
          The layer.

        Raises:
          TypeError: `seed` is neither an integer nor a generator.
          ValueError: the event shape is not static, or empty.
        """
        shape = _channels.event_shape_of(event_shape, None)
        lower_upper, permutation = random_rotation(shape[-1], _channels.rng_of(seed))
        return cls(
            tf.Variable(lower_upper, dtype=dtype, name="lower_upper"),
            shape,
            tf.Variable(permutation, dtype=dtype, name="permutation", trainable=False),
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype):
        del dtype
        # How many positions share a channel does not follow from the shape of a sample.
        unknown = _tfp.parameter_properties.SHAPE_FN_NOT_IMPLEMENTED
        return {
            "lower_upper": _Properties(event_ndims=2, shape_fn=unknown),
            "permutation": _Properties(event_ndims=2, shape_fn=unknown, is_preferred=False),
        }
