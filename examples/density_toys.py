"""Moons, rings, a checkerboard and spirals, learned by five flows: which one can tell them apart?

Every flow is trained on new points in each batch, and scored on held-out ones. The densities are
known, so the entropies, which no flow gets below, are, too. Planar and radial layers bend the plane
a little each; affine layers (RealNVP, MAF) move it along one axis; splines can cut it.

    python examples/density_toys.py [--quick] [--seed 0] [--output DIR]

Rezende and Mohamed (2015), arXiv:1505.05770; Dinh et al. (2016), arXiv:1605.08803; Papamakarios et
al. (2017), arXiv:1705.07057; Durkan et al. (2019), arXiv:1906.04032.
"""

import functools
import time

from common import fit_settings, parse_options, report, silence

with silence():
    import keras
    import numpy as np
    import tensorflow_probability as tfp

    import tfp_flows as tff
    from tfp_flows import plotting

tfd = tfp.distributions

TOYS = ("moons", "rings", "checkerboard", "spirals")
FULL = {
    "flows": "planar 32,radial 32,RealNVP 12,MAF 8,spline 8",  # with their layers
    "epochs": 10, "steps": 500, "batch_size": 512, "test_points": 50_000, "resolution": 150,
}  # fmt: skip
QUICK = {
    "flows": "planar 1,radial 1", "epochs": 1, "steps": 1, "batch_size": 8, "test_points": 100,
    "resolution": 10,
}  # fmt: skip
# Affine scales that are far from one multiply up over the layers; tanh keeps them in bounds.
AFFINE = {"hidden_units": [64, 64], "activation": "tanh"}
SPLINE = {"hidden_units": [64, 64], "activation": "silu", "num_bins": 32, "bound": 3.0}
# For each flow the recipe and the learning rate.
RECIPES = {
    "planar": (functools.partial(tff.flows.planar, fast="log_prob"), 1e-2),
    "radial": (functools.partial(tff.flows.radial, fast="log_prob"), 1e-2),
    "RealNVP": (functools.partial(tff.flows.real_nvp, **AFFINE), 5e-3),
    "MAF": (functools.partial(tff.flows.maf, **AFFINE), 5e-3),
    "spline": (functools.partial(tff.flows.neural_spline, **SPLINE), 1e-2),
}


def main(argv: list[str] | None = None) -> None:
    options = parse_options(__doc__, FULL, QUICK, argv)
    exact = {toy: tff.datasets.toy_log_prob(toy) for toy in TOYS}
    test = {
        toy: tff.datasets.toy(toy, options.test_points, seed=2 * options.seed + 1) for toy in TOYS
    }
    entropies = {toy: nll(exact[toy], x.astype("float64")) for toy, x in test.items()}
    rows = [("exact density", "-", *(f"{h:.3f}" for h in entropies.values()), "-")]
    densities = {toy: {f"{toy} {entropies[toy]:.3f}": exact[toy]} for toy in TOYS}

    for name in options.flows.split(","):
        start = time.perf_counter()
        flow, model = make_model(name, options)
        # So that all targets share the compiled step.
        untrained = tff.models.Snapshot(model, model.optimizer)
        scores = []
        for toy in TOYS:
            print(f"\n{name}: {toy}")
            untrained.restore()
            num_points = options.epochs * options.steps * options.batch_size
            x = tff.datasets.toy(toy, num_points, seed=2 * options.seed)
            tff.flows.initialize(flow, x[:4096])
            model.fit(x, shuffle=False, **fit_settings(options))
            predict = functools.partial(model.predict, batch_size=10_000, verbose=0)
            log_prob = tff.models.Snapshot(flow).bind(predict)
            scores.append(f"{nll(log_prob, test[toy]):.3f}")
            densities[toy][f"{name.split()[0]} {scores[-1]}"] = log_prob
        seconds = (time.perf_counter() - start) / len(TOYS)
        rows.append((name, f"{model.count_params():,}", *scores, f"{seconds:.0f}"))

    title = f"Negative log-likelihood in nats of {options.test_points:,} new points"
    header = ("flow, layers", "parameters", *TOYS, "seconds each")
    report(options, f"{title}, seed {options.seed}", header, rows)
    # One row a target, on the scale of its exact density: a spline's peaks would hide the rest.
    look = {"num_points": options.resolution, "num_columns": 1 + len(options.flows.split(","))}
    figures = [plotting.density_grid(row, common_scale=True, **look) for row in densities.values()]
    figure = plotting.stacked(figures)
    print(plotting.save(figure, options.output / "density_toys.png", dpi=150, num_colours=256))


def make_model(name, options):
    """A flow behind a standardization of the data, ready to be trained."""
    keras.utils.set_random_seed(options.seed)
    kind, num_layers = name.split()
    recipe, learning_rate = RECIPES[kind]
    flow = tfd.TransformedDistribution(
        recipe(2, num_layers=int(num_layers), seed=options.seed),
        tff.bijectors.ActNorm.with_variables([2]),
    )
    model = tff.models.DensityModel(flow)
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, options.epochs * options.steps)
    optimizer = keras.optimizers.Adam(rate, beta_2=0.99, global_clipnorm=1.0)
    optimizer.build(model.trainable_variables)
    model.compile(
        optimizer, jit_compile=not options.quick, steps_per_execution=min(10, options.steps)
    )
    return flow, model


def nll(log_prob, x):
    """Negative mean log-density; not of all points at once, as exact ones take some memory."""
    parts = [np.asarray(log_prob(part)) for part in np.array_split(x, max(1, len(x) // 10_000))]
    return -np.mean(np.concatenate(parts).astype("float64"))


if __name__ == "__main__":
    main()
