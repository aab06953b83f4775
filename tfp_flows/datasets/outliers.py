"""Images that a density should find strange: spoiled ones, and plain ones of no origin."""

from typing import Any

import numpy as np

from tfp_flows.datasets._arguments import check_integer, check_seed


def mutate(images: Any, rate: float, num_levels: int, seed: int | None = None) -> np.ndarray:
    """Replaces random pixels by random levels, which leaves the background and spoils the rest.

    ```none
    with probability `rate`, independently:   x_d <- a level from 0 to num_levels - 1, all alike
    ```

    Args:
      images: integers of any shape, from 0 to `num_levels - 1`.
      rate: the probability of a pixel to be replaced, in [0, 1].
      num_levels: N, 17 for digits, 256 for bytes.
      seed: integer >= 0, or None for other replacements at every call.

    Returns:
      An array of the shape and dtype of `images`.

    Raises:
      TypeError: if `images` are not integers, or an argument has the wrong type.
      ValueError: if a number is out of range.

    #### Examples

    ```python
    import numpy as np
    from tfp_flows import datasets

    images = np.zeros([100, 8, 8, 1], np.uint8)
    mutated = datasets.mutate(images, rate=0.2, num_levels=17, seed=0)
    print((mutated > 0).mean())  # about 0.2 * 16 / 17
    ```

    #### References

    J. Ren et al., Likelihood Ratios for Out-of-Distribution Detection, 2019, arXiv:1906.02845,
    section 3: what a background model is trained on.
    """
    images = _checked(images, num_levels)
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"rate: expected a probability; received {rate!r}")
    rng = np.random.default_rng(check_seed(seed))
    levels = rng.integers(num_levels, size=images.shape).astype(images.dtype)
    return np.where(rng.uniform(size=images.shape) < rate, levels, images)


def spoiled(images: Any, num_levels: int, seed: int | None = None) -> dict[str, np.ndarray]:
    """Makes images that are none of their kind any more, from images.

    `"upside down"`; `"inverted"`, N - 1 - x; `"low contrast"`, 3 x / 4 rounded down; `"blends"`,
    means of each image and another one; `"shuffled pixels"`, in one random order for all.

    Args:
      images: integers `[n, height, width, channels]` from 0 to `num_levels - 1`.
      num_levels: N.
      seed: integer >= 0, or None for other images at every call.

    Returns:
      By name, arrays of the shape and dtype of `images`.

    Raises:
      TypeError: if `images` are not integers, or an argument has the wrong type.
      ValueError: if a shape or a number does not fit.

    #### Examples

    ```python
    import numpy as np
    from tfp_flows import datasets

    sets = datasets.spoiled(np.eye(8, dtype=np.uint8).reshape([1, 8, 8, 1]), num_levels=2, seed=0)
    print(sorted(sets))
    ```
    """
    images = _checked(images, num_levels)
    if images.ndim != 4:
        raise ValueError(f"images: expected the shape [n, H, W, C]; received {images.shape}")
    rng = np.random.default_rng(check_seed(seed))
    wide = images.astype(np.int64)
    pixels = rng.permutation(images[0].size)
    sets = {
        "upside down": wide[:, ::-1],
        "inverted": num_levels - 1 - wide,
        "low contrast": 3 * wide // 4,
        "blends": (wide + rng.permutation(wide)) // 2,
        "shuffled pixels": wide.reshape([len(wide), -1])[:, pixels].reshape(wide.shape),
    }
    return {name: spoilt.astype(images.dtype) for name, spoilt in sets.items()}


def plain_images(
    num_samples: int, shape: Any, num_levels: int, seed: int | None = None
) -> dict[str, np.ndarray]:
    """Makes images that show nothing.

    `"constant"`, each of one random level; `"ramps"`, smooth from one random level to another along
    a random direction; `"noise"`, all pixels random.

    Args:
      num_samples: n, in each set.
      shape: `[height, width, channels]`; all channels are alike but in noise.
      num_levels: N; levels are 0 to N - 1.
      seed: integer >= 0, or None for other images at every call.

    Returns:
      By name, integer arrays `[n, height, width, channels]`.

    Raises:
      TypeError: if an argument has the wrong type.
      ValueError: if a number is out of range.

    #### Examples

    ```python
    from tfp_flows import datasets

    sets = datasets.plain_images(5, [8, 8, 1], num_levels=17, seed=0)
    print(sorted(sets), sets["ramps"].shape)  # three names, (5, 8, 8, 1)
    ```

    #### References

    E. Nalisnick, A. Matsukawa, Y. W. Teh, D. Gorur and B. Lakshminarayanan, Do Deep Generative
    Models Know What They Don't Know?, 2018, arXiv:1810.09136, section 5: constant images.
    """
    check_integer("num_samples", num_samples, 1)
    check_integer("num_levels", num_levels, 2)
    height, width, channels = (check_integer("shape", size, 1) for size in shape)
    rng = np.random.default_rng(check_seed(seed))
    full = [num_samples, height, width, channels]
    level = rng.integers(num_levels, size=[num_samples, 1, 1, 1])
    low, high = rng.uniform(size=[2, num_samples, 1, 1, 1])
    ramps = low + (high - low) * _progress(num_samples, height, width, rng)
    ramps = np.clip(np.floor(num_levels * ramps), 0, num_levels - 1)
    return {
        "constant": np.broadcast_to(level, full).copy(),
        "ramps": np.broadcast_to(ramps.astype(level.dtype), full).copy(),
        "noise": rng.integers(num_levels, size=full),
    }


def _progress(num_samples: int, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """How far each pixel is from one end of the image to the other, along random directions."""
    angle = rng.uniform(0.0, 2.0 * np.pi, size=[num_samples, 1, 1, 1])
    row, column = np.meshgrid(
        np.linspace(-0.5, 0.5, height), np.linspace(-0.5, 0.5, width), indexing="ij"
    )
    along = row[..., np.newaxis] * np.sin(angle) + column[..., np.newaxis] * np.cos(angle)
    return 0.5 + along / (np.abs(np.sin(angle)) + np.abs(np.cos(angle)))


def _checked(images: Any, num_levels: int) -> np.ndarray:
    check_integer("num_levels", num_levels, 2)
    images = np.asarray(images)
    if images.dtype.kind not in "iu":
        raise TypeError(f"images: expected integers; received dtype {images.dtype}")
    if images.size and (images.min() < 0 or images.max() >= num_levels):
        raise ValueError(
            f"images: expected values from 0 to {num_levels - 1}; received values from "
            f"{images.min()} to {images.max()}"
        )
    return images
