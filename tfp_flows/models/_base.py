"""What the models share: `fit` on data without targets, and the training step."""

import contextlib
import functools
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfp_flows.models import (
    _checks,
    _guard,
    _pipeline,
    _replicas,
    _resumption,
    _schema,
    _stopping,
    _storage,
)


class LikelihoodModel(_storage.StoredModel):
    """A Keras model that brings its own loss: one number for every row of the data.

    A subclass sets `schema`, and writes `build`, `call` and `losses_and_metrics`. Its metrics are
    `keras.metrics.Mean`s in its attributes, named as the values that `losses_and_metrics` returns.

    Args:
      name: the name of the model.
    """

    schema: _schema.Schema

    def __init__(self, name: str | None = None) -> None:
        # Keras would cast inputs to its own dtype; the distribution has one, and they are cast to
        # that here.
        super().__init__(name=name, autocast=False)
        self._epochs = keras.random.SeedGenerator()
        self._guard: Any = None  # made for the variables that are there when training begins

    def losses_and_metrics(
        self, batch: dict[str, tf.Tensor], training: bool
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """The loss of every row.

        Args:
          batch: the columns of a batch of n rows.
          training: whether this is a training step.

        Returns:
          The losses, `[n]`; values of the metrics by name, each `[n]`; and scalars that are shown
          among the logs of the step.
        """
        raise NotImplementedError

    def compile(self, optimizer: Any = "adam", **kwargs: Any) -> None:
        """Configures training, as `keras.Model.compile` does, without a loss.

        Args:
          optimizer: a Keras 3 optimizer or its name.
          **kwargs: `run_eagerly`, `steps_per_execution`, `jit_compile`, `auto_scale_loss` of
            Keras. By default Keras compiles with XLA where there is a GPU.

        Raises:
          ValueError: a loss or metrics are given, and the model has its own; or XLA is asked for
            on several replicas.
        """
        replicas = self.distribute_strategy.num_replicas_in_sync
        if replicas > 1 and kwargs.get("jit_compile") is True:
            raise ValueError(
                'Argument `jit_compile`: expected False or "auto", since Keras would compile the '
                f"{replicas} replicas as one program, which XLA cannot, received True."
            )
        for argument in ("loss", "loss_weights", "metrics", "weighted_metrics"):
            if kwargs.get(argument) is not None:
                raise ValueError(
                    f"Argument `{argument}`: expected None, since {type(self).__name__} brings its "
                    f"own loss and metrics, received {kwargs[argument]!r}."
                )
        super().compile(optimizer=optimizer, **kwargs)
        self._guard = None

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        sample_weight: Any = None,
        steps_per_epoch: int | None = None,
        validation_batch_size: int | None = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Trains the model, as `keras.Model.fit` does. The class says which data it takes.

        Arrays are checked once, before training; all other data batch by batch in the input
        pipeline.

        A model that was made and compiled under a `tf.distribute` strategy's scope, the
        distribution included, trains on all its replicas: `MirroredStrategy` on the devices of one
        machine, `MultiWorkerMirroredStrategy` on several. A batch is one of all replicas together,
        and training is what it would be on one device: losses, draws and clipped gradients agree
        to rounding. Exceptions are what a layer does with its part of a batch alone, Keras's
        dropout and batch normalization, and the draws of a last batch that cannot be divided
        evenly. XLA cannot compile the step then.

        With Keras's `BackupAndRestore` among the callbacks, training that was broken off at any
        moment, and started again by the same program, ends at the weights of one that never was:
        batches and random numbers go on where the last whole epoch left them. That holds for
        arrays, and for datasets that are the same in every process: one that shuffles needs a
        `seed`, and a known cardinality or `steps_per_epoch`. Generators and `PyDataset`s begin
        anew; so do data whose batches an epoch are no multiple of `steps_per_execution`. Several
        workers need a folder that all of them share; only one writes.

        A loss or a gradient that is not finite stops training with an error that names the batch
        and the first layer where a value is not finite. No update follows such a batch. The model
        is left with the weights from before it; or, if those are at fault, with the last copy of
        good ones, which is at most 64 batches older.

        Args:
          x: arrays, a `tf.data.Dataset` of batches, a `keras.utils.PyDataset`, or a generator.
          y: the contexts, for arrays of a conditional model.
          batch_size: rows in a batch of arrays, 32 by default.
          epochs: the number of passes over the data.
          verbose: 0, 1, 2 or "auto", as in Keras.
          callbacks: Keras callbacks.
          validation_split: the part of the arrays, taken from their end, that is kept for
            validation.
          validation_data: data for validation after each epoch, in any form that `x` may have.
          shuffle: whether to shuffle the rows of arrays anew in every epoch.
          sample_weight: weights `[n]`, for arrays.
          steps_per_epoch: the number of batches in an epoch.
          validation_batch_size: rows in a batch of validation arrays, `batch_size` by default.
          **kwargs: `initial_epoch`, `validation_steps`, `validation_freq` of Keras.

        Returns:
          Keras's history.

        Raises:
          FloatingPointError: the loss or its gradient is not finite.
          TypeError: a dtype does not fit.
          ValueError: the structure, a shape or a value does not fit, or there are no data; or a
            variable was made outside of the strategy's scope, or workers have backups of different
            epochs.
        """
        if kwargs.pop("class_weight", None) is not None:
            raise ValueError("Argument `class_weight`: expected None, since there are no classes.")
        data = _pipeline.joined(x, y, sample_weight)
        self._build_for(data)
        self._build_optimizer()
        _replicas.check_scope(self.distribute_strategy, self._all_variables())
        self._initial_epoch = None  # Keras would keep it from a training that was resumed before
        initial_epoch = kwargs.pop("initial_epoch", 0)
        resumption = _resumption.resume(self, self._epochs, callbacks, initial_epoch)
        callbacks, initial_epoch = _resumption.agree(
            self.distribute_strategy, callbacks, initial_epoch, resumption
        )
        source, validation_source, steps_per_epoch = _pipeline.training_sources(
            self.schema,
            data,
            validation_data,
            batch_size=batch_size,
            validation_batch_size=validation_batch_size,
            validation_split=validation_split,
            shuffle=shuffle,
            steps_per_epoch=steps_per_epoch,
            steps_per_execution=self.steps_per_execution or 1,
            resumption=resumption,
        )
        return _checks.call_with_value_errors(
            super().fit,
            source,
            epochs=epochs,
            verbose=verbose,
            callbacks=_checks.with_guard(
                callbacks,
                _guard.StopAtNonFinite(self._guard, functools.partial(self._stop, source)),
                _resumption.CountEpochs(self._epochs),
            ),
            validation_data=validation_source,
            # Arrays are shuffled already; of the rest, Keras can shuffle only this.
            shuffle=shuffle and isinstance(source, keras.utils.PyDataset),
            initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
            **kwargs,
        )

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> list[float] | dict[str, float]:
        """Computes the loss and the metrics, as `keras.Model.evaluate` does.

        Args:
          x: data, in any form that `fit` takes.
          y: the contexts, for arrays of a conditional model.
          batch_size: rows in a batch of arrays, 32 by default.
          verbose: 0, 1, 2 or "auto", as in Keras.
          sample_weight: weights `[n]`, for arrays.
          steps: the number of batches.
          callbacks: Keras callbacks.
          return_dict: whether to return a mapping from names.
          **kwargs: for Keras itself.

        Returns:
          The loss and the metrics: a list in the order of `metrics_names`, or a mapping.

        Raises:
          TypeError: a dtype does not fit.
          ValueError: the structure, a shape or a value does not fit, or there are no data.
        """
        self._begin_evaluation()
        # During `fit`, Keras comes with an iterator it has made of data that are checked already.
        if not kwargs.get("_use_cached_eval_dataset", False):
            x, y, sample_weight = _pipeline.joined(x, y, sample_weight), None, None
            self._build_for(x)
            x = _pipeline.source(self.schema, x, batch_size)
            callbacks = _checks.with_guard(callbacks)
        return _checks.call_with_value_errors(
            super().evaluate,
            x,
            verbose=verbose,
            steps=steps,
            callbacks=callbacks,
            return_dict=return_dict,
            **kwargs,
        )

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> np.ndarray:
        """Applies the model to every row, as `keras.Model.predict` does.

        Args:
          x: data, in any form that `fit` takes; arrays of a conditional model as a tuple
            `(x, context)`.
          batch_size: rows in a batch of arrays, 32 by default.
          verbose: 0, 1, 2 or "auto", as in Keras.
          steps: the number of batches.
          callbacks: Keras callbacks.

        Returns:
          The outputs of `call`, n rows.

        Raises:
          TypeError: a dtype does not fit.
          ValueError: the structure, a shape or a value does not fit, or there are no data.
        """
        self._begin_evaluation()
        self._build_for(x)
        return _checks.call_with_value_errors(
            super().predict,
            _pipeline.source(self.schema, x, batch_size),
            verbose=verbose,
            steps=steps,
            callbacks=_checks.with_guard(callbacks),
        )

    def train_on_batch(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Makes one step of training, as `keras.Model.train_on_batch` does.

        Args:
          x: a batch, in any form that `fit` takes for one.
          *args: for Keras itself, like all that follows.
          **kwargs: see there.

        Returns:
          The loss and the metrics.

        Raises:
          FloatingPointError: the loss or its gradient is not finite; the model is as it was.
        """
        self._build_optimizer()
        self._guard.begin_epoch()
        logs = super().train_on_batch(x, *args, **kwargs)
        if self._guard.bad_batch is not None:
            _stopping.stop(
                self, self._guard, [x], "this batch", None, "the weights from before that batch"
            )
        return logs

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One step of training, called by Keras.

        Args:
          data: a batch.

        Returns:
          The logs by name.
        """
        batch = self.schema.to_tensors(data)
        with _after(batch):
            seeds = self._guard.before_step()
            with tf.GradientTape() as tape:
                losses, values, extra = self.losses_and_metrics(batch, training=True)
                loss = self.mean_loss(losses, batch)
                # The gradients of all replicas are added up.
                share = _replicas.share(batch["x"], loss.dtype)
                scaled = self.optimizer.scale_loss(loss * share)
            variables = self.trainable_variables
            if not variables:
                raise ValueError(
                    f"{type(self).__name__} has no trainable variable: all are frozen."
                )

            def apply(gradients):
                self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
                self.after_update(batch)

            gradients = tape.gradient(scaled, variables)
            gradients = _replicas.clipped(self.optimizer, gradients)
            is_scaled = hasattr(self.optimizer, "inner_optimizer")
            self._guard.update(loss, gradients, seeds, apply, check_gradients=not is_scaled)
            return _replicas.logs(self._update_metrics(loss, values, batch) | extra)

    def follow(self, batch: Mapping[str, tf.Tensor]) -> None:
        """Follows a batch through the model, as in training, until something is not finite.

        Args:
          batch: the columns of the batch.

        Raises:
          _non_finite.FoundError: names the place.
        """
        raise NotImplementedError

    def after_update(self, batch: Mapping[str, tf.Tensor]) -> None:
        """What else a training step does, once the variables have their new values.

        Args:
          batch: the columns of the batch.
        """

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One step of evaluation, called by Keras.

        Args:
          data: a batch.

        Returns:
          The metrics by name.
        """
        batch = self.schema.to_tensors(data)
        with _after(batch):
            losses, values, _ = self.losses_and_metrics(batch, training=False)
            loss = self.mean_loss(losses, batch)
            return _replicas.logs(self._update_metrics(loss, values, batch))

    def mean_loss(self, losses: tf.Tensor, batch: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """The mean over the rows as Keras takes it: weighted sum over number of rows.

        Args:
          losses: of the rows, `[n]`.
          batch: the columns of the batch.

        Returns:
          The mean, with the penalties of the model's networks.
        """
        if "sample_weight" in batch:
            losses = losses * tf.cast(batch["sample_weight"], losses.dtype)
        penalties = [tf.cast(penalty, losses.dtype) for penalty in self.losses]
        mean = _replicas.mean(losses)
        return mean + tf.add_n(penalties) if penalties else mean

    def _update_metrics(
        self, loss: tf.Tensor, values: Mapping[str, tf.Tensor], batch: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss, sample_weight=tf.shape(batch["x"])[0])
            elif metric.name in values:
                metric.update_state(values[metric.name], sample_weight=batch.get("sample_weight"))
        return {metric.name: metric.result() for metric in self.metrics}

    def _build_optimizer(self) -> None:
        """Creates the variables of training now: XLA cannot, once the step has begun."""
        if not self.compiled:
            return
        with self.distribute_strategy.scope():
            if not self.optimizer.built:
                self.optimizer.build(self.trainable_variables)
            if self._guard is None:
                self._guard = _guard.NonFiniteGuard(self)

    def _stop(self, data: Any, epoch: int, batch: int, go_back: Any) -> None:
        """Called by a callback when a batch of `fit` was bad."""
        where = f"batch {batch} of epoch {epoch} (both counted from 0)"
        otherwise = "its first weights, with which no batch went well"
        _stopping.stop(self, self._guard, _pipeline.read_again(data), where, go_back, otherwise)

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Called by Keras under a strategy, where it would build the model on a first batch.

        The model is built, and Keras fails at batches that are shared out between workers.
        """

    def _get_metrics_result_or_logs(self, logs: Any) -> Any:
        """Called by Keras at the end of a pass: the metrics of all replicas, and other logs.

        Keras itself returns the logs of the last step wherever they hold more than metrics.
        """
        return {**logs, **self.get_metrics_result()}

    def _begin_evaluation(self) -> None:
        """Called before each `evaluate` and `predict`, for models with random numbers."""

    def _build_for(self, data: Any) -> None:
        """Builds a model that could not be built before it saw the shapes of the data."""
        if not self.built:
            self.build(_pipeline.shapes(self.schema, data))


def _after(batch: Mapping[str, tf.Tensor]) -> contextlib.AbstractContextManager:
    """Lets a step begin when its batch is there.

    A data set of unknown size ends in the middle of a step, where it has no batch to give. By then
    TensorFlow may have run what does not depend on the batch: the optimizer's count of its steps
    (Keras 3.5 to 3.15 count one too many every epoch), and the seeds.
    """
    return tf.control_dependencies(list(batch.values()))
