"""The two-moons simulator, with its posterior by inversion."""

import numpy as np
from scipy import stats

from tfp_flows.datasets._simulator import Simulator, check_rows


class TwoMoons(Simulator):
    """x = p + (-|s|, t), a half circle p moved by the rotated parameters (s, t).

    s = (theta_1 + theta_2)/sqrt(2) and t = (theta_2 - theta_1)/sqrt(2) is a rotation, so that it
    keeps volumes. Given x, the density of (s, t) is that of p at (x_1 + |s|, x_2 - t), restricted
    to the square |s| + |t| <= sqrt(2): two crescents, mirrored in s. A draw p thus gives one of the
    posterior, |s| = p_1 - x_1 and t = x_2 - p_2 with a random sign of s, wherever |s| >= 0 and
    (s, t) is within the square; else it is rejected.
    """

    theta_size = x_size = 2
    theta_limits = (-1.0, 1.0)
    _radius, _width, _center = 0.1, 0.01, 0.25
    _largest = 2.0**0.5  # of |s| + |t|

    def prior_log_prob(self, theta):
        theta = check_rows("theta", theta, self.theta_size)
        return np.where(np.all(np.abs(theta) <= 1.0, axis=-1), -np.log(4.0), -np.inf)

    def log_likelihood(self, theta, x):
        s, t = self._rotate(check_rows("theta", theta, self.theta_size))
        x = np.asarray(x, np.float64)
        across = x[..., 0] + np.abs(s) - self._center
        radius = np.maximum(np.hypot(across, x[..., 1] - t), np.finfo(np.float64).tiny)
        # Angles within +-pi/2 of a radius r give the half plane across > 0, negative r the other.
        log_radius = stats.norm.logpdf(np.copysign(radius, across), self._radius, self._width)
        return log_radius - np.log(np.pi * radius)

    @staticmethod
    def _rotate(theta):
        """(s, t) of theta. The map back is its transpose, (s - t, s + t)/sqrt(2)."""
        return (
            (theta[..., 0] + theta[..., 1]) * 0.5**0.5,
            (theta[..., 1] - theta[..., 0]) * 0.5**0.5,
        )

    def _draw_prior(self, num_samples, rng):
        return _within(rng.uniform(-1.0, 1.0, [num_samples, self.theta_size]))

    def _draw_half_circle(self, num_samples, rng):
        angle = rng.uniform(-0.5 * np.pi, 0.5 * np.pi, num_samples)
        radius = rng.normal(self._radius, self._width, num_samples)
        return radius * np.cos(angle) + self._center, radius * np.sin(angle)

    def _simulate(self, theta, rng):
        s, t = self._rotate(theta)
        p = self._draw_half_circle(len(theta), rng)
        return np.stack([p[0] - np.abs(s), p[1] + t], axis=-1)

    def _draw_posterior(self, x, num_samples, rng):
        accepted = self._acceptance(x)
        if accepted < 1e-4:
            raise ValueError(
                f"x: expected an observation that the simulator can make; received {x.tolist()}, "
                f"which needs parameters outside of [-1, 1]^2 with probability {1.0 - accepted}"
            )
        found = np.zeros([0, self.theta_size])
        while len(found) < num_samples:
            p = self._draw_half_circle(int(1.1 * num_samples / accepted) + 10, rng)
            distance, t = p[0] - x[0], x[1] - p[1]
            inside = (distance >= 0.0) & (distance + np.abs(t) <= self._largest)
            s = rng.choice([-1.0, 1.0], len(t)) * distance
            theta = np.stack([s - t, s + t], axis=-1) * 0.5**0.5
            found = np.concatenate([found, theta[inside]])
        return _within(found[:num_samples])

    def _log_evidence(self, x):
        # The integral of the prior, 1/4, times the two crescents.
        return np.log(0.5 * self._acceptance(x))

    def _acceptance(self, x, num_angles=4000):
        """The probability that |s| = p_1 - x_1, t = x_2 - p_2 is within the square.

        At an angle a, each of |s| >= 0 and |s| +- t <= sqrt(2) bounds the radius r on one side, as
        `slope r <= limit`; the radius is normal. The mean over a is taken at the middle of as many
        small intervals.
        """
        angle = np.pi * ((np.arange(num_angles) + 0.5) / num_angles - 0.5)
        room = self._largest - self._center + x[0]
        low, high = np.full(num_angles, -np.inf), np.full(num_angles, np.inf)
        for slope, limit in (
            (-np.cos(angle), self._center - x[0]),
            (np.cos(angle) - np.sin(angle), room - x[1]),
            (np.cos(angle) + np.sin(angle), room + x[1]),
        ):
            high = np.where(slope > 0.0, np.minimum(high, limit / slope), high)
            low = np.where(slope < 0.0, np.maximum(low, limit / slope), low)
        low, high = ((end - self._radius) / self._width for end in (low, high))
        return np.mean(np.maximum(stats.norm.cdf(high) - stats.norm.cdf(low), 0.0))


def _within(theta):
    """Keeps draws off the ends: rounding to float32 can put them where flows have no density."""
    last = np.nextafter(np.float32(1.0), np.float32(0.0))
    return np.clip(theta, -last, last)
