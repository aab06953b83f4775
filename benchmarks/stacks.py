"""What does a log-det cost, and what does a stack gain over a chain of single layers?

    python benchmarks/stacks.py [--quick] [--output FILE]

K planar or radial layers on D dimensions, as one stack and as a `tfb.Chain`: forward with log-det,
its gradient, and inverse with log-det; as a graph and compiled by XLA. Medians over repetitions in
alternating order, in milliseconds; "bare" is the forward pass without the log-det.
"""

import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from common import parse_options, report

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


def works(bijector, x, jit_compile):
    """The functions to time, by column."""

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
    compiled = [tf.function(f, jit_compile=jit_compile, autograph=False) for f in functions]
    return dict(zip(COLUMNS, compiled, strict=True))


def medians(functions, repetitions):
    """Median milliseconds of each function, all of them in turn so that drift hits all alike."""
    times = {key: [] for key in functions}
    for repetition in range(repetitions + 3):
        for key, function in functions.items():
            start = time.perf_counter()
            tf.nest.map_structure(lambda t: t.numpy(), function())
            if repetition >= 3:  # the first ones compile and warm up
                times[key].append(1e3 * (time.perf_counter() - start))
    return {key: statistics.median(values) for key, values in times.items()}


def main() -> None:
    options = parse_options(__doc__)
    num_layers, event_size, batch, repetitions = (
        (3, 4, 8, 2) if options.quick else (32, 64, 1024, 30)
    )
    x = tf.random.stateless_normal([batch, event_size], seed=[0, 1])
    rows = []
    for name in ("planar", "radial"):
        for mode, jit_compile in (("graph", False), ("XLA", True)):
            functions = {
                (kind, column): function
                for kind, made in zip(
                    ("stack", "chain"), layers(name, num_layers, event_size), strict=True
                )
                for column, function in works(made, x, jit_compile).items()
            }
            result = medians(functions, repetitions)
            for kind in ("stack", "chain"):
                times = [result[kind, column] for column in COLUMNS]
                share = max(0.0, 1.0 - times[0] / times[1])
                rows.append((name, kind, mode, *(f"{t:.2f}" for t in times), f"{share:.0%}"))
    report(
        f"K = {num_layers} layers, D = {event_size}, batch {batch}, float32; milliseconds, medians "
        f"of {repetitions}; {tff.diagnostics.describe_machine()}; `python benchmarks/stacks.py`",
        ("layers", "as", "mode", *COLUMNS, "log-det's share of forward"),
        rows,
        options,
    )


if __name__ == "__main__":
    main()
