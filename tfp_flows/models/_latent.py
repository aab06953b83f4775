"""The probabilities of a variational autoencoder, without Keras's training around them."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows import _variables
from tfp_flows.models import _non_finite, adoption


@dataclasses.dataclass
class LatentModel:
    """p(z), p(x|z) and q(z|x) of a variational autoencoder.

    Attributes:
      encoder: images `[n, ...image]` -> contexts.
      decoder: latents `[n, ...latent]` -> parameters of p(x|z).
      posterior: contexts -> q(z|x), of batch shape `[n]`.
      prior: p(z).
      likelihood: outputs of the decoder, with any leading dimensions -> p(x|z).
      dtype: the dtype of latents, contexts and all log-densities.
      latent_shape: the shape of a latent.
      image_shape: the shape of an image.
    """

    encoder: keras.layers.Layer
    decoder: keras.layers.Layer
    posterior: Callable[[Any], tfd.Distribution]
    prior: Any
    likelihood: Any
    dtype: tf.DType = dataclasses.field(init=False)
    latent_shape: tuple[int, ...] = dataclasses.field(init=False)
    image_shape: tuple[int, ...] = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        for argument, network in (("encoder", self.encoder), ("decoder", self.decoder)):
            if not isinstance(network, keras.layers.Layer):
                raise TypeError(
                    f"Argument `{argument}`: expected a Keras 3 layer or model, received "
                    f"{type(network).__module__}.{type(network).__name__}."
                )
        if not callable(self.posterior):
            raise TypeError(
                "Argument `posterior`: expected a callable that returns a tfd.Distribution, "
                f"received {type(self.posterior).__name__}."
            )
        if self.likelihood is not None and not callable(self.likelihood):
            raise TypeError(
                "Argument `likelihood`: expected a callable that returns a tfd.Distribution, or "
                f"None, received {type(self.likelihood).__name__}."
            )
        if self.prior is not None and not isinstance(self.prior, tfd.Distribution):
            raise TypeError(
                "Argument `prior`: expected a tfd.Distribution or None, received "
                f"{type(self.prior).__name__}."
            )
        self._estimate = tf.function(self._importance_log_prob_of_batch)

    def build(self) -> dict[str, list[_variables.FoundVariable]]:
        """Evaluates everything once on zeros: creates variables, learns and checks the shapes.

        Returns:
          The variables of the posterior, the prior and the likelihood, by name.

        Raises:
          TypeError: the posterior or the likelihood returns no distribution.
          ValueError: shapes do not fit, or the posterior is not reparameterized.
        """
        self.dtype = self._find_dtype()
        self.latent_shape = self._find_latent_shape()
        if self.prior is None:
            normal = tfd.Normal(tf.zeros(self.latent_shape, self.dtype), tf.ones([], self.dtype))
            self.prior = tfd.Independent(normal, len(self.latent_shape))
        if self.likelihood is None:
            self.likelihood = self._independent_bernoulli
        latent = tf.zeros([1, *self.latent_shape], self.dtype)
        with _naming("decoder", f"latents of shape {self.latent_shape}, as the posterior's"):
            _build_sequential(self.decoder, self.latent_shape)
            outputs = self._decoder_outputs(latent, training=False)
        pixels, in_likelihood = adoption.evaluate_and_find(
            self.likelihood, lambda: self.likelihood(outputs)
        )
        _check_returned("likelihood", pixels, self.dtype, event_shape=None)
        self.image_shape = tuple(pixels.event_shape)
        with _naming("encoder", f"images of shape {self.image_shape}, as the decoder's"):
            _build_sequential(self.encoder, self.image_shape)
            context = self.encode(tf.zeros([1, *self.image_shape], self.dtype))
        posterior, in_posterior = adoption.evaluate_and_find(
            self.posterior, lambda: self._use_posterior(context)
        )
        _check_returned("posterior", posterior, self.dtype, self.latent_shape)
        if posterior.reparameterization_type != tfd.FULLY_REPARAMETERIZED:
            raise ValueError(
                "Argument `posterior`: expected reparameterized distributions, without which the "
                f"encoder gets no gradient, received {posterior}."
            )
        if tuple(self.prior.event_shape) != self.latent_shape or self.prior.batch_shape != []:
            raise ValueError(
                f"Argument `prior`: expected batch shape [] and event shape {self.latent_shape} as "
                f"the posterior's, received {self.prior.batch_shape} and {self.prior.event_shape}."
            )
        _, in_prior = adoption.evaluate_and_find(self.prior, lambda: self.prior.log_prob(latent))
        return {"posterior": in_posterior, "prior": in_prior, "likelihood": in_likelihood}

    def encode(self, x: tf.Tensor, training: bool = False) -> Any:
        """Contexts of images `[n, ...image]`, in the dtype of the posterior."""
        contexts = self.encoder(x, training=training)
        return tf.nest.map_structure(lambda c: tf.cast(c, self.dtype), contexts)

    def decode(self, z: tf.Tensor, training: bool = False) -> tfd.Distribution:
        """p(x|z) of latents `[..., ...latent]`, with the leading dimensions as batch shape."""
        return self.likelihood(self._decoder_outputs(z, training))

    def terms(
        self,
        x: tf.Tensor,
        context: Any,
        seed: tf.Tensor,
        num_samples: Any = (),
        training: bool = False,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Draws latents z ~ q(z|x), and evaluates all densities there.

        Args:
          x: images `[n, ...image]`.
          context: their contexts, from `encode`.
          seed: a stateless seed.
          num_samples: the shape of the draws for each image; one draw by default.
          training: whether the decoder is run as in training.

        Returns:
          log q(z|x), log p(x|z) and log p(z), each `[*num_samples, n]`.
        """
        posterior = self.posterior(context)
        z, log_q = posterior.experimental_sample_and_log_prob(num_samples, seed=seed)
        log_x = self.decode(z, training).log_prob(tf.cast(x, self.dtype))
        return log_q, log_x, self.prior.log_prob(z)

    def follow(self, x: tf.Tensor, seed: tf.Tensor) -> None:
        """Follows images through one evaluation of `terms` in training.

        Args:
          x: images `[n, ...image]`.
          seed: a stateless seed.

        Raises:
          _non_finite.FoundError: names the first place where something is not finite.
        """
        _non_finite.check_network("encoder", self.encoder, x, training=True)
        posterior = self.posterior(self.encode(x, training=True))
        z = _non_finite.check_sample("posterior", posterior, (), seed)
        _non_finite.check_network("decoder", self.decoder, z, training=True)
        log_x = self.decode(z, training=True).log_prob(tf.cast(x, self.dtype))
        _non_finite.check("the log-density of the likelihood", log_x)
        _non_finite.check_log_prob("prior", self.prior, z)

    def importance_log_prob(
        self, x: np.ndarray, seed: tf.Tensor, num_samples: int, chunk_size: int, batch_size: int
    ) -> np.ndarray:
        """Estimates log p(x) by log (1/S) sum_s p(x, z_s) / q(z_s|x), z_s ~ q(z|x).

        Args:
          x: images `[n, ...image]`.
          seed: a stateless seed.
          num_samples: S.
          chunk_size: draws that are evaluated at once.
          batch_size: images that are evaluated at once.

        Returns:
          The estimates, `[n]`.
        """
        size = min(batch_size, len(x))
        estimates = []
        for number, start in enumerate(range(0, len(x), size)):
            # The last batch is filled up with its own rows, so that one compiled function does.
            rows = np.resize(np.arange(start, min(start + size, len(x))), size)
            estimate = self._estimate(
                tf.cast(x[rows], self.dtype),
                tf.random.experimental.stateless_fold_in(seed, number),
                tf.constant(num_samples),
                min(chunk_size, num_samples),
            )
            estimates.append(estimate.numpy()[: len(x) - start])
        return np.concatenate(estimates)

    def _importance_log_prob_of_batch(
        self, x: tf.Tensor, seed: tf.Tensor, num_samples: tf.Tensor, chunk_size: int
    ) -> tf.Tensor:
        """One batch, chunk after chunk: memory does not grow with the number of samples."""
        context = self.encode(x)
        nothing = tf.constant(float("-inf"), self.dtype)

        def add_chunk(chunk: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            chunk_seed = tf.random.experimental.stateless_fold_in(seed, chunk)
            log_q, log_x, log_z = self.terms(x, context, chunk_seed, [chunk_size])
            # Of the last chunk, only as many draws count as are missing; so shapes are static.
            sample = chunk * chunk_size + tf.range(chunk_size)
            counts = (sample < num_samples)[:, tf.newaxis]
            weights = tf.where(counts, log_x + log_z - log_q, nothing)
            # Log-sum-exp over what there was and what is new: weights themselves would overflow.
            weights = tf.concat([total[tf.newaxis], weights], axis=0)
            return chunk + 1, tf.reduce_logsumexp(weights, axis=0)

        _, total = tf.while_loop(
            lambda chunk, _: chunk * chunk_size < num_samples,
            add_chunk,
            (tf.constant(0), tf.fill([x.shape[0]], nothing)),
            parallel_iterations=1,
        )
        return total - tf.math.log(tf.cast(num_samples, self.dtype))

    def _independent_bernoulli(self, logits: tf.Tensor) -> tfd.Distribution:
        # A decoder sees one batch dimension; what it adds right of that is the image.
        return tfd.Independent(tfd.Bernoulli(logits=logits), self._output_rank)

    def _decoder_outputs(self, z: tf.Tensor, training: bool) -> Any:
        """Runs the decoder with all leading dimensions flattened to one, as convolutions need."""
        leading = tf.shape(z)[: z.shape.rank - len(self.latent_shape)]
        outputs = self.decoder(tf.reshape(z, [-1, *self.latent_shape]), training=training)
        self._output_rank = tf.nest.flatten(outputs)[0].shape.rank - 1

        def restore(output: tf.Tensor) -> tf.Tensor:
            output = tf.cast(output, self.dtype)
            if len(z.shape) == 1 + len(self.latent_shape):
                return output
            return tf.reshape(output, tf.concat([leading, tf.shape(output)[1:]], axis=0))

        return tf.nest.map_structure(restore, outputs)

    def _find_dtype(self) -> tf.DType:
        for owner in (self.posterior, self.prior):
            dtype = getattr(owner, "dtype", None)
            if isinstance(dtype, tf.DType):
                return dtype
        return tf.as_dtype(keras.config.floatx())

    def _find_latent_shape(self) -> tuple[int, ...]:
        for owner in (self.posterior, self.prior):
            shape = getattr(owner, "event_shape", None)
            if isinstance(shape, tf.TensorShape) and shape.is_fully_defined():
                return tuple(shape)
        try:
            context_shape = self.encoder.output_shape[1:]
        except (AttributeError, ValueError) as error:
            raise ValueError(
                "Argument `prior`: expected a distribution, since neither the posterior has an "
                "event_shape nor is the encoder built, so that the size of the latents cannot be "
                "known; received None."
            ) from error
        return tuple(self.posterior(tf.zeros([1, *context_shape], self.dtype)).event_shape)

    def _use_posterior(self, context: Any) -> tfd.Distribution:
        posterior = self.posterior(context)
        _check_returned("posterior", posterior, self.dtype, self.latent_shape)
        posterior.experimental_sample_and_log_prob(seed=[0, 0])
        return posterior


@contextlib.contextmanager
def _naming(argument: str, expected: str) -> Iterator[None]:
    """Adds to an error of Keras which argument does not take what it should."""
    try:
        yield
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        raise ValueError(
            f"Argument `{argument}`: expected a network for {expected}, received one that does not "
            "take them; the reason is given above."
        ) from error


def _build_sequential(network: keras.layers.Layer, shape: tuple[int, ...]) -> None:
    """Builds a `Sequential` for any batch size; its first call would note the one of that call."""
    if isinstance(network, keras.Sequential) and not network.built:
        network.build((None, *shape))


def _check_returned(
    argument: str, returned: Any, dtype: tf.DType, event_shape: tuple[int, ...] | None
) -> None:
    """Checks what a callable has returned for one row."""
    if not isinstance(returned, tfd.Distribution):
        raise TypeError(
            f"Argument `{argument}`: expected a callable that returns a tfd.Distribution, "
            f"received one that returns {type(returned).__name__}."
        )
    if returned.batch_shape != [1] or not returned.event_shape.is_fully_defined():
        raise ValueError(
            f"Argument `{argument}`: expected batch shape [1] for one row and a static event "
            f"shape, received {returned.batch_shape} and {returned.event_shape}. Does it need a "
            "`tfd.Independent` around it?"
        )
    if event_shape is not None and (returned.event_shape != event_shape or returned.dtype != dtype):
        raise ValueError(
            f"Argument `{argument}`: expected events of shape {event_shape} and {dtype.name}, "
            f"received {returned.event_shape} and {returned.dtype.name}."
        )
