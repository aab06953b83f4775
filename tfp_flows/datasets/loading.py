"""`load`: a data set by name, as an input pipeline ready for `fit`."""

import dataclasses
import math
import os

import tensorflow as tf
import tensorflow_datasets as tfds

from tfp_flows.datasets import digits  # noqa: F401 (registers the builders with TFDS)
from tfp_flows.datasets._arguments import check_integer, check_name, check_seed
from tfp_flows.datasets.preparation import prepared_builder

# Decoded splits up to this size, in bytes, are kept in memory: TFDS's own limit for its cache.
_CACHE_BYTES = 250 * 2**20
# Larger splits are shuffled through a buffer of this size, in bytes.
_SHUFFLE_BYTES = 64 * 2**20


@dataclasses.dataclass(frozen=True)
class _Source:
    """What is known of a data set before it is prepared."""

    splits: tuple[str, ...]
    has_label: bool


_SOURCES = {
    "binarized_digits": _Source(("train", "validation", "test"), has_label=False),
    "digits": _Source(("train", "validation", "test"), has_label=True),
    "binarized_mnist": _Source(("train", "validation", "test"), has_label=False),
    "mnist": _Source(("train", "test"), has_label=True),
}


def load(
    name: str,
    split: str = "train",
    batch_size: int | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    *,
    shuffle: bool | None = None,
    seed: int | None = None,
    with_labels: bool = False,
    drop_remainder: bool = False,
    repeat: bool = False,
    input_context: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
    """Loads a data set of images as a pipeline that goes into `model.fit` as it is.

    `tfds.load` underneath; the first call prepares the data set in `data_dir`.

    | name | image | values | examples (train, validation, test) | needs |
    |---|---|---|---|---|
    | `"binarized_digits"` | `[8, 8, 1]` | 0, 1 | 1,297, 250, 250 | nothing |
    | `"digits"` | `[8, 8, 1]` | 0..16 | 1,297, 250, 250 | nothing |
    | `"binarized_mnist"` | `[28, 28, 1]` | 0, 1 | 50,000, 10,000, 10,000 | network or files |
    | `"mnist"` | `[28, 28, 1]` | 0..255 | 60,000, -, 10,000 | network or files |

    Images are decoded once and then kept in memory, if the split takes at most 250 MiB, and
    shuffled as a whole; larger splits are read again in each epoch and shuffled through a buffer
    of 64 MiB.

    `tf.distribute` shares out the elements between several workers: each reads all of them, in the
    same order as the others, which a `seed` makes sure of, and uses its own. So all workers
    together see the batches that one would see. With an `input_context`, a worker reads nothing
    but its own part.

    Args:
      name: name of the data set.
      split: name of a split, or a slice or sum of splits as TFDS writes them: `"train[:80%]"`,
        `"train+validation"`.
      batch_size: number of images in a batch; None for single images.
      data_dir: root folder of the prepared data sets; None for the environment variable
        `TFDS_DATA_DIR` or `~/tensorflow_datasets`, as in TFDS. Must be writable unless the data
        set is prepared.
      shuffle: whether each epoch has an order of its own; None for yes if `split` starts with
        "train".
      seed: integer >= 0 that fixes all orders: those of the first iteration over the pipeline, of
        the second, and so on; None for other ones in each run.
      with_labels: whether the elements are pairs `(image, label)`, the label int64.
      drop_remainder: whether to leave out the last batch if it is smaller.
      repeat: whether to go on for ever. Batches are then full also where two epochs meet.
      input_context: what `strategy.distribute_datasets_from_function` hands to its function; the
        pipeline then reads the part of that worker: whole files, as TFDS shares them out, if there
        are as many as workers, or else every so many-th example. `batch_size` remains that of all
        replicas together; the batches are those of one replica.

    Returns:
      A `tf.data.Dataset` of uint8 images `[H, W, 1]`, or `[batch, H, W, 1]` with `batch_size`.

    Raises:
      TypeError: if an argument has the wrong type.
      ValueError: if `name` or `split` does not exist, if the data set has no labels and
        `with_labels` is set, if `batch_size` is not positive or cannot be divided between the
        replicas of `input_context`, if no batch comes out, if several workers (by `TF_CONFIG`)
        would shuffle without a seed, or if the data set is not prepared and `data_dir` cannot be
        written to.
      ConnectionError: if files are missing and cannot be downloaded. The message says which files
        have to be in which folder.

    #### Examples

    ```python
    import tempfile

    from tfp_flows import datasets

    with tempfile.TemporaryDirectory() as folder:
        train = datasets.load("binarized_digits", batch_size=100, data_dir=folder, seed=0)
        print(next(iter(train)).shape)  # (100, 8, 8, 1)
    ```

    #### References

    TensorFlow Datasets, https://www.tensorflow.org/datasets. H. Larochelle and I. Murray, The
    Neural Autoregressive Distribution Estimator, AISTATS 2011, for `binarized_mnist`.
    """
    check_name("name", name, _SOURCES)
    _check_split(split, name)
    if batch_size is not None:
        batch_size = check_integer("batch_size", batch_size, 1)
    elif drop_remainder:
        raise ValueError("drop_remainder: expected False without batch_size; received True")
    seed = check_seed(seed)
    if with_labels and not _SOURCES[name].has_label:
        raise ValueError(
            f"with_labels: expected False, as {name!r} has no labels; received {with_labels!r}"
        )
    if shuffle is None:
        shuffle = split.startswith("train")
    if shuffle and seed is None and input_context is None and _num_workers() > 1:
        raise ValueError(
            f"seed: expected an integer, as {_num_workers()} workers have to shuffle alike; "
            "received None"
        )
    if input_context is not None and batch_size is not None:
        batch_size = input_context.get_per_replica_batch_size(batch_size)

    builder = prepared_builder(name, data_dir)
    num_examples = _num_examples(builder, split)
    if batch_size and drop_remainder and not repeat and num_examples < batch_size:
        raise ValueError(
            f"batch_size: expected at most {num_examples}, the size of split {split!r} of "
            f"{name!r}, with drop_remainder; received {batch_size}"
        )

    example_bytes = sum(
        math.prod(spec.shape) * spec.dtype.size
        for spec in tf.nest.flatten(builder.info.features.get_tensor_spec())
    )
    in_memory = num_examples * example_bytes <= _CACHE_BYTES
    num_files = len(builder.info.splits[split].file_instructions)
    by_file = input_context is not None and num_files >= input_context.num_input_pipelines
    dataset = tfds.load(
        name,
        split=split,
        data_dir=builder.data_dir_root,
        download=False,
        as_supervised=with_labels,
        # Where the whole split fits into the buffer, the order of the files does not matter.
        shuffle_files=shuffle and not in_memory,
        # The cache belongs behind the choice of the features: nothing of an element is then
        # touched after the first epoch, but to be copied into a batch.
        read_config=tfds.ReadConfig(
            try_autocache=False,
            skip_prefetch=True,
            shuffle_seed=seed,
            input_context=input_context if by_file else None,
        ),
    )
    if input_context is not None and not by_file:
        dataset = dataset.shard(input_context.num_input_pipelines, input_context.input_pipeline_id)
    if not with_labels:
        dataset = dataset.map(lambda features: features["image"])
    if in_memory:
        dataset = dataset.cache()
    if shuffle:
        buffer_size = num_examples if in_memory else max(1, _SHUFFLE_BYTES // example_bytes)
        if repeat:
            dataset = _endless_epochs(dataset, buffer_size, seed)
        else:
            dataset = dataset.shuffle(buffer_size, seed=seed, reshuffle_each_iteration=True)
    elif repeat:
        dataset = dataset.repeat()
    if batch_size is not None:
        # An endless stream has no remainder: to say so makes the shape of a batch static.
        dataset = dataset.batch(batch_size, drop_remainder=drop_remainder or repeat)
    # By default TensorFlow shares out files between workers; a small data set has one file only.
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return dataset.prefetch(tf.data.AUTOTUNE).with_options(options)


def _endless_epochs(
    dataset: tf.data.Dataset, buffer_size: int, seed: int | None
) -> tf.data.Dataset:
    """Epochs without end, each in an order of its own.

    An iterator draws the seeds of all its orders when it is made. With `shuffle().repeat()` all
    iterators would take theirs from one sequence, epoch by epoch, and as they read ahead, how many
    one takes depends on the machine: a second training with the same pipeline would not be
    reproducible.
    """

    def epoch(seed):
        # The seed of this function's graph: next to a global one of zero, such as that of
        # `keras.utils.set_random_seed(0)`, a seed that is a tensor is an error.
        tf.random.set_seed(1)
        return dataset.shuffle(buffer_size, seed=seed, reshuffle_each_iteration=False)

    seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True)
    stream = seeds.flat_map(epoch)
    return stream.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))


