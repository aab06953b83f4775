"""Two hierarchical densities that are hard for Markov chains: Neal's funnel and eight schools."""

import dataclasses
import functools
import math
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_flows.datasets._arguments import check_integer, check_seed

# Scales of the priors of mu and tau, in points of the test.
_MU_SCALE = 5.0
_TAU_SCALE = 5.0
# Where log tau is integrated over.
_LOG_TAUS = np.linspace(-40.0, 20.0, 6001)


def funnel(
    event_size: int = 10, scale: float = 3.0, dtype: tf.DType = tf.float32
) -> tfd.TransformedDistribution:
    """Neal's funnel: a normal variable decides the scale of all others.

    ```none
    v ~ N(0, scale^2),   x_i | v ~ N(0, exp(v)),   i = 1 ... D - 1
    ```

    An event is (v, x_1, ..., x_{D-1}). Between the mouth, v = 3 scale, and the neck, v = -3 scale,
    the width exp(v / 2) of the others falls by a factor exp(3 scale), 8,103 by default: no single
    step size of a Markov chain fits both.

    Args:
      event_size: D, at least 2.
      scale: the standard deviation of v.
      dtype: floating dtype.

    Returns:
      The distribution of events `[D]`, with exact `log_prob` and `sample`.

    Raises:
      TypeError: if `event_size` is not an integer.
      ValueError: if `event_size` is less than 2, or `scale` is not positive.

    #### Examples

    ```python
    from tfp_flows import datasets

    funnel = datasets.funnel(event_size=3)
    print(funnel.sample(5, seed=0).shape)  # (5, 3)
    print(funnel.log_prob([0.0, 0.0, 0.0]).numpy())  # -3.855
    ```

    #### References

    R. M. Neal, Slice sampling, Annals of Statistics 31(3), 2003, section 8 (D = 10, scale 3).
    """
    event_size = check_integer("event_size", event_size, 2)
    if not 0.0 < scale < math.inf:
        raise ValueError(f"scale: expected a positive number; received {scale}")

    def widths(v: tf.Tensor, num_others: int, **_: Any) -> tfb.Bijector:
        del num_others  # one width for all of them
        return tfb.Scale(log_scale=0.5 * v)

    scales = tf.constant([scale] + [1.0] * (event_size - 1), dtype)
    return tfd.TransformedDistribution(
        tfd.MultivariateNormalDiag(scale_diag=scales),
        tfb.RealNVP(num_masked=1, bijector_fn=widths),
        name="funnel",
    )


