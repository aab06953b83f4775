"""Numbers for each layer and point, with the layers on the first axis or on the last one.

With the layers first, the numbers of one layer are neighbours in memory, and what is done to them
is done to whole vectors: that is what formulas want that go from layer to layer.
"""

import tensorflow as tf

from tfp_flows.numerics.products import row_times_matrix


def with_rank(tensor: tf.Tensor, rank: int) -> tf.Tensor:
    """Puts dimensions of size one in front, up to a rank.

    Tensors `[..., K]` broadcast as they are; with K in front, `[K, ...]`, they must have one rank.
    """
    return tensor[(*[tf.newaxis] * (rank - tensor.shape.rank), ...)]


def layers_first(tensor: tf.Tensor) -> tf.Tensor:
    """Moves the last axis to the front: `[..., K]` to `[K, ...]`."""
    last = tensor.shape.rank - 1
    return tf.transpose(tensor, [last, *range(last)])


def layers_last(tensor: tf.Tensor) -> tf.Tensor:
    """Moves the first axis to the end: `[K, ...]` to `[..., K]`."""
    return tf.transpose(tensor, [*range(1, tensor.shape.rank), 0])


def projections(x: tf.Tensor, w: tf.Tensor) -> tf.Tensor:
    """Returns `w_k . x`, `[K, ...]`, for `x` `[..., D]` and `w` `[..., K, D]`."""
    if x.shape.rank == w.shape.rank == 2:
        return tf.matmul(w, x, transpose_b=True)
    return layers_first(row_times_matrix(x, w, transpose=True))


def combination(t: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    """Returns `sum_k t_k u_k`, `[..., D]`, for `t` `[K, ...]` and `u` `[..., K, D]`."""
    if t.shape.rank == u.shape.rank == 2:
        return tf.matmul(t, u, transpose_a=True)
    return row_times_matrix(layers_last(t), u)
