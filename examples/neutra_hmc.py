"""Hamiltonian Monte Carlo in the space of a flow: a funnel becomes a ball.

Two hierarchical densities, Neal's funnel and the eight schools, on which no single step size fits.
An inverse autoregressive flow is trained on each by reverse KL; then the same HMC runs with it and
without it. The table has effective samples per gradient of the density, and the share of samples
in the neck, whose mass is known.

    python examples/neutra_hmc.py [--quick]

Hoffman et al. (2019), NeuTra-lizing Bad Geometry in Hamiltonian Monte Carlo, arXiv:1903.03704.
"""

from collections.abc import Callable
from typing import NamedTuple

from common import parse_options, report, silence

with silence():
    import keras
    import numpy as np
    import tensorflow as tf
    import tensorflow_probability as tfp

    import tfp_flows as tff
    from tfp_flows import plotting

FULL = {
    "event_size": 10, "num_layers": 2, "hidden": 64, "epochs": 15, "steps": 200, "batch_size": 512,
    "learning_rate": 5e-3, "chains": 16, "adaptation": 1000, "gradients": 48_000,
}  # fmt: skip
QUICK = {
    "event_size": 2, "num_layers": 1, "hidden": 8, "epochs": 1, "steps": 2, "batch_size": 16,
    "chains": 4, "adaptation": 4, "gradients": 32,
}  # fmt: skip
# Leapfrog steps. Where the density is a standard normal one, as in the space of a good flow, three
# of the size that is found make a quarter of a period, after which a chain has forgotten where it
# was. Plain HMC gets a choice, and each run as many gradients a chain after its adaptation.
NEUTRA_LEAPFROGS, PLAIN_LEAPFROGS = 3, (4, 16, 64)
HEADER = (
    "target", "sampler", "leapfrogs", "step size", "smallest ESS", "ESS / gradient",
    "largest R-hat", "gradients", "to train", "share in the neck", "exact",
)  # fmt: skip


class ExponentialAffine(tff.transformers.Transformer):
    """y = exp(s) x + shift: a funnel is one of these. (`Affine` grows linearly in s.)"""

    num_params = 2

    def forward(self, x, params):
        return tf.exp(params[..., 0]) * x + params[..., 1], params[..., 0]

    def inverse(self, y, params):
        return tf.exp(-params[..., 0]) * (y - params[..., 1]), -params[..., 0]


class Target(NamedTuple):
    log_prob: Callable  # up to a constant, nats
    sample: Callable  # exact draws, from their number and a seed
    size: int
    width: int  # the coordinate that decides how wide the others are
    density: Callable  # its exact one
    neck: float  # it is in the neck below that
    plane: Callable  # from samples [n, size] to what pictures show, [n, 2]
    limits: tuple  # of pictures
    labels: tuple[str, str]  # of the coordinate, and of pictures


def main(argv: list[str] | None = None) -> None:
    options = parse_options(__doc__, FULL, QUICK, argv)
    rows, clouds, widths, densities = [], [], {}, {}
    for name, target in targets(options).items():
        keras.utils.set_random_seed(options.seed)
        flow = train(name, target, options)
        choice = PLAIN_LEAPFROGS[:1] if options.quick else PLAIN_LEAPFROGS
        plain = {num: sample(target, None, num, options) for num in choice}
        neutra = sample(target, flow, NEUTRA_LEAPFROGS, options)
        rows += [row(name, "plain", target, num, run, options) for num, run in plain.items()]
        rows.append(row(name, "NeuTra", target, NEUTRA_LEAPFROGS, neutra, options))
        best = max(plain.values(), key=lambda run: run.effective_samples_per_gradient)
        drawn = {
            "plain HMC": np.reshape(best.samples, [-1, target.size]),
            "HMC through the flow": np.reshape(neutra.samples, [-1, target.size]),
        }
        widths[target.labels[0]] = {label: x[:, target.width] for label, x in drawn.items()}
        densities[target.labels[0]] = {"exact": target.density}
        shown = {"exact": np.asarray(target.sample(5000, seed=options.seed)), **drawn}
        points = {label: target.plane(x) for label, x in shown.items()}
        clouds.append(plotting.scatter_grid(points, target.limits, title=target.labels[1]))
    report(options, "HMC with a flow and without", HEADER, rows)
    marginals = plotting.histograms(widths, densities=densities)
    figure = plotting.stacked([*clouds, marginals])
    print(plotting.save(figure, options.output / "neutra_hmc.png"))


