"""Autoregressive flows."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfp_flows import _tfp
from tfp_flows.bijectors._conditioners import (
    as_conditioner,
    bound_method,
    check_declared_sizes,
    declared,
    rows_of_parameters,
)
from tfp_flows.bijectors._triangular import substitute, with_implicit_gradients
from tfp_flows.bijectors.base import FusedBijector
from tfp_flows.transformers import Transformer, check_transformer


class Autoregressive(FusedBijector):
    """Each element is transformed as the elements of the output before it decide: R^D -> R^D.

    ```none
    y_i = transformer(x_i; conditioner(y)_i),   conditioner(y)_i depends on y_j with j before i
    log|det dy/dx| = sum_i log|transformer'(x_i; conditioner(y)_i)|
    ```

    **The inverse is the cheap direction**, as in TFP's `MaskedAutoregressiveFlow`: from data `y` to
    noise `x`, and so the density of data, is one evaluation of the conditioner, log-det included.
    Forward, that is sampling, finds one element after the other. With any callable that is D
    evaluations in a loop, and one more for the log-det. A conditioner with a method
    `begin_sequence`, such as `networks.MaskedMLP`, computes one element at a time: D small steps
    that together cost about as much as one evaluation.

    A gradient through the forward direction costs D passes backwards through the conditioner, in
    the memory of one; second derivatives raise a `NotImplementedError` there. The inverse has
    derivatives of any order. With `tfb.Invert` the directions trade places: that is the inverse
    autoregressive flow, for sampling.

    The conditioner is any callable from `[..., D]` to `[..., D * num_params]`, the parameters of an
    element standing together, that is autoregressive in the given order; `networks.MaskedMLP` is.
    Layers of either Keras are called with one batch dimension, and are built if they are not.
    `trainable_variables` of the bijector is complete, also for closures, partial functions and
    Keras 3 layers.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    affine = tff.transformers.Affine()
    network = tff.networks.MaskedMLP(event_size=4, num_params=affine.num_params, seed=0)
    maf = tff.bijectors.Autoregressive(affine, network)
    x, log_det = maf.inverse_and_log_det(tf.ones([5, 4]))
    ```

    #### References

    Papamakarios, Pavlakou and Murray (2017), Masked Autoregressive Flow for Density Estimation,
    arXiv:1705.07057, eq. 3 and 4; Kingma, Salimans, Jozefowicz, Chen, Sutskever and Welling (2016),
    Improving Variational Inference with Inverse Autoregressive Flow, arXiv:1606.04934, eq. 9 and
    10, for the inverse.
    """

    def __init__(
        self,
        transformer: Transformer,
        conditioner: Callable[[tf.Tensor], tf.Tensor],
        order: Sequence[int] | None = None,
        event_size: int | None = None,
        validate_args: bool = False,
        name: str = "autoregressive",
    ):
        """Creates the layer.

        Args:
          transformer: the elementwise map.
          conditioner: callable from the output to the transformer's parameters, see above.
          order: the indices of the elements, the first one first: an element's parameters depend on
            those before it. Default: the conditioner's attribute `order`, else 0 to D - 1.
          event_size: D. Default: the conditioner's attribute `event_size`, else the size of
            `order`.
          validate_args: whether each forward pass checks that the conditioner is autoregressive in
            the order. Shapes and dtypes are always checked.
          name: the bijector's name.

        Raises:
          TypeError: `transformer` is no transformer, or `conditioner` is not callable.
          ValueError: the event size is not known, `order` is no permutation or is not the
            conditioner's, or the conditioner declares sizes (`input_size`, `output_size`) that do
            not fit.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            check_transformer(transformer)
            self._transformer = transformer
            self._order = _resolve_order(conditioner, order, event_size)
            size = self._order.size
            sizes = {"input_size": size, "output_size": size * transformer.num_params}
            check_declared_sizes(conditioner, sizes, f"events of size {size} and {transformer!r}")
            self._conditioner = as_conditioner(conditioner, (size,))
            super().__init__(
                forward_min_event_ndims=1,
                is_constant_jacobian=transformer.is_volume_preserving,
                validate_args=validate_args,
                parameters=parameters,
                dtype=self._conditioner.dtype,
                name=name,
            )

    @classmethod
    def _parameter_properties(cls, dtype):
        del dtype
        return {}  # no tensor among the arguments

    @property
    def transformer(self) -> Transformer:
        """The elementwise map."""
        return self._transformer

    @property
    def conditioner(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """The callable from the output to the transformer's parameters, as it was given."""
        return self.parameters["conditioner"]

    @property
    def order(self) -> np.ndarray:
        """The indices of the elements, the first one first."""
        return self._order

    @property
    def _event_shape(self):
        return tf.TensorShape([self._order.size])

    def _inverse_and_log_det(self, y):
        return _summed(self._transformer.inverse(y, self._params(y)))

    def _forward_and_log_det(self, x):
        solution = self._sequence(tf.stop_gradient(x))
        y, log_det = with_implicit_gradients(self._step, x, solution, self._order)
        if self.validate_args:
            with tf.control_dependencies([_assert_reproduced(solution, y)]):
                y = tf.identity(y)
        return y, log_det

    def _step(self, x, y):
        """`transformer(x; conditioner(y))`, of which the output is the fixed point."""
        return _summed(self._transformer.forward(x, self._params(y)))

    def _sequence(self, x):
        """The output, element by element."""
        begin = bound_method(self.conditioner, "begin_sequence")
        next_params, state = (self._whole_passes, ()) if begin is None else begin(x)

        def element(k, y, state):
            params, state = next_params(k, y, state)
            x_k = tf.gather(x, tf.gather(self._order, k), axis=-1)
            y_k, _ = self._transformer.forward(x_k, tf.cast(params, x.dtype))
            return y_k, state

        return substitute(element, tf.zeros_like(x), state, self._order)

    def _whole_passes(self, k, y, state):
        """The parameters of the k-th element, from a conditioner that computes all at once."""
        return tf.gather(self._params(y), tf.gather(self._order, k), axis=-2), state

    def _params(self, y):
        """Evaluates the conditioner, and gives each element its row of parameters."""
        return rows_of_parameters(
            self._conditioner(y), [self._order.size], self._transformer, y.dtype, self.name
        )


def _summed(value_and_log_derivative):
    value, log_derivative = value_and_log_derivative
    return value, tf.reduce_sum(log_derivative, axis=-1)


def _assert_reproduced(solution, y):
    """A whole pass gives the sequence again, unless the conditioner looks ahead."""
    tolerance = 10.0 * np.finfo(y.dtype.as_numpy_dtype).eps ** 0.5
    return _tfp.assert_util.assert_near(
        y,
        solution,
        rtol=tolerance,
        atol=tolerance,
        message="Argument `conditioner`: expected parameters that depend on earlier elements of "
        "the order only.",
    )


def _resolve_order(conditioner, order, event_size):
    """The order as an array of indices: as given, as the conditioner declares it, or ascending."""
    own = declared(conditioner, "order")
    size = event_size if event_size is not None else declared(conditioner, "event_size")
    given = order if order is not None else own
    if given is None and size is None:
        raise ValueError(
            "Argument `event_size`: expected an integer for a conditioner that declares none, "
            "received None."
        )
    if given is None:
        return np.arange(size)
    indices = np.asarray(given)
    size = indices.size if size is None else size
    if indices.shape != (size,) or not np.array_equal(np.sort(indices), range(size)):
        raise ValueError(
            f"Argument `order`: expected a permutation of the numbers from 0 to {size - 1}, "
            f"received {given!r}."
        )
    if own is not None and not np.array_equal(indices, own):
        raise ValueError(
            f"Argument `order`: expected the conditioner's order {list(own)}, received {given!r}."
        )
    return indices.astype(np.int64)
