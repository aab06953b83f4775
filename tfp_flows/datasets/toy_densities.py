"""Exact log-densities of the point sets of the plane."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows.datasets._arguments import check_name

LogDensity = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

# Components of the mixtures that stand for noise around curves, for each arc or arm, and how many
# of them are evaluated at once.
_NUM_NODES = 400
_BLOCK = 50


def _log_normal(x: tf.Tensor, scale: Any) -> tf.Tensor:
    """Log-density of N(0, scale^2)."""
    return -0.5 * tf.square(x / scale) - math.log(math.sqrt(2.0 * math.pi)) - tf.math.log(scale)


def _noise_around(curve: np.ndarray, weights: np.ndarray, scale: float) -> LogDensity:
    """Points of a curve, and their images in the origin, with Gaussian noise.

    ```none
    p(z) = 1/2 sum_{+-} integral N(z; +-c(s), scale^2) w(s) ds
    ```

    The integral is the Gauss-Legendre sum over nodes of equal density along the curve, less than
    one `scale` apart. The integrand is analytic, also at the ends of the curve: what the sum lacks
    is far below the rounding error of float32.

    Args:
      curve: c at the nodes, `[K, 2]`.
      weights: of the nodes, `[K]`, positive with sum 1.
      scale: of the noise.
    """
    curve = np.concatenate([curve, -curve])
    log_weights = np.log(0.5 * np.concatenate([weights, weights]))

    def log_prob(x, y):
        blocks = []
        for start in range(0, len(curve), _BLOCK):
            part = slice(start, start + _BLOCK)
            a, b, log_w = (tf.constant(values[part], x.dtype) for values in (*curve.T, log_weights))
            squared = tf.square(x[..., tf.newaxis] - a) + tf.square(y[..., tf.newaxis] - b)
            blocks.append(tf.reduce_logsumexp(log_w - squared / (2.0 * scale**2), axis=-1))
        total = tf.reduce_logsumexp(tf.stack(blocks, axis=-1), axis=-1)
        return total - math.log(2.0 * math.pi * scale**2)

    return log_prob


def _legendre(length: float) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of an integral from 0 to `length`."""
    nodes, weights = np.polynomial.legendre.leggauss(_NUM_NODES)
    return 0.5 * length * (nodes + 1.0), 0.5 * length * weights


def _moons() -> LogDensity:
    angle, weights = _legendre(np.pi)
    arc = np.stack([2.0 * np.cos(angle) - 1.0, 2.0 * np.sin(angle) - 0.5], axis=-1)
    return _noise_around(arc, weights / np.pi, scale=0.1)


def _spirals() -> LogDensity:
    # The arm (t / pi) (cos t, sin t) has the length s(t) = (t sqrt(1 + t^2) + asinh t) / (2 pi).
    t = np.linspace(0.0, 3.0 * np.pi, 100_001)
    lengths = (t * np.sqrt(1.0 + t * t) + np.arcsinh(t)) / (2.0 * np.pi)
    nodes, weights = _legendre(lengths[-1])
    t = np.interp(nodes, lengths, t)
    # t^2 is uniform on [0, 9 pi^2]: its density in s is 2 t / (9 pi^2) over ds/dt.
    weights = weights * 2.0 * t / (9.0 * np.pi**2) / (np.sqrt(1.0 + t * t) / np.pi)
    arm = (t / np.pi)[:, np.newaxis] * np.stack([np.cos(t), np.sin(t)], axis=-1)
    return _noise_around(arm, weights / weights.sum(), scale=0.08)


def _rings() -> LogDensity:
    centers = 0.75 * np.arange(1, 5)

    def log_prob(x, y):
        # At the origin 1/r is infinite, but the circle where it matters, r < 1e-20, has no mass.
        radius = tf.sqrt(tf.maximum(tf.square(x) + tf.square(y), 1e-30))
        offsets = radius[..., tf.newaxis] - tf.constant(centers, x.dtype)
        log_radial = tf.reduce_logsumexp(
            _log_normal(offsets, tf.constant(0.08, x.dtype)) - math.log(4.0), axis=-1
        )
        return log_radial - tf.math.log(2.0 * np.pi * radius)

    return log_prob


