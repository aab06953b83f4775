"""Which images are no digits? The likelihood of a flow is a bad judge; two other scores beside it.

Flows of digits, and of patches of photographs, judge other images by three scores: the likelihood
alone, which likes smooth images better than those it was trained on (Nalisnick et al. 2018,
arXiv:1810.09136); typicality (Nalisnick et al. 2019, arXiv:1906.02994); and the likelihood ratio to
a background flow, trained on images of which some pixels are replaced (Ren et al. 2019,
arXiv:1906.02845). No score is best everywhere, and each of them fails somewhere.

    python examples/outliers.py [--quick] [--seed 0] [--output DIR]
"""

from common import load_digits, parse_options, report, silence

with silence():
    import keras
    import numpy as np
    import tensorflow as tf
    import tensorflow_probability as tfp

    import tfp_flows as tff
    from tfp_flows import plotting

FULL = {
    "steps": 500, "batch_size": 128, "learning_rate": 2e-3, "layers": 8, "hidden": 128,
    "patches": 4096, "mutation_rate": 0.2, "draws": 8,
}  # fmt: skip
QUICK = {"steps": 1, "batch_size": 512, "layers": 2, "hidden": 8, "patches": 512, "draws": 1}
NUM_LEVELS = 17
NUM_TESTED = 250
LOWEST = -300.0  # nats; what is below is drawn there
HEADER = ("trained on", "other images", "median log p", "likelihood", "typicality", "ratio")
# Whose log-densities the picture shows, beside those of the test set.
COMPARED = {
    "digits": ("low contrast", "blends", "upside down"),
    "photographs": ("constant", "low contrast", "ramps"),
}
SHOWN = 18  # images of each set in the picture


def main(argv: list[str] | None = None) -> None:
    options = parse_options(__doc__, FULL, QUICK, argv)
    digits = {split: load_digits(split) for split in ("train", "validation", "test")}
    patches = {
        "train": tff.datasets.photographs(options.patches, "train", seed=options.seed),
        "validation": tff.datasets.photographs(NUM_TESTED, "test", seed=options.seed + 1),
        "test": tff.datasets.photographs(NUM_TESTED, "test", seed=options.seed + 2),
    }
    plain = tff.datasets.plain_images(NUM_TESTED, [8, 8, 1], NUM_LEVELS, seed=options.seed)
    rows, shown, panels = [], {}, {}
    for name, own, other in (
        ("digits", digits, {"photographs": patches["test"]}),
        ("photographs", patches, {"digits": digits["test"]}),
    ):
        spoiled = tff.datasets.spoiled(own["test"], NUM_LEVELS, seed=options.seed)
        sets = {name: own["test"], **other, **spoiled, **plain}
        log_prob, background = train_pair(name, own["train"], options)
        nats = {label: log_prob(images) for label, images in sets.items()}
        reference = log_prob(own["validation"])
        scores = {k: judge(nats[k], reference, background(x)) for k, x in sets.items()}
        own_scores = scores.pop(name)
        for label, other_scores in scores.items():
            aurocs = map(tff.diagnostics.auroc, own_scores, other_scores)
            median = np.median(nats[label])
            rows.append((name, label, f"{median:.4g}", *(f"{value:.2f}" for value in aurocs)))
        panels[f"trained on {name}: log p, nats"] = {
            label: np.maximum(nats[label], LOWEST) for label in (name, *COMPARED[name])
        }
        shown[name] = own["test"]
        shown |= {f"{name}, {label}": images for label, images in spoiled.items()}

    title = (
        f"AUROC of three scores, {NUM_TESTED} images of each kind, {options.steps} steps, seed "
        f"{options.seed}; 0.5 is a guess, below 0.5 others look better than test images"
    )
    report(options, title, HEADER, rows)
    images = {label: x[:SHOWN] / (NUM_LEVELS - 1) for label, x in (shown | plain).items()}
    figures = [plotting.histograms(panels, bins=40, num_columns=2), plotting.image_rows(images)]
    print(plotting.save(plotting.stacked(figures), options.output / "outliers.png"))


def train_pair(name, images, options):
    """The log-densities of a flow of the images, and of one of images with replaced pixels."""
    mutated = tff.datasets.mutate(
        np.concatenate([images] * 4), options.mutation_rate, NUM_LEVELS, seed=options.seed
    )
    print(f"\n{name}")
    log_prob = fit(images, options)
    print(f"\n{name}, {options.mutation_rate:.0%} of the pixels replaced: the background")
    return log_prob, fit(mutated, options)


def fit(images, options):
    """A RealNVP on 64 numbers; returns log P of integers, `[n, 8, 8, 1]`, in nats."""
    keras.utils.set_random_seed(options.seed)
    size, hidden = images[0].size, [options.hidden] * 2
    flow = tff.flows.real_nvp(size, options.layers, hidden_units=hidden, seed=options.seed)
    as_images = tfp.bijectors.Reshape(images.shape[1:], [size])
    flow = tfp.distributions.TransformedDistribution(flow, as_images)
    density = tff.distributions.Dequantized(flow, NUM_LEVELS, logit=True)
    model = tff.models.DensityModel(density)
    rate = keras.optimizers.schedules.CosineDecay(options.learning_rate, options.steps)
    adam = keras.optimizers.AdamW(rate, weight_decay=1e-3)
    model.compile(adam, run_eagerly=options.quick, jit_compile=False)
    data = tf.data.Dataset.from_tensor_slices(images).shuffle(len(images), seed=options.seed)
    data = data.repeat().batch(options.batch_size)
    epochs = min(10, options.steps)
    model.fit(data, epochs=epochs, steps_per_epoch=options.steps // epochs, verbose=options.verbose)
    return lambda x: density.log_prob(x, seed=[0, 0], num_samples=options.draws).numpy()


def judge(log_prob, reference, background):
    """The likelihood, typicality and ratio of events from log-densities; more is stranger."""
    return (
        -log_prob,
        tff.diagnostics.typicality(log_prob, reference),
        tff.diagnostics.likelihood_ratio(log_prob, background),
    )


if __name__ == "__main__":
    main()
