"""flowjax: the flows of `harness/contenders.py` by its recipes, compiled by JAX."""

import importlib.metadata

import equinox as eqx
import jax
import jax.numpy as jnp
import paramax
from flowjax import flows
from flowjax.bijections import RationalQuadraticSpline
from flowjax.distributions import Normal
from flowjax.train.losses import MaximumLikelihoodLoss

_RECIPES = {
    "RealNVP": flows.coupling_flow,
    "spline": flows.coupling_flow,
    "MAF": flows.masked_autoregressive_flow,
    "planar": flows.planar_flow,
}


class Peer:
    """The works of a flow in JAX.

    Args:
      sizes: of the flows, and the batch.
    """

    modes = ("jit",)
    versions = f"flowjax {importlib.metadata.version('flowjax')}, jax {jax.__version__}"

    def __init__(self, sizes):
        self.sizes = sizes

    def function(self, model, work, mode):
        """A function without arguments that does the work, or `None`."""
        del mode
        if model not in _RECIPES:
            return None
        flow = self._flow(model, invert=not (model == "planar" and work == "sample"))
        size, batch = self.sizes["event_size"], self.sizes["batch"]
        x = jax.random.normal(jax.random.key(1), (batch, size))
        if work == "gradient":
            return self._gradient(flow, x)
        if work == "log_prob":
            compiled, argument = eqx.filter_jit(lambda flow, x: flow.log_prob(x)), x
        else:
            compiled = eqx.filter_jit(lambda flow, key: flow.sample(key, (batch,)))
            argument = jax.random.key(2)
        return lambda: jax.block_until_ready(compiled(flow, argument))

    def _gradient(self, flow, x):
        """As flowjax's own training does it."""
        params, static = eqx.partition(
            flow, eqx.is_inexact_array, is_leaf=lambda leaf: isinstance(leaf, paramax.NonTrainable)
        )
        compiled = eqx.filter_jit(eqx.filter_value_and_grad(MaximumLikelihoodLoss()))
        return lambda: jax.block_until_ready(compiled(params, static, x))

    def _flow(self, model, invert):
        sizes = self.sizes
        base = Normal(jnp.zeros(sizes["event_size"]))
        settings = {"base_dist": base, "invert": invert}
        if model == "planar":
            settings |= {"flow_layers": sizes["num_simple_layers"]}
        else:
            hidden = sizes["hidden_units"]
            settings |= {"flow_layers": sizes["num_layers"]}
            settings |= {"nn_width": hidden[0], "nn_depth": len(hidden)}
        if model == "spline":
            # Its knots are the inner ones: one less than there are bins.
            settings["transformer"] = RationalQuadraticSpline(
                knots=sizes["num_bins"] - 1, interval=sizes["bound"]
            )
        return _RECIPES[model](jax.random.key(0), **settings)
