"""Functions and classes by name: those of TensorFlow and Keras that serve as activations, and those
that users have registered with Keras.

A file holds the names, never code. A name is looked up in tables and registries; nothing is
imported because a file asks for it.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

_TENSORFLOW = {
    f"tf.nn.{name}": getattr(tf.nn, name)
    for name in (
        "elu",
        "gelu",
        "leaky_relu",
        "relu",
        "relu6",
        "selu",
        "sigmoid",
        "silu",
        "softplus",
        "softsign",
        "tanh",
    )
} | {"tf.sin": tf.sin}
_KERAS = "keras.activations."


def name_of_function(function: Any) -> str | None:
    """Returns the name of an activation of TensorFlow or Keras, or `None` for anything else."""
    for name, known in _TENSORFLOW.items():
        if function is known:
            return name
    name = getattr(function, "__name__", "")
    return _KERAS + name if _keras_activation(name) is function else None


def function_of_name(name: str) -> Callable:
    """Returns the activation of a name.

    Raises:
      ValueError: there is none.
    """
    is_keras = name.startswith(_KERAS)
    function = _keras_activation(name[len(_KERAS) :]) if is_keras else _TENSORFLOW.get(name)
    if function is None:
        raise ValueError(f"Expected the name of an activation, received {name!r}.")
    return function


def registered_name(function_or_class: Any) -> str | None:
    """Returns the name under which something is registered with Keras, or `None`."""
    if not hasattr(function_or_class, "__name__"):
        return None
    name = keras.saving.get_registered_name(function_or_class)
    return name if keras.saving.get_registered_object(name) is function_or_class else None


def registered_object(name: str) -> Any:
    """Returns what is registered with Keras under a name.

    Raises:
      ValueError: nothing is.
    """
    found = keras.saving.get_registered_object(name)
    if found is None:
        raise ValueError(
            f"Expected {name!r} to be registered with Keras before the file is loaded: import the "
            "module whose `@keras.saving.register_keras_serializable(...)` registers it."
        )
    return found


def _keras_activation(name: str) -> Callable | None:
    is_public = name.isidentifier() and name not in ("get", "serialize", "deserialize")
    return getattr(keras.activations, name, None) if is_public else None
