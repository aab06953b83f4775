"""Flows as plain data, such as a file of JSON holds: the recipe's name and its settings."""

import importlib
import re
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows.flows._kinds import BY_TAG, KINDS, Kind

_VERSION = "tfp_flows"


def get_config(flow: Any) -> dict[str, Any]:
    """Describes a flow by plain data: the recipe that made it, and all its settings.

    Not the values of its variables: these are what weights files and checkpoints hold. (`save` of
    the models writes both into one file.) Orders of elements that a recipe has drawn at random are
    described themselves, so that they do not depend on a seed; a seed that was a generator becomes
    `None`.

    What can be described:

    * what the recipes of this package return, with a context or without, also after
      `flows.reversible`, and its bases such as `distributions.gaussian_mixture`;
    * distributions of TFP and `distributions.Dequantized`, by their class and arguments, which may
      be numbers, tensors, variables (with their values), `tfp.util.TransformedVariable`s, and all
      that this list holds;
    * activations by name, and those that are functions of `tf.nn` or `keras.activations`;
    * functions, and objects with `get_config`, that are registered by
      `keras.saving.register_keras_serializable`, for what is your own;
    * `None`, and mappings of such values, between whose parts sharing is kept.

    Args:
      flow: one of these.

    Returns:
      Mappings, lists, numbers and texts, which JSON can hold, and `from_config` takes.

    Raises:
      TypeError: there is something that cannot be described, such as a `lambda` among the settings,
        or a `tfd.TransformedDistribution` that no recipe made. The message names the setting.

    #### Examples

    ```python
    import json
    import tfp_flows as tff

    flow = tff.flows.maf(event_size=3, num_layers=2, order="random", seed=0)
    text = json.dumps(tff.flows.get_config(flow))
    same = tff.flows.from_config(json.loads(text))  # its variables, drawn from seed 0, are equal
    ```
    """
    return {_VERSION: _version(), "flow": _Description().describe("flow", flow)}


def from_config(config: dict[str, Any]) -> Any:
    """Makes a flow from its description.

    Recipes, classes and functions are looked up by name among those of this package, of TFP, and
    those that are registered with Keras. No code is read, and nothing is imported.

    Args:
      config: from `get_config`, perhaps by way of JSON.

    Returns:
      A flow as the described one was when it was made, with variables of its own.

    Raises:
      ValueError: `config` was written by a newer version of this package, or names a recipe, class
        or function that there is not, or is no description at all.

    #### Examples

    ```python
    import tfp_flows as tff

    flow = tff.flows.planar(event_size=2, num_layers=4, context_size=3, seed=0)
    other = tff.flows.from_config(tff.flows.get_config(flow))  # a flow of the same structure
    for variable, value in zip(other.variables, flow.variables):
        variable.assign(value)
    ```
    """
    if not isinstance(config, dict) or {_VERSION, "flow"} - set(config):
        raise ValueError(
            "Argument `config`: expected a description of `tfp_flows.flows.get_config`, received "
            f"{_written(config)}."
        )
    if _release(config[_VERSION]) > _release(_version()):
        raise ValueError(
            f"Argument `config`: expected a description of tfp_flows {_version()} or older, "
            f"received one of tfp_flows {config[_VERSION]}. Install that version, or a newer one."
        )
    return _Construction().construct(config["flow"])


class _Description:
    """Describes values, those with an identity once."""

    def __init__(self):
        self._described = {}  # by id: the value, which stays alive, and its description

    def describe(self, path: str, value: Any) -> Any:
        """Describes one value; `path` says where it stands, for messages."""
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, (list, tuple)):
            return [self.describe(f"{path}[{i}]", item) for i, item in enumerate(value)]
        kind = next((kind for kind in KINDS if kind.matches(value)), None)
        if kind is None:
            raise TypeError(_complaint(path, value))
        return self._describe_as(kind, path, value)

    def _describe_as(self, kind: Kind, path: str, value: Any) -> dict[str, Any]:
        if id(value) in self._described:
            _, first = self._described[id(value)]
            return {"same_as": first["id"]}
        description = {}
        if kind.has_identity:
            description["id"] = len(self._described)
            self._described[id(value)] = (value, description)
        description[kind.tag] = kind.describe(
            value, lambda name, part: self.describe(_joined(path, name), part)
        )
        return description


class _Construction:
    """Makes values of descriptions."""

    def __init__(self):
        self._made = {}

    def construct(self, description: Any) -> Any:
        """Makes one value."""
        if isinstance(description, list):
            return [self.construct(item) for item in description]
        if not isinstance(description, dict):
            return description
        if set(description) == {"same_as"} and description["same_as"] in self._made:
            return self._made[description["same_as"]]
        tags = set(description) - {"id"}
        if len(tags) != 1 or not tags <= set(BY_TAG):
            raise ValueError(
                f"Argument `config`: expected one of {sorted(BY_TAG)}, received "
                f"{_written(description)}."
            )
        (tag,) = tags
        try:
            value = BY_TAG[tag].construct(description[tag], self.construct)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(
                f"Argument `config`: expected a {tag} as `get_config` describes it, received "
                f"{_written(description)}: {error!r}."
            ) from error
        self._made[description.get("id")] = value
        return value


def _joined(path: str, name: str) -> str:
    """Where a part stands; the outermost value needs no name of its own."""
    return name if path == "flow" else f"{path}.{name}"


def _complaint(path: str, value: Any) -> str:
    complaint = (
        f"Argument `{path}`: expected what a file can hold: plain values, tensors, variables, what "
        "a recipe of tfp_flows or a class of tfp.distributions made, activations of tf.nn or "
        "keras.activations, and what is registered by `keras.saving.register_keras_serializable`; "
        f"received {_written(value)}."
    )
    if not isinstance(value, tf.Module):
        return complaint
    return (
        f"{complaint} What is made of parts by hand can be saved by its weights (`save_weights` of "
        "a model, `tf.train.Checkpoint`), or by what it computes (`DensityModel.export`)."
    )


def _written(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


def _version() -> str:
    # Asked for when it is needed: the package is complete only after its parts.
    return importlib.import_module(__name__.partition(".")[0]).__version__


def _release(version: Any) -> tuple[int, ...]:
    """The numbers of a version, without what may follow them."""
    numbers = re.match(r"\d+(\.\d+)*", str(version))
    if numbers is None:
        raise ValueError(
            f"Argument `config`: expected a version of tfp_flows, received {version!r}."
        )
    return tuple(int(number) for number in numbers[0].split("."))
