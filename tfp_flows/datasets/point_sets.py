"""Samples of well-known distributions of the plane, to try a flow on."""

from collections.abc import Callable

import numpy as np

from tfp_flows.datasets._arguments import check_integer, check_name, check_seed


def _polar(radius: np.ndarray, angle: np.ndarray) -> np.ndarray:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)


def _moons(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    # The second moon is the first, mirrored in the origin.
    sign = rng.choice([-1.0, 1.0], size=(num_samples, 1))
    arc = _polar(np.full(num_samples, 2.0), rng.uniform(0.0, np.pi, num_samples))
    return sign * (arc - [1.0, 0.5]) + 0.1 * rng.standard_normal((num_samples, 2))


def _rings(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    radius = 0.75 * rng.integers(1, 5, num_samples) + 0.08 * rng.standard_normal(num_samples)
    return _polar(radius, rng.uniform(0.0, 2.0 * np.pi, num_samples))


def _checkerboard(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    # Squares of side 2, numbered 0..3 in both directions from the corner (-4, -4).
    column = rng.integers(0, 4, num_samples)
    row = 2 * rng.integers(0, 2, num_samples) + column % 2
    corner = 2.0 * np.stack([column, row], axis=-1) - 4.0
    return corner + rng.uniform(0.0, 2.0, (num_samples, 2))


def _spirals(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    sign = rng.choice([-1.0, 1.0], size=(num_samples, 1))
    # Away from the centre the length of a spiral grows with the square of its angle.
    angle = 3.0 * np.pi * np.sqrt(rng.uniform(0.0, 1.0, num_samples))
    arm = sign * _polar(angle / np.pi, angle)
    return arm + 0.08 * rng.standard_normal((num_samples, 2))


def _pinwheel(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    along = 2.0 + 0.6 * rng.standard_normal(num_samples)
    across = 0.2 * rng.standard_normal(num_samples)
    angle = 2.0 * np.pi / 5.0 * rng.integers(0, 5, num_samples) + 0.4 * along
    return _polar(along, angle) + _polar(across, angle + np.pi / 2.0)


def _uniform_gaussian(rng: np.random.Generator, num_samples: int) -> np.ndarray:
    a = rng.uniform(1.0, 2.0, num_samples)
    return np.stack([a, a + np.sqrt(a) * rng.standard_normal(num_samples)], axis=-1)


_SAMPLERS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "moons": _moons,
    "rings": _rings,
    "checkerboard": _checkerboard,
    "spirals": _spirals,
    "pinwheel": _pinwheel,
    "uniform_gaussian": _uniform_gaussian,
}


def toy(name: str, num_samples: int, seed: int | None = None) -> np.ndarray:
    """Draws points from a distribution of the plane.

    | name | distribution |
    |---|---|
    | `"moons"` | two half circles of radius 2, interleaved; Gaussian noise of scale 0.1 |
    | `"rings"` | four circles of radius 0.75, 1.5, 2.25, 3, equally likely; radial noise 0.08 |
    | `"checkerboard"` | uniform on 8 of 16 squares of side 2 in [-4, 4]^2; entropy log 32 nats |
    | `"spirals"` | two arms r = t / pi, t < 3 pi, half a turn apart; Gaussian noise 0.08 |
    | `"pinwheel"` | five Gaussians of scale 0.6 along and 0.2 across, twisted with the radius |
    | `"uniform_gaussian"` | a ~ U(1, 2), b given a ~ N(a, variance a); entropy 1.612086 nats |

    All but the last are centred on the origin. No density gets below the entropy in mean
    negative log-likelihood; for `"uniform_gaussian"` it is log(2 pi e)/2 + (2 log 2 - 1)/2.

    Args:
      name: name of the distribution.
      num_samples: number of points, at least 1.
      seed: integer >= 0 for the same points in each call; None for other ones.

    Returns:
      float32 array `[num_samples, 2]`, the points in random order.

    Raises:
      TypeError: if an argument has the wrong type.
      ValueError: if `name` does not exist, or `num_samples` or `seed` is too small.

    #### Examples

    ```python
    from tfp_flows import datasets

    points = datasets.toy("moons", 1000, seed=0)
    print(points.shape, points.dtype)  # (1000, 2) float32
    ```
    """
    check_name("name", name, _SAMPLERS)
    num_samples = check_integer("num_samples", num_samples, 1)
    rng = np.random.default_rng(check_seed(seed))
    return _SAMPLERS[name](rng, num_samples).astype(np.float32)