def targets(options):
    """The funnel and the schools; only the funnel where it has to be quick."""
    funnel, schools = tff.datasets.funnel(options.event_size), tff.datasets.EightSchools()
    both = {
        "funnel": Target(
            funnel.log_prob, funnel.sample, options.event_size,
            width=0, density=tfp.distributions.Normal(0.0, 3.0).prob, neck=-4.0,
            plane=lambda x: x[:, [1, 0]], limits=((-15.0, 15.0), (-10.0, 10.0)),
            labels=("funnel: $v$", "Neal's funnel: $v$ over $x_1$"),
        ),
        "eight schools": Target(
            schools.log_prob, schools.sample, schools.event_size,
            width=1, density=lambda x: tf.exp(schools.log_tau_log_prob(x)), neck=0.0,
            plane=lambda x: x[:, [2, 1]] / [5.0, 1.0], limits=((-4.0, 8.0), (-4.0, 4.0)),
            labels=(r"eight schools: $\log\,\tau$", r"Schools: $\log\,\tau$ over $\theta_1 / 5$"),
        ),
    }  # fmt: skip
    return dict(list(both.items())[: 1 if options.quick else 2])


def train(name, target, options):
    """Fits an IAF to the target by reverse KL."""
    flow = tff.flows.iaf(
        target.size,
        options.num_layers,
        hidden_units=[options.hidden, options.hidden],
        activation="elu",
        # An IAF inverts its transformers.
        transformer=tff.transformers.Inverted(ExponentialAffine()),
        seed=options.seed,
    )
    model = tff.models.ReverseKLModel(flow, target.log_prob, seed=options.seed)
    num_steps = options.epochs * options.steps
    decay = keras.optimizers.schedules.CosineDecay(options.learning_rate, num_steps)
    at_once = 1 if options.quick else 10
    optimizer = keras.optimizers.Adam(decay)
    model.compile(optimizer, jit_compile=not options.quick, steps_per_execution=at_once)
    print(f"\n{name}: {num_steps} steps of {options.batch_size}")
    size = {"steps_per_epoch": options.steps, "batch_size": options.batch_size}
    model.fit(epochs=options.epochs, verbose=options.verbose, **size)
    return flow


def sample(target, flow, num_leapfrog_steps, options):
    """Runs the chains from standard normal points of the space that they run in."""
    start = tff.distributions.standard_normal(target.size) if flow is None else flow
    return tff.inference.sample_hmc(
        target.log_prob,
        start.sample(options.chains, seed=options.seed),
        flow=flow,
        num_results=options.gradients // num_leapfrog_steps,
        num_adaptation_steps=options.adaptation,
        num_leapfrog_steps=num_leapfrog_steps,
        target_accept_prob=0.9,
        seed=options.seed,
        jit_compile=not options.quick,
    )


def row(name, sampler, target, num_leapfrog_steps, run, options):
    grid = np.linspace(target.neck - 40.0, target.neck, 4001, dtype="float32")
    num_training = options.epochs * options.steps * options.batch_size
    return (
        name,
        sampler,
        num_leapfrog_steps,
        f"{run.step_size:.3f}",
        f"{np.min(run.effective_sample_size):.0f}",
        f"{run.effective_samples_per_gradient:.1e}",
        f"{np.max(run.potential_scale_reduction):.3f}",
        f"{run.num_gradients + run.num_adaptation_gradients:,}",
        f"{num_training:,}" if sampler == "NeuTra" else "0",
        f"{np.mean(run.samples[..., target.width] < target.neck):.4f}",
        f"{tfp.math.trapz(target.density(grid), grid):.4f}",
    )


if __name__ == "__main__":
    main()
