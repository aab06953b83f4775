"""Elementwise transforms with parameters of their own."""

import tensorflow as tf

from tfp_flows import _tfp
from tfp_flows.bijectors import _arguments
from tfp_flows.bijectors.base import FusedBijector
from tfp_flows.transformers import Transformer, check_transformer

_Properties = _tfp.parameter_properties.ParameterProperties


class Elementwise(FusedBijector):
    """A transformer with one row of parameters for each element: learned marginals.

    ```none
    y_i = transformer(x_i; params_i),   log|det dy/dx| = sum_i log|transformer'(x_i; params_i)|
    ```

    Direction and cost are the transformer's; the log-det is O(D) beside it.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    spline = tff.transformers.RationalQuadraticSpline(num_bins=8, bound=4.0)
    marginals = tff.bijectors.Elementwise(
        spline, params=tf.Variable(tf.zeros([2, spline.num_params])), event_ndims=1
    )
    y, log_det = marginals.forward_and_log_det(tf.ones([5, 2]))  # [5, 2] and [5]
    ```
    """

    def __init__(
        self,
        transformer: Transformer,
        params,
        event_ndims: int = 0,
        validate_args: bool = False,
        name: str = "elementwise",
    ):
        """Creates the bijector.

        Args:
          transformer: the elementwise map.
          params: float tensor `[..., *event, num_params]`, unconstrained.
          event_ndims: how many dimensions an event has. With 0, the default, every element is an
            event of its own, and the leading dimensions of `params` are batch dimensions.
          validate_args: as in every TFP bijector; shapes and dtypes are always checked.
          name: the bijector's name.

        Raises:
          TypeError: `transformer` is no transformer, or `params` is not floating.
          ValueError: the last axis of `params` is not `num_params`, or it has too few dimensions.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            check_transformer(transformer)
            if not isinstance(event_ndims, int) or event_ndims < 0:
                raise ValueError(
                    f"Argument `event_ndims`: expected an integer >= 0, received {event_ndims!r}."
                )
            dtype, (self._params,) = _arguments.as_parameters(params=params)
            shape = self._params.shape
            if (
                shape.rank is None
                or shape.rank < event_ndims + 1
                or shape[-1] != transformer.num_params
            ):
                event = [f"event[{i}]" for i in range(event_ndims)]
                raise ValueError(
                    "Argument `params`: expected shape "
                    f"{_arguments.trailing_shape([*event, transformer.num_params])} for "
                    f"{transformer!r}, received {_arguments.tuple_of(shape)}."
                )
            self._transformer = transformer
            self._event_ndims = event_ndims
            super().__init__(
                forward_min_event_ndims=event_ndims,
                is_constant_jacobian=transformer.is_volume_preserving,
                validate_args=validate_args,
                parameters=parameters,
                dtype=dtype,
                name=name,
            )

    @classmethod
    def _parameter_properties(cls, dtype):
        del dtype
        return {
            "params": _Properties(
                event_ndims=lambda _, x_event_ndims: x_event_ndims + 1,
                shape_fn=_tfp.parameter_properties.SHAPE_FN_NOT_IMPLEMENTED,
            )
        }

    @property
    def transformer(self) -> Transformer:
        """The elementwise map."""
        return self._transformer

    @property
    def params(self):
        """Unconstrained parameters, `[..., *event, num_params]`."""
        return self._params

    @property
    def _event_shape(self):
        shape = self._params.shape[:-1]
        return shape[shape.rank - self._event_ndims :]

    def _forward_and_log_det(self, x):
        return self._transform(x, self._transformer.forward)

    def _inverse_and_log_det(self, y):
        return self._transform(y, self._transformer.inverse)

    def _transform(self, x, direction):
        params = tf.convert_to_tensor(self._params)
        value, log_derivative = direction(x, params)
        # A transformer whose slope does not depend on the point returns it once for all points.
        log_derivative = tf.broadcast_to(log_derivative, tf.shape(value))
        return value, tf.reduce_sum(log_derivative, axis=list(range(-self._event_ndims, 0)))
