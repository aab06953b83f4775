"""What the recipes for images share: checks, couplings with their networks, levels."""

import functools
import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_flows._checks import check_at_least
from tfp_flows.bijectors import Coupling, Multiscale
from tfp_flows.bijectors.masks import checked_image_shape
from tfp_flows.flows import _recipe
from tfp_flows.networks import GatedResidualNetwork
from tfp_flows.transformers import Transformer, check_transformer

# Without `num_levels`: at most so many, the coarsest with at least 2 x 2 positions.
_MAX_LEVELS = 3
_COARSEST = 4


def check_settings(
    image_shape: Sequence[int],
    transformer: Transformer,
    context_size: int | None,
    base,
    dtype: tf.DType,
    num_blocks: int,
    **sizes: int,
) -> tuple[int, int, int]:
    """Checks what the recipes for images take; returns the shape of an image.

    Raises:
      TypeError: a size is no integer, `transformer` is none, `dtype` is not floating, or `base` is
        no distribution.
      ValueError: a size is too small, the shape is no image's, or the base does not fit.
    """
    shape = checked_image_shape("image_shape", image_shape)
    check_at_least(1, **sizes)
    check_at_least(0, num_blocks=num_blocks)
    check_transformer(transformer)
    _recipe.check_settings(math.prod(shape), 1, context_size, base, dtype)
    return shape


def checked_num_levels(
    num_levels: int | None, image_shape: tuple[int, int, int], unsqueezed: int, min_positions: int
) -> int:
    """Returns the number of levels, or a good one if it is `None`.

    Args:
      num_levels: as it was given.
      image_shape: of the images.
      unsqueezed: how many levels there are without a squeeze, which halves height and width.
      min_positions: how many positions the coarsest level needs.

    Raises:
      TypeError: `num_levels` is no integer.
      ValueError: it is not positive, or the images cannot be halved so often.
    """
    height, width, _ = image_shape
    most = _num_halvings(height, width, min_positions) + unsqueezed
    if height * width < min_positions:
        raise ValueError(
            f"Argument `image_shape`: expected at least {min_positions} positions, "
            f"received {image_shape}."
        )
    if most < 1:
        raise ValueError(
            f"Argument `image_shape`: expected an even height and width, received {image_shape}."
        )
    if num_levels is None:
        wanted = _num_halvings(height, width, _COARSEST) + unsqueezed
        return max(1, min(wanted, _MAX_LEVELS))
    check_at_least(1, num_levels=num_levels)
    if num_levels > most:
        raise ValueError(
            f"Argument `num_levels`: expected at most {most} for images of {height} x {width}, "
            f"which every squeeze divides by two, received {num_levels}."
        )
    return num_levels


def _num_halvings(height, width, min_positions):
    count = 0
    while height % 2 == width % 2 == 0 and height * width >= 4 * min_positions:
        height, width, count = height // 2, width // 2, count + 1
    return count


def network_maker(
    hidden_channels: int,
    num_blocks: int,
    activation,
    context_size: int | None,
    dtype: tf.DType,
    rng: np.random.Generator,
) -> Callable[..., GatedResidualNetwork]:
    """Returns what makes a network from its `input_size`, `output_size` and `name`."""
    return functools.partial(
        GatedResidualNetwork,
        hidden_channels=hidden_channels,
        num_blocks=num_blocks,
        activation=activation,
        seed=rng,
        dtype=dtype,
        context_size=context_size,
    )


class ImageCoupling(tf.Module):
    """A coupling on images with its network, to which a context is bound.

    Args:
      transformer: the elementwise map.
      mask: `[height, width, channels]`, by channels or by positions, see `Coupling`.
      make_network: from `network_maker`.
      name: the coupling's name.
    """

    def __init__(
        self,
        transformer: Transformer,
        mask: np.ndarray,
        make_network: Callable[..., GatedResidualNetwork],
        name: str,
    ):
        super().__init__(name=name)
        self._transformer = transformer
        self._mask = self._no_dependency(mask)
        kept = mask[0, 0]
        if (mask == kept).all():
            num_seen, num_moved = int(kept.sum()), int((~kept).sum())
        else:
            num_seen = num_moved = mask.shape[-1]
        self._network = make_network(
            num_seen, num_moved * transformer.num_params, name=f"{name}_network"
        )

    def __call__(self, context: tf.Tensor | None) -> Coupling:
        """Returns the bijector."""
        network = self._network
        conditioner = network if context is None else functools.partial(network, context=context)
        return Coupling(self._transformer, conditioner, self._mask, name=self.name)


class Levels(tf.Module):
    """The levels of a flow of images, to which a context is bound.

    Args:
      levels: one list a level, the finest first; each of bijectors and `ImageCoupling`s in the
        order of `tfb.Chain`, the one next to the image first.
      image_shape: of the images.
    """

    def __init__(self, levels: list[list], image_shape: tuple[int, int, int]):
        super().__init__(name="levels")
        self._levels = levels
        self._image_shape = self._no_dependency(image_shape)

    def __call__(self, context: tf.Tensor | None = None) -> Multiscale:
        """Returns the bijector from latent vectors to images."""
        chains = [
            tfb.Chain([_bound(part, context) for part in level], name=f"level_{k}")
            for k, level in enumerate(self._levels)
        ]
        return Multiscale(chains, self._image_shape)


def _bound(part, context):
    return part(context) if isinstance(part, ImageCoupling) else part


def flow(
    levels: Levels,
    image_shape: tuple[int, int, int],
    context_size: int | None,
    base,
    dtype: tf.DType,
    rng: np.random.Generator,
    name: str,
) -> _recipe.Flow:
    """Puts the levels on their base, a distribution of vectors."""
    event_size = math.prod(image_shape)
    if context_size is None:
        return _recipe.unconditional(levels(), event_size, base, dtype, name)
    return _recipe.conditional(
        levels, event_size, context_size, base, dtype, rng, name, event_shape=image_shape
    )
