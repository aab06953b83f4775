"""Stateless random numbers that are as fast under XLA as elsewhere.

They are TensorFlow's, by the Philox generator, which TensorFlow takes by itself on CPUs and GPUs.
Left to take it, XLA needs 25 ms for 65,536 normal numbers on two cores; told to, 1.1 ms for the
same numbers (TensorFlow 2.21).
"""

import tensorflow as tf

_ALGORITHM = "philox"


def stateless_normal(shape, seed: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Draws standard normal numbers.

    Args:
      shape: of the result.
      seed: int32 `[2]`.
      dtype: floating.

    Returns:
      The numbers.
    """
    return tf.random.stateless_normal(shape, seed, dtype=dtype, alg=_ALGORITHM)


def stateless_uniform(shape, seed: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Draws numbers that are uniform in [0, 1).

    Args:
      shape: of the result.
      seed: int32 `[2]`.
      dtype: floating.

    Returns:
      The numbers.
    """
    return tf.random.stateless_uniform(shape, seed, dtype=dtype, alg=_ALGORITHM)
