"""Boltzmann generators: free energies of two states between which Markov chains hardly cross.

A double well of the plane, and two bound particles in a box (four dimensions), with barriers of 11
kT. A flow learns each Boltzmann distribution by energy and by example, after Noe et al. (2019),
arXiv:1812.01729: the examples are short chains in both states, with wrong shares (half and half).
Its samples are then reweighted. Hamiltonian Monte Carlo may evaluate the energy as often.

    python examples/boltzmann_double_well.py [--quick] [--seed 0] [--output DIR]
"""

from common import fit_settings, parse_options, report, silence

with silence():
    import keras
    import numpy as np

    import tfp_flows as tff
    from tfp_flows import diagnostics, plotting

FULL = {
    "potentials": "double_well two_particles", "layers": 8, "learning_rate": 2e-3,
    "batch_size": 512, "epochs": 30, "example_weight": 0.3, "samples": 200_000,
    "chains": 64, "chain_steps": 160, "runs": 5, "adaptation": 50, "leapfrogs": 10,
}  # fmt: skip
QUICK = {
    "potentials": "double_well", "layers": 2, "batch_size": 64, "epochs": 1, "samples": 500,
    "chains": 2, "chain_steps": 32, "runs": 2,
}  # fmt: skip
SPLINES = {"num_bins": 16, "hidden_units": [64, 64], "activation": "silu"}
HEADER = ("", "F_B - F_A in kT", "error", "share of B", "s.e.", "ESS", "Pareto k", "energies")


def main(argv: list[str] | None = None) -> None:
    options = parse_options(__doc__, FULL, QUICK, argv)
    rows = []
    for name in options.potentials.split():
        potential, title = tff.datasets.potential(name), name.replace("_", " ")
        print(f"\n{title}")
        short = run_chains(potential, options.chains, options.chain_steps, options)
        examples = np.reshape(short.samples, [-1, potential.event_size])
        flow = train(potential, examples, options)
        drawn = tff.inference.importance_sample(
            flow, potential.log_prob, options.samples, seed=options.seed
        )
        energies = short.total_gradients + options.epochs * len(examples) + options.samples
        # As many energies for each run of Hamiltonian Monte Carlo; all runs in one call.
        num_steps = energies // (options.chains * options.leapfrogs) - options.adaptation
        long = run_chains(potential, options.runs * options.chains, num_steps, options)
        s = potential.reaction_coordinate(drawn.samples).numpy()[np.newaxis]
        s_hmc = potential.reaction_coordinate(long.samples).numpy()
        s_hmc = s_hmc.reshape(num_steps, 2, options.runs, options.chains).transpose(2, 1, 0, 3)
        methods = {  # the reaction coordinate `[run, n]` and log-weights
            "flow": (s, None), "flow, reweighted": (s, drawn.log_weights),
            "HMC from A": (s_hmc[:, 0].reshape(options.runs, -1), None),
            "HMC from A and B": (s_hmc[..., : options.chains // 2].reshape(options.runs, -1), None),
        }  # fmt: skip
        exact = potential.free_energy_difference()
        share_of_b = 1.0 / (1.0 + np.exp(exact))
        rows.append((f"{title}, exact", f"{exact:.3f}", "", f"{share_of_b:.4f}", *4 * [""]))
        for label, method in methods.items():
            rows.append((f"- {label}", *measure(potential, *method), f"{energies:,}"))
        points = {
            "examples": examples, "flow": drawn.samples,
            "flow, reweighted": drawn.resample(5000, seed=options.seed),
            "HMC from A": np.reshape(long.samples[:, : options.chains], [-1, examples.shape[1]]),
        }  # fmt: skip
        shown = [0, 1] if potential.event_size == 2 else [1, 3]  # of the elements of z
        figure = plotting.stacked([
            plotting.scatter_grid({label: z[:, shown] for label, z in points.items()}),
            profile_picture(potential, methods),
            plotting.histograms({"log(w / Z) of the flow": {"": drawn.relative_log_weights}}),
        ])  # fmt: skip
        print(plotting.save(figure, options.output / f"boltzmann_{name}.png", num_colours=256))
    report(options, "Free energies by Boltzmann generators", HEADER, rows)


def run_chains(potential, num_chains, num_steps, options):
    """Runs Hamiltonian Monte Carlo, `num_chains` chains from each of the two minima."""
    return tff.inference.sample_hmc(
        potential.log_prob, np.repeat(np.float32(potential.minima), num_chains, axis=0),
        num_results=num_steps, num_adaptation_steps=options.adaptation,
        num_leapfrog_steps=options.leapfrogs, seed=options.seed, jit_compile=not options.quick,
    )  # fmt: skip


def train(potential, examples, options):
    """Trains a flow by energy and by example, with a limit on the first, large gradients."""
    keras.utils.set_random_seed(options.seed)  # the order of the examples
    weight, seed = options.example_weight, options.seed
    flow = tff.flows.neural_spline(potential.event_size, options.layers, seed=seed, **SPLINES)
    model = tff.models.ReverseKLModel(flow, potential.log_prob, example_weight=weight, seed=seed)
    num_steps = options.epochs * -(-len(examples) // options.batch_size)
    decay = keras.optimizers.schedules.CosineDecay(options.learning_rate, num_steps)
    model.compile(keras.optimizers.Adam(decay, clipnorm=10.0), jit_compile=not options.quick)
    annealing = tff.models.BetaAnnealing(-(-num_steps // 4), start=0.05)
    model.fit(examples, callbacks=[annealing], **fit_settings(options))
    return flow


def measure(potential, s, log_weights):
    """A row of the table: means over the runs, and the root mean square of their errors."""
    states = zip(s < potential.barrier, s > potential.barrier, strict=True)
    estimates = [diagnostics.free_energy_difference(log_weights, a, b) for a, b in states]
    values = np.array([estimate.value for estimate in estimates])
    error = np.sqrt(np.mean((values - potential.free_energy_difference()) ** 2))
    # A run without a sample in B has an infinite value.
    numbers = [f"{np.mean(values):.3f}", f"{error:.3f}"] if np.isfinite(error) else ["B missed", ""]
    cells = [*numbers, f"{np.mean(1.0 / (1.0 + np.exp(values))):.4f}"]
    if log_weights is None:
        return *cells, "", "", ""
    size = f"{100.0 * diagnostics.effective_sample_size(log_weights):.1f} %"
    k = f"{diagnostics.pareto_shape(log_weights):.2f}"
    return *cells, f"{estimates[0].standard_error:.3f}", size, k


def profile_picture(potential, methods):
    """The free energy along the reaction coordinate, exactly and as the first runs have it."""
    edges = np.linspace(*potential.limits, 91)
    centers = 0.5 * (edges[1:] + edges[:-1])
    exact = potential.free_energy_profile(centers) + potential.log_normalizer()
    low = exact < np.min(exact) + 14.0
    curves = {"exact": (centers[low], exact[low])}
    for label, (s, log_weights) in methods.items():
        profile = diagnostics.free_energy_profile(log_weights, s[0], edges)
        curves[label] = (centers[low], profile[low])
    return plotting.lines(curves, x_label="reaction coordinate", y_label="free energy in kT")


if __name__ == "__main__":
    main()
