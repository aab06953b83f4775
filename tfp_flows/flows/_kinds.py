"""The kinds of things that a file can hold, each with its way there and back.

A description is plain (`None`, a number, a text), a list of descriptions, or `{tag: content}` with
the tag of a kind. What keeps its identity, such as a variable that two parts share, is described
once and has an `"id"`; other places say `{"same_as": id}`.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows import _recording, distributions, transformers
from tfp_flows.flows import _functions

tfb, tfd = tfp.bijectors, tfp.distributions


class Kind(NamedTuple):
    """One kind of things.

    Attributes:
      tag: its name in files.
      matches: whether a value is of this kind. The first of `KINDS` that matches counts.
      describe: from a value, and what describes a part of it by its name, to the content.
      construct: from the content, and what constructs a part of it, to a value.
      has_identity: whether two references to one value must stay two references to one value.
    """

    tag: str
    matches: Callable[[Any], bool]
    describe: Callable[[Any, Callable[[str, Any], Any]], Any]
    construct: Callable[[Any, Callable[[Any], Any]], Any]
    has_identity: bool = False


def _describe_recipe(made, part):
    recipe = _recording.recipe_of(made)
    settings = {name: part(name, value) for name, value in recipe.settings.items()}
    return {"name": recipe.name, "settings": settings}


def _construct_recipe(content, part):
    name, settings = content["name"], content["settings"]
    if name not in _recording.RECIPES:
        raise ValueError(
            f"Expected one of the recipes {sorted(_recording.RECIPES)}, received {name!r}. Was the "
            "file written by another version of tfp_flows?"
        )
    return _called(
        _recording.RECIPES[name], name, {key: part(value) for key, value in settings.items()}
    )


def _called(maker, name, settings):
    """Calls what a file names; settings that it does not take are an error in the file."""
    try:
        return maker(**settings)
    except TypeError as error:
        raise ValueError(
            f"Expected settings of {name}, received {settings}: {error} Was the file written by "
            "another version of tfp_flows?"
        ) from error


# TFP's objects, by class name and arguments. A `TransformedDistribution` is not among them: its
# bijectors are made of networks, which only a recipe can make again.
_DISTRIBUTIONS = {
    f"{prefix}.{name}": value
    for prefix, module in (("tfd", tfd), ("distributions", distributions))
    for name, value in vars(module).items()
    if isinstance(value, type)
    and issubclass(value, tfd.Distribution)
    and name not in ("Distribution", "TransformedDistribution")
}
_BIJECTORS = {
    f"tfb.{name}": value
    for name, value in vars(tfb).items()
    if isinstance(value, type) and issubclass(value, tfb.Bijector) and name != "Bijector"
}
_TRANSFORMERS = {
    name: value
    for name, value in vars(transformers).items()
    if isinstance(value, type) and name != "Transformer"
}


def _name_of_class(value, table):
    """The name of the class of a value in a table, or `None`."""
    for name, known in table.items():
        # Where a part is no composite tensor, TFP makes objects of the public class's base.
        is_twin = type(value).__name__ == f"_{known.__name__}" and type(value) in known.__bases__
        if type(value) is known or is_twin:
            return name
    return None


def _of_tfp(tag, table):
    """The kind of TFP's objects whose classes stand in a table."""

    def describe(value, part):
        arguments = {key: part(key, argument) for key, argument in value.parameters.items()}
        return {"name": _name_of_class(value, table), "parameters": arguments}

    def construct(content, part):
        name = content["name"]
        if name not in table:
            raise ValueError(f"Expected a {tag} that this version knows, received {name!r}.")
        arguments = {key: part(argument) for key, argument in content["parameters"].items()}
        return _called(table[name], name, arguments)

    return Kind(
        tag,
        lambda value: _name_of_class(value, table) is not None,
        describe,
        construct,
        has_identity=True,
    )


def _describe_array(value):
    value = np.asarray(value)
    return {"dtype": tf.as_dtype(value.dtype).name, "shape": list(value.shape)} | {
        "value": value.ravel().tolist()
    }


def _construct_array(content):
    dtype = tf.as_dtype(content["dtype"]).as_numpy_dtype
    return np.asarray(content["value"], dtype).reshape(content["shape"])


def _is_array(value):
    return isinstance(value, np.ndarray) and _is_real(value.dtype)


