"""The base of all bijectors here: value and log-det Jacobian are computed together, once."""

import abc

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _tfp
from tfp_flows.bijectors._arguments import trailing_shape


class FusedBijector(tfp.bijectors.Bijector):
    """A bijector whose two directions each compute the value and the log-det in one pass.

    A subclass writes two methods and one property:

    * `_forward_and_log_det(x)` returns `y` and `log|det dy/dx|`,
    * `_inverse_and_log_det(y)` returns `x` and `log|det dx/dy|`,
    * `_event_shape` is the static shape of one event; where outputs have another one than inputs,
      `_output_shape` is theirs.

    Both log-dets keep every dimension left of the event. TFP's four methods are derived from these
    two, and TFP's own cache does the fusing: the log-det of a pass is kept beside its value, as
    long as the value lives. So `log_prob`, `sample` and `experimental_sample_and_log_prob` each
    evaluate a network inside the bijector once.

    As with every TFP bijector, `forward(x)` of *the same tensor object* returns the cached result,
    also after a variable has been assigned; wrap `x` in `tf.identity` where that matters.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    class Doubling(tff.bijectors.FusedBijector):
        '''y = 2 x on vectors of size three.'''

        def __init__(self, validate_args=False, name="doubling"):
            parameters = dict(locals())
            with tf.name_scope(name) as name:
                super().__init__(
                    forward_min_event_ndims=1,
                    dtype=tf.float32,
                    validate_args=validate_args,
                    parameters=parameters,
                    name=name,
                )

        @property
        def _event_shape(self):
            return tf.TensorShape([3])

        def _forward_and_log_det(self, x):
            return 2.0 * x, tf.fill(tf.shape(x)[:-1], 3.0 * tf.math.log(2.0))

        def _inverse_and_log_det(self, y):
            return 0.5 * y, tf.fill(tf.shape(y)[:-1], -3.0 * tf.math.log(2.0))

    y, log_det = Doubling().forward_and_log_det([1.0, 2.0, 3.0])
    ```
    """

    # Keeps {"ildj": ...} of every pass beside its value (tfb.FFJORD does the same).
    _cache = _tfp.BijectorCacheWithGreedyAttrs("_fused_forward", "_fused_inverse")

    @abc.abstractmethod
    def _forward_and_log_det(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns `y` and `log|det dy/dx|` at `x`."""

    @abc.abstractmethod
    def _inverse_and_log_det(self, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns `x` and `log|det dx/dy|` at `y`."""

    @property
    @abc.abstractmethod
    def _event_shape(self) -> tf.TensorShape:
        """Static shape of one event; unknown dimensions are `None`."""

    @property
    def _output_shape(self) -> tf.TensorShape:
        """Static shape of one output."""
        return self._event_shape

    def forward_and_log_det(self, x, event_ndims: int | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns `forward(x)` and `forward_log_det_jacobian(x, event_ndims)` from one pass.

        Args:
          x: tensor of shape `[..., *event]`.
          event_ndims: how many rightmost dimensions the log-det sums over. Default: the event's
            rank.

        Returns:
          `y`, and the log-det in nats with the shape of `x` without its event dimensions.

        Raises:
          TypeError: the dtype of `x` is not the bijector's.
          ValueError: the event shape of `x` is not the bijector's.
        """
        x = self._checked(x, "x", self._event_shape)
        return self.forward(x), self.forward_log_det_jacobian(x, event_ndims)

    def inverse_and_log_det(self, y, event_ndims: int | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns `inverse(y)` and `inverse_log_det_jacobian(y, event_ndims)` from one pass.

        Args:
          y: tensor of shape `[..., *event]`.
          event_ndims: how many rightmost dimensions the log-det sums over. Default: the event's
            rank.

        Returns:
          `x`, and the log-det in nats with the shape of `y` without its event dimensions.

        Raises:
          TypeError: the dtype of `y` is not the bijector's.
          ValueError: the event shape of `y` is not the bijector's.
        """
        y = self._checked(y, "y", self._output_shape)
        return self.inverse(y), self.inverse_log_det_jacobian(y, event_ndims)

    # The passes; formulas may count on a static rank.

    def _forward_pass(self, x):
        if x.shape.rank is None:
            return self._as_rows(self._forward_and_log_det, x, "x", self._event_shape)
        return self._forward_and_log_det(x)

    def _inverse_pass(self, y):
        if y.shape.rank is None:
            return self._as_rows(self._inverse_and_log_det, y, "y", self._output_shape)
        return self._inverse_and_log_det(y)

    def _as_rows(self, compute, value, argument, event_shape):
        """Computes a pass of a tensor whose rank a graph does not know.

        Its batch dimensions become one and those that the parameters of a batch of bijectors
        broadcast with.
        """
        if event_shape.rank is None:
            return compute(value)
        try:
            num_kept = self.experimental_batch_shape().rank
        except NotImplementedError:  # The subclass does not describe its parameters.
            return compute(value)
        batch_shape, sizes = tf.split(
            tf.shape(value), [tf.rank(value) - event_shape.rank, event_shape.rank]
        )
        rows, kept = tf.split(
            tf.concat([tf.ones([num_kept], tf.int32), batch_shape], axis=0),
            [tf.size(batch_shape), num_kept],
        )
        value = tf.reshape(value, tf.concat([[tf.reduce_prod(rows)], kept, sizes], axis=0))
        shape = [*[None] * (1 + num_kept), *event_shape]
        result, log_det = compute(tf.ensure_shape(value, shape, name=f"argument_{argument}"))
        sizes = tf.shape(result)[1 + num_kept :]
        batch_shape = tf.broadcast_dynamic_shape(
            batch_shape, self.experimental_batch_shape_tensor()
        )
        return (
            tf.reshape(result, tf.concat([batch_shape, sizes], axis=0)),
            tf.reshape(log_det, batch_shape),
        )

    # What the cache calls. It stores one log-det for both directions, the inverse's.

    def _fused_forward(self, x):
        y, log_det = self._forward_pass(x)
        return y, {"ildj": -log_det}

    def _fused_inverse(self, y):
        x, log_det = self._inverse_pass(y)
        return x, {"ildj": log_det}

    # TFP's four methods.

    def _forward(self, x):
        return self._forward_pass(x)[0]

    def _inverse(self, y):
        return self._inverse_pass(y)[0]

    def _forward_log_det_jacobian(self, x):
        return self._forward_pass(x)[1]

    def _inverse_log_det_jacobian(self, y):
        return self._inverse_pass(y)[1]

    # Inputs are checked before TFP touches them. A log-det that no further dimension is summed over
    # is returned as it is. TFP would multiply it by ones and sum over no axis: a dozen operations
    # and their gradients for each bijector.

    def _call_forward(self, x, name, **kwargs):
        return super()._call_forward(self._checked(x, "x", self._event_shape), name, **kwargs)

    def _call_inverse(self, y, name, **kwargs):
        return super()._call_inverse(self._checked(y, "y", self._output_shape), name, **kwargs)

    def _call_forward_log_det_jacobian(self, x, event_ndims, name, **kwargs):
        x = self._checked(x, "x", self._event_shape)
        if not _is_minimal(event_ndims, self.forward_min_event_ndims):
            return super()._call_forward_log_det_jacobian(x, event_ndims, name, **kwargs)
        with self._name_and_control_scope(name):
            attributes = self._cache.forward_attributes(x, **kwargs)
            if "ildj" not in attributes:
                attributes["ildj"] = -self._forward_log_det_jacobian(x, **kwargs)
            return -attributes["ildj"]

    def _call_inverse_log_det_jacobian(self, y, event_ndims, name, **kwargs):
        y = self._checked(y, "y", self._output_shape)
        if not _is_minimal(event_ndims, self.inverse_min_event_ndims):
            return super()._call_inverse_log_det_jacobian(y, event_ndims, name, **kwargs)
        with self._name_and_control_scope(name):
            attributes = self._cache.inverse_attributes(y, **kwargs)
            if "ildj" not in attributes:
                attributes["ildj"] = self._inverse_log_det_jacobian(y, **kwargs)
            return attributes["ildj"]

    def _checked(self, value, argument: str, event_shape: tf.TensorShape) -> tf.Tensor:
        """Converts an argument to a tensor; its dtype and event shape must be the bijector's."""
        if tf.is_tensor(value) and self.dtype is not None and value.dtype != self.dtype:
            raise TypeError(
                f"{self.name}: argument `{argument}`: expected dtype {_dtype_name(self.dtype)}, "
                f"received {_dtype_name(value.dtype)}."
            )
        try:
            value = tf.convert_to_tensor(value, dtype=self.dtype, name=argument)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(
                f"{self.name}: argument `{argument}`: expected a tensor, received "
                f"{type(value).__name__}. {error}"
            ) from error
        if value.shape.rank is None or event_shape.rank is None:
            return value
        if value.shape.rank < event_shape.rank or not event_shape.is_compatible_with(
            value.shape[value.shape.rank - event_shape.rank :]
        ):
            raise ValueError(
                f"{self.name}: argument `{argument}`: expected event shape "
                f"{tuple(event_shape)}, that is a tensor of shape {trailing_shape(event_shape)}, "
                f"received shape {tuple(value.shape)}."
            )
        # Sizes that are unknown while a graph is made might broadcast when it runs.
        sizes = value.shape[: value.shape.rank - event_shape.rank].concatenate(event_shape)
        sizes = sizes.merge_with(value.shape)
        if sizes.as_list() != value.shape.as_list():
            value = tf.ensure_shape(value, sizes, name=f"argument_{argument}")
        return value

    def _experimental_compute_density_correction(
        self, x, tangent_space, backward_compat=False, **kwargs
    ):
        # All bijectors here map R^n to R^n; without this line TFP's manifold code refuses them.
        del backward_compat
        return tangent_space.transform_dimension_preserving(x, self, **kwargs)


def _is_minimal(event_ndims, min_event_ndims: int) -> bool:
    """Whether a log-det is asked for of the least event that the bijector has."""
    return event_ndims is None or tf.get_static_value(event_ndims) == min_event_ndims


def _dtype_name(dtype) -> str:
    return tf.as_dtype(dtype).name
