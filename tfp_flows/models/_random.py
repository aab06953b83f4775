"""The random numbers of a model: stateless seeds, counted in variables that are saved with it."""

from typing import NamedTuple

import keras
import tensorflow as tf


class Streams(NamedTuple):
    """Three streams: what is evaluated or sampled in between leaves the training as it is."""

    training: keras.random.SeedGenerator
    evaluation: keras.random.SeedGenerator
    sampling: keras.random.SeedGenerator


def streams(seed: int | None) -> Streams:
    """Makes the streams of a model, which keeps them in attributes to own their counters.

    XLA ignores TensorFlow's own seeds, so draws are stateless, from seeds that Keras counts.

    Args:
      seed: int; by default drawn from Keras's global seed.

    Returns:
      The streams.
    """
    training = keras.random.SeedGenerator(seed)
    seed = int(training.state.numpy()[0])
    return Streams(
        training, keras.random.SeedGenerator(seed + 1), keras.random.SeedGenerator(seed + 2)
    )


def restart(seeds: keras.random.SeedGenerator) -> None:
    """Sets a stream back to its beginning."""
    seeds.state.assign([seeds.state[0], 0])


def states(model: keras.Model) -> list[keras.Variable]:
    """The states of all streams of a model and its layers, dropout's, too."""
    return [v for v in model.variables if v.name == "seed_generator_state"]


def position(seeds: keras.random.SeedGenerator) -> tuple[int, int]:
    """The seed of a stream, and how many have been drawn of it."""
    seed, count = (int(number) for number in keras.ops.convert_to_numpy(seeds.state))
    return seed, count


def advance(seeds: keras.random.SeedGenerator) -> None:
    """Counts one more drawn."""
    seed, count = position(seeds)
    seeds.state.assign([seed, count + 1])


def next_seed(seeds: keras.random.SeedGenerator) -> tf.Tensor:
    """The next stateless seed of a stream, int32 `[2]` as TFP wants it."""
    return tf.cast(seeds.next(), tf.int32)
