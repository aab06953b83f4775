"""Which share of a step of `fit` is spent waiting for data?

    python benchmarks/input_pipeline.py --data-dir DIR [--quick] [--output FILE.md]

A variational autoencoder with 16 planar layers, compiled by XLA, on the binarized MNIST of TFDS,
which lies (or can be prepared) in DIR; `--quick` has a small one on the binarized digits that the
package brings. It is fed by `datasets.load`, and by the same pipeline without prefetching, without
the cache, and without both. Beside them a single batch in memory, again and again: data for free.

How to read it: a step is the time of a whole epoch over its steps, the start of the epoch and
the filling of the shuffle buffer included; all pipelines take epochs in turns. What a step takes
longer than with data for free is waiting, and its share is given; differences of a few percent are
the noise of the machine. "alone" is the time for a batch when nothing else is done with it: with
prefetching, that runs beside the step where a core is free.
"""

import argparse
import time
from collections.abc import Callable, Sequence

from common import Report, parse_options

# isort: split
import keras
import tensorflow as tf
import tensorflow_datasets as tfds
from harness.timing import alternate

import tfp_flows as tff

FREE = "a batch in memory"


class Settings:
    """Sizes and repetitions of a run; `--quick` has small ones."""

    def __init__(self, quick: bool):
        self.name = "binarized_digits" if quick else "binarized_mnist"
        # A fifth of the images, so that there is time for many epochs; each still starts anew.
        self.split = "train[:20%]"
        self.batch_size = 64 if quick else 100
        self.latents, self.hidden, self.num_layers = (2, 8, 2) if quick else (40, 400, 16)
        self.jit = not quick
        self.rounds = 1 if quick else 20


def pipelines(settings: Settings, data_dir: str | None) -> dict[str, tf.data.Dataset]:
    """The loader's pipeline, the same without some of its parts, and one batch for ever."""
    loaded = tff.datasets.load(
        settings.name, settings.split, settings.batch_size, data_dir, seed=0, drop_remainder=True
    )
    num_batches = int(loaded.cardinality())
    batch = next(iter(loaded))
    parts = {"no prefetch": ("cache",), "no cache": ("prefetch",), "neither": ()}
    return {
        FREE: tf.data.Dataset.from_tensors(batch).cache().repeat(num_batches),
        "datasets.load": loaded,
        **{name: by_hand(settings, data_dir, kept) for name, kept in parts.items()},
    }


def by_hand(settings: Settings, data_dir: str | None, parts: Sequence[str]) -> tf.data.Dataset:
    """What `datasets.load` does, with its cache and its prefetching if they are among `parts`."""
    dataset, info = tfds.load(
        settings.name,
        split=settings.split,
        data_dir=data_dir,
        download=False,
        with_info=True,
        read_config=tfds.ReadConfig(try_autocache=False, skip_prefetch=True),
    )
    dataset = dataset.map(lambda features: features["image"])
    if "cache" in parts:
        dataset = dataset.cache()
    dataset = dataset.shuffle(info.splits[settings.split].num_examples, seed=0)
    dataset = dataset.batch(settings.batch_size, drop_remainder=True)
    return dataset.prefetch(tf.data.AUTOTUNE) if "prefetch" in parts else dataset


def make_vae(settings: Settings, image_shape: Sequence[int]) -> tff.models.FlowVAE:
    """The model of `examples/vae_binarized_mnist.py`."""
    hidden, dense = settings.hidden, keras.layers.Dense
    encoder = keras.Sequential([keras.layers.Flatten(), dense(hidden, "elu"), dense(hidden, "elu")])
    size = tf.TensorShape(image_shape).num_elements()
    decoder = keras.Sequential(
        [dense(hidden, "elu"), dense(hidden, "elu"), dense(size), keras.layers.Reshape(image_shape)]
    )
    posterior = tff.flows.planar(settings.latents, settings.num_layers, context_size=hidden, seed=0)
    vae = tff.models.FlowVAE(encoder, decoder, posterior, seed=0)
    vae.compile(keras.optimizers.Adam(1e-4), jit_compile=settings.jit)
    return vae


class EpochTimer(keras.callbacks.Callback):
    """Keeps the milliseconds a step of the last epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self._start, self._steps = time.perf_counter(), 0

    def on_train_batch_end(self, batch, logs=None):
        self._steps += 1

    def on_epoch_end(self, epoch, logs=None):
        self.milliseconds = 1e3 * (time.perf_counter() - self._start) / self._steps


def fit_clock(vae: keras.Model, dataset: tf.data.Dataset) -> Callable[[int], list[float]]:
    """Milliseconds a step of each of some epochs."""

    def clock(num_runs):
        timer, times = EpochTimer(), []
        for _ in range(num_runs):
            vae.fit(dataset, verbose=0, callbacks=[timer])
            times.append(timer.milliseconds)
        return times

    return clock


def alone_clock(dataset: tf.data.Dataset) -> Callable[[int], list[float]]:
    """Milliseconds a batch of each of some passes that do nothing with the data."""

    def run():
        start = time.perf_counter()
        num_batches = sum(1 for _ in dataset)
        return 1e3 * (time.perf_counter() - start) / num_batches

    return lambda num_runs: [run() for _ in range(num_runs)]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-dir", metavar="DIR", help="where TFDS keeps its data")
    options = parse_options(__doc__, argv, parser)
    settings = Settings(options.quick)
    keras.utils.set_random_seed(0)
    datasets = pipelines(settings, options.data_dir)
    vae = make_vae(settings, datasets[FREE].element_spec.shape[1:])
    report = Report(
        options,
        f"`python benchmarks/input_pipeline.py`: {settings.name}, {settings.split}, batches of "
        f"{settings.batch_size}, medians of {settings.rounds} epochs in turns; "
        f"{tff.diagnostics.describe_machine()}.",
    )
    clocks = {name: fit_clock(vae, dataset) for name, dataset in datasets.items()}
    steps = alternate(clocks, settings.rounds, warm_up=1)
    alone = alternate({n: alone_clock(d) for n, d in datasets.items()}, settings.rounds, warm_up=1)
    free = steps[FREE]
    rows = [
        (name, alone[name], step, step - free, max(0.0, 1.0 - free / step))
        for name, step in steps.items()
    ]
    report.table(
        "",
        "Milliseconds a batch: read alone, a step of `fit`, what of it is waiting, and its share.",
        ("pipeline", "alone", "step of fit", "waiting", "share"),
        rows,
    )
    report.dots(
        "",
        {name: {"step of fit": steps[name], "batch alone": alone[name]} for name in datasets},
        x_label="milliseconds",
    )


if __name__ == "__main__":
    main()
