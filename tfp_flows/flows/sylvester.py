"""The Sylvester flow."""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows._recording import recorded
from tfp_flows.bijectors import Sylvester
from tfp_flows.flows import _recipe
from tfp_flows.networks import Linear, generator
from tfp_flows.numerics import householder_columns, orthogonalize

_ORTHOGONAL = ("projection", "householder", "permutation")


@recorded
def sylvester(
    event_size: int,
    num_layers: int = 4,
    *,
    num_units: int | None = None,
    orthogonal: str = "projection",
    num_reflections: int | None = None,
    context_size: int | None = None,
    base=None,
    fast: str = "sample",
    dtype: tf.DType = tf.float32,
    seed=None,
    name: str = "sylvester_flow",
) -> _recipe.Flow:
    """A flow of Sylvester layers, `bijectors.Sylvester`, on a Gaussian.

    ```none
    y = f_K(... f_1(x)),   f_k(z) = z + Q_k R_k tanh(R~_k Q_k^T z + b_k),   x ~ base
    ```

    With a context, the layers' parameters are made of an affine function of it: an amortized
    posterior. The orthonormal columns of `Q_k` come from unconstrained numbers in one of the three
    ways of the paper:

    * `"projection"`: the nearest orthonormal columns to a matrix `[D, M]`, by
      `numerics.orthogonalize` (the paper's orthogonal Sylvester flow, O-SNF);
    * `"householder"`: the first M columns of a product of reflections (H-SNF);
    * `"permutation"`: the identity and the reversal in turn, with nothing to learn; the units act
      on the elements themselves, in the order of a triangular matrix (T-SNF).

    Args:
      event_size: D, size of the vectors.
      num_layers: K.
      num_units: M, hidden units of each layer, at most D. Default: D, but at most 8; always D
        with permutations.
      orthogonal: how `Q_k` is made, see above.
      num_reflections: how many reflections make a `Q_k`, if it is made of them. Default: D, but at
        most 8.
      context_size: size of the context, or `None` for a flow without one.
      base: the base distribution on `[D]`. Default: a standard normal one; with a context, a
        diagonal Gaussian whose location and scale are affine in the context (then `base` may also
        be a callable of the context).
      fast: `"sample"` puts the layers in the direction of sampling, as in the paper, which
        variational inference needs; `"log_prob"` inverts them, so that densities of data are the
        cheap direction. Both directions are exact.
      dtype: floating dtype.
      seed: integer, NumPy generator or `None`.
      name: the distribution's name.

    Returns:
      A `tfd.TransformedDistribution`; with a context, a `distributions.ConditionalDistribution`.

    Raises:
      TypeError: a size is no integer, the dtype is not floating, or the base is no distribution.
      ValueError: a size is too small or too large, `orthogonal` or `fast` is unknown, or the base
        does not fit.

    #### Examples

    ```python
    import tfp_flows as tff

    flow = tff.flows.sylvester(event_size=3, num_layers=2, num_units=2, seed=0)
    x, log_prob = flow.experimental_sample_and_log_prob(5, seed=1)
    ```

    #### References

    Van den Berg, Hasenclever, Tomczak and Welling (2018), Sylvester Normalizing Flows for
    Variational Inference, arXiv:1803.05649.
    """
    _recipe.check_settings(event_size, num_layers, context_size, base, dtype)
    _recipe.check_fast(fast)
    settings = _settings(event_size, num_layers, num_units, orthogonal, num_reflections)
    rng = generator(seed)
    if context_size is not None:
        bound = _ConditionalSylvester(settings, context_size, fast, dtype, rng)
        return _recipe.conditional(bound, event_size, context_size, base, dtype, rng, name)
    values = _initial_values(settings, rng)
    layers = [
        _layer(
            settings, k, {key: _learned(settings, key, v[k], dtype) for key, v in values.items()}
        )
        for k in range(num_layers)
    ]
    return _recipe.unconditional(_directed(layers, fast), event_size, base, dtype, name)


