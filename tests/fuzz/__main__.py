"""Prints a table of cases, examples, failures and seconds; then the smallest failing examples."""

import argparse
import faulthandler
import sys
import time

import hypothesis
import tensorflow as tf

from tests.fuzz import checks, examples, targets

_HANG = 300  # seconds without the end of an example


def fuzz(name: str, num_examples: int, seed: int) -> tuple[int, list[BaseException]]:
    """Runs one target.

    Args:
      name: of the target.
      num_examples: batches to draw.
      seed: of hypothesis.

    Returns:
      The number of examples that have been run, and one smallest failure of each kind.
    """
    single, double = (targets.make(name, dtype) for dtype in (tf.float32, tf.float64))
    count = 0

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=num_examples,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
    )
    @hypothesis.given(example=examples.examples())
    def run(example):
        nonlocal count
        count += 1
        faulthandler.dump_traceback_later(_HANG, exit=True)
        checks.check(single, double, example)

    try:
        run()
    except Exception as error:
        return count, list(getattr(error, "exceptions", [error]))  # a group of several
    finally:
        faulthandler.cancel_dump_traceback_later()
    return count, []


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=10_000, help="of each target")
    parser.add_argument("--only", default="", help="a part of the names of the targets")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    print("| target | examples | kinds of failures | seconds |\n|---|---|---|---|", flush=True)
    failures = {}
    for name in targets.names():
        if options.only in name:
            start = time.monotonic()
            count, errors = fuzz(name, options.examples, options.seed)
            failures[name] = errors
            seconds = time.monotonic() - start
            print(f"| {name} | {count} | {len(errors)} | {seconds:.0f} |", flush=True)
            for error in errors:
                notes = " ".join(getattr(error, "__notes__", []))
                print(f"    {type(error).__name__}: {error} {notes}", flush=True)
    return 1 if any(failures.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
