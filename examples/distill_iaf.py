"""Distillation: a flow that samples fast (IAF) learns from a flow that scores data fast (MAF).

A masked autoregressive flow scores in one pass and samples element by element; an inverse one
samples in one pass. The first is fitted to handwritten digits: 64 pixels, dequantized, as logits.
The second is then fitted to the density of the first, by reverse KL and without data. The table
has the KL between the two in nats, both ways, and how fast they sample.

    python examples/distill_iaf.py [--quick]

Van den Oord et al. (2017), Parallel WaveNet: Fast High-Fidelity Speech Synthesis, arXiv:1711.10433.
"""

from common import count_parameters, parse_options, report, silence

with silence():
    import keras
    import numpy as np
    import tensorflow_probability as tfp

    import tfp_flows as tff
    from tfp_flows import plotting

FULL = {
    "hidden": 128, "teacher_layers": 4, "teacher_epochs": 100, "teacher_rate": 1e-3,
    "student_layers": 6, "student_epochs": 30, "student_rate": 2e-3, "steps": 100,
    "batch_size": 512, "annealing": 500, "draws": 4000, "at_once": "1 1000", "repeats": 50,
}  # fmt: skip
QUICK = {
    "hidden": 63, "teacher_layers": 1, "teacher_epochs": 1, "student_layers": 1, "at_once": "1",
    "student_epochs": 2, "steps": 1, "batch_size": 4, "annealing": 2, "draws": 10, "repeats": 1,
}  # fmt: skip
LEVELS, PIXELS = 17, 64
HEADER = (
    "flow", "parameters", "test nats", "test bits/dim", "KL(student, teacher)",
    "KL(teacher, student)",
)  # fmt: skip


def main(argv: list[str] | None = None) -> None:
    options = parse_options(__doc__, FULL, QUICK, argv)
    keras.utils.set_random_seed(options.seed)
    settings = {"hidden_units": [options.hidden, options.hidden], "order": "random"}
    teacher = tff.flows.maf(PIXELS, options.teacher_layers, seed=options.seed, **settings)
    student = tff.flows.iaf(PIXELS, options.student_layers, seed=options.seed + 1, **settings)
    fit_teacher(teacher, options)
    kl = distill(student, teacher, options)

    test = pixels("test", options)
    rows, images = [], {"test set": test[:10]}
    for name, flow in {"MAF, the teacher": teacher, "IAF, the student": student}.items():
        density = tff.distributions.Dequantized(flow, LEVELS, logit=True)
        nats = -np.mean(density.log_prob(test, seed=options.seed))
        images[name] = density.sample(10, seed=options.seed).numpy()
        pairs = [(student, teacher), (teacher, student)]
        kls = [divergence(*pair, options) if flow is student else "0" for pair in pairs]
        scores = [f"{nats:.2f}", f"{nats / (PIXELS * np.log(2.0)):.3f}", *kls]
        rows.append([name, f"{count_parameters(flow):,}", *scores, *speeds(flow, options)])
    rows.append(["MAF by 64 whole passes", *rows[0][1:6], *speeds(whole_passes(teacher), options)])
    header = (*HEADER, *(f"samples/s, {number} at once" for number in options.at_once.split()))
    report(options, "A MAF of handwritten digits and its IAF, KL in nats", header, rows)

    steps = options.steps * np.arange(1, options.student_epochs + 1)
    curve = plotting.lines(
        {"KL(student, teacher)": (steps, kl)}, x_label="training steps of the student",
        y_label="KL in nats", references={"0.1 nats a pixel": 0.1 * PIXELS},
        log_y=min(kl) > 0.0,  # it is an estimate
    )  # fmt: skip
    rows_of_images = {k: np.reshape(v, [-1, 8, 8]) / (LEVELS - 1.0) for k, v in images.items()}
    figure = plotting.stacked([plotting.image_rows(rows_of_images), curve])
    print(plotting.save(figure, options.output / "distill_iaf.png"))


def pixels(split, options):
    """The integers of a split, `[n, 64]`."""
    images = tff.datasets.load("digits", split, batch_size=2000, seed=options.seed)
    return next(iter(images)).numpy().reshape(-1, PIXELS)


def fit_teacher(flow, options):
    """Maximum likelihood on the pixels, until the validation set gains no more."""
    model = tff.models.DensityModel(tff.distributions.Dequantized(flow, LEVELS, logit=True))
    model.compile(keras.optimizers.Adam(options.teacher_rate))
    model.fit(
        pixels("train", options), validation_data=(pixels("validation", options),),
        batch_size=100, steps_per_epoch=1 if options.quick else None,
        epochs=options.teacher_epochs, callbacks=[tff.models.EarlyStopping(patience=15)],
        verbose=options.verbose,
    )  # fmt: skip


def distill(student, teacher, options):
    """Reverse KL to the teacher; returns its mean over the draws of each epoch."""
    model = tff.models.ReverseKLModel(student, teacher.log_prob, seed=options.seed)
    num_steps = options.student_epochs * options.steps
    decay = keras.optimizers.schedules.CosineDecay(options.student_rate, num_steps)
    model.compile(keras.optimizers.Adam(decay))
    history = model.fit(
        epochs=options.student_epochs, steps_per_epoch=options.steps, batch_size=options.batch_size,
        callbacks=[tff.models.BetaAnnealing(options.annealing, start=0.1)], verbose=options.verbose,
    )  # fmt: skip
    return history.history["reverse_kl"]


def divergence(q, p, options):
    """KL(q || p) from draws of q, with its standard error."""
    kl = tff.diagnostics.sampled_kl(q, p.log_prob, options.draws, seed=options.seed)
    return f"{kl.value:.2f} ± {kl.standard_error:.2f}"


def whole_passes(maf):
    """The same MAF as of any network: it cannot compute one element alone, but only all of them."""
    layers = [
        tff.bijectors.Autoregressive(
            layer.transformer, lambda y, network=layer.conditioner: network(y), layer.order
        )
        for layer in maf.bijector.bijectors
    ]
    return tfp.distributions.TransformedDistribution(maf.distribution, tfp.bijectors.Chain(layers))


def speeds(flow, options):
    """Samples per second, for each number of samples that are drawn at once."""
    settings = {"num_repeats": options.repeats, "jit_compile": not options.quick}
    numbers = [int(number) for number in options.at_once.split()]
    speeds = [tff.inference.samples_per_second(flow, n, **settings) for n in numbers]
    return [f"{speed:,.0f}" for speed in speeds]


if __name__ == "__main__":
    main()
