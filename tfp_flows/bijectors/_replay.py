"""One step of a chain, run again from its value and differentiated on its own."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tfp_flows.bijectors._steps import Step
from tfp_flows.bijectors.coupling import Coupling


def step_gradients(
    step: Step, y: tf.Tensor, dy: tf.Tensor, dlog_det: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, list[tuple]]:
    """Recovers a step's argument from its value, and carries gradients from the one to the other.

    Args:
      step: the step.
      y: its value.
      dy: gradient of a loss with respect to the value.
      dlog_det: gradient with respect to the log-det; may have more dimensions than that.

    Returns:
      The argument; the gradient with respect to it; and pairs of what the step depends on, tensors
      and trainable variables, with their gradients, which are `None` where there is none.
    """
    replay = _replay_coupling if isinstance(step.bijector, Coupling) else _replay
    with tf.GradientTape() as tape:
        tape.watch(step.sources)
        run = replay(step, y, dy, tape)
        log_det = run.log_det + tf.zeros_like(dlog_det)
    sources = [*step.sources, *tape.watched_variables()]
    dinputs, dsources = tape.gradient(
        [run.output, log_det], [run.inputs, sources], output_gradients=[run.doutput, dlog_det]
    )
    return run.x, run.merge(*dinputs), list(zip(sources, dsources, strict=True))


class _Run(NamedTuple):
    """What a step has computed under a tape.

    Attributes:
      x: the step's argument.
      inputs: the parts of it that the tape watches.
      output: the part of the value that depends on them through the tape.
      doutput: the gradient with respect to that part.
      log_det: the log-det.
      merge: from the gradients of the inputs to that of the argument.
    """

    x: tf.Tensor
    inputs: list[tf.Tensor]
    output: tf.Tensor
    doutput: tf.Tensor
    log_det: tf.Tensor
    merge: Callable[..., tf.Tensor]


def _replay(step, y, dy, tape):
    """Of any bijector: once in the other direction, without the tape, and once in its own."""
    with tape.stop_recording():
        x = tf.stop_gradient(step.reversed()(y)[0])
    tape.watch(x)
    output, log_det = step(x)
    return _Run(x, [x], output, dy, log_det, lambda dx: tf.zeros_like(x) if dx is None else dx)


def _replay_coupling(step, y, dy, tape):
    """Of a coupling: the conditioner sees what passes through, so that one run of it is enough."""
    split, transformer = step.bijector._split, step.bijector._transformer
    direction, other = transformer.forward, transformer.inverse
    if step.is_inverse:
        direction, other = other, direction
    kept, moved = split.split(y)
    dkept, dmoved = split.split(dy)
    tape.watch(kept)
    params = step.bijector._params(kept)
    with tape.stop_recording():
        moved = tf.stop_gradient(other(moved, params)[0])
    tape.watch(moved)
    output, log_derivative = direction(moved, params)

    def merge(through_params, through_output):
        total = dkept if through_params is None else dkept + through_params
        return split.merge(total, total, through_output)

    return _Run(
        split.merge(kept, kept, moved),
        [kept, moved],
        output,
        dmoved,
        split.sum_log_derivative(log_derivative),
        merge,
    )
