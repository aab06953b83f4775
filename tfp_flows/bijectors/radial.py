"""Radial transforms, one layer or a stack of them computed as one."""

from typing import ClassVar

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _tfp
from tfp_flows.bijectors import _arguments
from tfp_flows.bijectors._layers import LayerBijector
from tfp_flows.numerics import log_interpolation, positive, safe_norm, tiny

_Properties = _tfp.parameter_properties.ParameterProperties


class _RadialLayers(LayerBijector):
    """What `Radial` and `RadialStack` share."""

    @property
    def center(self):
        """Reference points, `[..., D]`, or `[..., K, D]` in a stack."""
        return self._center

    @property
    def alpha(self):
        """Positive scales of the distance, `[...]`, or `[..., K]` in a stack."""
        return self._alpha

    @property
    def beta(self):
        """Unconstrained strengths, `[...]`, or `[..., K]` in a stack."""
        return self._beta

    def _parameter_control_dependencies(self, is_init):
        if not self.validate_args or is_init == _tfp.tensor_util.is_ref(self._alpha):
            return []
        message = "Argument `alpha` must be positive."
        return [_tfp.assert_util.assert_positive(self._alpha, message=message)]

    @staticmethod
    def _forward_layers(x, center, alpha, beta):
        return _forward(x, center, alpha, beta)

    @staticmethod
    def _inverse_layers(y, center, alpha, beta):
        return _inverse(y, center, alpha, beta)


