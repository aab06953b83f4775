"""What the models of a single distribution share: its variables, and its log-densities."""

import math
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import flows
from tfp_flows.models import _base, _export, _non_finite, _schema, adoption


class DistributionModel(_base.LikelihoodModel):
    """A Keras model around one distribution, conditional or not, which it evaluates.

    A subclass creates its metrics and then calls `build_if_known`, at the end of its constructor:
    Keras locks a model that is built.

    Args:
      distribution: a `tfd.Distribution`, or a callable from contexts to one; see `DensityModel`.
      name: the name of the model.
    """

    def __init__(self, distribution: Any, name: str | None = None) -> None:
        super().__init__(name=name)
        self._conditional = not isinstance(distribution, tfp.distributions.Distribution)
        if self._conditional and not callable(distribution):
            raise TypeError(
                "Argument `distribution`: expected a tfd.Distribution or a callable from contexts "
                f"to one, received {type(distribution).__name__}."
            )
        self._distribution = distribution
        context_size = getattr(distribution, "context_size", None)
        self.schema = self._make_schema(None, (context_size,) if context_size else None)
        if not self._conditional:
            _check_distribution(distribution, num_contexts=None)

    def build_if_known(self) -> None:
        """Builds the model, unless it must see data first to know their shapes."""
        context_size = getattr(self._distribution, "context_size", None)
        if not self._conditional:
            if self._distribution.event_shape.is_fully_defined():
                self.build({"x": (None, *self._distribution.event_shape)})
        elif context_size:
            self.build({"context": (None, context_size)})

    @property
    def distribution(self) -> Any:
        """The distribution, as it was given."""
        return self._distribution

    def build(self, input_shape: Any) -> None:
        """Creates and adopts the variables of the distribution; Keras calls it where needed.

        Args:
          input_shape: the shapes of the columns with the batch dimension, by name; or the one of
            `x`; or a tuple of those of `x` and `context`.
        """
        if self.built:
            return
        shapes = _by_name(input_shape)
        self._input_shapes = tuple(shapes.items())
        context_shape = shapes["context"][1:] if self._conditional else None
        (event_shape, dtype), found = adoption.evaluate_and_find(
            self._distribution,
            lambda: self._evaluate_once(shapes.get("x", ()), context_shape),
        )
        if not found:
            raise ValueError(
                "Argument `distribution`: expected one with variables to train, received "
                f"{self._distribution!r}, which has none."
            )
        self._adopted = adoption.Adopted(found, name="distribution")
        self.schema = self._make_schema(tuple(event_shape), context_shape, dtype)
        self._event_size = math.prod(event_shape)

    def call(self, inputs: Any, training: bool | None = None) -> tf.Tensor:
        """Computes log-densities.

        Args:
          inputs: `x` of shape `[n, ...event]`, or `(x, context)`, or a mapping of columns.
          training: whether networks inside the distribution are to be run as in training.

        Returns:
          The log-densities `[n]` in nats, in the distribution's dtype.
        """
        del training  # Keras hands it on to all layers that run within this call.
        batch = self.schema.to_tensors(inputs)
        # A bijector would return what it has cached for the very same tensor, before an update.
        x = tf.identity(batch["x"])
        if self._conditional:
            return self._distribution(batch["context"]).log_prob(x)
        return self._distribution.log_prob(x)

    def stored_parts(self) -> dict[str, Any]:
        """The arguments that `flows.get_config` describes, by name."""
        return {"distribution": self._distribution}

    def export(self, filepath: Any, format: str = "tf_saved_model", **kwargs: Any) -> None:
        """Writes the distribution as a SavedModel, which runs without this package and without TFP.

        It has two functions, for any number n of rows, also as signatures with outputs of the names
        in brackets:

        ```none
        log_prob(x) -> [n]                        log_prob(x, context) -> [n]           (log_prob)
        sample(num_samples, seed) -> [s, ...]     sample(num_samples, seed, context) -> [s, n, ...]
                                                                                        (x)
        ```

        `seed` are two int32 numbers; equal seeds give equal samples. `serving_default`, which
        servers ask for, is `log_prob`. The variables have the values that they have now.

        Args:
          filepath: the folder to write; what a SavedModel there holds is replaced.
          format: `"tf_saved_model"`.
          **kwargs: `verbose` and `input_signature` of Keras; the latter is made here.

        Raises:
          ValueError: another format or signature is asked for, or the model has not been built.
        """
        if format != "tf_saved_model" or kwargs.pop("input_signature", None) is not None:
            raise ValueError(
                "Arguments `format`, `input_signature`: expected 'tf_saved_model' and None, "
                f"received {format!r} and perhaps a signature; there is one form of exports."
            )
        kwargs.pop("verbose", None)
        if kwargs:
            raise ValueError(f"Expected no further arguments, received {sorted(kwargs)}.")
        if not self.built:
            raise ValueError(
                f"{type(self).__name__} does not know the shapes of its data yet: expected a model "
                "that is built, received one that is not."
            )
        variables = [weight._value for weight in self._adopted.weights]
        _export.export(self._distribution, self.schema, variables, filepath)

    def nats_and_bits(self, batch: dict[str, tf.Tensor], training: bool) -> dict[str, tf.Tensor]:
        """The negative log-density of every row in nats, and per dimension in bits.

        Args:
          batch: the columns of a batch of n rows.
          training: whether this is a training step.

        Returns:
          The values of the metrics `nats` and `bits_per_dim`, each `[n]`.
        """
        nats = -self(batch, training=training)
        return {"nats": nats, "bits_per_dim": nats / (math.log(2.0) * self._event_size)}

    def after_update(self, batch: Mapping[str, tf.Tensor]) -> None:
        """Moves the running statistics of every `bijectors.BatchNorm`, if there is one.

        Args:
          batch: the columns of the batch.
        """
        flows.update_statistics(self._distribution, batch["x"], batch.get("context"))

    def follow(self, batch: Mapping[str, tf.Tensor]) -> None:
        """Follows a batch from the data to the base, see the base class.

        Args:
          batch: the columns of the batch.
        """
        distribution = self._distribution
        if self._conditional:
            distribution = distribution(batch["context"])
        _non_finite.check_log_prob("distribution", distribution, batch["x"])

    def _make_schema(
        self, event_shape: Any, context_shape: Any, dtype: tf.DType = tf.float32
    ) -> _schema.Schema:
        floating = dtype if dtype.is_floating else tf.float32
        context = _schema.Column("context", context_shape, floating, integers=True)
        return _schema.Schema(
            _schema.Column("x", event_shape, dtype, integers=not dtype.is_floating),
            context if self._conditional else None,
        )

    def _evaluate_once(self, x_shape: tuple, context_shape: Any) -> tuple[tf.TensorShape, tf.DType]:
        """Evaluates the log-density of one row; returns the shape and dtype of an event."""
        distribution = self._distribution
        if self._conditional:
            dtype = getattr(distribution, "dtype", None) or tf.float32
            distribution = distribution(tf.zeros([1, *context_shape], dtype))
            _check_distribution(distribution, num_contexts=1)
        event_shape = distribution.event_shape
        if not event_shape.is_fully_defined():
            event_shape = tf.TensorShape(x_shape[1:])
        try:
            log_prob = distribution.log_prob(tf.zeros([1, *event_shape], distribution.dtype))
        except tf.errors.InvalidArgumentError:
            # With `validate_args`, a distribution refuses zeros that are outside its support.
            num_samples = [] if self._conditional else [1]
            log_prob = distribution.log_prob(distribution.sample(num_samples, seed=[0, 0]))
        if log_prob.shape != [1]:
            raise ValueError(
                "Argument `distribution`: expected one log-density for an event of shape "
                f"{event_shape}, received log-densities of shape {log_prob.shape[1:]}."
            )
        return event_shape, distribution.dtype


