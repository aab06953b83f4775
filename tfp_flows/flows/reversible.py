"""Flows that train in memory that does not grow with their depth."""

from collections.abc import Callable

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_flows import _tfp
from tfp_flows._recording import recorded
from tfp_flows.bijectors import Multiscale, PlanarStack, RadialStack, Reversible
from tfp_flows.distributions import ConditionalDistribution
from tfp_flows.flows._recipe import Flow


@recorded
def reversible(distribution: Flow) -> Flow:
    """Returns an equal flow whose gradients recompute the activations instead of keeping them.

    The new flow has the same variables, densities and samples; its chains of layers are
    `bijectors.Reversible`. So a training step keeps the activations of one layer, however many
    there are, where the plain flow keeps those of all.

    When it pays: for deep flows, large batches or images, when memory is what ends. A training step
    of couplings takes a third to a half more time, since every conditioner runs once more, and
    tracing it takes up to twice as long. For planar and radial layers the inverse costs more than
    the layer, and so does each step.

    What it costs in accuracy: layers are inverted one after the other, so that rounding errors add
    up over the depth, and are amplified by layers that contract strongly. With layers near their
    initial values gradients agree to about 1e-6 in float32, at a depth of 128, too. With ReLU a
    preactivation that rounding moves across zero changes a gradient by one point's part of it.
    Where scales of couplings become extreme, compare once with the plain flow.

    Unsuitable are layers without an inverse to rounding error, `bijectors.Residual` and
    `bijectors.Continuous`, which raise an error; layers whose inverse takes D passes,
    `bijectors.Autoregressive`, or a root for each element, which are correct, but slow; and
    networks with dropout, which would be run again with another mask.

    Args:
      distribution: a `tfd.TransformedDistribution` whose bijector is a `tfb.Chain`, a stack of
        layers, a `bijectors.Multiscale` of chains, or one of these in a `tfb.Invert`; or a
        `distributions.ConditionalDistribution` that makes such ones. So all recipes of couplings,
        autoregressive, planar, radial, Sylvester and image flows will do.

    Returns:
      A flow of the same kind, with the same variables.

    Raises:
      TypeError: the distribution is neither.
      ValueError: its bijector has no layers to go back through, or holds one that is unsuitable.
        For a conditional distribution this is raised when a context is bound.

    #### Examples

    ```python
    import keras
    import tfp_flows as tff

    flow = tff.flows.real_nvp(event_size=2, num_layers=8, hidden_units=[16], seed=0)
    model = tff.models.DensityModel(tff.flows.reversible(flow))
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(tff.datasets.toy("moons", num_samples=512, seed=0), batch_size=256, verbose=2)
    ```

    #### References

    Gomez, Ren, Urtasun and Grosse (2017), The Reversible Residual Network: Backpropagation Without
    Storing Activations, arXiv:1707.04585.
    """
    if isinstance(distribution, ConditionalDistribution):
        return ConditionalDistribution(
            _ReversibleLayers(distribution._bijector),
            distribution._base,
            event_shape=distribution.event_shape,
            context_size=distribution.context_size,
            dtype=distribution.dtype,
            name=distribution.name,
        )
    if not isinstance(distribution, _tfp.TransformedDistribution):
        raise TypeError(
            "Argument `distribution`: expected a tfd.TransformedDistribution or a "
            f"ConditionalDistribution, received {type(distribution).__name__}."
        )
    return distribution.copy(bijector=_reversible(distribution.bijector))


class _ReversibleLayers(tf.Module):
    """From a context to reversible layers."""

    def __init__(self, layers: Callable[[tf.Tensor], tfb.Bijector]):
        super().__init__(name="reversible_layers")
        self._layers = layers

    def __call__(self, context):
        return _reversible(self._layers(context))


def _reversible(bijector):
    if isinstance(bijector, Reversible):
        return bijector
    if isinstance(bijector, _tfp.Invert):
        return tfb.Invert(_reversible(bijector.bijector))
    if isinstance(bijector, Multiscale):
        return bijector.copy(levels=[_reversible(level) for level in bijector.levels])
    if isinstance(bijector, _tfp.Chain):
        return Reversible(bijector.bijectors)
    if isinstance(bijector, (PlanarStack, RadialStack)):
        return Reversible([bijector])
    raise ValueError(
        "Argument `distribution`: expected a bijector of several layers, a tfb.Chain, a stack or a "
        f"Multiscale, received the {type(bijector).__name__} {bijector.name!r}."
    )
