"""What an elementwise transformer is."""

import abc

import tensorflow as tf


class Transformer(abc.ABC):
    """A monotone map of each element of a tensor, with its own parameters for each element.

    The structures (`Coupling`, ...) decide which elements are mapped and where the parameters come
    from. Parameters are unconstrained, and zeros give the identity. A transformer holds settings
    only, no tensors: two with equal settings are equal.

    Attributes:
      num_params: how many parameters each transformed element takes.
      is_volume_preserving: whether the log-derivative is always zero.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    class Scale(tff.transformers.Transformer):
        # y = exp(a) x, with the one parameter a.

        num_params = 1

        def forward(self, x, params):
            return x * tf.exp(params[..., 0]), params[..., 0]

        def inverse(self, y, params):
            return y * tf.exp(-params[..., 0]), -params[..., 0]

    y, log_derivative = Scale().forward(tf.ones([3]), tf.zeros([3, 1]))
    ```
    """

    num_params: int
    is_volume_preserving: bool = False

    @abc.abstractmethod
    def forward(self, x: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Maps `x` elementwise.

        Args:
          x: float tensor, any shape.
          params: the shape of `x` with one more trailing axis of size `num_params`, or a shape that
            broadcasts to that.

        Returns:
          `y` and `log|dy/dx|` in nats, both with the shape of `x`.
        """

    @abc.abstractmethod
    def inverse(self, y: tf.Tensor, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Maps `y` back elementwise.

        Args:
          y: float tensor, any shape.
          params: the shape of `y` with one more trailing axis of size `num_params`, or a shape that
            broadcasts to that.

        Returns:
          `x` and `log|dx/dy|` in nats, both with the shape of `y`.
        """

    def _settings(self) -> tuple:
        """The constructor's arguments, for equality and printing."""
        return ()

    def __eq__(self, other):
        return type(self) is type(other) and self._settings() == other._settings()

    def __hash__(self):
        return hash((type(self), self._settings()))

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(map(repr, self._settings()))})"


def check_transformer(value) -> None:
    """Checks an argument that is to be a transformer.

    Args:
      value: what was given.

    Raises:
      TypeError: it is none.

    #### Examples

    ```python
    import tfp_flows as tff

    tff.transformers.check_transformer(tff.transformers.Affine())
    ```
    """
    if not isinstance(value, Transformer):
        raise TypeError(
            "Argument `transformer`: expected a tfp_flows.transformers.Transformer, "
            f"received {type(value).__name__}."
        )
