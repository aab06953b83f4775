"""Orthonormal matrices from unconstrained numbers, smooth wherever they are defined."""

import math

import tensorflow as tf

from tfp_flows.numerics.hyperbolic import tiny
from tfp_flows.numerics.norms import safe_norm
from tfp_flows.numerics.products import row_times_matrix

# Singular values between this one and 1 converge together, in the fewest steps.
_SMALLEST_SINGULAR_VALUE = 1e-4

# The factor of a step whose cubic takes 1 to 0.1 (Chen and Chow's, for stability).
_LARGEST_FACTOR = 1.69770248526

# With this shift, 14 doublings serve eigenvalues from 1e-5 to 100.
_SHIFT = 0.03
_NUM_DOUBLINGS = 14


def orthogonalize(matrix: tf.Tensor, num_steps: int = 16) -> tf.Tensor:
    """Returns orthonormal columns that span those of `matrix`, by iterated projection.

    ```none
    Q <- a/2 Q (3 I - a^2 Q^T Q),   from the columns of the matrix, each divided by its norm
    ```

    Each step (Kovarik; Bjorck and Bowie) moves every singular value of `Q` towards one by the cubic
    `a s (3 - a^2 s^2) / 2`, and keeps the singular vectors. The limit is the orthonormal matrix
    nearest to the normalised columns. With `a = 1`, as in the paper on Sylvester flows, a small
    singular value grows by 3/2 a step; the factors `a` of Chen and Chow make that 2.6 as long as it
    pays.

    The 16 steps bring all singular values from [1e-4, 1] to one within rounding: `Q^T Q = I` within
    1e-6 in float32 and 1e-14 in float64. Of random matrices with M = D, the worst case, 2,000 of
    2,000 with D = 8 and 198 of 200 with D = 64 are in that range; each further step widens it by a
    factor of 3/2. Columns that depend on each other linearly have no orthonormal limit: the result
    is finite, but not orthonormal.

    Args:
      matrix: float tensor `[..., D, M]`, `M <= D`.
      num_steps: number of steps, each of two products of O(D M^2).

    Returns:
      A tensor of the same shape. Its gradient is that of the limit.

    #### References

    Bjorck and Bowie (1971), An Iterative Algorithm for Computing the Best Estimate of an Orthogonal
    Matrix, SIAM J. Numer. Anal. 8(2). Chen and Chow (2014), A Stable Scaling of Newton-Schulz for
    Improving the Sign Function Computation of a Hermitian Matrix, ANL/MCS-P5059-0114. Van den Berg,
    Hasenclever, Tomczak and Welling (2018), Sylvester Normalizing Flows for Variational Inference,
    arXiv:1803.05649.
    """
    rows = _directions(tf.linalg.matrix_transpose(matrix))
    return tf.linalg.matrix_transpose(_orthonormal_rows(rows, num_steps))


def householder_product(vectors: tf.Tensor, x: tf.Tensor, transpose: bool = False) -> tf.Tensor:
    """Returns `H_1 ... H_k x`, or `H_k ... H_1 x`, with reflections `H = I - 2 v v^T / |v|^2`.

    The product is `I - V T V^T` with the unit vectors as columns of `V` and a triangular `T`: two
    products of O(k D) for each `x`, without a recurrence.

    Args:
      vectors: float tensor `[..., k, D]`. A vector of zeros stands for the identity, with a
        gradient of zero.
      x: float tensor `[..., D]`, its leading dimensions broadcasting with those of `vectors`.
      transpose: whether to apply the transpose, which is the inverse.

    Returns:
      `[..., D]`.
    """
    rows, core = _compact(vectors)
    projections = row_times_matrix(x, rows, transpose=True)
    return x - row_times_matrix(row_times_matrix(projections, core, transpose=not transpose), rows)


def householder_columns(vectors: tf.Tensor, num_columns: int) -> tf.Tensor:
    """Returns the first columns of the orthogonal matrix `H_1 ... H_k`.

    Args:
      vectors: float tensor `[..., k, D]`, as for `householder_product`.
      num_columns: M, how many columns are wanted.

    Returns:
      `[..., D, M]` with orthonormal columns.
    """
    rows, core = _compact(vectors)
    event_size = rows.shape[-1] or tf.shape(rows)[-1]
    moved = tf.matmul(rows, tf.matmul(core, rows[..., :num_columns]), transpose_a=True)
    return tf.eye(event_size, num_columns, dtype=rows.dtype) - moved


def _orthonormal_rows(rows, num_steps):
    """The orthonormal rows nearest to given ones: the polar factor `Q` of `rows = H Q`.

    The iteration maps large singular values down before it raises all of them, and a gradient
    through its steps would be raised with them, rounding errors included, by some 1e4. The gradient
    is that of the limit instead.
    """

    @tf.custom_gradient
    def polar(rows):
        q = _iterate(rows, num_steps)

        def grad(dq):
            live = polar(rows)  # live, so that second derivatives are right
            return _polar_gradient(live, rows, dq)

        return q, grad

    return polar(rows)


