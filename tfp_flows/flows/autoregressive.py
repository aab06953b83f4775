"""Masked and inverse autoregressive flows."""

from collections.abc import Sequence

import tensorflow as tf

from tfp_flows._recording import recorded, resolved
from tfp_flows.flows import _recipe
from tfp_flows.flows._autoregressions import Autoregressions, check_order
from tfp_flows.networks import generator
from tfp_flows.transformers import Affine, Transformer


@recorded
def maf(
    event_size: int,
    num_layers: int = 5,
    *,
    hidden_units: Sequence[int] = (64, 64),
    activation="relu",
    transformer: Transformer | None = None,
    order: str | Sequence[Sequence[int]] = "alternate",
    context_size: int | None = None,
    base=None,
    dtype: tf.DType = tf.float32,
    seed=None,
    name: str = "maf",
) -> _recipe.Flow:
    """Masked autoregressive flow: autoregressive layers for densities of data.

    ```none
    y = f_K(... f_1(x)),   f_k: y_i = transformer(z_i; network_k(y)_i),   x ~ base
    network_k(y)_i depends on the elements of y before i in the order of layer k
    ```

    The density of data costs one evaluation of each network. Samples are found element by element,
    in D small steps a layer.

    Args:
      event_size: D, size of the vectors.
      num_layers: K.
      hidden_units: sizes of the hidden layers of each network, `networks.MaskedMLP`.
      activation: their activation, as `networks.MLP` takes it.
      transformer: the elementwise map. Default: `transformers.Affine()`, as in the paper.
      order: `"alternate"` takes the elements from first to last and from last to first in turns;
        `"random"` draws a permutation for each layer; or K permutations of 0 to D - 1, the one of
        the layer next to the base first.
      context_size: size of the context, or `None` for a flow without one. The networks see the
        context beside their input.
      base: the base distribution on `[D]`. Default: a standard normal one; with a context, a
        diagonal Gaussian whose location and scale are affine in the context (then `base` may also
        be a callable of the context).
      dtype: floating dtype.
      seed: integer, NumPy generator or `None`.
      name: the distribution's name.

    Returns:
      A `tfd.TransformedDistribution`; with a context, a `distributions.ConditionalDistribution`.

    Raises:
      TypeError: a size is no integer, the dtype is not floating, or the base is no distribution, or
        the transformer no transformer.
      ValueError: a size is too small, `order` is unknown, or the base does not fit.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    flow = tff.flows.maf(event_size=2, num_layers=4, seed=0)
    log_prob = flow.log_prob(tf.zeros([5, 2]))
    ```

    #### References

    Papamakarios, Pavlakou and Murray (2017), Masked Autoregressive Flow for Density Estimation,
    arXiv:1705.07057, section 3.
    """
    _recipe.check_settings(event_size, num_layers, context_size, base, dtype)
    transformer = _checked(transformer, order, num_layers)
    rng = generator(seed)
    layers = Autoregressions(
        transformer,
        event_size,
        num_layers,
        hidden_units,
        activation,
        order=order,
        inverted=False,
        context_size=context_size,
        dtype=dtype,
        rng=rng,
    )
    if context_size is not None:
        flow = _recipe.conditional(layers, event_size, context_size, base, dtype, rng, name)
    else:
        flow = _recipe.unconditional(layers.bijector(), event_size, base, dtype, name)
    return _with_orders(flow, order, layers)


@recorded
def iaf(
    event_size: int,
    num_layers: int = 5,
    *,
    hidden_units: Sequence[int] = (64, 64),
    activation="relu",
    transformer: Transformer | None = None,
    order: str | Sequence[Sequence[int]] = "alternate",
    context_size: int | None = None,
    base=None,
    dtype: tf.DType = tf.float32,
    seed=None,
    name: str = "iaf",
) -> _recipe.Flow:
    """Inverse autoregressive flow: the layers of `maf` inverted, for samples with their density.

    ```none
    y = f_1(... f_K(x)),   f_k: y_i = transformer^-1(z_i; network_k(z)_i),   x ~ base
    network_k(z)_i depends on the elements of z before i in the order of layer k
    ```

    A sample and its density, as `experimental_sample_and_log_prob` returns them, cost one
    evaluation of each network: what variational inference needs. The density of given data is found
    element by element, in D small steps a layer.

    Args:
      event_size: D, size of the vectors.
      num_layers: K.
      hidden_units: sizes of the hidden layers of each network, `networks.MaskedMLP`.
      activation: their activation, as `networks.MLP` takes it.
      transformer: the elementwise map. Default: `transformers.Affine()`, as in the paper.
      order: `"alternate"` takes the elements from first to last and from last to first in turns;
        `"random"` draws a permutation for each layer; or K permutations of 0 to D - 1, the one of
        the layer next to the base first.
      context_size: size of the context, or `None` for a flow without one. The networks see the
        context beside their input.
      base: the base distribution on `[D]`. Default: a standard normal one; with a context, a
        diagonal Gaussian whose location and scale are affine in the context (then `base` may also
        be a callable of the context).
      dtype: floating dtype.
      seed: integer, NumPy generator or `None`.
      name: the distribution's name.

    Returns:
      A `tfd.TransformedDistribution`; with a context, a `distributions.ConditionalDistribution`.

    Raises:
      TypeError: a size is no integer, the dtype is not floating, or the base is no distribution, or
        the transformer no transformer.
      ValueError: a size is too small, `order` is unknown, or the base does not fit.

    #### Examples

    ```python
    import tfp_flows as tff

    flow = tff.flows.iaf(event_size=2, num_layers=4, seed=0)
    x, log_prob = flow.experimental_sample_and_log_prob(5, seed=1)
    ```

    #### References

    Kingma, Salimans, Jozefowicz, Chen, Sutskever and Welling (2016), Improving Variational
    Inference with Inverse Autoregressive Flow, arXiv:1606.04934, section 4.
    """
    _recipe.check_settings(event_size, num_layers, context_size, base, dtype)
    transformer = _checked(transformer, order, num_layers)
    rng = generator(seed)
    layers = Autoregressions(
        transformer,
        event_size,
        num_layers,
        hidden_units,
        activation,
        order=order,
        inverted=True,
        context_size=context_size,
        dtype=dtype,
        rng=rng,
    )
    if context_size is not None:
        flow = _recipe.conditional(layers, event_size, context_size, base, dtype, rng, name)
    else:
        flow = _recipe.unconditional(layers.bijector(), event_size, base, dtype, name)
    return _with_orders(flow, order, layers)


def _checked(transformer, order, num_layers):
    """Checks what autoregressive recipes take besides; returns the transformer."""
    check_order(order, num_layers)
    if transformer is None:
        return Affine()
    if not isinstance(transformer, Transformer):
        raise TypeError(
            "Argument `transformer`: expected a tfp_flows.transformers.Transformer or None, "
            f"received {type(transformer).__name__}."
        )
    return transformer


def _with_orders(flow, order, layers):
    """The flow and, where they were drawn, the orders of its layers."""
    is_drawn = isinstance(order, str) and order == "random"
    return resolved(flow, {"order": layers.orders} if is_drawn else {})
