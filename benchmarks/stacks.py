"""What does a log-det cost, and what does a stack gain over a chain of single layers?

    python benchmarks/stacks.py [--quick] [--output FILE.md]

K planar or radial layers on D dimensions, as one stack and as a `tfb.Chain`: forward with log-det,
its gradient, and inverse with log-det; as a graph and compiled by XLA. Medians over repetitions in
alternating order, in milliseconds; "bare" is the forward pass without the log-det.
"""

from collections.abc import Sequence

import numpy as np
from common import parse_options, report

# isort: split
import tensorflow as tf
import tensorflow_probability as tfp
from harness.timing import Local, alternate, in_mode

import tfp_flows as tff

COLUMNS = ("bare", "forward", "gradient", "inverse")


def layers(name, num_layers, event_size):
    """The same layers twice: as a stack, and as a chain."""
    rng = np.random.default_rng(0)

    def variable(*shape):
        return tf.Variable(0.3 * rng.normal(size=shape), dtype=tf.float32)

    matrix, vector = (num_layers, event_size), (num_layers,)
    if name == "planar":
        stack, single = tff.bijectors.PlanarStack, tff.bijectors.Planar
        parameters = [variable(*matrix), variable(*matrix), variable(*vector)]
    else:
        stack, single = tff.bijectors.RadialStack, tff.bijectors.Radial
        parameters = [variable(*matrix), tf.Variable(tf.ones(vector)), variable(*vector)]
    slices = [[tf.Variable(p[k]) for p in parameters] for k in reversed(range(num_layers))]
    return stack(*parameters), tfp.bijectors.Chain([single(*s) for s in slices])


def works(bijector, x, mode):
    """The clocks, by column."""

    def forward():
        value = tf.identity(x)
        return bijector.forward(value), bijector.forward_log_det_jacobian(value, 1)

    def gradient():
        with tf.GradientTape() as tape:
            y, log_det = forward()
            loss = tf.reduce_mean(tf.reduce_sum(y * y, axis=-1) - log_det)
        return tape.gradient(loss, bijector.trainable_variables)

    def inverse():
        value = tf.identity(x)
        return bijector.inverse(value), bijector.inverse_log_det_jacobian(value, 1)

    functions = (lambda: bijector.forward(tf.identity(x)), forward, gradient, inverse)
    return {
        column: Local(in_mode(function, mode))
        for column, function in zip(COLUMNS, functions, strict=True)
    }


def main(argv: Sequence[str] | None = None) -> None:
    options = parse_options(__doc__, argv)
    num_layers, event_size, batch, repetitions = (
        (2, 4, 8, 2) if options.quick else (32, 64, 1024, 30)
    )
    modes = ("graph",) if options.quick else ("graph", "XLA")
    x = tf.random.stateless_normal([batch, event_size], seed=[0, 1])
    rows = []
    for name in ("planar", "radial"):
        for mode in modes:
            clocks = {
                (kind, column): clock
                for kind, made in zip(
                    ("stack", "chain"), layers(name, num_layers, event_size), strict=True
                )
                for column, clock in works(made, x, mode).items()
            }
            result = alternate(clocks, repetitions)
            for kind in ("stack", "chain"):
                times = [result[kind, column] for column in COLUMNS]
                share = max(0.0, 1.0 - times[0] / times[1])
                rows.append((name, kind, mode, *times, share))
    report(
        f"K = {num_layers} layers, D = {event_size}, batch {batch}, float32; milliseconds, medians "
        f"of {repetitions}; {tff.diagnostics.describe_machine()}; `python benchmarks/stacks.py`",
        ("layers", "as", "mode", *COLUMNS, "log-det's share of forward"),
        rows,
        options,
    )


if __name__ == "__main__":
    main()
