"""Products of vectors with matrices that are shared by all points, or come one for each."""

import tensorflow as tf


def row_times_matrix(row: tf.Tensor, matrix: tf.Tensor, transpose: bool = False) -> tf.Tensor:
    """Returns `row M`, or `row M^T`.

    Args:
      row: `[..., i]`.
      matrix: `[..., i, j]` (`[..., j, i]` if it is to be transposed); its leading dimensions
        broadcast with those of `row`.
      transpose: whether to use `M^T`.

    Returns:
      `[..., j]`.
    """
    if matrix.shape.rank == 2 and row.shape.rank is not None and row.shape.rank >= 2:
        # One matrix for all rows is one product, not a batch of them.
        return tf.matmul(row, matrix, transpose_b=transpose)
    return tf.linalg.matvec(matrix, row, transpose_a=not transpose)
