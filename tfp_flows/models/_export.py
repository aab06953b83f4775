"""Distributions as SavedModels: functions that run where this package is not."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfp_flows.models import _schema


def export(
    distribution: Any, schema: _schema.Schema, variables: Sequence[tf.Variable], filepath: Any
) -> None:
    """Writes a SavedModel with the functions `log_prob` and `sample`.

    Args:
      distribution: a distribution; or, where the schema has a context, a callable from contexts.
      schema: with the shapes and dtypes of events and contexts.
      variables: those of the distribution.
      filepath: the folder, which may exist.
    """
    log_prob, sample = _functions(distribution, schema)
    module = tf.Module()
    module.log_prob, module.sample = log_prob, sample
    # A SavedModel must own what its functions read.
    module.distribution_variables = list(variables)
    signatures = {"log_prob": _named("log_prob", log_prob), "sample": _named("x", sample)}
    signatures["serving_default"] = signatures["log_prob"]
    tf.saved_model.save(module, str(filepath), signatures=signatures)


def _functions(distribution, schema):
    """`log_prob(x[, context])` and `sample(num_samples, seed[, context])`."""
    x = tf.TensorSpec([None, *schema.x.shape], schema.x.dtype, name="x")
    draws = [
        tf.TensorSpec([], tf.int32, name="num_samples"),
        tf.TensorSpec([2], tf.int32, name="seed"),
    ]
    if schema.context is None:

        @tf.function(input_signature=[x], autograph=False)
        def log_prob(x):
            return distribution.log_prob(x)

        @tf.function(input_signature=draws, autograph=False)
        def sample(num_samples, seed):
            return distribution.sample(num_samples, seed=seed)

        return log_prob, sample

    context = tf.TensorSpec([None, *schema.context.shape], schema.context.dtype, name="context")

    @tf.function(input_signature=[x, context], autograph=False)
    def conditional_log_prob(x, context):
        return distribution(context).log_prob(x)

    @tf.function(input_signature=[*draws, context], autograph=False)
    def conditional_sample(num_samples, seed, context):
        return distribution(context).sample(num_samples, seed=seed)

    return conditional_log_prob, conditional_sample


def _named(output, function):
    """A signature whose output has a name: that of a bare tensor would be `output_0`."""
    return tf.function(
        lambda *inputs: {output: function(*inputs)}, function.input_signature, autograph=False
    )
