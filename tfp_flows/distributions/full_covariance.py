"""A Gaussian with a full covariance as a learned base."""

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows._checks import check_at_least, check_floating
from tfp_flows._recording import recorded
from tfp_flows.distributions._arguments import check_half_open
from tfp_flows.distributions._scale import trainable_scale_tril


@recorded
def full_covariance_gaussian(
    event_size: int,
    *,
    min_scale: float = 1e-3,
    dtype: tf.DType = tf.float32,
    name: str = "full_covariance_gaussian",
) -> tfd.MultivariateNormalTriL:
    """A trainable Gaussian with any covariance, the standard one at first.

    ```none
    x ~ N(loc, L L^T),   L lower triangular, L_ii = min_scale + (1 - min_scale) s(raw_ii)
    ```

    With `s(p) = softplus(p + log(e - 1))`. Samples are reparameterized. Density and sampling cost
    O(D^2), its log-determinant O(D).

    Args:
      event_size: D, size of the vectors.
      min_scale: lower bound of the diagonal of L, in [0, 1).
      dtype: floating dtype.
      name: the distribution's name.

    Returns:
      A `tfd.MultivariateNormalTriL` with event shape `[D]`, no batch shape, and variables `loc`
      `[D]` and `raw_scale_tril` `[D (D + 1) / 2]`.

    Raises:
      TypeError: the size is no integer, or the dtype is not floating.
      ValueError: the size or `min_scale` is out of range.

    #### Examples

    ```python
    import tfp_flows as tff

    base = tff.distributions.full_covariance_gaussian(event_size=2)
    flow = tff.flows.planar(event_size=2, num_layers=4, base=base, seed=0)
    x, log_prob = flow.experimental_sample_and_log_prob(5, seed=1)
    ```

    #### References

    Kingma and Welling (2019), An Introduction to Variational Autoencoders, arXiv:1906.02691,
    section 2.5.1.
    """
    check_at_least(1, event_size=event_size)
    check_floating(dtype)
    check_half_open(0.0, 1.0, min_scale=min_scale)
    loc = tf.Variable(tf.zeros([event_size], dtype), name="loc")
    scale_tril = trainable_scale_tril(event_size, min_scale, dtype)
    return tfd.MultivariateNormalTriL(loc, scale_tril, name=name)
