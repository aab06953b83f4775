"""Planar transforms, one layer or a stack of them computed as one."""

from typing import ClassVar

import tensorflow as tf

from tfp_flows import _tfp
from tfp_flows.bijectors._layers import LayerBijector
from tfp_flows.numerics import (
    Positive,
    combination,
    forward_preactivations,
    inverse_preactivations,
    layers_first,
    log_interpolation,
    positive,
    projections,
    safe_norm,
    sech_squared,
    with_rank,
)

_Properties = _tfp.parameter_properties.ParameterProperties


class _PlanarLayers(LayerBijector):
    """What `Planar` and `PlanarStack` share."""

    @property
    def w(self):
        """Directions, `[..., D]`, or `[..., K, D]` in a stack."""
        return self._w

    @property
    def u(self):
        """Unconstrained displacements, `[..., D]`, or `[..., K, D]` in a stack."""
        return self._u

    @property
    def b(self):
        """Offsets, `[...]`, or `[..., K]` in a stack."""
        return self._b

    @staticmethod
    def _forward_layers(x, w, u, b):
        return _forward(x, w, u, b)

    @staticmethod
    def _inverse_layers(y, w, u, b):
        return _inverse(y, w, u, b)


class PlanarStack(_PlanarLayers, _tfp.AutoCompositeTensorBijector):
    """K planar layers, applied one after the other, computed as one: R^D -> R^D.

    ```none
    z_0 = x,   z_{k+1} = z_k + u^_k tanh(w_k . z_k + b_k),   y = z_K
    u^_k = u_k + (m_k - w_k . u_k) w_k / |w_k|^2,   m_k = s(w_k . u_k) - 1 > -1
    s(p) = softplus(p + log(e - 1))
    log|det dy/dx| = sum_k log(1 + m_k sech(w_k . z_k + b_k)^2)
    ```

    `u^_k` keeps every layer invertible; `u = 0` gives the identity. All states stay in
    `x + span(u^)`, so the projections `w_k . z_k` follow from two matrix products, `x W^T` and the
    Gram matrix `u^_j . w_k`, by a recurrence on K numbers for each `x`; a third product gives `y`.
    Equals `tfb.Chain` of K `Planar` bijectors, layer 0 applied first.

    Cost for each `x`: O(K D + K^2) forward with the log-det. The inverse is as exact as the forward
    direction and costs the same products with K scalar equations `a + m tanh(a) = r`, solved in a
    fixed number of Newton steps; its gradients are exact, too. Forward is the cheaper direction, by
    a factor of about two.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    stack = tff.bijectors.PlanarStack(
        w=tf.random.stateless_normal([4, 2], seed=[0, 1]),
        u=tf.random.stateless_normal([4, 2], seed=[0, 2]),
        b=tf.zeros([4]),
    )
    y, log_det = stack.forward_and_log_det(tf.zeros([5, 2]))
    x = stack.inverse(tf.identity(y))  # zeros
    ```

    #### References

    Rezende and Mohamed (2015), Variational Inference with Normalizing Flows, arXiv:1505.05770, eq.
    10 to 12 and appendix A.1. (`s` replaces the paper's softplus, so that zero parameters give the
    identity.)
    """

    _event_letters: ClassVar[dict[str, str]] = {"w": "KD", "u": "KD", "b": "K"}

    def __init__(self, w, u, b, validate_args: bool = False, name: str = "planar_stack"):
        """Creates the stack.

        Args:
          w: float tensor `[..., K, D]`, the layers' directions.
          u: float tensor `[..., K, D]`, the layers' unconstrained displacements.
          b: float tensor `[..., K]`, the layers' offsets.
          validate_args: as in every TFP bijector; shapes and dtypes are always checked.
          name: the bijector's name.

        Raises:
          TypeError: the arguments differ in dtype, or are not floating.
          ValueError: the shapes do not fit together.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            dtype = self._set_arguments(w=w, u=u, b=b)
            super().__init__(
                forward_min_event_ndims=1,
                validate_args=validate_args,
                parameters=parameters,
                dtype=dtype,
                name=name,
            )

    @classmethod
    def _parameter_properties(cls, dtype):
        del dtype
        # How many layers there are does not follow from the event shape.
        unknown = _tfp.parameter_properties.SHAPE_FN_NOT_IMPLEMENTED
        return {
            "w": _Properties(event_ndims=2, shape_fn=unknown),
            "u": _Properties(event_ndims=2, shape_fn=unknown),
            "b": _Properties(event_ndims=1, shape_fn=unknown),
        }

    @property
    def num_layers(self) -> int | None:
        """K, `None` where it is not known statically."""
        return self._sizes["K"]


class Planar(_PlanarLayers, _tfp.AutoCompositeTensorBijector):
    """The planar transform R^D -> R^D: space is stretched or squeezed along one direction.

    ```none
    y = x + u^ tanh(w . x + b)
    u^ = u + (m - w . u) w / |w|^2,   m = s(w . u) - 1 > -1,   s(p) = softplus(p + log(e - 1))
    log|det dy/dx| = log(1 + m sech(w . x + b)^2)
    ```

    Any `w`, `u`, `b` give a bijection; `u = 0` gives the identity, and `w = 0` the shift
    `x + u tanh(b)`.

    Cost for each `x`: O(D), log-det included. The inverse is exact: with `r = w . y + b` it solves
    the scalar equation `a + m tanh(a) = r` in a fixed number of Newton steps, and
    `x = y - u^ tanh(a)`; its gradients are exact, too. Forward is the cheaper direction.
    `PlanarStack` computes many layers faster than a `tfb.Chain` of these.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    planar = tff.bijectors.Planar(w=[1.0, 0.0], u=[2.0, 0.0], b=0.0)
    y, log_det = planar.forward_and_log_det([[0.1, 0.2], [3.0, -1.0]])
    x = planar.inverse(tf.identity(y))  # [[0.1, 0.2], [3.0, -1.0]]
    ```

    #### References

    Rezende and Mohamed (2015), Variational Inference with Normalizing Flows, arXiv:1505.05770, eq.
    10 to 12 and appendix A.1. (`s` replaces the paper's softplus, so that zero parameters give the
    identity.)
    """

    _event_letters: ClassVar[dict[str, str]] = {"w": "D", "u": "D", "b": ""}

    def __init__(self, w, u, b, validate_args: bool = False, name: str = "planar"):
        """Creates the transform.

        Args:
          w: float tensor `[..., D]`, the direction.
          u: float tensor `[..., D]`, the unconstrained displacement.
          b: float tensor `[...]`, the offset.
          validate_args: as in every TFP bijector; shapes and dtypes are always checked.
          name: the bijector's name.

        Raises:
          TypeError: the arguments differ in dtype, or are not floating.
          ValueError: the shapes do not fit together.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            dtype = self._set_arguments(w=w, u=u, b=b)
            super().__init__(
                forward_min_event_ndims=1,
                validate_args=validate_args,
                parameters=parameters,
                dtype=dtype,
                name=name,
            )

    @classmethod
    def _parameter_properties(cls, dtype):
        del dtype
        return {
            "w": _Properties(event_ndims=1),
            "u": _Properties(event_ndims=1),
            "b": _Properties(event_ndims=0, shape_fn=lambda sample_shape: sample_shape[:-1]),
        }


# What there is for each layer and point is `[K, ...]` here, with the layers first.


def _forward(x, w, u, b):
    u_hat, s = _invertible(w, u)
    gram = tf.matmul(u_hat, w, transpose_b=True)  # u^_j . w_k
    x, b, s = _of_one_rank(x, b, s, gram)
    a = forward_preactivations(projections(x, w) + b, gram)
    t = tf.tanh(a)
    return x + combination(t, u_hat), _log_det(a, t, s)


def _inverse(y, w, u, b):
    u_hat, s = _invertible(w, u)
    gram = tf.matmul(u_hat, w, transpose_b=True)  # u^_j . w_k
    y, b, s = _of_one_rank(y, b, s, gram)
    a = inverse_preactivations(projections(y, w) + b, gram, s.minus_one, s.value)
    t = tf.tanh(a)
    x = _sharpen(y - combination(t, u_hat), a[0], t, w[..., 0, :], u_hat, b[0])
    return x, -_log_det(a, t, s)


def _of_one_rank(x, b, s, gram):
    """Points `[..., D]`, and what comes for each layer, whose leading dimensions broadcast."""
    rank = max(x.shape.rank, b.shape.rank, gram.shape.rank - 1)
    x, b, *s = (with_rank(v, rank) for v in (x, b, *s))
    return x, layers_first(b), Positive(*map(layers_first, s))


def _log_det(a, t, s):
    """`sum_k log(1 + m_k sech(a_k)^2)`."""
    return tf.reduce_sum(log_interpolation(s, sech_squared(a), t * t), axis=0)


def _invertible(w, u):
    """Returns `u^` of the paper's appendix A.1, and the positive number `1 + w . u^`."""
    norm = safe_norm(w, keepdims=True)
    is_zero = norm <= 0.0
    safe = tf.where(is_zero, tf.ones_like(norm), norm)
    direction = w / safe  # zero where w is
    s = positive(tf.reduce_sum(w * u, axis=-1))
    # (m - w.u) w / |w|^2, with one |w| cancelled, so that short and long w keep their digits.
    along = s.minus_one[..., tf.newaxis] / safe - tf.reduce_sum(direction * u, -1, keepdims=True)
    return u + along * direction, s


def _sharpen(x, a, t, w, u_hat, b):
    """Restores `w . x + b = a` for the first layer, where `x = y - T u^` has cancelled.

    `y - T u^` is off by eps |T u^|, and `(a - b) / |w|`, which is the same length along `w`, by
    eps (|a| + |b|) / |w|: take the better one.
    """
    norm = safe_norm(w)
    safe = tf.where(norm > 0.0, norm, tf.ones_like(norm))
    lengths = layers_first(with_rank(safe_norm(u_hat), t.shape.rank))
    cancelled = tf.reduce_sum(tf.abs(t) * lengths, axis=0)
    error = tf.where(
        tf.abs(a) + tf.abs(b) < norm * cancelled,
        ((a - b) - tf.reduce_sum(x * w, axis=-1)) / safe,
        tf.zeros_like(a),
    )
    return x + (error / safe)[..., tf.newaxis] * w
