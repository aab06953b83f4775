"""The flows of the comparison: ours, stock TFP's with the same networks, and bare networks."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_flows as tff

tfb, tfd = tfp.bijectors, tfp.distributions

MODELS = ("RealNVP", "spline", "MAF", "planar", "radial")
WORKS = ("log_prob", "gradient", "sample")


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How large the flows are.

    Attributes:
      event_size: D.
      num_layers: of couplings and autoregressive layers.
      num_simple_layers: of planar and radial layers.
      hidden_units: of each network.
      num_bins: of the splines, which act on [-bound, bound].
      bound: see `num_bins`.
    """

    event_size: int = 64
    num_layers: int = 8
    num_simple_layers: int = 32
    hidden_units: Sequence[int] = (128, 128)
    num_bins: int = 8
    bound: float = 4.0

    def __str__(self):
        hidden = " x ".join(map(str, self.hidden_units))
        return (
            f"D = {self.event_size}, {self.num_layers} layers with networks of {hidden}, "
            f"{self.num_bins} bins, {self.num_simple_layers} planar or radial layers, float32"
        )


QUICK = Sizes(event_size=4, num_layers=2, num_simple_layers=3, hidden_units=(8,), num_bins=3)


@dataclasses.dataclass
class Contender:
    """What a flow can do, whoever wrote it.

    Attributes:
      log_prob: from points `[batch, D]` to their log-densities `[batch]`.
      sample: from a number of points and a seed `[2]` to points, or `None`.
      variables: what training changes.
    """

    log_prob: Callable[[tf.Tensor], tf.Tensor]
    sample: Callable[[int, tf.Tensor], tf.Tensor] | None
    variables: Sequence[tf.Variable]

    def works(self, x: tf.Tensor) -> dict[str, tuple[Callable, tf.Tensor]]:
        """A function and its argument for each kind of work, on a batch of the size of `x`."""

        # The identities: TFP would answer the second call with the first one's tensors.
        def log_prob(x):
            return self.log_prob(tf.identity(x))

        def gradient(x):
            with tf.GradientTape() as tape:
                loss = -tf.reduce_mean(log_prob(x))
            return loss, tape.gradient(loss, self.variables)

        works: dict[str, tuple[Callable, Any]] = {
            "log_prob": (log_prob, x),
            "gradient": (gradient, x),
        }
        if self.sample is not None:
            batch = int(x.shape[0])
            works["sample"] = (lambda seed: self.sample(batch, seed), tf.constant([0, 1]))
        return works


def _of_distribution(flow, variables=None, sampler=None):
    sampler = flow if sampler is None else sampler
    variables = flow.trainable_variables if variables is None else variables
    _move_from_the_identity(variables)
    return Contender(flow.log_prob, lambda n, seed: sampler.sample(n, seed=seed), variables)


def _move_from_the_identity(variables):
    """Flows start as the identity; here their parameters are those of a flow at work."""
    rng = np.random.default_rng(0)
    for variable in variables:
        noise = 0.05 * rng.normal(size=variable.shape)
        variable.assign_add(tf.constant(noise, variable.dtype))


def ours(model: str, sizes: Sizes) -> Contender:
    """The recipe of this package.

    Planar and radial layers stand in their cheap direction for each work: `log_prob` is that of
    `fast="log_prob"`, samples are those of `fast="sample"`.
    """
    if model in ("planar", "radial"):
        recipe = tff.flows.planar if model == "planar" else tff.flows.radial
        scored, drawn = (
            recipe(sizes.event_size, sizes.num_simple_layers, fast=fast, seed=0)
            for fast in ("log_prob", "sample")
        )
        return _of_distribution(scored, sampler=drawn)
    settings = {"hidden_units": list(sizes.hidden_units), "seed": 0}
    if model == "spline":
        settings |= {"num_bins": sizes.num_bins, "bound": sizes.bound}
    recipes = {
        "RealNVP": tff.flows.real_nvp,
        "spline": tff.flows.neural_spline,
        "MAF": tff.flows.maf,
    }
    return _of_distribution(recipes[model](sizes.event_size, sizes.num_layers, **settings))


