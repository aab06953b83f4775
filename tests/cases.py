"""Every transform, once: what the contract in `tests/contract.py` is held against."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_flows as tff

tfb = tfp.bijectors


class Parameters:
    """Makes the variables of a case.

    Args:
      dtype: `tf.float32` or `tf.float64`.
      batch_shape: put in front of every parameter's shape.
      fill: a constant for every unconstrained parameter, or `None` for standard normal draws.
      seed: of the draws; the same seed gives the same values in both dtypes.
    """

    def __init__(
        self, dtype: tf.DType, batch_shape: Sequence[int] = (), fill: float | None = None, seed=0
    ):
        self.dtype = tf.as_dtype(dtype)
        self.batch_shape = tuple(batch_shape)
        self.fill = fill
        self._rng = np.random.default_rng(seed)

    def real(self, *shape: int) -> tf.Variable:
        """An unconstrained parameter."""
        return tf.Variable(self._values((*self.batch_shape, *shape)), dtype=self.dtype)

    def positive(self, *shape: int):
        """A positive parameter, between 0.3 and 3; 1e-6 where the case is about extremes."""
        values = np.exp(np.clip(self._rng.normal(size=(*self.batch_shape, *shape)), -1.0, 1.0))
        if self.fill is not None:
            values = np.full_like(values, 1e-6)
        return tfp.util.TransformedVariable(
            values.astype(self.dtype.as_numpy_dtype), tfb.Exp(), dtype=self.dtype
        )

    def network(self, input_size: int, output_size: int) -> tf.Module:
        """A conditioner; `fill` is what it returns, whatever it sees."""
        network = tff.networks.MLP(
            input_size,
            output_size,
            hidden_units=[5],
            activation="tanh",
            zero_init_last=self.fill is not None,
            seed=self._rng,
            dtype=self.dtype,
        )
        bias = next(v for v in network.variables if v.name.startswith("mlp_1_bias"))
        bias.assign(self._values(bias.shape))
        return network

    def _values(self, shape):
        normal = self._rng.normal(size=tuple(shape))
        return normal if self.fill is None else np.full(tuple(shape), self.fill)


@dataclasses.dataclass(frozen=True)
class Case:
    """One transform.

    Attributes:
      make: from `Parameters` to the bijector.
      event_shape: of one input.
      points: inputs that deserve a test of their own, `[n, *event_shape]`.
      no_batch: why there are no batches of parameters, or `None` if there are.
      no_identity: why zero parameters do not give the identity, or `None` if they do.
    """

    make: Callable[[Parameters], tfb.Bijector]
    event_shape: tuple[int, ...]
    points: Callable[[tfb.Bijector], tf.Tensor] | None = None
    no_batch: str | None = None
    no_identity: str | None = None


NETWORK = "a conditioner is a callable, not a tensor; contexts give batches (test_flows.py)"


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
    "coupling_image_channels": _coupling(
        tff.transformers.Affine(), np.broadcast_to([True, False, False], [2, 2, 3])
    ),
    "coupling_image_checkerboard": _coupling(tff.transformers.Affine(), _CHECKERBOARD),
}
