"""Residual and continuous flows, for `tests/cases.py`."""

import tensorflow as tf
import tensorflow_probability as tfp

from tests.case import NETWORK, Case
from tfp_flows.bijectors import Continuous, Residual
from tfp_flows.networks import MLP, LipschitzMLP

tfb = tfp.bijectors


def _filled(p, network):
    """Gives all variables of a network values of the case: any values will do."""
    for variable in network.trainable_variables:
        variable.assign(p.real(*variable.shape))
    return network


def _network(p, event_size, coefficient):
    """A contraction."""
    return _filled(p, LipschitzMLP(event_size, [5], coefficient, seed=0, dtype=p.dtype))


def _residual(event_size, coefficient=0.9, wrap=lambda bijector: bijector, **settings):
    return Case(
        lambda p: wrap(Residual(_network(p, event_size, coefficient), **settings)),
        (event_size,),
        no_batch=NETWORK,
    )


class _Drift(tf.Module):
    """A velocity so slow, and so slow to change, that two steps are exact to rounding."""

    def __init__(self, network):
        super().__init__()
        self._network = network

    def __call__(self, time, z):
        times = 0.01 * time * tf.ones_like(z[..., :1])
        return 0.002 * self._network(tf.concat([z, times], axis=-1))


CASES: dict[str, Case] = {
    "residual_exact": _residual(3),
    "residual_exact_inverted": _residual(3, wrap=tfb.Invert),
    # In one dimension a Rademacher probe gives the trace itself, and its Neumann series the
    # gradient; with c = 0.1, 12 terms reach rounding error. So estimates pass the exact contract.
    "residual_series": _residual(1, 0.1, log_det="series", num_terms=12, seed=0),
    "continuous": Case(
        lambda p: Continuous(
            _Drift(_filled(p, MLP(3, 2, [5], "tanh", dtype=p.dtype))), event_size=2, num_steps=2
        ),
        (2,),
        no_batch=NETWORK,
    ),
}
