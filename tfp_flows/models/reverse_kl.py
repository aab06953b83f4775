"""Variational inference: a Keras 3 model that fits a distribution to an unnormalized density."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows.models import _distribution, _non_finite, _random

_DRAWS = 256
_EVALUATION_STEPS = 10


@keras.saving.register_keras_serializable(package="tfp_flows")
class ReverseKLModel(_distribution.DistributionModel):
    """Fits the variables of a distribution q to an unnormalized density p~ = Z p, without data.

    ```none
    loss = E_{z ~ q}[log q(z) - beta log p~(z)] - w E_{x ~ data}[log q(x)]      in nats
    ```

    For beta = 1 and w = 0 this is KL(q || p) - log Z. A step takes a batch of draws of q, whose
    values and log-densities are computed together, so sampling should be the cheap direction.
    Where q has one mode and p several, KL(q || p) is content with one of them: start with a small
    beta (`BetaAnnealing`), or add examples.

    * By energy: `fit(steps_per_epoch=100, batch_size=512, epochs=20)` takes no data.
    * By energy and by example (Noe et al., 2019): with `example_weight` w > 0, `fit(x)` takes
      examples x in every form that `DensityModel` takes, without weights. A batch of n examples
      goes with n draws.

    The logs show `loss`; `reverse_kl`, the mean of log q - log p~ over draws, always with beta = 1;
    and `effective_sample_size`, that of the importance weights p~/q within a batch as a fraction of
    its draws (Kish: 1 where q = p up to a constant; too high where draws miss a mode of p). Models
    with examples show `nats` and `bits_per_dim` of the examples, too. Draws are fresh in every
    step, so these are held-out numbers; `evaluate` draws the same ones every time.

    With `path_gradient`, the part of the gradient whose expectation is zero, the score of q at the
    draws, is left out ("sticking the landing"): the variance of the rest goes to zero as q
    approaches p. A step then evaluates the density of its draws once more, in the direction from
    events to the base distribution.

    Args:
      distribution: a reparameterized `tfd.Distribution` of batch shape `[]` with variables. A
        conditional one is fitted by `FlowVAE`.
      target_log_prob_fn: a callable, events `[n, ...event]` of the distribution's dtype ->
        log p~ `[n]` in nats, differentiable. Its own variables are not trained. For `save` it must
        be registered by `keras.saving.register_keras_serializable`.
      example_weight: w above, at least 0.
      path_gradient: whether to leave the score of q out of the gradient.
      seed: int, for the draws; by default drawn from Keras's global seed.
      name: the name of the model.

    Raises:
      TypeError: an argument is of the wrong kind.
      ValueError: the distribution has a batch shape, no variable, or draws without a gradient; the
        target returns another shape; or the weight is negative.

    #### Examples

    ```python
    import keras
    import tfp_flows as tff

    energy = tff.datasets.energy("u2")
    flow = tff.flows.planar(event_size=2, num_layers=8, seed=0)
    model = tff.models.ReverseKLModel(flow, lambda z: -energy(z), seed=0)
    model.compile(keras.optimizers.Adam(1e-2))
    annealing = tff.models.BetaAnnealing(num_steps=10)
    model.fit(epochs=2, steps_per_epoch=10, batch_size=64, callbacks=[annealing], verbose=0)
    model.evaluate(batch_size=64, verbose=0, return_dict=True)["reverse_kl"]
    ```

    #### References

    D. J. Rezende and S. Mohamed. Variational Inference with Normalizing Flows, 2015,
    arXiv:1505.05770, equations 15 and 20.

    G. Roeder, Y. Wu and D. Duvenaud. Sticking the Landing, 2017, arXiv:1703.09194, equation 8.

    F. Noe, S. Olsson, J. Koehler and H. Wu. Boltzmann Generators, 2019, arXiv:1812.01729.
    """

    def __init__(
        self,
        distribution: tfd.Distribution,
        target_log_prob_fn: Callable[[tf.Tensor], Any],
        *,
        example_weight: float = 0.0,
        path_gradient: bool = False,
        seed: int | None = None,
        name: str | None = None,
    ) -> None:
        _check_reparameterized(distribution)
        if not callable(target_log_prob_fn):
            raise TypeError(
                "Argument `target_log_prob_fn`: expected a callable, received "
                f"{type(target_log_prob_fn).__name__}."
            )
        if not (0.0 <= example_weight < math.inf):
            raise ValueError(
                "Argument `example_weight`: expected a finite number, at least 0, received "
                f"{example_weight}."
            )
        super().__init__(distribution, name=name)
        # Keras would train the weights of a layer that it finds in an attribute.
        self._target_log_prob_fn = lambda z: target_log_prob_fn(z)
        self._given_target = lambda: target_log_prob_fn
        self._example_weight = float(example_weight)
        self._path_gradient = bool(path_gradient)
        self._seed = seed
        self.reverse_kl = keras.metrics.Mean(name="reverse_kl")
        self.effective_sample_size = keras.metrics.Mean(name="effective_sample_size")
        if example_weight:
            self.nats = keras.metrics.Mean(name="nats")
            self.bits_per_dim = keras.metrics.Mean(name="bits_per_dim")
        self.beta = self.add_weight(
            name="beta", shape=(), initializer="ones", dtype="float32", trainable=False
        )
        self._training_seeds, self._evaluation_seeds, _ = _random.streams(seed)
        self._check_target()
        self.build_if_known()

    def stored_parts(self) -> dict[str, Any]:
        """The arguments that `flows.get_config` describes, by name."""
        return super().stored_parts() | {"target_log_prob_fn": self._given_target()}

    def stored_settings(self) -> dict[str, Any]:
        """The arguments that Keras describes, by name."""
        settings = {"example_weight": self._example_weight, "path_gradient": self._path_gradient}
        return settings | {"seed": self._seed}

    def fit(
        self, x: Any = None, *args: Any, batch_size: int | None = None, **kwargs: Any
    ) -> keras.callbacks.History:
        """Trains the model, as `keras.Model.fit` does.

        Args:
          x: examples, for a model with `example_weight`; otherwise `None`.
          *args: as for `DensityModel.fit`.
          batch_size: draws in a step, 256 by default; with examples, rows in a batch of arrays.
          **kwargs: as for `DensityModel.fit`. Without examples, `steps_per_epoch` is needed.

        Returns:
          Keras's history.

        Raises:
          TypeError: a dtype does not fit.
          ValueError: there are examples and no weight for them, or the other way round; or what
            `DensityModel.fit` refuses.
        """
        if self._example_weight:
            if x is None:
                raise ValueError(
                    "Argument `x`: expected examples, since `example_weight` is "
                    f"{self._example_weight}, received None."
                )
            kwargs["batch_size"] = batch_size
            return super().fit(x, *args, **kwargs)
        if x is not None or args or kwargs.get("validation_data") is not None:
            raise ValueError(
                "Argument `x`: expected None, since `example_weight` is 0 and the model draws its "
                "own data, received examples."
            )
        if kwargs.get("steps_per_epoch") is None:
            raise ValueError(
                "Argument `steps_per_epoch`: expected a number, since there are no data to count, "
                "received None."
            )
        return super().fit(self._placeholders(batch_size), shuffle=False, **kwargs)

    def evaluate(
        self,
        x: Any = None,
        *args: Any,
        batch_size: int | None = None,
        steps: int | None = None,
        **kwargs: Any,
    ) -> list[float] | dict[str, float]:
        """Computes the loss and the metrics with beta = 1, as `keras.Model.evaluate` does.

        Args:
          x: examples, for a model with `example_weight`; otherwise `None`.
          *args: as for `DensityModel.evaluate`.
          batch_size: draws in a step, 256 by default; with examples, rows in a batch of arrays.
          steps: the number of batches; without examples, 10 by default.
          **kwargs: as for `DensityModel.evaluate`.

        Returns:
          The loss and the metrics: a list in the order of `metrics_names`, or a mapping.

        Raises:
          ValueError: what `fit` refuses.
        """
        if self._example_weight or kwargs.get("_use_cached_eval_dataset", False):
            kwargs |= {"batch_size": batch_size, "steps": steps}
            return super().evaluate(x, *args, **kwargs)
        if x is not None or args:
            raise ValueError(
                "Argument `x`: expected None, since `example_weight` is 0 and the model draws its "
                "own data, received examples."
            )
        steps = _EVALUATION_STEPS if steps is None else steps
        return super().evaluate(self._placeholders(batch_size), steps=steps, **kwargs)

    def losses_and_metrics(
        self, batch: dict[str, tf.Tensor], training: bool
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """log q - beta log p~ of as many draws as the batch has rows, see the base class.

        Args:
          batch: the columns of a batch of n rows.
          training: whether this is a training step.

        Returns:
          The losses `[n]`; the metrics, each `[n]`; and beta, in training.
        """
        if "sample_weight" in batch:
            raise ValueError(
                "Argument `sample_weight`: expected None, since draws have no weights, received "
                "weights."
            )
        num_draws = tf.shape(batch["x"])[0]
        seeds = self._training_seeds if training else self._evaluation_seeds
        z, log_q = self.distribution.experimental_sample_and_log_prob(
            num_draws, seed=_random.next_seed(seeds)
        )
        log_target = tf.convert_to_tensor(self._target_log_prob_fn(z), log_q.dtype)
        values = {
            "reverse_kl": log_q - log_target,
            "effective_sample_size": tf.fill(
                [num_draws], _effective_sample_size(log_target - log_q)
            ),
        }
        if self._path_gradient:
            # Zero, and minus the score when differentiated.
            score = self.distribution.log_prob(tf.identity(tf.stop_gradient(z)))
            log_q -= score - tf.stop_gradient(score)
        beta = tf.cast(self.beta, log_q.dtype) if training else tf.ones([], log_q.dtype)
        losses = log_q - beta * log_target
        if self._example_weight:
            values |= self.nats_and_bits(batch, training)
            losses += self._example_weight * values["nats"]
        return losses, values, {"beta": beta} if training else {}

    def after_update(self, batch: Mapping[str, tf.Tensor]) -> None:
        """Moves running statistics, if there are examples to take them from.

        Args:
          batch: the columns of the batch.
        """
        if self._example_weight:
            super().after_update(batch)

    def follow(self, batch: Mapping[str, tf.Tensor]) -> None:
        """Follows draws from the base to the target, and examples to the base.

        Args:
          batch: the columns of the batch.
        """
        seed = _random.next_seed(self._training_seeds)
        num_draws = tf.shape(batch["x"])[0]
        z = _non_finite.check_sample("distribution", self.distribution, num_draws, seed)
        _non_finite.check("the log-density of the target", self._target_log_prob_fn(z))
        if self._example_weight:
            super().follow(batch)

    def _placeholders(self, batch_size: int | None) -> tf.data.Dataset:
        """Batches that say how many draws to take; their values are never looked at."""
        batch_size = _DRAWS if batch_size is None else batch_size
        if batch_size < 1:
            raise ValueError(f"Argument `batch_size`: expected at least 1, received {batch_size}.")
        shape = [batch_size, *self.distribution.event_shape]
        zeros = np.zeros(shape, self.distribution.dtype.as_numpy_dtype)
        return tf.data.Dataset.from_tensors(zeros).repeat()

    def _begin_evaluation(self) -> None:
        _random.restart(self._evaluation_seeds)

    def _check_target(self) -> None:
        z = self.distribution.sample(2, seed=[0, 0])
        log_target = tf.convert_to_tensor(self._target_log_prob_fn(z))
        if not log_target.dtype.is_floating or log_target.shape != [2]:
            raise ValueError(
                "Argument `target_log_prob_fn`: expected a function that returns one floating-"
                f"point log-density for each event, [2] for events {z.shape}, received "
                f"{log_target.dtype.name} {log_target.shape}."
            )


def _check_reparameterized(distribution: Any) -> None:
    if not isinstance(distribution, tfd.Distribution):
        raise TypeError(
            "Argument `distribution`: expected a tfd.Distribution, received "
            f"{type(distribution).__name__}."
        )
    if distribution.reparameterization_type != tfd.FULLY_REPARAMETERIZED:
        raise ValueError(
            "Argument `distribution`: expected a reparameterized distribution, whose draws have a "
            f"gradient, received {distribution}."
        )


def _effective_sample_size(log_weights: tf.Tensor) -> tf.Tensor:
    """Kish's (sum w)^2 / (n sum w^2) of log w, `[n]`; no gradient is taken of it."""
    weights = tf.nn.softmax(tf.stop_gradient(log_weights))
    return 1.0 / (tf.reduce_sum(weights**2) * tf.cast(tf.size(weights), weights.dtype))
