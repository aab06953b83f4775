"""Transformers whose inverse is a root, in couplings."""

import numpy as np

import tfp_flows as tff
from tests.case import NETWORK, Case
from tfp_flows.transformers import DeepSigmoid, LogisticMixtureCDF, UnconstrainedMonotonic

_MASK = np.array([True, False, False])


def _coupling(transformer):
    """A coupling whose conditioner is a small network."""

    def make(p):
        network = p.network(1, 2 * transformer.num_params)
        return tff.bijectors.Coupling(transformer, network, _MASK)

    return Case(make, _MASK.shape, no_batch=NETWORK)


CASES: dict[str, Case] = {
    "coupling_logistic_mixture": _coupling(LogisticMixtureCDF(num_components=3)),
    "coupling_deep_sigmoid": _coupling(DeepSigmoid(num_units=3)),
    "coupling_unconstrained_monotonic": _coupling(
        UnconstrainedMonotonic(num_units=2, num_points=12)
    ),
}
