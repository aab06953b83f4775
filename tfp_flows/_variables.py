"""Every variable an object holds, also where neither `tf.Module` nor Keras looks for it.

A bijector that keeps its network in a closure, a function, a Keras 3 layer or a variable template
reports no variable at all. The search here walks through all of these. It reads attributes and
never calls, builds or evaluates anything.
"""

import dataclasses
import dis
import functools
import itertools
import operator
import sys
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import tensorflow as tf

# Instances of these libraries' classes are entered only where a rule below says so, and their
# functions' globals never: they lead to caches, graphs and the interpreter's own state.
_LIBRARIES = frozenset(sys.stdlib_module_names) | {
    "absl",
    "google",
    "h5py",
    "jax",
    "keras",
    "ml_dtypes",
    "numpy",
    "pandas",
    "scipy",
    "sklearn",
    "tensorflow",
    "tensorflow_datasets",
    "tensorflow_probability",
    "tf_keras",
    "wrapt",
}

# Attributes by which TensorFlow keeps its checkpoints' dependencies: the same objects once more.
_BOOKKEEPING = "_self_"

# What Keras objects of either version hold besides weights.
_NOT_WEIGHTS = ("optimizers.Optimizer", "metrics.Metric", "callbacks.Callback")


@dataclasses.dataclass(frozen=True)
class FoundVariable:
    """One variable of an object.

    Attributes:
      variable: the `tf.Variable` itself.
      trainable: what its Keras layer or `keras.Variable` says, where it has one, else
        `variable.trainable`.
      keras_variable: the `keras.Variable` (Keras 3) that wraps it, or `None`.
    """

    variable: tf.Variable
    trainable: bool
    keras_variable: Any = None


def find_variables(obj: Any) -> list[tf.Variable]:
    """Finds every variable that an object holds.

    Entered are, to any depth and in cycles: variables of TensorFlow and of Keras 3, `tf.Module`s
    (so all of TFP), layers of Keras 3 and tf_keras, `tf.compat.v1` templates, `tf.function`s,
    `functools.partial`s, bound methods, functions (closure, defaults, and the globals their code
    names), mappings, lists and tuples, and instances of the caller's own classes. State that is
    not a weight is left out: optimizers, metrics and Keras seed generators.

    Args:
      obj: any object. It is not called; variables that it creates at its first use are found
        after that.

    Returns:
      The variables, each once, in an order that depends on the object's structure alone.

    #### Examples

    ```python
    import tensorflow as tf
    from tfp_flows._variables import find_variables

    kernel = tf.Variable(tf.zeros([2, 2]), name="kernel")
    shift = lambda x: x @ kernel
    find_variables(shift)  # [kernel]
    ```
    """
    return [found.variable for found in describe_variables(obj)]


def find_trainable_variables(obj: Any) -> list[tf.Variable]:
    """Finds the variables of an object that are to be trained, see `find_variables`.

    Args:
      obj: any object.

    Returns:
      Those of `find_variables(obj)` that are trainable: as the Keras layer or `keras.Variable`
      around a variable says, and as `variable.trainable` says for all others.
    """
    return [found.variable for found in describe_variables(obj) if found.trainable]


def find_tensors(obj: Any) -> list[tf.Tensor]:
    """Finds the floating tensors that an object holds, where `find_variables` looks for variables.

    Args:
      obj: any object.

    Returns:
      The tensors, each once, in an order that depends on the object's structure alone.
    """
    return [part for part in _walk(obj) if isinstance(part, tf.Tensor) and part.dtype.is_floating]


def describe_variables(obj: Any) -> list[FoundVariable]:
    """Finds every variable that an object holds, with what is known of it.

    Args:
      obj: any object, as for `find_variables`.

    Returns:
      One record a variable, in the order of `find_variables`.
    """
    found: dict[int, FoundVariable] = {}
    # Those that a layer has named. It has the last word, also where the bare variable came first.
    named: set[int] = set()
    for current in _walk(obj):
        for record in _own_variables(current):
            key = id(record.variable)
            is_named = current is not record.variable
            if key not in found or (is_named and key not in named):
                found[key] = record
            if is_named:
                named.add(key)
    return list(found.values())


def _walk(obj: Any) -> Iterator[Any]:
    """The object and all that it refers to, each once."""
    # The objects themselves are kept, so that no id is used again during the walk.
    entered: dict[int, Any] = {}
    waiting = [obj]
    while waiting:
        current = waiting.pop()
        if id(current) in entered:
            continue
        entered[id(current)] = current
        yield current
        waiting.extend(reversed(list(_children(current))))


