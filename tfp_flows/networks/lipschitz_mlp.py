"""The multilayer perceptron with a bounded slope."""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tfp_flows.networks.initializers import Seed
from tfp_flows.networks.mlp import Perceptron, _check_last_axis

# None has a slope above one: that of x sigmoid(x) is at most 1.09984.
_ACTIVATIONS = {
    "elu": tf.nn.elu,
    "lipswish": lambda x: x * tf.sigmoid(x) / 1.1,
    "sin": tf.sin,
    "softplus": tf.nn.softplus,
    "tanh": tf.tanh,
}

# The bound on a norm is the root of order 2^6 of a trace: at most n^(1/128) above the norm itself,
# which is 3.3 % for n = 64.
_NUM_SQUARINGS = 5


class LipschitzMLP(Perceptron):
    """A fully connected network R^D -> R^D that contracts: what a residual layer needs.

    ```none
    h_1 = activation(x K^_1 + context C + b_1),   h_i = activation(h_{i-1} K^_i + b_i),
    output = h_n K^ + b,   K^ = K min(1, c / bound(K)),   c^(n + 1) = coefficient
    bound(K) = (tr (K^T K)^m)^(1/2m),   m = 64
    ```

    `|output(x) - output(x')| <= coefficient |x - x'|`, whatever the values of the variables. A
    power iteration would estimate the largest singular value of a kernel from below, and bound
    nothing; the trace is the sum of all singular values to the power 2m, so that its root lies
    above the largest one, and by a factor of at most `n^(1/2m)`, where n is the smaller side of
    the kernel. It takes five squarings of an n x n matrix, no state, and is differentiable. The
    context passes through a map of its own, which is not bounded.

    With `zero_init_last` the output is zero at first.

    Args:
      event_size: D, size of the last axis of input and output.
      hidden_units: sizes of the hidden layers; empty for a linear map.
      coefficient: bound on the Lipschitz constant in `x` with respect to the Euclidean norm,
        between 0 and 1.
      activation: a name (`"lipswish"`, `"elu"`, `"sin"`, `"softplus"`, `"tanh"`) or a function
        from tensor to tensor, elementwise and with slopes of at most one in size. (LipSwish is
        `x sigmoid(x) / 1.1`.)
      zero_init_last: whether the last layer starts at zero. Otherwise, as the others, Glorot
        uniform.
      seed: integer, NumPy generator or `None`.
      dtype: floating dtype of the variables.
      context_size: size of the last axis of `context`, or `None` for a network without context.
      name: the module's name.

    Raises:
      ValueError: a size is not positive, the coefficient is not between 0 and 1, or the activation
        is unknown.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    network = tff.networks.LipschitzMLP(event_size=2, hidden_units=[64, 64], seed=0)
    g = network(tf.ones([5, 2]))  # [5, 2], zeros at first
    ```

    #### References

    Behrmann, Grathwohl, Chen, Duvenaud and Jacobsen (2019), Invertible Residual Networks,
    arXiv:1811.00995, section 2.1 (with a power iteration in the place of the bound); Chen,
    Behrmann, Duvenaud and Jacobsen (2019), Residual Flows for Invertible Generative Modeling,
    arXiv:1906.02735, section 3.3 (LipSwish).
    """

    def __init__(
        self,
        event_size: int,
        hidden_units: Sequence[int] = (64, 64),
        coefficient: float = 0.9,
        activation: str | Callable[[tf.Tensor], tf.Tensor] = "lipswish",
        zero_init_last: bool = True,
        seed: Seed = None,
        dtype: tf.DType = tf.float32,
        context_size: int | None = None,
        name: str = "lipschitz_mlp",
    ):
        if not 0.0 < coefficient < 1.0:
            raise ValueError(
                "Argument `coefficient`: expected a number between 0 and 1, both excluded, "
                f"received {coefficient!r}."
            )
        super().__init__(
            event_size,
            event_size,
            hidden_units,
            _activation(activation),
            zero_init_last,
            seed,
            dtype,
            context_size,
            name,
        )
        self.coefficient = float(coefficient)

    def __call__(self, x: tf.Tensor, context: tf.Tensor | None = None) -> tf.Tensor:
        """Evaluates the network.

        Args:
          x: `[..., event_size]`.
          context: `[..., context_size]`, its leading dimensions broadcasting with those of `x`;
            given exactly if the network has a `context_size`.

        Returns:
          `[..., event_size]`.

        Raises:
          ValueError: a size is wrong, or `context` is missing or superfluous.
        """
        return self.normalized(context)(x)

    def normalized(self, context: tf.Tensor | None = None) -> Callable[[tf.Tensor], tf.Tensor]:
        """Returns the network as a function of `x` alone, its kernels normalized once.

        A fixed point or a power series evaluates the network many times.

        Args:
          context: as in a call.

        Returns:
          A function from `[..., event_size]` to `[..., event_size]`. It keeps the values that the
          variables have now.

        Raises:
          ValueError: `context` is missing or superfluous, or its size is wrong.
        """
        limit = self.coefficient ** (1.0 / len(self._layers))
        kernels = [_contracted(layer.kernel, limit) for layer in self._layers]
        biases = [tf.convert_to_tensor(layer.bias) for layer in self._layers]
        shift = self._context_shift(context)
        if shift is not None:
            biases[0] += shift

        def network(x):
            _check_last_axis("x", x, self.input_size)
            h = tf.tensordot(x, kernels[0], axes=1) + biases[0]
            for kernel, bias in zip(kernels[1:], biases[1:], strict=True):
                h = tf.tensordot(self._activation(h), kernel, axes=1) + bias
            return h

        return network


