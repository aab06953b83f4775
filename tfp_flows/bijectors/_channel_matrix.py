"""What `InvertibleLinear` and `InvertibleConv1x1` share: a matrix that is always invertible."""

import numpy as np
import tensorflow as tf

from tfp_flows import _tfp
from tfp_flows.bijectors import _arguments, _channels
from tfp_flows.bijectors.base import FusedBijector


class ChannelMatrix(FusedBijector):
    """`y = W x + shift` over the last axis, with `W = P L diag(s(d)) (I + U)`.

    The scales stand between two triangular matrices with diagonals of ones, not in one of them:
    very small scales then do not multiply in the inverse.
    """

    def _set_matrix(self, lower_upper, shift, permutation, event_shape) -> tf.DType:
        """Converts and checks the constructor's arguments; returns their dtype."""
        given = {"lower_upper": lower_upper, "shift": shift, "permutation": permutation}
        given = {name: tensor for name, tensor in given.items() if tensor is not None}
        dtype, converted = _arguments.as_parameters(**given)
        tensors = dict(zip(given, converted, strict=True))
        letters = {"lower_upper": "CC", "shift": "C", "permutation": "CC"}
        size = _arguments.check_shapes(tensors, {name: letters[name] for name in tensors})["C"]
        if size is None:
            raise ValueError("Argument `lower_upper`: expected a static size C, received None.")
        self._lower_upper = tensors["lower_upper"]
        self._permutation = tensors.get("permutation")
        self._shift = tensors.get("shift")
        _check_orthogonal(self._permutation)
        self._static_shape = _channels.event_shape_of(event_shape, size)
        return dtype

    @property
    def lower_upper(self):
        """`L` below the diagonal, `U` above it, and the unconstrained `d` on it, `[..., C, C]`."""
        return self._lower_upper

    @property
    def permutation(self):
        """The matrix `P`, `[..., C, C]`, or `None` for the identity."""
        return self._permutation

    @property
    def _event_shape(self):
        return self._static_shape

    def _forward_and_log_det(self, x):
        lower, scale, upper = self._factors()
        matrix = tf.matmul(lower * scale[..., tf.newaxis, :], upper)
        if self._permutation is not None:
            matrix = tf.matmul(self._permutation, matrix)
        y = self._times(x, matrix)
        if self._shift is not None:
            y += _channels.beside_channels(tf.convert_to_tensor(self._shift), self._static_shape)
        return y, self._log_det(scale, y)

    def _inverse_and_log_det(self, y):
        lower, scale, upper = self._factors()
        # The inverse of the matrix, once a call: solving for each vector is slower, under XLA by
        # two orders of magnitude where the vectors are a batch of systems.
        if self._permutation is None:
            right = tf.eye(self._static_shape[-1], dtype=lower.dtype)
        else:
            right = tf.linalg.matrix_transpose(tf.convert_to_tensor(self._permutation))
        lower, right = _broadcast(lower, right)
        matrix = tf.linalg.triangular_solve(lower, right) / scale[..., tf.newaxis]
        matrix = tf.linalg.triangular_solve(*_broadcast(upper, matrix), lower=False)
        if self._shift is not None:
            y -= _channels.beside_channels(tf.convert_to_tensor(self._shift), self._static_shape)
        x = self._times(y, matrix)
        return x, -self._log_det(scale, x)

    def _factors(self):
        """`L`, `s(d)` and `I + U`."""
        packed = tf.convert_to_tensor(self._lower_upper)
        scale = _channels.channel_scale(tf.linalg.diag_part(packed))
        ones = tf.ones_like(scale)
        lower, upper = (tf.linalg.band_part(packed, *band) for band in ((-1, 0), (0, -1)))
        return tf.linalg.set_diag(lower, ones), scale, tf.linalg.set_diag(upper, ones)

    def _log_det(self, scale, value):
        log_det = tf.reduce_sum(tf.math.log(scale), axis=-1)
        return _channels.total_log_det(log_det, value, self._static_shape)

    def _times(self, x, matrix):
        """Multiplies the channels of every position by a matrix."""
        ps = _tfp.prefer_static
        *positions, size = self._static_shape
        if matrix.shape.rank == 2:
            # One product for all positions of all events.
            rows = tf.matmul(tf.reshape(x, [-1, size]), matrix, transpose_b=True)
            return tf.reshape(rows, ps.shape(x))
        batch_shape = ps.shape(x)[: x.shape.rank - self._static_shape.rank]
        num_positions = int(np.prod(positions, dtype=np.int64))
        rows = tf.reshape(x, ps.concat([batch_shape, [num_positions, size]], axis=0))
        rows = tf.matmul(rows, matrix, transpose_b=True)
        return tf.reshape(rows, ps.concat([ps.shape(rows)[:-2], self._static_shape], axis=0))


def random_rotation(size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws an orthogonal matrix uniformly, and factorizes it.

    Args:
      size: C.
      rng: where the draws come from.

    Returns:
      `lower_upper` and `permutation` of the `ChannelMatrix` with that matrix, `[C, C]`, float64.
    """
    q, r = np.linalg.qr(rng.normal(size=[size, size]))
    # The signs make it uniform (Mezzadri 2007, How to generate random matrices from the classical
    # compact groups, arXiv:math-ph/0609050, section 5).
    q *= np.sign(np.diag(r))
    with tf.init_scope():
        lower_upper, order = (t.numpy() for t in tf.linalg.lu(q))  # L (diag(v) + U) = q[order]
        diagonal = np.diag(lower_upper)
        raw_scale = _channels.unconstrained(tf.constant(np.abs(diagonal))).numpy()
    signs = np.sign(diagonal)
    # With S = diag(signs): L S = S (S L S), and S joins the permutation.
    lower = np.tril(signs[:, np.newaxis] * lower_upper * signs, -1)
    upper = np.triu(lower_upper / diagonal[:, np.newaxis], 1)
    permutation = np.eye(size)[np.argsort(order)] * signs
    return lower + np.diag(raw_scale) + upper, permutation


def _broadcast(*matrices):
    """Gives matrices one batch shape, which the triangular solver wants."""
    ps = _tfp.prefer_static
    if all(matrix.shape.rank == 2 for matrix in matrices):
        return matrices
    shape = ps.broadcast_shape(*(ps.shape(matrix) for matrix in matrices))
    return tuple(tf.broadcast_to(matrix, shape) for matrix in matrices)


def _check_orthogonal(permutation):
    """Raises a ValueError if a constant is known not to be orthogonal."""
    if permutation is None or _tfp.tensor_util.is_ref(permutation):
        return
    static = tf.get_static_value(permutation)
    if static is None:
        return
    product = np.matmul(static, np.swapaxes(static, -1, -2)).astype(np.float64)
    error = np.max(np.abs(product - np.eye(static.shape[-1])), initial=0.0)
    if not error < 1e-3:
        raise ValueError(
            "Argument `permutation`: expected a permutation matrix P, with any signs, received one "
            f"with max |P P^T - I| = {error:.3g}."
        )
