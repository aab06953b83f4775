"""Learned accept/reject sampling: a Gaussian with a learned acceptance probability."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from tfp_flows import _tfp
from tfp_flows._checks import check_at_least, check_floating
from tfp_flows._recording import recorded
from tfp_flows._variables import find_variables
from tfp_flows.distributions._arguments import check_network
from tfp_flows.distributions._rejection import (
    draw_accepted,
    log_mean_exp,
    log_rejected,
    normal_points,
    value_with_gradient_of,
)
from tfp_flows.distributions.gaussian import standard_normal
from tfp_flows.networks import MLP, generator
from tfp_flows.numerics import stateless_normal


class NormalizerEstimate(NamedTuple):
    """An estimate of the mean acceptance probability Z, and how far it may be off.

    Attributes:
      value: the estimate, a scalar in (0, 1).
      standard_error: its standard error, a scalar.
    """

    value: tf.Tensor
    standard_error: tf.Tensor


class ResampledGaussian(tfd.Distribution):
    """A standard Gaussian from which a network accepts some draws and rejects others (LARS).

    ```none
    a(x) = sigmoid(network(x)),   Z = E[a(e)],  e ~ N(0, I)
    p(x) = N(x; 0, I) (a(x) (1 - (1 - Z)^(T-1)) / Z + (1 - Z)^(T-1))
    ```

    A draw is proposed and accepted with probability `a`, again and again; the T-th one is accepted
    in any case, so that sampling ends. With `a` near zero in places, the density has holes and
    separate modes, which a flow by itself, a continuous map, cannot make. A network of zeros gives
    the Gaussian itself.

    The value of Z is the mean of `a` over M fixed points that are spread like draws from the
    Gaussian (a randomized Halton sequence), so that the log-density is a deterministic function and
    no state changes when it is evaluated. Its gradient is taken over M fresh draws instead: a
    network whose gradient saw the same points at every step would learn to be small just there, and
    claim a density that integrates to more than one. `estimate_normalizer` gives Z from fresh draws
    with its standard error. With M = 1,024 and random networks, Z is off by 0.1 % in two dimensions
    and 1 to 2 % in 8 to 32 (by 1.2 and 2 to 5 % if the points were independent draws).

    The density costs the network at x and at the M points; its gradient, at M more; a sample about
    1/Z, at most T evaluations of the network. Samples carry no gradient (not reparameterized):
    train by maximum likelihood.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    network = tff.networks.MLP(input_size=2, output_size=1, hidden_units=[32], seed=0)
    base = tff.distributions.ResampledGaussian(network, points=tf.random.normal([1024, 2], seed=0))
    base.log_prob(tf.zeros([2]))
    base.estimate_normalizer(num_samples=10_000, seed=0)  # 0.5, at first
    ```

    #### References

    Bauer and Mnih (2019), Resampled Priors for Variational Autoencoders, arXiv:1810.11428,
    section 3. Stimper, Schölkopf and Hernández-Lobato (2022), Resampling Base Distributions of
    Normalizing Flows, arXiv:2110.15828, section 3.
    """

    def __init__(
        self,
        network: Callable[[tf.Tensor], tf.Tensor],
        points: tf.Tensor | tf.Variable,
        num_rounds: int = 100,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str = "ResampledGaussian",
    ):
        """Creates the distribution.

        Args:
          network: callable from `[..., D]` to the logits of the acceptance probability `[..., 1]`.
          points: `[M, D]`, spread like draws from the standard Gaussian; a tensor or a
            non-trainable variable.
          num_rounds: T, at least 2.
          validate_args: as in every TFP distribution.
          allow_nan_stats: as in every TFP distribution.
          name: the distribution's name.

        Raises:
          TypeError: `network` is not callable, `points` are not floating, or `num_rounds` is no
            integer.
          ValueError: `points` is no matrix, the network declares sizes (`input_size`,
            `output_size`) that do not fit, or `num_rounds` is too small.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            check_at_least(2, num_rounds=num_rounds)
            self._points = _tfp.tensor_util.convert_nonref_to_tensor(
                points, dtype_hint=tf.float32, name="points"
            )
            dtype = tf.as_dtype(self._points.dtype)
            if not dtype.is_floating:
                raise TypeError(
                    f"Argument `points`: expected a floating dtype, received {dtype.name}."
                )
            if self._points.shape.rank != 2 or not self._points.shape.is_fully_defined():
                raise ValueError(
                    "Argument `points`: expected a static shape (M, D), "
                    f"received {self._points.shape}."
                )
            check_network(network, self._points.shape[-1], 1)
            self._network = network
            # `tf.Module` finds the variables of modules; these are those of any callable.
            self._found_variables = find_variables(network)
            self._num_rounds = num_rounds
            self._proposal = standard_normal(self._points.shape[-1], dtype)
            super().__init__(
                dtype=dtype,
                reparameterization_type=tfd.NOT_REPARAMETERIZED,
                validate_args=validate_args,
                allow_nan_stats=allow_nan_stats,
                parameters=parameters,
                name=name,
            )

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        del dtype, num_classes
        return {}  # the points are no parameter with a batch shape

    @property
    def network(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """The network, as it was given."""
        return self._network

    @property
    def points(self) -> tf.Tensor | tf.Variable:
        """The points `[M, D]` over which the normalizer is taken."""
        return self._points

    @property
    def num_rounds(self) -> int:
        """T, after how many proposals one is accepted in any case."""
        return self._num_rounds

    def log_normalizer(self) -> tf.Tensor:
        """Returns log Z as the density uses it, the mean over the points, a scalar."""
        logits = self._logits(tf.convert_to_tensor(self._points))
        return log_mean_exp(tf.math.log_sigmoid(logits))

    def estimate_normalizer(self, num_samples: int = 2**16, seed=None) -> NormalizerEstimate:
        """Estimates Z from fresh draws; nothing is stored.

        Args:
          num_samples: how many draws, at least 2.
          seed: as for `sample`.

        Returns:
          The estimate and its standard error.

        Raises:
          TypeError: `num_samples` is no integer.
          ValueError: `num_samples` is too small.
        """
        check_at_least(2, num_samples=num_samples)
        accepted = tf.sigmoid(self._logits(self._proposal.sample(num_samples, seed=seed)))
        variance = tf.math.reduce_variance(accepted) / (num_samples - 1)
        return NormalizerEstimate(tf.reduce_mean(accepted), tf.sqrt(variance))

    def _event_shape(self):
        return self._points.shape[-1:]

    def _event_shape_tensor(self):
        return tf.constant(self._points.shape[-1:], tf.int32)

    def _log_prob(self, x, seed=None):
        """The log-density.

        Args:
          x: `[..., D]`.
          seed: of the draws that the network's gradient is taken over, as for `sample`. The value
            does not depend on it.
        """
        # p = N (a g + (1 - Z)^(T-1)) with g = (1 - (1 - Z)^(T-1)) / Z = sum_{t=0}^{T-2} (1 - Z)^t:
        # rejected t times, then accepted. As a sum it does not divide by a small Z.
        seed = tfp.random.sanitize_seed(seed, salt="resampled_gaussian")
        fresh = stateless_normal(self._points.shape, seed, self.dtype)
        rejected = value_with_gradient_of(
            log_rejected(self._logits(tf.convert_to_tensor(self._points))),
            log_rejected(self._logits(fresh)),
        )
        powers = tf.range(self._num_rounds - 1, dtype=self.dtype)
        log_g = tf.reduce_logsumexp(powers * rejected)
        log_accepted = tf.math.log_sigmoid(self._logits(x)) + log_g
        log_last = (self._num_rounds - 1.0) * rejected
        return self._proposal.log_prob(x) + tfp.math.log_add_exp(log_accepted, log_last)

    def _sample_n(self, n, seed=None):
        return draw_accepted(
            self._logits, [n, self._points.shape[-1]], self._num_rounds, self.dtype, seed
        )

    def _logits(self, x):
        return tf.cast(self._network(x), self.dtype)[..., 0]


@recorded
def resampled_gaussian(
    event_size: int,
    *,
    hidden_units: Sequence[int] = (64, 64),
    activation="relu",
    num_rounds: int = 100,
    num_points: int = 1024,
    dtype: tf.DType = tf.float32,
    seed=None,
    name: str = "ResampledGaussian",
) -> ResampledGaussian:
    """Makes a `ResampledGaussian` with a network and points of its own.

    Args:
      event_size: D, size of the vectors.
      hidden_units: sizes of the hidden layers of the network of the acceptance probability.
      activation: their activation, as `networks.MLP` takes it.
      num_rounds: T, after how many proposals one is accepted in any case.
      num_points: M, the number of points over which the normalizer is taken.
      dtype: floating dtype.
      seed: integer, NumPy generator or `None`.
      name: the distribution's name.

    Returns:
      The distribution, with event shape `[D]` and no batch shape, at first the standard Gaussian.
      Its points are a non-trainable variable, so that a restored model has the same density.

    Raises:
      TypeError: a size is no integer, or the dtype is not floating.
      ValueError: a size is too small.

    #### Examples

    ```python
    import tfp_flows as tff

    base = tff.distributions.resampled_gaussian(event_size=2, hidden_units=[32], seed=0)
    flow = tff.flows.real_nvp(event_size=2, num_layers=4, base=base, seed=0)
    log_prob = flow.log_prob(flow.sample(5, seed=1))
    ```

    #### References

    See `ResampledGaussian`.
    """
    check_at_least(1, event_size=event_size, num_points=num_points)
    check_floating(dtype)
    rng = generator(seed)
    network = MLP(event_size, 1, hidden_units, activation, seed=rng, dtype=dtype, name="acceptance")
    points_seed = rng.integers(2**31, size=2).tolist()
    points = tf.Variable(
        normal_points(num_points, event_size, points_seed, dtype), trainable=False, name="points"
    )
    return ResampledGaussian(network, points, num_rounds, name=name)
