"""The mixture of logistics of Flow++."""

import tensorflow as tf

from tfp_flows._checks import check_at_least
from tfp_flows.numerics import (
    component_gains,
    component_roots,
    logit_of_mixture,
    positive,
    solve_mixture,
    times_exp,
)
from tfp_flows.transformers.affine import Affine
from tfp_flows.transformers.base import Transformer


class LogisticMixtureCDF(Transformer):
    """The distribution function of a mixture of logistics, its logit, and an affine map: R -> R.

    ```none
    y = scale(a) logit(sum_k w_k sigmoid((x - m_k) / s_k)) + shift
    w = softmax(raw weights),   s(p) = softplus(p + log(e - 1)),   s_k = s(raw scale)
    ```

    K components bend the line up to K times, and far out it is straight. `3 num_components + 2`
    parameters for each element: raw weights, locations `m_k` and raw scales, each times a fixed
    factor of its component, then the shift and `a`. Zeros give the identity. The factors differ
    between components, so that training can start there: equal components would get equal gradients
    forever. The outer map is `Affine`'s, with its `scale`.

    The forward direction is the cheaper one, O(K) with its log-derivative. The inverse searches for
    a root between those of the components, at the cost of typically five to ten forward
    evaluations; its gradients are exact, and cost one.

    Args:
      num_components: K, at least 1.

    Raises:
      TypeError: `num_components` is no integer.
      ValueError: `num_components` is less than 1.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    mixture = tff.transformers.LogisticMixtureCDF(num_components=4)
    params = tf.random.stateless_normal([3, mixture.num_params], seed=[0, 1])
    y, log_derivative = mixture.forward(tf.zeros([3]), params)
    x, _ = mixture.inverse(y, params)  # zeros
    ```

    #### References

    Ho, Chen, Srinivas, Duan and Abbeel (2019), Flow++: Improving Flow-Based Generative Models with
    Variational Dequantization and Architecture Design, arXiv:1902.00275, section 3.2 (with `exp` in
    the place of `s`).
    """

    def __init__(self, num_components: int = 8):
        check_at_least(1, num_components=num_components)
        self.num_components = num_components
        self.num_params = 3 * num_components + 2
        self._affine = Affine()

    def forward(self, x, params):
        components, outer = self._split(params)
        value, log_derivative = _logit(x, *components)
        y, log_scale = self._affine.forward(value, outer)
        return y, log_derivative + log_scale

    def inverse(self, y, params):
        components, outer = self._split(params)
        log_weights, locations, log_slopes = components
        target, log_scale = self._affine.inverse(y, outer)
        roots = locations + component_roots(target[..., tf.newaxis], log_slopes)
        x = solve_mixture(_logit, target, components, roots, tf.exp(log_weights))
        _, log_derivative = _logit(x, *components)
        return x, log_scale - log_derivative

    def _split(self, params):
        """Returns what makes up the components, and the parameters of the outer map."""
        num = self.num_components
        weights, locations, scales, outer = tf.split(params, [num, num, num, 2], axis=-1)
        gains = component_gains(num, params.dtype)
        components = (
            tf.nn.log_softmax(gains * weights),
            gains * locations,
            -positive(gains * scales).log,
        )
        return components, outer

    def _settings(self):
        return (self.num_components,)


def _logit(x, log_weights, locations, log_slopes):
    # The difference first: it is exact near a location, however narrow the component.
    z = times_exp(x[..., tf.newaxis] - locations, log_slopes)
    return logit_of_mixture(z, log_weights, log_slopes)
