"""Every transform, once: what the contract in `tests/contract.py` is held against."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_flows as tff
from tests import (
    cases_autoregressive,
    cases_image,
    cases_linear,
    cases_monotone,
    cases_residual,
    cases_reversible,
    cases_sylvester,
)
from tests.case import NETWORK, Case

tfb = tfp.bijectors


def _coupling(transformer, mask):
    """A coupling whose conditioner is a small network over the last axis."""
    mask = np.asarray(mask)

    def make(p):
        if mask.ndim > 1 and not (mask == mask.reshape(-1, mask.shape[-1])[0]).all():
            sizes = (mask.shape[-1], mask.shape[-1])
        else:
            kept = mask.reshape(-1, mask.shape[-1])[0]
            sizes = (int(kept.sum()), int((~kept).sum()))
        network = p.network(sizes[0], sizes[1] * transformer.num_params)
        return tff.bijectors.Coupling(transformer, network, mask)

    return Case(make, mask.shape, no_batch=NETWORK)


def _elementwise(transformer, size, **options):
    """One row of parameters for each element of a vector."""

    def make(p):
        params = p.real(size, transformer.num_params)
        return tff.bijectors.Elementwise(transformer, params, event_ndims=1)

    return Case(make, (size,), **options)


def _angles(values):
    """Real numbers as angles in [-pi, pi)."""
    return tf.math.floormod(values + np.pi, 2.0 * np.pi) - np.pi


def _bounded(transformer, codomain):
    no_identity = "the map onto a part of the real line is not the identity"
    return _elementwise(transformer, 3, codomain=codomain, no_identity=no_identity)


_HALF = [True, True, False, False, False]
_CHECKERBOARD = (np.add.outer(np.arange(4), np.arange(2)) % 2 == 0)[..., np.newaxis]

CASES: dict[str, Case] = {
    "planar": Case(
        lambda p: tff.bijectors.Planar(p.real(3), p.real(3), p.real()),
        (3,),
    ),
    "planar_1d": Case(
        lambda p: tff.bijectors.Planar(p.real(1), p.real(1), p.real()),
        (1,),
    ),
    # u against w: 1 + w . u^ is far below one, where the log-det takes its other form.
    "planar_contracting": Case(
        lambda p: tff.bijectors.Planar(w := p.real(3), tf.Variable(-2.0 * w), p.real()),
        (3,),
    ),
    "planar_stack": Case(
        lambda p: tff.bijectors.PlanarStack(p.real(5, 3), p.real(5, 3), p.real(5)),
        (3,),
    ),
    "planar_stack_blocks": Case(  # more layers than one block of the recurrence
        lambda p: tff.bijectors.PlanarStack(p.real(11, 2), p.real(11, 2), p.real(11)),
        (2,),
    ),
    "planar_stack_inverted": Case(
        lambda p: tfb.Invert(tff.bijectors.PlanarStack(p.real(5, 3), p.real(5, 3), p.real(5))),
        (3,),
    ),
    "radial": Case(
        lambda p: tff.bijectors.Radial(p.real(3), p.positive(), p.real()),
        (3,),
        points=lambda b: tf.convert_to_tensor(b.center)[tf.newaxis],
    ),
    "radial_1d": Case(
        lambda p: tff.bijectors.Radial(p.real(1), p.positive(), p.real()),
        (1,),
        points=lambda b: tf.convert_to_tensor(b.center)[tf.newaxis],
    ),
    "radial_contracting": Case(
        lambda p: tff.bijectors.Radial(
            p.real(3), tf.fill(p.batch_shape, tf.constant(20.0, p.dtype)), tf.Variable(p.real() - 4)
        ),
        (3,),
        points=lambda b: tf.convert_to_tensor(b.center)[tf.newaxis],
        no_identity="beta is kept away from zero, for the log-det's form at strong contraction",
    ),
    "radial_stack": Case(
        lambda p: tff.bijectors.RadialStack(p.real(5, 3), p.positive(5), p.real(5)),
        (3,),
        points=lambda b: tf.convert_to_tensor(b.center),
    ),
    "coupling_additive": _coupling(tff.transformers.Additive(), _HALF),
    "coupling_affine": _coupling(tff.transformers.Affine(), _HALF),
    "coupling_affine_last": _coupling(tff.transformers.Affine(), [not keep for keep in _HALF]),
    "coupling_affine_scattered": _coupling(
        tff.transformers.Affine(), [True, False, False, True, False]
    ),
    "coupling_inverted": _coupling(tff.transformers.Inverted(tff.transformers.Affine()), _HALF),
    "coupling_spline": _coupling(tff.transformers.RationalQuadraticSpline(4, 3.0), _HALF),
    "elementwise_affine": _elementwise(tff.transformers.Affine(), 3),
    "elementwise_exponential_affine": _elementwise(tff.transformers.ExponentialAffine(), 3),
    "elementwise_spline": _elementwise(tff.transformers.RationalQuadraticSpline(5, 2.0), 3),
    "elementwise_circular": _elementwise(
        tff.transformers.CircularRationalQuadraticSpline(4), 3, domain=_angles, codomain=_angles
    ),
    "elementwise_interval": _bounded(
        tff.transformers.Softclip(-20.0, 30.0), lambda v: 5.0 + 24.0 * tf.tanh(v / 24.0)
    ),
    "elementwise_above": _bounded(
        tff.transformers.Softclip(low=0.0), lambda v: tf.math.softplus(tf.maximum(v, -30.0))
    ),
    "elementwise_below": _bounded(
        tff.transformers.Softclip(high=1.0), lambda v: 1.0 - tf.math.softplus(tf.maximum(v, -3.0))
    ),
    "coupling_image_channels": _coupling(
        tff.transformers.Affine(), np.broadcast_to([True, False, False], [2, 2, 3])
    ),
    "coupling_image_checkerboard": _coupling(tff.transformers.Affine(), _CHECKERBOARD),
    **cases_autoregressive.CASES,
    **cases_image.CASES,
    **cases_linear.CASES,
    **cases_monotone.CASES,
    **cases_residual.CASES,
    **cases_reversible.CASES,
    **cases_sylvester.CASES,
}
