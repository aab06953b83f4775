"""Glow: a multiscale flow of images."""

from collections.abc import Sequence

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_flows._recording import recorded
from tfp_flows.bijectors import ActNorm, InvertibleConv1x1, Squeeze, channel_mask
from tfp_flows.flows import _images, _recipe
from tfp_flows.networks import generator
from tfp_flows.transformers import Affine, Transformer


@recorded
def glow(
    image_shape: Sequence[int],
    num_levels: int | None = None,
    num_steps: int = 4,
    *,
    hidden_channels: int = 64,
    num_blocks: int = 1,
    activation="relu",
    transformer: Transformer | None = None,
    learned_prior: bool = True,
    context_size: int | None = None,
    base=None,
    dtype: tf.DType = tf.float32,
    seed=None,
    name: str = "glow",
) -> _recipe.Flow:
    """Glow: levels of squeezing, and of steps of normalization, mixed channels and coupling.

    ```none
    from data to latents, a level: squeeze; num_steps x (act norm, 1 x 1 convolution, coupling);
    half of the channels are latents, the others go on to the next level
    ```

    The flow's bijector is a `bijectors.Multiscale`: `flow.bijector.latents(x)` are the latents by
    scale, and `flow.bijector.from_latents(latents)` the images of latents. Sampling and density
    cost the same, one evaluation of each network, but for one product and one inversion of a matrix
    of channels. `flows.initialize(flow, batch)` sets the normalization layers from data, as the
    paper does; without it they start as the identity.

    Args:
      image_shape: `[height, width, channels]`; height and width are divisible by 2 to the power of
        `num_levels`.
      num_levels: L, number of levels, each of which halves height and width. Default: at most
        three, such that at least 2 x 2 positions are left.
      num_steps: K, number of steps in each level.
      hidden_channels: channels of the hidden layers of the couplings' networks, which are
        `networks.GatedResidualNetwork`.
      num_blocks: number of their gated blocks.
      activation: their activation, as `networks.MLP` takes it.
      transformer: the couplings' elementwise map. Default: `transformers.Affine()`.
      learned_prior: whether the latents of a level are Gaussian with a location and scale that a
        network reads from the channels that go on, as in the paper's code. It is one more affine
        coupling, next to the split.
      context_size: size of the context, or `None` for a flow without one. The networks see the
        context beside their input.
      base: the base distribution on `[height width channels]`, the concatenated latents. Default: a
        standard normal one; with a context, a diagonal Gaussian whose location and scale are affine
        in the context (then `base` may also be a callable of the context).
      dtype: floating dtype.
      seed: integer, NumPy generator or `None`.
      name: the distribution's name.

    Returns:
      A `tfd.TransformedDistribution`; with a context, a `distributions.ConditionalDistribution`.

    Raises:
      TypeError: a size is no integer, `transformer` is none, the dtype is not floating, or the base
        is no distribution.
      ValueError: a size is too small, the image cannot be halved `num_levels` times, or the base
        does not fit.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    flow = tff.flows.glow(image_shape=[8, 8, 1], num_steps=2, hidden_channels=16, seed=0)
    images = flow.sample(5, seed=1)  # [5, 8, 8, 1]
    log_prob = flow.log_prob(images)
    fine, coarse = flow.bijector.latents(images)  # [5, 4, 4, 2] and [5, 2, 2, 8]
    images = flow.bijector.from_latents([tf.zeros_like(fine), coarse])
    ```

    #### References

    Kingma and Dhariwal (2018), Glow: Generative Flow with Invertible 1x1 Convolutions,
    arXiv:1807.03039, section 3 and figure 2.
    """
    transformer = Affine() if transformer is None else transformer
    shape = _images.check_settings(
        image_shape,
        transformer,
        context_size,
        base,
        dtype,
        num_blocks,
        num_steps=num_steps,
        hidden_channels=hidden_channels,
    )
    num_levels = _images.checked_num_levels(num_levels, shape, unsqueezed=0, min_positions=1)
    rng = generator(seed)
    make_network = _images.network_maker(
        hidden_channels, num_blocks, activation, context_size, dtype, rng
    )

    levels, level_shape = [], shape
    for k in range(num_levels):
        squeeze = Squeeze(level_shape, dtype=dtype, name=f"squeeze_{k}")
        squeezed = tuple(squeeze.forward_event_shape(level_shape))
        level = [tfb.Invert(squeeze, name=f"unsqueeze_{k}")]
        for i in range(num_steps):
            level += _step(transformer, squeezed, make_network, dtype, rng, f"{k}_{i}")
        if learned_prior and k < num_levels - 1:
            level.append(
                _images.ImageCoupling(Affine(), channel_mask(squeezed), make_network, f"prior_{k}")
            )
        levels.append(level)
        level_shape = (*squeezed[:-1], squeezed[-1] // 2)
    levels = _images.Levels(levels, shape)
    return _images.flow(levels, shape, context_size, base, dtype, rng, name)


def _step(transformer, shape, make_network, dtype, rng, label):
    """One step of flow, in the order of `tfb.Chain`: what meets the data first stands first."""
    mix = InvertibleConv1x1.with_variables(shape, rng, dtype, name=f"mix_{label}")
    return [
        ActNorm.with_variables(shape, dtype, name=f"act_norm_{label}"),
        # Data are multiplied by the matrix, and only samples by its inverse.
        tfb.Invert(mix, name=f"unmix_{label}"),
        _images.ImageCoupling(transformer, channel_mask(shape), make_network, f"coupling_{label}"),
    ]
