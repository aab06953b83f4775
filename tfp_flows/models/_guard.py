"""Training stops at the first batch whose loss or gradient is not finite, and goes back."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfp_flows.models import _random, _replicas

# In batches. Training goes back by at most two of these.
_COPY_EVERY = 32

# In seconds. To look is to wait for the device.
_LOOK_EVERY = 1.0


def is_finite(loss: tf.Tensor, gradients: Sequence[Any]) -> tf.Tensor:
    """Whether a loss and its gradients are finite.

    Args:
      loss: a scalar.
      gradients: any number of tensors, or `None`s.

    Returns:
      A boolean scalar.
    """
    # One pass over a gradient, and one number of it.
    values = [g.values if isinstance(g, tf.IndexedSlices) else g for g in gradients]
    squares = [tf.cast(tf.nn.l2_loss(v), loss.dtype) for v in values if v is not None]
    return tf.math.is_finite(tf.add_n([loss, *squares]))


class NonFiniteGuard:
    """Lets the updates of a model happen as long as loss and gradients are finite.

    All of it stays on the device, so that the host need not wait for each batch: from the first bad
    batch on there are no updates, and the host finds out which it was when it looks.

    Args:
      model: the model, with its variables. Under its strategy's scope.

    Attributes:
      skips_updates: whether updates are left out altogether. Under a `tf.distribute` strategy,
        gradients are replaced by zeros.
    """

    def __init__(self, model: keras.Model) -> None:
        self._states = _random.states(model)
        # Replicas cannot meet inside a `tf.cond`, where the optimizer adds up their gradients.
        self.skips_updates = not tf.distribute.has_strategy()

        def variable(value: Any, dtype: tf.DType) -> tf.Variable:
            return tf.Variable(
                value,
                dtype=dtype,
                trainable=False,
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            )

        self._num_batches = variable(0, tf.int64)
        self._bad_batch = variable(-1, tf.int64)
        self._seeds = [variable(tf.zeros_like(state), state.dtype) for state in self._states]

    @property
    def bad_batch(self) -> int | None:
        """The number of the first bad batch of the epoch, or `None`."""
        number = int(self._bad_batch.numpy())
        return None if number < 0 else number

    @property
    def num_batches(self) -> int:
        """Batches of the epoch so far."""
        return int(self._num_batches.numpy())

    def begin_epoch(self) -> None:
        """Starts to count batches."""
        self._num_batches.assign(0)
        self._bad_batch.assign(-1)

    def before_step(self) -> list[tf.Tensor]:
        """The random seeds with which a step begins, for `update`."""
        return [tf.identity(tf.convert_to_tensor(state)) for state in self._states]

    def update(
        self,
        loss: tf.Tensor,
        gradients: Sequence[Any],
        seeds: Sequence[tf.Tensor],
        apply: Callable[[Sequence[Any]], None],
        check_gradients: bool = True,
    ) -> None:
        """Runs `apply(gradients)`, unless this batch is bad or one before it was.

        Args:
          loss: the loss, a scalar.
          gradients: its gradients, `None` for none.
          seeds: from `before_step`.
          apply: updates all variables.
          check_gradients: whether gradients that are not finite make a batch bad. Where the loss is
            scaled (mixed precision), they are part of the plan.
        """
        is_good = is_finite(loss, gradients if check_gradients else ())
        replicas = _replicas.number()
        if replicas > 1:
            votes = tf.distribute.get_replica_context().all_reduce(
                "SUM", tf.cast(is_good, tf.int32)
            )
            is_good = votes == replicas
        none_before = self._bad_batch < 0
        is_first_bad, goes_on = none_before & ~is_good, none_before & is_good
        if self.skips_updates:
            tf.cond(goes_on, lambda: _run(apply, gradients), lambda: tf.constant(0))
        else:
            # Adam still moves the variables by its momentum; they go back to a copy in the end.
            apply([g if g is None else _zero_unless(goes_on, g) for g in gradients])
        for kept, seed in zip(self._seeds, seeds, strict=True):
            kept.assign(tf.where(is_first_bad, seed, kept))
        self._bad_batch.assign(tf.where(is_first_bad, self._num_batches, self._bad_batch))
        self._num_batches.assign_add(1)

    def restore_seeds(self) -> None:
        """Sets the random seeds to those with which the bad batch began."""
        for state, seed in zip(self._states, self._seeds, strict=True):
            state.assign(tf.identity(seed))


class StopAtNonFinite(keras.callbacks.Callback):
    """Looks for a bad batch now and then, and keeps copies of good weights.

    A copy is good as soon as a batch after it was: its loss has been evaluated with these weights.

    Args:
      guard: of the model.
      on_bad_batch: is called with the epoch, the number of the bad batch, and a function that goes
        back to the last good copy, `None` if there is none. It raises an error.
    """

    def __init__(
        self,
        guard: NonFiniteGuard,
        on_bad_batch: Callable[[int, int, Callable[[], None] | None], None],
    ) -> None:
        super().__init__()
        self._guard = guard
        self._on_bad_batch = on_bad_batch
        self._good: list[tf.Tensor] | None = None
        self._latest: list[tf.Tensor] | None = None
        self._copied_at = 0
        self._looked_at = -math.inf

    def on_epoch_begin(self, epoch: int, logs: Mapping | None = None) -> None:
        """Starts to count, and keeps the weights."""
        self._epoch = epoch
        self._keep()
        self._guard.begin_epoch()
        self._copied_at = 0

    def on_train_batch_end(self, batch: int, logs: Mapping | None = None) -> None:
        """Looks for a bad batch."""
        if batch + 1 >= self._copied_at + _COPY_EVERY:
            self._look()
            self._keep()
        elif time.monotonic() > self._looked_at + _LOOK_EVERY:
            self._look()

    def on_epoch_end(self, epoch: int, logs: Mapping | None = None) -> None:
        """Looks for a bad batch, before other callbacks save anything."""
        self._look()

    def _keep(self) -> None:
        if self._guard.num_batches > self._copied_at:
            self._good = self._latest
        self._latest = [tf.identity(tf.convert_to_tensor(v)) for v in self.model.weights]
        self._copied_at = self._guard.num_batches

    def _look(self) -> None:
        self._looked_at = time.monotonic()
        bad = self._guard.bad_batch
        if bad is not None:
            copy = self._latest if bad > self._copied_at else self._good
            go_back = None if copy is None else lambda: self._restore(copy)
            self._on_bad_batch(self._epoch, bad, go_back)

    def _restore(self, copy: Sequence[tf.Tensor]) -> None:
        for variable, value in zip(self.model.weights, copy, strict=True):
            variable.assign(value)


def _run(function: Callable[[Any], None], argument: Any) -> tf.Tensor:
    function(argument)
    return tf.constant(0)


def _zero_unless(condition: tf.Tensor, gradient: Any) -> Any:
    if isinstance(gradient, tf.IndexedSlices):
        values = _zero_unless(condition, gradient.values)
        return tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)
    return tf.where(condition, gradient, tf.zeros_like(gradient))
