"""Integrals of densities of the plane over a rectangle, on a grid of points."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tfp_flows._checks import check_at_least

LogDensity = Callable[[np.ndarray], Any]


class GridKL(NamedTuple):
    """What `grid_kl` returns, all of them floats.

    Attributes:
      kl: KL(q_B || p_B), in nats.
      mass: the integral of q over the rectangle; what is missing to 1 is outside.
      entropy: of q_B, in nats.
      log_normalizer: log Z of the target over the rectangle, in nats.
    """

    kl: float
    mass: float
    entropy: float
    log_normalizer: float


def grid_kl(
    log_prob: LogDensity,
    target_log_prob: LogDensity,
    limits: Any = 4.0,
    *,
    num_points: int = 400,
    dtype: str = "float32",
) -> GridKL:
    """KL divergence of a density of the plane from a target, within a rectangle B.

    ```none
    m = integral_B q,   Z = integral_B p~,   q_B = q / m,   p_B = p~ / Z   on B
    KL(q_B || p_B) = integral_B q_B (log q_B - log p_B)
    ```

    Both densities are restricted to B and normalized there, so neither has to be normalized, and
    the target needs no finite integral over the plane. For a q that lives on B, m = 1 and this is
    KL(q || p_B) itself; for any other, KL(q || p_B) is infinite, and `kl` says how well q does
    inside, `mass` how much of q that is.

    The integrals are sums over the centers of `num_points` x `num_points` equal cells, in float64
    (midpoint rule). For densities with two continuous derivatives the error falls as the square of
    the cell's width; cells should be several times smaller than the finest detail. A `mass` above
    1, or below 1 for a q that lives on B, shows a grid that is too coarse.

    Args:
      log_prob: from points `[n, 2]` to log q `[n]` in nats. Minus infinity is a value as any other.
      target_log_prob: the same for log p~.
      limits: the rectangle: half the width of a square around the origin, or a pair of pairs
        (low, high), of the first and of the second coordinate.
      num_points: cells in each direction, at least 2.
      dtype: floating-point type of the points that the callables get.

    Returns:
      A `GridKL`. Its `kl` is infinite if the target vanishes at a point where q does not.

    Raises:
      TypeError: `log_prob` or `target_log_prob` is not callable, or `num_points` is no integer.
      ValueError: `limits` is no rectangle, `num_points` is too small, or a callable returns another
        shape, a NaN, plus infinity, or minus infinity everywhere.

    #### Examples

    ```python
    import tfp_flows as tff

    energy = tff.datasets.energy("u2")
    flow = tff.flows.planar(event_size=2, num_layers=2, seed=0)
    result = tff.diagnostics.grid_kl(flow.log_prob, lambda z: -energy(z), num_points=100)
    print(f"KL {result.kl:.2f} nats, {1.0 - result.mass:.1e} of the mass outside")
    ```
    """
    points, cell = _midpoints(limits, num_points, dtype)
    log_q = _evaluate("log_prob", log_prob, points)
    log_p = _evaluate("target_log_prob", target_log_prob, points)
    log_mass, log_normalizer = _log_sum(log_q, cell), _log_sum(log_p, cell)
    log_q, log_p = log_q - log_mass, log_p - log_normalizer
    inside = log_q > -np.inf  # 0 log 0 = 0
    q, log_q, log_p = np.exp(log_q[inside]) * cell, log_q[inside], log_p[inside]
    return GridKL(
        kl=float(np.sum(q * (log_q - log_p))),
        mass=float(np.exp(log_mass)),
        entropy=float(-np.sum(q * log_q)),
        log_normalizer=float(log_normalizer),
    )


def grid_log_integral(
    log_prob: LogDensity,
    limits: Any = 4.0,
    *,
    num_points: int = 400,
    dtype: str = "float32",
) -> float:
    """Log of the integral of a density of the plane over a rectangle B.

    ```none
    log integral_B exp(log_prob(z)) dz,   by the midpoint rule of `grid_kl`
    ```

    For a normalized density its exponential is the mass in B, such as the share of a mode; for
    exp(-U) it is log Z.

    Args:
      log_prob: from points `[n, 2]` to log-densities `[n]` in nats, normalized or not.
      limits: the rectangle, as for `grid_kl`.
      num_points: cells in each direction, at least 2.
      dtype: floating-point type of the points that the callable gets.

    Returns:
      The logarithm, in nats.

    Raises:
      TypeError: `log_prob` is not callable, or `num_points` is no integer.
      ValueError: what `grid_kl` refuses.

    #### Examples

    ```python
    import tfp_flows as tff

    energy = tff.datasets.energy("u1")
    whole = tff.diagnostics.grid_log_integral(lambda z: -energy(z))  # 1.8775 = log Z
    right = tff.diagnostics.grid_log_integral(lambda z: -energy(z), ((0.0, 4.0), (-4.0, 4.0)))
    print(whole - right)  # log 2: half of the mass is in the mode on the right
    ```
    """
    points, cell = _midpoints(limits, num_points, dtype)
    return float(_log_sum(_evaluate("log_prob", log_prob, points), cell))


def _midpoints(limits: Any, num_points: int, dtype: str) -> tuple[np.ndarray, float]:
    """Centers of the cells, `[num_points^2, 2]`, and the area of one."""
    check_at_least(2, num_points=num_points)
    sides = np.asarray(limits, np.float64)
    if sides.ndim == 0:
        sides = np.array([[-sides, sides]] * 2)
    if sides.shape != (2, 2) or not np.isfinite(sides).all() or (sides[:, 0] >= sides[:, 1]).any():
        raise ValueError(
            "Argument `limits`: expected a positive number or ((low, high), (low, high)) with "
            f"low < high, received {limits!r}."
        )
    steps = (np.arange(num_points) + 0.5) / num_points
    centers = [low + (high - low) * steps for low, high in sides]
    points = np.stack(np.meshgrid(*centers), axis=-1).reshape(-1, 2)
    return points.astype(dtype), float(np.prod((sides[:, 1] - sides[:, 0]) / num_points))


def _evaluate(name: str, function: LogDensity, points: np.ndarray) -> np.ndarray:
    if not callable(function):
        raise TypeError(
            f"Argument `{name}`: expected a callable, received {type(function).__name__}."
        )
    values = np.asarray(function(points), np.float64)
    if values.shape != (len(points),):
        raise ValueError(
            f"Argument `{name}`: expected a callable that returns the shape ({len(points)},) for "
            f"points {points.shape}, received the shape {values.shape}."
        )
    if np.isnan(values).any() or (values == np.inf).any() or np.isneginf(values).all():
        wrong = values[np.isnan(values) | (values == np.inf)]
        raise ValueError(
            f"Argument `{name}`: expected log-densities below infinity, some of them finite, "
            f"received {f'{wrong[0]} at {len(wrong)} points' if len(wrong) else '-inf everywhere'}."
        )
    return values


def _log_sum(log_values: np.ndarray, cell: float) -> float:
    """log sum_i exp(log_values_i) cell, without overflow."""
    largest = log_values.max()
    return largest + np.log(np.sum(np.exp(log_values - largest)) * cell)
