"""What a model says, and where it goes back to, when its training has met a NaN."""

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf

from tfp_flows.models import _guard, _non_finite

# Batches that are read again to find a bad one, where data have no end.
_MAX_BATCHES = 1000


def stop(
    model: Any,
    guard: _guard.NonFiniteGuard,
    data: Iterable[Any],
    where: str,
    go_back: Callable[[], None] | None,
    otherwise: str,
) -> None:
    """Sets a model back to weights that are good, and raises the error.

    No update has followed the bad batch, so the model still has the weights with which the batch
    went wrong. They are good unless all other batches go wrong with them, too.

    Args:
      model: a `LikelihoodModel`.
      guard: its guard.
      data: its training data, once more; empty if they cannot be read again.
      where: the batch, in words.
      go_back: gives the model its last copy of good weights; `None` if there is none.
      otherwise: what the model has then, in words.

    Raises:
      FloatingPointError: always.
    """
    batch, others_are_good = _find(model, guard, data)
    place = "not found again: it depends on chance, or on data that cannot be read twice"
    if batch is not None:
        place = _place(model, guard, batch)
    if others_are_good and guard.skips_updates:
        state = "has the weights from before that batch"
    elif go_back is None:
        state = f"has {otherwise}"
    else:
        go_back()
        state = "is back at the last weights known to be good"
    guard.restore_seeds()
    raise FloatingPointError(
        f"Training stopped at {where}: its loss, or the gradient of it, is not finite. First is "
        f"{place}. The model {state}."
    )


def _find(model: Any, guard: _guard.NonFiniteGuard, data: Any) -> tuple[Any, bool]:
    """Reads data until a batch is bad; returns it, and whether another one is good."""
    is_good = tf.function(lambda batch: _is_good(model, batch), reduce_retracing=True)
    batches = itertools.islice(data, _MAX_BATCHES)
    others_are_good = False
    for batch in batches:
        guard.restore_seeds()  # draws are those of the bad batch
        columns = model.schema.to_tensors(batch)
        if bool(is_good(columns)):
            others_are_good = True
            continue
        if not others_are_good:  # one more, with other draws
            another = model.schema.to_tensors(next(batches, batch))
            others_are_good = bool(is_good(another))
        return columns, others_are_good
    return None, others_are_good


def _is_good(model: Any, batch: dict[str, tf.Tensor]) -> tf.Tensor:
    loss, gradients = _loss_and_gradients(model, batch)
    return _guard.is_finite(loss, gradients)


def _loss_and_gradients(model: Any, batch: dict[str, tf.Tensor]) -> tuple[tf.Tensor, list[Any]]:
    with tf.GradientTape() as tape:
        losses, _, _ = model.losses_and_metrics(batch, training=True)
        loss = model.mean_loss(losses, batch)
    return loss, tape.gradient(loss, model.trainable_variables)


def _place(model: Any, guard: _guard.NonFiniteGuard, batch: dict[str, tf.Tensor]) -> str:
    """The first place where something is not finite, in words."""
    try:
        guard.restore_seeds()
        model.follow(batch)
        guard.restore_seeds()
        loss, gradients = _loss_and_gradients(model, batch)
        _non_finite.check("the loss", loss)
        _non_finite.check_gradients(model.trainable_variables, gradients)
    except _non_finite.FoundError as place:
        return str(place)
    return "not found: computed anew, layer by layer, all is finite"
