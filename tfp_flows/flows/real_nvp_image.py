"""RealNVP for images: a multiscale flow with checkerboard and channel masks."""

from collections.abc import Sequence

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_flows._recording import recorded
from tfp_flows.bijectors import Squeeze, channel_mask, checkerboard_mask
from tfp_flows.flows import _images, _recipe
from tfp_flows.networks import generator
from tfp_flows.transformers import Affine, Transformer


@recorded
def real_nvp_image(
    image_shape: Sequence[int],
    num_levels: int | None = None,
    num_couplings: int = 3,
    *,
    hidden_channels: int = 64,
    num_blocks: int = 1,
    activation="relu",
    transformer: Transformer | None = None,
    context_size: int | None = None,
    base=None,
    dtype: tf.DType = tf.float32,
    seed=None,
    name: str = "real_nvp_image",
) -> _recipe.Flow:
    """RealNVP for images: couplings over checkerboards and channels, at several scales.

    ```none
    from data to latents, a level: num_couplings with checkerboard masks; squeeze; num_couplings
    with channel masks; half of the channels are latents, the others go on to the next level
    the last level: num_couplings + 1 with checkerboard masks
    ```

    The flow's bijector is a `bijectors.Multiscale`: `flow.bijector.latents(x)` are the latents by
    scale, and `flow.bijector.from_latents(latents)` the images of latents. Sampling and density
    cost the same, one evaluation of each network.

    Args:
      image_shape: `[height, width, channels]`; height and width are divisible by 2 to the power of
        `num_levels - 1`.
      num_levels: L, number of levels, each but the last of which halves height and width. Default:
        at most three, such that at least 2 x 2 positions are left.
      num_couplings: number of couplings with each kind of mask in a level. Their masks alternate;
        with one of them, some elements are never transformed.
      hidden_channels: channels of the hidden layers of the couplings' networks, which are
        `networks.GatedResidualNetwork`.
      num_blocks: number of their gated blocks.
      activation: their activation, as `networks.MLP` takes it.
      transformer: the couplings' elementwise map. Default: `transformers.Affine()`.
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
      ValueError: a size is too small, the image cannot be halved so often, or the base does not
        fit.

    #### Examples

    ```python
    import tfp_flows as tff

    flow = tff.flows.real_nvp_image(image_shape=[8, 8, 1], num_levels=2, hidden_channels=16, seed=0)
    images = flow.sample(5, seed=1)  # [5, 8, 8, 1]
    log_prob = flow.log_prob(images)
    fine, coarse = flow.bijector.latents(images)  # twice [5, 4, 4, 2]
    ```

    #### References

    Dinh, Sohl-Dickstein and Bengio (2016), Density estimation using Real NVP, arXiv:1605.08803,
    section 3.6 (without the batch normalization of section 3.7).
    """
    transformer = Affine() if transformer is None else transformer
    shape = _images.check_settings(
        image_shape,
        transformer,
        context_size,
        base,
        dtype,
        num_blocks,
        num_couplings=num_couplings,
        hidden_channels=hidden_channels,
    )
    num_levels = _images.checked_num_levels(num_levels, shape, unsqueezed=1, min_positions=2)
    rng = generator(seed)
    make_network = _images.network_maker(
        hidden_channels, num_blocks, activation, context_size, dtype, rng
    )

    def couplings(make_mask, count, shape, label):
        return [
            _images.ImageCoupling(
                transformer, make_mask(shape, i % 2), make_network, f"{label}_{i}"
            )
            for i in range(count)
        ]

    levels, level_shape = [], shape
    for k in range(num_levels - 1):
        squeeze = Squeeze(level_shape, dtype=dtype, name=f"squeeze_{k}")
        squeezed = tuple(squeeze.forward_event_shape(level_shape))
        levels.append(
            [
                *couplings(checkerboard_mask, num_couplings, level_shape, f"checkerboard_{k}"),
                tfb.Invert(squeeze, name=f"unsqueeze_{k}"),
                *couplings(channel_mask, num_couplings, squeezed, f"channels_{k}"),
            ]
        )
        level_shape = (*squeezed[:-1], squeezed[-1] // 2)
    label = f"checkerboard_{num_levels - 1}"
    levels.append(couplings(checkerboard_mask, num_couplings + 1, level_shape, label))
    levels = _images.Levels(levels, shape)
    return _images.flow(levels, shape, context_size, base, dtype, rng, name)