def _checkerboard() -> LogDensity:
    def log_prob(x, y):
        # Corners of squares have whole numbers, and both parities meet at each edge: sides belong
        # to the black squares, so that a sample that was rounded onto one has its density.
        columns, rows = 0.5 * (x + 4.0), 0.5 * (y + 4.0)
        even = tf.equal(tf.math.floormod(tf.floor(columns) + tf.floor(rows), 2.0), 0.0)
        on_side = tf.equal(columns, tf.floor(columns)) | tf.equal(rows, tf.floor(rows))
        inside = (tf.abs(x) <= 4.0) & (tf.abs(y) <= 4.0) & (even | on_side)
        return tf.where(inside, tf.cast(-math.log(32.0), x.dtype), tf.cast(-np.inf, x.dtype))

    return log_prob


def _uniform_gaussian() -> LogDensity:
    def log_prob(a, b):
        inside = (a >= 1.0) & (a <= 2.0)
        variance = tf.where(inside, a, tf.ones_like(a))
        return tf.where(inside, _log_normal(b - a, tf.sqrt(variance)), tf.cast(-np.inf, a.dtype))

    return log_prob


_DENSITIES: dict[str, Callable[[], LogDensity]] = {
    "moons": _moons,
    "rings": _rings,
    "checkerboard": _checkerboard,
    "spirals": _spirals,
    "uniform_gaussian": _uniform_gaussian,
}


def toy_log_prob(name: str) -> Callable[[Any], tf.Tensor]:
    """Returns the log-density that the points of `toy(name)` have.

    It is exact: in closed form for `"checkerboard"`, `"rings"` and `"uniform_gaussian"`; for
    `"moons"` and `"spirals"`, noise around curves, an integral along the curve by quadrature, to
    rounding error, at the cost of 800 exponentials a point. (`"pinwheel"` has none: its twist has
    no inverse in closed form.) The mean of `-toy_log_prob(name)(x)` over points is an estimate of
    the entropy, and that of `toy_log_prob(name)(x) - model.log_prob(x)` one of the KL divergence,
    with less noise than a difference of means over different points.

    Args:
      name: `"moons"`, `"rings"`, `"checkerboard"`, `"spirals"` or `"uniform_gaussian"`.

    Returns:
      A function of a floating-point tensor x, `[..., 2]`, that returns log p(x), `[...]`, in nats
      and in the dtype of x; minus infinity where the density is 0. It raises `TypeError` or
      `ValueError` if x is not of that kind.

    Raises:
      TypeError: if `name` is not a string.
      ValueError: if `name` does not exist or has no density.

    #### Examples

    ```python
    import numpy as np
    from tfp_flows import datasets

    x = datasets.toy("checkerboard", 1000, seed=0)
    log_prob = datasets.toy_log_prob("checkerboard")
    print(-np.mean(log_prob(x)), np.log(32))  # twice the entropy, 3.4657
    ```
    """
    check_name("name", name, _DENSITIES)
    function = _DENSITIES[name]()

    def log_prob_fn(x: Any) -> tf.Tensor:
        x = tf.convert_to_tensor(x, name="x")
        if not x.dtype.is_floating:
            raise TypeError(f"x: expected a floating-point tensor; received dtype {x.dtype.name}")
        if x.shape.rank is not None and (x.shape.rank == 0 or x.shape[-1] not in (2, None)):
            raise ValueError(f"x: expected the shape [..., 2]; received {x.shape}")
        with tf.name_scope(f"log_prob_{name}"):
            return function(*tf.unstack(x, num=2, axis=-1))

    return log_prob_fn
