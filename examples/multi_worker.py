"""A flow trained by several workers with tf_keras: one command starts them all on this machine.

    python examples/multi_worker.py --workers 2
    python examples/multi_worker.py --scaling 1 2 4 --table examples/results/multi_worker.md

The model is one of tf_keras, which finds the variables of a flow by itself. Each worker is a
process of its own, which learns from `TF_CONFIG` who the others are; on real machines a scheduler
sets that variable, and the same `train` runs. A training that was broken off goes on after its last
epoch if it is started again with the same `--backup`, a folder that all workers share.

The loss is that of one worker to rounding. Training amplifies rounding: after 150 steps or so the
losses of two runs part in the fourth digit, as they do on one worker if the rows of each batch come
in reverse order.
"""

import argparse
import json
import os
import pathlib
import statistics
import sys
import tempfile
import time

import cluster
from common import parse_options, report, silence

FULL = {"workers": 2, "epochs": 5, "examples": 65_536, "batch_size": 1024, "rounds": 3}
QUICK = {"epochs": 2, "examples": 512, "batch_size": 64, "rounds": 1}


def train(options) -> dict:
    """What every worker does; returns the loss of each epoch and the steps per second.

    Args:
      options: of the command line.
    """
    with silence():
        import tensorflow as tf
        import tf_keras

        # Before anything else: it connects the workers.
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        import tfp_flows as tff

    class Density(tf_keras.Model):
        """A flow as a model of tf_keras: its output is the log-density."""

        def __init__(self):
            super().__init__()
            self.flow = tff.flows.real_nvp(
                2, num_layers=options.layers, hidden_units=[64, 64], seed=options.seed
            )

        def call(self, x):
            return self.flow.log_prob(x)

    class StepsPerSecond(tf_keras.callbacks.Callback):
        """The steps of an epoch over its seconds, without its first step, which may be traced."""

        def __init__(self):
            super().__init__()
            self.rates = []

        def on_train_batch_end(self, batch, logs=None):
            now = time.perf_counter()
            if batch == 0:
                self.start = now
            self.count, self.seconds = batch, now - self.start

        def on_epoch_end(self, epoch, logs=None):
            self.rates.append(self.count / self.seconds)

    with strategy.scope():
        model = Density()
        # The targets are not looked at.
        model.compile(tf_keras.optimizers.Adam(1e-3), loss=lambda _, log_prob: -log_prob)
        model.build([None, 2])  # What a backup restores has to be there.
    x = tff.datasets.toy("moons", num_samples=options.examples, seed=options.seed)
    data = tf.data.Dataset.from_tensor_slices((x, x[:, 0]))
    # With a seed, all workers shuffle alike; of a batch, each then takes its own part.
    data = data.shuffle(options.examples, seed=options.seed).batch(
        options.batch_size, drop_remainder=True
    )
    sharing = tf.data.Options()
    sharing.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA

    rates = StepsPerSecond()
    callbacks = [rates]
    if options.backup:
        callbacks.append(tf_keras.callbacks.BackupAndRestore(options.backup))
    history = model.fit(
        data.with_options(sharing), epochs=options.epochs, callbacks=callbacks,
        verbose=2 if is_first() else 0,
    )  # fmt: skip
    return {"loss": history.history["loss"], "steps_per_second": statistics.median(rates.rates)}


def is_first() -> bool:
    """Whether this process is the worker that speaks."""
    return json.loads(os.environ["TF_CONFIG"])["task"]["index"] == 0


def start(options, num_workers: int, arguments: list[str]) -> dict:
    """Starts the workers; returns what the first of them has found."""
    with tempfile.TemporaryDirectory() as folder:
        result = pathlib.Path(folder) / "result.json"
        command = [sys.executable, __file__, *arguments, "--result", str(result)]
        cluster.run(command, num_workers, timeout=options.timeout)
        return json.loads(result.read_text("utf-8"))


def main(argv=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--backup", help="folder of backups; one that all workers share")
    parser.add_argument("--scaling", type=int, nargs="+", metavar="N", help="numbers of workers")
    parser.add_argument("--timeout", type=float, default=3600.0, help="seconds")
    parser.add_argument("--result", type=pathlib.Path, help=argparse.SUPPRESS)
    arguments = list(sys.argv[1:] if argv is None else argv)
    options = parse_options(__doc__, FULL, QUICK, argv, parser)
    if options.result:
        found = train(options)
        if is_first():
            options.result.write_text(json.dumps(found), "utf-8")
        return
    numbers = options.scaling or [options.workers]
    found = {number: [] for number in numbers}
    for _ in range(options.rounds if options.scaling else 1):  # in turns, as others work here, too
        for number in numbers:
            found[number].append(start(options, number, arguments))
    report(
        options,
        f"{options.epochs} epochs of {options.examples} examples, {options.batch_size} in a batch "
        f"of all workers together. All workers share {os.cpu_count()} cores: more of them cannot "
        "be faster here, and the table shows what talking to each other costs",
        [
            "workers",
            "first epoch, nats",
            "last epoch, nats",
            "steps per second",
            "of the first row",
        ],
        _rows(found),
    )


def _rows(found):
    rates = {n: [run["steps_per_second"] for run in runs] for n, runs in found.items()}
    first = next(iter(rates.values()))
    for number, runs in found.items():
        ratios = [rate / base for rate, base in zip(rates[number], first, strict=True)]
        losses = runs[-1]["loss"]
        yield [
            number,
            f"{losses[0]:.5f}",
            f"{losses[-1]:.5f}",
            f"{statistics.median(rates[number]):.2f}",
            f"{statistics.median(ratios):.2f}",
        ]


if __name__ == "__main__":
    main()
