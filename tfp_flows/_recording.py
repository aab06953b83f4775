"""Which recipe made a distribution, and with which settings: written down beside what it made.

That is what a file can hold of a flow, besides the values of its variables.
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np

_Maker = TypeVar("_Maker", bound=Callable)

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


class Resolved(NamedTuple):
    """What a recorded function returns that has drawn one of its settings, such as an order.

    Streams of random numbers differ between versions of NumPy: what is no variable, and was drawn,
    is recorded itself.

    Attributes:
      made: what the caller shall get.
      settings: the settings with which no draw is needed, by name.
    """

    made: Any
    settings: dict[str, Any]


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

    def record(made, args, kwargs, resolved):
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        made._recipe = Recipe(
            name, {key: _kept(value) for key, value in (bound.arguments | resolved).items()}
        )

    if isinstance(maker, type):
        init = maker.__init__

        @functools.wraps(init)
        def init_and_record(self, *args, **kwargs):
            init(self, *args, **kwargs)
            if type(self) is maker:
                record(self, args, kwargs, {})

        maker.__init__ = init_and_record
        RECIPES[name] = maker
        return maker

    @functools.wraps(maker)
    def make(*args, **kwargs):
        made = maker(*args, **kwargs)
        made, resolved = made if isinstance(made, Resolved) else (made, {})
        record(made, args, kwargs, resolved)
        return made

    RECIPES[name] = make
    return make


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
