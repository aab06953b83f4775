"""Digits of which one half is hidden, completed by a flow that was trained on whole digits.

Hamiltonian Monte Carlo draws the hidden pixels from their exact conditional distribution under the
flow: a first stage in the flow's latent space finds where to begin. Completions are as likely as
the digits themselves; a random fill is not. NICE (Dinh et al. 2014), arXiv:1410.8516, section 5.2,
fills in by gradient ascent with noise; the sampler is that of Neal (2011), arXiv:1206.1901.

    python examples/completion.py [--quick] [--seed 0] [--output DIR]
"""

import time

from common import load_digits, parse_options, report, silence

with silence():
    import keras
    import numpy as np
    import tensorflow_probability as tfp

    import tfp_flows as tff
    from tfp_flows import plotting

FULL = {
    "epochs": 40, "batch_size": 128, "learning_rate": 2e-3, "layers": 8, "hidden": 128,
    "images": 10, "chains": 8, "adaptation": 400, "results": 200, "thinning": 3, "draws": 16,
}  # fmt: skip
QUICK = {
    "epochs": 1, "batch_size": 1297, "layers": 1, "hidden": 8, "images": 2, "chains": 2,
    "adaptation": 4, "results": 4, "thinning": 0, "draws": 2,
}  # fmt: skip
HALVES = {"lower": np.s_[4:, :], "upper": np.s_[:4, :], "left": np.s_[:, :4], "right": np.s_[:, 4:]}
HEADER = (
    "hidden half", "digits", "completed", "pixels alone", "random", "acceptance", "R-hat", "99 %"
)  # fmt: skip
SHOWN = ("lower", "left")  # in the picture, with three completions each


def main(argv: list[str] | None = None) -> None:
    options = parse_options(__doc__, FULL, QUICK, argv)
    keras.utils.set_random_seed(options.seed)
    train, validation, test = (load_digits(split) for split in ("train", "validation", "test"))
    density = fit(train, validation, options)

    def log_prob(images):
        """Mean log P of images, `[..., 8, 8, 1]`, in nats."""
        images = np.reshape(images, [-1, 8, 8, 1])
        return np.mean(density.log_prob(images, seed=[0, 0], num_samples=options.draws))

    # All four halves at once: [4, images, 8, 8, 1].
    x = np.stack([test[: options.images]] * len(HALVES))
    observed = np.ones(x.shape, bool)
    for mask, hidden in zip(observed, HALVES.values(), strict=True):
        mask[(slice(None), *hidden)] = False
    start = time.perf_counter()
    result = tff.inference.complete(
        density, x, observed, num_chains=options.chains, num_results=options.results,
        num_adaptation_steps=options.adaptation, num_steps_between_results=options.thinning,
        num_stages=min(8, options.adaptation), jit_compile=not options.quick, seed=options.seed,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    # For comparison: each hidden pixel from a training digit of its own; and any levels.
    rng = np.random.default_rng(options.seed)
    sources = rng.integers(len(train), size=[options.chains, *x.shape])
    alone = np.take_along_axis(train[:, np.newaxis], sources.reshape([-1, 1, *x.shape[2:]]), axis=0)
    alone = np.where(observed, x, alone.reshape(sources.shape))
    random = np.where(observed, x, rng.integers(17, size=sources.shape))

    rows, pictures = [], {"digit": x[0]}
    for k, name in enumerate(HALVES):
        likely = [log_prob(v[..., k, :, :, :, :]) for v in (x, result.samples[-1], alone, random)]
        r_hat = result.potential_scale_reduction[k].numpy()[~observed[k]]
        rows.append(
            (name, *(f"{value:.4g}" for value in likely),
             f"{np.mean(result.acceptance_rate[k]):.2f}", f"{np.median(r_hat):.3f}",
             f"{np.quantile(r_hat, 0.99):.2f}")
        )  # fmt: skip
        if name in SHOWN:
            pictures[f"{name} half hidden"] = np.where(observed[k], x[k], 5)
            for chain in range(min(3, options.chains)):
                pictures[f"completion {chain + 1}, {name}"] = result.samples[-1, chain, k]
            pictures[f"pixels alone, {name}"] = alone[0, k]

    title = (
        f"mean log P of {options.images} digits in nats; {options.chains} chains of "
        f"{options.results} draws for each, {seconds:.0f} seconds; seed {options.seed}"
    )
    report(options, title, HEADER, rows)
    figure = plotting.image_rows({label: v / 16 for label, v in pictures.items()})
    print(plotting.save(figure, options.output / "completion.png"))


def fit(train, validation, options):
    """RealNVP on 64 numbers, for HMC takes many gradients; uniform noise on the integers."""
    shape = train.shape[1:]
    flow = tff.flows.real_nvp(
        64, num_layers=options.layers, hidden_units=[options.hidden] * 2, seed=options.seed
    )
    flow = tfp.distributions.TransformedDistribution(flow, tfp.bijectors.Reshape(shape, [64]))
    density = tff.distributions.Dequantized(flow, num_levels=17, logit=True)
    model = tff.models.DensityModel(density)
    steps = options.epochs * -(-len(train) // options.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(options.learning_rate, steps)
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=1e-3),
        jit_compile=False,
        run_eagerly=options.quick,
    )
    model.fit(
        train,
        batch_size=options.batch_size,
        epochs=options.epochs,
        validation_data=validation,
        verbose=options.verbose,
    )
    return density


if __name__ == "__main__":
    main()