class RadialStack(_RadialLayers, _tfp.AutoCompositeTensorBijector):
    """K radial layers, applied one after the other, computed as one: R^D -> R^D.

    ```none
    z_0 = x,   z_{k+1} = z_k + b^_k (z_k - c_k) / (alpha_k + r_k),   y = z_K
    r_k = |z_k - c_k|,   b^_k = alpha_k (s(beta_k) - 1),   s(p) = softplus(p + log(e - 1))
    log|det dy/dx| = sum_k (D - 1) log((r_k + alpha_k s_k) / (r_k + alpha_k))
                         + log((r_k^2 + 2 alpha_k r_k + alpha_k^2 s_k) / (r_k + alpha_k)^2)
    ```

    Equals `tfb.Chain` of K `Radial` bijectors, layer 0 applied first, in one pass with one log-det
    at the end.

    Cost for each `x`: O(K D) in either direction, log-det included; the inverse is in closed form,
    so that both directions are equally cheap.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    stack = tff.bijectors.RadialStack(
        center=tf.random.stateless_normal([4, 2], seed=[0, 1]),
        alpha=tf.ones([4]),
        beta=tf.ones([4]),
    )
    y, log_det = stack.forward_and_log_det(tf.zeros([5, 2]))
    x = stack.inverse(tf.identity(y))  # zeros
    ```

    #### References

    Rezende and Mohamed (2015), Variational Inference with Normalizing Flows, arXiv:1505.05770, eq.
    14 and appendix A.2. (`s` replaces the paper's softplus, so that zero parameters give the
    identity.)
    """

    _event_letters: ClassVar[dict[str, str]] = {"center": "KD", "alpha": "K", "beta": "K"}

    def __init__(
        self, center, alpha, beta, validate_args: bool = False, name: str = "radial_stack"
    ):
        """Creates the stack.

        Args:
          center: float tensor `[..., K, D]`, the layers' reference points.
          alpha: positive float tensor `[..., K]`, in units of distance.
          beta: float tensor `[..., K]`, the layers' unconstrained strengths: positive ones push
            points away from the center, negative ones pull them in.
          validate_args: as in every TFP bijector, checks `alpha > 0` at run time for variables,
            too; shapes, dtypes and constants are always checked.
          name: the bijector's name.

        Raises:
          TypeError: the arguments differ in dtype, or are not floating.
          ValueError: the shapes do not fit together, or `alpha` is not positive.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            dtype = self._set_arguments(center=center, alpha=alpha, beta=beta)
            _arguments.check_positive("alpha", self._alpha)
            super().__init__(
                forward_min_event_ndims=1,
                validate_args=validate_args,
                parameters=parameters,
                dtype=dtype,
                name=name,
            )

    @classmethod
    def _parameter_properties(cls, dtype):
        # How many layers there are does not follow from the event shape.
        unknown = _tfp.parameter_properties.SHAPE_FN_NOT_IMPLEMENTED
        return {
            "center": _Properties(event_ndims=2, shape_fn=unknown),
            "alpha": _Properties(
                event_ndims=1,
                shape_fn=unknown,
                default_constraining_bijector_fn=lambda: _to_positive(dtype),
            ),
            "beta": _Properties(event_ndims=1, shape_fn=unknown),
        }

    @property
    def num_layers(self) -> int | None:
        """K, `None` where it is not known statically."""
        return self._sizes["K"]


class Radial(_RadialLayers, _tfp.AutoCompositeTensorBijector):
    """The radial transform R^D -> R^D: space is stretched or squeezed around a center.

    ```none
    y = x + b^ (x - c) / (alpha + r),   r = |x - c|
    b^ = alpha (s(beta) - 1),   s(p) = softplus(p + log(e - 1))
    log|det dy/dx| = (D - 1) log((r + alpha s) / (r + alpha))
                   + log((r^2 + 2 alpha r + alpha^2 s) / (r + alpha)^2)
    ```

    Any `c`, `beta` and positive `alpha` give a bijection; `beta = 0` gives the identity.

    Cost for each `x`: O(D) in either direction, log-det included. The inverse is in closed form:
    `r` is the root of a quadratic equation in `|y - c|`, taken in the form that does not cancel.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    radial = tff.bijectors.Radial(center=[1.0, 0.0], alpha=1.0, beta=2.0)
    y, log_det = radial.forward_and_log_det([[0.1, 0.2], [3.0, -1.0]])
    x = radial.inverse(tf.identity(y))  # [[0.1, 0.2], [3.0, -1.0]]
    ```

    #### References

    Rezende and Mohamed (2015), Variational Inference with Normalizing Flows, arXiv:1505.05770, eq.
    14 and appendix A.2. (`s` replaces the paper's softplus, so that zero parameters give the
    identity.)
    """

    _event_letters: ClassVar[dict[str, str]] = {"center": "D", "alpha": "", "beta": ""}

    def __init__(self, center, alpha, beta, validate_args: bool = False, name: str = "radial"):
        """Creates the transform.

        Args:
          center: float tensor `[..., D]`, the reference point.
          alpha: positive float tensor `[...]`, in units of distance.
          beta: float tensor `[...]`, the unconstrained strength: positive values push points away
            from the center, negative ones pull them in.
          validate_args: as in every TFP bijector, checks `alpha > 0` at run time for variables,
            too; shapes, dtypes and constants are always checked.
          name: the bijector's name.

        Raises:
          TypeError: the arguments differ in dtype, or are not floating.
          ValueError: the shapes do not fit together, or `alpha` is not positive.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            dtype = self._set_arguments(center=center, alpha=alpha, beta=beta)
            _arguments.check_positive("alpha", self._alpha)
            super().__init__(
                forward_min_event_ndims=1,
                validate_args=validate_args,
                parameters=parameters,
                dtype=dtype,
                name=name,
            )

    @classmethod
    def _parameter_properties(cls, dtype):
        return {
            "center": _Properties(event_ndims=1),
            "alpha": _Properties(
                event_ndims=0,
                shape_fn=lambda sample_shape: sample_shape[:-1],
                default_constraining_bijector_fn=lambda: _to_positive(dtype),
            ),
            "beta": _Properties(event_ndims=0, shape_fn=lambda sample_shape: sample_shape[:-1]),
        }


def _to_positive(dtype):
    return tfp.bijectors.Softplus(low=_tfp.dtype_util.eps(dtype))


def _forward(x, center, alpha, beta):
    s = positive(beta)
    radii = []
    for k in range(center.shape[-2]):
        offset = x - center[..., k, :]
        r = _distance(offset)
        weight = alpha[..., k] / (r + alpha[..., k])
        x += (s.minus_one[..., k] * weight)[..., tf.newaxis] * offset
        radii.append(r)
    return x, _log_det(tf.stack(radii, axis=-1), s, alpha, center.shape[-1] or tf.shape(x)[-1])


def _inverse(y, center, alpha, beta):
    s = positive(beta)
    radii = []
    for k in reversed(range(center.shape[-2])):
        offset = y - center[..., k, :]
        a, s_k = alpha[..., k], s.value[..., k]
        r = _radius(_distance(offset), a, s_k)
        shrink = (r + a) / tf.maximum(r + a * s_k, tiny(y.dtype))
        y = center[..., k, :] + shrink[..., tf.newaxis] * offset
        radii.insert(0, r)
    return y, -_log_det(tf.stack(radii, axis=-1), s, alpha, center.shape[-1] or tf.shape(y)[-1])


def _distance(offset):
    """The length of an offset, or the largest one whose square does not overflow.

    From there on the transform is the identity to rounding, whatever the length.
    """
    exponent = int(np.log2(np.finfo(offset.dtype.as_numpy_dtype).max)) // 2 - 1
    return tf.minimum(safe_norm(offset), tf.constant(2.0**exponent, offset.dtype))


def _radius(rho, alpha, s):
    """Solves `r (r + alpha s) / (r + alpha) = rho` for `r >= 0`.

    That is `r^2 + g r - alpha rho = 0` with `g = alpha s - rho`. Of the two forms of its positive
    root, the one whose terms have the same sign is taken.
    """
    g = alpha * s - rho
    root = tf.sqrt(tf.maximum(g * g + 4.0 * alpha * rho, tiny(rho.dtype)))
    return tf.where(g > 0.0, 2.0 * alpha * rho / (tf.maximum(g, 0.0) + root), 0.5 * (root - g))


def _log_det(r, s, alpha, event_size):
    """The log-dets at distances `r` `[..., K]`, summed over the layers.

    Tangential directions are stretched by `(r + alpha s) / (r + alpha) = (1 - h) + h s` with
    `h = alpha / (r + alpha)`, the radial one by the derivative of that times `r`, which is
    `(1 - h^2) + h^2 s`.
    """
    h = alpha / (r + alpha)
    complement = r / (r + alpha)
    tangential = log_interpolation(s, h, complement)
    radial = log_interpolation(s, h * h, complement * (1.0 + h))
    return tf.reduce_sum(tf.cast(event_size - 1, r.dtype) * tangential + radial, axis=-1)
