"""The triangular systems that a stack of planar layers comes down to, and their gradients.

With `t = tanh(a)`, the preactivations `a` of K layers solve, in either direction, a triangular
system of K scalar equations for each point:

```none
forward:  a_k - sum_{j<k} t_j G_jk              = r_k      (r: the input's projections plus offsets)
inverse:  a_k + m_k t_k + sum_{j>k} t_j G_jk    = r_k      (r: the output's)
```

Both are `a + t M = r`. Their derivative is one triangular linear system,
`abar (I + diag(sech^2) M^T) = da`, with `r' = abar` and `M' = -t^T abar`: what differentiating
through K steps would give, at a fraction of its cost.

Layers come first in all shapes, as the substitution wants them.
"""

import tensorflow as tf

from tfp_flows.numerics.broadcasting import sum_to_shape_of
from tfp_flows.numerics.hyperbolic import sech_squared, solve_linear_plus_tanh, tiny
from tfp_flows.numerics.layer_axis import layers_last, with_rank
from tfp_flows.numerics.substitution import substitute


@tf.custom_gradient
def forward_preactivations(r: tf.Tensor, gram: tf.Tensor) -> tf.Tensor:
    """Solves `a_k = r_k + sum_{j<k} tanh(a_j) G_jk`.

    Args:
      r: `[K, ...]`, the projections of the input.
      gram: `[..., K, K]`, of which the part above the diagonal counts.

    Returns:
      `a`, `[K, ...]`.
    """
    a = substitute(lambda total: (total, tf.tanh(total)), _both_first(gram, r), r)

    def grad(da):
        live = forward_preactivations(r, gram)  # live, so that second derivatives are right
        t, h = tf.tanh(live), sech_squared(live)
        abar = _solve_adjoint(_both_first(gram, r, transpose=True), da, h, backward=True)
        dgram = _strictly_upper(_outer(t, abar, gram))
        return sum_to_shape_of(r, abar), sum_to_shape_of(gram, dgram)

    return a, grad


@tf.custom_gradient
def inverse_preactivations(
    r: tf.Tensor, gram: tf.Tensor, m: tf.Tensor, one_plus_m: tf.Tensor
) -> tf.Tensor:
    """Solves `a_k + m_k tanh(a_k) + sum_{j>k} tanh(a_j) G_jk = r_k`.

    Args:
      r: `[K, ...]`, the projections of the output.
      gram: `[..., K, K]`, of which the part below the diagonal counts.
      m: `[K, ...]`, the diagonal, above -1, of the rank of `r`.
      one_plus_m: `1 + m`, free of the cancellation near `m = -1`. Its gradient is carried by `m`.

    Returns:
      `a`, `[K, ...]`.
    """
    # In a loop over the layers: written out, 32 equations compile for 14 seconds under XLA, and are
    # solved no faster.
    a = substitute(
        _solve_scalar, _both_first(-gram, r), r, [m, one_plus_m], block_size=1, backward=True
    )

    def grad(da):
        live = inverse_preactivations(r, gram, m, one_plus_m)
        t, h = tf.tanh(live), sech_squared(live)
        slope = tf.maximum(
            h * one_plus_m + t * t, tiny(h.dtype)
        )  # 1 + m h, as a sum of non-negatives
        abar = _solve_adjoint(_both_first(-gram, r, transpose=True), da / slope, h / slope)
        dgram = _strictly_upper(tf.linalg.matrix_transpose(_outer(t, abar, gram)))
        return (
            sum_to_shape_of(r, abar),
            sum_to_shape_of(gram, -tf.linalg.matrix_transpose(dgram)),
            sum_to_shape_of(m, -t * abar),
            tf.zeros_like(one_plus_m),
        )

    return a, grad


def _solve_scalar(total, m, one_plus_m):
    a = solve_linear_plus_tanh(total, m, one_plus_m)
    return a, tf.tanh(a)


def _solve_adjoint(coupling, da, h, **options):
    """Solves `abar_k = da_k + h_k sum_{j<k} abar_j C_jk`."""

    def solve(total, da, h):
        abar = da + h * total
        return abar, abar

    return substitute(solve, coupling, tf.zeros_like(da), [da, h], **options)


def _both_first(gram, r, transpose=False):
    """The Gram matrix or its transpose, `[K, K]` or, of the rank of `r`, `[K, K, ...]`."""
    if gram.shape.rank == 2:
        return tf.transpose(gram) if transpose else gram
    gram = with_rank(gram, r.shape.rank + 1)
    points = r.shape.rank - 1
    layers = [points + 1, points] if transpose else [points, points + 1]
    return tf.transpose(gram, [*layers, *range(points)])


def _outer(t, abar, gram):
    """`t^T abar`, summed over the points at once where they all share the Gram matrix."""
    if gram.shape.rank == 2:
        t, abar = (tf.reshape(v, [gram.shape[-1], -1]) for v in (t, abar))
        return tf.matmul(t, abar, transpose_b=True)
    t, abar = layers_last(t), layers_last(abar)
    return t[..., :, tf.newaxis] * abar[..., tf.newaxis, :]


def _strictly_upper(matrix):
    return tf.linalg.band_part(matrix, 0, -1) - tf.linalg.band_part(matrix, 0, 0)
