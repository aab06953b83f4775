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
"""

import tensorflow as tf

from tfp_flows.numerics.hyperbolic import sech_squared, solve_linear_plus_tanh, tiny
from tfp_flows.numerics.products import row_times_matrix

# Within a block the recurrence is written out, between blocks it is a matrix product. Four to eight
# layers a block were fastest, in graphs and under XLA (K = 32, 1,024 points, two cores).
_BLOCK = 8


@tf.custom_gradient
def forward_preactivations(r: tf.Tensor, gram: tf.Tensor) -> tf.Tensor:
    """Solves `a_k = r_k + sum_{j<k} tanh(a_j) G_jk`.

    Args:
      r: `[..., K]`, the projections of the input.
      gram: `[..., K, K]`, of which the part above the diagonal counts.

    Returns:
      `a`, `[..., K]`.
    """
    a = _substitute(r, gram)

    def grad(da):
        live = forward_preactivations(r, gram)  # live, so that second derivatives are right
        t, h = tf.tanh(live), sech_squared(live)
        abar = _back_substitute(da, h, -gram, tf.ones_like(h))
        return _sum_to(abar, r), _sum_to(_strictly_upper(_outer(t, abar, gram)), gram)

    return a, grad


@tf.custom_gradient
def inverse_preactivations(
    r: tf.Tensor, gram: tf.Tensor, m: tf.Tensor, one_plus_m: tf.Tensor
) -> tf.Tensor:
    """Solves `a_k + m_k tanh(a_k) + sum_{j>k} tanh(a_j) G_jk = r_k`.

    Args:
      r: `[..., K]`, the projections of the output.
      gram: `[..., K, K]`, of which the part below the diagonal counts.
      m: `[..., K]`, the diagonal, above -1.
      one_plus_m: `1 + m`, free of the cancellation near `m = -1`. Its gradient is carried by `m`.

    Returns:
      `a`, `[..., K]`.
    """
    a = _solve_from_last(r, gram, m, one_plus_m)

    def grad(da):
        live = inverse_preactivations(r, gram, m, one_plus_m)
        t, h = tf.tanh(live), sech_squared(live)
        slope = tf.maximum(
            h * one_plus_m + t * t, tiny(h.dtype)
        )  # 1 + m h, as a sum of non-negatives
        # From the last layer to the first: the same solver on reversed axes.
        abar = tf.reverse(
            _back_substitute(
                *(tf.reverse(v, axis=[-1]) for v in (da, h)),
                tf.reverse(gram, axis=[-2, -1]),
                tf.reverse(slope, axis=[-1]),
            ),
            axis=[-1],
        )
        dgram = _strictly_upper(tf.linalg.matrix_transpose(_outer(t, abar, gram)))
        return (
            _sum_to(abar, r),
            _sum_to(-tf.linalg.matrix_transpose(dgram), gram),
            _sum_to(-t * abar, m),
            tf.zeros_like(one_plus_m),
        )

    return a, grad


def _substitute(r, gram):
    """`a_k = r_k + sum_{j<k} tanh(a_j) G_jk`, block by block."""
    blocks = []
    for start, stop in _blocks(r.shape[-1]):
        block = r[..., start:stop]
        if blocks:
            block += row_times_matrix(
                tf.tanh(tf.concat(blocks, axis=-1)), gram[..., :start, start:stop]
            )
        a, t = [], []
        for k in range(stop - start):
            a_k = block[..., k]
            for j in range(k):
                a_k += t[j] * gram[..., start + j, start + k]
            a.append(a_k)
            t.append(tf.tanh(a_k))
        blocks.append(tf.stack(a, axis=-1))
    return tf.concat(blocks, axis=-1)


def _back_substitute(da, h, coupling, slope):
    """`abar_k = (da_k - h_k sum_{j>k} M_kj abar_j) / slope_k`, block by block from the last."""
    blocks = []
    for start, stop in reversed(_blocks(da.shape[-1])):
        known = 0.0
        if blocks:
            known = row_times_matrix(
                tf.concat(blocks, axis=-1), coupling[..., start:stop, stop:], transpose=True
            )
        known += tf.zeros_like(da[..., start:stop])
        columns = []
        for k in reversed(range(start, stop)):
            total = known[..., k - start]
            for j, abar_j in enumerate(columns, start=k + 1):
                total += coupling[..., k, j] * abar_j
            columns.insert(0, (da[..., k] - h[..., k] * total) / slope[..., k])
        blocks.insert(0, tf.stack(columns, axis=-1))
    return tf.concat(blocks, axis=-1)


def _solve_from_last(r, gram, m, one_plus_m):
    """The scalar equations in a loop from the last layer to the first.

    Written out, 32 of them compile for 14 seconds under XLA, and run no faster.
    """
    num_layers = r.shape[-1]
    if num_layers == 1:
        return solve_linear_plus_tanh(r, m, one_plus_m)

    def body(i, rest, a):
        k = num_layers - 1 - i
        a_k = solve_linear_plus_tanh(*(tf.gather(v, k, axis=-1) for v in (rest, m, one_plus_m)))
        rest -= tf.tanh(a_k)[..., tf.newaxis] * tf.gather(gram, k, axis=-2)
        return i + 1, rest, a.write(k, a_k)

    # One shape throughout the loop, also where `r` and the parameters broadcast.
    rest = r + tf.zeros_like(m)
    columns = tf.TensorArray(r.dtype, size=num_layers, element_shape=rest.shape[:-1])
    *_, columns = tf.while_loop(
        lambda i, *_: i < num_layers,
        body,
        (0, rest, columns),
        maximum_iterations=num_layers,
    )
    stacked = columns.stack()  # [K, ...]
    return tf.transpose(stacked, tf.roll(tf.range(tf.rank(stacked)), shift=-1, axis=0))


def _blocks(num_layers):
    return [(i, min(i + _BLOCK, num_layers)) for i in range(0, num_layers, _BLOCK)]


def _outer(t, abar, gram):
    """`t^T abar`, summed over the points at once where they all share the Gram matrix."""
    if gram.shape.rank == 2:
        num_layers = gram.shape[-1]
        shape = tf.broadcast_dynamic_shape(tf.shape(t), tf.shape(abar))
        t, abar = (tf.reshape(tf.broadcast_to(v, shape), [-1, num_layers]) for v in (t, abar))
        return tf.matmul(t, abar, transpose_a=True)
    return t[..., :, tf.newaxis] * abar[..., tf.newaxis, :]


def _strictly_upper(matrix):
    return tf.linalg.band_part(matrix, 0, -1) - tf.linalg.band_part(matrix, 0, 0)


def _sum_to(gradient, primal):
    """Sums a gradient over the dimensions along which its primal was broadcast."""
    if gradient.shape.is_fully_defined() and gradient.shape == primal.shape:
        return gradient
    axes, _ = tf.raw_ops.BroadcastGradientArgs(s0=tf.shape(primal), s1=tf.shape(gradient))
    return tf.reshape(tf.reduce_sum(gradient, axis=axes), tf.shape(primal))
