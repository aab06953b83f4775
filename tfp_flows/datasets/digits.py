"""TFDS builders over the handwritten digits that scikit-learn ships: they need no network."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

_IMAGE_SHAPE = (8, 8, 1)
# How many of the 1,797 images, in the order of one fixed permutation, each split takes.
_SPLIT_SIZES = {"train": 1297, "validation": 250, "test": 250}
_SPLIT_SEED = 20150521
_BINARIZATION_SEED = 20160105

_HOMEPAGE = "https://archive.ics.uci.edu/dataset/80"
_CITATION = """\
@misc{alpaydin1998optical,
  author = {Alpaydin, Ethem and Kaynak, Cenk},
  title = {Optical Recognition of Handwritten Digits},
  howpublished = {UCI Machine Learning Repository},
  year = {1998},
  doi = {10.24432/C50P49}
}
"""


def _raw_bits(seed: int, size: int) -> np.ndarray:
    """Returns `size` random uint64.

    NumPy guarantees the raw stream of a bit generator for ever, but not what the methods of
    `np.random.Generator` make of it; so the data sets are built from raw bits alone.
    """
    return np.random.PCG64(seed).random_raw(size)


def _split_members(num_examples: int) -> dict[str, np.ndarray]:
    """Returns the indices, int64, of each split: consecutive parts of one random order."""
    order = np.argsort(_raw_bits(_SPLIT_SEED, num_examples), kind="stable")
    bounds = np.cumsum(list(_SPLIT_SIZES.values()))
    if bounds[-1] != num_examples:
        raise ValueError(
            f"sklearn.datasets.load_digits: expected {bounds[-1]} images; received {num_examples}"
        )
    return dict(zip(_SPLIT_SIZES, np.split(order, bounds[:-1]), strict=True))


def _grey_images_and_labels() -> tuple[np.ndarray, np.ndarray]:
    """Returns images `[1797, 8, 8, 1]`, uint8 in 0..16, and labels `[1797]`, int64 in 0..9."""
    # Imported here: only a preparation needs scikit-learn.
    from sklearn.datasets import load_digits

    data = load_digits()
    return data.images.astype(np.uint8).reshape(-1, *_IMAGE_SHAPE), data.target.astype(np.int64)


def _binarize(grey: np.ndarray) -> np.ndarray:
    """Draws each pixel as Bernoulli(grey / 16), exactly: four fair bits are below grey."""
    four_bits = _raw_bits(_BINARIZATION_SEED, grey.size) >> np.uint64(60)
    return (four_bits.reshape(grey.shape) < grey).astype(np.uint8)


class _DigitsBuilder(  # type: ignore[call-arg]  # a keyword of TFDS's base class
    tfds.core.GeneratorBasedBuilder, skip_registration=True
):
    """What the two builders share: the splits, and the key of an example, its index."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Initial release."}  # noqa: RUF012 (TFDS reads a plain dict)

    def _examples(self) -> list[dict[str, Any]]:
        """Returns the features of all 1,797 images, in the order of scikit-learn."""
        raise NotImplementedError

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict]]]:
        del dl_manager  # Nothing to download.
        examples = self._examples()
        return {
            split: self._generate_examples(examples, members)
            for split, members in _split_members(len(examples)).items()
        }

    def _generate_examples(
        self, examples: list[dict[str, Any]], members: np.ndarray
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        # TFDS orders a split by a hash of these keys, so both data sets have the same order.
        for index in members.tolist():
            yield index, examples[index]


class Digits(_DigitsBuilder):
    """TFDS builder of `digits`: 1,797 handwritten digits, 8 x 8 pixels, 17 grey levels.

    Features as TFDS's `mnist`: `image`, uint8 `[8, 8, 1]` in 0..16 (not 0..255), and `label`,
    int64 in 0..9. Splits `train` (1,297), `validation` (250) and `test` (250).

    #### Examples

    ```python
    import tempfile

    import tensorflow_datasets as tfds

    import tfp_flows.datasets  # Registers the builders.

    with tempfile.TemporaryDirectory() as folder:
        info = tfds.load("digits", data_dir=folder, with_info=True)[1]
    print(info.splits["train"].num_examples)  # 1297
    ```

    #### References

    E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository, 1998, doi:10.24432/C50P49; the test part, as scikit-learn ships it.
    """

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="Handwritten digits of 8 x 8 pixels with 17 grey levels, 0 to 16.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=_IMAGE_SHAPE),
                    "label": tfds.features.ClassLabel(num_classes=10),
                }
            ),
            supervised_keys=("image", "label"),
            homepage=_HOMEPAGE,
            citation=_CITATION,
            license="CC BY 4.0",
        )

    def _examples(self) -> list[dict[str, Any]]:
        images, labels = _grey_images_and_labels()
        return [
            {"image": image, "label": label}
            for image, label in zip(images, labels.tolist(), strict=True)
        ]


class BinarizedDigits(_DigitsBuilder):
    """TFDS builder of `binarized_digits`: the images of `digits`, each pixel drawn once as 0 or 1.

    A pixel of grey level g was drawn from Bernoulli(g / 16) with a fixed seed, so every machine
    has the same bits. Feature as TFDS's `binarized_mnist`: `image`, uint8 `[8, 8, 1]` in {0, 1},
    and no label. Splits `train` (1,297), `validation` (250) and `test` (250) hold the same digits
    in the same order as those of `digits`.

    #### Examples

    ```python
    import tempfile

    import tensorflow_datasets as tfds

    import tfp_flows.datasets  # Registers the builders.

    with tempfile.TemporaryDirectory() as folder:
        info = tfds.load("binarized_digits", data_dir=folder, with_info=True)[1]
    print(info.features["image"].shape)  # (8, 8, 1)
    ```

    #### References

    E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository, 1998, doi:10.24432/C50P49. R. Salakhutdinov and I. Murray, On the Quantitative
    Analysis of Deep Belief Networks, ICML 2008: binarization of this kind, for MNIST.
    """

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="Handwritten digits of 8 x 8 pixels, binarized once from 17 grey levels.",
            features=tfds.features.FeaturesDict({"image": tfds.features.Image(shape=_IMAGE_SHAPE)}),
            homepage=_HOMEPAGE,
            citation=_CITATION,
            license="CC BY 4.0",
        )

    def _examples(self) -> list[dict[str, Any]]:
        return [{"image": image} for image in _binarize(_grey_images_and_labels()[0])]
