"""Which recipe made a distribution, and with which settings: written down beside what it made.

That is what a file can hold of a flow, besides the values of its variables.
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np

_Maker = TypeVar("_Maker", bound=Callable[..., Any])
_Made = TypeVar("_Made")

# By names such as "flows.real_nvp". A file may ask for these and for nothing else.
RECIPES: dict[str, Callable] = {}


@dataclasses.dataclass(frozen=True, eq=False)
class Recipe:
    """What made an object.

    Attributes:
      name: a key of `RECIPES`.
      settings: all arguments by name, also those that had their defaults.
    """

    name: str
    settings: Mapping[str, Any]


class _Resolved(NamedTuple):
    made: Any
    settings: dict[str, Any]


def resolved(made: _Made, settings: dict[str, Any]) -> _Made:
    """Adds to what a recorded function returns what it has drawn for a setting, such as an order.

    Streams of random numbers differ between versions of NumPy: what is no variable, and was drawn,
    is recorded itself.

    Args:
      made: what the function has made.
      settings: the settings with which no draw is needed, by name.

    Returns:
      What the function is to return; its caller gets `made`.
    """
    return cast(_Made, _Resolved(made, settings))


def recorded(maker: _Maker) -> _Maker:
    """Decorates a recipe, or a class of modules: what it makes carries its name and settings.

    A copy with other parameters (`flow.copy(...)`), or an object of a subclass, carries nothing.

    Args:
      maker: a function with fixed arguments that returns a `tf.Module`; or a class of them.

    Returns:
      The function with the record added, or the class itself.
    """
    name = f"{maker.__module__.split('.')[1]}.{maker.__name__}"
    signature = inspect.signature(maker)

    def record(made: Any, args: tuple, kwargs: dict, drawn: dict[str, Any]) -> None:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        settings = {key: _kept(value) for key, value in (bound.arguments | drawn).items()}
        made._recipe = Recipe(name, settings)

    if isinstance(maker, type):
        _record_init(maker, record)
        RECIPES[name] = maker
        return cast(_Maker, maker)

    @functools.wraps(maker)
    def make(*args: Any, **kwargs: Any) -> Any:
        made = maker(*args, **kwargs)
        made, drawn = made if isinstance(made, _Resolved) else (made, {})
        record(made, args, kwargs, drawn)
        return made

    RECIPES[name] = make
    return cast(_Maker, make)


def _record_init(maker: Any, record: Callable[..., None]) -> None:
    """Makes a class record what its constructor was given."""
    init = maker.__init__

    @functools.wraps(init)
    def init_and_record(self, *args, **kwargs):
        init(self, *args, **kwargs)
        if type(self) is maker:
            record(self, args, kwargs, {})

    maker.__init__ = init_and_record


def recipe_of(made: Any) -> Recipe | None:
    """Returns what made an object, or `None` where that is not known."""
    recipe = getattr(made, "_recipe", None)
    return recipe if isinstance(recipe, Recipe) else None


def _kept(value):
    """A setting as it is now: the caller may change a list of his afterwards."""
    if isinstance(value, np.random.Generator):
        return None  # it has gone on; what it gave are values of variables
    if isinstance(value, (list, tuple)):
        return tuple(map(_kept, value))
    return value.copy() if isinstance(value, np.ndarray) else value
