"""The masked multilayer perceptron: all conditionals of an autoregressive model in one pass."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from tfp_flows._checks import check_at_least, check_hidden_units
from tfp_flows.networks._masks import hidden_degrees, kernel_masks, resolve_order, rows_by_degree
from tfp_flows.networks.initializers import Seed, generator
from tfp_flows.networks.mlp import Perceptron, _check_last_axis


class MaskedMLP(Perceptron):
    """MADE: a perceptron whose output for each element depends on the elements before it only.

    ```none
    h_1 = activation(x (M_1 * K_1) + context C + b_1),
    h_i = activation(h_{i-1} (M_i * K_i) + b_i),   output = h_n (M * K) + b
    ```

    `M` are constant masks of zeros and ones. Each hidden unit has a degree, the number of elements
    that it may see; the degrees are spread evenly over a layer. A layer of D - 1 units or more (D
    with a context) loses no dependency. In a smaller one some degrees are missing, and an element
    sees those before it up to the next smaller degree; the last element always sees all others.
    The context reaches every unit.

    The output holds `num_params` numbers for each element, which stand together: it is read as
    `[..., event_size, num_params]`. The parameters of the first element do not depend on `x`.

    Args:
      event_size: D, size of the last axis of the input.
      num_params: how many outputs each element gets.
      hidden_units: sizes of the hidden layers; empty for a linear map.
      activation: as `MLP` takes it.
      order: the indices of the elements in the order in which they may see each other, the first
        one first. `None` for 0 to D - 1, `"random"` for a permutation drawn from the seed.
      zero_init_last: whether the last layer starts at zero. Otherwise, as the others, Glorot
        uniform, counting only the connections that exist.
      seed: integer, NumPy generator or `None`.
      dtype: floating dtype of the variables.
      context_size: size of the last axis of `context`, or `None` for a network without context.
      name: the module's name.

    Raises:
      ValueError: a size is not positive, the activation is unknown, `order` is no permutation, or
        a hidden layer of one unit cannot show the context to all elements.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    network = tff.networks.MaskedMLP(event_size=3, num_params=2, order=[2, 0, 1], seed=0)
    params = network(tf.ones([5, 3]))  # [5, 6], zeros at first
    ```

    #### References

    Germain, Gregor, Murray and Larochelle (2015), MADE: Masked Autoencoder for Distribution
    Estimation, arXiv:1502.03509, section 4.2, eq. 12 and 13. (Degrees are drawn at random there,
    and spread evenly here.)
    """

    def __init__(
        self,
        event_size: int,
        num_params: int,
        hidden_units: Sequence[int] = (64, 64),
        activation: str | Callable[[tf.Tensor], tf.Tensor] = "relu",
        order: str | Sequence[int] | None = None,
        zero_init_last: bool = True,
        seed: Seed = None,
        dtype: tf.DType = tf.float32,
        context_size: int | None = None,
        name: str = "masked_mlp",
    ):
        rng = generator(seed)
        check_at_least(1, event_size=event_size, num_params=num_params)
        # A single unit has the degree of the last element, which no other may depend on.
        check_hidden_units(hidden_units, 2 if context_size is not None and event_size > 1 else 1)
        indices = resolve_order(order, event_size, rng)
        # Units that see no element are of use only if there is a context to see.
        lowest = 0 if context_size is not None else min(1, event_size - 1)
        degrees = [hidden_degrees(size, lowest, event_size - 1) for size in hidden_units]
        super().__init__(
            event_size,
            event_size * num_params,
            hidden_units,
            activation,
            zero_init_last,
            rng,
            dtype,
            context_size,
            name,
            masks=kernel_masks(indices, num_params, degrees),
        )
        self.event_size = event_size
        self.num_params = num_params
        self.order = indices
        # Where each step of `begin_sequence` finds the rows of each layer's transposed kernel.
        hidden = [rows_by_degree(d, event_size) for d in degrees]
        self._hidden_units = tuple(hidden_units)
        self._rows = self._no_dependency([*hidden, (indices * num_params, num_params)])

    def begin_sequence(
        self, x: tf.Tensor, context: tf.Tensor | None = None
    ) -> tuple[Callable, tuple[tf.Tensor, ...]]:
        """Prepares an evaluation element by element, as sampling needs it.

        A hidden unit of degree m can be computed once the first m elements are known. So the step
        to the next element computes the units of one degree in each layer, and all D steps together
        cost about as much as one pass. They are not differentiable.

        Args:
          x: `[..., event_size]`, of which only the shape counts.
          context: as for a whole pass.

        Returns:
          A function `step` and the state of its first call. `step(k, x, state)`, with the first k
          elements of the order in `x` (the others are finite and do not count), returns the
          parameters of the next one, `[..., num_params]`, and the next state. `k` may be a tensor.

        Raises:
          ValueError: `context` is missing, superfluous or of the wrong size.

        #### Examples

        ```python
        import tensorflow as tf
        import tfp_flows as tff

        network = tff.networks.MaskedMLP(event_size=3, num_params=2, seed=0)
        x = tf.ones([5, 3])
        step, state = network.begin_sequence(x)
        first, state = step(0, x, state)  # [5, 2], as network(x)[:, :2]
        second, state = step(1, x, state)  # as network(x)[:, 2:4]
        ```
        """
        _check_last_axis("x", x, self.input_size)
        shift = self._context_shift(context)
        points = _Points(x, shift)
        # Units are rows and points columns, so that a step writes to contiguous memory.
        shift = None if shift is None else points.as_columns(shift)
        layers = [
            (tf.transpose(layer.effective_kernel()), layer.bias[:, tf.newaxis], *rows)
            for layer, rows in zip(self._layers, self._rows, strict=True)
        ]

        def step(k, x, state):
            known, state = points.as_columns(x), list(state)
            for i, (kernel, bias, first, size) in enumerate(layers):
                units = tf.gather(first, k) + tf.range(size, dtype=first.dtype)
                h = tf.matmul(tf.gather(kernel, units), known) + tf.gather(bias, units)
                if i == 0 and shift is not None:
                    h += tf.gather(shift, units)
                if i < len(state):
                    known = state[i] = tf.tensor_scatter_nd_update(
                        state[i], units[:, tf.newaxis], self._activation(h)
                    )
            return points.from_columns(h), tuple(state)

        dtype = layers[0][0].dtype
        return step, tuple(
            tf.zeros([size, points.num_columns], dtype) for size in self._hidden_units
        )


class _Points:
    """Where the points of a batch stand when they are the columns of a matrix."""

    def __init__(self, x, shift):
        """The batch shape is that of `x`, broadcast with that of what the context adds."""
        self._shape, self._static = tf.shape(x)[:-1], x.shape[:-1]
        if shift is not None:
            self._shape = tf.broadcast_dynamic_shape(self._shape, tf.shape(shift)[:-1])
            self._static = tf.broadcast_static_shape(self._static, shift.shape[:-1])
        # TensorFlow scatters into no tensor without elements: an empty batch gets a column, too.
        self.num_columns = tf.maximum(tf.reduce_prod(self._shape), 1)

    def as_columns(self, x):
        """From `[..., size]` to `[size, columns]`."""
        size = x.shape[-1]
        if not (self._static.is_fully_defined() and x.shape[:-1] == self._static):
            x = tf.broadcast_to(x, tf.concat([self._shape, [size]], axis=0))
        columns = tf.transpose(tf.reshape(x, [-1, size]))
        if not self._static.num_elements():
            columns = tf.pad(columns, [[0, 0], [0, self.num_columns - tf.shape(columns)[1]]])
        return columns

    def from_columns(self, columns):
        """From `[size, columns]` to `[..., size]`."""
        rows = tf.transpose(columns)[: tf.reduce_prod(self._shape)]
        size = columns.shape[0]
        values = tf.reshape(rows, tf.concat([self._shape, [size]], axis=0))
        return tf.ensure_shape(values, self._static.concatenate(size))
