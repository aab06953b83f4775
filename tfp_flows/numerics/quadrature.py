"""Gauss-Legendre quadrature of integrals from zero to a variable end."""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf


@functools.cache
def _gauss_legendre(num_points: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(num_points)
    return 0.5 * (1.0 + nodes), 0.5 * weights


def integral_from_zero(
    integrand: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]], x: tf.Tensor, num_points: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the quadrature of `integrand` from 0 to `x`, and the derivative of just that in `x`.

    ```none
    G(x) = sum_i weight_i x g(node_i x)
    G'(x) = sum_i weight_i (g(node_i x) + node_i x g'(node_i x))
    ```

    The second line is `g(x)` up to the error of the quadrature. `G'` is exact for `G` with any
    number of points, which `g(x)` is not.

    Args:
      integrand: from points `[..., num_points]` to `g` and `g'` there, of the same shape.
      x: upper ends, `[...]`.
      num_points: how many nodes.

    Returns:
      `G(x)` and `G'(x)`, `[...]`.
    """
    nodes, weights = (tf.constant(v, x.dtype) for v in _gauss_legendre(num_points))
    points = x[..., tf.newaxis] * nodes
    g, slope = integrand(points)
    value = x * tf.reduce_sum(weights * g, axis=-1)
    return value, tf.reduce_sum(weights * (g + points * slope), axis=-1)