def networks(model: str, sizes: Sizes) -> list[tf.Module]:
    """The networks of a model, in their order; none for planar and radial layers."""
    settings = {"hidden_units": list(sizes.hidden_units)}
    size, half = sizes.event_size, sizes.event_size // 2
    if model == "MAF":
        orders = (list(range(size)), list(range(size))[::-1])
        return [
            tff.networks.MaskedMLP(size, 2, order=orders[k % 2], seed=k, **settings)
            for k in range(sizes.num_layers)
        ]
    params = {"RealNVP": 2, "spline": 3 * sizes.num_bins - 1}.get(model)
    if params is None:
        return []
    return [
        tff.networks.MLP(half, half * params, seed=k, **settings) for k in range(sizes.num_layers)
    ]


def bare_networks(model: str, sizes: Sizes) -> Contender | None:
    """The networks alone, one after the other as in the flow: the floor of any flow with them.

    Each sees a part of the event and one number from the output before it, so that none can be
    left out, and no two can run as one. `None` where the flow has no networks.
    """
    modules = networks(model, sizes)
    if not modules:
        return None
    variables = [v for module in modules for v in module.trainable_variables]
    _move_from_the_identity(variables)
    half = sizes.event_size // 2

    def log_prob(x):
        parts = [x] if model == "MAF" else [x[:, :half], x[:, half : 2 * half]]
        level = tf.zeros_like(x[:, :1])
        for k, module in enumerate(modules):
            output = module(parts[k % len(parts)] + level)
            level = tf.reduce_mean(output * output, axis=-1, keepdims=True)
        return level[:, 0]

    return Contender(log_prob, None, variables)


def stock(model: str, sizes: Sizes) -> Contender | None:
    """The flow of stock TFP bijectors, with the networks of `networks`; `None` if TFP has none."""
    modules = networks(model, sizes)
    if not modules:
        return None
    if model == "MAF":
        layers = [tfb.MaskedAutoregressiveFlow(_shift_and_log_scale(module)) for module in modules]
    else:
        half = sizes.event_size // 2
        bijector_fn = _affine if model == "RealNVP" else _spline
        layers = [
            tfb.RealNVP(
                num_masked=half if k % 2 == 0 else -half, bijector_fn=bijector_fn(module, sizes)
            )
            for k, module in enumerate(modules)
        ]
    base = tff.distributions.standard_normal(sizes.event_size)
    flow = tfd.TransformedDistribution(base, tfb.Chain(layers[::-1]))
    # TFP keeps the networks in closures, where TensorFlow does not look for variables.
    return _of_distribution(flow, [v for module in modules for v in module.trainable_variables])


def _shift_and_log_scale(network):
    def shift_and_log_scale_fn(y):
        shift_and_log_scale = tf.reshape(network(y), [*y.shape, 2])
        return tf.unstack(shift_and_log_scale, axis=-1)

    return shift_and_log_scale_fn


def _affine(network, _):
    def bijector_fn(kept, input_depth, **_):
        del input_depth
        shift, log_scale = tf.split(network(kept), 2, axis=-1)
        return tfb.Chain([tfb.Shift(shift), tfb.Scale(log_scale=log_scale)])

    return bijector_fn


def _spline(network, sizes):
    num_bins, bound, half = sizes.num_bins, sizes.bound, sizes.event_size // 2

    def bijector_fn(kept, input_depth, **_):
        del input_depth
        params = tf.reshape(network(kept), [-1, half, 3 * num_bins - 1])
        widths, heights, slopes = tf.split(params, [num_bins, num_bins, num_bins - 1], axis=-1)
        least = 1e-3
        size = 2.0 * bound - num_bins * least
        return tfb.RationalQuadraticSpline(
            least + size * tf.nn.softmax(widths),
            least + size * tf.nn.softmax(heights),
            least + tf.math.softplus(slopes),
            range_min=-bound,
        )

    return bijector_fn


TENSORFLOW: dict[str, Callable[[str, Sizes], Contender | None]] = {
    "ours": ours,
    "TFP": stock,
    "networks": bare_networks,
}
