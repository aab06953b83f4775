"""Who may see whom in an autoregressive network.

The degree of a unit is how many elements it may see: the first ones of the order. An output for the
element at position p (counted from 0) has degree p. A connection exists

```none
from the input at position p to a unit of degree m         where p < m
from a hidden unit of degree l to a unit of degree m       where l <= m
```

so that every path from an input to an output leads from an earlier element to a later one.
"""

from collections.abc import Sequence

import numpy as np


def resolve_order(order, event_size: int, rng: np.random.Generator) -> np.ndarray:
    """Returns the order of the elements as an array of indices, the first element first.

    Args:
      order: `None` for 0 to D - 1, `"random"`, or a permutation of these numbers.
      event_size: D.
      rng: where a random order comes from.

    Raises:
      ValueError: the order is none of these.
    """
    if order is None:
        return np.arange(event_size)
    if isinstance(order, str) and order == "random":
        return rng.permutation(event_size)
    indices = np.asarray(order)
    if indices.shape != (event_size,) or not np.array_equal(np.sort(indices), range(event_size)):
        raise ValueError(
            "Argument `order`: expected None, 'random' or a permutation of the numbers from 0 to "
            f"{event_size - 1}, received {order!r}."
        )
    return indices.astype(np.int64)


def hidden_degrees(num_units: int, lowest: int, highest: int) -> np.ndarray:
    """Degrees of a hidden layer, in ascending order and as even as they can be.

    Args:
      num_units: size of the layer.
      lowest: the smallest useful degree.
      highest: the largest one. It is always there: only such units see all that the last element
        depends on. With two units or more, the lowest is there, too.

    Returns:
      Integers, `[num_units]`.
    """
    num_degrees = highest - lowest + 1
    if num_units >= num_degrees:
        return lowest + np.arange(num_units) * num_degrees // num_units
    if num_units == 1:
        return np.array([highest])
    return np.round(np.linspace(lowest, highest, num_units)).astype(np.int64)


def kernel_masks(
    order: np.ndarray, num_params: int, degrees: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Returns the mask of each kernel, `[inputs, outputs]`, True where a connection exists.

    Args:
      order: indices of the elements, the first element first.
      num_params: how many outputs there are for each element.
      degrees: those of each hidden layer.
    """
    positions = np.argsort(order)
    outputs = np.repeat(positions, num_params)
    masks, sources = [], positions + 1  # p < m is p + 1 <= m
    for targets in [*degrees, outputs]:
        masks.append(sources[:, np.newaxis] <= targets)
        sources = targets
    return masks


def rows_by_degree(degrees: np.ndarray, num_degrees: int) -> tuple[np.ndarray, int]:
    """For each degree, a range of units that holds all of this degree; all ranges of one size.

    Args:
      degrees: of one layer, ascending.
      num_degrees: the degrees are below it.

    Returns:
      The first unit for each degree, `[num_degrees]`, and the size.
    """
    size = int(np.bincount(degrees).max())
    first = np.searchsorted(degrees, np.arange(num_degrees))
    return np.minimum(first, degrees.size - size), size
