"""Potentials of two states, for Boltzmann generators, with their exact free energies."""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_flows.datasets._arguments import check_name
from tfp_flows.datasets._potential import Potential

# Points of a quarter of the circle.
_NUM_ANGLES = 100


class _DoubleWell(Potential):
    """See `potential`."""

    event_size = 2
    minima = ((-1.77, 0.0), (1.69, 0.0))
    barrier = 0.0
    limits = (-3.5, 3.5)

    def _energy(self, x, y):
        return self._along(x) + 0.5 * tf.square(y)

    def _reaction_coordinate(self, x, y):
        del y
        return x

    def free_energy_profile(self, s: Any) -> np.ndarray:
        # The integral over y is that of a standard normal density.
        return self._along(np.asarray(s, np.float64)) - 0.5 * math.log(2.0 * math.pi)

    @staticmethod
    def _along(x):
        return x**4 - 6.0 * x**2 + x


class _TwoParticles(Potential):
    """See `potential`."""

    event_size = 4
    minima = ((0.0, 1.0, 0.0, 0.0), (0.0, 3.0, 0.0, 0.0))
    barrier = 2.0
    limits = (0.0, 4.5)
    half_width = 2.0  # of the box
    stiffness = 20.0  # of its walls
    height = 10.0  # of the barrier, at half the way between the wells
    slope = 1.0

    def _energy(self, c_x, r_x, c_y, r_y):
        walls = sum(
            self._wall(c + 0.5 * r) + self._wall(c - 0.5 * r) for c, r in ((c_x, r_x), (c_y, r_y))
        )
        return self._bond(self._reaction_coordinate(c_x, r_x, c_y, r_y)) + walls

    def _reaction_coordinate(self, c_x, r_x, c_y, r_y):
        del c_x, c_y
        squared = tf.square(r_x) + tf.square(r_y)
        # Gradient zero where the particles meet.
        apart = squared > 0.0
        root = tf.sqrt(tf.where(apart, squared, tf.ones_like(squared)))
        return tf.where(apart, root, tf.zeros_like(root))

    def free_energy_profile(self, s: Any) -> np.ndarray:
        # The walls act on each coordinate by itself. So, with r = d (cos a, sin a), the integral
        # over the middle is g(r_x) g(r_y), and
        #     exp(-F(d)) = exp(-bond(d)) d int_0^2pi g(d cos a) g(d sin a) da,
        # four times the integral over a quarter; the midpoint rule is very exact for a periodic
        # function.
        d = np.asarray(s, np.float64)[..., np.newaxis]
        angle = 0.5 * np.pi * (np.arange(_NUM_ANGLES) + 0.5) / _NUM_ANGLES
        positions = self._positions(d * np.cos(angle)) * self._positions(d * np.sin(angle))
        with np.errstate(divide="ignore"):  # no probability at distance zero
            log_density = np.log(2.0 * np.pi * d[..., 0] * np.mean(positions, axis=-1))
        return self._bond(d[..., 0]) - log_density

    def _bond(self, d):
        return self.height * ((d - self.barrier) ** 2 - 1.0) ** 2 + self.slope * (d - self.barrier)

    def _wall(self, coordinate):
        beyond = tf.nn.relu(tf.abs(coordinate) - self.half_width)
        return 0.5 * self.stiffness * tf.square(beyond)

    def _positions(self, r: np.ndarray) -> np.ndarray:
        """g(r) = int exp(-wall(c + r/2) - wall(c - r/2)) dc for r >= 0, in closed form.

        Both are inside for a length of max(0, 2L - r); at either end the outer one is outside by u,
        alone up to u = r, with the other one beyond that. For r > 2L they can also be outside at
        opposite ends.
        """
        k, length = self.stiffness, 2.0 * self.half_width
        unit = math.sqrt(math.pi / k)  # int exp(-k u^2) du over the line
        excess = np.maximum(r - length, 0.0)
        inside = np.maximum(length - r, 0.0)
        root = math.sqrt(0.5 * k)
        one = math.sqrt(2.0) * unit * (_erf(root * r) - _erf(root * excess))
        same_end = unit * np.exp(-0.25 * k * r**2) * (1.0 - _erf(0.5 * math.sqrt(k) * r))
        opposite = unit * np.exp(-0.25 * k * excess**2) * _erf(0.5 * math.sqrt(k) * excess)
        return inside + one + same_end + opposite


_POTENTIALS = {"double_well": _DoubleWell, "two_particles": _TwoParticles}


def potential(name: str) -> Potential:
    """Returns a potential with two states, whose free energies are known.

    ```none
    double_well:    z = (x, y),  U = x^4 - 6 x^2 + x + y^2 / 2
                    s = x, barrier 0
    two_particles:  z = (c_x, r_x, c_y, r_y),  d = |r|,  particles at c + r/2 and c - r/2
                    U = 10 ((d - 2)^2 - 1)^2 + (d - 2) + sum_t 10 max(0, |t| - 2)^2
                    over their four coordinates t;  s = d, barrier 2
    ```

    The first has its wells at x = -1.77 (state A) and 1.69 (B), 3.5 kT higher, and a barrier of
    10.8 kT over A. The second is two bound particles in a box of side 4 with soft walls, seen by
    their middle c and their difference r (which keeps volumes: the densities are those of their
    positions). They like to be 1 (A) or 3 apart (B), with a barrier of 10.7 kT over A; B is 1.8 kT
    higher. All orientations of the pair that fit into the box occur.

    Args:
      name: `"double_well"` or `"two_particles"`.

    Returns:
      The potential: a callable from `[..., event_size]` to energies `[...]` in kT, which also knows
      its reaction coordinate and its exact free energies, see `Potential`.

    Raises:
      TypeError: if `name` is not a string.
      ValueError: if `name` does not exist.

    #### Examples

    ```python
    from tfp_flows import datasets

    potential = datasets.potential("double_well")
    print(potential([[-1.0, 0.0], [1.0, 0.0]]).numpy())  # [-6. -4.]
    print(round(potential.free_energy_difference(), 3))
    ```

    #### References

    F. Noe, S. Olsson, J. Koehler and H. Wu, Boltzmann Generators, 2019, arXiv 1812.01729: the
    double well as in the authors' code, and the particle dimer without its solvent, with softer
    walls and wider wells.
    """
    check_name("name", name, _POTENTIALS)
    return _POTENTIALS[name]()


def _erf(x: np.ndarray) -> np.ndarray:
    return tf.math.erf(tf.constant(x, tf.float64)).numpy()
