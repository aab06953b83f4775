"""The bridge between TFP and Keras 3: a layer that owns the variables of a TFP object."""

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfp_flows import _variables


def adopt_variables(layer: keras.layers.Layer, module: Any) -> list[keras.Variable]:
    """Makes a Keras 3 layer or model own every variable of a TFP object.

    Keras 3 sees no variable of a TFP distribution or bijector: a model that merely holds one has
    nothing to train, and `fit` runs without learning. After adoption they are ordinary weights of
    the layer: trained, counted, saved, frozen by `layer.trainable = False`. Nothing is copied;
    Keras and the TFP object share the same `tf.Variable`s.

    Trainable variables become trainable weights, all others non-trainable ones. They come in the
    order of the object's structure, and weights files depend on that order. What the layer or one
    of its sublayers owns already is not adopted twice, so calling this again is harmless. A
    variable that belongs to a Keras 3 network inside `module` keeps its `keras.Variable`, with its
    name, regularizer and constraint.

    Call it in the layer's `__init__` or `build`. A network that creates its variables at its first
    use must have been used before: evaluate `module` once.

    Args:
      layer: the Keras 3 layer or model; not built yet, unless it already owns all the variables.
      module: any object that holds variables: a `tfd.Distribution`, a `tfb.Bijector`, a
        `tf.Module`, a function, a list of them; stock TFP or of this package.

    Returns:
      The weights of `layer` that stand for the variables of `module`, one a variable.

    Raises:
      TypeError: `layer` is no Keras 3 layer.
      ValueError: `module` holds no variable at all (nearly always a network that has not been used
        yet, or the wrong object), or `layer` is built and can own no more.

    #### Examples

    ```python
    import keras
    import numpy as np
    import tensorflow as tf
    import tensorflow_probability as tfp
    import tfp_flows as tff

    class Flow(keras.Model):
        def __init__(self, distribution):
            super().__init__()
            self.distribution = distribution
            distribution.log_prob(tf.zeros([1, 2]))  # its network creates its variables now
            tff.models.adopt_variables(self, distribution)

        def call(self, x):
            return self.distribution.log_prob(x)

    network = keras.Sequential([keras.layers.Dense(32, "relu"), keras.layers.Dense(2)])
    flow = tfp.distributions.TransformedDistribution(
        tfp.distributions.MultivariateNormalDiag(tf.zeros(2)),
        tfp.bijectors.RealNVP(
            num_masked=1, shift_and_log_scale_fn=lambda x, n: tf.split(network(x), 2, axis=-1)
        ),
    )
    model = Flow(flow)
    model.compile("adam", loss=lambda _, log_prob: -log_prob)
    x = np.random.default_rng(0).normal(3.0, 0.5, [256, 2]).astype("float32")
    model.fit(x, np.zeros(256), epochs=2, verbose=0)
    ```
    """
    if not isinstance(layer, keras.layers.Layer):
        raise TypeError(
            "Argument `layer`: expected a Keras 3 layer or model, "
            f"received {type(layer).__module__}.{type(layer).__name__}. "
            "(A tf_keras layer tracks a `tf.Module` in its attributes by itself.)"
        )
    found = _variables.describe_variables(module)
    if not found:
        raise ValueError(
            "Argument `module`: expected an object that holds variables, received "
            f"{_described(module)}, which holds none. A network that creates its variables at its "
            "first use must be used before it is adopted."
        )
    return adopt_found(layer, found)


def adopt_found(
    layer: keras.layers.Layer, found: Sequence[_variables.FoundVariable]
) -> list[keras.Variable]:
    """Makes a layer own variables that have been found already, see `adopt_variables`.

    Args:
      layer: the Keras 3 layer.
      found: the variables.

    Returns:
      The weights of `layer` that stand for them, one a variable, in the same order.

    Raises:
      ValueError: `layer` is built and can own no more.
    """
    owned = {id(weight._value): weight for weight in layer.weights}
    adopted = getattr(layer, "_adopted_variables", [])
    names = {weight.path.rpartition(f"{layer.name}/")[-1] for weight in adopted}
    new = []
    for item in found:
        if id(item.variable) not in owned:
            weight = item.keras_variable
            # A layer made with `trainable=False` does not tell its variables.
            if weight is None or weight.trainable != item.trainable:
                weight = _wrapped(layer, item, names)
            owned[id(item.variable)] = weight
            new.append(weight)
    if new:
        try:
            # Keras tracks a list of variables in an attribute, and what is added to it later.
            if adopted:
                adopted.extend(new)
            else:
                layer._adopted_variables = new
        except ValueError as error:
            raise ValueError(
                f"Argument `layer`: expected a layer that is not built yet, received '{layer.name}'"
                f", which is built and does not own {len(new)} of the {len(found)} variables. "
                "Adopt them in its `__init__` or `build`."
            ) from error
    return [owned[id(item.variable)] for item in found]


