"""The variational autoencoder with a flow as its posterior."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfp_flows.models import _base, _latent, _pipeline, _random, _schema, adoption


@keras.saving.register_keras_serializable(package="tfp_flows")
class FlowVAE(_base.LikelihoodModel):
    """A variational autoencoder whose posterior may be any conditional distribution.

    A prior p(z), a decoder that gives p(x|z), an encoder that turns an image into a context, and a
    posterior q(z|x) = `posterior(encoder(x))`. Trained is

    ```none
    loss = E_q[log q(z|x) - beta_t (log p(x|z) + log p(z))],   beta_t = min(1, 0.01 + t / T)
    ```

    in nats per image, with one draw of z per image and step, t the optimizer's steps and
    T = `beta_warmup_steps` (Rezende and Mohamed, 2015, equation 20); beta_t = 1 for T = 0.
    Sample and density of the posterior are computed together, so a flow whose sampling direction
    is the cheap one stays cheap.

    The logs show `loss`; with beta = 1, `neg_elbo`, which is `reconstruction` (-log p(x|z)) plus
    `kl` (log q(z|x) - log p(z)), and `bits_per_dim`, `neg_elbo / (log(2) D)` for D pixels; and in
    training `beta`. Evaluation always has beta = 1, and draws the same numbers every time.

    `fit`, `evaluate` and `predict` take images `x` of the decoder's shape, as an array or in
    batches: `x`, `(x,)`, `{"x": x, "sample_weight": w}`; see `DensityModel`. They may be of any
    floating, integer or boolean dtype; with the Bernoulli likelihood the values must lie in [0, 1].

    Gradients are clipped to a global norm of 100, unless the optimizer clips already. Without that,
    amortized planar posteriors (16 layers, Adam with 1e-3, binarized MNIST) diverged after 12,000
    to 25,000 steps: one rare gradient of four to five times the usual norm, about 70 there, is
    enough. `compile` sets it on the optimizer; `global_clipnorm=None` turns it off.

    `save` writes the model into one file, if `flows.get_config` can describe posterior, prior and
    likelihood, and Keras the networks.

    Args:
      encoder: a Keras 3 layer or model, images `[n, ...image]` -> contexts `[n, context_size]`.
      decoder: a Keras 3 layer or model, latents `[n, L]` -> `[n, ...image]`, logits of Bernoulli
        distributions unless `likelihood` says otherwise. It sees one batch dimension only.
      posterior: a callable, contexts `[n, context_size]` -> a reparameterized `tfd.Distribution` of
        batch shape `[n]` and event shape `[L]`: a flow of this package with `context_size`,
        `distributions.ConditionalGaussian` for a posterior without flow, or a function.
      prior: a `tfd.Distribution` of batch shape `[]` and event shape `[L]`, standard normal by
        default. Its variables, if any, are trained.
      likelihood: a callable, outputs of the decoder (with any leading dimensions) -> a
        `tfd.Distribution` over images with those leading dimensions as batch shape. By default
        independent Bernoulli distributions with the outputs as logits.
      beta_warmup_steps: T above, the number of steps after which beta is (nearly) 1.
      global_clipnorm: the largest global norm of a gradient, or `None`.
      seed: int, for all random numbers; by default drawn from Keras's global seed. Two runs with
        one seed are equal, but one with XLA and one without are not: TensorFlow's generators of
        random numbers differ there.
      name: the name of the model.

    Raises:
      TypeError: an argument is of the wrong kind.
      ValueError: the shapes of encoder, decoder, posterior and prior do not fit together, the
        posterior is not reparameterized, or a number is out of range.

    #### Examples

    ```python
    import keras
    import numpy as np
    import tfp_flows as tff

    layers = keras.layers
    encoder = keras.Sequential([layers.Flatten(), layers.Dense(32, "elu")])
    decoder = keras.Sequential(
        [layers.Dense(32, "elu"), layers.Dense(64), layers.Reshape([8, 8, 1])]
    )
    posterior = tff.flows.planar(event_size=2, num_layers=4, context_size=32, seed=0)
    model = tff.models.FlowVAE(encoder, decoder, posterior, beta_warmup_steps=100, seed=0)
    model.compile(keras.optimizers.Adam(1e-3))
    images = np.random.default_rng(0).integers(0, 2, [256, 8, 8, 1], dtype="uint8")
    model.fit(images, epochs=2, verbose=0)
    model.importance_log_prob(images[:4], num_samples=20)  # [4]
    model.sample(3)  # [3, 8, 8, 1]
    ```

    #### References

    D. J. Rezende and S. Mohamed. Variational Inference with Normalizing Flows, 2015,
    arXiv:1505.05770, section 4 and equation 20.

    D. P. Kingma and M. Welling. Auto-Encoding Variational Bayes, 2013, arXiv:1312.6114.

    Y. Burda, R. Grosse and R. Salakhutdinov. Importance Weighted Autoencoders, 2015,
    arXiv:1509.00519, equation 8.
    """

    def __init__(
        self,
        encoder: keras.layers.Layer,
        decoder: keras.layers.Layer,
        posterior: Callable[[tf.Tensor], tfd.Distribution],
        prior: tfd.Distribution | None = None,
        *,
        likelihood: Callable[[Any], tfd.Distribution] | None = None,
        beta_warmup_steps: int = 0,
        global_clipnorm: float | None = 100.0,
        seed: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        if beta_warmup_steps < 0:
            raise ValueError(
                f"Argument `beta_warmup_steps`: expected at least 0, received {beta_warmup_steps}."
            )
        if global_clipnorm is not None and not global_clipnorm > 0.0:
            raise ValueError(
                "Argument `global_clipnorm`: expected a positive number or None, "
                f"received {global_clipnorm}."
            )
        self._latent = _latent.LatentModel(encoder, decoder, posterior, prior, likelihood)
        self.encoder = encoder
        self.decoder = decoder
        self.posterior = posterior
        self._beta_warmup_steps = beta_warmup_steps
        self._global_clipnorm = global_clipnorm
        self._seed = seed
        # In a function: Keras would look for layers in a mapping.
        self._given = lambda: {"posterior": posterior, "prior": prior, "likelihood": likelihood}
        for metric in ("neg_elbo", "reconstruction", "kl", "bits_per_dim"):
            setattr(self, metric, keras.metrics.Mean(name=metric))
        self._training_seeds, self._evaluation_seeds, self._sampling_seeds = _random.streams(seed)
        self.build()
        self.prior = self._latent.prior
        self.schema = _schema.Schema(
            _schema.Column(
                "x",
                self._latent.image_shape,
                self._latent.dtype,
                integers=True,
                bounds=(0.0, 1.0) if likelihood is None else None,
            )
        )

    def build(self, input_shape: Any = None) -> None:
        """Creates and adopts all variables; the constructor calls it.

        Args:
          input_shape: not needed, the decoder knows the shape of an image.
        """
        if self.built:
            return
        for role, found in self._latent.build().items():
            owned = {id(weight._value) for weight in self.weights}
            found = [item for item in found if id(item.variable) not in owned]
            if found:
                setattr(self, f"_adopted_{role}", adoption.Adopted(found, name=role))

    def stored_parts(self) -> dict[str, Any]:
        """The arguments that `flows.get_config` describes, by name."""
        return self._given()

    def stored_settings(self) -> dict[str, Any]:
        """The arguments that Keras describes, by name."""
        return {
            "encoder": self.encoder,
            "decoder": self.decoder,
            "beta_warmup_steps": self._beta_warmup_steps,
            "global_clipnorm": self._global_clipnorm,
            "seed": self._seed,
        }

    def compile(self, optimizer: Any = "adam", **kwargs: Any) -> None:
        """Configures training, as `keras.Model.compile` does, without a loss.

        Args:
          optimizer: a Keras 3 optimizer or its name. Its `global_clipnorm` is set to the model's,
            unless it has a `clipnorm`, a `clipvalue` or a `global_clipnorm` of its own.
          **kwargs: `run_eagerly`, `steps_per_execution`, `jit_compile`, `auto_scale_loss` of
            Keras. By default Keras compiles with XLA where there is a GPU.

        Raises:
          ValueError: a loss or metrics are given; the model has its own.
        """
        optimizer = keras.optimizers.get(optimizer)
        # Scaled gradients (mixed precision) are clipped by the optimizer inside, after unscaling.
        clipping = getattr(optimizer, "inner_optimizer", optimizer)
        if not (clipping.clipnorm or clipping.clipvalue or clipping.global_clipnorm):
            clipping.global_clipnorm = self._global_clipnorm
        super().compile(optimizer=optimizer, **kwargs)

    def call(self, inputs: Any, training: bool | None = None) -> tf.Tensor:
        """Reconstructs images: the mean of p(x|z) for one z ~ q(z|x).

        Args:
          inputs: images `[n, ...image]`, or a mapping of columns.
          training: whether the networks are run as in training.

        Returns:
          The means, `[n, ...image]`.
        """
        x = self.schema.to_tensors(inputs)["x"]
        seeds = self._training_seeds if training else self._evaluation_seeds
        return self._reconstruct(x, _random.next_seed(seeds), bool(training))

    def losses_and_metrics(
        self, batch: dict[str, tf.Tensor], training: bool
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        """The negative evidence bound of every image, see the base class.

        Args:
          batch: the columns of a batch of n images.
          training: whether this is a training step.

        Returns:
          The losses `[n]`; the metrics, each `[n]`; and beta, in training.
        """
        seed = _random.next_seed(self._training_seeds if training else self._evaluation_seeds)
        context = self._latent.encode(batch["x"], training)
        log_q, log_x, log_z = self._latent.terms(batch["x"], context, seed, training=training)
        beta = self._beta(log_q.dtype) if training else tf.ones([], log_q.dtype)
        neg_elbo = log_q - log_x - log_z
        values = {
            "neg_elbo": neg_elbo,
            "reconstruction": -log_x,
            "kl": log_q - log_z,
            "bits_per_dim": neg_elbo / (math.log(2.0) * math.prod(self._latent.image_shape)),
        }
        return log_q - beta * (log_x + log_z), values, {"beta": beta} if training else {}

    def follow(self, batch: Mapping[str, tf.Tensor]) -> None:
        """Follows images through the encoder, the posterior and the decoder, see the base class.

        Args:
          batch: the columns of the batch.
        """
        self._latent.follow(batch["x"], _random.next_seed(self._training_seeds))

    def elbo(self, x: Any, num_samples: int = 1, seed: Any = None) -> tf.Tensor:
        """Estimates the evidence lower bound E_q[log p(x, z) - log q(z|x)] of every image.

        Args:
          x: images `[n, ...image]`.
          num_samples: draws of z for each image, over which the estimate is the mean.
          seed: int, or an int32 tensor `[2]`; by default every call draws anew.

        Returns:
          The estimates in nats, `[n]`.
        """
        x = self.schema.to_tensors(x)["x"]
        context = self._latent.encode(x)
        log_q, log_x, log_z = self._latent.terms(x, context, self._draw(seed), [num_samples])
        return tf.reduce_mean(log_x + log_z - log_q, axis=0)

    def importance_log_prob(
        self,
        x: Any,
        num_samples: int = 200,
        *,
        chunk_size: int = 20,
        batch_size: int = 50,
        seed: Any = None,
    ) -> np.ndarray:
        """Estimates log p(x) of every image with importance weights (Burda et al., equation 8).

        log p(x) ~ log (1/S) sum_s p(x, z_s) / q(z_s|x), z_s ~ q(z|x). In expectation it is a lower
        bound, tighter than the evidence bound, and exact in the limit of many samples. Time grows
        with `n num_samples`; memory with `batch_size chunk_size` only.

        Args:
          x: images `[n, ...image]`, as an array or in batches as for `evaluate`.
          num_samples: S above.
          chunk_size: draws that are evaluated at once.
          batch_size: images that are evaluated at once.
          seed: int, or an int32 tensor `[2]`; by default every call draws anew.

        Returns:
          The estimates in nats, `[n]`.

        Raises:
          ValueError: a number is not positive, or the images do not fit.
        """
        for argument, value in (
            ("num_samples", num_samples),
            ("chunk_size", chunk_size),
            ("batch_size", batch_size),
        ):
            if value < 1:
                raise ValueError(f"Argument `{argument}`: expected at least 1, received {value}.")
        x = _pipeline.events(self.schema, x)
        return self._latent.importance_log_prob(
            x, self._draw(seed), num_samples, chunk_size, batch_size
        )

    def sample(self, n: int, seed: Any = None, *, mean: bool = False) -> tf.Tensor:
        """Draws images from the model: z ~ p(z), x ~ p(x|z).

        Args:
          n: the number of images.
          seed: int, or an int32 tensor `[2]`; by default every call draws anew.
          mean: whether to return the means of p(x|z) (grey levels, as pictures in papers mostly
            show) instead of draws of x.

        Returns:
          The images, `[n, ...image]`.
        """
        seeds = tf.random.experimental.stateless_split(self._draw(seed), 2)
        images = self._latent.decode(self.prior.sample(n, seed=seeds[0]))
        return images.mean() if mean else images.sample(seed=seeds[1])

    def reconstruct(self, x: Any, seed: Any = None) -> tf.Tensor:
        """Reconstructs images: the mean of p(x|z) for one z ~ q(z|x).

        Args:
          x: images `[n, ...image]`.
          seed: int, or an int32 tensor `[2]`; by default every call draws anew.

        Returns:
          The means, `[n, ...image]`.
        """
        return self._reconstruct(self.schema.to_tensors(x)["x"], self._draw(seed), training=False)

    def _reconstruct(self, x: tf.Tensor, seed: tf.Tensor, training: bool) -> tf.Tensor:
        z = self.posterior(self._latent.encode(x, training)).sample(seed=seed)
        return self._latent.decode(z, training).mean()

    def _beta(self, dtype: tf.DType) -> tf.Tensor:
        if self._beta_warmup_steps == 0:
            return tf.ones([], dtype)
        # An optimizer that scales the loss (mixed precision) leaves the count to the one inside.
        optimizer: Any = getattr(self.optimizer, "inner_optimizer", self.optimizer)
        step = tf.cast(tf.convert_to_tensor(optimizer.iterations), dtype)
        return tf.minimum(tf.ones([], dtype), 0.01 + step / self._beta_warmup_steps)

    def _begin_evaluation(self) -> None:
        _random.restart(self._evaluation_seeds)

    def _draw(self, seed: Any) -> tf.Tensor:
        """A stateless seed for one call."""
        if seed is None:
            return _random.next_seed(self._sampling_seeds)
        seed = tf.convert_to_tensor(seed, tf.int32)
        return tf.stack([seed, 0]) if seed.shape.rank == 0 else seed
