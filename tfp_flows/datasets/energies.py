"""The four energies of the plane on which Rezende and Mohamed fit planar and radial flows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows.datasets._arguments import check_name


def _square(value: tf.Tensor, scale: float) -> tf.Tensor:
    """(value / scale)^2 / 2."""
    return 0.5 * tf.square(value / scale)


def _soft_minimum(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """-log(exp(-first) + exp(-second)), without underflow where both are large."""
    return -tf.reduce_logsumexp(-tf.stack([first, second], axis=-1), axis=-1)


def _radius(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """sqrt(x^2 + y^2), with the gradient 0 at the origin."""
    squared = tf.square(x) + tf.square(y)
    at_origin = tf.equal(squared, 0.0)
    root = tf.sqrt(tf.where(at_origin, tf.ones_like(squared), squared))
    return tf.where(at_origin, tf.zeros_like(squared), root)


def _w1(x: tf.Tensor) -> tf.Tensor:
    return tf.sin(0.5 * np.pi * x)


def _w2(x: tf.Tensor) -> tf.Tensor:
    return 3.0 * tf.exp(-_square(x - 1.0, 0.6))


def _w3(x: tf.Tensor) -> tf.Tensor:
    return 3.0 * tf.sigmoid((x - 1.0) / 0.3)


def _u1(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    ring = _square(_radius(x, y) - 2.0, 0.4)
    return ring + _soft_minimum(_square(x - 2.0, 0.6), _square(x + 2.0, 0.6))


def _u2(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    return _square(y - _w1(x), 0.4)


def _u3(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    return _soft_minimum(_square(y - _w1(x), 0.35), _square(y - _w1(x) + _w2(x), 0.35))


def _u4(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    return _soft_minimum(_square(y - _w1(x), 0.4), _square(y - _w1(x) + _w3(x), 0.35))


_ENERGIES = {"u1": _u1, "u2": _u2, "u3": _u3, "u4": _u4}


def energy(name: str) -> Callable[[Any], tf.Tensor]:
    """Returns an energy U(z) of the plane; exp(-U) is the density to fit, up to a constant.

    With z = (x, y), w1 = sin(2 pi x / 4), w2 = 3 exp(-((x - 1) / 0.6)^2 / 2) and
    w3 = 3 sigmoid((x - 1) / 0.3):

    ```none
    u1: ((|z| - 2) / 0.4)^2 / 2 - log(exp(-((x - 2) / 0.6)^2 / 2) + exp(-((x + 2) / 0.6)^2 / 2))
    u2: ((y - w1) / 0.4)^2 / 2
    u3: -log(exp(-((y - w1) / 0.35)^2 / 2) + exp(-((y - w1 + w2) / 0.35)^2 / 2))
    u4: -log(exp(-((y - w1) / 0.4)^2 / 2) + exp(-((y - w1 + w3) / 0.35)^2 / 2))
    ```

    Only exp(-u1) has a finite integral over the plane; the others go on for ever along x. The log
    of the integral over [-4, 4]^2 is 1.87750, 2.08209, 2.64171 and 2.68457 for u1 to u4.

    Args:
      name: `"u1"`, `"u2"`, `"u3"` or `"u4"`.

    Returns:
      A function of a floating-point tensor z, `[..., 2]`, that returns U(z), `[...]`, in the dtype
      of z. It raises `TypeError` or `ValueError` if z is not of that kind.

    Raises:
      TypeError: if `name` is not a string.
      ValueError: if `name` does not exist.

    #### Examples

    ```python
    from tfp_flows import datasets

    u2 = datasets.energy("u2")
    print(u2([[0.0, 0.0], [1.0, 1.0], [0.0, 0.4]]).numpy())  # [0. 0. 0.5]
    ```

    #### References

    D. J. Rezende and S. Mohamed, Variational Inference with Normalizing Flows, 2015,
    arXiv 1505.05770, Table 1.
    """
    check_name("name", name, _ENERGIES)
    function = _ENERGIES[name]

    def energy_fn(z: Any) -> tf.Tensor:
        z = tf.convert_to_tensor(z, name="z")
        if not z.dtype.is_floating:
            raise TypeError(f"z: expected a floating-point tensor; received dtype {z.dtype.name}")
        if z.shape.rank is not None and (z.shape.rank == 0 or z.shape[-1] not in (2, None)):
            raise ValueError(f"z: expected the shape [..., 2]; received {z.shape}")
        with tf.name_scope(f"energy_{name}"):
            x, y = tf.unstack(z, num=2, axis=-1)
            return function(x, y)

    return energy_fn
