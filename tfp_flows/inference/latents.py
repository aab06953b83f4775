"""What a flow's latent space is good for: cooler samples, and paths from one event to another."""

from typing import Any

import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from tfp_flows._checks import check_at_least
from tfp_flows.distributions import Dequantized
from tfp_flows.inference import _cells

# Distributions whose events pass through the distribution inside as they are.
_WRAPPERS = (tfd.BatchBroadcast, tfd.Independent, tfd.Sample)


def at_temperature(distribution: tfd.Distribution, temperature: float) -> tfd.Distribution:
    """The same flow on a cooler base, whose samples are less diverse and more regular.

    ```none
    x = f(m + T (z - m)),   z ~ base with mean m
    ```

    At T = 1 it is the distribution itself, and at T = 0 all samples are f(m). For a flow that keeps
    volumes, such as `flows.nice`, its density is proportional to p(x)^(1 / T^2); for others it is
    what it is: `log_prob` of the result is exact in any case.

    Args:
      distribution: a `tfd.TransformedDistribution` with a Gaussian base, or a
        `distributions.Dequantized` around one. Its variables are shared with the result.
      temperature: T, positive.

    Returns:
      A distribution of the same kind.

    Raises:
      TypeError: the distribution is of another kind, or its base is not Gaussian.
      ValueError: `temperature` is not positive.

    #### Examples

    ```python
    import tfp_flows as tff

    flow = tff.flows.glow([8, 8, 1], num_steps=2, hidden_channels=8, seed=0)
    density = tff.distributions.Dequantized(flow, num_levels=17, logit=True)
    images = tff.inference.at_temperature(density, 0.7).sample(4, seed=1)  # integers [4, 8, 8, 1]
    ```

    #### References

    Kingma and Dhariwal (2018), Glow: Generative Flow with Invertible 1x1 Convolutions,
    arXiv:1807.03039, section 6 (with T^2 as the exponent).
    """
    if not 0.0 < temperature < float("inf"):
        raise ValueError(
            f"Argument `temperature`: expected a positive number, received {temperature!r}."
        )
    if isinstance(distribution, Dequantized):
        cooler = at_temperature(distribution.distribution, temperature)
        return distribution.copy(distribution=cooler)
    base, bijector = latent_space(distribution)
    inner = base
    while isinstance(inner, _WRAPPERS):
        inner = inner.distribution
    if not isinstance(inner, tfd.Normal):
        raise TypeError(
            "Argument `distribution`: expected a flow with a Gaussian base, received one with a "
            f"{type(inner).__name__}."
        )
    scale = tf.cast(temperature, base.dtype)
    towards_mean = tfb.Chain([tfb.Shift((1.0 - scale) * base.mean()), tfb.Scale(scale)])
    return tfd.TransformedDistribution(base, tfb.Chain([bijector, towards_mean]))


