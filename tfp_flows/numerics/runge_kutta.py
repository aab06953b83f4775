"""The classical Runge-Kutta method with a fixed number of steps."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf


class Solution(NamedTuple):
    """What `tfb.FFJORD` asks of an ODE solver.

    Attributes:
      times: `[1]`, the final time.
      states: the state at that time, each tensor of it with a leading axis of size one.
    """

    times: tf.Tensor
    states: Any


def runge_kutta_4(
    ode_fn: Callable[[tf.Tensor, Any], Any],
    initial_time: float,
    initial_state: Any,
    solution_times,
    *,
    num_steps: int,
) -> Solution:
    """Solves `ds/dt = ode_fn(t, s)` in steps of equal length, with an error of their fourth power.

    ```none
    s <- s + h (k_1 + 2 k_2 + 2 k_3 + k_4) / 6,   k_1 = f(t, s),   k_2 = f(t + h/2, s + h k_1 / 2),
    k_3 = f(t + h/2, s + h k_2 / 2),   k_4 = f(t + h, s + h k_3)
    ```

    The number of steps is static, so that XLA compiles it, and gradients are those of the steps
    themselves: exact for the function that is computed, with respect to whatever `ode_fn` uses.

    Args:
      ode_fn: from a scalar time and a state to the derivative of the state.
      initial_time: scalar.
      initial_state: a float tensor, or a nested structure of them of one dtype.
      solution_times: a list of one time, the final one.
      num_steps: how many steps; each evaluates `ode_fn` four times.

    Returns:
      A `Solution`.
    """
    dtype = tf.nest.flatten(initial_state)[0].dtype
    (final_time,) = (tf.cast(time, dtype) for time in solution_times)
    start = tf.cast(initial_time, dtype)
    step = (final_time - start) / num_steps

    def moved(state, slope, length):
        return tf.nest.map_structure(lambda s, k: s + length * k, state, slope)

    def body(i, state):
        time = start + tf.cast(i, dtype) * step
        k_1 = ode_fn(time, state)
        k_2 = ode_fn(time + 0.5 * step, moved(state, k_1, 0.5 * step))
        k_3 = ode_fn(time + 0.5 * step, moved(state, k_2, 0.5 * step))
        k_4 = ode_fn(time + step, moved(state, k_3, step))
        mean = tf.nest.map_structure(
            lambda a, b, c, d: (a + 2.0 * (b + c) + d) / 6.0, k_1, k_2, k_3, k_4
        )
        return i + 1, moved(state, mean, step)

    _, state = tf.while_loop(
        lambda i, _: i < num_steps, body, (0, initial_state), maximum_iterations=num_steps
    )
    return Solution(final_time[tf.newaxis], tf.nest.map_structure(lambda s: s[tf.newaxis], state))
