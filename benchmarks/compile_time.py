"""How long does a flow take to trace and to compile, ours and of stock TFP parts?

    python benchmarks/compile_time.py [--quick] [--output FILE]

Coupling flows on D dimensions, affine and with rational-quadratic splines, with the same networks:
seconds from the first call of a fresh `tf.function(jit_compile=True)` of the loss and its gradient
until its result is there. Ours and the stock one alternate; medians.
"""

import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
import tensorflow_probability as tfp
from common import parse_options, report

import tfp_flows as tff

tfb, tfd = tfp.bijectors, tfp.distributions

NUM_BINS, BOUND = 8, 4.0


def ours(kind, event_size, num_layers, hidden_units):
    recipe = tff.flows.real_nvp if kind == "affine" else tff.flows.neural_spline
    return recipe(event_size, num_layers=num_layers, hidden_units=hidden_units, seed=0)


def stock(kind, event_size, num_layers, hidden_units):
    """The same flow of `tfb.RealNVP` layers, each with the same network as ours."""
    half = event_size // 2
    num_params = 2 if kind == "affine" else 3 * NUM_BINS - 1
    networks = [
        tff.networks.MLP(half, half * num_params, hidden_units, seed=k) for k in range(num_layers)
    ]
    layer = stock_affine if kind == "affine" else stock_spline
    layers = [
        tfb.RealNVP(num_masked=half if k % 2 == 0 else -half, bijector_fn=layer(network, half))
        for k, network in enumerate(networks)
    ]
    flow = tfd.TransformedDistribution(
        tff.distributions.standard_normal(event_size), tfb.Chain(layers[::-1])
    )
    flow.networks = networks  # RealNVP keeps them in closures, where TensorFlow does not look
    return flow


def stock_affine(network, _):
    def bijector_fn(kept, input_depth, **_):
        del input_depth
        shift, log_scale = tf.split(network(kept), 2, axis=-1)
        return tfb.Chain([tfb.Shift(shift), tfb.Scale(log_scale=log_scale)])

    return bijector_fn


def stock_spline(network, half):
    def bijector_fn(kept, input_depth, **_):
        del input_depth
        params = tf.reshape(network(kept), [-1, half, 3 * NUM_BINS - 1])
        widths, heights, slopes = tf.split(params, [NUM_BINS, NUM_BINS, NUM_BINS - 1], axis=-1)
        least = 1e-3
        size = 2.0 * BOUND - NUM_BINS * least
        return tfb.RationalQuadraticSpline(
            least + size * tf.nn.softmax(widths),
            least + size * tf.nn.softmax(heights),
            least + tf.math.softplus(slopes),
            range_min=-BOUND,
        )

    return bijector_fn


def seconds(flow, x):
    """Seconds that the first call takes."""
    variables = flow.trainable_variables or [
        v for network in flow.networks for v in network.trainable_variables
    ]

    @tf.function(jit_compile=True)
    def step(x):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(flow.log_prob(x))
        return loss, tape.gradient(loss, variables)

    start = time.perf_counter()
    step(x)[0].numpy()
    return time.perf_counter() - start


def main() -> None:
    options = parse_options(__doc__)
    event_size, hidden_units, batch, depths, repetitions = (
        (4, [8], 8, [1], 1) if options.quick else (64, [128, 128], 1024, [2, 8], 3)
    )
    x = tf.random.stateless_normal([batch, event_size], seed=[0, 1])
    rows = []
    for kind in ("affine", "spline"):
        for depth in depths:
            times = {ours: [], stock: []}
            for _ in range(repetitions):
                for make, values in times.items():
                    values.append(seconds(make(kind, event_size, depth, hidden_units), x))
            mine, theirs = (statistics.median(values) for values in times.values())
            rows.append((kind, depth, f"{mine:.1f}", f"{theirs:.1f}", f"{mine / theirs:.2f}"))
    report(
        f"D = {event_size}, hidden {hidden_units}, batch {batch}, float32, XLA; seconds to trace "
        f"and compile the loss and its gradient, medians of {repetitions}; "
        f"{tff.diagnostics.describe_machine()}; "
        "`python benchmarks/compile_time.py`",
        ("couplings", "layers", "ours", "stock TFP", "ratio"),
        rows,
        options,
    )


if __name__ == "__main__":
    main()
