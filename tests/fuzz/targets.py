"""What is fuzzed: every case of `tests/cases.py`, and every recipe with and without a context.

A target is made twice, in float32 and in float64, from the same values of its variables. The second
is the reference that says which results the first could have represented.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

import tfp_flows as tff
from tests import contract
from tests.case import Case, Parameters
from tests.cases import CASES

_VECTORS = ("planar", "radial", "nice", "real_nvp", "neural_spline", "maf", "iaf", "sylvester")
_IMAGES = ("glow", "real_nvp_image")
_SETTINGS = {
    "planar": {"num_layers": 3},
    "radial": {"num_layers": 3},
    "sylvester": {"num_layers": 2},
    "neural_spline": {"num_layers": 2, "num_bins": 4, "hidden_units": [8]},
    "continuous": {"num_steps": 2, "hidden_units": [8]},
    "residual": {"num_layers": 2, "hidden_units": [8]},
    "reversible": {"num_layers": 2, "hidden_units": [8]},
    "glow": {"num_levels": 1, "num_steps": 1, "hidden_channels": 4},
    "real_nvp_image": {"num_levels": 1, "num_couplings": 1, "hidden_channels": 4},
}
_LAYERS = {"num_layers": 2, "hidden_units": [8]}
_CONTEXT = 2


@dataclasses.dataclass(frozen=True)
class Direction:
    """One function of a target, from rows to values and log-dets, or to log-densities.

    Attributes:
      name: of the direction, in messages.
      call: tensor `[..., *event_shape]` -> tuple of tensors, each with the batch shape in front.
      event_shape: of one input.
      value_shapes: of one row of each output.
      domain: maps real numbers to inputs.
      is_bounded: whether infinite inputs may have finite results.
      is_density: whether the result is a log-density, which may be minus infinity.
      context_size: how many of the last elements are a context.
    """

    name: str
    call: Callable[[tf.Tensor], tuple[tf.Tensor, ...]]
    event_shape: tuple[int, ...]
    value_shapes: tuple[tuple[int, ...], ...]
    domain: Callable[[tf.Tensor], tf.Tensor] = tf.identity
    is_bounded: bool = False
    is_density: bool = False
    context_size: int = 0


class Entry(NamedTuple):
    """A public function with one argument: its name, that of the argument, and what it takes.

    `casts` says whether it casts other real numbers to its dtype, `is_ours` whether it is a method
    of this package itself, and `reads_values` whether the result depends on its argument's values:
    where it does not, a graph leaves the argument out, and with it the check of its sizes.
    """

    name: str
    argument: str
    call: Callable[[Any], Any]
    event_shape: tuple[int, ...]
    casts: bool = False
    is_ours: bool = True
    reads_values: bool = True


class Target:
    """A bijector or a recipe in one dtype.

    Args:
      name: its name.
      dtype: float32 or float64.
      module: what owns the variables.
      directions: its functions.
      entries: those that have to refuse wrong arguments.
      logarithms: variables that hold logarithms of positive parameters.

    Attributes:
      has_network: whether its input is multiplied with the weights of a network.
    """

    def __init__(
        self,
        name: str,
        dtype: tf.DType,
        module: tf.Module,
        directions: Sequence[Direction],
        entries: Sequence[Entry],
        logarithms: Sequence[tf.Variable] = (),
    ):
        self.name = name
        self.dtype = dtype
        self.directions = list(directions)
        self.entries = list(entries)
        self._variables = list(module.trainable_variables)
        self.has_network = any("kernel" in v.name for v in self._variables)
        self._is_logarithm = [any(v is w for w in logarithms) for v in self._variables]
        self._traced: dict[int, Callable] = {}

    def assign(self, scale: float, seed: int) -> None:
        """Gives all variables normal values of a scale, the same in both dtypes."""
        if not self._variables:
            return
        self._assign_flat(tf.constant(self._values(scale, seed), self.dtype))

    @functools.lru_cache(maxsize=256)  # noqa: B019 (targets live as long as the program)
    def _values(self, scale, seed):
        rng = np.random.default_rng(seed)
        flat = []
        for variable, is_logarithm in zip(self._variables, self._is_logarithm, strict=True):
            values = scale * rng.normal(size=math.prod(variable.shape))
            flat.append(np.clip(values, -14.0, 14.0) if is_logarithm else values)
        return np.concatenate(flat).astype(np.float32)

    @functools.cached_property
    def _assign_flat(self):
        sizes = [math.prod(v.shape) for v in self._variables]

        @tf.function(autograph=False)
        def assign(flat):
            for variable, values in zip(self._variables, tf.split(flat, sizes), strict=True):
                variable.assign(tf.reshape(values, variable.shape))

        return assign

    def call(self, inputs: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
        """All directions, each at its own rows; traced once for a rank of the batch shape."""
        rank = inputs[0].ndim - len(self.directions[0].event_shape)
        if rank not in self._traced:

            def run(*inputs):
                return [d.call(x) for d, x in zip(self.directions, inputs, strict=True)]

            self._traced[rank] = tf.function(
                run,
                autograph=False,
                input_signature=[
                    tf.TensorSpec([None] * rank + list(d.event_shape), self.dtype)
                    for d in self.directions
                ],
            )
        results = self._traced[rank](*(tf.constant(x, self.dtype) for x in inputs))
        return [[tensor.numpy() for tensor in group] for group in results]


class _Recorded(Parameters):
    """Remembers which of its variables hold logarithms."""

    def __init__(self, dtype):
        super().__init__(dtype)
        self.logarithms = []

    def positive(self, *shape):
        parameter = super().positive(*shape)
        self.logarithms.extend(parameter.trainable_variables)
        return parameter


def _of_case(name: str, case: Case, dtype: tf.DType) -> Target:
    parameters = _Recorded(dtype)
    bijector = case.make(parameters)
    x_shape, y_shape = case.event_shape, contract.output_shape(case)
    directions = [
        Direction(
            "forward",
            lambda x: contract.forward_and_log_det(bijector, x),
            x_shape,
            (y_shape, ()),
            case.domain,
            is_bounded=case.codomain is not tf.identity,
        ),
        Direction(
            "inverse",
            lambda y: contract.inverse_and_log_det(bijector, y),
            y_shape,
            (x_shape, ()),
            case.codomain,
        ),
    ]
    first, second = ("y", "x") if isinstance(bijector, contract.INVERT) else ("x", "y")
    constant = {"reads_values": _log_det_varies(directions[0], dtype)}
    entries = [
        Entry("forward", first, bijector.forward, x_shape),
        Entry("forward log-det", first, bijector.forward_log_det_jacobian, x_shape, **constant),
        Entry("inverse", second, bijector.inverse, y_shape),
        Entry("inverse log-det", second, bijector.inverse_log_det_jacobian, y_shape, **constant),
    ]
    return Target(name, dtype, bijector, directions, entries, parameters.logarithms)


def _log_det_varies(direction, dtype):
    draws = np.random.default_rng(0).normal(size=[2, *direction.event_shape])
    log_dets = direction.call(direction.domain(tf.constant(draws, dtype)))[-1].numpy()
    return log_dets[0] != log_dets[1]


def _make_recipe(name, dtype, **settings):
    settings = _SETTINGS.get(name, _LAYERS) | {"seed": 0, "dtype": dtype} | settings
    if name == "reversible":
        return tff.flows.reversible(tff.flows.real_nvp(3, **settings))
    return getattr(tff.flows, name)([4, 4, 1] if name in _IMAGES else 3, **settings)


def _of_recipe(name: str, dtype: tf.DType) -> Target:
    flow = _make_recipe(name, dtype)
    shape, base_shape = tuple(flow.event_shape), tuple(flow.distribution.event_shape)
    bijector = flow.bijector
    directions = [
        Direction("log_prob", lambda x: (flow.log_prob(x),), shape, ((),), is_density=True),
        Direction(
            "bijector.forward",
            lambda z: contract.forward_and_log_det(bijector, z),
            base_shape,
            (shape, ()),
        ),
    ]
    entries = [Entry("log_prob", "[xy]", flow.log_prob, shape, is_ours=False)]
    # NICE's: its exponential is TFP's own, and overflows.
    logarithms = [v for v in flow.trainable_variables if v.name.startswith("log_scale")]
    return Target(name, dtype, flow, directions, entries, logarithms)


def _of_conditional_recipe(name: str, dtype: tf.DType) -> Target:
    flow = _make_recipe(name, dtype, context_size=_CONTEXT)
    shape = tuple(flow.event_shape)
    size = math.prod(shape)

    def log_prob(rows):
        x, context = tf.split(rows, [size, _CONTEXT], axis=-1)
        x = tf.reshape(x, tf.concat([tf.shape(x)[:-1], shape], axis=0))
        x.set_shape([*rows.shape[:-1], *shape])
        return (flow(context).log_prob(x),)

    direction = Direction(
        "log_prob",
        log_prob,
        (size + _CONTEXT,),
        ((),),
        is_density=True,
        context_size=_CONTEXT,
    )

    def at_zeros(context):
        return flow(context).log_prob(tf.zeros(shape, dtype))

    given = flow(tf.zeros([_CONTEXT], dtype))
    entries = [
        Entry("the flow", "context", at_zeros, (_CONTEXT,), casts=True),
        Entry("log_prob", "[xy]", given.log_prob, shape, is_ours=False),
    ]
    return Target(f"{name}, context", dtype, flow, [direction], entries)


def names() -> list[str]:
    """All targets, the most used first."""
    first = [n for n in CASES if n.startswith(("planar", "radial", "coupling", "elementwise"))]
    first += [n for n in CASES if n.startswith("autoregressive")]
    recipes = [*_VECTORS, *_IMAGES, "reversible", "residual", "continuous"]
    rest = [n for n in CASES if n not in first]
    return [
        *(f"bijector {n}" for n in first),
        *(f"recipe {n}" for n in recipes),
        *(f"conditional {n}" for n in recipes if n != "reversible"),
        *(f"bijector {n}" for n in rest),
    ]


def make(name: str, dtype: tf.DType) -> Target:
    """Makes a target by its name."""
    kind, _, name = name.partition(" ")
    if kind == "bijector":
        return _of_case(name, CASES[name], dtype)
    return (_of_recipe if kind == "recipe" else _of_conditional_recipe)(name, dtype)
