"""Prints the worst errors of every case, by dtype: `python -m tests.errors`."""

import tensorflow as tf

from tests.cases import CASES
from tests.contract import log_det_errors, round_trip_errors


def main():
    print("| case | dtype | x -> y -> x | y -> x -> y | log-det vs autodiff | inverse's log-det |")
    print("|---|---|---|---|---|---|")
    for name, case in CASES.items():
        for dtype in (tf.float32, tf.float64):
            trip, log_det = round_trip_errors(case, dtype), log_det_errors(case, dtype)
            figures = (trip["x"], trip["y"], log_det["forward"], log_det["inverse"])
            print(f"| {name} | {dtype.name} | " + " | ".join(f"{v:.1e}" for v in figures) + " |")


if __name__ == "__main__":
    main()
