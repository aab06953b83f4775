"""What simulators with a known posterior share."""

import abc
from typing import Any

import numpy as np

from tfp_flows.datasets._arguments import check_integer, check_seed


class Simulator(abc.ABC):
    """Parameters theta ~ p(theta), data x ~ p(x | theta), and the exact posterior p(theta | x).

    `simulator` makes them. Densities are computed in float64 with NumPy; draws are float32, as
    flows take them.

    Attributes:
      theta_size: D, the number of parameters.
      x_size: X, the number of data.
      theta_limits: (low, high), the open interval of every parameter; `None` for all numbers.

    #### Examples

    ```python
    from tfp_flows import datasets

    two_moons = datasets.simulator("two_moons")
    theta, x = two_moons.sample_joint(1000, seed=0)  # [1000, 2] and [1000, 2]
    draws = two_moons.sample_posterior(x[0], 500, seed=1)  # [500, 2]
    log_prob = two_moons.posterior_log_prob(draws, x[0])  # [500], nats
    ```
    """

    theta_size: int
    x_size: int
    theta_limits: tuple[float, float] | None = None

    def sample_prior(self, num_samples: int, seed: int | None = None) -> np.ndarray:
        """Draws parameters from the prior.

        Args:
          num_samples: n, at least 1.
          seed: integer >= 0 for the same draws in each call; None for other ones.

        Returns:
          float32 array `[n, D]`.

        Raises:
          TypeError: if a number is no integer.
          ValueError: if a number is too small.
        """
        num_samples = check_integer("num_samples", num_samples, 1)
        rng = np.random.default_rng(check_seed(seed))
        return self._draw_prior(num_samples, rng).astype(np.float32)

    def simulate(self, theta: Any, seed: int | None = None) -> np.ndarray:
        """Runs the simulator once for each row of parameters.

        Args:
          theta: `[n, D]`.
          seed: integer >= 0 for the same draws in each call; None for other ones.

        Returns:
          float32 array `[n, X]`.

        Raises:
          TypeError: if a number is no integer.
          ValueError: if `theta` has another shape, or the seed is too small.
        """
        theta = check_rows("theta", theta, self.theta_size)
        rng = np.random.default_rng(check_seed(seed))
        return self._simulate(theta, rng).astype(np.float32)

    def sample_joint(
        self, num_samples: int, seed: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draws parameters from the prior, and data for each of them.

        Args:
          num_samples: n, at least 1.
          seed: integer >= 0 for the same draws in each call; None for other ones.

        Returns:
          The parameters, float32 `[n, D]`, and the data, float32 `[n, X]`.

        Raises:
          TypeError: if a number is no integer.
          ValueError: if a number is too small.
        """
        num_samples = check_integer("num_samples", num_samples, 1)
        rng = np.random.default_rng(check_seed(seed))
        theta = self._draw_prior(num_samples, rng).astype(np.float32)
        return theta, self._simulate(theta.astype(np.float64), rng).astype(np.float32)

    def sample_posterior(self, x: Any, num_samples: int, seed: int | None = None) -> np.ndarray:
        """Draws independent parameters from the exact posterior of one observation.

        Args:
          x: the observation, `[X]`.
          num_samples: n, at least 1.
          seed: integer >= 0 for the same draws in each call; None for other ones.

        Returns:
          float32 array `[n, D]`.

        Raises:
          TypeError: if a number is no integer.
          ValueError: if `x` is no observation, or none that can be made; or a number is too
            small.
        """
        x = check_observation(x, self.x_size)
        num_samples = check_integer("num_samples", num_samples, 1)
        rng = np.random.default_rng(check_seed(seed))
        return self._draw_posterior(x, num_samples, rng).astype(np.float32)

    def posterior_log_prob(self, theta: Any, x: Any) -> np.ndarray:
        """The exact log-density of parameters given one observation.

        log p(theta | x) = log p(theta) + log p(x | theta) - log p(x).

        Args:
          theta: `[n, D]`.
          x: the observation, `[X]`.

        Returns:
          float64 array `[n]`, nats; minus infinity outside of the prior's support.

        Raises:
          ValueError: if a shape does not fit, or `x` is not finite.
        """
        theta, x = check_rows("theta", theta, self.theta_size), check_observation(x, self.x_size)
        joint = self.prior_log_prob(theta) + self.log_likelihood(theta, x)
        return joint - self._log_evidence(x)

    def within_prior(self, draws: Any, num_draws: int) -> tuple[np.ndarray, np.ndarray]:
        """Keeps, of draws from an approximate posterior, the first that the prior allows.

        What is kept are draws of q(theta | x) restricted to the prior's support, by rejection. The
        restricted density is q / Z there, where Z is estimated by the part of allowed draws.

        Args:
          draws: `[S, ..., D]`, S draws for each of some observations.
          num_draws: number of draws to keep for each, at most S.

        Returns:
          The kept draws, float array `[num_draws, ..., D]`, and Z for each observation, `[...]`.

        Raises:
          TypeError: if `num_draws` is no integer.
          ValueError: if it is too small, the shape does not fit, or the prior allows fewer draws
            for one of the observations.
        """
        draws = np.asarray(draws)
        if draws.ndim < 2 or draws.shape[-1] != self.theta_size:
            raise ValueError(
                f"draws: expected the shape [S, ..., {self.theta_size}]; received {draws.shape}"
            )
        num_draws = check_integer("num_draws", num_draws, 1)
        allowed = self.prior_log_prob(draws.reshape(-1, self.theta_size)) > -np.inf
        allowed = allowed.reshape(draws.shape[:-1])
        fewest = np.min(np.sum(allowed, axis=0))
        if fewest < num_draws:
            raise ValueError(
                f"draws: expected {num_draws} that the prior allows for each observation; received "
                f"{fewest} of {len(draws)} for one"
            )
        first = np.argsort(~allowed, axis=0, kind="stable")[:num_draws]
        kept = np.take_along_axis(draws, first[..., np.newaxis], axis=0)
        return kept, np.mean(allowed, axis=0)

    @abc.abstractmethod
    def prior_log_prob(self, theta: Any) -> np.ndarray:
        """The log-density of the prior at `theta`, `[n, D]`: float64 `[n]`, nats."""

    @abc.abstractmethod
    def log_likelihood(self, theta: Any, x: Any) -> np.ndarray:
        """log p(x | theta) for `[n, D]` and one observation `[X]` or n: float64 `[n]`, nats."""

    @abc.abstractmethod
    def _draw_prior(self, num_samples: int, rng: np.random.Generator) -> np.ndarray:
        """`[n, D]`."""

    @abc.abstractmethod
    def _simulate(self, theta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """`[n, X]`."""

    @abc.abstractmethod
    def _draw_posterior(
        self, x: np.ndarray, num_samples: int, rng: np.random.Generator
    ) -> np.ndarray:
        """`[n, D]`."""

    @abc.abstractmethod
    def _log_evidence(self, x: np.ndarray) -> float:
        """log p(x)."""


def check_rows(argument, value, size):
    """Returns rows of `size` finite numbers as float64 `[n, size]`."""
    array = np.asarray(value, np.float64)
    if array.ndim != 2 or array.shape[1] != size:
        raise ValueError(f"{argument}: expected the shape [n, {size}]; received {array.shape}")
    return array


def check_observation(x, size):
    array = np.asarray(x, np.float64)
    if array.shape != (size,) or not np.isfinite(array).all():
        raise ValueError(
            f"x: expected one observation, {size} finite numbers; received {array.tolist()}"
        )
    return array
