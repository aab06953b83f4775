"""Every bijector of the package at an event size D: what `log_det.py` measures."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_flows as tff

tfb = tfp.bijectors

HIDDEN_UNITS = (128, 128)
NUM_STACKED = 16  # layers of a stack
NUM_DIRECTIONS = 16  # hidden units of a Sylvester layer, at most D
NUM_REFLECTIONS = 4
NUM_CHANNELS = 4


def vectors(event_size: int) -> tuple[int, ...]:
    """The event shape of what acts on vectors."""
    return (event_size,)


def images(event_size: int) -> tuple[int, ...] | None:
    """Square images with four channels and D elements; `None` where there are none."""
    side = math.isqrt(event_size // NUM_CHANNELS)
    return (side, side, NUM_CHANNELS) if side * side * NUM_CHANNELS == event_size else None


@dataclasses.dataclass(frozen=True)
class Layer:
    """One bijector.

    Attributes:
      make: from an event shape and a random generator to the bijector, with trainable variables.
      event_shape: from D to the shape that `make` takes, `None` if there is none of that size.
      inputs: from that shape to the shape of an input, where it is another one.
      cheap: the direction whose gradient is measured.
      products: how often, at least, each variable of rank two enters a matrix product.
      jacobian_mode: how the Jacobian by autodiff runs; XLA cannot batch every loop.
    """

    make: Callable[[tuple[int, ...], np.random.Generator], tfb.Bijector]
    event_shape: Callable[[int], tuple[int, ...] | None] = vectors
    inputs: Callable[[tuple[int, ...]], tuple[int, ...]] = tuple
    cheap: str = "forward"
    products: int = 0
    jacobian_mode: str = "XLA"


def _variable(rng, *shape, scale=0.3):
    return tf.Variable(scale * rng.normal(size=shape), dtype=tf.float32)


def _planar(shape, rng):
    w, u, b = _planes(shape, rng)
    return tff.bijectors.Planar(w, u, b)


def _planar_stack(shape, rng):
    return tff.bijectors.PlanarStack(*_planes((NUM_STACKED, *shape), rng))


def _planes(shape, rng):
    scale = shape[-1] ** -0.5  # then the preactivations are of order one, whatever D is
    matrices = [_variable(rng, *shape, scale=scale) for _ in range(2)]
    return [*matrices, _variable(rng, *shape[:-1])]


def _radial(shape, rng):
    return tff.bijectors.Radial(_variable(rng, *shape), tf.Variable(1.0), _variable(rng))


def _radial_stack(shape, rng):
    alpha = tf.Variable(tf.ones([NUM_STACKED]))
    center = _variable(rng, NUM_STACKED, *shape)
    return tff.bijectors.RadialStack(center, alpha, _variable(rng, NUM_STACKED))


def _sylvester(shape, rng):
    (size,) = shape
    units = min(NUM_DIRECTIONS, size)
    q, _ = np.linalg.qr(rng.normal(size=[size, units]))
    triangles = [_variable(rng, units, units) for _ in range(2)]
    q = tf.Variable(q, dtype=tf.float32)
    return tff.bijectors.Sylvester(q, *triangles, _variable(rng, units))


def _network(inputs, outputs, rng):
    return tff.networks.MLP(inputs, outputs, HIDDEN_UNITS, zero_init_last=False, seed=rng)


def _coupling(transformer):
    return Layer(lambda shape, rng: _make_coupling(transformer, *shape, rng), products=1)


def _make_coupling(transformer, size, rng, swapped=False):
    mask = (np.arange(size) < size // 2) != swapped
    kept = int(mask.sum())
    network = _network(kept, (size - kept) * transformer.num_params, rng)
    return tff.bijectors.Coupling(transformer, network, mask)


def _reversible(shape, rng):
    affine = tff.transformers.Affine()
    couplings = [_make_coupling(affine, *shape, rng, swapped=k % 2 == 1) for k in range(4)]
    return tff.bijectors.Reversible(couplings)


def _autoregressive(transformer):
    def make(shape, rng):
        network = tff.networks.MaskedMLP(
            *shape, transformer.num_params, HIDDEN_UNITS, zero_init_last=False, seed=rng
        )
        return tff.bijectors.Autoregressive(transformer, network)

    return Layer(make, cheap="inverse", products=1)


def _elementwise(transformer):
    def make(shape, rng):
        params = _variable(rng, *shape, transformer.num_params)
        return tff.bijectors.Elementwise(transformer, params, event_ndims=1)

    return Layer(make)


def _residual(shape, rng):
    network = tff.networks.LipschitzMLP(*shape, HIDDEN_UNITS, zero_init_last=False, seed=rng)
    return tff.bijectors.Residual(network, log_det="series", seed=0)


def _continuous(shape, rng):
    network = _network(*shape, *shape, rng)
    return tff.bijectors.Continuous(
        lambda time, z: 0.1 * network(z), *shape, num_steps=4, num_probes=1, seed=0
    )


def _multiscale(shape, rng):
    """Two scales, with a normalization on each."""
    del rng
    image = _unsqueezed(shape)
    norm = tff.bijectors.ActNorm.with_variables
    fine = tfb.Chain([tfb.Invert(tff.bijectors.Squeeze(image)), norm(shape)])
    coarse = norm((*shape[:2], shape[2] // 2))
    return tff.bijectors.Multiscale([fine, coarse], image)


def _squeeze(shape, rng):
    del rng
    return tff.bijectors.Squeeze(_unsqueezed(shape))


def _unsqueezed(shape):
    height, width, channels = shape
    return (2 * height, 2 * width, channels // 4)


def _permutation(shape, rng):
    return tff.bijectors.Permutation(rng.permutation(*shape), dtype=tf.float32)


_b, _t = tff.bijectors, tff.transformers

FAMILIES: dict[str, dict[str, Layer]] = {
    "planar, radial and Sylvester": {
        "planar": Layer(_planar),
        "planar stack": Layer(_planar_stack, products=1, jacobian_mode="graph"),
        "radial": Layer(_radial),
        "radial stack": Layer(_radial_stack, products=2),
        "Sylvester": Layer(_sylvester, products=1),
    },
    "couplings": {
        "coupling, additive": _coupling(_t.Additive()),
        "coupling, affine": _coupling(_t.Affine()),
        "coupling, spline": _coupling(_t.RationalQuadraticSpline(8, 4.0)),
        "coupling, mixture": _coupling(_t.LogisticMixtureCDF(4)),
        "reversible, 4 couplings": Layer(_reversible, products=1),
    },
    "autoregressive and elementwise": {
        "autoregressive, affine": _autoregressive(_t.Affine()),
        "autoregressive, spline": _autoregressive(_t.RationalQuadraticSpline(8, 4.0)),
        "elementwise, affine": _elementwise(_t.Affine()),
        "elementwise, spline": _elementwise(_t.RationalQuadraticSpline(8, 4.0)),
    },
    "linear and normalizing": {
        "ActNorm": Layer(lambda shape, rng: _b.ActNorm.with_variables(shape)),
        "BatchNorm": Layer(lambda shape, rng: _b.BatchNorm.with_variables(shape)),
        "linear, PLU": Layer(
            lambda shape, rng: _b.InvertibleLinear.with_variables(*shape, seed=rng), products=1
        ),
        "Householder": Layer(
            lambda shape, rng: _b.HouseholderRotation(_variable(rng, NUM_REFLECTIONS, *shape)),
            products=2,
        ),
        "permutation": Layer(_permutation),
    },
    "images": {
        "1 x 1 convolution": Layer(
            lambda shape, rng: _b.InvertibleConv1x1.with_variables(shape, seed=rng), images
        ),
        "squeeze": Layer(_squeeze, images, inputs=_unsqueezed),
        "multiscale": Layer(_multiscale, images, inputs=lambda shape: (math.prod(shape),)),
    },
    "residual and continuous": {
        "residual, series": Layer(_residual),
        "continuous, probes": Layer(_continuous, jacobian_mode="graph"),
    },
}
LAYERS: dict[str, Layer] = {
    name: layer for family in FAMILIES.values() for name, layer in family.items()
}
