"""Parameters that are taken from data: `ActNorm`'s first values, `BatchNorm`'s statistics."""

from typing import Any

import tensorflow as tf

from tfp_flows.flows import _data_walk


def initialize(distribution: Any, batch, context=None) -> None:
    """Sets the normalization layers of a flow such that they normalize a batch of data.

    The batch passes the layers in the order of `log_prob`, from the data to the base. Every
    `ActNorm` gets the parameters with which the batch leaves it with mean 0 and variance 1 in each
    channel, on the side of the base, also inside of a `tfb.Invert`; channels that are constant, up
    to rounding, are centered only. Every `BatchNorm` gets the statistics of the batch as its own.
    All other parameters stay as they are.

    It is called once, before training, outside of `tf.function`. There is no other initialization,
    so that a model whose weights are loaded is just what was saved.

    Args:
      distribution: a `tfd.TransformedDistribution`, whose bijectors may be nested in `tfb.Chain`,
        `tfb.Invert` and multiscale bijectors, and whose base may be another one; or a
        `distributions.ConditionalDistribution`.
      batch: floating data `[n, *batch_shape, *event_shape]`, for a conditional distribution `[n,
        *event_shape]`. Some hundred rows are enough.
      context: `[n, context_size]`, exactly for a conditional distribution.

    Raises:
      TypeError: the distribution is none, or the batch is not floating.
      ValueError: the batch is empty or not finite, or its shape does not fit; `context` is missing
        or superfluous; there is no layer to initialize, or one that is not made of variables or
        that stands where it cannot be reached; or the batch does not stay finite on its way.
        Nothing has been changed then.

    #### Examples

    ```python
    import tensorflow as tf
    import tensorflow_probability as tfp
    import tfp_flows as tff

    base = tff.distributions.standard_normal(event_size=2)
    layer = tff.bijectors.ActNorm.with_variables([2])
    flow = tfp.distributions.TransformedDistribution(base, layer)
    tff.flows.initialize(flow, tff.datasets.toy("moons", num_samples=512, seed=0))
    ```

    #### References

    Salimans and Kingma (2016), Weight Normalization, arXiv:1602.07868, section 3; Kingma and
    Dhariwal (2018), Glow: Generative Flow with Invertible 1x1 Convolutions, arXiv:1807.03039,
    section 3.1.
    """
    if not tf.executing_eagerly():
        raise ValueError(
            "`initialize` checks its batch before it assigns variables: expected a call outside of "
            "`tf.function`, received one inside."
        )
    distribution, batch = _data_walk.checked(distribution, batch, context)
    if not _data_walk.layers_with(_data_walk.INITIALIZE, distribution):
        raise ValueError(
            "Argument `distribution`: expected one with an ActNorm or a BatchNorm to initialize, "
            f"received {distribution!r}."
        )
    _data_walk.Walk(distribution, batch, _data_walk.INITIALIZE).assign()


def update_statistics(distribution: Any, batch, context=None) -> None:
    """Moves the running statistics of every `BatchNorm` towards those of a batch.

    ```none
    mean <- momentum mean + (1 - momentum) mean of the batch,   variance likewise
    ```

    The batch passes the layers as in `initialize`. One call follows each training step; it costs
    one evaluation of the layers without gradients. It may stand inside of `tf.function`, compiled
    or not, and does nothing where there is no `BatchNorm`.

    Args:
      distribution: as for `initialize`.
      batch: floating data `[n, *batch_shape, *event_shape]`, for a conditional distribution `[n,
        *event_shape]`.
      context: `[n, context_size]`, exactly for a conditional distribution.

    Raises:
      TypeError: the distribution is none, or the batch is not floating.
      ValueError: the shape of the batch does not fit; `context` is missing or superfluous; or a
        `BatchNorm` has statistics that are not variables, or stands where it cannot be reached, or
        inside of a `tfb.Invert`. Outside of `tf.function` also if the batch is empty or not finite.
        Nothing has been changed then.

    #### Examples

    ```python
    import tensorflow as tf
    import tensorflow_probability as tfp
    import tfp_flows as tff

    base = tff.distributions.standard_normal(event_size=2)
    layer = tff.bijectors.BatchNorm.with_variables([2])
    flow = tfp.distributions.TransformedDistribution(base, layer)
    optimizer = tf.keras.optimizers.Adam()

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(flow.log_prob(x))
        variables = flow.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        tff.flows.update_statistics(flow, x)

    x = tff.datasets.toy("moons", num_samples=256, seed=0)
    tff.flows.initialize(flow, x)
    step(tf.constant(x))
    ```

    #### References

    Dinh, Sohl-Dickstein and Bengio (2016), Density estimation using Real NVP, arXiv:1605.08803,
    section 3.7 and appendix E.
    """
    distribution, batch = _data_walk.checked(distribution, batch, context)
    if _data_walk.layers_with(_data_walk.UPDATE, distribution):
        _data_walk.Walk(distribution, batch, _data_walk.UPDATE).assign()