def _is_tensor(value):
    return isinstance(value, tf.Tensor) and _is_real(value.dtype)


def _is_real(dtype):
    dtype = tf.as_dtype(dtype)
    return dtype.is_floating or dtype.is_integer or dtype.is_bool


def _is_variable(value):
    return isinstance(value, tf.Variable) and _is_real(value.dtype)


def _describe_variable(variable, part):
    del part
    return _describe_array(variable.numpy()) | {
        "name": variable.name.split(":")[0],
        "trainable": bool(variable.trainable),
    }


def _construct_variable(content, part):
    del part
    value = _construct_array(content)
    return tf.Variable(value, name=content["name"], trainable=content["trainable"])


def _is_transformed_variable(value):
    return type(value) is tfp.util.TransformedVariable


def _describe_transformed_variable(value, part):
    return _describe_variable(value.pretransformed_input, part) | {
        "bijector": part("bijector", value.bijector)
    }


def _construct_transformed_variable(content, part):
    bijector, before = part(content["bijector"]), _construct_array(content)
    variable = tfp.util.TransformedVariable(
        bijector.forward(before), bijector, trainable=content["trainable"], name=content["name"]
    )
    variable.pretransformed_input.assign(before)  # not rounded by the way there and back
    return variable


def _describe_transformer(value, part):
    arguments = [part("transformer", argument) for argument in value._settings()]
    return {"name": _name_of_class(value, _TRANSFORMERS), "arguments": arguments}


def _construct_transformer(content, part):
    if content["name"] not in _TRANSFORMERS:
        raise ValueError(f"Expected one of {list(_TRANSFORMERS)}, received {content['name']!r}.")
    return _TRANSFORMERS[content["name"]](*map(part, content["arguments"]))


def _is_registered_object(value):
    has_config = hasattr(value, "get_config") and hasattr(type(value), "from_config")
    return has_config and _functions.registered_name(type(value)) is not None


def _describe_registered_object(value, part):
    name = _functions.registered_name(type(value))
    return {"name": name, "config": part("config", value.get_config())}


def _construct_registered_object(content, part):
    return _functions.registered_object(content["name"]).from_config(part(content["config"]))


KINDS = (
    Kind(
        "recipe",
        lambda value: _recording.recipe_of(value) is not None,
        _describe_recipe,
        _construct_recipe,
        has_identity=True,
    ),
    Kind(
        "registered_object",
        _is_registered_object,
        _describe_registered_object,
        _construct_registered_object,
        has_identity=True,
    ),
    Kind(
        "registered",
        lambda value: _functions.registered_name(value) is not None,
        lambda value, _: _functions.registered_name(value),
        lambda name, _: _functions.registered_object(name),
    ),
    Kind(
        "function",
        lambda value: _functions.name_of_function(value) is not None,
        lambda value, _: _functions.name_of_function(value),
        lambda name, _: _functions.function_of_name(name),
    ),
    Kind(
        "transformer",
        lambda value: _name_of_class(value, _TRANSFORMERS) is not None,
        _describe_transformer,
        _construct_transformer,
    ),
    _of_tfp("distribution", _DISTRIBUTIONS),
    _of_tfp("bijector", _BIJECTORS),
    Kind("variable", _is_variable, _describe_variable, _construct_variable, has_identity=True),
    Kind(
        "transformed_variable",
        _is_transformed_variable,
        _describe_transformed_variable,
        _construct_transformed_variable,
        has_identity=True,
    ),
    Kind(
        "array",
        _is_array,
        lambda value, _: _describe_array(value),
        lambda content, _: _construct_array(content),
    ),
    Kind(
        "tensor",
        _is_tensor,
        lambda value, _: _describe_array(value),
        lambda content, _: tf.constant(_construct_array(content)),
    ),
    Kind(
        "dtype",
        lambda value: isinstance(value, tf.DType),
        lambda value, _: value.name,
        lambda name, _: tf.as_dtype(name),
    ),
    Kind(
        "mapping",
        lambda value: isinstance(value, Mapping) and all(isinstance(key, str) for key in value),
        lambda value, part: {key: part(key, item) for key, item in value.items()},
        lambda content, part: {key: part(item) for key, item in content.items()},
    ),
)
BY_TAG = {kind.tag: kind for kind in KINDS}
