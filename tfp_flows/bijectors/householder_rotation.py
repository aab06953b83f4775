"""Orthogonal maps as products of reflections."""

from typing import ClassVar

import tensorflow as tf

from tfp_flows import _tfp
from tfp_flows.bijectors import _arguments
from tfp_flows.bijectors.base import FusedBijector
from tfp_flows.numerics import householder_product

_Properties = _tfp.parameter_properties.ParameterProperties


class HouseholderRotation(FusedBijector, _tfp.AutoCompositeTensorBijector):
    """An orthogonal map R^D -> R^D, the product of H reflections.

    ```none
    y = H_1 ... H_H x,   H_i = I - 2 v_i v_i^T / |v_i|^2
    log|det dy/dx| = 0
    ```

    An even number of reflections is a rotation, an odd one turns space inside out; D reflections
    reach every orthogonal map. `tfb.Householder` is a single one.

    A vector of zeros, which has no reflection, stands for the identity; so zero parameters give the
    identity. The map jumps there, and its gradient is zero: to train, start from random vectors, or
    from equal neighbours (`v_1 = v_2`, `v_3 = v_4`, ...), whose reflections cancel: the identity,
    too, and with a gradient.

    Cost for each `x`: O(H D + H^2) in either direction, and O(H^2 D + H^3) once for all points that
    share the vectors; the log-det is free. Both directions are equally exact.

    #### Examples

    ```python
    import tensorflow as tf
    import tensorflow as tf
    import tfp_flows as tff

    rotation = tff.bijectors.HouseholderRotation([[1.0, 0.0], [1.0, 1.0]])
    y = rotation.forward([1.0, 2.0])  # [2, -1], a quarter turn
    x = rotation.inverse(tf.identity(y))  # [1, 2]
    ```

    #### References

    Tomczak and Welling (2016), Improving Variational Auto-Encoders using Householder Flow,
    arXiv:1611.09630.
    """

    _event_letters: ClassVar[dict[str, str]] = {"vectors": "HD"}

    def __init__(self, vectors, validate_args: bool = False, name: str = "householder_rotation"):
        """Creates the map.

        Args:
          vectors: float tensor `[..., H, D]`, the normals of the mirrors, of any length.
          validate_args: as in every TFP bijector; shapes and dtypes are always checked.
          name: the bijector's name.

        Raises:
          TypeError: `vectors` is not floating.
          ValueError: `vectors` has fewer than two dimensions.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            dtype, (self._vectors,) = _arguments.as_parameters(vectors=vectors)
            self._sizes = _arguments.check_shapes({"vectors": self._vectors}, self._event_letters)
            super().__init__(
                forward_min_event_ndims=1,
                is_constant_jacobian=True,
                validate_args=validate_args,
                parameters=parameters,
                dtype=dtype,
                name=name,
            )

    @classmethod
    def _parameter_properties(cls, dtype):
        del dtype
        # How many reflections there are does not follow from the event shape.
        unknown = _tfp.parameter_properties.SHAPE_FN_NOT_IMPLEMENTED
        return {"vectors": _Properties(event_ndims=2, shape_fn=unknown)}

    @property
    def vectors(self):
        """Normals of the mirrors, `[..., H, D]`."""
        return self._vectors

    @property
    def _event_shape(self):
        return tf.TensorShape([self._sizes["D"]])

    def _forward_and_log_det(self, x):
        y = householder_product(tf.convert_to_tensor(self._vectors), x)
        return y, tf.zeros_like(y[..., 0])

    def _inverse_and_log_det(self, y):
        x = householder_product(tf.convert_to_tensor(self._vectors), y, transpose=True)
        return x, tf.zeros_like(x[..., 0])
