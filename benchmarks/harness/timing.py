"""Clocks: several functions timed in turns, so that a drifting machine hits them all alike."""

import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Protocol

import tensorflow as tf

MODES = ("eager", "graph", "XLA")


def in_mode(function: Callable, mode: str) -> Callable:
    """The function as it is, as a graph, or compiled by XLA."""
    if mode == "eager":
        return function
    return tf.function(function, jit_compile=mode == "XLA", autograph=False)


class Timed(Protocol):
    """Something that can be run several times, and returns the milliseconds of each run."""

    def __call__(self, num_runs: int) -> list[float]: ...


class Local:
    """A TensorFlow function of this process; a run ends when every device has done its work.

    Args:
      function: what is timed.
      *args: what it is called with.
    """

    def __init__(self, function: Callable[..., Any], *args: Any):
        self._function = function
        self._args = args

    def __call__(self, num_runs: int) -> list[float]:
        return [self._run() for _ in range(num_runs)]

    def _run(self):
        start = time.perf_counter()
        self._function(*self._args)
        tf.test.experimental.sync_devices()
        return 1e3 * (time.perf_counter() - start)


def able(timed: Mapping[str, Timed], errors: type | tuple[type, ...]) -> dict[str, Timed]:
    """Those that can be run once; the others say why not, and do not end the measurement.

    Args:
      timed: what to try, by name.
      errors: what a function may raise, such as `tf.errors.OpError` where memory runs out.

    Returns:
      What is left of `timed`.
    """
    kept = {}
    for name, clock in timed.items():
        try:
            clock(1)
        except errors as error:
            print(f"{name}: {type(error).__name__}: {str(error)[:200]}", flush=True)
        else:
            kept[name] = clock
    return kept


def alternate(
    timed: Mapping[Hashable, Timed], num_rounds: int, runs_a_round: int = 1, warm_up: int = 3
) -> dict[Hashable, float]:
    """Median milliseconds of each function.

    All are called in each round, in an order that turns from round to round. Nothing before the
    first round is timed: compilation, and `warm_up` runs of each. With several runs a round, the
    first one only brings the function's data and threads back, and is not counted.

    Args:
      timed: what to time, by name.
      num_rounds: how often each has its turn.
      runs_a_round: how many of its runs in a turn count.
      warm_up: runs of each before the first round.

    Returns:
      Milliseconds by name, in the order of `timed`.
    """
    keys = list(timed)
    times: dict[Hashable, list[float]] = {key: [] for key in keys}
    for key in keys:
        timed[key](warm_up)
    idle = 1 if runs_a_round > 1 else 0
    for k in range(num_rounds):
        shift = k % len(keys)
        for key in keys[shift:] + keys[:shift]:
            times[key] += timed[key](runs_a_round + idle)[idle:]
    return {key: statistics.median(values) for key, values in times.items()}


def ratio(time: float | None, other: float | None) -> float | None:
    """One time in units of another; `None` where one of them was not measured."""
    return None if time is None or other is None else time / other
