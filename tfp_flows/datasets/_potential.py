"""What potentials with two states share: free energies, from a profile along one coordinate."""

import abc
import math
from typing import Any

import numpy as np
import tensorflow as tf

# Points of the quadrature. With them it agrees with an adaptive one to 1e-9 kT.
_NUM_POINTS = 1001


class Potential(abc.ABC):
    """A potential U(z) in kT, the density exp(-U(z)) / Z, and two states A and B.

    A reaction coordinate s(z) tells how far the system is on its way from A (s < barrier) to B
    (s > barrier). `potential` makes the objects; calling one gives U.

    ```none
    F(s) = -log int exp(-U(z)) delta(s(z) - s) dz     free energy profile, in kT
    log Z = log int exp(-F(s)) ds
    F_B - F_A = -log(int_{s > barrier} exp(-F) ds / int_{s < barrier} exp(-F) ds)
    ```

    The three are exact up to the rounding of a quadrature along s, `limits` being its ends.

    Attributes:
      event_size: the size of z.
      minima: a point near the lowest energy of A, and one of B.
      barrier: the value of s between the states.
      limits: an interval of s outside of which the probability is below 1e-12.
    """

    event_size: int
    minima: tuple[tuple[float, ...], tuple[float, ...]]
    barrier: float
    limits: tuple[float, float]

    def __call__(self, z: Any) -> tf.Tensor:
        """Returns the energies in kT.

        Args:
          z: floating-point tensor `[..., event_size]`.

        Returns:
          U(z) `[...]`, in the dtype of z.

        Raises:
          TypeError: z is not floating.
          ValueError: z has another shape.
        """
        return self._energy(*self._coordinates(z))

    def log_prob(self, z: Any) -> tf.Tensor:
        """Returns the log-density up to its constant: -U(z) is log p(z) + `log_normalizer()`.

        Args:
          z: floating-point tensor `[..., event_size]`.

        Returns:
          -U(z) `[...]` in nats, in the dtype of z.

        Raises:
          TypeError: z is not floating.
          ValueError: z has another shape.
        """
        return -self(z)

    def reaction_coordinate(self, z: Any) -> tf.Tensor:
        """Returns s(z).

        Args:
          z: floating-point tensor `[..., event_size]`.

        Returns:
          s(z) `[...]`, in the dtype of z.

        Raises:
          TypeError: z is not floating.
          ValueError: z has another shape.
        """
        return self._reaction_coordinate(*self._coordinates(z))

    @abc.abstractmethod
    def free_energy_profile(self, s: Any) -> np.ndarray:
        """Returns the exact F(s) in kT.

        Args:
          s: values of the reaction coordinate, of any shape.

        Returns:
          F(s), float64, of that shape.
        """

    def log_normalizer(self) -> float:
        """Returns the exact log Z."""
        return math.log(self._mass(*self.limits))

    def free_energy_difference(self) -> float:
        """Returns the exact F_B - F_A in kT."""
        low, high = self.limits
        return math.log(self._mass(low, self.barrier) / self._mass(self.barrier, high))

    def _mass(self, low: float, high: float) -> float:
        """The integral of exp(-F) from `low` to `high`."""
        s = np.linspace(low, high, _NUM_POINTS)
        return float(_simpson(np.exp(-self.free_energy_profile(s)), s[1] - s[0]))

    def _coordinates(self, z: Any) -> list[tf.Tensor]:
        z = tf.convert_to_tensor(z, name="z")
        if not z.dtype.is_floating:
            raise TypeError(f"z: expected a floating-point tensor; received dtype {z.dtype.name}")
        if z.shape.rank is not None and (
            z.shape.rank == 0 or z.shape[-1] not in (self.event_size, None)
        ):
            raise ValueError(f"z: expected the shape [..., {self.event_size}]; received {z.shape}")
        return tf.unstack(z, num=self.event_size, axis=-1)

    @abc.abstractmethod
    def _energy(self, *coordinates: tf.Tensor) -> tf.Tensor:
        """U of the elements of z."""

    @abc.abstractmethod
    def _reaction_coordinate(self, *coordinates: tf.Tensor) -> tf.Tensor:
        """s of the elements of z."""


def _simpson(values: np.ndarray, spacing: float) -> float:
    """The integral of values at an odd number of equidistant points."""
    ends = values[0] + values[-1]
    return spacing / 3.0 * (ends + 4.0 * values[1:-1:2].sum() + 2.0 * values[2:-1:2].sum())
