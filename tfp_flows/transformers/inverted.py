"""A transformer whose directions have changed places."""

from tfp_flows.transformers.base import Transformer, check_transformer


class Inverted(Transformer):
    """`y = f^-1(x)` for a transformer `f`: its codomain -> its domain.

    For transformers with one cheap direction inside of structures with one cheap direction. The
    density of an `Autoregressive` flow takes the inverse of its transformer, which is a search for
    a root with `LogisticMixtureCDF`, `DeepSigmoid` and `UnconstrainedMonotonic`; inverted, it is
    one evaluation, and the search is left to sampling.

    Args:
      transformer: `f`.

    Raises:
      TypeError: `transformer` is no transformer.

    #### Examples

    ```python
    import tfp_flows as tff

    flow = tff.flows.maf(
        event_size=2,
        num_layers=2,
        transformer=tff.transformers.Inverted(tff.transformers.DeepSigmoid(num_units=4)),
        seed=0,
    )
    ```
    """

    def __init__(self, transformer: Transformer):
        check_transformer(transformer)
        self.transformer = transformer
        self.num_params = transformer.num_params
        self.is_volume_preserving = transformer.is_volume_preserving

    def forward(self, x, params):
        return self.transformer.inverse(x, params)

    def inverse(self, y, params):
        return self.transformer.forward(y, params)

    def _settings(self):
        return (self.transformer,)