def _own_variables(obj: Any) -> list[FoundVariable]:
    """The variables that an object is, or lists by itself."""
    if isinstance(obj, tf.Variable):
        return [FoundVariable(obj, bool(obj.trainable))]
    if _is_a(obj, "keras", "Variable"):
        return _unwrapped([obj], [obj] if obj.trainable else [])
    if _is_template(obj):
        return [FoundVariable(v, bool(v.trainable)) for v in obj.variables]
    if _is_layer(obj):
        try:
            # A frozen layer lists no trainable weight, whatever each weight says of itself.
            return _unwrapped(obj.weights, obj.trainable_weights)
        except ValueError:
            # tf_keras refuses to list the weights of a model that is not built: it has none yet.
            return []
    return []


def _unwrapped(variables: Iterable[Any], trainable: Iterable[Any]) -> list[FoundVariable]:
    """Records of variables of either Keras: tf_keras has bare ones, Keras 3 wraps them."""
    trainable_ids = {id(variable) for variable in trainable}
    records = []
    for variable in variables:
        is_trainable = id(variable) in trainable_ids
        if isinstance(variable, tf.Variable):
            records.append(FoundVariable(variable, is_trainable))
        elif isinstance(variable._value, tf.Variable):
            # Not `variable.value`, which is a cast tensor inside an autocast scope. `_value` is
            # None as long as the variable is not initialized.
            records.append(FoundVariable(variable._value, is_trainable, variable))
    return records


def _children(obj: Any) -> Iterator[Any]:
    """The objects that an object refers to and that may hold variables, in a fixed order."""
    if isinstance(obj, functools.partial):
        yield from (obj.func, *obj.args, *obj.keywords.values())
    elif isinstance(obj, types.MethodType):
        yield from (obj.__self__, obj.__func__)
    elif isinstance(obj, types.FunctionType):
        yield from _function_children(obj)
    elif isinstance(obj, tf.types.experimental.PolymorphicFunction):
        yield obj.python_function
    elif isinstance(obj, Mapping):
        yield from list(obj.values())
    elif isinstance(obj, (list, tuple)):
        yield from list(obj)
    elif _is_template(obj):
        yield obj.func
    elif _is_layer(obj):
        # A layer names its weights itself; its other attributes are Keras's machinery (counters,
        # seeds, optimizers). But Keras 3 overlooks the modules that a layer holds.
        yield from (value for value in _attributes(obj) if isinstance(value, tf.Module))
    elif _has_attributes_of_interest(obj):
        yield from _attributes(obj)


def _function_children(function: types.FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:
            # The name is bound only later; there is nothing to see yet.
            continue
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    yield from vars(function).values()
    if not _is_from_library(function):
        for name in _global_names(function.__code__):
            if name in function.__globals__:
                yield function.__globals__[name]


def _global_names(code: types.CodeType) -> Iterator[str]:
    """The globals that a function's code names, in the order of the code."""
    # `code.co_names` will not do: it holds the names of attributes and methods, too.
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _global_names(constant)


def _has_attributes_of_interest(obj: Any) -> bool:
    """Whether an object is of a kind whose attributes are searched."""
    if isinstance(obj, (type, types.ModuleType, tf.Variable)) or _is_a(obj, "keras", "Variable"):
        return False
    if any(_is_a(obj, *name) for name in itertools.product(("keras", "tf_keras"), _NOT_WEIGHTS)):
        return False
    return isinstance(obj, tf.Module) or not _is_from_library(type(obj))


def _attributes(obj: Any) -> list[Any]:
    """The values of an object's attributes, in the order of their names."""
    attributes = {
        name: value
        for name, value in getattr(obj, "__dict__", {}).items()
        if not name.startswith(_BOOKKEEPING)
    }
    for cls in type(obj).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(obj, name):
                attributes.setdefault(name, getattr(obj, name))
    return [value for _, value in sorted(attributes.items())]


def _is_from_library(function_or_class: Any) -> bool:
    module = getattr(function_or_class, "__module__", None) or ""
    return module.partition(".")[0] in _LIBRARIES


def _is_template(obj: Any) -> bool:
    """Whether an object is what `tf.compat.v1.make_template` returns; its class is not public."""
    return type(obj).__module__ == "tensorflow.python.ops.template" and hasattr(obj, "variables")


def _is_layer(obj: Any) -> bool:
    return _is_a(obj, "keras", "layers.Layer") or _is_a(obj, "tf_keras", "layers.Layer")


def _is_a(obj: Any, library: str, class_name: str) -> bool:
    """Whether an object is an instance of a Keras class, without importing either Keras.

    A Keras that nobody has imported has no instances.
    """
    if library not in sys.modules:
        return False
    return isinstance(obj, operator.attrgetter(class_name)(sys.modules[library]))
