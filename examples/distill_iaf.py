"""Distillation: a flow that samples fast (IAF) learns from a flow that scores data fast (MAF).

A masked autoregressive flow scores in one pass and samples element by element; an inverse one
samples in one pass. The first is fitted to handwritten digits: 64 pixels, dequantized, as logits.
The second is then fitted to the density of the first, by reverse KL and without data. The table
has the KL between the two in nats, both ways, and how fast they sample.

    python examples/distill_iaf.py [--quick]

Van den Oord et al. (2017), Parallel WaveNet: Fast High-Fidelity Speech Synthesis, arXiv:1711.10433.
"""

import time

from common import parse_options, report, silence

with silence():
    import keras
    import numpy as np
    import tensorflow as tf
    import tensorflow_probability as tfp

    import tfp_flows as tff
    from tfp_flows import plotting

FULL = {
    "hidden": 128, "teacher_layers": 4, "teacher_epochs": 100, "teacher_rate": 1e-3,
    "student_layers": 6, "student_epochs": 30, "student_rate": 2e-3, "steps": 100,
    "batch_size": 512, "annealing": 500, "draws": 4000, "repeats": 50,
}  # fmt: skip
QUICK = {
    "hidden": 63, "teacher_layers": 1, "teacher_epochs": 1, "student_layers": 1,
    "student_epochs": 2, "steps": 1, "batch_size": 4, "annealing": 2, "draws": 10, "repeats": 1,
}  # fmt: skip
LEVELS, PIXELS = 17, 64
# How many samples at once.
BATCHES = (1, 1000)
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
    taught = [variable.numpy() for variable in teacher.variables]
    kl = distill(student, teacher, options)
    if not all(map(np.array_equal, taught, [variable.numpy() for variable in teacher.variables])):
        raise RuntimeError("The distillation has changed the teacher.")

    test, batches = pixels("test", options), BATCHES[: 1 if options.quick else None]
    rows, images = [], {"test set": test[:10]}
    for name, flow in {"MAF, the teacher": teacher, "IAF, the student": student}.items():
        density = tff.distributions.Dequantized(flow, LEVELS, logit=True)
        nats = -np.mean(density.log_prob(test, seed=options.seed))
        images[name] = density.sample(10, seed=options.seed).numpy()
        is_student = flow is student
        rows.append(
            [
                name,
                f"{sum(v.shape.num_elements() for v in flow.trainable_variables):,}",
                f"{nats:.2f}",
                f"{nats / (PIXELS * np.log(2.0)):.3f}",
                divergence(student, teacher, options) if is_student else "0",
                divergence(teacher, student, options) if is_student else "0",
                *(f"{speed(flow, batch, options):,.0f}" for batch in batches),
            ]
        )
    whole = (f"{speed(whole_passes(teacher), batch, options):,.0f}" for batch in batches)
    rows.append(["MAF by 64 whole passes", *rows[0][1:6], *whole])
    header = (*HEADER, *(f"samples/s, {batch} at once" for batch in batches))
    report(options, "A MAF of handwritten digits and its IAF, KL in nats", header, rows)
    steps = options.steps * np.arange(1, options.student_epochs + 1)
    curve = plotting.lines(
        {"KL(student, teacher)": (steps, kl)},
        x_label="training steps of the student",
        y_label="KL in nats",
        log_y=min(kl) > 0.0,  # it is an estimate
        references={"0.1 nats a pixel": 0.1 * PIXELS},
    )
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
        pixels("train", options),
        batch_size=100,
        epochs=options.teacher_epochs,
        steps_per_epoch=1 if options.quick else None,
        validation_data=(pixels("validation", options),),
        callbacks=[tff.models.EarlyStopping(patience=15)],
        verbose=options.verbose,
    )


def distill(student, teacher, options):
    """Reverse KL to the teacher; returns its mean over the draws of each epoch."""
    model = tff.models.ReverseKLModel(student, teacher.log_prob, seed=options.seed)
    num_steps = options.student_epochs * options.steps
    decay = keras.optimizers.schedules.CosineDecay(options.student_rate, num_steps)
    model.compile(keras.optimizers.Adam(decay))
    history = model.fit(
        epochs=options.student_epochs,
        steps_per_epoch=options.steps,
        batch_size=options.batch_size,
        callbacks=[tff.models.BetaAnnealing(options.annealing, start=0.1)],
        verbose=options.verbose,
    )
    return history.history["reverse_kl"]


def divergence(q, p, options):
    """KL(q || p) from draws of q, with its standard error."""
    x, log_q = q.experimental_sample_and_log_prob(options.draws, seed=options.seed)
    log_ratio = log_q - p.log_prob(tf.identity(x))  # no bijector is to look into its cache
    return f"{np.mean(log_ratio):.2f} ± {np.std(log_ratio) / options.draws**0.5:.2f}"


def whole_passes(maf):
    """The same MAF as of any network: it cannot compute one element alone, but only all of them."""
    layers = [
        tff.bijectors.Autoregressive(
            layer.transformer, lambda y, network=layer.conditioner: network(y), layer.order
        )
        for layer in maf.bijector.bijectors
    ]
    return tfp.distributions.TransformedDistribution(maf.distribution, tfp.bijectors.Chain(layers))


def speed(flow, batch, options):
    """Samples per second: the median of repeated draws, compiled and warm."""
    forward = tf.function(flow.bijector.forward, jit_compile=not options.quick, autograph=False)

    # The noise of the base is drawn outside of XLA, which takes 20 times as long for it on CPUs.
    @tf.function(autograph=False)
    def draw(seed):
        return forward(flow.distribution.sample(batch, seed=seed))

    seconds = []
    for k in range(options.repeats + 1):
        start = time.perf_counter()
        draw(tf.constant([options.seed, k])).numpy()
        seconds.append(time.perf_counter() - start)
    return batch / np.median(seconds[1:])  # the first one compiles


if __name__ == "__main__":
    main()
