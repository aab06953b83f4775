"""Numbers for each layer and point, with the layers on the first axis or on the last one.

With the layers first, the numbers of one layer are neighbours in memory, and what is done to them
is done to whole vectors: that is what formulas want that go from layer to layer.
"""

import tensorflow as tf

from tfp_flows.numerics.products import row_times_matrix


def layers_first(tensor: tf.Tensor, rank: int) -> tf.Tensor:
    """Moves the last axis to the front.

    Args:
      tensor: `[..., K]`.
      rank: of the result, at least that of the tensor. Tensors whose `[...]` broadcast must have
        one rank when K is in front of it.

    Returns:
      `[K, ...]`, with dimensions of size one behind K up to the rank.
    """
    tensor = tensor[(*[tf.newaxis] * (rank - tensor.shape.rank), ...)]
    return tf.transpose(tensor, [rank - 1, *range(rank - 1)])


def layers_last(tensor: tf.Tensor) -> tf.Tensor:
    """Moves the first axis to the end: `[K, ...]` to `[..., K]`."""
    return tf.transpose(tensor, [*range(1, tensor.shape.rank), 0])


def projections(x: tf.Tensor, w: tf.Tensor) -> tf.Tensor:
    """Returns `w_k . x`, `[K, ...]`, for `x` `[..., D]` and `w` `[..., K, D]`."""
    if x.shape.rank == w.shape.rank == 2:
        return tf.matmul(w, x, transpose_b=True)
    rank = max(x.shape.rank, w.shape.rank - 1)
    return layers_first(row_times_matrix(x, w, transpose=True), rank)


def combination(t: tf.Tensor, u: tf.Tensor) -> tf.Tensor:
    """Returns `sum_k t_k u_k`, `[..., D]`, for `t` `[K, ...]` and `u` `[..., K, D]`."""
    if t.shape.rank == u.shape.rank == 2:
        return tf.matmul(t, u, transpose_a=True)
    return row_times_matrix(layers_last(t), u)
