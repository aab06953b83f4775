"""Maximum likelihood: a Keras 3 model that trains any TFP distribution."""

from typing import Any

import keras
import tensorflow as tf

from tfp_flows.models import _distribution


@keras.saving.register_keras_serializable(package="tfp_flows")
class DensityModel(_distribution.DistributionModel):
    """Fits the variables of a distribution to data by maximum likelihood.

    ```none
    loss = -(1/n) sum_i w_i log p(x_i)                   or log p(x_i | context_i), in nats
    nats = -sum_i w_i log p(x_i) / sum_i w_i             the weighted mean
    bits_per_dim = nats / (log(2) D)                     for events of D numbers
    ```

    The weights w_i are 1 unless given.

    The distribution may be of this package or stock TFP. All its variables become weights of the
    model, wherever it keeps them; it is evaluated once for that, so that networks create theirs.
    The same object can afterwards be sampled and scored: training changes its variables in place.

    What `fit`, `evaluate` and `predict` take:

    * arrays: `fit(x)`, `fit(x, sample_weight=w)`; with a context `fit(x, context)`,
      `fit(x, context, sample_weight=w)`;
    * batches from a `tf.data.Dataset`, a `keras.utils.PyDataset` or a generator: `x`, `(x,)`,
      `(x, None, w)`; with a context `(x, context)`, `(x, context, w)`;
    * everywhere, and as `validation_data`, too: such a tuple, or a mapping `{"x": x, "context":
      context, "sample_weight": w}` without what there is none of.

    There are no targets, so no dummy targets are needed. Pairs `(x, w)` are refused: in Keras the
    second of a pair is the target.

    Floating data are cast to the distribution's dtype, also under a mixed precision policy. Integer
    data are refused for a continuous distribution: dequantize them. Data that hold a NaN or an
    infinity are refused before they do harm, arrays before training, others at the batch that holds
    the value.

    `save` writes the model into one file, which `keras.saving.load_model` reads, if the
    distribution is one that `flows.get_config` can describe, such as any recipe's. `export` writes
    what it computes, of any distribution, for where this package is not.

    Args:
      distribution: a `tfd.Distribution` with batch shape `[]` and any event shape; or a conditional
        one, a callable (`tfp_flows.distributions.ConditionalDistribution` or any object) that maps
        contexts `[n, context_size]` to a `tfd.Distribution` with batch shape `[n]`. A conditional
        one tells the size of its contexts in an attribute `context_size`; without that the model
        is built at the first data it sees.
      name: the name of the model.

    Raises:
      TypeError: `distribution` is neither a distribution over one tensor nor callable.
      ValueError: `distribution` has a batch shape, or no variable.

    #### Examples

    ```python
    import keras
    import numpy as np
    import tfp_flows as tff

    flow = tff.flows.real_nvp(event_size=2, num_layers=4, hidden_units=[32], seed=0)
    model = tff.models.DensityModel(flow)
    model.compile(keras.optimizers.Adam(1e-2))
    x = np.random.default_rng(0).normal([1.0, -2.0], [0.5, 2.0], [512, 2])
    model.fit(x, epochs=2, batch_size=64, validation_split=0.1, verbose=0)
    model.predict(x[:4], verbose=0)  # log-densities [4]
    flow.sample(3)
    ```
    """

    def __init__(self, distribution: Any, name: str | None = None) -> None:
        super().__init__(distribution, name=name)
        self.nats = keras.metrics.Mean(name="nats")
        self.bits_per_dim = keras.metrics.Mean(name="bits_per_dim")
        self.build_if_known()

    def losses_and_metrics(
        self, batch: dict[str, tf.Tensor], training: bool
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """The negative log-density of every row, see the base class.

        Args:
          batch: the columns of a batch of n rows.
          training: whether this is a training step.

        Returns:
          -log p `[n]`; the same as `nats`, and per dimension in bits; nothing else.
        """
        values = self.nats_and_bits(batch, training)
        return values["nats"], values, {}