def _check_split(split: str, name: str) -> None:
    """Raises if `split` names a split that `name` does not have, prepared or not."""
    known = _SOURCES[name].splits
    message = (
        f"split: expected one of {', '.join(map(repr, known))} of {name!r}, or a slice or sum of "
        f"them as TFDS writes it; received {split!r}"
    )
    if not isinstance(split, str):
        raise TypeError(message)
    if any(part.split("[")[0].strip() not in known for part in split.split("+")):
        raise ValueError(message)


def _num_workers() -> int:
    """Returns how many workers `TF_CONFIG` names."""
    cluster = tf.distribute.cluster_resolver.TFConfigClusterResolver().cluster_spec().as_dict()
    return sum(len(cluster.get(kind, ())) for kind in ("chief", "worker"))


def _num_examples(builder: tfds.core.DatasetBuilder, split: str) -> int:
    """Returns the number of examples of `split`, at least 1."""
    try:
        num_examples = builder.info.splits[split].num_examples
    except (ValueError, KeyError) as error:
        raise ValueError(
            f"split: expected a split, slice or sum that TFDS can read; received {split!r} "
            f"({error})"
        ) from error
    if num_examples < 1:  # TFDS counts below zero where a slice ends before it starts.
        raise ValueError(
            f"split: expected at least one example; received {split!r}, which is empty"
        )
    return num_examples