@dataclasses.dataclass(frozen=True)
class EightSchools:
    """The effect of coaching in eight schools: the posterior of a hierarchical model, centred form.

    ```none
    mu ~ N(0, 5^2),   tau ~ HalfCauchy(5),   theta_j ~ N(mu, tau^2),   y_j ~ N(theta_j, sigma_j^2)
    ```

    An event is (mu, log tau, theta_1, ..., theta_J), and the density is one of these numbers. It is
    a funnel, too: where tau is small, all theta_j are held to mu. Given tau all others are
    Gaussian: the constant of the density, the density of log tau and independent draws follow from
    integrals over one number.

    Args:
      effects: y, the estimated effect in each school, in points of the test, `[J]`.
      standard_errors: sigma, those of the estimates, `[J]`.

    Raises:
      ValueError: if the two are not of one length, or a standard error is not positive.

    #### Examples

    ```python
    from tfp_flows import datasets

    schools = datasets.EightSchools()
    x = schools.sample(4, seed=0)  # [4, 10]
    print(schools.log_prob(x).shape)  # (4,)
    ```

    #### References

    D. B. Rubin, Estimation in Parallel Randomized Experiments, Journal of Educational Statistics
    6(4), 1981, for the data. A. Gelman, J. B. Carlin, H. S. Stern, D. B. Dunson, A. Vehtari and
    D. B. Rubin, Bayesian Data Analysis, 3rd edition, 2013, section 5.5, for the model. (There, the
    priors of mu and tau are flat; these are the weak ones that are common in tests of samplers.)
    """

    effects: tuple[float, ...] = (28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0)
    standard_errors: tuple[float, ...] = (15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0)

    def __post_init__(self) -> None:
        num_effects, num_errors = len(self.effects), len(self.standard_errors)
        if num_effects != num_errors:
            raise ValueError(
                f"standard_errors: expected {num_effects} numbers, one an effect; received "
                f"{num_errors}"
            )
        if not all(0.0 < error < math.inf for error in self.standard_errors):
            raise ValueError(
                f"standard_errors: expected positive numbers; received {self.standard_errors}"
            )

    @property
    def event_size(self) -> int:
        """J + 2."""
        return len(self.effects) + 2

    def log_prob(self, x: Any) -> tf.Tensor:
        """The log-density of the posterior, up to its constant `log_normalizer`.

        Args:
          x: (mu, log tau, theta), floating `[..., J + 2]`.

        Returns:
          Nats `[...]`.

        Raises:
          TypeError: if x is not floating.
          ValueError: if the last axis of x has another size.
        """
        x = _floating("x", x)
        if x.shape.rank == 0 or x.shape[-1] != self.event_size:
            raise ValueError(f"x: expected the shape [..., {self.event_size}]; received {x.shape}")
        mu, log_tau, theta = x[..., :1], x[..., 1:2], x[..., 2:]
        schools = tfd.Normal(mu, tf.exp(log_tau)).log_prob(theta)
        schools += tfd.Normal(theta, self.standard_errors).log_prob(self.effects)
        prior = tfd.Normal(tf.zeros([], x.dtype), _MU_SCALE).log_prob(mu) + _log_tau_prior(log_tau)
        return prior[..., 0] + tf.reduce_sum(schools, axis=-1)

    @functools.cached_property
    def log_normalizer(self) -> float:
        """The log of the integral of exp(`log_prob`), which is log p(y), in nats."""
        # The density vanishes at both ends: a sum is as good as a rule of any order.
        log_sum = tf.reduce_logsumexp(self._log_tau_joint(tf.constant(_LOG_TAUS)))
        return float(log_sum) + math.log(_LOG_TAUS[1] - _LOG_TAUS[0])

    def log_tau_log_prob(self, log_tau: Any) -> tf.Tensor:
        """The log-density of log tau under the posterior, exact and normalized.

        Args:
          log_tau: floating `[...]`.

        Returns:
          Nats `[...]`.

        Raises:
          TypeError: if it is not floating.
        """
        return self._log_tau_joint(_floating("log_tau", log_tau)) - self.log_normalizer

    def sample(self, num_samples: int, seed: int | None = None) -> np.ndarray:
        """Independent draws from the posterior: log tau from its density, then mu, then theta.

        Args:
          num_samples: n, at least 1.
          seed: integer, or `None` for fresh draws.

        Returns:
          (mu, log tau, theta), float32 `[n, J + 2]`.

        Raises:
          TypeError: if an argument is not an integer.
          ValueError: if one is out of range.
        """
        num_samples = check_integer("num_samples", num_samples, 1)
        rng = np.random.default_rng(check_seed(seed))
        cumulative = np.cumsum(np.exp(self._log_tau_joint(tf.constant(_LOG_TAUS)).numpy()))
        quantile = rng.uniform(0.0, cumulative[-1], [num_samples, 1])
        log_tau = np.interp(quantile, cumulative, _LOG_TAUS)
        _, precision, mean = self._mu_given(tf.constant(log_tau[:, 0]))
        mu = (
            mean[:, np.newaxis] + rng.normal(size=log_tau.shape) / np.sqrt(precision)[:, np.newaxis]
        )
        effects, errors = np.array(self.effects), np.array(self.standard_errors)
        # theta_j lies between mu and y_j, the nearer to mu the smaller tau is.
        weight = 1.0 / (1.0 + np.square(errors * np.exp(-log_tau)))
        noise = rng.normal(size=[num_samples, len(effects)])
        theta = mu + weight * (effects - mu) + np.sqrt(weight) * errors * noise
        return np.concatenate([mu, log_tau, theta], axis=1).astype(np.float32)

    def _mu_given(self, log_tau):
        """Widths of the Gaussians y_j | mu, tau; precision and mean of the one of mu | y, tau."""
        effects = tf.constant(self.effects, log_tau.dtype)
        errors = tf.constant(self.standard_errors, log_tau.dtype)
        widths = tf.sqrt(tf.exp(2.0 * log_tau)[..., tf.newaxis] + tf.square(errors))
        precision = 1.0 / _MU_SCALE**2 + tf.reduce_sum(1.0 / tf.square(widths), axis=-1)
        mean = tf.reduce_sum(effects / tf.square(widths), axis=-1) / precision
        return widths, precision, mean

    def _log_tau_joint(self, log_tau):
        """log p(log tau, y): the integral over mu from its integrand's value and curvature at 0."""
        widths, precision, mean = self._mu_given(log_tau)
        at_zero = tfd.Normal(tf.zeros_like(widths), widths).log_prob(self.effects)
        integral = 0.5 * tf.square(mean) * precision - 0.5 * tf.math.log(precision * _MU_SCALE**2)
        return _log_tau_prior(log_tau) + tf.reduce_sum(at_zero, axis=-1) + integral


def _floating(argument: str, value: Any) -> tf.Tensor:
    tensor = tf.convert_to_tensor(value)
    if not tensor.dtype.is_floating:
        raise TypeError(
            f"{argument}: expected a floating-point tensor; received dtype {tensor.dtype.name}"
        )
    return tensor


def _log_tau_prior(log_tau: tf.Tensor) -> tf.Tensor:
    """The log-density of log tau before any school is seen."""
    tau = tfd.HalfCauchy(tf.zeros([], log_tau.dtype), _TAU_SCALE)
    return tau.log_prob(tf.exp(log_tau)) + log_tau
