"""A variational autoencoder on binarized digits: what does a flow as its posterior gain?

    python examples/vae_binarized_mnist.py --compare
    python examples/vae_binarized_mnist.py --dataset binarized_mnist --posterior planar

The experiment of Rezende and Mohamed (2015), arXiv:1505.05770, section 6.2. The default data set
needs no download; `binarized_mnist` is the real one, from TensorFlow Datasets.
"""

import argparse
import time

from common import output_folder, silence

with silence():
    import keras

    import tfp_flows as tff
    from tfp_flows import plotting

# What each data set is trained with; every entry is an option, too.
SETTINGS = {
    "binarized_digits": {
        "latents": 2, "hidden": 128, "epochs": 40, "steps": 60, "batch_size": 64,
        "num_layers": 8, "learning_rate": 2e-3, "warmup": 0,
    },
    "binarized_mnist": {
        "latents": 40, "hidden": 400, "epochs": 60, "steps": 500, "batch_size": 100,
        "num_layers": 16, "learning_rate": 1e-3, "warmup": 0,
    },
}  # fmt: skip
QUICK = {"hidden": 16, "epochs": 2, "steps": 3, "num_layers": 2, "importance_samples": 5}
POSTERIORS = ("none", "planar", "radial", "nice", "real_nvp")
COMPARED = ("none", "planar", "radial", "real_nvp")


def main() -> None:
    options = parse_options()
    load = {"name": options.dataset, "data_dir": options.data_dir}
    train = tff.datasets.load(
        split="train", batch_size=options.batch_size, seed=options.seed, repeat=True, **load
    )
    validation = tff.datasets.load(split="validation", batch_size=250, **load)
    test = tff.datasets.load(split="test", batch_size=250, **load)
    images = next(iter(test))[:10].numpy()

    names = COMPARED if options.compare else [options.posterior]
    rows, histories, pictures = [], {}, {"data": images}
    for name in names:
        print(f"\n{name}: {options.epochs} epochs of {options.steps} steps")
        keras.utils.set_random_seed(options.seed)
        start = time.perf_counter()
        vae = make_vae(name, images.shape[1:], options)
        vae.compile(keras.optimizers.Adam(options.learning_rate), jit_compile=options.jit)
        histories[name] = vae.fit(
            train,
            epochs=options.epochs,
            steps_per_epoch=options.steps,
            validation_data=validation,
            callbacks=[keras.callbacks.LearningRateScheduler(late_decay(options))],
            shuffle=False,
            verbose=options.verbose,
        )
        seconds = time.perf_counter() - start
        neg_elbo = vae.evaluate(test, verbose=0, return_dict=True)["neg_elbo"]
        log_prob = vae.importance_log_prob(test, options.importance_samples, seed=0).mean()
        size = sum(v.shape.num_elements() for v in vae.posterior.variables)
        rows.append((name, size, neg_elbo, -log_prob, seconds))
        pictures[f"{name}: reconstructions"] = vae.reconstruct(images, seed=0)
        pictures[f"{name}: samples"] = vae.sample(10, seed=0, mean=True)

    print(f"\n{options.dataset}, seed {options.seed}, nats per image")
    print(f"{'posterior':<10}{'parameters':>12}{'test -ELBO':>12}{'-log p':>9}{'seconds':>9}")
    for name, size, neg_elbo, log_prob, seconds in rows:
        print(f"{name:<10}{size:>12,}{neg_elbo:>12.2f}{log_prob:>9.2f}{seconds:>9.0f}")
    for name, figure in {
        "vae_learning_curves.png": plotting.learning_curves(histories, metric="neg_elbo"),
        "vae_images.png": plotting.image_rows(pictures),
    }.items():
        print(plotting.save(figure, options.output / name))


def make_vae(posterior, image_shape, options):
    """Two hidden layers either way; the last of the encoder is the posterior's context."""
    hidden, latents, num_layers = options.hidden, options.latents, options.num_layers
    encoder = keras.Sequential(
        [keras.layers.Flatten()] + [keras.layers.Dense(hidden, "elu") for _ in range(2)]
    )
    decoder = keras.Sequential(
        [keras.layers.Dense(hidden, "elu") for _ in range(2)]
        + [keras.layers.Dense(image_shape[0] * image_shape[1]), keras.layers.Reshape(image_shape)]
    )
    if posterior == "none":
        posterior = tff.distributions.ConditionalGaussian(latents, context_size=hidden)
    else:
        recipe = getattr(tff.flows, posterior)
        posterior = recipe(latents, num_layers=num_layers, context_size=hidden)
    prior = tff.distributions.standard_normal(latents)
    return tff.models.FlowVAE(
        encoder, decoder, posterior, prior, beta_warmup_steps=options.warmup, seed=options.seed
    )


def late_decay(options):
    """A constant learning rate that falls linearly over the last 30 % of the epochs."""
    return lambda epoch: (
        options.learning_rate * min(1.0, (options.epochs - epoch) / (0.3 * options.epochs))
    )


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dataset", choices=SETTINGS, default="binarized_digits")
    parser.add_argument("--posterior", choices=POSTERIORS, default="planar")
    parser.add_argument("--compare", action="store_true", help=f"train {', '.join(COMPARED)}")
    parser.add_argument("--quick", action="store_true", help="a few steps, to see that it runs")
    for name, value in SETTINGS["binarized_digits"].items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value))
    parser.add_argument("--importance-samples", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jit", action="store_true", help="compile the steps with XLA")
    parser.add_argument("--verbose", type=int, choices=(0, 1, 2), default=1)
    parser.add_argument("--data-dir", help="where TensorFlow Datasets keeps its data")
    parser.add_argument("--output", type=output_folder, default="outputs", metavar="DIR")
    options = parser.parse_args()
    defaults = {"importance_samples": 200} | SETTINGS[options.dataset]
    for name, value in (defaults | (QUICK if options.quick else {})).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


if __name__ == "__main__":
    main()
