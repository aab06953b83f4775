"""Initial values, reproducible from one seed."""

import random
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

Seed = int | np.random.Generator | None


def generator(seed: Seed) -> np.random.Generator:
    """Returns a NumPy generator for a seed.

    Args:
      seed: an integer; or a generator, which is returned as it is, so that one can be handed from
        part to part; or `None`, which draws from Python's global generator:
        `keras.utils.set_random_seed` makes that reproducible, too.

    Returns:
      The generator.

    Raises:
      TypeError: `seed` is something else.

    #### Examples

    ```python
    import tfp_flows as tff

    rng = tff.networks.generator(0)
    first = tff.networks.Linear(4, 8, seed=rng)
    second = tff.networks.Linear(8, 2, seed=rng)
    ```
    """
    if isinstance(seed, np.random.Generator):
        return seed
    if seed is None:
        return np.random.default_rng(random.getrandbits(64))
    if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool):
        return np.random.default_rng(int(seed))
    raise TypeError(
        f"Argument `seed`: expected an integer, a NumPy generator or None, received {seed!r}."
    )


def glorot_uniform(
    rng: np.random.Generator, shape: Sequence[int], dtype: tf.DType, scale: float = 1.0
) -> np.ndarray:
    """Draws a kernel `[fan_in, fan_out]` uniformly from +-`scale * sqrt(6 / (fan_in + fan_out))`.

    Args:
      rng: where the draws come from.
      shape: `[fan_in, fan_out]`.
      dtype: floating dtype of the values.
      scale: factor on the limits of Glorot and Bengio (2010), Understanding the difficulty of
        training deep feedforward neural networks, eq. 16.

    Returns:
      The values, a NumPy array.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    kernel = tff.networks.glorot_uniform(tff.networks.generator(0), [4, 8], tf.float32)
    ```
    """
    limit = scale * np.sqrt(6.0 / sum(shape))
    return rng.uniform(-limit, limit, size=shape).astype(tf.as_dtype(dtype).as_numpy_dtype)
