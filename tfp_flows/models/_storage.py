"""What the models share about files: `.keras` files, weights files, and what stands in them."""

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from tfp_flows import flows
from tfp_flows.models import _files, _random, _weights, adoption

_SEEDS = "seeds"


class StoredModel(keras.Model):
    """A Keras model that files can hold, whole or not at all.

    A subclass writes `stored_parts` and `stored_settings`: together the arguments of its
    constructor, but for `name`.
    """

    def stored_parts(self) -> dict[str, Any]:
        """The arguments that `flows.get_config` describes, by name."""
        raise NotImplementedError

    def stored_settings(self) -> dict[str, Any]:
        """The arguments that Keras describes, by name."""
        return {}

    def get_config(self) -> dict[str, Any]:
        """Describes the model by plain data, for `save` and `keras.saving`.

        Returns:
          Mappings, lists, numbers and texts; `from_config` takes them.

        Raises:
          TypeError: a part cannot be described, see `flows.get_config`.
        """
        settings = keras.saving.serialize_keras_object(self.stored_settings())
        for name, setting in settings.items():
            if "__lambda__" in _class_names(setting):
                raise TypeError(
                    f"Argument `{name}`: expected layers that a file can hold, received one with a "
                    "`lambda`, which is code. Make a layer of it, or a function that is registered "
                    "by `keras.saving.register_keras_serializable`."
                )
        frozen = [
            layer.name
            for layer in self.layers
            if isinstance(layer, adoption.Adopted) and not layer.trainable
        ]
        return {
            "name": self.name,
            "trainable": self.trainable,
            "frozen": frozen,
            "input_shape": getattr(self, "_input_shapes", None),
            "parts": flows.get_config(self.stored_parts()),
            **settings,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Any = None) -> "StoredModel":
        """Makes a model from its description; `keras.saving.load_model` calls it.

        Args:
          config: from `get_config`.
          custom_objects: as in Keras.

        Returns:
          The model, with variables of its own, which have not the described one's values yet.

        Raises:
          ValueError: the description is of a newer version of this package, or names a recipe,
            class or function that there is not.
        """
        config = dict(config)
        name = config.pop("name", None)
        trainable, frozen = config.pop("trainable", True), config.pop("frozen", ())
        input_shape = config.pop("input_shape", None)
        with keras.saving.custom_object_scope(custom_objects or {}):
            parts = flows.from_config(config.pop("parts", None))
            settings = keras.saving.deserialize_keras_object(config)
        model = cls(**parts, **settings, name=name)
        if input_shape is not None and not model.built:
            model.build(dict(input_shape))
        for name in frozen:
            model.get_layer(name).trainable = False
        if not trainable:
            model.trainable = False
        return model

    def compile_from_config(self, config: Mapping[str, Any]) -> None:
        """Compiles the model as it was; called by Keras.

        Args:
          config: from Keras's `get_compile_config`.
        """
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built and self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    def save(
        self, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any
    ) -> None:
        """Saves the model, as `keras.Model.save` does, whole or not at all.

        The file holds the recipe and its settings, all weights, the optimizer with its state, and
        the states of the seeds; no code, and nothing that is pickled. After `import tfp_flows`,
        `keras.saving.load_model(filepath)` returns the model, compiled as it was, with its safe
        mode on. `flows.get_config` says what can be described.

        The file is written beside its place, and then put there: a process that is killed, or a
        disk that is full, leaves the previous file intact.

        Args:
          filepath: a path that ends in `.keras`.
          overwrite: whether to replace a file that is there; otherwise Keras asks.
          zipped: as in Keras; `False` for a folder, which Keras writes in its own way.
          **kwargs: for Keras itself.

        Raises:
          OSError: the file cannot be written; what was there before is as it was.
          TypeError: a part cannot be described. Nothing is written then.
          ValueError: the path does not end in `.keras`, or the model has not been built.
        """
        is_file = zipped is not False and "://" not in str(filepath)
        if is_file and not str(filepath).endswith(".keras"):
            raise ValueError(
                f"Argument `filepath`: expected a path that ends in `.keras`, received {filepath}."
            )
        if not self.built:
            raise ValueError(
                f"{type(self).__name__} has no weights to save before it has seen data: expected "
                "a model that is built, received one that is not."
            )
        # What cannot be described shows now, before anything is written.
        keras.saving.serialize_keras_object(self)
        write = super().save
        if not (overwrite and _files.is_single_local_file(filepath, ".keras")):
            write(filepath, overwrite=overwrite, zipped=zipped, **kwargs)
            return
        _files.write(
            filepath, ".keras", lambda draft: write(draft, **kwargs), self._all_variables()
        )

    def save_weights(self, filepath: Any, overwrite: bool = True, **kwargs: Any) -> None:
        """Saves the weights, as `keras.Model.save_weights` does, whole or not at all.

        The file is written beside its place, sealed by a digest of its contents, and then put
        there: a process that is killed, or a disk that is full, leaves the previous file intact.

        Args:
          filepath: a path that ends in `.weights.h5`.
          overwrite: whether to replace a file that is there; otherwise Keras asks.
          **kwargs: `max_shard_size` of Keras; files in shards, and those in a cloud, are written as
            Keras does it.

        Raises:
          OSError: the file cannot be written; what was there before is as it was.
        """
        if not overwrite:
            super().save_weights(filepath, overwrite=False, **kwargs)
            return
        write = super().save_weights
        _weights.write(filepath, lambda path: write(path, **kwargs), self._all_variables())

    def load_weights(self, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> None:
        """Loads weights, as `keras.Model.load_weights` does, all of them or none.

        Args:
          filepath: a file of `save_weights`.
          skip_mismatch: whether to leave out what does not fit.
          **kwargs: `objects_to_skip` of Keras.

        Raises:
          OSError: the file is missing, truncated, or has been changed since it was written; the
            model is as it was.
          ValueError: the file holds the weights of another model; the model is as it was.
        """
        read = super().load_weights
        _weights.read(
            filepath, lambda path: read(path, skip_mismatch, **kwargs), self._all_variables()
        )

    def _all_variables(self) -> list[keras.Variable]:
        """Those of the model and, if it has one, of its optimizer."""
        optimizer = getattr(self, "optimizer", None)
        return [*self.variables, *(optimizer.variables if optimizer else ())]

    def save_own_variables(self, store: Any) -> None:
        """Called by Keras; adds what Keras leaves out, the states of all random seeds.

        Args:
          store: a mapping from names to arrays, to be filled.
        """
        super().save_own_variables(store)
        store[_SEEDS] = np.stack([keras.ops.convert_to_numpy(v) for v in _random.states(self)])

    def load_own_variables(self, store: Any) -> None:
        """Called by Keras.

        Args:
          store: a mapping from names to arrays, from `save_own_variables` or Keras's own.

        Raises:
          ValueError: the store is that of another model.
        """
        arrays = {name: store[name] for name in store.keys()}  # noqa: SIM118 (no mapping)
        seeds = arrays.pop(_SEEDS, None)
        super().load_own_variables(arrays)
        if seeds is not None:
            for state, value in zip(_random.states(self), seeds, strict=True):
                state.assign(value)


def _class_names(config: Any) -> Iterator[str]:
    """The names of all classes in a description of Keras's."""
    if isinstance(config, Mapping):
        if isinstance(config.get("class_name"), str):
            yield config["class_name"]
        config = list(config.values())
    if isinstance(config, (list, tuple)):
        for part in config:
            yield from _class_names(part)
