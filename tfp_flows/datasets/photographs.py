"""Small grey patches of the two photographs that scikit-learn ships."""

import numpy as np
from sklearn.datasets import load_sample_images

from tfp_flows.datasets._arguments import check_integer, check_name, check_seed

_SIDE = 8
_NUM_LEVELS = 17
_SHRINK = 8  # pixels of the photographs in a pixel, in each direction
_TRAIN = 0.75  # of the width of a photograph


def photographs(num_samples: int, split: str = "train", seed: int | None = None) -> np.ndarray:
    """Draws patches of photographs with the size and the levels of the embedded digits.

    The photographs, of a temple and of a flower, are made grey and eight times smaller, and patches
    of 8 x 8 pixels are cut out at random places; patches may overlap. Those of `"train"` are from
    the left three quarters of each photograph, those of `"test"` from the last quarter.

    Args:
      num_samples: n, at least 1.
      split: `"train"` or `"test"`.
      seed: integer >= 0, or None for other patches at every call.

    Returns:
      An array uint8 `[n, 8, 8, 1]` in 0..16.

    Raises:
      TypeError: if an argument has the wrong type.
      ValueError: if a number is out of range, or the split does not exist.

    #### Examples

    ```python
    from tfp_flows import datasets

    patches = datasets.photographs(num_samples=100, seed=0)
    print(patches.shape, patches.max())  # (100, 8, 8, 1), at most 16
    ```

    #### References

    scikit-learn, `sklearn.datasets.load_sample_images`: photographs under CC BY 2.0 by Chris
    McPhee (temple) and dany13 (flower).
    """
    check_integer("num_samples", num_samples, 1)
    check_name("split", split, ("train", "test"))
    rng = np.random.default_rng(check_seed(seed))
    sources = [_part(photograph, split) for photograph in load_sample_images().images]
    patches = np.empty([num_samples, _SIDE, _SIDE, 1])
    for patch, source in zip(patches, rng.integers(len(sources), size=num_samples), strict=True):
        top, left = (rng.integers(size - _SIDE + 1) for size in sources[source].shape)
        patch[..., 0] = sources[source][top : top + _SIDE, left : left + _SIDE]
    levels = np.floor(_NUM_LEVELS * patches / 255.0)
    return np.minimum(levels, _NUM_LEVELS - 1).astype(np.uint8)


def _part(photograph: np.ndarray, split: str) -> np.ndarray:
    """The columns of a split, in grey from 0 to 255, eight times smaller."""
    grey = photograph.mean(axis=-1)
    height, width = (size // _SHRINK for size in grey.shape)
    grey = grey[: height * _SHRINK, : width * _SHRINK]
    grey = grey.reshape([height, _SHRINK, width, _SHRINK]).mean(axis=(1, 3))
    border = int(_TRAIN * width)
    return grey[:, :border] if split == "train" else grey[:, border:]
