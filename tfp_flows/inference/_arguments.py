"""Checks of arguments."""

from typing import Any

from tensorflow_probability import bijectors as tfb


def check_is_flow(flow: Any) -> None:
    """Raises a `TypeError` for all but a base distribution with a bijector."""
    if not isinstance(getattr(flow, "bijector", None), tfb.Bijector):
        raise TypeError(
            "Argument `flow`: expected a tfd.TransformedDistribution, received "
            f"{type(flow).__name__}."
        )
