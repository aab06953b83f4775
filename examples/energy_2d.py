"""Four energies of the plane, fitted without data: how near does each flow come?

    python examples/energy_2d.py [--quick]

The densities p = exp(-U) / Z are those of Rezende and Mohamed (2015), arXiv:1505.05770, section 6.1
and figure 3, on the box [-4, 4]^2: without it only U1 has a finite Z. Flows on the plane, mapped
onto the box by the normal distribution function, are trained to minimize KL(q || p). So all of q is
in the box, q is uniform at first, and the divergence is an integral over a grid.
"""

import functools

from common import count_parameters, fit_settings, parse_options, report, silence

with silence():
    import keras
    import numpy as np
    import tensorflow as tf
    import tensorflow_probability as tfp

    import tfp_flows as tff
    from tfp_flows import plotting

tfb, tfd = tfp.bijectors, tfp.distributions

FULL = {
    "flows": "planar 2,planar 8,planar 32,radial 32,RealNVP 8,spline 4",  # and their layers
    "epochs": 10, "steps": 500, "batch_size": 512, "num_points": 400,
}  # fmt: skip
QUICK = {"flows": "planar 2", "epochs": 1, "steps": 2, "batch_size": 8, "num_points": 20}
RECIPES = {  # with the learning rate at the start, and whether there are networks in the layers
    "planar": (tff.flows.planar, 1e-2, False),
    "radial": (tff.flows.radial, 1e-2, False),
    "RealNVP": (functools.partial(tff.flows.real_nvp, hidden_units=[32, 32]), 2e-3, True),
    "spline": (tff.flows.neural_spline, 2e-3, True),
}
ENERGIES = ("u1", "u2", "u3", "u4")
BOX = 4.0
RIGHT = ((0.0, BOX), (-BOX, BOX))
HEADER = (
    "flow, layers", "parameters", "U1", "U2", "U3", "U4", "U1: mass at x > 0", "mass on the grid",
)  # fmt: skip


def main(argv: list[str] | None = None) -> None:
    options = parse_options(__doc__, FULL, QUICK, argv)
    energies = {name.upper(): tff.datasets.energy(name) for name in ENERGIES}
    targets = {name: lambda z, energy=energy: -energy(z) for name, energy in energies.items()}
    panels = {name: {f"{name}: target": log_p} for name, log_p in targets.items()}
    rows, planar = [], {name: {} for name in targets}
    grid = {"num_points": options.num_points}
    for label in options.flows.split(","):
        family, num_layers = label.split()
        trained, num_parameters = train_on_each(family, int(num_layers), targets, options)
        results = {}
        for name, log_q in trained.items():
            results[name] = tff.diagnostics.grid_kl(log_q, targets[name], BOX, **grid)
            panels[name][f"{name}: {label}"] = log_q
            if family == "planar":
                planar[name][int(num_layers)] = results[name].kl
        right = np.exp(tff.diagnostics.grid_log_integral(trained["U1"], RIGHT, **grid))
        # All of q is in the box; what the grid finds of it shows how exact the grid is.
        masses = sorted(result.mass for result in results.values())
        found = f"{masses[0]:.4f} to {masses[-1]:.4f}"
        kls = [f"{result.kl:.4f}" for result in results.values()]
        rows.append((label, num_parameters, *kls, f"{right:.3f}", found))
    report(options, "KL(q || p) on [-4, 4]^2, in nats", HEADER, rows)

    densities = {title: log_p for row in panels.values() for title, log_p in row.items()}
    shown = {"num_columns": 1 + len(rows), "num_points": min(200, options.num_points)}
    figures = [plotting.density_grid(densities, BOX, **shown)]
    if any(planar.values()):
        curves = {name: (list(kls), list(kls.values())) for name, kls in planar.items()}
        axes = {"x_label": "planar layers", "y_label": "KL(q || p) in nats"}
        figures.append(plotting.lines(curves, log_x=True, log_y=True, **axes))
    print(plotting.save(plotting.stacked(figures), options.output / "energy_2d.png"))


def train_on_each(family, num_layers, targets, options):
    """Trains a flow on each target in turn; returns its log-densities, and how large it is.

    What XLA compiles serves all targets: a variable chooses among them, and those of the model and
    of the optimizer go back to where they began.
    """
    recipe, learning_rate, has_networks = RECIPES[family]
    # Layers of a few numbers gain by a learned Gaussian below them, and by clipped gradients. With
    # networks both lose parts of a target: clipping hides the rare draws that see them.
    base = None if has_networks else tff.distributions.full_covariance_gaussian(2)
    flow = recipe(2, num_layers=num_layers, base=base, seed=options.seed)
    onto_box = tfb.Chain([tfb.Shift(-BOX), tfb.Scale(2.0 * BOX), tfb.NormalCDF()])
    chosen = tf.Variable(0)

    def target_log_prob(x):
        """The chosen target, moved to the plane: KL divergences are the same on both sides."""
        z = onto_box.forward(x)
        log_p = tf.gather([log_p(z) for log_p in targets.values()], chosen)
        return log_p + onto_box.forward_log_det_jacobian(x, event_ndims=1)

    model = tff.models.ReverseKLModel(flow, target_log_prob, path_gradient=True, seed=options.seed)
    num_steps = options.epochs * options.steps
    decay = keras.optimizers.schedules.CosineDecay(learning_rate, num_steps)
    model.compile(
        keras.optimizers.Adam(decay, global_clipnorm=None if has_networks else 1.0),
        jit_compile=not options.quick,
        steps_per_execution=1 if options.quick else 10,
    )
    model.optimizer.build(model.trainable_variables)
    start = tff.models.Snapshot(model, model.optimizer)
    log_prob = tf.function(
        tfd.TransformedDistribution(flow, onto_box).log_prob, [tf.TensorSpec([None, 2])]
    )
    annealing = tff.models.BetaAnnealing(num_steps=num_steps // 2)
    trained = {}
    for index, name in enumerate(targets):
        print(f"\n{name}, {family}, {num_layers} layers")
        start.restore()
        chosen.assign(index)
        model.fit(callbacks=[annealing], **fit_settings(options))
        trained[name] = tff.models.Snapshot(flow).bind(log_prob)
    return trained, count_parameters(flow)


if __name__ == "__main__":
    main()
