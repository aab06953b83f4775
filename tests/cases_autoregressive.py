"""Cases of the contract: autoregressive flows."""

import tensorflow_probability as tfp

import tfp_flows as tff
from tests.case import NETWORK, Case
from tfp_flows.bijectors import Autoregressive
from tfp_flows.networks import MaskedMLP

tfb = tfp.bijectors

_AFFINE = tff.transformers.Affine()


def _autoregressive(p, transformer=_AFFINE, event_size=4):
    """A masked network with a random order; `fill` is what it returns, whatever it sees."""
    network = MaskedMLP(
        event_size,
        transformer.num_params,
        hidden_units=[5],
        activation="tanh",
        order="random",
        zero_init_last=p.fill is not None,
        seed=0,
        dtype=p.dtype,
    )
    for variable in network.variables:
        if variable.name.startswith("masked_mlp_1_bias"):
            variable.assign(p.real(*variable.shape))
    return Autoregressive(transformer, network)


CASES: dict[str, Case] = {
    "autoregressive_affine": Case(_autoregressive, (4,), no_batch=NETWORK),
    "autoregressive_affine_inverted": Case(
        lambda p: tfb.Invert(_autoregressive(p)), (4,), no_batch=NETWORK
    ),
}