def _check_distribution(distribution: Any, num_contexts: int | None) -> None:
    """Checks that a distribution is over one tensor, with one row of the batch per context."""
    if not isinstance(distribution, tfp.distributions.Distribution):
        raise TypeError(
            "Argument `distribution`: expected a callable that returns a tfd.Distribution, "
            f"received one that returns {type(distribution).__name__}."
        )
    if not isinstance(distribution.dtype, tf.DType):
        raise TypeError(
            "Argument `distribution`: expected a distribution over one tensor, received one over "
            f"a structure of dtype {distribution.dtype}."
        )
    expected = [] if num_contexts is None else [num_contexts]
    if not distribution.batch_shape.is_compatible_with(expected):
        raise ValueError(
            f"Argument `distribution`: expected batch shape {expected}"
            f"{'' if num_contexts is None else f' for {num_contexts} context'}, received "
            f"{distribution.batch_shape}. Does it need a `tfd.Independent` around it?"
        )


def _by_name(input_shape: Any) -> dict[str, tuple]:
    """The forms in which Keras and users hand in shapes, as shapes by name."""
    if not isinstance(input_shape, Mapping):
        is_pair = len(input_shape) > 0 and isinstance(input_shape[0], (tuple, list, tf.TensorShape))
        input_shape = (
            dict(zip(("x", "context"), input_shape, strict=False))
            if is_pair
            else {"x": input_shape}
        )
    return {name: tuple(shape) for name, shape in input_shape.items()}
