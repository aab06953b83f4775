"""Hamiltonian Monte Carlo in the space of a flow: a funnel becomes a ball.

Two hierarchical densities, Neal's funnel and the eight schools, on which no single step size fits.
An inverse autoregressive flow is trained on each by reverse KL; then the same HMC runs with it and
without it. The table has effective samples per gradient of the density, and the share of samples
in the neck, whose mass is known.

    python examples/neutra_hmc.py [--quick]

Hoffman et al. (2019), NeuTra-lizing Bad Geometry in Hamiltonian Monte Carlo, arXiv:1903.03704.
"""

from types import SimpleNamespace

from common import fit_settings, parse_options, report, silence

with silence():
    import keras
    import numpy as np
    import tensorflow as tf
    import tensorflow_probability as tfp

    import tfp_flows as tff
    from tfp_flows import plotting

# Where the density is a standard normal one, as in the space of a good flow, three leapfrog steps
# of the size that is found make a quarter of a period, after which a chain has forgotten where it
# was. Plain HMC gets a choice, and each run as many gradients a chain after its adaptation.
FULL = {
    "event_size": 10, "num_layers": 2, "hidden": 64, "epochs": 15, "steps": 200, "batch_size": 512,
    "learning_rate": 5e-3, "chains": 16, "adaptation": 1000, "gradients": 48_000,
    "targets": "funnel,eight schools", "leapfrogs": 3, "plain_leapfrogs": "4 16 64",
}  # fmt: skip
QUICK = {
    "event_size": 2, "num_layers": 1, "hidden": 8, "epochs": 1, "steps": 2, "batch_size": 16,
    "chains": 4, "adaptation": 4, "gradients": 32, "targets": "funnel", "plain_leapfrogs": "4",
}  # fmt: skip
HEADER = (
    "target", "sampler", "leapfrogs", "step size", "smallest ESS", "ESS / gradient",
    "largest R-hat", "gradients", "to train", "share in the neck", "exact",
)  # fmt: skip


def main(argv: list[str] | None = None) -> None:
    options = parse_options(__doc__, FULL, QUICK, argv)
    rows, clouds, widths, densities = [], [], {}, {}
    for name in options.targets.split(","):
        target = make_target(name, options)
        keras.utils.set_random_seed(options.seed)
        flow = train(name, target, options)
        numbers = [int(number) for number in options.plain_leapfrogs.split()]
        plain = {number: sample(target, None, number, options) for number in numbers}
        neutra = sample(target, flow, options.leapfrogs, options)
        num_training = options.epochs * options.steps * options.batch_size
        rows += [(name, "plain", n, *measure(target, run, 0)) for n, run in plain.items()]
        rows.append((name, "NeuTra", options.leapfrogs, *measure(target, neutra, num_training)))
        best = max(plain.values(), key=lambda run: run.effective_samples_per_gradient)
        runs = {"plain HMC": best, "HMC through the flow": neutra}
        drawn = {label: np.reshape(run.samples, [-1, target.size]) for label, run in runs.items()}
        exact = np.asarray(target.density.sample(5000, seed=options.seed))
        points = {label: target.plane(x) for label, x in {"exact": exact, **drawn}.items()}
        clouds.append(plotting.scatter_grid(points, target.limits, title=target.title))
        widths[target.label] = {label: x[:, target.width] for label, x in drawn.items()}
        densities[target.label] = {"exact": target.width_prob}
    report(options, "HMC with a flow and without", HEADER, rows)
    figure = plotting.stacked([*clouds, plotting.histograms(widths, densities=densities)])
    print(plotting.save(figure, options.output / "neutra_hmc.png"))


def make_target(name, options):
    """A density; which coordinate decides how wide the others are; what pictures show of it."""
    if name == "funnel":
        return SimpleNamespace(
            density=tff.datasets.funnel(options.event_size), size=options.event_size,
            width=0, width_prob=tfp.distributions.Normal(0.0, 3.0).prob, neck=-4.0,
            plane=lambda x: x[:, [1, 0]], limits=((-15.0, 15.0), (-10.0, 10.0)),
            label="funnel: $v$", title="Neal's funnel: $v$ over $x_1$",
        )  # fmt: skip
    schools = tff.datasets.EightSchools()
    return SimpleNamespace(
        density=schools, size=schools.event_size,
        width=1, width_prob=lambda x: tf.exp(schools.log_tau_log_prob(x)), neck=0.0,
        plane=lambda x: x[:, [2, 1]] / [5.0, 1.0], limits=((-4.0, 8.0), (-4.0, 4.0)),
        label=r"eight schools: $\log\,\tau$", title=r"Schools: $\log\,\tau$ over $\theta_1 / 5$",
    )  # fmt: skip


def train(name, target, options):
    """Fits an IAF, which inverts its transformers, by reverse KL. A funnel has scale exp(v / 2)."""
    transformer = tff.transformers.Inverted(tff.transformers.ExponentialAffine())
    settings = {"hidden_units": [options.hidden] * 2, "activation": "elu", "seed": options.seed}
    flow = tff.flows.iaf(target.size, options.num_layers, transformer=transformer, **settings)
    model = tff.models.ReverseKLModel(flow, target.density.log_prob, seed=options.seed)
    num_steps = options.epochs * options.steps
    decay = keras.optimizers.schedules.CosineDecay(options.learning_rate, num_steps)
    settings = {"jit_compile": not options.quick, "steps_per_execution": min(10, options.steps)}
    model.compile(keras.optimizers.Adam(decay), **settings)
    print(f"\n{name}: {num_steps} steps of {options.batch_size}")
    model.fit(**fit_settings(options))
    return flow


def sample(target, flow, leapfrogs, options):
    """Runs the chains from standard normal points of the space that they run in."""
    start = tff.distributions.standard_normal(target.size) if flow is None else flow
    return tff.inference.sample_hmc(
        target.density.log_prob, start.sample(options.chains, seed=options.seed), flow=flow,
        num_leapfrog_steps=leapfrogs, num_results=options.gradients // leapfrogs,
        num_adaptation_steps=options.adaptation, target_accept_prob=0.9,
        seed=options.seed, jit_compile=not options.quick,
    )  # fmt: skip


def measure(target, run, num_training):
    """The rest of a row of the table."""
    grid = np.linspace(target.neck - 40.0, target.neck, 4001, dtype="float32")
    return (
        f"{run.step_size:.3f}",
        f"{np.min(run.effective_sample_size):.0f}",
        f"{run.effective_samples_per_gradient:.1e}",
        f"{np.max(run.potential_scale_reduction):.3f}",
        f"{run.total_gradients:,}",
        f"{num_training:,}",
        f"{np.mean(run.samples[..., target.width] < target.neck):.4f}",
        f"{tfp.math.trapz(target.width_prob(grid), grid):.4f}",
    )


if __name__ == "__main__":
    main()
