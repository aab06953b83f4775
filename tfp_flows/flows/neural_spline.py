"""Neural spline flows."""

from collections.abc import Sequence

import tensorflow as tf

from tfp_flows._recording import recorded
from tfp_flows.flows import _recipe
from tfp_flows.flows._autoregressions import Autoregressions
from tfp_flows.flows._couplings import Couplings
from tfp_flows.networks import generator
from tfp_flows.transformers import RationalQuadraticSpline

STRUCTURES = ("coupling", "autoregressive")


@recorded
def neural_spline(
    event_size: int,
    num_layers: int = 8,
    *,
    structure: str = "coupling",
    num_bins: int = 8,
    bound: float = 4.0,
    hidden_units: Sequence[int] = (64, 64),
    activation="relu",
    context_size: int | None = None,
    base=None,
    dtype: tf.DType = tf.float32,
    seed=None,
    name: str = "neural_spline",
) -> _recipe.Flow:
    """Neural spline flow: rational-quadratic splines, in couplings or autoregressive layers.

    ```none
    y = f_K(... f_1(x)),   x ~ base
    coupling:        f_k: y_A = z_A,  y_B = spline(z_B; network_k(z_A)), the halves in turns
    autoregressive:  f_k: y_i = spline(z_i; network_k(y_<i)), the order reversed in turns
    ```

    The splines act on [-bound, bound]; outside, a layer is the identity. Couplings sample and score
    at the same cost, one evaluation of each network. Autoregressive layers are more flexible and
    score at that cost, too; they sample element by element, in D small steps a layer.

    Args:
      event_size: D, size of the vectors; at least 2 for couplings.
      num_layers: K. Fewer than two couplings leave one half untouched.
      structure: `"coupling"` or `"autoregressive"`.
      num_bins: bins of each spline, at least 2.
      bound: half the length of the interval on which the splines act. Data should be scaled to lie
        inside of it mostly.
      hidden_units: sizes of the hidden layers of each network.
      activation: their activation, as `networks.MLP` takes it.
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
      TypeError: a size is no integer, the dtype is not floating, or the base is no distribution.
      ValueError: a size or `bound` is too small, `structure` is unknown, or the base does not fit.

    #### Examples

    ```python
    import tfp_flows as tff

    flow = tff.flows.neural_spline(event_size=2, num_layers=4, hidden_units=[32], seed=0)
    log_prob = flow.log_prob(flow.sample(5, seed=1))
    ```

    #### References

    Durkan, Bekasov, Murray and Papamakarios (2019), Neural Spline Flows, arXiv:1906.04032, section
    3. (There, linear layers stand between those of splines.)
    """
    if structure not in STRUCTURES:
        raise ValueError(
            f"Argument `structure`: expected one of {STRUCTURES}, received {structure!r}."
        )
    smallest = 2 if structure == "coupling" else 1
    _recipe.check_settings(event_size, num_layers, context_size, base, dtype, smallest)
    spline = RationalQuadraticSpline(num_bins, bound)
    rng = generator(seed)
    settings = {"context_size": context_size, "dtype": dtype, "rng": rng}
    if structure == "coupling":
        layers = Couplings(spline, event_size, num_layers, hidden_units, activation, **settings)
    else:
        layers = Autoregressions(
            spline,
            event_size,
            num_layers,
            hidden_units,
            activation,
            order="alternate",
            inverted=False,
            **settings,
        )
    if context_size is not None:
        return _recipe.conditional(layers, event_size, context_size, base, dtype, rng, name)
    return _recipe.unconditional(layers.bijector(), event_size, base, dtype, name)
