"""Flows of grey digits: bits per dimension, samples, paths, and why integers are dequantized.

RealNVP and Glow with uniform and with variational noise on the integers; samples at temperatures
(Kingma and Dhariwal 2018, arXiv:1807.03039) and arcs between latents (Dinh et al. 2016,
arXiv:1605.08803). And an autoregressive mixture of Gaussians, with noise and without: a density of
integers alone grows without bound, below zero bits (Uria et al. 2013, arXiv:1306.0186; Theis et
al. 2015, arXiv:1511.01844). The digits of scikit-learn, 8 x 8 with 17 levels, need no download;
MNIST is downloaded by TensorFlow Datasets, or has to be where that looks for it.

    python examples/mnist_flow.py [--quick] [--seed 0] [--output DIR]
    python examples/mnist_flow.py --dataset mnist --epochs 3    # a CPU, hours
    python examples/mnist_flow.py --dataset mnist --epochs 100 --channels 96 --steps 16    # a GPU
"""

import time

from common import count_parameters, parse_options, report, silence

with silence():
    import keras
    import numpy as np
    import tensorflow as tf
    import tensorflow_probability as tfp

    import tfp_flows as tff
    from tfp_flows import plotting

FULL = {
    "dataset": "digits", "models": "RealNVP Glow mixture", "epochs": 40, "mixture_epochs": 250,
    "batch_size": 128, "channels": 32, "couplings": 2, "steps": 4, "hidden": 128, "draws": 16,
}  # fmt: skip
QUICK = {
    "models": "Glow mixture", "epochs": 1, "mixture_epochs": 2, "batch_size": 1297, "channels": 2,
    "couplings": 1, "steps": 1, "hidden": 4, "draws": 2,
}  # fmt: skip
# Levels of grey, and the splits to train, to watch and to report on.
DATASETS = {
    "digits": (17, ("train", "validation", "test")),
    "mnist": (256, ("train[:55000]", "train[55000:]", "test")),
}
HEADER = ("model", "noise", "weights", "train", "test, 1 draw", "test, all draws", "seconds")


def main(argv: list[str] | None = None) -> None:
    options = parse_options(__doc__, FULL, QUICK, argv)
    options.levels, splits = DATASETS[options.dataset]
    train, validation, test = (
        tff.datasets.load(options.dataset, split, batch_size=size, seed=options.seed)
        for split, size in zip(splits, (options.batch_size, 250, 250), strict=True)
    )
    images = next(iter(test))

    rows, curves, shown = [], {}, {}
    for name in options.models.split():
        for noise in ("uniform", "none" if name == "mixture" else "variational"):
            print(f"\n{name}, noise: {noise}")
            keras.utils.set_random_seed(options.seed)
            density = make_density(name, noise, images.shape[1:], options)
            if name == "Glow":
                tff.flows.initialize(density, next(iter(train)))
            draws, data = (1, options.draws), [train, validation, test]
            if noise == "none":  # the integers themselves as numbers
                draws, data = (None, None), [x.map(lambda x: tf.cast(x, "float32")) for x in data]
            start = time.perf_counter()
            history = fit(name, density, *data[:2], options)
            seconds = time.perf_counter() - start
            bits = [tff.diagnostics.bits_per_dim(density, data[2], num_samples=n) for n in draws]
            bits = [f"{value:.3f}" for value in (history["bits_per_dim"][-1], *bits)]
            rows.append((name, noise, f"{count_parameters(density):,}", *bits, f"{seconds:.0f}"))
            if name == "mixture":
                bits = history["val_bits_per_dim"]
                curves[f"noise: {noise}"] = (np.arange(len(bits)) + 1, bits)
            elif noise == "variational":
                for t in (0.5, 0.7, 1.0):
                    cooler = tff.inference.at_temperature(density, t)
                    shown[f"{name}, T = {t}"] = cooler.sample(10, seed=options.seed)
                path = tff.inference.interpolate(density, images[:3], images[4:7], num_points=10)
                shown |= {f"{name}, path {k + 1}": path[:, k] for k in range(3)}

    title = (
        f"{options.dataset}, {options.epochs} epochs, mixtures {options.mixture_epochs}, seed "
        f"{options.seed}; bits per dimension, the bound with 1 draw and with {options.draws} draws"
    )
    report(options, title, HEADER, rows)
    shown = {label: images / (options.levels - 1) for label, images in shown.items()}
    figures = [plotting.image_rows(shown)] if shown else []
    if curves:
        y_label = "bits per dimension of the mixture, validation"
        limit = {"less is impossible": 0.0}
        figures.append(plotting.lines(curves, x_label="epoch", y_label=y_label, references=limit))
    print(plotting.save(plotting.stacked(figures), options.output / "mnist_flow.png"))


def make_density(name, noise, shape, options):
    """The integers' distribution; without noise, a density that is only ever asked at integers."""
    size, seed = int(np.prod(shape)), options.seed
    if name == "mixture":
        # Without a floor under its scales, so that nothing but the data bounds the density.
        settings = {"hidden_units": [options.hidden] * 2, "min_scale": 0.0, "seed": seed}
        mixture = tff.distributions.autoregressive_base(size, **settings)
        half = 0.5 if noise == "uniform" else 0.5 * options.levels
        as_images = tfp.bijectors.Reshape(shape, [size])
        density = tfp.bijectors.Shift(half)(tfp.bijectors.Scale(half)(as_images))(mixture)
        return tff.distributions.Dequantized(density, options.levels) if half == 0.5 else density
    settings = {"hidden_channels": options.channels, "seed": seed}
    if name == "Glow":
        flow = tff.flows.glow(shape, num_steps=options.steps, **settings)
    else:
        flow = tff.flows.real_nvp_image(shape, num_couplings=options.couplings, **settings)
    if noise == "variational":
        noise = tff.flows.real_nvp(size, 4, hidden_units=[64], context_size=size, seed=seed)
    return tff.distributions.Dequantized(flow, options.levels, noise, logit=True)


def fit(name, density, train, validation, options):
    """Adam with a falling rate."""
    epochs = options.mixture_epochs if name == "mixture" else options.epochs
    steps = epochs * train.cardinality().numpy()
    rate = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    if name == "mixture":  # How narrow a density can get depends on how short the steps are.
        rate = keras.optimizers.schedules.ExponentialDecay(1e-2, steps, 1e-3)
    model = tff.models.DensityModel(density)
    adam = keras.optimizers.Adam(rate, clipnorm=100.0)
    model.compile(adam, jit_compile=False, run_eagerly=options.quick)
    fitted = model.fit(train, epochs=epochs, validation_data=validation, verbose=options.verbose)
    return fitted.history


if __name__ == "__main__":
    main()
