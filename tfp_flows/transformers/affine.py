"""Affine maps: the transformers of NICE, RealNVP and MAF."""

import tensorflow as tf

from tfp_flows.numerics import positive_above, times_exp
from tfp_flows.transformers.base import Transformer

_MIN_SCALE = 1e-3


class Additive(Transformer):
    """`y = x + shift`: R -> R. Preserves volume; both directions cost the same.

    One parameter for each element: the shift.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    y, log_derivative = tff.transformers.Additive().forward(tf.zeros([3]), tf.ones([3, 1]))
    ```

    #### References

    Dinh, Krueger and Bengio (2014), NICE: Non-linear Independent Components Estimation,
    arXiv:1410.8516, eq. 5.
    """

    num_params = 1
    is_volume_preserving = True

    def forward(self, x, params):
        return x + params[..., 0], tf.zeros_like(x)

    def inverse(self, y, params):
        return y - params[..., 0], tf.zeros_like(y)


class Affine(Transformer):
    """`y = scale(a) x + shift`: R -> R. Both directions cost the same.

    ```none
    scale(a) = 0.001 + 0.999 s(a),   s(a) = softplus(a + log(e - 1))
    ```

    Two parameters for each element: the shift and `a`. The scale grows linearly in `a`, not
    exponentially; `scale(0) = 1`; and it stays away from zero, so that the inverse is finite
    whatever the parameters.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    y, log_derivative = tff.transformers.Affine().forward(tf.zeros([3]), tf.ones([3, 2]))
    ```

    #### References

    Dinh, Sohl-Dickstein and Bengio (2016), Density estimation using Real NVP, arXiv:1605.08803, eq.
    7 and 8 (with `exp` in the place of `scale`).
    """

    num_params = 2

    def forward(self, x, params):
        shift, scale = self._parts(params)
        return x * scale + shift, tf.math.log(scale)

    def inverse(self, y, params):
        shift, scale = self._parts(params)
        return (y - shift) / scale, -tf.math.log(scale)

    def _parts(self, params):
        shift, raw_scale = tf.unstack(params, num=2, axis=-1)
        return shift, positive_above(raw_scale, _MIN_SCALE)


class ExponentialAffine(Transformer):
    """`y = exp(s) x + shift`: R -> R. Both directions cost the same.

    Two parameters for each element: `s` and the shift. The scale is the one of the papers: it grows
    by a factor where that of `Affine` grows by a constant, so that it fits targets whose own scales
    do, such as `datasets.funnel`. It has no floor and no ceiling: large parameters overflow, and
    training takes more care.

    #### Examples

    ```python
    import tfp_flows as tff

    flow = tff.flows.maf(
        event_size=3, num_layers=2, transformer=tff.transformers.ExponentialAffine(), seed=0
    )
    ```

    #### References

    Dinh, Sohl-Dickstein and Bengio (2016), Density estimation using Real NVP, arXiv:1605.08803, eq.
    7 and 8; Papamakarios, Pavlakou and Murray (2017), Masked Autoregressive Flow for Density
    Estimation, arXiv:1705.07057, eq. 3.
    """

    num_params = 2

    def forward(self, x, params):
        log_scale, shift = tf.unstack(params, num=2, axis=-1)
        return times_exp(x, log_scale) + shift, log_scale

    def inverse(self, y, params):
        log_scale, shift = tf.unstack(params, num=2, axis=-1)
        return times_exp(y - shift, -log_scale), -log_scale