def _iterate(rows, num_steps):
    # The largest singular value is at most the square root of the largest row sum of |Q Q^T|.
    gram = tf.matmul(rows, rows, transpose_b=True)
    bound = tf.sqrt(tf.reduce_max(tf.reduce_sum(tf.abs(gram), axis=-1), axis=-1))
    rows /= tf.where(bound > 0.0, bound, tf.ones_like(bound))[..., tf.newaxis, tf.newaxis]
    factors = tf.constant(_step_factors(num_steps), rows.dtype)

    def step(i, rows):
        gram = tf.matmul(rows, rows, transpose_b=True)
        scaled = factors[i] * rows
        return i + 1, 1.5 * scaled - 0.5 * factors[i] ** 2 * tf.matmul(gram, scaled)

    return _repeat(step, num_steps, rows)[0]


def _step_factors(num_steps):
    """The factors `a` of the steps, for singular values in [smallest, 1]."""
    smallest, factors = _SMALLEST_SINGULAR_VALUE, []
    for _ in range(num_steps):
        # The cubic maps both ends of the range to the same value, the new smallest one, and nothing
        # in between beyond 1; but where that would take 1 below 0.1, digits would be lost there.
        a = min(_LARGEST_FACTOR, math.sqrt(3.0 / (1.0 + smallest + smallest**2)))
        ends = (0.5 * a * s * (3.0 - (a * s) ** 2) for s in (smallest, 1.0))
        smallest = min(1.0, *ends)
        factors.append(a)
    return factors


def _polar_gradient(q, rows, dq):
    """What `dq` at the polar factor `Q` of `B = H Q` is at `B`.

    With the skew `W = dQ Q^T`, `dB = dH Q + H dQ` gives `dB Q^T - Q dB^T = W H + H W` and
    `dQ = W Q + H^-1 dB (I - Q^T Q)`. This is the adjoint of that map.
    """
    projected = tf.matmul(dq, q, transpose_b=True)
    within, inverse = _lyapunov(
        tf.matmul(rows, q, transpose_b=True), projected - tf.linalg.matrix_transpose(projected)
    )
    return tf.matmul(within, q) + tf.matmul(inverse, dq - tf.matmul(projected, q))


def _lyapunov(h, right):
    """Solves `H X + X H = right` with symmetric `H > 0`; returns `X` and `H^-1`.

    With `A = (c - H) / (c + H)`, `X` is the sum of `A^k X_0 A^k` over k >= 0 and `H^-1` that of
    `A^k (1 + A) / c`, summed by doubling (Smith). It needs matrix products only, and stays finite
    where `H` is singular.
    """
    h = 0.5 * (h + tf.linalg.matrix_transpose(h))
    identity = tf.linalg.diag(tf.ones_like(h[..., 0]))
    shifted = tf.linalg.cholesky(_SHIFT * identity + h)
    a = tf.linalg.cholesky_solve(shifted, _SHIFT * identity - h)
    resolvent = 0.5 * (identity + a) / _SHIFT  # 1 / (c + H)
    x = 2.0 * _SHIFT * tf.matmul(tf.matmul(resolvent, right), resolvent)

    def double(i, a, x, inverse):
        x += tf.matmul(tf.matmul(a, x), a)
        inverse += tf.matmul(a, inverse)
        return i + 1, tf.matmul(a, a), x, inverse

    _, x, inverse = _repeat(double, _NUM_DOUBLINGS, a, x, 2.0 * resolvent)
    return x, inverse


def _repeat(body, num_times, *values):
    """A loop that compiles as one step, and differentiates under XLA."""
    return tf.while_loop(
        lambda i, *_: i < num_times, body, (0, *values), maximum_iterations=num_times
    )[1:]


def _compact(vectors):
    """The unit vectors `[..., k, D]`, and `T` `[..., k, k]` of the product `I - V T V^T`.

    By induction over the reflections, `T^-1 = I/2 + (the part of V^T V above the diagonal)`. The
    entries of `T` are `-4 v_i^T H_{i+1} ... H_{j-1} v_j`, never longer than 4: the system is
    well-conditioned, also for vectors that are alike.
    """
    rows = _directions(vectors)
    gram = tf.matmul(rows, rows, transpose_b=True)
    half = 0.5 * tf.ones_like(gram[..., 0])
    system = tf.linalg.set_diag(tf.linalg.band_part(gram, 0, -1), half)
    identity = tf.linalg.diag(tf.ones_like(half))
    return rows, tf.linalg.triangular_solve(system, identity, lower=False)


def _directions(vectors):
    """Vectors along the last axis divided by their length; zeros stay zeros."""
    # Squares neither overflow nor vanish beside the largest element. The direction does not depend
    # on that scale, so neither does its gradient.
    largest = tf.stop_gradient(tf.reduce_max(tf.abs(vectors), axis=-1, keepdims=True))
    is_zero = largest < tiny(vectors.dtype)
    one = tf.ones_like(largest)
    scaled = tf.where(is_zero, tf.zeros_like(vectors), vectors / tf.where(is_zero, one, largest))
    return scaled / tf.where(is_zero, one, safe_norm(scaled, keepdims=True))