def evaluate_and_find(
    module: Any, evaluate: Callable[[], Any]
) -> tuple[Any, list[_variables.FoundVariable]]:
    """Evaluates an object once, so that it creates its variables, and finds them all.

    Args:
      module: the object that holds the variables.
      evaluate: uses the object.

    Returns:
      What `evaluate` returns; and the variables: what the search finds, then what only the use of
      the object has shown.
    """
    # A layer may be built while a function is traced; variables must not be born inside its graph.
    # Where that is not so, `init_scope` would only blind the tape.
    scope = contextlib.nullcontext() if tf.executing_eagerly() else tf.init_scope()
    with scope, tf.GradientTape() as tape:
        result = evaluate()
    found = _variables.describe_variables(module)
    known = {id(item.variable) for item in found}
    for watched in tape.watched_variables():
        # Under `tf.distribute`, a tape watches the copies on the devices; their handles know whose
        # copies they are.
        container = getattr(getattr(watched, "handle", None), "_distributed_container", None)
        variable = watched if container is None else container()
        if id(variable) not in known:
            known.add(id(variable))
            found.append(_variables.FoundVariable(variable, trainable=True))
    return result, found


class Adopted(keras.layers.Layer):
    """A layer that does nothing but own the variables of a TFP object.

    As a sublayer it gives the object a line of its own in `summary()`, a folder in weights files,
    and a handle by which it can be frozen: `model.get_layer("posterior").trainable = False`.

    Args:
      found: the variables, from `describe_variables`.
      name: the name of the layer.
    """

    def __init__(self, found: Sequence[_variables.FoundVariable], name: str) -> None:
        super().__init__(name=name)
        adopt_found(self, found)
        self.built = True


class _AdoptedVariable(keras.Variable):
    """A `keras.Variable` around an existing `tf.Variable`.

    Recent versions of Keras adopt a `tf.Variable` that is passed as the initial value; 3.5 would
    make a copy.
    """

    def _initialize(self, value: tf.Variable) -> None:
        self._value = value


def _wrapped(
    layer: keras.layers.Layer, found: _variables.FoundVariable, taken: set[str]
) -> keras.Variable:
    """A Keras variable `layer/scopes/of/the/variable`, made unique by a number if need be."""
    *scopes, name = found.variable.name.split(":")[0].split("/")
    if scopes[:1] == [layer.name]:
        # The variable was born in the layer's `build`, which is a scope of that name already.
        del scopes[0]
    prefix = "".join(f"{scope}/" for scope in scopes)
    numbered = (f"{name}_{i}" for i in itertools.count(1))
    unique = next(n for n in itertools.chain([name], numbered) if prefix + n not in taken)
    taken.add(prefix + unique)
    with _nested_scopes(layer, scopes):
        return _AdoptedVariable(
            found.variable,
            dtype=found.variable.dtype.name,
            trainable=found.trainable,
            # The TFP object reads the `tf.Variable` itself; a cast view of it would serve nobody.
            autocast=False,
            name=unique,
        )


@contextlib.contextmanager
def _nested_scopes(layer: keras.layers.Layer, scopes: Sequence[str]) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        # With the layer as the caller, Keras does not open the scope twice inside `build`.
        stack.enter_context(keras.name_scope(layer.name, caller=layer))
        for scope in scopes:
            stack.enter_context(keras.name_scope(re.sub(r"[^A-Za-z0-9_.-]", "_", scope)))
        yield


def _described(obj: Any) -> str:
    name = getattr(obj, "name", None) or getattr(obj, "__name__", None)
    kind = type(obj).__name__
    return f"a {kind} named '{name}'" if isinstance(name, str) else f"a {kind}"
