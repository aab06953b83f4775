"""Activation normalization."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfp_flows import _tfp
from tfp_flows.bijectors import _arguments, _channels
from tfp_flows.bijectors.base import FusedBijector

_Properties = _tfp.parameter_properties.ParameterProperties


class ActNorm(FusedBijector, _tfp.AutoCompositeTensorBijector):
    """A scale and a shift for each channel: R^C -> R^C, or images R^(h x w x C) likewise.

    ```none
    y_ijc = shift_c + scale_c x_ijc,   scale = s(raw_scale),
    s(p) = 1e-6 + (1 - 1e-6) softplus(p + log(e - 1))
    log|det dy/dx| = h w sum_c log scale_c
    ```

    Both directions cost O(1) for each element, the log-det O(C) for all events together. Zero
    parameters give the identity.

    Nothing is learned during a call. `flows.initialize(distribution, batch)` sets the parameters
    such that the data leave the layer, on their way to the base, with mean 0 and variance 1 in each
    channel; without it the layer is what its parameters are, and training moves them as any others.

    #### Examples

    ```python
    import tfp_flows as tff
    import tensorflow as tf

    act_norm = tff.bijectors.ActNorm.with_variables(event_shape=[8, 8, 3])
    y, log_det = act_norm.forward_and_log_det(tf.ones([5, 8, 8, 3]))

    vectors = tff.bijectors.ActNorm(shift=[1.0, 2.0], raw_scale=[0.0, 1.0])  # constant parameters
    ```

    #### References

    Kingma and Dhariwal (2018), Glow: Generative Flow with Invertible 1x1 Convolutions,
    arXiv:1807.03039, section 3.1 and table 1. (The paper's layer maps data to latents: it is this
    one's inverse; and `s` is in the place of its exponential.)
    """

    def __init__(
        self,
        shift,
        raw_scale,
        event_shape: Sequence[int] | None = None,
        validate_args: bool = False,
        name: str = "act_norm",
    ):
        """Creates the layer.

        Args:
          shift: float tensor `[..., C]`.
          raw_scale: float tensor `[..., C]`, the unconstrained scales.
          event_shape: static shape of one event, whose last dimension is C; for example `[height,
            width, C]`. Default: vectors, `[C]`.
          validate_args: as in every TFP bijector; shapes and dtypes are always checked.
          name: the bijector's name.

        Raises:
          TypeError: the arguments differ in dtype, or are not floating.
          ValueError: the shapes do not fit together.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            dtype, (self._shift, self._raw_scale) = _arguments.as_parameters(
                shift=shift, raw_scale=raw_scale
            )
            sizes = _arguments.check_shapes(
                {"shift": self._shift, "raw_scale": self._raw_scale},
                {"shift": "C", "raw_scale": "C"},
            )
            self._static_shape = _channels.event_shape_of(event_shape, sizes["C"])
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
        cls, event_shape: Sequence[int], dtype: tf.DType = tf.float32, name: str = "act_norm"
    ) -> "ActNorm":
        """Creates the layer with trainable variables, at first the identity.

        Args:
          event_shape: static shape of one event, `[C]` or `[height, width, C]`.
          dtype: floating dtype.
          name: the bijector's name.

        Returns:
          The layer.

        Raises:
          ValueError: the event shape is not static, or empty.
        """
        zeros = tf.zeros(_channels.event_shape_of(event_shape, None)[-1:], dtype)
        return cls(
            tf.Variable(zeros, name="shift"),
            tf.Variable(zeros, name="raw_scale"),
            event_shape,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype):
        del dtype
        # How many positions share a channel does not follow from the shape of a sample.
        unknown = _tfp.parameter_properties.SHAPE_FN_NOT_IMPLEMENTED
        return {
            "shift": _Properties(event_ndims=1, shape_fn=unknown),
            "raw_scale": _Properties(event_ndims=1, shape_fn=unknown),
        }

    @property
    def shift(self):
        """The shift of each channel, `[..., C]`."""
        return self._shift

    @property
    def raw_scale(self):
        """The unconstrained scale of each channel, `[..., C]`."""
        return self._raw_scale

    @property
    def _event_shape(self):
        return self._static_shape

    def _forward_and_log_det(self, x):
        shift, scale, log_det = self._by_channel()
        y = shift + scale * x
        return y, _channels.total_log_det(log_det, y, self._static_shape)

    def _inverse_and_log_det(self, y):
        shift, scale, log_det = self._by_channel()
        x = (y - shift) / scale
        return x, _channels.total_log_det(-log_det, x, self._static_shape)

    def _by_channel(self):
        """Shift and scale in shapes that broadcast with events, and the log-det of a position."""
        scale = _channels.channel_scale(tf.convert_to_tensor(self._raw_scale))
        shift, value = (
            _channels.beside_channels(t, self._static_shape)
            for t in (tf.convert_to_tensor(self._shift), scale)
        )
        return shift, value, tf.reduce_sum(tf.math.log(scale), axis=-1)

    def _data_dependent_parameters(self, value, is_inverse):
        """The parameters with which the layer normalizes a batch, see `flows.initialize`.

        Args:
          value: a batch of its inputs, or of its outputs if data pass it in its inverse direction.
          is_inverse: whether they do.

        Returns:
          The constructor's arguments by name.
        """
        mean, variance = _channels.statistics(value, self._shift, self._static_shape)
        stddev = tf.sqrt(variance)
        # A channel that is constant, up to rounding, cannot be given a variance: it is centered.
        varies = stddev > 64.0 * np.finfo(value.dtype.as_numpy_dtype).eps * tf.abs(mean)
        stddev = tf.where(varies, stddev, tf.ones_like(stddev))
        shift, scale = (mean, stddev) if is_inverse else (-mean / stddev, 1.0 / stddev)
        return {"shift": shift, "raw_scale": _channels.unconstrained(scale)}
