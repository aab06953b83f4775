"""A density with sharp edges, learned in seconds: a ~ U(1, 2), and b given a ~ N(a, variance a).

Two spline couplings behind learned marginals see 1,000 batches of 512 new points. The density is
known, so the picture shows where the learned one is wrong, and the table what that costs: the KL
divergence, and a test NLL that no density brings below the entropy, 1.612086 nats.

    python examples/density_2d.py [--quick] [--seed 0] [--output DIR]

Durkan et al. (2019), Neural Spline Flows, arXiv:1906.04032.
"""

import time

from common import fit_settings, parse_options, report, silence

with silence():
    import keras
    import numpy as np
    import tensorflow as tf
    import tensorflow_probability as tfp

    import tfp_flows as tff
    from tfp_flows import plotting

tfb, tfd = tfp.bijectors, tfp.distributions

FULL = {
    "epochs": 20, "steps": 50, "batch_size": 512, "learning_rate": 1e-2, "hidden": 64,
    "test_points": 500_000, "resolution": 200,
}  # fmt: skip
QUICK = {"epochs": 3, "steps": 1, "hidden": 8, "test_points": 1000, "resolution": 20}
NUM_BINS = 16
BOX = ((0.75, 2.25), (-3.0, 6.0))  # of a and of b, in pictures
ENTROPY = 0.5 * np.log(2.0 * np.pi * np.e) + 0.5 * (2.0 * np.log(2.0) - 1.0)
# The tutorial on this target of normflows 1.7.3: 16 affine couplings, 1,000 steps of 512.
TUTORIAL_NLL = 1.652


def main(argv: list[str] | None = None) -> None:
    options = parse_options(__doc__, FULL, QUICK, argv)
    keras.utils.set_random_seed(options.seed)
    last = options.epochs * options.steps
    x = tff.datasets.toy("uniform_gaussian", last * options.batch_size, seed=2 * options.seed)
    test = tff.datasets.toy("uniform_gaussian", options.test_points, seed=2 * options.seed + 1)

    start = time.perf_counter()
    flow = make_flow(options, x[:4096])
    model = tff.models.DensityModel(flow)
    rate = keras.optimizers.schedules.CosineDecay(options.learning_rate, last)
    # A thousand steps are few: second moments of a hundred follow sooner than those of a thousand.
    adam = keras.optimizers.Adam(rate, beta_2=0.99)
    model.compile(adam, jit_compile=False, steps_per_execution=min(10, options.steps))
    flow_at, seconds_at = {}, {}  # after so many steps

    def keep(epoch, logs):
        steps = (epoch + 1) * options.steps
        flow_at[steps], seconds_at[steps] = tff.models.Snapshot(flow), time.perf_counter() - start

    # Every batch is new: one pass over the points, in so many epochs.
    keeping = keras.callbacks.LambdaCallback(on_epoch_end=keep)
    history = model.fit(x, shuffle=False, callbacks=[keeping], **fit_settings(options))

    true_log_prob = tff.datasets.toy_log_prob("uniform_gaussian")
    log_p = true_log_prob(test.astype("float64")).numpy()
    shown = [options.steps, options.epochs // 3 * options.steps, last]
    rows, kl = [("exact density", f"{-log_p.mean():.4f}", "0", f"{ENTROPY:.4f}", "-")], {}
    for steps, flow_then in flow_at.items():
        flow_then.restore()
        size = len(test) if steps in shown else len(test) // 50
        log_q = model.predict(test[:size], batch_size=25_000, verbose=0).astype("float64")
        # The mean of log p - log q varies far less from test set to test set than that of -log q.
        kl[steps] = np.mean(log_p[:size] - log_q)
        if steps in shown:
            nats = [f"{value:.4f}" for value in (-log_q.mean(), kl[steps], ENTROPY + kl[steps])]
            rows.append((f"learned, {steps:,} steps", *nats, f"{seconds_at[steps]:.1f}"))
    header = ("density", "test NLL", "KL", "entropy + KL", "seconds")
    title = f"Nats over {len(test):,} test points; {model.count_params():,} parameters"
    report(options, f"{title}, seed {options.seed}", header, rows)

    learned = {f"{steps:,} steps": flow_at[steps].bind(flow.log_prob) for steps in shown}
    samples = {"samples of the flow": flow.sample(len(test), seed=options.seed), "data": test}
    curves = {"training": history.history["nats"], "test": ENTROPY + np.array([*kl.values()])}
    curves = {label: ([*kl], values) for label, values in curves.items()}
    figures = [
        *density_pictures(true_log_prob, learned, options),
        plotting.histograms(
            {name: {k: x[:, i] for k, x in samples.items()} for i, name in enumerate("ab")},
            limits=dict(zip("ab", BOX, strict=True)),
        ),
        plotting.lines(
            curves, x_label=f"steps of {options.batch_size}",
            y_label="negative log-likelihood in nats",
            references={"entropy": ENTROPY, "known tutorial": TUTORIAL_NLL}, height=0.35,
        ),
    ]  # fmt: skip
    print(plotting.save(plotting.stacked(figures), options.output / "density_2d.png", dpi=150))


def density_pictures(true_log_prob, learned, options):
    """The exact density and the learned ones, and where these are wrong."""
    plane = {"limits": BOX, "num_points": options.resolution, "equal": False}
    title = "Density: a to the right, b upwards"
    densities = {"exact": true_log_prob, **learned}
    errors = {
        label: lambda z, log_prob=log_prob: np.exp(log_prob(z)) - np.exp(true_log_prob(z))
        for label, log_prob in learned.items()
    }
    return (
        plotting.density_grid(densities, title=title, common_scale=True, **plane),
        plotting.difference_grid(errors, label="learned minus exact", **plane),
    )


def make_flow(options, x):
    """From the base: couplings, learned marginals, and next to the data their mean and scale."""
    settings = {"hidden_units": [options.hidden] * 2, "activation": "silu", "seed": options.seed}
    couplings = tff.flows.neural_spline(2, num_layers=2, num_bins=NUM_BINS, **settings)
    # Where a begins and ends does not depend on b: a spline without a network finds it soonest.
    spline = tff.transformers.RationalQuadraticSpline(NUM_BINS, bound=3.0)
    marginals = tff.bijectors.Elementwise(
        spline, params=tf.Variable(tf.zeros([2, spline.num_params])), event_ndims=1
    )
    standardization = tff.bijectors.ActNorm.with_variables([2])
    flow = tfd.TransformedDistribution(couplings, tfb.Chain([standardization, marginals]))
    tff.flows.initialize(flow, x)
    return flow


if __name__ == "__main__":
    main()
