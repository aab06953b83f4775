"""Integer data under a continuous density: dequantization, uniform and variational."""

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from tfp_flows import _tfp
from tfp_flows._checks import check_at_least
from tfp_flows._variables import find_variables
from tfp_flows.distributions._arguments import check_density, check_half_open
from tfp_flows.distributions._noise import uniform_noise, variational_noise
from tfp_flows.distributions._preprocessing import logit_of_unit, unit_of_logit


class Dequantized(tfd.Distribution):
    """The distribution of integers 0 to N - 1 whose log-probability a density bounds from below.

    ```none
    P(x) = integral over u in [0, 1)^D of p_v((x + u) / N) N^-D
    log P(x) >= E[log p_v((x + u) / N) - D log N - log q(u | x)],   u ~ q(. | x)
    ```

    Here `p_v` is the density of v = (x + u) / N in the unit cube. It is `distribution` itself; or,
    with `logit`, `distribution` is the one of y = logit(alpha + (1 - 2 alpha) v), and `p_v` has the
    derivative of that map in it. So figures for different maps can be compared: all are nats of the
    integers.

    `log_prob` draws the noise u anew at every call, and returns the bound for one draw, or for K
    draws the tighter one, which tends to log P(x) as K grows:

    ```none
    log (1/K) sum_k exp(log p_v((x + u_k) / N) - D log N - log q(u_k | x))
    ```

    The noise is uniform, `q = 1`; or variational: a distribution that depends on x, trained along
    with the density, whose draws are brought into (0, 1) by a sigmoid. The bound is exact if that
    is the true posterior of u. Where many draws are to make it tight, give that distribution a base
    with logistic tails (`tfd.Logistic`, as uniform noise has): those of a Gaussian one are so light
    that the weights have no finite variance.

    What `distribution` puts outside of the unit cube (with `logit`, outside of
    `|y| <= logit(1 - alpha)`) belongs to no x: the probabilities add up to what is inside, to one
    for `logit` with `alpha = 0`. Samples from outside are moved to the nearest x.

    A value costs K log-densities of `distribution`, and K draws of the noise; a sample costs one of
    `distribution`, and carries no gradient.

    #### Examples

    ```python
    import numpy as np
    import tfp_flows as tff

    x = np.random.default_rng(0).binomial(15, 0.3, [256, 2])
    flow = tff.flows.real_nvp(event_size=2, num_layers=2, seed=0)
    noise = tff.flows.planar(event_size=2, num_layers=1, context_size=2, seed=1)
    distribution = tff.distributions.Dequantized(flow, num_levels=16, noise=noise, logit=True)
    model = tff.models.DensityModel(distribution)
    model.compile("adam")
    model.fit(x, epochs=1, verbose=0)
    distribution.bits_per_dim(x[:4], num_samples=64)  # [4]
    distribution.sample(3)  # integers [3, 2]
    ```

    #### References

    Theis, van den Oord and Bethge (2015), A note on the evaluation of generative models,
    arXiv:1511.01844, section 3.1. Ho, Chen, Srinivas, Duan and Abbeel (2019), Flow++: Improving
    Flow-Based Generative Models with Variational Dequantization and Architecture Design,
    arXiv:1902.00275, section 3.1. Hoogeboom, Cohen and Tomczak (2020), Learning Discrete
    Distributions by Dequantization, arXiv:2001.11235 (many draws).
    """

    def __init__(
        self,
        distribution: tfd.Distribution,
        num_levels: int,
        noise: str | Callable[[tf.Tensor], tfd.Distribution] = "uniform",
        *,
        logit: bool = False,
        alpha: float = 0.05,
        num_samples: int = 1,
        dtype: tf.DType = tf.int32,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str = "Dequantized",
    ):
        """Creates the distribution.

        Args:
          distribution: a density on real tensors of the data's shape, such as `[D]` or
            `[height, width, channels]`; D below is the number of their elements.
          num_levels: N, at least 2; 256 for bytes.
          noise: `"uniform"`; or a callable from data, scaled to (-1, 1), to a distribution on real
            tensors of the data's shape, or on `[D]`, with one batch member an event. What declares
            a `context_size`, such as `distributions.ConditionalDistribution`, receives the data
            flat, `[..., D]`; any other callable in their own shape.
          logit: whether `distribution` is the one of the logits.
          alpha: by how much the logit map shrinks the unit interval at each end, in [0, 1/2). MAF
            has 1e-6 for digits, 0.05 for photographs.
          num_samples: K, the draws for each bound where `log_prob` is not told otherwise.
          dtype: dtype of the samples, integer or floating. `log_prob` takes any dtype.
          validate_args: as in every TFP distribution.
          allow_nan_stats: as in every TFP distribution.
          name: the distribution's name.

        Raises:
          TypeError: `distribution` is no distribution over one floating tensor, `noise` is neither
            `"uniform"` nor callable, or a number is no integer.
          ValueError: the event shape is not static, or a number is out of range.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            check_density(distribution)
            check_at_least(2, num_levels=num_levels)
            check_at_least(1, num_samples=num_samples)
            check_half_open(0.0, 0.5, alpha=alpha)
            if noise != "uniform" and not callable(noise):
                raise TypeError(
                    f"Argument `noise`: expected 'uniform' or a callable, received {noise!r}."
                )
            self._distribution = distribution
            self._num_levels = num_levels
            self._noise = noise
            # `tf.Module` finds the variables of modules; these are those of any callable.
            self._found_variables = find_variables(noise)
            self._logit = logit
            self._alpha = alpha
            self._num_samples = num_samples
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
        return {"distribution": _tfp.parameter_properties.BatchedComponentProperties()}

    @property
    def distribution(self) -> tfd.Distribution:
        """The density, as it was given."""
        return self._distribution

    @property
    def noise(self) -> str | Callable[[tf.Tensor], tfd.Distribution]:
        """`"uniform"`, or the callable that makes the noise's distribution."""
        return self._noise

    @property
    def num_levels(self) -> int:
        """N, the number of values of an element."""
        return self._num_levels

    def bits_per_dim(self, x, seed=None, num_samples: int | None = None) -> tf.Tensor:
        """Computes `-log_prob(x) / (D log 2)`, an upper bound of the bits an element costs.

        Args:
          x: integers `[..., *event_shape]`.
          seed: as for `log_prob`.
          num_samples: as for `log_prob`.

        Returns:
          Bits `[...]`, in the floating dtype of `distribution`.

        Raises:
          ValueError: as `log_prob`.
        """
        nats = -self.log_prob(x, seed=seed, num_samples=num_samples)
        return nats / (math.log(2.0) * self.event_shape.num_elements())

    def _event_shape(self):
        return self._distribution.event_shape

    def _event_shape_tensor(self):
        return self._distribution.event_shape_tensor()

    def _log_prob(self, x, seed=None, num_samples=None):
        """The bound.

        Args:
          x: integers in any dtype, `[..., *event_shape]`. Where the values are known, others than
            0 to N - 1 are an error; in a graph their log-probability is -inf.
          seed: as for `sample`; a pair of integers for the same noise at every call.
          num_samples: K; by default the one of the constructor.
        """
        num_samples = self._num_samples if num_samples is None else num_samples
        check_at_least(1, num_samples=num_samples)
        self._check_data(x)
        x = tf.cast(x, self._distribution.dtype)
        levels = tf.clip_by_value(tf.floor(x), 0.0, self._num_levels - 1.0)
        draws = [] if num_samples == 1 else [num_samples]
        noise = self._draw_noise(levels, draws, seed)
        y, log_det = self._continuous(levels, noise)
        log_weight = self._distribution.log_prob(y) + log_det - noise.log_prob
        if draws:
            log_weight = tf.reduce_logsumexp(log_weight, axis=0) - math.log(num_samples)
        is_valid = tf.reduce_all(levels == x, axis=self._event_axes())
        return tf.where(is_valid, log_weight, -np.inf)

    def _sample_n(self, n, seed=None):
        y = self._distribution.sample(n, seed=seed)
        v = unit_of_logit(y, self._alpha) if self._logit else y
        levels = tf.clip_by_value(tf.floor(self._num_levels * v), 0.0, self._num_levels - 1.0)
        return tf.cast(levels, self.dtype)

    def _sample_and_log_prob(self, sample_shape, seed):
        sample_seed, noise_seed = tfp.random.split_seed(seed, salt="dequantized")
        x = self.sample(sample_shape, seed=sample_seed)
        return x, self.log_prob(x, seed=noise_seed)

    def _walk_inverse(self, step_fn, x):
        """Data on their way to the base, with one fixed draw of noise, see `flows.initialize`."""
        self._check_data(x)
        levels = tf.cast(x, self._distribution.dtype)
        y, _ = self._continuous(levels, self._draw_noise(levels, [], seed=[0, 0]))
        return step_fn(self._distribution, y)

    def _continuous(self, levels, noise):
        """The point whose density is asked for, and the log-det of the map to it from x + u."""
        # The distances of v from both ends of the unit interval, each without cancellation.
        v = (levels + noise.value) / self._num_levels
        complement = ((self._num_levels - 1.0) - levels + noise.complement) / self._num_levels
        log_det = -self.event_shape.num_elements() * math.log(self._num_levels)
        if not self._logit:
            return v, log_det
        y, log_derivative = logit_of_unit(v, complement, self._alpha)
        return y, log_det + tf.reduce_sum(log_derivative, axis=self._event_axes())

    def _draw_noise(self, levels, draws, seed):
        seed = tfp.random.sanitize_seed(seed, salt="dequantized_noise")
        if self._noise == "uniform":
            return uniform_noise(levels, draws, seed)
        return variational_noise(
            self._noise, levels, self._num_levels, self.event_shape, draws, seed
        )

    def _event_axes(self):
        return list(range(-self.event_shape.rank, 0))

    def _check_data(self, x):
        event_shape = self.event_shape
        if x.shape.rank is None or not (
            x.shape.rank >= event_shape.rank
            and x.shape[x.shape.rank - event_shape.rank :].is_compatible_with(event_shape)
        ):
            expected = ", ".join(["...", *map(str, event_shape)])
            raise ValueError(f"Argument `x`: expected shape ({expected}), received {x.shape}.")
        values = tf.get_static_value(x)
        if values is None:
            return
        values = np.asarray(values, np.float64)
        is_bad = ~((values >= 0) & (values < self._num_levels) & (values == np.floor(values)))
        if np.any(is_bad):
            raise ValueError(
                f"Argument `x`: expected integers from 0 to {self._num_levels - 1}, "
                f"received {values[is_bad].flat[0]:g}."
            )
