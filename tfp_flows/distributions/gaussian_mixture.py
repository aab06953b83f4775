"""A Gaussian mixture as a learned base."""

import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows._checks import check_at_least, check_floating
from tfp_flows._recording import recorded
from tfp_flows.distributions._arguments import check_half_open
from tfp_flows.distributions._normal import PhiloxNormal
from tfp_flows.distributions._scale import trainable_scale
from tfp_flows.networks import generator


@recorded
def gaussian_mixture(
    event_size: int,
    num_components: int = 8,
    *,
    reparameterize: bool = False,
    min_scale: float = 1e-3,
    dtype: tf.DType = tf.float32,
    seed=None,
    name: str = "gaussian_mixture",
) -> tfd.MixtureSameFamily:
    """A trainable mixture of diagonal Gaussians: a base with several modes.

    ```none
    p(x) = sum_k softmax(logits)_k N(x; loc_k, diag(scale_k)^2),
    scale = min_scale + (1 - min_scale) s(raw_scale)
    ```

    With `s(p) = softplus(p + log(e - 1))`. A flow is a continuous map, so from a unimodal base it
    reaches separate modes only through thin bridges. Density and sampling cost O(K D).

    At first the components are equally likely, have scale one, and are centered at draws from the
    standard normal distribution.

    Args:
      event_size: D, size of the vectors.
      num_components: K.
      reparameterize: whether samples carry implicit gradients, as TFP's mixtures offer them: exact,
        first order only, at the cost of D derivatives of the conditional distribution functions,
        and not for empty batches. Maximum likelihood does not need them, reverse KL does.
      min_scale: lower bound of the scales, in [0, 1). Without one the likelihood has no maximum.
      dtype: floating dtype.
      seed: integer, NumPy generator or `None`.
      name: the distribution's name.

    Returns:
      A `tfd.MixtureSameFamily` with event shape `[D]`, no batch shape, and variables `logits`
      `[K]`, `loc` `[K, D]` and `raw_scale` `[K, D]`.

    Raises:
      TypeError: a size is no integer, or the dtype is not floating.
      ValueError: a size or `min_scale` is out of range.

    #### Examples

    ```python
    import tfp_flows as tff

    base = tff.distributions.gaussian_mixture(event_size=2, num_components=4, seed=0)
    flow = tff.flows.real_nvp(event_size=2, num_layers=4, base=base, seed=0)
    log_prob = flow.log_prob(flow.sample(5, seed=1))
    ```

    #### References

    Izmailov, Kirichenko, Finzi and Wilson (2019), Semi-Supervised Learning with Normalizing Flows,
    arXiv:1912.13025, section 3. Figurnov, Mohamed and Mnih (2018), Implicit Reparameterization
    Gradients, arXiv:1805.08498.
    """
    check_at_least(1, event_size=event_size, num_components=num_components)
    check_floating(dtype)
    check_half_open(0.0, 1.0, min_scale=min_scale)
    shape = [num_components, event_size]
    logits = tf.Variable(tf.zeros([num_components], dtype), name="logits")
    loc = tf.Variable(generator(seed).normal(size=shape), dtype=dtype, name="loc")
    scale = trainable_scale(shape, min_scale, dtype)
    return tfd.MixtureSameFamily(
        tfd.Categorical(logits=logits),
        tfd.Independent(PhiloxNormal(loc, scale), reinterpreted_batch_ndims=1),
        reparameterize=reparameterize,
        name=name,
    )
