"""The table of Rezende and Mohamed: what do K planar layers gain on the real binarized MNIST?

    python examples/rezende_mohamed.py --posterior planar --num-layers 80 --data-dir DATA
    python examples/rezende_mohamed.py --collect --runs examples/results/rezende_mohamed

Each row is a training of its own, of an hour or two; broken off and started again, it goes on after
its last epoch, on another machine, too. `--split train+validation` trains on all 60,000 images that
are not for the test, which leaves none to choose an epoch by: the last is taken. `--collect` puts
the rows that are done, those in examples/results/rezende_mohamed/ for example, beside the paper's,
which took 500,000 updates: Figure 4 of arXiv:1505.05770 (K = 0: a Gaussian posterior).
"""

import argparse
import json
import math
import pathlib

from common import parse_options, report, silence

with silence():
    import keras
    import numpy as np
    import tensorflow as tf
    from resumable import fit_resumably, read_log
    from vae_binarized_mnist import late_decay, make_vae

    import tfp_flows as tff
    from tfp_flows import plotting

FULL = {
    "posterior": "planar", "num_layers": 80, "latents": 40, "hidden": 400, "dropout": 0.0,
    "split": "train", "epochs": 200, "steps": 500, "batch_size": 100, "learning_rate": 1e-3,
    "warmup": 0, "weight_decay": 0.0, "decay": 0.3,
    "importance_samples": 200, "steps_per_execution": 20, "threads": 0,
}  # fmt: skip
QUICK = {
    "num_layers": 2, "latents": 2, "hidden": 8, "epochs": 2, "steps": 2, "batch_size": 8,
    "importance_samples": 2, "steps_per_execution": 1,
}  # fmt: skip
# Free energy and -log p in nats, as published.
PAPER = {
    ("none", 0): (96.74, 89.9), ("planar", 10): (93.57, 87.5), ("planar", 20): (91.98, 86.5),
    ("planar", 40): (90.64, 85.7), ("planar", 80): (89.60, 85.1), ("nice", 10): (math.nan, 88.6),
    ("nice", 20): (math.nan, 87.9), ("nice", 40): (math.nan, 87.3), ("nice", 80): (math.nan, 87.2),
}  # fmt: skip
VALIDATION = "val_neg_elbo"
# What rows may differ in.
SETTINGS = ("posterior", "num_layers", "warmup", "dropout", "weight_decay", "decay", "split")
HEADER = (
    "posterior", "warm-up", "dropout", "weight decay", "decay", "trained on", "updates", "hours",
    "epoch", "-ELBO", "-log p", "paper: -ELBO", "paper: -log p",
)  # fmt: skip


def main(argv: list[str] | None = None) -> None:
    options = parse(argv)
    if not options.collect:
        settings = {name: getattr(options, name) for name in SETTINGS}
        parts = map(str, (*settings.values(), options.epochs))
        train(options, settings, options.runs / "_".join(parts))
    collect(options)


def train(options, settings, folder):
    """Trains one row, or the rest of it, and writes what it reached to `folder`."""
    if options.threads:
        tf.config.threading.set_intra_op_parallelism_threads(options.threads)
        tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    name = "binarized_digits" if options.quick else "binarized_mnist"
    load = {"name": name, "data_dir": options.data_dir}
    data = tff.datasets.load(
        split=options.split, batch_size=options.batch_size, seed=options.seed, repeat=True, **load
    )
    validation, test = (
        tff.datasets.load(split=split, batch_size=250, **load) for split in ("validation", "test")
    )
    is_validated = "validation" not in options.split
    keras.utils.set_random_seed(options.seed)
    posterior = options.posterior if options.num_layers else "none"
    vae = make_vae(posterior, next(iter(test)).shape[1:], options)
    vae.compile(
        keras.optimizers.Adam(options.learning_rate, weight_decay=options.weight_decay or None),
        jit_compile=not options.quick,
        steps_per_execution=options.steps_per_execution,
    )
    log, machines = fit_resumably(
        vae,
        folder,
        data,
        epochs=options.epochs,
        steps_per_epoch=options.steps,
        validation_data=validation if is_validated else None,
        monitor=VALIDATION if is_validated else None,
        callbacks=[keras.callbacks.LearningRateScheduler(late_decay(options))],
        shuffle=False,
        verbose=options.verbose,
    )
    num_samples = options.importance_samples
    log_p = vae.importance_log_prob(test, num_samples, chunk_size=100, batch_size=250, seed=0)
    chosen = min(log, key=lambda row: row[VALIDATION]) if is_validated else log[-1]
    result = settings | {
        "updates": options.epochs * options.steps,
        "hours": sum(row["seconds"] for row in log) / 3600.0,
        "epoch": int(chosen["epoch"]) + 1,
        "neg_elbo": vae.evaluate(test, verbose=0, return_dict=True)["neg_elbo"],
        "neg_log_prob": -log_p.mean(),
        "command": options.command,
        "machines": machines,
    }
    (folder / "result.json").write_text(json.dumps(result, default=float, indent=1) + "\n")


def collect(options):
    """The rows that are done, beside the paper's, and their learning curves."""
    rows, curves = [], {}
    for path in sorted(options.runs.glob("*/result.json")):
        result, log = json.loads(path.read_text()), read_log(path.parent / "log.csv")
        posterior, num_layers, *others = (result[name] for name in SETTINGS)
        published = PAPER.get((posterior, num_layers), (math.nan, math.nan))
        label = f"{posterior}, K = {num_layers}" if num_layers else "none"
        updates = result["updates"] / len(log) * np.array([row["epoch"] for row in log])
        unusual = ((n, v) for n, v in zip(SETTINGS[2:], others, strict=True) if v != FULL[n])
        kind = ", ".join(f"{name} {value}" for name, value in unusual)
        if VALIDATION in log[0]:
            curve = np.array([row[VALIDATION] for row in log])
            shown = updates >= 0.1 * updates[-1]  # what is before is off the scale of the rest
            curves[f"{label} ({kind})" if kind else label] = (updates[shown], curve[shown])
        nats = (result["neg_elbo"], result["neg_log_prob"], *published)
        budget = (f"{result['updates']:,}", f"{result['hours']:.1f}", result["epoch"])
        nats = (f"{value:.2f}".replace("nan", "") for value in nats)
        rows.append((label, *others, *budget, *nats))
    if not rows:
        print(f"No row is done in {options.runs}.")
        return
    report(options, "Binarized MNIST, 40 latents; nats per test image", HEADER, rows)
    if not curves:
        return
    figure = plotting.lines(curves, x_label="updates", y_label="validation -ELBO (nats)")
    print(plotting.save(figure, options.output / "rezende_mohamed.png"))


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir", help="where TensorFlow Datasets keeps its data")
    parser.add_argument("--runs", type=pathlib.Path, help="a folder for logs and weights")
    parser.add_argument("--collect", action="store_true", help="train nothing")
    options = parse_options(__doc__, FULL, QUICK, argv, parser)
    options.runs = options.runs or options.output / "rezende_mohamed"
    return options


if __name__ == "__main__":
    main()
