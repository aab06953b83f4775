"""Constant permutations of the last axis, with a gradient that is a permutation, too."""

import numpy as np
import tensorflow as tf


def permute(x: tf.Tensor, permutation: np.ndarray) -> tf.Tensor:
    """Returns `x[..., permutation]`.

    The gradient of `tf.gather` is a scatter-add, since indices may repeat. Those of a permutation
    do not, so it gathers by the inverse permutation instead.

    Args:
      x: tensor `[..., D]`.
      permutation: integer array `[D]` that holds each of 0 to D - 1 once.

    Returns:
      A tensor with the shape of `x`.
    """
    inverse = np.argsort(permutation)

    @tf.custom_gradient
    def gather(x):
        return tf.gather(x, permutation, axis=-1), lambda dy: permute(dy, inverse)

    return gather(x)
