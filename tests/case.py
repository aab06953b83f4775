"""What a case of the contract is, and the variables it is made of."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_flows as tff

tfb = tfp.bijectors


class Parameters:
    """Makes the variables of a case.

    Args:
      dtype: `tf.float32` or `tf.float64`.
      batch_shape: put in front of every parameter's shape.
      fill: a constant for every unconstrained parameter, or `None` for standard normal draws.
      seed: of the draws; the same seed gives the same values in both dtypes.
    """

    def __init__(
        self, dtype: tf.DType, batch_shape: Sequence[int] = (), fill: float | None = None, seed=0
    ):
        self.dtype = tf.as_dtype(dtype)
        self.batch_shape = tuple(batch_shape)
        self.fill = fill
        self._rng = np.random.default_rng(seed)

    def real(self, *shape: int) -> tf.Variable:
        """An unconstrained parameter."""
        return tf.Variable(self._values((*self.batch_shape, *shape)), dtype=self.dtype)

    def positive(self, *shape: int):
        """A positive parameter, between 0.3 and 3; 1e-6 where the case is about extremes."""
        values = np.exp(np.clip(self._rng.normal(size=(*self.batch_shape, *shape)), -1.0, 1.0))
        if self.fill is not None:
            values = np.full_like(values, 1e-6)
        return tfp.util.TransformedVariable(
            values.astype(self.dtype.as_numpy_dtype), tfb.Exp(), dtype=self.dtype
        )

    def network(self, input_size: int, output_size: int) -> tf.Module:
        """A conditioner; `fill` is what it returns, whatever it sees."""
        network = tff.networks.MLP(
            input_size,
            output_size,
            hidden_units=[5],
            activation="tanh",
            zero_init_last=self.fill is not None,
            seed=self._rng,
            dtype=self.dtype,
        )
        bias = next(v for v in network.variables if v.name.startswith("mlp_1_bias"))
        bias.assign(self._values(bias.shape))
        return network

    def _values(self, shape):
        normal = self._rng.normal(size=tuple(shape))
        return normal if self.fill is None else np.full(tuple(shape), self.fill)


@dataclasses.dataclass(frozen=True)
class Case:
    """One transform.

    Attributes:
      make: from `Parameters` to the bijector.
      event_shape: of one input.
      points: inputs that deserve a test of their own, `[n, *event_shape]`.
      output_shape: of one output, where it is not that of the input.
      domain: maps real numbers to inputs, where not every real number is one.
      codomain: the same for outputs.
      no_batch: why there are no batches of parameters, or `None` if there are.
      no_identity: why zero parameters do not give the identity, or `None` if they do.
      no_variables: why there is nothing to train, or `None` if there is.
      frozen: why some variables are not trained, or `None` if all are.
      slack: factor on the tolerances, with the reason in a comment beside it.
    """

    make: Callable[[Parameters], tfb.Bijector]
    event_shape: tuple[int, ...]
    points: Callable[[tfb.Bijector], tf.Tensor] | None = None
    output_shape: tuple[int, ...] | None = None
    domain: Callable[[tf.Tensor], tf.Tensor] = tf.identity
    codomain: Callable[[tf.Tensor], tf.Tensor] = tf.identity
    no_batch: str | None = None
    no_identity: str | None = None
    no_variables: str | None = None
    frozen: str | None = None
    slack: float = 1.0


NETWORK = "a conditioner is a callable, not a tensor; contexts give batches (test_flows.py)"