def interpolate(
    distribution: tfd.Distribution, x0: Any, x1: Any, num_points: int = 8, *, spherical: bool = True
) -> tf.Tensor:
    """Goes from one event to another through the latent space of a flow.

    ```none
    z_t = (1 - t) z_0 + t z_1                                                     straight
    z_t = (sin((1 - t) a) z_0 + sin(t a) z_1) / sin(a),  a = angle of z_0, z_1    spherical
    x_t = f(z_t),   t = 0, ..., 1
    ```

    In many dimensions the draws of a Gaussian are all about as far from its mean. The middle of a
    straight line is not: two draws have a mean that is shorter by sqrt(2), and its image is one of
    a cooler flow (`at_temperature`). The arc keeps to the distances that the flow has seen. Angles
    are taken at the origin, where the recipes' bases have their mean.

    Integers are taken to the middle of their cells, and come back as they were at both ends.

    Args:
      distribution: a `tfd.TransformedDistribution`, or a `distributions.Dequantized` around one.
      x0: where the paths begin, `[..., *event_shape]`.
      x1: where they end, of the same shape.
      num_points: on each path, both ends among them; at least 2.
      spherical: whether to take the arc.

    Returns:
      `[num_points, ..., *event_shape]`, in the dtype of the distribution.

    Raises:
      TypeError: the distribution is of another kind, or `num_points` is no integer.
      ValueError: a shape does not fit, or `num_points` is too small.

    #### Examples

    ```python
    import numpy as np
    import tfp_flows as tff

    flow = tff.flows.glow([8, 8, 1], num_steps=2, hidden_channels=8, seed=0)
    density = tff.distributions.Dequantized(flow, num_levels=17, logit=True)
    x0, x1 = np.zeros([3, 8, 8, 1], int), np.full([3, 8, 8, 1], 16)
    paths = tff.inference.interpolate(density, x0, x1, num_points=5)  # integers [5, 3, 8, 8, 1]
    ```

    #### References

    Dinh, Sohl-Dickstein and Bengio (2016), Density estimation using Real NVP, arXiv:1605.08803,
    section 4 (arcs); Kingma and Dhariwal (2018), arXiv:1807.03039, section 6
    (straight lines).
    """
    check_at_least(2, num_points=num_points)
    is_integer = isinstance(distribution, Dequantized)
    flow = distribution.distribution if is_integer else distribution
    base, bijector = latent_space(flow)
    x0, x1 = checked_events(distribution, x0=x0, x1=x1)
    if x0.shape != x1.shape:
        raise ValueError(f"Argument `x1`: expected shape {x0.shape}, received {x1.shape}.")
    ends = tf.cast(tf.stack([x0, x1]), flow.dtype)
    if is_integer:
        ends = _cells.middle_of_cell(distribution, ends)
    ends = bijector.inverse(ends)
    t = tf.cast(tf.linspace(0.0, 1.0, num_points), flow.dtype)
    t = tf.reshape(t, [num_points] + [1] * (ends.shape.rank - 1))
    axes = list(range(-base.event_shape.rank, 0))
    path = _arc(ends, t, axes) if spherical else (1.0 - t) * ends[0] + t * ends[1]
    x = bijector.forward(path)
    return _cells.nearest_level(distribution, x) if is_integer else x


def latent_space(distribution: tfd.Distribution) -> tuple[tfd.Distribution, tfb.Bijector]:
    """The base of a flow that is no flow itself, and the bijector from there to the events.

    Raises:
      TypeError: the distribution is no `tfd.TransformedDistribution`.
    """
    bijectors = []
    while isinstance(getattr(distribution, "bijector", None), tfb.Bijector):
        bijectors.append(distribution.bijector)
        distribution = distribution.distribution
    if not bijectors:
        raise TypeError(
            "Argument `distribution`: expected a tfd.TransformedDistribution, or a Dequantized "
            f"around one, received {type(distribution).__name__}."
        )
    return distribution, tfb.Chain(bijectors)


def checked_events(distribution: tfd.Distribution, **events: Any) -> list[tf.Tensor]:
    """Returns arguments as tensors, by their names.

    Raises:
      ValueError: one has another event shape.
    """
    shape, tensors = distribution.event_shape, []
    for name, x in events.items():
        x = tf.convert_to_tensor(x)
        if x.shape.rank < shape.rank or x.shape[x.shape.rank - shape.rank :] != shape:
            raise ValueError(
                f"Argument `{name}`: expected events of shape {shape}, received shape {x.shape}."
            )
        tensors.append(x)
    return tensors


def _arc(ends, t, axes):
    dot = tf.reduce_sum(ends[0] * ends[1], axis=axes, keepdims=True)
    lengths = tf.sqrt(tf.reduce_sum(ends**2, axis=axes, keepdims=True))
    # Angles of nearly 0 or pi have no arc, or no single one, and zero has no angle: there it is the
    # line.
    is_zero = lengths[0] * lengths[1] == 0.0
    cosine = tf.where(is_zero, 1.0, tf.math.divide_no_nan(dot, lengths[0] * lengths[1]))
    has_arc = abs(cosine) < 1.0 - 1e-6
    angle = tf.acos(tf.where(has_arc, cosine, 0.0))
    weights = (tf.sin((1.0 - t) * angle) / tf.sin(angle), tf.sin(t * angle) / tf.sin(angle))
    first, second = (
        tf.where(has_arc, w, line) for w, line in zip(weights, (1.0 - t, t), strict=True)
    )
    return first * ends[0] + second * ends[1]
