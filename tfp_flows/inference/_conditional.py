"""Events of which some elements are known: coordinates for the rest, and what is sampled there."""

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows.distributions import Dequantized
from tfp_flows.inference import _cells


class KnownPoints:
    """Real events: the known elements have their values, the others are their own coordinates.

    Args:
      density: over real events.
      x: events `[..., *event_shape]`, of which only the known elements are read.
      observed: bool, in the shape of `x`: what is known.
    """

    def __init__(self, density: tfd.Distribution, x: tf.Tensor, observed: tf.Tensor):
        self.density = density
        self._observed = observed
        self.target = tf.where(observed, tf.cast(x, density.dtype), 0.0)

    def log_prob(self, w: tf.Tensor) -> tf.Tensor:
        """log p of the missing elements and the known ones: the conditional, up to a constant."""
        return self.density.log_prob(self.event(w))

    def event(self, w: tf.Tensor) -> tf.Tensor:
        """The events; what `w` says of known elements is ignored."""
        return tf.where(self._observed, self.target, w)

    def coordinates(self, y: tf.Tensor) -> tf.Tensor:
        """The `w` with the missing elements of `y`."""
        return tf.where(self._observed, tf.zeros_like(y), y)


class KnownCells:
    """Integers x, of which some are known: x + u is in [x, x + 1) there, in [0, N) elsewhere.

    The noise u of known elements is not known and is sampled, too. So the draws of the missing
    integers are from their exact conditional distribution under `Dequantized`.

    Args:
      distribution: over integers.
      x: integers `[..., *event_shape]`, of which only the known elements are read.
      observed: bool, in the shape of `x`: what is known.
    """

    # Starting points are kept off the edges of their boxes by this part of the width.
    _MARGIN = 0.02

    def __init__(self, distribution: Dequantized, x: tf.Tensor, observed: tf.Tensor):
        self.density = distribution.distribution
        self._distribution = distribution
        x = tf.where(observed, tf.cast(x, self.density.dtype), 0.0)
        self._box = x, tf.where(observed, x + 1.0, float(distribution.num_levels))
        self.target = _cells.middle_of_cell(distribution, x)

    def log_prob(self, w: tf.Tensor) -> tf.Tensor:
        """log p of a point of the box, in the coordinates w."""
        y, log_det = _cells.point_in_box(self._distribution, w, *self._box)
        return self.density.log_prob(y) + log_det

    def event(self, w: tf.Tensor) -> tf.Tensor:
        """The integers of points."""
        y, _ = _cells.point_in_box(self._distribution, w, *self._box)
        return _cells.nearest_level(self._distribution, y)

    def coordinates(self, y: tf.Tensor) -> tf.Tensor:
        """The `w` of the points nearest to y in the box."""
        return _cells.place_in_box(self._distribution, y, *self._box, self._MARGIN)
