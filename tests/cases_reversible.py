"""Cases of chains that keep no activations."""

import tensorflow_probability as tfp

import tfp_flows as tff
from tests.case import NETWORK, Case
from tfp_flows.bijectors import ActNorm, Coupling, Reversible

tfb = tfp.bijectors


def _couplings(p):
    affine = tff.transformers.Affine()
    first = Coupling(affine, p.network(2, 4), [True, True, False, False])
    second = Coupling(affine, p.network(2, 4), [False, True, True, False])
    return Reversible([first, tfb.Invert(second)])


def _batch(p):
    """Of parameters; with a bijector of TFP that acts on single numbers."""
    first, last = (ActNorm(p.real(3), p.real(3)) for _ in range(2))
    return Reversible([first, tfb.Shift(p.real(3)), tfb.Invert(last)])


CASES: dict[str, Case] = {
    "reversible": Case(_couplings, (4,), no_batch=NETWORK),
    "reversible_batch": Case(_batch, (3,)),
}
