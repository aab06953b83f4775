"""A simulator that is linear and Gaussian, so that its posterior is Gaussian."""

import numpy as np
from scipy import stats

from tfp_flows.datasets._simulator import Simulator, check_rows


class GaussianLinear(Simulator):
    """x = A theta + noise; A sums up, so that theta are the steps of a walk, and x its places."""

    theta_size = x_size = 10
    _variance = 0.1  # of the prior and of the noise, as in the benchmark

    def __init__(self):
        self._matrix = np.tril(np.ones([self.x_size, self.theta_size]))
        identity = np.eye(self.theta_size)
        self._posterior_covariance = self._variance * np.linalg.inv(
            identity + self._matrix.T @ self._matrix
        )
        self._evidence = stats.multivariate_normal(
            cov=self._variance * (identity + self._matrix @ self._matrix.T)
        )

    def prior_log_prob(self, theta):
        theta = check_rows("theta", theta, self.theta_size)
        return stats.norm.logpdf(theta, scale=self._variance**0.5).sum(axis=-1)

    def log_likelihood(self, theta, x):
        mean = check_rows("theta", theta, self.theta_size) @ self._matrix.T
        x = np.asarray(x, np.float64)
        return stats.norm.logpdf(x, mean, self._variance**0.5).sum(axis=-1)

    def _draw_prior(self, num_samples, rng):
        return rng.normal(0.0, self._variance**0.5, [num_samples, self.theta_size])

    def _simulate(self, theta, rng):
        return rng.normal(theta @ self._matrix.T, self._variance**0.5)

    def _draw_posterior(self, x, num_samples, rng):
        mean = self._posterior_covariance @ self._matrix.T @ x / self._variance
        normal = rng.standard_normal([num_samples, self.theta_size])
        return mean + normal @ np.linalg.cholesky(self._posterior_covariance).T

    def _log_evidence(self, x):
        return self._evidence.logpdf(x)
