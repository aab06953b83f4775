"""Prints a table of cases, examples, failures and seconds; below a row, its smallest failures.

A target is a bijector, a recipe or a model. For most, nineteen of twenty examples are batches of
the right shape and hostile values (`checks.py`), and one is no input at all (`refusals.py`); for
models they are calls with bad batches (`training.py`), a hundredth as many.
"""

import argparse
import collections
import faulthandler
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import hypothesis
import tensorflow as tf
from hypothesis import strategies

from tests.fuzz import checks, examples, refusals, targets, training

_HANG = 300  # seconds without the end of an example


class Task(NamedTuple):
    """What to draw, what to do with it, and the part of the examples that it gets."""

    strategy: strategies.SearchStrategy
    check: Callable[[Any], None]
    share: float = 1.0


class Outcome(NamedTuple):
    """How many examples were run, and one smallest failure of each kind."""

    count: int
    failures: list[Exception]


def names() -> list[str]:
    """All that can be fuzzed, the most used first."""
    return [*targets.names(), *(f"model {name}" for name in training.MODELS)]


def make(name: str) -> Task:
    """Makes one target."""
    if name.startswith("model "):
        trial = training.Trial(name.removeprefix("model "))
        return Task(training.examples(), trial.check, 0.01)
    single, double = (targets.make(name, dtype) for dtype in (tf.float32, tf.float64))
    kinds = [examples.examples()] * 19 + [refusals.refusals()]

    def check(example):
        if isinstance(example, refusals.Refusal):
            refusals.check(single, example)
        else:
            checks.check(single, double, example)

    return Task(strategies.sampled_from(kinds).flatmap(lambda kind: kind), check)


def fuzz(task: Task, num_examples: int, seed: int) -> Outcome:
    """Runs one target.

    Args:
      task: the target.
      num_examples: to draw; those that make a failure smaller come on top.
      seed: of hypothesis.

    Returns:
      The outcome.
    """
    count = 0

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=num_examples,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
    )
    @hypothesis.given(example=task.strategy)
    def run(example):
        nonlocal count
        count += 1
        faulthandler.dump_traceback_later(_HANG, exit=True)
        task.check(example)

    failures = []
    try:
        run()
    except Exception as error:
        failures = list(getattr(error, "exceptions", [error]))  # a group, if there are several
    finally:
        faulthandler.cancel_dump_traceback_later()
    return Outcome(count, failures)


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the table; the status is 1 if something has failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=10_000, help="of each target")
    parser.add_argument("--only", default="", help="a part of the names of the targets")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    print("| target | examples | kinds of failures | seconds |\n|---|---|---|---|", flush=True)
    totals = collections.Counter()
    for name in names():
        if options.only not in name:
            continue
        start = time.monotonic()
        task = make(name)
        count, failures = fuzz(task, max(1, round(task.share * options.examples)), options.seed)
        seconds = time.monotonic() - start
        print(f"| {name} | {count} | {len(failures)} | {seconds:.0f} |", flush=True)
        for error in failures:
            notes = " ".join(getattr(error, "__notes__", []))
            print(f"\n    {type(error).__name__}: {error}\n    {notes}\n", flush=True)
        totals.update(targets=1, examples=count, failures=len(failures), seconds=round(seconds))
    print(f"| {totals['targets']} targets | ", end="")
    print(f"{totals['examples']} | {totals['failures']} | {totals['seconds']} |")
    return 1 if totals["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
