"""Batch normalization with running statistics."""

from collections.abc import Sequence

import tensorflow as tf

from tfp_flows import _tfp
from tfp_flows.bijectors import _arguments, _channels
from tfp_flows.bijectors.base import FusedBijector

_Properties = _tfp.parameter_properties.ParameterProperties


class BatchNorm(FusedBijector, _tfp.AutoCompositeTensorBijector):
    """Batch normalization as an exact bijector: R^C -> R^C, or images R^(h x w x C) likewise.

    ```none
    data to base (inverse):   x = s(raw_scale) (y - mean) / sqrt(variance + epsilon) + shift
    base to data (forward):   y = (x - shift) / s(raw_scale) sqrt(variance + epsilon) + mean
    log|det dx/dy| = h w sum_c (log s(raw_scale_c) - log(variance_c + epsilon) / 2)
    ```

    With `s(p) = 1e-6 + (1 - 1e-6) softplus(p + log(e - 1))`. Both directions cost O(1) for each
    element, the log-det O(C) for all events together.

    **`mean` and `variance` are running averages, in training, too, and calls do not change them.**
    `flows.initialize(distribution, batch)` sets them to the statistics of a batch, and
    `flows.update_statistics(distribution, batch)`, called after each training step, moves them
    (`models.DensityModel` calls it by itself):

    ```none
    mean <- momentum mean + (1 - momentum) mean of the batch,   variance likewise
    ```

    So there is no switch between training and inference to forget. Each row has a density that does
    not depend on the other rows, it integrates to 1 at every step, and its gradient is exact, with
    the statistics held fixed. (In the papers the current batch enters the average before it is
    normalized, and takes a part of the gradient.)

    The layer normalizes its inverse, the direction of `log_prob`. Inside of a `tfb.Invert` no data
    pass it in that direction, and its statistics cannot be updated.

    #### Examples

    ```python
    import tfp_flows as tff
    import tensorflow as tf

    norm = tff.bijectors.BatchNorm.with_variables(event_shape=[3], momentum=0.9)
    x, log_det = norm.inverse_and_log_det(tf.ones([5, 3]))
    len(norm.trainable_variables), len(norm.variables)  # 2 and 4
    ```

    #### References

    Ioffe and Szegedy (2015), Batch Normalization, arXiv:1502.03167; Dinh, Sohl-Dickstein and Bengio
    (2016), Density estimation using Real NVP, arXiv:1605.08803, section 3.7 and appendix E;
    Papamakarios, Pavlakou and Murray (2017), Masked Autoregressive Flow for Density Estimation,
    arXiv:1705.07057, appendix B.
    """

    def __init__(
        self,
        shift,
        raw_scale,
        mean,
        variance,
        event_shape: Sequence[int] | None = None,
        momentum: float = 0.99,
        epsilon: float = 1e-5,
        validate_args: bool = False,
        name: str = "batch_norm",
    ):
        """Creates the layer.

        Args:
          shift: float tensor `[..., C]`, the papers' beta.
          raw_scale: float tensor `[..., C]`; `s(raw_scale)` is the papers' gamma.
          mean: float tensor `[..., C]`, the running mean: a variable that is not trainable, if it
            is to be updated.
          variance: float tensor `[..., C]`, the running variance, non-negative; likewise.
          event_shape: static shape of one event, whose last dimension is C; for example `[height,
            width, C]`. Default: vectors, `[C]`.
          momentum: weight of the old statistics in an update, in [0, 1).
          epsilon: positive number that is added to the variance.
          validate_args: as in every TFP bijector; shapes and dtypes are always checked.
          name: the bijector's name.

        Raises:
          TypeError: the arguments differ in dtype, or are not floating.
          ValueError: the shapes do not fit together, or `momentum` or `epsilon` is out of range.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            tensors = {"shift": shift, "raw_scale": raw_scale, "mean": mean, "variance": variance}
            dtype, converted = _arguments.as_parameters(**tensors)
            tensors = dict(zip(tensors, converted, strict=True))
            sizes = _arguments.check_shapes(tensors, dict.fromkeys(tensors, "C"))
            _check_range("momentum", momentum, 0.0 <= momentum < 1.0, "a number in [0, 1)")
            _check_range("epsilon", epsilon, epsilon > 0.0, "a positive number")
            for argument, tensor in tensors.items():
                setattr(self, f"_{argument}", tensor)
            self._momentum = momentum
            self._epsilon = epsilon
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
        cls,
        event_shape: Sequence[int],
        momentum: float = 0.99,
        epsilon: float = 1e-5,
        dtype: tf.DType = tf.float32,
        name: str = "batch_norm",
    ) -> "BatchNorm":
        """Creates the layer with variables: shift, mean and `raw_scale` zero, variance one.

        Args:
          event_shape: static shape of one event, `[C]` or `[height, width, C]`.
          momentum: weight of the old statistics in an update, in [0, 1).
          epsilon: positive number that is added to the variance.
          dtype: floating dtype.
          name: the bijector's name.

        Returns:
          The layer. Its statistics are not trainable, and are averaged over replicas.

        Raises:
          ValueError: the event shape is not static, or empty, or a number is out of range.
        """
        shape = _channels.event_shape_of(event_shape, None)
        zeros, ones = tf.zeros(shape[-1:], dtype), tf.ones(shape[-1:], dtype)
        return cls(
            tf.Variable(zeros, name="shift"),
            tf.Variable(zeros, name="raw_scale"),
            _statistic(zeros, "mean"),
            _statistic(ones, "variance"),
            shape,
            momentum,
            epsilon,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype):
        del dtype
        # How many positions share a channel does not follow from the shape of a sample.
        unknown = _tfp.parameter_properties.SHAPE_FN_NOT_IMPLEMENTED
        names = ("shift", "raw_scale", "mean", "variance")
        return {name: _Properties(event_ndims=1, shape_fn=unknown) for name in names}

    @property
    def shift(self):
        """The mean of what leaves the layer for the base, `[..., C]`."""
        return self._shift

    @property
    def raw_scale(self):
        """Its unconstrained standard deviation, `[..., C]`."""
        return self._raw_scale

    @property
    def mean(self):
        """The running mean of the data, `[..., C]`."""
        return self._mean

    @property
    def variance(self):
        """The running variance of the data, `[..., C]`."""
        return self._variance

    @property
    def momentum(self) -> float:
        """Weight of the old statistics in an update."""
        return self._momentum

    @property
    def epsilon(self) -> float:
        """What is added to the variance."""
        return self._epsilon

    @property
    def _event_shape(self):
        return self._static_shape

    def _forward_and_log_det(self, x):
        shift, scale, mean, stddev, log_det = self._by_channel()
        y = (x - shift) / scale * stddev + mean
        return y, _channels.total_log_det(-log_det, y, self._static_shape)

    def _inverse_and_log_det(self, y):
        shift, scale, mean, stddev, log_det = self._by_channel()
        x = (y - mean) / stddev * scale + shift
        return x, _channels.total_log_det(log_det, x, self._static_shape)

    def _by_channel(self):
        """The parameters in shapes that broadcast with events, and a position's log|det dx/dy|."""
        scale = _channels.channel_scale(tf.convert_to_tensor(self._raw_scale))
        variance = tf.convert_to_tensor(self._variance) + self._epsilon
        values = (self._shift, scale, self._mean, tf.sqrt(variance))
        log_det = tf.reduce_sum(tf.math.log(scale) - 0.5 * tf.math.log(variance), axis=-1)
        return *(_channels.beside_channels(v, self._static_shape) for v in values), log_det

    def _data_dependent_parameters(self, value, is_inverse):
        """The statistics of a batch, see `flows.initialize`."""
        if not is_inverse:
            raise ValueError(
                f"{self.name}: expected data that pass the layer in its inverse direction, which "
                "it normalizes, received some in the forward direction, by a tfb.Invert."
            )
        mean, variance = _channels.statistics(value, self._mean, self._static_shape)
        return {"mean": mean, "variance": variance}

    def _updated_statistics(self, value, is_inverse):
        """The running statistics after one more batch, see `flows.update_statistics`."""
        of_batch = self._data_dependent_parameters(value, is_inverse)
        old = {"mean": self._mean, "variance": self._variance}
        return {
            name: self._momentum * old[name] + (1.0 - self._momentum) * of_batch[name]
            for name in old
        }


def _statistic(value, name):
    # Each replica sees its own part of a batch.
    return tf.Variable(
        value,
        trainable=False,
        name=name,
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.MEAN,
    )


def _check_range(name, value, is_valid, expected):
    if not is_valid:
        raise ValueError(f"Argument `{name}`: expected {expected}, received {value}.")