def _contracted(kernel, limit):
    """The kernel, shortened where its norm may be above the limit."""
    kernel = tf.convert_to_tensor(kernel)
    # Its own rounding must not lift a norm above the limit.
    rounding = 1.0 + 8.0 * min(kernel.shape) * np.finfo(kernel.dtype.as_numpy_dtype).eps
    return kernel * (limit / tf.maximum(rounding * _norm_bound(kernel), limit))


def _norm_bound(kernel):
    """`(tr (K^T K)^m)^(1/2m)`, at least the largest singular value of K.

    Each power is scaled, so that nothing overflows, by numbers that count as constants: a bound
    that is homogeneous in K has the same derivative for each choice of them.
    """
    largest = tf.stop_gradient(tf.reduce_max(tf.abs(kernel)))
    is_zero = largest <= 0.0
    largest = tf.where(is_zero, tf.ones_like(largest), largest)
    scaled = kernel / largest
    is_wide = kernel.shape[0] < kernel.shape[1]
    power = tf.matmul(scaled, scaled, transpose_a=not is_wide, transpose_b=is_wide)
    log_bound, order = tf.math.log(largest), 2.0
    for _ in range(_NUM_SQUARINGS):
        scale = tf.stop_gradient(tf.linalg.trace(power))
        scale = tf.where(is_zero, tf.ones_like(scale), scale)
        log_bound += tf.math.log(scale) / order
        power = tf.matmul(power / scale, power / scale)
        order *= 2.0
    # The squared Frobenius norm is the trace of one more square.
    trace = tf.reduce_sum(power * power)
    log_bound += tf.math.log(tf.where(is_zero, tf.ones_like(trace), trace)) / (2.0 * order)
    return tf.where(is_zero, tf.zeros_like(log_bound), tf.exp(log_bound))


def _activation(activation):
    if callable(activation):
        return activation
    if activation not in _ACTIVATIONS:
        raise ValueError(
            f"Argument `activation`: expected one of {sorted(_ACTIVATIONS)} or a function, "
            f"received {activation!r}."
        )
    return _ACTIVATIONS[activation]
