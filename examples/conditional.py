"""Simulation-based inference: a simulator's parameters from its data, by a conditional flow.

The flow q(theta | x) sees nothing of a simulator but pairs (theta, x), and then answers for every x
at once. The exact posteriors p(theta | x) of both simulators are known: the flow is held against
them by KL(p || q), by a classifier that is to tell their draws apart (C2ST, best 0.5), and by the
ranks of true parameters among its draws. Greenberg et al. (2019), arXiv:1905.07488; Lueckmann et
al. (2021), arXiv:2101.04653.

    python examples/conditional.py [--quick] [--seed 0] [--output DIR]
"""

import time

from common import count_parameters, parse_options, report, silence

with silence():
    import keras
    import numpy as np

    import tfp_flows as tff
    from tfp_flows import plotting

FULL = {
    "simulations": 100_000, "batch_size": 250, "observations": 10, "draws": 2000, "ranked": 1000
}  # fmt: skip
QUICK = {"simulations": 64, "batch_size": 32, "observations": 2, "draws": 20, "ranked": 20}
# Epochs, the first learning rate, a recipe, and its settings.
STORIES = {
    ("gaussian_linear", "RealNVP"): (
        20, 3e-3, tff.flows.real_nvp, {"num_layers": 4, "hidden_units": [64, 64]}
    ),
    ("gaussian_linear", "MAF"): (
        20, 3e-3, tff.flows.maf, {"num_layers": 2, "hidden_units": [64, 64]}
    ),
    ("two_moons", "spline"): (
        24, 5e-3, tff.flows.neural_spline,
        {"num_layers": 4, "hidden_units": [128, 128, 128], "bound": 3.0},
    ),
}  # fmt: skip
HEADER = ("simulator", "flow", "weights", "KL (nats)", "C2ST", "90 % covered", "p-value", "seconds")
NUM_RANKED = 99  # draws among which a true parameter is ranked: from 0 to 99


def main(argv: list[str] | None = None) -> None:
    options = parse_options(__doc__, FULL, QUICK, argv)
    rows, figures, all_ranks = [], {}, {}
    for (name, label), (epochs, learning_rate, recipe, settings) in STORIES.items():
        if options.quick:
            epochs, settings = 1, {"num_layers": 2, "hidden_units": [8]}
        print(f"\n{name}, {label}: {epochs} epochs of {options.simulations:,} simulations")
        simulator = tff.datasets.simulator(name)
        settings = settings | {"context_size": simulator.x_size, "seed": options.seed}
        flow = recipe(simulator.theta_size, **settings)
        seconds = train(flow, simulator, epochs, learning_rate, options)
        kl, accuracy, pictures = compare(flow, label, simulator, options)
        theta, x = simulator.sample_joint(options.ranked, seed=options.seed + 2)
        draws, _ = draw(flow(x), simulator, NUM_RANKED, options)
        ranks = tff.diagnostics.simulation_ranks(theta, draws)
        covered = tff.diagnostics.coverage(ranks, NUM_RANKED, [0.9]).mean()
        # The smallest of D p-values, each of which has its chance to be small.
        p_value = min(1.0, tff.diagnostics.rank_p_value(ranks, NUM_RANKED).min() * ranks.shape[1])
        rows.append((name, label, f"{count_parameters(flow):,}", f"{kl:.3f}", f"{accuracy:.3f}",
                     f"{100 * covered:.1f} %", f"{p_value:.2f}", f"{seconds:.0f}"))  # fmt: skip
        title = rf"{name}: draws of $\theta_1$ and $\theta_2$ for two observations $x$"
        figures[name] = plotting.scatter_grid(pictures, 1.0, title=title)
        all_ranks |= {rf"{name}: $\theta_{k + 1}$": ranks[:, k] for k in (0, 1)}

    title = (
        f"{options.simulations:,} simulations, seed {options.seed}; KL(exact, flow) and C2ST "
        f"are means over {options.observations} observations"
    )
    report(options, title, HEADER, rows)
    title = f"ranks of true parameters among {NUM_RANKED} draws, {options.ranked} simulations"
    histograms = plotting.rank_histograms(all_ranks, NUM_RANKED, title=title)
    picture = plotting.stacked([*figures.values(), histograms])
    print(plotting.save(picture, options.output / "conditional.png", num_colours=256))


def train(flow, simulator, epochs, learning_rate, options):
    """Fits q(theta | x) to simulations, a tenth of which says when to stop; returns seconds."""
    theta, x = simulator.sample_joint(options.simulations, seed=options.seed)
    keras.utils.set_random_seed(options.seed)
    start = time.perf_counter()
    model = tff.models.DensityModel(flow)
    steps = epochs * (9 * options.simulations // (10 * options.batch_size))
    decay = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    # Narrow posteriors have gradients that are rare and large.
    optimizer = keras.optimizers.Adam(decay, global_clipnorm=5.0)
    # A few steps are taken sooner than they are traced.
    model.compile(optimizer, jit_compile=not options.quick, run_eagerly=options.quick)
    settings = {"batch_size": options.batch_size, "verbose": options.verbose}
    stopping = tff.models.EarlyStopping(patience=10)
    model.fit(theta, x, epochs=epochs, validation_split=0.1, callbacks=[stopping], **settings)
    return time.perf_counter() - start


def draw(posterior, simulator, num_draws, options):
    """Draws of q restricted to the prior's support, and how much of q is there."""
    spare = 4 if simulator.theta_limits else 1
    return simulator.within_prior(posterior.sample(spare * num_draws, seed=options.seed), num_draws)


def compare(flow, label, simulator, options):
    """Mean KL(p || q) and C2ST over new observations, and draws of p and q for the first two."""
    observations = simulator.sample_joint(options.observations, seed=options.seed + 1)[1]
    kls, accuracies, pictures = [], [], {}
    for k, x in enumerate(observations):
        exact = simulator.sample_posterior(x, options.draws, seed=options.seed)
        posterior = flow(x)
        draws, z = draw(posterior, simulator, options.draws, options)
        log_q = posterior.log_prob(exact) - np.log(z)
        kls.append(np.mean(simulator.posterior_log_prob(exact, x) - log_q))
        # The benchmark's classifier; of ten dimensions it sees more if it is stopped early.
        early = simulator.theta_size > 2 or options.quick
        accuracy = tff.diagnostics.c2st(exact, draws, seed=options.seed, early_stopping=early)
        accuracies.append(accuracy)
        if k < 2:
            pictures[f"exact, $x^{{({k + 1})}}$"] = exact[:, :2]
            pictures[f"{label}, $x^{{({k + 1})}}$"] = draws[:, :2]
    return np.mean(kls), np.mean(accuracies), pictures


if __name__ == "__main__":
    main()
