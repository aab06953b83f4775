"""A variational autoencoder on binarized digits: what does a flow as its posterior gain?

    python examples/vae_binarized_mnist.py --compare
    python examples/vae_binarized_mnist.py --dataset binarized_mnist --posterior planar

The experiment of Rezende and Mohamed (2015), arXiv:1505.05770, section 6.2. The default data set
needs no download; `binarized_mnist` is the real one, from TensorFlow Datasets.
"""

import argparse
import time

from common import parse_options, report, silence

with silence():
    import keras

    import tfp_flows as tff
    from tfp_flows import plotting

# What each data set is trained with; every entry is an option, too.
SETTINGS = {
    "binarized_digits": {
        "latents": 2, "hidden": 128, "epochs": 40, "steps": 60, "batch_size": 64,
        "num_layers": 8, "learning_rate": 2e-3, "warmup": 0, "dropout": 0.0,
        "decay": 0.3, "importance_samples": 200,
    },
    "binarized_mnist": {
        "latents": 40, "hidden": 400, "epochs": 60, "steps": 500, "batch_size": 100,
        "num_layers": 16, "learning_rate": 1e-3, "warmup": 0, "dropout": 0.0,
        "decay": 0.3, "importance_samples": 200,
    },
}  # fmt: skip
QUICK = {"hidden": 16, "epochs": 2, "steps": 3, "num_layers": 2, "importance_samples": 5}
POSTERIORS = ("none", "planar", "radial", "nice", "real_nvp")
COMPARED = ("none", "planar", "radial", "real_nvp")


def main(argv: list[str] | None = None) -> None:
    options = parse(argv)
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
        rows.append((name, f"{size:,}", f"{neg_elbo:.2f}", f"{-log_prob:.2f}", f"{seconds:.0f}"))
        pictures[f"{name}: reconstructions"] = vae.reconstruct(images, seed=0)
        pictures[f"{name}: samples"] = vae.sample(10, seed=0, mean=True)

    report(
        options,
        f"{options.dataset}, seed {options.seed}, nats per image",
        ("posterior", "parameters", "test -ELBO", "-log p", "seconds"),
        rows,
    )
    figure = plotting.stacked(
        [plotting.learning_curves(histories, metric="neg_elbo"), plotting.image_rows(pictures)]
    )
    print(plotting.save(figure, options.output / "vae_binarized_mnist.png"))


def make_vae(posterior, image_shape, options):
    """Two hidden layers either way; the last of the encoder is the posterior's context."""
    hidden, latents, num_layers = options.hidden, options.latents, options.num_layers

    def hidden_layers():
        for _ in range(2):
            yield keras.layers.Dense(hidden, "elu")
            yield keras.layers.Dropout(options.dropout)

    encoder = keras.Sequential([keras.layers.Flatten(), *hidden_layers()])
    size = image_shape[0] * image_shape[1]
    decoder = keras.Sequential(
        [*hidden_layers(), keras.layers.Dense(size), keras.layers.Reshape(image_shape)]
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
    """A constant learning rate that falls linearly over the last epochs, a share `decay` of all."""
    last = options.decay * options.epochs
    return lambda epoch: options.learning_rate * min(1.0, (options.epochs - epoch) / last)


def parse(argv):
    # The data set decides on the defaults of the other options.
    first = argparse.ArgumentParser(add_help=False)
    first.add_argument("--dataset", choices=SETTINGS, default="binarized_digits")
    settings = SETTINGS[first.parse_known_args(argv)[0].dataset]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0], parents=[first])
    parser.add_argument("--posterior", choices=POSTERIORS, default="planar")
    parser.add_argument("--compare", action="store_true", help=f"train {', '.join(COMPARED)}")
    parser.add_argument("--jit", action="store_true", help="compile the steps with XLA")
    parser.add_argument("--data-dir", help="where TensorFlow Datasets keeps its data")
    return parse_options(__doc__, settings, QUICK, argv, parser)


if __name__ == "__main__":
    main()
