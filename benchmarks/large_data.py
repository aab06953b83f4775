"""Does memory grow with the number of examples?

    python benchmarks/large_data.py [--quick] [--output FILE.md] [--examples N]

A data set of TFDS with N examples in 8 files and one of 8 N in 64 are read one epoch long by `fit`
of a small flow: shuffled files, four at a time, a shuffle buffer of fixed size, batches. Each has a
process of its own, and its peak is that of the whole process, libraries included (Linux only).
"Data" is what the examples take in memory. How to read it: where data are streamed, the peak of 8 N
exceeds that of N by the noise of an allocator, and not by seven times the data of N.

TFDS keeps a buffer of 8 MiB for every open file; so the number that is read at a time
(`interleave_cycle_length`, 16 unless told) is held fixed here, and counts where memory is scarce.
"""

import argparse
import pathlib
import tempfile
import time

from common import Report, parse_options

# isort: split
import keras
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from harness.processes import in_own_process, memory_status

import tfp_flows as tff

TIMES = (1, 8)
FILES, FILES_AT_A_TIME = 8, 4
EVENT_SIZE, BATCH_SIZE, SHUFFLE = 256, 64, 2048
MEGABYTE = 2.0**20


def write(folder: pathlib.Path, num_examples: int, num_files: int) -> str:
    """Makes a data set of TFDS from random vectors, one after the other; returns its folder."""

    def examples():
        rng = np.random.default_rng(0)
        for key in range(num_examples):
            yield key, {"x": rng.standard_normal(EVENT_SIZE, dtype=np.float32)}

    builder = tfds.dataset_builders.store_as_tfds_dataset(
        name="vectors",
        version="1.0.0",
        features=tfds.features.FeaturesDict(
            {"x": tfds.features.Tensor(shape=(EVENT_SIZE,), dtype=np.float32)}
        ),
        split_datasets={"train": examples()},
        data_dir=folder,
        download_config=tfds.download.DownloadConfig(num_shards=num_files),
    )
    return str(builder.data_path)


def fit(folder: str) -> dict:
    """One epoch; the peak of this process in MB, and seconds."""
    builder = tfds.builder_from_directory(folder)
    data = builder.as_dataset(
        split="train",
        shuffle_files=True,
        read_config=tfds.ReadConfig(
            shuffle_seed=0, try_autocache=False, interleave_cycle_length=FILES_AT_A_TIME
        ),
    )
    data = data.map(lambda example: example["x"], tf.data.AUTOTUNE)
    data = data.shuffle(SHUFFLE, seed=0).batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE)
    flow = tff.flows.real_nvp(EVENT_SIZE, num_layers=2, hidden_units=[32], seed=0)
    model = tff.models.DensityModel(flow)
    model.compile(keras.optimizers.Adam(1e-3))
    start = time.perf_counter()
    model.fit(data, epochs=1, verbose=0)
    seconds = time.perf_counter() - start
    return {"peak": memory_status("VmHWM") / MEGABYTE, "seconds": seconds}


def measure(folder: str, in_process: bool) -> dict:
    """`fit` in a process of its own."""
    if in_process:
        return fit(folder)
    # Else the allocator keeps an arena for each thread, and their number is chance.
    environment = {"MALLOC_ARENA_MAX": "2", "CUDA_VISIBLE_DEVICES": "-1"}
    return in_own_process(fit, folder, environment=environment)


def main(argv=None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--examples", type=int, help="N, 100,000 by default")
    options = parse_options(__doc__, argv, parser)
    base = options.examples or (512 if options.quick else 100_000)
    report = Report(
        options,
        f"`fit` of {EVENT_SIZE} numbers an example from shards of TFDS, {BATCH_SIZE} in a batch, a "
        f"shuffle buffer of {SHUFFLE}; {tff.diagnostics.describe_machine()}; "
        "`python benchmarks/large_data.py`",
    )
    rows = []
    for times in TIMES:
        with tempfile.TemporaryDirectory() as folder:
            path = write(pathlib.Path(folder), times * base, num_files=FILES * times)
            found = measure(path, in_process=options.quick)
        data = times * base * EVENT_SIZE * 4 / MEGABYTE
        first = rows[0][3] if rows else found["peak"]
        seconds = found["seconds"]
        rows.append(
            (times * base, FILES * times, data, found["peak"], found["peak"] - first, seconds)
        )
        report.table(
            "",
            "Peak of the resident set of the whole process in MB.",
            ("examples", "files", "data MB", "peak MB", "more than the first MB", "epoch s"),
            rows,
        )


if __name__ == "__main__":
    main()
