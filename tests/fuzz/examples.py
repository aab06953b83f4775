"""What hypothesis draws: batches whose rows are of very different kinds."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from hypothesis import strategies

# Powers of ten: from subnormal numbers to the limit of float32; and what is special in itself.
_SCALES = strategies.integers(-45, 38)
_SPECIAL = ("zero", "ones", "limits", "mixed", "nan", "+inf", "-inf", "infinities")
_PARAMETERS = (0.0, 1e-30, 1e-8, 1e-3, 0.1, 1.0, 1.0, 3.0, 30.0, 1e3, 1e6)


@dataclasses.dataclass(frozen=True)
class Example:
    """A batch, and the parameters of what it is given to.

    Attributes:
      batch_shape: of the input.
      kinds: of the rows, in turns: a power of ten, or a word.
      seed: of the values.
      parameters: scale of the parameters.
      parameters_seed: of the parameters.
      double: whether the dtype is float64.
    """

    batch_shape: tuple[int, ...]
    kinds: tuple[int | str, ...]
    seed: int
    parameters: float
    parameters_seed: int
    double: bool

    def rows(self, event_shape: Sequence[int]) -> tuple[np.ndarray, list[int | str]]:
        """All rows, `[n, *event_shape]` in float64, and their kinds."""
        num_rows = math.prod(self.batch_shape)
        rng = np.random.default_rng(self.seed)
        kinds = [self.kinds[i % len(self.kinds)] for i in range(num_rows)]
        values = [_row(kind, rng, tuple(event_shape)) for kind in kinds]
        return np.reshape(values, (num_rows, *event_shape)).astype(np.float64), kinds


_LIMITS = [
    sign * value
    for sign in (1.0, -1.0)
    for value in (
        float(np.finfo(np.float32).max),
        float(np.finfo(np.float32).tiny),
        float(np.finfo(np.float32).smallest_subnormal),
        float(np.finfo(np.float32).eps),
        1.0,
    )
]


def _row(kind, rng, shape):
    normal = rng.normal(size=shape)
    if kind == "zero":
        return np.zeros(shape)
    if kind == "ones":
        return rng.integers(-3, 4, size=shape).astype(np.float64)  # on knots, bounds, centers
    if kind == "limits":
        return rng.choice(_LIMITS, size=shape)
    if kind == "mixed":
        return normal * 10.0 ** rng.uniform(-45.0, 30.0, size=shape)
    if kind in ("nan", "+inf", "-inf", "infinities"):
        where = rng.uniform(size=shape) < 0.3
        where.flat[rng.integers(where.size)] = True
        values = {"nan": np.nan, "+inf": np.inf, "-inf": -np.inf}.get(kind)
        if values is None:
            values = rng.choice([np.inf, -np.inf], size=shape)
        return np.where(where, values, normal)
    return np.clip(normal, -3.0, 3.0) * 10.0**kind


def examples() -> strategies.SearchStrategy[Example]:
    """Draws examples; those that shrink end at one row of zeros, zero parameters, float32."""
    sizes = strategies.one_of(
        strategies.tuples(strategies.integers(0, 12)),
        strategies.lists(strategies.integers(0, 3), max_size=3).map(tuple),
    )
    kind = strategies.one_of(strategies.sampled_from(_SPECIAL), _SCALES)
    return strategies.builds(
        Example,
        batch_shape=sizes,
        kinds=strategies.lists(kind, min_size=1, max_size=4).map(tuple),
        seed=strategies.integers(0, 2**32 - 1),
        parameters=strategies.sampled_from(_PARAMETERS),
        parameters_seed=strategies.integers(0, 15),
        double=strategies.booleans(),
    )
