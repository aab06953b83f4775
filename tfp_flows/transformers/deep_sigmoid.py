"""The sigmoidal network of neural autoregressive flows."""

import tensorflow as tf

from tfp_flows._checks import check_at_least
from tfp_flows.numerics import (
    component_gains,
    component_roots,
    logit_of_mixture,
    positive,
    solve_mixture,
)
from tfp_flows.transformers.base import Transformer


class DeepSigmoid(Transformer):
    """A network with one hidden layer of sigmoids, positive weights and a logit at the end: R -> R.

    ```none
    y = logit(sum_k w_k sigmoid(a_k x + b_k))
    w = softmax(raw weights),   a_k = s(raw slope),   s(p) = softplus(p + log(e - 1))
    ```

    `3 num_units` parameters for each element: raw weights, raw slopes and offsets `b_k`, each times
    a fixed factor of its unit. Zeros give the identity. The factors differ between units, so that
    training can start there: equal units would get equal gradients forever.

    This is the paper's DSF. Its dense variant DDSF, with several hidden layers inside one element,
    is not offered: stacked flow layers have more freedom, and each has its inverse in one search.

    The forward direction is the cheaper one, O(K) with its log-derivative. The inverse searches for
    a root between those of the units, at the cost of typically five to ten forward evaluations; its
    gradients are exact, and cost one.

    Args:
      num_units: K, at least 1.

    Raises:
      TypeError: `num_units` is no integer.
      ValueError: `num_units` is less than 1.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    network = tff.transformers.DeepSigmoid(num_units=4)
    params = tf.random.stateless_normal([3, network.num_params], seed=[0, 1])
    y, log_derivative = network.forward(tf.zeros([3]), params)
    x, _ = network.inverse(y, params)  # zeros
    ```

    #### References

    Huang, Krueger, Lacoste and Courville (2018), Neural Autoregressive Flows, arXiv:1804.00779, eq.
    8.
    """

    def __init__(self, num_units: int = 8):
        check_at_least(1, num_units=num_units)
        self.num_units = num_units
        self.num_params = 3 * num_units

    def forward(self, x, params):
        return _logit(x, *self._split(params))

    def inverse(self, y, params):
        units = self._split(params)
        log_weights, log_slopes, offsets = units
        roots = component_roots(y[..., tf.newaxis] - offsets, log_slopes)
        # The parameters may have more batch dimensions than `y`.
        target = y + tf.zeros_like(roots[..., 0])
        x = solve_mixture(_logit, target, units, roots, tf.exp(log_weights))
        _, log_derivative = _logit(x, *units)
        return x, -log_derivative

    def _split(self, params):
        """Returns the logarithms of weights and slopes, and the offsets."""
        weights, slopes, offsets = tf.split(params, 3, axis=-1)
        gains = component_gains(self.num_units, params.dtype)
        return (
            tf.nn.log_softmax(gains * weights),
            positive(gains * slopes).log,
            gains * offsets,
        )

    def _settings(self):
        return (self.num_units,)


def _logit(x, log_weights, log_slopes, offsets):
    z = tf.exp(log_slopes) * x[..., tf.newaxis] + offsets
    return logit_of_mixture(z, log_weights, log_slopes)
