"""Sylvester transforms: planar ones along several orthogonal directions at once."""

from typing import ClassVar

import numpy as np
import tensorflow as tf

from tfp_flows import _tfp
from tfp_flows.bijectors import _arguments
from tfp_flows.bijectors.base import FusedBijector
from tfp_flows.numerics import (
    inverse_preactivations,
    layers_first,
    layers_last,
    log_interpolation,
    positive,
    row_times_matrix,
    sech_squared,
    with_rank,
)

_Properties = _tfp.parameter_properties.ParameterProperties


class Sylvester(FusedBijector, _tfp.AutoCompositeTensorBijector):
    """The Sylvester transform R^D -> R^D: M hidden units act along M orthonormal directions.

    ```none
    y = x + Q R^ tanh(R~ Q^T x + b),   Q^T Q = I
    R^ = R but on its diagonal:   r^_i r~_i = m_i = s(r_i r~_i) - 1 > -1
    s(p) = softplus(p + log(e - 1))
    log|det dy/dx| = sum_i log(1 + m_i sech(a_i)^2),   a = R~ Q^T x + b
    ```

    `R` and `R~` are upper triangular, `r_i` and `r~_i` their diagonals; what stands below the
    diagonals of the arguments is ignored. Any `r`, `r_tilde`, `b` give a bijection, and `r = 0`
    gives the identity. `r^_i = r_i (s(p) - 1) / p` with `p = r_i r~_i` is smooth, also at `p = 0`,
    and never larger than `r_i`; unlike diagonals in (-1, 1), which the paper uses, it can stretch
    space without bound. With M = 1, `q = w / |w|`, `r_tilde = |w|` and `r = u . q` this is `Planar`
    for `u` along `w`.

    The columns of `q` must be orthonormal: `numerics.orthogonalize` and
    `numerics.householder_columns` make them so. The log-det and the inverse hold for such columns
    only; others are not noticed unless `validate_args` is set.

    Cost for each `x`: O(D M + M^2) forward with the log-det. The inverse is as exact as the forward
    direction: in the preactivations `a` it is a triangular system, `a + R~ R^ tanh(a) = R~ Q^T y +
    b`, solved from the last unit to the first by M scalar equations in a fixed number of Newton
    steps; its gradients are exact, too. Forward is the cheaper direction.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    q = tff.numerics.orthogonalize(tf.random.stateless_normal([3, 2], seed=[0, 1]))
    sylvester = tff.bijectors.Sylvester(
        q, r=[[1.0, 0.5], [0.0, 2.0]], r_tilde=[[1.0, -1.0], [0.0, 1.0]], b=[0.0, 0.5]
    )
    y, log_det = sylvester.forward_and_log_det(tf.ones([5, 3]))
    x = sylvester.inverse(tf.identity(y))  # ones
    ```

    #### References

    Van den Berg, Hasenclever, Tomczak and Welling (2018), Sylvester Normalizing Flows for
    Variational Inference, arXiv:1803.05649, theorem 2. (The diagonal of `R^` replaces the paper's
    bound on both diagonals; the inverse is not in the paper.)
    """

    _event_letters: ClassVar[dict[str, str]] = {"q": "DM", "r": "MM", "r_tilde": "MM", "b": "M"}

    def __init__(self, q, r, r_tilde, b, validate_args: bool = False, name: str = "sylvester"):
        """Creates the transform.

        Args:
          q: float tensor `[..., D, M]` with orthonormal columns, `M <= D`.
          r: float tensor `[..., M, M]`, of which the upper triangle counts: how the units move
            points.
          r_tilde: float tensor `[..., M, M]`, of which the upper triangle counts: what the units
            see.
          b: float tensor `[..., M]`, the units' offsets.
          validate_args: as in every TFP bijector, checks that the columns of `q` are orthonormal;
            shapes and dtypes are always checked.
          name: the bijector's name.

        Raises:
          TypeError: the arguments differ in dtype, or are not floating.
          ValueError: the shapes do not fit together, M is not static, or M is larger than D.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            tensors = {"q": q, "r": r, "r_tilde": r_tilde, "b": b}
            dtype, converted = _arguments.as_parameters(**tensors)
            tensors = dict(zip(tensors, converted, strict=True))
            self._sizes = _arguments.check_shapes(tensors, self._event_letters)
            _check_num_units(self._sizes["D"], self._sizes["M"])
            self._q, self._r, self._r_tilde, self._b = converted
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
        # How many units there are does not follow from the event shape.
        unknown = _tfp.parameter_properties.SHAPE_FN_NOT_IMPLEMENTED
        return {
            "q": _Properties(event_ndims=2, shape_fn=unknown),
            "r": _Properties(event_ndims=2, shape_fn=unknown),
            "r_tilde": _Properties(event_ndims=2, shape_fn=unknown),
            "b": _Properties(event_ndims=1, shape_fn=unknown),
        }

    @property
    def q(self):
        """Orthonormal directions, `[..., D, M]`."""
        return self._q

    @property
    def r(self):
        """How the units move points, `[..., M, M]`, before its diagonal is constrained."""
        return self._r

    @property
    def r_tilde(self):
        """What the units see, `[..., M, M]`."""
        return self._r_tilde

    @property
    def b(self):
        """Offsets, `[..., M]`."""
        return self._b

    @property
    def num_units(self) -> int | None:
        """M, `None` where it is not known statically."""
        return self._sizes["M"]

    def _parameter_control_dependencies(self, is_init):
        if not self.validate_args or is_init == _tfp.tensor_util.is_ref(self._q):
            return []
        q = tf.convert_to_tensor(self._q)
        error = tf.matmul(q, q, transpose_a=True) - tf.eye(self.num_units, dtype=q.dtype)
        return [
            _tfp.assert_util.assert_less(
                tf.abs(error),
                tf.constant(1e3 * _tfp.dtype_util.eps(q.dtype), q.dtype),
                message="Argument `q` must have orthonormal columns.",
            )
        ]

    @property
    def _event_shape(self):
        return tf.TensorShape([self._sizes["D"]])

    def _forward_and_log_det(self, x):
        q, r, r_tilde, b, s = self._invertible()
        a = row_times_matrix(row_times_matrix(x, q), r_tilde, transpose=True) + b
        t = tf.tanh(a)
        return x + _moves(t, r, q), _log_det(a, t, s)

    def _inverse_and_log_det(self, y):
        q, r, r_tilde, b, s = self._invertible()
        projections = row_times_matrix(row_times_matrix(y, q), r_tilde, transpose=True) + b
        # R~ R^ is upper triangular with the diagonal m: unit i feels the units j > i.
        coupling = tf.matmul(r_tilde, r)
        rank = max(projections.shape.rank, coupling.shape.rank - 1)
        projections, m, one_plus_m = (
            layers_first(with_rank(v, rank)) for v in (projections, s.minus_one, s.value)
        )
        gram = tf.linalg.matrix_transpose(coupling)
        a = layers_last(inverse_preactivations(projections, gram, m, one_plus_m))
        t = tf.tanh(a)
        return y - _moves(t, r, q), -_log_det(a, t, s)

    def _invertible(self):
        """Each parameter, read once: `Q`, `R^`, `R~`, `b`, and the positive numbers `1 + m`."""
        q, r, r_tilde, b = map(tf.convert_to_tensor, (self._q, self._r, self._r_tilde, self._b))
        r, r_tilde = tf.linalg.band_part(r, 0, -1), tf.linalg.band_part(r_tilde, 0, -1)
        diagonal = tf.linalg.diag_part(r)
        p = diagonal * tf.linalg.diag_part(r_tilde)
        s = positive(p)
        r = tf.linalg.set_diag(*_broadcast_batch(r, diagonal * _mean_slope(p, s)))
        return q, r, r_tilde, b, s


def _moves(t, r, q):
    """`Q R^ t`."""
    return row_times_matrix(row_times_matrix(t, r, transpose=True), q, transpose=True)


def _log_det(a, t, s):
    """`sum_i log(1 + m_i sech(a_i)^2)`."""
    return tf.reduce_sum(log_interpolation(s, sech_squared(a), t * t), axis=-1)


def _mean_slope(p, s):
    """`(s(p) - 1) / p`, in (0, 1): the mean of the slope of `s` between 0 and `p`.

    Near 0, where the quotient's derivatives cancel, it is taken as that mean: s' is the sigmoid of
    `p + log(e - 1)`, whose poles are so far away that eight nodes of Gauss and Legendre are exact.
    """
    is_near = tf.abs(p) < 1.0
    nodes, weights = np.polynomial.legendre.leggauss(8)
    near = tf.where(is_near, p, tf.zeros_like(p))[..., tf.newaxis] * (0.5 + 0.5 * nodes)
    slopes = tf.sigmoid(near + np.log(np.e - 1.0))
    mean = tf.reduce_sum(0.5 * weights * slopes, axis=-1)
    return tf.where(is_near, mean, s.minus_one / tf.where(is_near, tf.ones_like(p), p))


def _broadcast_batch(matrix, diagonal):
    """A matrix and a diagonal with the same leading dimensions."""
    shape = tf.broadcast_dynamic_shape(tf.shape(matrix)[:-1], tf.shape(diagonal))
    columns = tf.concat([shape, tf.shape(matrix)[-1:]], axis=0)
    return tf.broadcast_to(matrix, columns), tf.broadcast_to(diagonal, shape)


def _check_num_units(event_size, num_units):
    expected = "Arguments `q`, `r`, `r_tilde`, `b`: expected a static number of units M"
    if num_units is None:
        raise ValueError(f"{expected}, received None.")
    if event_size is not None and num_units > event_size:
        raise ValueError(
            f"Argument `q`: expected shape (..., D, M) with M at most D, received D = "
            f"{event_size} and M = {num_units}."
        )