class _Settings(NamedTuple):
    """The checked settings.

    Attributes:
      event_size: D.
      num_layers: K.
      num_units: M.
      orthogonal: one of `_ORTHOGONAL`.
      num_reflections: how many reflections make a `Q`, or `None` where it is made otherwise.
    """

    event_size: int
    num_layers: int
    num_units: int
    orthogonal: str
    num_reflections: int | None

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each unconstrained parameter of one layer."""
        size, units = self.event_size, self.num_units
        shapes: dict[str, tuple[int, ...]] = {}
        if self.orthogonal == "projection":
            shapes["q"] = (size, units)
        elif self.num_reflections is not None:
            shapes["q"] = (self.num_reflections, size)
        triangle = (units * (units + 1) // 2,)
        return shapes | {"r": triangle, "r_tilde": triangle, "b": (units,)}

    def constrain(self, key: str, value: tf.Tensor) -> tf.Tensor:
        """From an unconstrained parameter to the argument of `Sylvester`."""
        if key == "b":
            return value
        if key != "q":
            return tfp.math.fill_triangular(value, upper=True)
        if self.orthogonal == "projection":
            return orthogonalize(value)
        return householder_columns(value, self.num_units)


class _ConditionalSylvester(tf.Module):
    """From a context to Sylvester layers: all parameters in one affine map."""

    def __init__(self, settings, context_size, fast, dtype, rng):
        super().__init__(name="conditional_sylvester")
        self._settings = self._no_dependency(settings)
        self._fast = fast
        values = _initial_values(settings, rng)
        self._parameters = Linear(
            context_size,
            sum(v.size for v in values.values()),
            bias=np.concatenate([v.ravel() for v in values.values()]),
            seed=rng,
            dtype=dtype,
            gain=_recipe.CONTEXT_GAIN,
            name="sylvester_parameters",
        )

    def __call__(self, context):
        settings = self._settings
        shapes = {key: (settings.num_layers, *s) for key, s in settings.shapes().items()}
        sizes = [math.prod(shape) for shape in shapes.values()]
        split = tf.split(self._parameters(context), sizes, axis=-1)
        arguments = {}
        for (key, shape), value in zip(shapes.items(), split, strict=True):
            value = tf.reshape(value, tf.concat([tf.shape(context)[:-1], shape], axis=0))
            value = tf.ensure_shape(value, context.shape[:-1].concatenate(shape))
            # All layers at once; then the layer axis, left of the argument's own, is taken apart.
            constrained = settings.constrain(key, value)
            axis = context.shape.rank - 1
            arguments[key] = tf.unstack(constrained, settings.num_layers, axis=axis)
        layers = [
            _layer(settings, k, {key: v[k] for key, v in arguments.items()})
            for k in range(settings.num_layers)
        ]
        return _directed(layers, self._fast)


def _settings(event_size, num_layers, num_units, orthogonal, num_reflections):
    if orthogonal not in _ORTHOGONAL:
        raise ValueError(
            f"Argument `orthogonal`: expected one of {_ORTHOGONAL}, received {orthogonal!r}."
        )
    is_permutation = orthogonal == "permutation"
    if num_units is None:
        num_units = event_size if is_permutation else min(event_size, 8)
    _check_size("num_units", num_units, event_size if is_permutation else 1, event_size)
    if orthogonal == "householder":
        num_reflections = min(event_size, 8) if num_reflections is None else num_reflections
        _check_size("num_reflections", num_reflections, 1, None)
    elif num_reflections is not None:
        raise ValueError(
            f"Argument `num_reflections`: expected None with orthogonal={orthogonal!r}, "
            f"received {num_reflections!r}."
        )
    return _Settings(event_size, num_layers, num_units, orthogonal, num_reflections)


def _check_size(name, value, smallest, largest):
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"Argument `{name}`: expected an integer, received {value!r}.")
    if value < smallest or (largest is not None and value > largest):
        limits = f"at least {smallest}" + ("" if largest is None else f" and at most {largest}")
        raise ValueError(f"Argument `{name}`: expected {limits}, received {value}.")


def _initial_values(settings, rng):
    """Random directions through the bulk of a standard normal, and layers near the identity."""
    scales = {"q": 1.0, "r": 0.01, "r_tilde": 1.0 / np.sqrt(settings.num_units), "b": 1.0}
    return {
        key: scales[key] * rng.normal(size=(settings.num_layers, *shape))
        for key, shape in settings.shapes().items()
    }


def _learned(settings, key, value, dtype):
    """A variable, seen as the argument of `Sylvester` that it stands for."""
    variable = tf.Variable(value, dtype=dtype, name=key)
    if key == "b":
        return variable
    units = settings.num_units
    return tfp.util.DeferredTensor(
        variable,
        lambda v: settings.constrain(key, v),
        shape=[settings.event_size if key == "q" else units, units],
        name=key,
    )


def _layer(settings, k, arguments):
    """Layer k, counted from the base."""
    if settings.orthogonal == "permutation":
        identity = np.eye(settings.event_size)
        q = identity if k % 2 == 0 else identity[::-1]
        arguments = {"q": tf.constant(q, arguments["b"].dtype)} | arguments
    return Sylvester(**arguments, name=f"sylvester_{k}")


def _directed(layers, fast):
    """`tfb.Chain` applies its last bijector first."""
    return _recipe.directed(_recipe.chain(layers[::-1]), fast)
