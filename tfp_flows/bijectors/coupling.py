"""Coupling layers."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfp_flows.bijectors._conditioners import (
    as_conditioner,
    check_declared_sizes,
    rows_of_parameters,
)
from tfp_flows.bijectors._splits import make_split
from tfp_flows.bijectors.base import FusedBijector
from tfp_flows.transformers import Transformer, check_transformer


class Coupling(FusedBijector):
    """A part of each event passes through, and decides how the other part is transformed.

    ```none
    y_A = x_A,   y_B = transformer(x_B; conditioner(x_A))
    log|det dy/dx| = sum_B log|transformer'(x_B; conditioner(x_A))|
    ```

    One class for NICE (`transformers.Additive`), RealNVP (`transformers.Affine`) and their
    successors. Both directions cost one evaluation of the conditioner, log-det included, and O(D)
    beside it; the inverse is as cheap and as exact as the transformer's.

    What the conditioner sees and returns depends on the mask:

    * Vectors, and images whose mask depends on the channel only: it sees the kept elements,
      `[..., num_kept]` (for images `[..., height, width, num_kept]`), and returns
      `[..., num_transformed * num_params]`. Halves are slices.
    * Images with a mask over positions, such as a checkerboard: it sees the whole event with zeros
      at the transformed positions, and returns `[..., height, width, channels * num_params]`.

    The parameters of an element stand together: the output is read as
    `[..., num_transformed, num_params]`.

    A conditioner is any callable. Layers of either Keras are called with one batch dimension, and
    are built if they are not. `trainable_variables` of the bijector is complete, also for closures,
    partial functions and Keras 3 layers.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    affine = tff.transformers.Affine()
    network = tff.networks.MLP(input_size=2, output_size=2 * affine.num_params, hidden_units=[32])
    coupling = tff.bijectors.Coupling(affine, network, mask=[True, True, False, False])
    y, log_det = coupling.forward_and_log_det(tf.ones([5, 4]))
    ```

    #### References

    Dinh, Krueger and Bengio (2014), NICE: Non-linear Independent Components Estimation,
    arXiv:1410.8516, section 3.2; Dinh, Sohl-Dickstein and Bengio (2016), Density estimation using
    Real NVP, arXiv:1605.08803, section 3.
    """

    def __init__(
        self,
        transformer: Transformer,
        conditioner: Callable[[tf.Tensor], tf.Tensor],
        mask,
        validate_args: bool = False,
        name: str = "coupling",
    ):
        """Creates the layer.

        Args:
          transformer: the elementwise map of the transformed part.
          conditioner: callable from the kept part to the transformer's parameters, see above.
          mask: static boolean array of the event's shape, `[D]` or image-shaped. True passes
            through and feeds the conditioner, False is transformed.
          validate_args: as in every TFP bijector; shapes, dtypes and the mask are always checked.
          name: the bijector's name.

        Raises:
          TypeError: `transformer` is no transformer, `conditioner` is not callable, or `mask` is
            not boolean.
          ValueError: `mask` keeps or transforms everything, or is not static; or the conditioner
            declares sizes (`input_size`, `output_size`) that do not fit it.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            check_transformer(transformer)
            self._transformer = transformer
            self._split = self._no_dependency(make_split(mask))
            sizes = {
                "input_size": self._split.conditioner_shape[-1],
                "output_size": self._split.transformed_shape[-1] * transformer.num_params,
            }
            check_declared_sizes(conditioner, sizes, f"this mask and {transformer!r}")
            self._conditioner = as_conditioner(conditioner, self._split.conditioner_shape)
            super().__init__(
                forward_min_event_ndims=self._split.event_shape.rank,
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
        """The elementwise map of the transformed part."""
        return self._transformer

    @property
    def conditioner(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """The callable from the kept part to the transformer's parameters, as it was given."""
        return self.parameters["conditioner"]

    @property
    def mask(self) -> np.ndarray:
        """True where an element passes through."""
        return np.asarray(self.parameters["mask"])

    @property
    def _event_shape(self):
        return self._split.event_shape

    def _forward_and_log_det(self, x):
        return self._transform(x, self._transformer.forward)

    def _inverse_and_log_det(self, y):
        return self._transform(y, self._transformer.inverse)

    def _transform(self, x, direction):
        kept, moved = self._split.split(x)
        moved, log_derivative = direction(moved, self._params(kept))
        return (
            self._split.merge(x, kept, moved),
            self._split.sum_log_derivative(log_derivative),
        )

    def _params(self, kept):
        """Evaluates the conditioner, and gives each transformed element its row of parameters."""
        return rows_of_parameters(
            self._conditioner(kept),
            self._split.transformed_shape,
            self._transformer,
            kept.dtype,
            self.name,
        )
