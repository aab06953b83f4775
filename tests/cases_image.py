"""The cases of squeezing and of the multiscale structure."""

import tensorflow_probability as tfp

import tfp_flows as tff
from tests.case import Case
from tfp_flows.bijectors import Multiscale, Squeeze, channel_mask, checkerboard_mask

tfb = tfp.bijectors


def _multiscale(p):
    """Two levels of 4 x 2 x 1 images: a squeeze and two channels, then the other two."""
    affine = tff.transformers.Affine()
    level = tfb.Chain(
        [
            tfb.Invert(Squeeze([4, 2, 1], dtype=p.dtype)),
            tff.bijectors.Coupling(affine, p.network(2, 4), channel_mask([2, 1, 4])),
        ]
    )
    last = tff.bijectors.Coupling(affine, p.network(2, 4), checkerboard_mask([2, 1, 2]))
    return Multiscale([level, last], [4, 2, 1])


def _batch_of_multiscale(p):
    """Levels whose parameters have a batch shape."""
    shift = tfb.Shift(p.real(2, 2, 1))
    scale = tfb.Scale(p.positive(1, 1, 2))
    level = tfb.Chain([shift, tfb.Invert(Squeeze([2, 2, 1], dtype=p.dtype))])
    return Multiscale([level, scale], [2, 2, 1])


_MOVED = "zero parameters give a rearrangement of the elements"

CASES: dict[str, Case] = {
    "squeeze": Case(
        lambda p: Squeeze([4, 2, 3], dtype=p.dtype),
        (4, 2, 3),
        output_shape=(2, 1, 12),
        no_batch="there is no parameter",
        no_identity="it rearranges the elements",
        no_variables="there is no parameter",
    ),
    "multiscale": Case(
        _multiscale,
        (8,),
        output_shape=(4, 2, 1),
        no_batch="a conditioner is a callable, not a tensor; see multiscale_batch",
        no_identity=_MOVED,
    ),
    "multiscale_batch": Case(
        _batch_of_multiscale,
        (4,),
        output_shape=(2, 2, 1),
        no_identity=_MOVED,
    ),
}
