"""Multiscale flows of images: at every level a part of the channels is done."""

from collections.abc import Sequence

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_flows import _tfp
from tfp_flows.bijectors import _levels
from tfp_flows.bijectors._arguments import common_dtype
from tfp_flows.bijectors._reshaping import ReshapingBijector, concat_batches, reshape_events
from tfp_flows.bijectors.masks import checked_image_shape


class Multiscale(ReshapingBijector):
    """Levels of bijectors on images, between which half of the channels leave as latents.

    ```none
    h_0 = y,   (h_{k+1}, z_k) = split(f_k^-1(h_k)),   z_{L-1} = f_{L-1}^-1(h_{L-1})
    x = (z_0, ..., z_{L-1}), each flattened
    log|det dy/dx| = sum_k log|det f_k'|
    ```

    Forward, from latent vectors to images: R^n -> R^n, `[height width channels]` to `[height,
    width, channels]`. After every level but the last one, the first `channels // 2` channels go on
    to the next level, and the others are latents. So `z_0` belongs to the finest scale and
    `z_{L-1}` to the coarsest; all are parts of one vector, whose distribution is the base of a
    flow. Both directions cost what the levels cost, log-det included.

    A level is any bijector from images to images, such as a `tfb.Chain` of couplings with a
    `tfb.Invert(Squeeze(...))` at its image's side. As everywhere in TFP, `forward` is the
    direction of sampling, so `f_k` maps what a level hands on to what it was given.

    A conditional Gaussian for the latents of a level given the channels that stay, as in Glow, is
    an affine `Coupling` next to the split, with `channel_mask`: the recipe `flows.glow` has it.

    #### Examples

    ```python
    import tensorflow as tf
    import tensorflow_probability as tfp
    import tfp_flows as tff

    tfb = tfp.bijectors
    levels = [
        tfb.Invert(tff.bijectors.Squeeze([4, 4, 1])),  # 4 x 4 x 1 from 2 x 2 x 4
        tfb.Scale(tf.Variable([0.5, 2.0])),  # two of the four channels
    ]
    multiscale = tff.bijectors.Multiscale(levels, image_shape=[4, 4, 1])
    y = multiscale.forward(tf.ones([3, 16]))  # [3, 4, 4, 1]
    fine, coarse = multiscale.latents(y)  # twice [3, 2, 2, 2]
    y = multiscale.from_latents([fine, tf.zeros_like(coarse)])
    ```

    #### References

    Dinh, Sohl-Dickstein and Bengio (2016), Density estimation using Real NVP, arXiv:1605.08803,
    section 3.6, eq. 13 to 16.
    """

    def __init__(
        self,
        levels: Sequence[tfb.Bijector],
        image_shape: Sequence[int],
        validate_args: bool = False,
        name: str = "multiscale",
    ):
        """Creates the bijector.

        Args:
          levels: one bijector a level, the finest first, from images to images.
          image_shape: `[height, width, channels]` of the images.
          validate_args: as in every TFP bijector; shapes and dtypes are always checked.
          name: the bijector's name.

        Raises:
          TypeError: `levels` is no sequence of bijectors, their dtypes differ, or a size is no
            integer.
          ValueError: there is no level, a level does not fit its image, or a level that is not the
            last one leaves a single channel.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            _levels.check_levels(levels)
            self._levels = list(levels)
            self._image_shape = tf.TensorShape(checked_image_shape("image_shape", image_shape))
            shapes = _levels.latent_shapes(self._levels, self._image_shape)
            self._latent_shapes = self._no_dependency(shapes)
            super().__init__(
                forward_min_event_ndims=1,
                inverse_min_event_ndims=3,
                is_constant_jacobian=all(level.is_constant_jacobian for level in levels),
                validate_args=validate_args,
                parameters=parameters,
                dtype=common_dtype("levels", levels),
                name=name,
            )

    @classmethod
    def _parameter_properties(cls, dtype):
        del dtype
        return {
            "levels": _tfp.parameter_properties.BatchedComponentProperties(
                event_ndims=lambda self, x_event_ndims: [x_event_ndims + 2] * len(self.levels)
            )
        }

    @property
    def levels(self) -> list[tfb.Bijector]:
        """The bijectors of the levels, the finest first."""
        return list(self._levels)

    @property
    def latent_shapes(self) -> tuple[tuple[int, int, int], ...]:
        """`(height, width, channels)` of each level's latents, the finest first."""
        return tuple(tuple(shape) for shape in self._latent_shapes)

    @property
    def _event_shape(self):
        return tf.TensorShape([self._image_shape.num_elements()])

    @property
    def _output_shape(self):
        return self._image_shape

    def latents(self, y) -> list[tf.Tensor]:
        """Returns the latents of images by scale.

        Args:
          y: `[..., height, width, channels]`.

        Returns:
          One tensor `[..., h_k, w_k, c_k]` for each level, the finest first.

        Raises:
          TypeError: the dtype of `y` is not the bijector's.
          ValueError: `y` has another event shape.
        """
        return self.split(self.inverse(y))

    def from_latents(self, latents: Sequence[tf.Tensor]) -> tf.Tensor:
        """Returns the images of latents by scale, the inverse of `latents`.

        Args:
          latents: one tensor `[..., h_k, w_k, c_k]` for each level, the finest first; the batch
            dimensions broadcast.

        Returns:
          `[..., height, width, channels]`.

        Raises:
          ValueError: there are too many, or too few, or one has another shape.
        """
        return self.forward(self.join(latents))

    def split(self, x) -> list[tf.Tensor]:
        """Takes a latent vector apart.

        Args:
          x: `[..., height width channels]`.

        Returns:
          One tensor `[..., h_k, w_k, c_k]` for each level, the finest first.

        Raises:
          TypeError: the dtype of `x` is not the bijector's.
          ValueError: `x` has another event shape.
        """
        x = self._checked(x, "x", self._event_shape)
        sizes = [shape.num_elements() for shape in self._latent_shapes]
        return [
            reshape_events(part, part, 1, shape)
            for part, shape in zip(tf.split(x, sizes, -1), self._latent_shapes, strict=True)
        ]

    def join(self, latents: Sequence[tf.Tensor]) -> tf.Tensor:
        """Puts latents together to a vector, the inverse of `split`.

        Args:
          latents: one tensor `[..., h_k, w_k, c_k]` for each level, the finest first; the batch
            dimensions broadcast.

        Returns:
          `[..., height width channels]`.

        Raises:
          ValueError: there are too many, or too few, or one has another shape.
        """
        if len(latents) != len(self._latent_shapes):
            raise ValueError(
                f"{self.name}: argument `latents`: expected {len(self._latent_shapes)} tensors, "
                f"one a level, received {len(latents)}."
            )
        parts = []
        for k, (latent, shape) in enumerate(zip(latents, self._latent_shapes, strict=True)):
            latent = self._checked(latent, f"latents[{k}]", shape)
            parts.append(reshape_events(latent, latent, 3, [shape.num_elements()]))
        return concat_batches(parts, event_ndims=1)

    def _forward_and_log_det(self, x):
        log_dets = []

        def step(level, h):
            y = level.forward(h)
            log_dets.append(level.forward_log_det_jacobian(h, event_ndims=3))
            return y

        y = self._walk_forward(step, x)
        return y, sum(log_dets, tf.zeros_like(y[..., 0, 0, 0]))

    def _inverse_and_log_det(self, y):
        log_dets = []

        def step(level, h):
            x = level.inverse(h)
            log_dets.append(level.inverse_log_det_jacobian(h, event_ndims=3))
            return x

        x = self._walk_inverse(step, y)
        return x, sum(log_dets, tf.zeros_like(x[..., 0]))

    # As in TFP's own bijectors of several parts; `flows.initialize` walks here, too.

    def _walk_forward(self, step_fn, x):
        """`forward(x)`, with `step_fn(level, h)` in the place of `level.forward(h)`."""
        *latents, h = self.split(x)
        h = step_fn(self._levels[-1], h)
        for level, latent in zip(self._levels[-2::-1], reversed(latents), strict=True):
            h = step_fn(level, concat_batches([h, latent], event_ndims=3))
        return h

    def _walk_inverse(self, step_fn, y):
        """`inverse(y)`, with `step_fn(level, h)` in the place of `level.inverse(h)`."""
        latents, h = [], y
        for level, shape in zip(self._levels, self._latent_shapes, strict=True):
            h, latent = _split_channels(step_fn(level, h), shape[-1])
            latents.append(latent)
        return self.join(latents)


def _split_channels(h, num_latents):
    """What goes on to the next level, nothing in the last one, and the latents."""
    num_kept = h.shape[-1] - num_latents
    return h[..., :num_kept], h[..., num_kept:]
