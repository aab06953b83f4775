"""The equation `y = step(x, y)` where each element of the step depends on earlier ones of `y` only.

It is solved by substitution, element by element, outside of differentiation. Its derivatives follow
from one live step: with `J` the step's Jacobian in `y`, which is strictly triangular in the
elements' order,

```none
dy = (I - J)^-1 (step_x dx + step_theta dtheta)
```

so a cotangent of `y` becomes one of the step by solving `v = dy + J^T v`, by substitution again,
from the last element to the first. Differentiating through the loop would cost as many passes, and
the memory of all of them at once.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

Step = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def substitute(element: Callable, start: tf.Tensor, state, order: np.ndarray) -> tf.Tensor:
    """Finds the elements of `y`, one after the other.

    Args:
      element: from `(k, y, state)` to the k-th element in the order, `[...]`, and the next state;
        the first k elements of `y` are known, all others are zero.
      start: zeros `[..., D]`; the elements' leading dimensions may have more in front.
      state: tensors in any structure.
      order: indices of the elements, the first one first.

    Returns:
      `y`, `[..., D]`.
    """
    positions = np.argsort(order)

    def one_more(k, y, state):
        value, state = element(k, y, state)
        return k + 1, tf.where(positions == k, value[..., tf.newaxis], y), state

    # The first step stands outside of the loop, since the shapes that the loop keeps are those
    # after it: a conditioner may have more batch dimensions than its input.
    variables = one_more(0, start, state)
    return tf.while_loop(
        lambda k, y, state: k < order.size,
        one_more,
        (tf.constant(1), *variables[1:]),
        maximum_iterations=order.size - 1,
    )[1]


def with_implicit_gradients(
    step: Step, x: tf.Tensor, solution: tf.Tensor, order: np.ndarray
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns `step(x, y)` where `y = step(x, y)[0]`, with the derivatives of that solution.

    Args:
      step: from `x` and `y` to the next `y`, `[..., D]`, and any further value `[...]`.
      x: `[..., D]`.
      solution: `y`, `[..., D]`.
      order: indices of the elements, the first one first.

    Returns:
      Both values of the step, differentiable once, in `x` and in all that `step` holds. A second
      derivative raises a NotImplementedError: the live step stands at a constant `y`.
    """
    positions = np.argsort(order)

    @tf.custom_gradient
    def attach(y, further):
        def grad(dy, dfurther):
            at = tf.stop_gradient(y)
            with tf.GradientTape(persistent=True) as tape:
                tape.watch(at)
                value, other = step(x, at)
            pull = {"unconnected_gradients": tf.UnconnectedGradients.ZERO}
            dy += tape.gradient(other, at, output_gradients=dfurther, **pull)

            def one_more(k, v):
                through = tape.gradient(value, at, output_gradients=v, **pull)
                return k - 1, tf.where(positions == k, dy + through, v)

            _, v = tf.while_loop(
                lambda k, v: k >= 0,
                one_more,
                # Nothing depends on the last element.
                (tf.constant(order.size - 2), tf.where(positions == order.size - 1, dy, 0.0)),
                maximum_iterations=order.size - 1,
            )
            return _differentiable_once(v), _differentiable_once(dfurther)

        return (y, further), grad

    return attach(*step(x, tf.stop_gradient(solution)))


@tf.custom_gradient
def _differentiable_once(v):
    def grad(_):
        raise NotImplementedError(
            "Second derivatives through the sequential direction of an autoregressive flow are not "
            "implemented. Its other direction has derivatives of any order."
        )

    return tf.identity(v), grad
