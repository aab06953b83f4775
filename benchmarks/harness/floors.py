"""What a device cannot go below: its measured rates, and the work that nobody can avoid."""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from harness.timing import Local, alternate, in_mode

BYTES = 4  # of a float32


@dataclasses.dataclass(frozen=True)
class Ceilings:
    """The rates of a device, measured.

    Attributes:
      flops: floating-point operations a second of a large float32 matrix product.
      bandwidth: bytes a second, read or written, of a large elementwise addition.
    """

    flops: float
    bandwidth: float


def measure_ceilings(matrix_size: int, num_elements: int, rounds: int) -> Ceilings:
    """Measures a matrix product and a pass over memory on the current device."""
    matrix = tf.random.stateless_normal([matrix_size, matrix_size], seed=[0, 1])
    vector = tf.zeros([num_elements])
    milliseconds = alternate(
        {
            "product": Local(in_mode(lambda a: tf.matmul(a, a), "graph"), matrix),
            "pass": Local(in_mode(lambda a: a + 1.0, "graph"), vector),
        },
        rounds,
    )
    return Ceilings(
        flops=2.0 * matrix_size**3 / (1e-3 * milliseconds["product"]),
        bandwidth=2.0 * BYTES * num_elements / (1e-3 * milliseconds["pass"]),
    )


@dataclasses.dataclass(frozen=True)
class Work:
    """What an evaluation must do at least.

    Attributes:
      kernels: `(inputs, outputs)` of each matrix that the batch is multiplied with.
      elements: numbers beside these products that are read or written, for each point.
    """

    kernels: Sequence[tuple[int, int]]
    elements: int

    def floors(self, batch: int, ceilings: Ceilings, is_gradient: bool) -> tuple[float, float]:
        """Two times in milliseconds that cannot be undercut.

        The matrix time is that of the products at the measured rate. The memory time is that of
        moving each product's factors and result, and the elements, once: all else is taken to be
        fused into the products. A gradient takes three times the products, each of the same size:
        forward, to the input, and to the matrix.

        Args:
          batch: number of points.
          ceilings: of the device.
          is_gradient: whether the gradient is taken, too.

        Returns:
          Matrix time and memory time.
        """
        passes = 3 if is_gradient else 1
        flops = sum(2 * batch * i * o for i, o in self.kernels)
        numbers = sum(batch * (i + o) + i * o for i, o in self.kernels) + batch * self.elements
        return (
            1e3 * passes * flops / ceilings.flops,
            1e3 * passes * BYTES * numbers / ceilings.bandwidth,
        )
