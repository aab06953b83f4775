"""Checks of the levels of a multiscale bijector, before any work is done."""

from collections.abc import Sequence

import tensorflow as tf
from tensorflow_probability import bijectors as tfb


def latent_shapes(
    levels: Sequence[tfb.Bijector], image_shape: tf.TensorShape
) -> list[tf.TensorShape]:
    """Returns the shapes of the latents, by following an image through the levels.

    Raises:
      ValueError: a level maps to no image, or leaves a single channel where there is to be a split.
    """
    shapes: list[tf.TensorShape] = []
    shape = image_shape
    for k, level in enumerate(levels):
        given = tuple(shape)
        shape = level.inverse_event_shape(shape)
        if shape.rank != 3 or not shape.is_fully_defined():
            raise ValueError(
                f"Argument `levels`: expected bijectors from images to images, received "
                f"`{level.name}`, whose inverse maps shape {given} to {shape}."
            )
        if k == len(levels) - 1:
            return [*shapes, shape]
        kept = shape[-1] // 2
        if kept == 0:
            raise ValueError(
                f"Argument `levels`: expected at least two channels to split, received "
                f"`{level.name}`, whose inverse maps shape {given} to {tuple(shape)}."
            )
        shapes.append(shape[:-1].concatenate(shape[-1] - kept))
        shape = shape[:-1].concatenate(kept)
    return shapes


def check_levels(levels: Sequence[tfb.Bijector]) -> None:
    """Raises an error unless the levels are a sequence of bijectors with at least one in it."""
    if not isinstance(levels, Sequence) or not all(isinstance(b, tfb.Bijector) for b in levels):
        raise TypeError(f"Argument `levels`: expected a list of tfb.Bijector, received {levels!r}.")
    if not levels:
        raise ValueError("Argument `levels`: expected at least one bijector, received none.")
