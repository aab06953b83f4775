"""Autoregressive mixtures of Gaussians as a learned base."""

from collections.abc import Callable, Sequence
from statistics import NormalDist

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from tfp_flows._checks import check_at_least, check_floating
from tfp_flows._recording import recorded, resolved
from tfp_flows._variables import find_variables
from tfp_flows.distributions._arguments import check_half_open, check_network
from tfp_flows.distributions._normal import PhiloxNormal
from tfp_flows.distributions._scale import floored_scale
from tfp_flows.networks import MaskedMLP, generator


class AutoregressiveMixture(tfd.Distribution):
    """Each element is a Gaussian mixture whose parameters depend on the elements before it.

    ```none
    p(x) = prod_i sum_k softmax(logits_i)_k N(x_i; loc_ik, scale_ik^2)
    logits_i, loc_i, scale_i from network(x)_i, which depends on the elements before i only
    ```

    The density costs one evaluation of the network, a sample D of them, one after the other.
    Samples carry no gradient (not reparameterized): train by maximum likelihood.

    With a network of zeros all elements have the same mixture of K Gaussians of scale one, whose
    locations are spread over the quantiles of the standard normal distribution; with one component
    that is the standard Gaussian.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    # Three numbers a component: logit, location, scale. Element 0 is seen by element 1.
    kernel = tf.Variable(tf.zeros([2, 12]))
    mask = tf.constant([[0.0] * 6 + [1.0] * 6, [0.0] * 12])
    mixture = tff.distributions.AutoregressiveMixture(
        lambda x: tf.linalg.matvec(kernel * mask, x, transpose_a=True),
        event_size=2,
        num_components=2,
    )
    mixture.log_prob(mixture.sample(5, seed=0))  # [5]
    ```

    #### References

    Papamakarios, Pavlakou and Murray (2017), Masked Autoregressive Flow for Density Estimation,
    arXiv:1705.07057, section 4 (there MADE MoG). Germain, Gregor, Murray and
    Larochelle (2015), MADE: Masked Autoencoder for Distribution Estimation, arXiv:1502.03509.
    """

    def __init__(
        self,
        network: Callable[[tf.Tensor], tf.Tensor],
        event_size: int,
        num_components: int,
        min_scale: float = 1e-3,
        dtype: tf.DType = tf.float32,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str = "AutoregressiveMixture",
    ):
        """Creates the distribution.

        Args:
          network: callable from `[..., D]` to `[..., D * 3 K]`, autoregressive in any order, such
            as `networks.MaskedMLP`. The numbers of an element stand together: K logits, K
            locations, K scales before their constraint.
          event_size: D, size of the vectors.
          num_components: K.
          min_scale: lower bound of the scales, in [0, 1). Without one the likelihood has no
            maximum.
          dtype: floating dtype.
          validate_args: as in every TFP distribution.
          allow_nan_stats: as in every TFP distribution.
          name: the distribution's name.

        Raises:
          TypeError: `network` is not callable, a size is no integer, or the dtype is not floating.
          ValueError: a number is out of range, or the network declares sizes (`input_size`,
            `output_size`) that do not fit.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            check_at_least(1, event_size=event_size, num_components=num_components)
            check_floating(dtype)
            check_half_open(0.0, 1.0, min_scale=min_scale)
            check_network(network, event_size, 3 * num_components * event_size)
            self._network = network
            # `tf.Module` finds the variables of modules; these are those of any callable.
            self._found_variables = find_variables(network)
            self._event_size = event_size
            self._num_components = num_components
            self._min_scale = min_scale
            # Equal components would have equal gradients for ever.
            self._spread = self._no_dependency(
                [NormalDist().inv_cdf((k + 0.5) / num_components) for k in range(num_components)]
            )
            super().__init__(
                dtype=tf.as_dtype(dtype),
                reparameterization_type=tfd.NOT_REPARAMETERIZED,
                validate_args=validate_args,
                allow_nan_stats=allow_nan_stats,
                parameters=parameters,
                name=name,
            )

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        del dtype, num_classes
        return {}  # no tensor among the arguments

    @property
    def network(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """The network, as it was given."""
        return self._network

    def conditionals(self, x) -> tfd.Distribution:
        """Returns the distribution of each element given those of `x` before it.

        Args:
          x: `[..., D]`.

        Returns:
          A `tfd.Independent` of mixtures with batch shape `[...]` and event shape `[D]`.
        """
        x = tf.convert_to_tensor(x, dtype_hint=self.dtype)
        rows = [self._event_size, 3, self._num_components]
        params = tf.cast(self._network(x), self.dtype)
        params = tf.reshape(params, tf.concat([tf.shape(x)[:-1], rows], axis=0))
        params = tf.ensure_shape(params, x.shape[:-1].concatenate(rows))
        logits, loc, raw_scale = tf.unstack(params, axis=-2)
        loc += tf.constant(self._spread, self.dtype)
        components = PhiloxNormal(loc, floored_scale(raw_scale, self._min_scale))
        mixtures = tfd.MixtureSameFamily(tfd.Categorical(logits=logits), components)
        return tfd.Independent(mixtures, reinterpreted_batch_ndims=1)

    def _event_shape(self):
        return tf.TensorShape([self._event_size])

    def _event_shape_tensor(self):
        return tf.constant([self._event_size], tf.int32)

    def _log_prob(self, x):
        return self.conditionals(x).log_prob(x)

    def _sample_n(self, n, seed=None):
        seed = tfp.random.sanitize_seed(seed, salt="autoregressive_mixture")

        def draw_again(i, x):
            # With the same noise in each pass, what has its final parameters keeps its value; one
            # more element has them after each pass, whatever the order.
            return i + 1, self.conditionals(x).sample(seed=seed)

        _, x = tf.while_loop(
            lambda i, _: i < self._event_size,
            draw_again,
            (0, tf.zeros([n, self._event_size], self.dtype)),
            maximum_iterations=self._event_size,
        )
        # The choice of a component has no gradient, so that the others' would be wrong.
        return tf.stop_gradient(x)


@recorded
def autoregressive_base(
    event_size: int,
    *,
    num_components: int = 8,
    hidden_units: Sequence[int] = (64, 64),
    activation="relu",
    order=None,
    min_scale: float = 1e-3,
    dtype: tf.DType = tf.float32,
    seed=None,
    name: str = "AutoregressiveMixture",
) -> AutoregressiveMixture:
    """Makes an `AutoregressiveMixture` with a masked network: MADE with mixtures of Gaussians.

    Args:
      event_size: D, size of the vectors.
      num_components: K, Gaussians for each element.
      hidden_units: sizes of the hidden layers of the network.
      activation: their activation, as `networks.MLP` takes it.
      order: as `networks.MaskedMLP` takes it: `None`, `"random"` or a permutation.
      min_scale: lower bound of the scales, in [0, 1).
      dtype: floating dtype.
      seed: integer, NumPy generator or `None`.
      name: the distribution's name.

    Returns:
      The distribution, with event shape `[D]` and no batch shape.

    Raises:
      TypeError: a size is no integer, or the dtype is not floating.
      ValueError: a number is out of range.

    #### Examples

    ```python
    import tfp_flows as tff

    base = tff.distributions.autoregressive_base(event_size=2, hidden_units=[32], seed=0)
    flow = tff.flows.real_nvp(event_size=2, num_layers=4, base=base, seed=0)
    log_prob = flow.log_prob(flow.sample(5, seed=1))
    ```

    #### References

    See `AutoregressiveMixture`.
    """
    check_at_least(1, event_size=event_size, num_components=num_components)
    check_floating(dtype)
    network = MaskedMLP(
        event_size,
        3 * num_components,
        hidden_units,
        activation,
        order=order,
        seed=generator(seed),
        dtype=dtype,
        name="conditionals",
    )
    base = AutoregressiveMixture(
        network, event_size, num_components, min_scale=min_scale, dtype=dtype, name=name
    )
    return resolved(base, {"order": network.order.tolist()})
