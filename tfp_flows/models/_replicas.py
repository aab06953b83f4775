"""Training on several replicas as on one: the shares of a batch, its draws, its gradient.

`tf.distribute` gives each replica the next rows of a batch, and Keras adds up what the replicas
find. What is here makes that sum the one that a single device would have computed. With one
replica, everything is as it came.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import _tfp
from tfp_flows.models import _workers


def number() -> int:
    """How many replicas run the step that is being traced."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def check_scope(strategy: tf.distribute.Strategy, variables: Sequence[Any]) -> None:
    """Checks that there are copies of all variables on all replicas.

    Args:
      strategy: under which the variables are trained.
      variables: of Keras.

    Raises:
      ValueError: a variable was made outside of the strategy's scope.
    """
    if strategy.num_replicas_in_sync == 1:
        return
    for variable in variables:
        if not strategy.extended.variable_created_in_scope(variable.value):
            raise ValueError(
                f"Expected variables made under the strategy's scope, received '{variable.path}', "
                "which was not. Make the flow, the model and the optimizer inside "
                "`with strategy.scope():`."
            )


def mean(values: tf.Tensor) -> tf.Tensor:
    """The mean over the rows `[n]` of this replica; of none, zero.

    A last batch may have fewer rows than there are replicas.
    """
    if number() == 1:
        return tf.reduce_mean(values)
    return tf.math.divide_no_nan(tf.reduce_sum(values), tf.cast(tf.shape(values)[0], values.dtype))


def share(rows: tf.Tensor, dtype: tf.DType) -> tf.Tensor | float:
    """The part of the batch that this replica has.

    Args:
      rows: a column of its part, `[n, ...]`.
      dtype: of the result.

    Returns:
      n over the sum of all n: the weight of the mean of this replica in that of the batch.
    """
    if number() == 1:
        return 1.0
    if rows.shape[0] is not None:
        return 1.0 / number()  # A size that is known when the step is traced is that of all.
    size = tf.cast(tf.shape(rows)[0], dtype)
    replica = tf.distribute.get_replica_context()
    return size / replica.all_reduce(tf.distribute.ReduceOp.SUM, size)


def rows_of(distribution: tfd.Distribution) -> tfd.Distribution:
    """A distribution whose draws on this replica are its rows of one device's draws.

    With one and the same seed on all replicas. One device draws the numbers for the rows of a batch
    one after the other; so each replica draws the numbers for all replicas, and uses its own. What
    is drawn for nothing are the numbers of the base distribution: no layer is run for them.

    The rows are those of one device if the replicas have equally many, which may fail in the last
    batch of an epoch: draws are then others, but no less right.

    Args:
      distribution: with a batch shape of rows, or from which as many draws as rows are taken.

    Returns:
      The distribution itself where there is one replica.
    """
    if tf.distribute.in_cross_replica_context() or number() == 1:
        return distribution
    # A subclass may be built of other parameters.
    if type(distribution) in (tfd.TransformedDistribution, _tfp.TransformedDistribution):
        return distribution.copy(distribution=rows_of(distribution.distribution))
    return _RowsOfReplica(distribution)


class _RowsOfReplica(tfd.Distribution):
    """The draws of one replica of as many draws as there are replicas."""

    def __init__(self, distribution: tfd.Distribution) -> None:
        parameters = dict(locals())
        self._distribution = distribution
        super().__init__(
            dtype=distribution.dtype,
            reparameterization_type=distribution.reparameterization_type,
            validate_args=distribution.validate_args,
            allow_nan_stats=distribution.allow_nan_stats,
            parameters=parameters,
            name=distribution.name,
        )

    @property
    def distribution(self) -> tfd.Distribution:
        return self._distribution

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return {"distribution": _tfp.parameter_properties.BatchedComponentProperties()}

    def _event_shape(self):
        return self._distribution.event_shape

    def _event_shape_tensor(self):
        return self._distribution.event_shape_tensor()

    def _sample_n(self, n, seed=None):
        return self._own(self._distribution.sample(self._of_all([n]), seed=seed))

    def _sample_and_log_prob(self, sample_shape, seed):
        draws = self._distribution.experimental_sample_and_log_prob(
            self._of_all(sample_shape), seed=seed
        )
        return tuple(self._own(part) for part in draws)

    def _log_prob(self, value):
        return self._distribution.log_prob(value)

    def _default_event_space_bijector(self):
        return self._distribution.experimental_default_event_space_bijector()

    def _of_all(self, sample_shape):
        return _tfp.prefer_static.concat([[number()], sample_shape], axis=0)

    def _own(self, draws):
        return tf.gather(draws, tf.distribute.get_replica_context().replica_id_in_sync_group)


def clipped(optimizer: Any, gradients: Sequence[tf.Tensor | None]) -> Sequence[tf.Tensor | None]:
    """What to hand to an optimizer that clips, so that it clips as on one device.

    Keras's optimizers clip what each replica has found, and add that up. What they get here is, on
    each replica, the same part of the sum, clipped: adding up restores it, and there is nothing
    left to clip. It costs a second exchange of the gradients between the replicas.

    Args:
      optimizer: of Keras 3.
      gradients: of this replica.

    Returns:
      The gradients; as they came if there is one replica, or if the optimizer does not clip.
    """
    clipnorm, global_clipnorm, clipvalue = (
        getattr(optimizer, name, 0.0) for name in ("clipnorm", "global_clipnorm", "clipvalue")
    )
    if number() == 1 or not (clipnorm or global_clipnorm or clipvalue):
        return gradients
    places = [i for i, gradient in enumerate(gradients) if gradient is not None]
    summed = tf.distribute.get_replica_context().all_reduce(
        tf.distribute.ReduceOp.SUM, [gradients[i] for i in places]
    )
    if clipnorm:
        summed = [tf.clip_by_norm(gradient, clipnorm) for gradient in summed]
    elif global_clipnorm:
        summed, _ = tf.clip_by_global_norm(summed, global_clipnorm)
    else:
        summed = [tf.clip_by_value(gradient, -clipvalue, clipvalue) for gradient in summed]
    parts = list(gradients)
    for i, gradient in zip(places, summed, strict=True):
        parts[i] = gradient / number()
    return parts


def logs(values: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """The logs of a step in the shape in which Keras can take their mean over the replicas.

    Between workers it takes the mean over the first axis, and fails at scalars (keras-team/keras
    issue 20585).

    Args:
      values: scalars.

    Returns:
      The same, or vectors of one number.
    """
    if _workers.number(tf.distribute.get_strategy()) > 1:
        return {name: tf.reshape(value, [1]) for name, value in values.items()}
    return dict(values)
