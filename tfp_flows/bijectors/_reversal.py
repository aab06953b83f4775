"""A chain of steps of which only the ends are kept: gradients by way back through it.

The gradient is a `tf.custom_gradient` over the whole chain. It starts from the chain's value, and
for one step after the other it recovers the step's argument by the inverse, runs the step again
under a tape of its own, and carries the gradients through it (Gomez et al., 2017,
arXiv:1707.04585, algorithm 1). So the values inside of one step are all that is ever kept.
"""

from collections.abc import Sequence

import tensorflow as tf

from tfp_flows.bijectors._order import after, ends, materialize
from tfp_flows.bijectors._replay import step_gradients
from tfp_flows.bijectors._steps import Step
from tfp_flows.numerics import sum_to_shape_of


def run(
    steps: Sequence[Step], x: tf.Tensor, is_ordered: bool = False
) -> tuple[tf.Tensor, tf.Tensor]:
    """Runs the steps one after the other.

    Args:
      steps: the steps.
      x: the first one's argument.
      is_ordered: whether each step waits until the log-dets of those before it are added up. XLA
        would keep them all and add them in the end.

    Returns:
      The last value, and the sum of the log-dets, which has every dimension left of the event.
    """
    total = tf.zeros([], x.dtype)
    for step in steps:
        x, log_det = step(x)
        total = total + log_det
        if is_ordered:
            total = materialize(total)
            x = after(total[(..., *[tf.newaxis] * step.output_event_ndims)], x)
    return x, total + tf.zeros_like(x[(..., *[0] * steps[-1].output_event_ndims)])


def run_reversibly(steps: Sequence[Step], x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """`run(steps, x)`, whose gradient keeps nothing but the first and the last value.

    Second derivatives are exact, too; they keep what those of `run` keep.
    """
    # Of what the function below only closes over, variables alone would get gradients.
    sources = list({id(tensor): tensor for step in steps for tensor in step.sources}.values())

    @tf.custom_gradient
    def value(x, *_):
        y, log_det = _run_unrecorded(steps, x)

        def gradient(dy, dlog_det, variables=()):
            dinputs = _gradients(steps, [*sources, *variables], x, y, dy, dlog_det)
            return _split_variables(dinputs, variables)

        return (y, log_det), gradient

    return value(tf.identity(x), *map(tf.identity, sources))


def _gradients(steps, sources, x, y, dy, dlog_det):
    """Gradients with respect to `x`, and to the tensors and variables that the steps depend on."""
    tensors = [source for source in sources if not isinstance(source, tf.Variable)]
    is_connected = []

    @tf.custom_gradient
    def first(x, dy, dlog_det, *_):
        gradients = _walk_back(steps, sources, x, y, dy, dlog_det)
        is_connected.extend(g is not None for g in gradients)

        def second(*ddinputs, variables=()):
            """By plain autodiff of the gradients' definition."""
            inputs = [x, dy, dlog_det, *tensors]
            with tf.GradientTape() as outer:
                outer.watch(inputs)
                with tf.GradientTape() as inner:
                    inner.watch([x, *tensors])
                    results = run(steps, x)
                gradients = inner.gradient(results, [x, *sources], output_gradients=[dy, dlog_det])
                outputs = [g for g, is_one in zip(gradients, is_connected, strict=True) if is_one]
            ddinputs = outer.gradient(outputs, [*inputs, *variables], output_gradients=ddinputs)
            return _split_variables(ddinputs, variables)

        return [g for g in gradients if g is not None], second

    outputs = iter(first(x, dy, dlog_det, *map(tf.identity, tensors)))
    return [next(outputs) if is_one else None for is_one in is_connected]


def _walk_back(steps, sources, x, y, dy, dlog_det):
    """From the last step to the first: the argument by the inverse, and gradients through it."""
    totals = {source.ref(): None for source in sources}
    for step in reversed(steps):
        y, dy, contributions = step_gradients(step, y, dy, dlog_det)
        arrived, done = ends(dy), [dy]
        for source, gradient in contributions:
            if gradient is not None:
                # Weights may be written over when nothing is left to read them. XLA copies them
                # all beforehand, unless what is written comes after whatever reads them.
                gradient = after(arrived, tf.convert_to_tensor(gradient))
                total = totals.get(source.ref())
                totals[source.ref()] = gradient if total is None else total + gradient
                done.append(totals[source.ref()])
        # Without an order, all steps would be run again at once, and kept until their gradients
        # arrive.
        with tf.control_dependencies(done):
            y = after(arrived, y)
    return [sum_to_shape_of(x, dy), *(totals[source.ref()] for source in sources)]


def _run_unrecorded(steps, x):
    """`run(steps, x)`, such that no tape keeps what happens inside."""
    if tf.executing_eagerly():
        with tf.init_scope():  # it pauses the tapes, and changes nothing else in eager mode
            return run(steps, x)
    return run(steps, x, is_ordered=True)


def _split_variables(gradients, variables):
    """What `tf.custom_gradient` wants: variables, if there are any, apart."""
    if not variables:
        return gradients
    return gradients[: -len(variables)], gradients[-len(variables) :]
