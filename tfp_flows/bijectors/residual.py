"""Residual layers."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tfp_flows.bijectors._conditioners import as_conditioner, bound_method, declared
from tfp_flows.bijectors.base import FusedBijector
from tfp_flows.numerics import (
    geometric,
    invert_residual,
    log_det_plus_identity,
    log_det_series,
    noise_seeds,
    random_directions,
    stateless_uniform,
    value_and_jacobian,
)

LOG_DETS = ("exact", "series", "unbiased")


class Residual(FusedBijector):
    """A residual layer whose network is a contraction: R^D -> R^D.

    ```none
    y = x + g(x),   |g(x) - g(x')| <= c |x - x'|,   c < 1
    log|det dy/dx| = log det(I + J) = sum_{k>0} (-1)^(k+1) tr(J^k) / k,   J = dg/dx
    ```

    The log-det is one of

    * `"exact"`: from the Jacobian, in O(D) evaluations and gradients of the network and O(D^3).
      For small D.
    * `"series"`: the first n terms, with `tr(J^k) = E v^T J^k v` estimated by random probes `v` of
      elements +-1. Costs n gradients of the network a probe. What is left out is at most
      `D c^(n+1) / ((n + 1) (1 - c))`, and it does not average out.
    * `"unbiased"`: n terms, and then a random number N of further ones for each point and probe,
      term n + j divided by `P(N >= j) = p^j`. Its mean is the log-det itself. Costs as many terms
      as the largest N of the batch. The variance is bounded where p > c^2; the default is p = c.

    The estimates take their gradient from Neumann's series with the same terms, in the mean the
    gradient of the log-det (for `"series"`, of its first n terms); in a graph, the memory does not
    grow with the number of terms. A log-density of estimates has their noise.

    Forward is the cheap direction. The inverse is the fixed point of `x <- y - g(x)`, to the
    tolerance; with `"exact"` Newton's steps shorten the way. Its first derivatives are those of
    the exact solution, not of the iteration.

    The network is any callable from `[..., D]` to `[..., D]` that is a contraction; this is not
    checked. `networks.LipschitzMLP` is one whatever its variables; it also states D and c. A
    network with a method `normalized()` is evaluated as the function that this returns. Both are
    seen through a `functools.partial`, which may bind a context.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    network = tff.networks.LipschitzMLP(event_size=2, hidden_units=[32], seed=0)
    residual = tff.bijectors.Residual(network, log_det="exact")
    y, log_det = residual.forward_and_log_det(tf.ones([5, 2]))
    x = residual.inverse(tf.identity(y))  # ones
    ```

    #### References

    Behrmann, Grathwohl, Chen, Duvenaud and Jacobsen (2019), Invertible Residual Networks,
    arXiv:1811.00995, theorem 1, algorithms 1 and 2; Chen, Behrmann, Duvenaud and Jacobsen (2019),
    Residual Flows for Invertible Generative Modeling, arXiv:1906.02735, eq. 6 to 8.
    """

    def __init__(
        self,
        network: Callable[[tf.Tensor], tf.Tensor],
        log_det: str = "exact",
        *,
        num_terms: int = 10,
        num_probes: int = 1,
        continuation: float | None = None,
        event_size: int | None = None,
        coefficient: float | None = None,
        tolerance: float | None = None,
        seed: int | None = None,
        validate_args: bool = False,
        name: str = "residual",
    ):
        """Creates the layer.

        Args:
          network: g, see above. Layers of either Keras are accepted, too.
          log_det: `"exact"`, `"series"` or `"unbiased"`.
          num_terms: n, the number of terms that are always summed; without meaning for `"exact"`.
          num_probes: number of random probes for each point, over which the estimate is averaged.
          continuation: p, between 0 and 1, of `"unbiased"`. Default: the coefficient.
          event_size: D. Default: what the network declares.
          coefficient: c, between 0 and 1. Default: what the network declares.
          tolerance: bound on the residual `|y - x - g(x)|` of the inverse before its last step,
            relative to `1 + |x| + |y|`; `|x|` is then off by at most `1 / (1 - c)` times as much.
            Default: 16 times the rounding error of the dtype.
          seed: of the probes and the numbers of terms. An integer makes them the same in every
            evaluation on a batch of one shape; `None` draws new ones from TensorFlow's global
            generator in every evaluation, also of a compiled function, as training needs.
          validate_args: as in every TFP bijector; shapes and dtypes are always checked.
          name: the bijector's name.

        Raises:
          TypeError: `network` is not callable.
          ValueError: `log_det` is unknown; a number is out of its range; or the network does not
            declare a size or a coefficient, and none is given.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            if log_det not in LOG_DETS:
                raise ValueError(
                    f"Argument `log_det`: expected one of {LOG_DETS}, received {log_det!r}."
                )
            self._log_det = log_det
            self._size = _number("event_size", event_size, network, "input_size")
            self._coefficient = _number("coefficient", coefficient, network, "coefficient")
            self._continuation = self._coefficient if continuation is None else continuation
            self._tolerance = tolerance
            for argument, value in (
                ("coefficient", self._coefficient),
                ("continuation", self._continuation),
                ("tolerance", 0.5 if tolerance is None else tolerance),
            ):
                if not 0.0 < value < 1.0:
                    raise ValueError(
                        f"Argument `{argument}`: expected a number between 0 and 1, both "
                        f"excluded, received {value!r}."
                    )
            for argument, value in (
                ("event_size", self._size),
                ("num_terms", num_terms),
                ("num_probes", num_probes),
            ):
                if value < 1:
                    raise ValueError(
                        f"Argument `{argument}`: expected at least 1, received {value!r}."
                    )
            self._num_terms, self._num_probes, self._seed = num_terms, num_probes, seed
            self._network = as_conditioner(network, (self._size,))
            self._normalized = bound_method(network, "normalized")
            super().__init__(
                forward_min_event_ndims=1,
                validate_args=validate_args,
                parameters=parameters,
                dtype=self._network.dtype,
                name=name,
            )

    @classmethod
    def _parameter_properties(cls, dtype):
        del dtype
        return {}  # no tensor among the arguments

    @property
    def network(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """The contraction, as it was given."""
        return self.parameters["network"]

    @property
    def coefficient(self) -> float:
        """c, the bound on the network's Lipschitz constant."""
        return self._coefficient

    @property
    def _event_shape(self):
        return tf.TensorShape([self._size])

    def _forward_and_log_det(self, x):
        function, x = self._bind(x)
        value, log_det = self._value_and_log_det(function, x)
        return x + value, log_det

    def _inverse_and_log_det(self, y):
        function, y = self._bind(y)
        tolerance = self._tolerance
        if tolerance is None:
            tolerance = 16.0 * float(np.finfo(y.dtype.as_numpy_dtype).eps)
        x = invert_residual(
            function, y, self._coefficient, tolerance, is_dense=self._log_det == "exact"
        )
        return x, -self._value_and_log_det(function, x)[1]

    def _value_and_log_det(self, function, x):
        """`g(x)`, and the log-det of the layer or its estimate."""
        if self._log_det == "exact":
            value, jacobian = value_and_jacobian(function, x)
            return value, log_det_plus_identity(jacobian)
        probes, num_extra = self._draw(x)
        return log_det_series(function, x, probes, self._num_terms, num_extra, self._continuation)

    def _draw(self, x):
        """Rademacher probes, and how many terms follow those that are always summed."""
        seeds = noise_seeds(self._seed, 2)
        probes = random_directions(x, self._num_probes, seeds[0])
        if self._log_det == "series":
            return probes, None
        uniform = stateless_uniform(tf.shape(probes)[:-1], seeds[1], x.dtype)
        return probes, geometric(uniform, self._continuation)

    def _bind(self, x):
        """The network as a function, and `x` with the batch shape that the network gives it."""
        network = self._network if self._normalized is None else self._normalized()

        def function(x):
            value = tf.convert_to_tensor(network(x))
            if value.shape.rank is not None and value.shape[-1:] != [self._size]:
                raise ValueError(
                    f"{self.name}: argument `network`: expected an output of shape "
                    f"(..., {self._size}), received shape {tuple(value.shape)}."
                )
            # A network in lower precision must not lower that of the log-det.
            return tf.cast(value, x.dtype)

        # Only its shape counts: no graph computes this value.
        value = function(x)
        return function, tf.ensure_shape(tf.broadcast_to(x, tf.shape(value)), value.shape)


def _number(argument, value, network, attribute):
    value = declared(network, attribute) if value is None else value
    if value is None:
        raise ValueError(
            f"Argument `{argument}`: expected a number, for a network without `{attribute}`, "
            "received None."
        )
    return value
