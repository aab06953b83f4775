"""Products with exponentials."""

import tensorflow as tf

from tfp_flows.numerics.broadcasting import sum_to_shape_of


@tf.custom_gradient
def times_exp(x: tf.Tensor, log_scale: tf.Tensor) -> tf.Tensor:
    """Returns `x exp(log_scale)`, finite wherever the product can be represented.

    The exponential alone may overflow where the product does not, and zero times infinity is NaN.
    Half of the exponent at a time reaches as far as any `x`, and zero stays zero, in gradients too.

    Args:
      x: of any shape.
      log_scale: broadcasts with `x`.

    Returns:
      The product, of the common shape.
    """
    root = tf.exp(0.5 * log_scale)
    product = tf.math.multiply_no_nan(root, tf.math.multiply_no_nan(root, x))

    def grad(dy):
        dx = times_exp(dy, log_scale)
        live = times_exp(x, log_scale)  # live, so that second derivatives are right
        return sum_to_shape_of(x, dx), sum_to_shape_of(log_scale, dy * live)

    return product, grad
