"""The missing part of an event, drawn given the rest, by Hamiltonian Monte Carlo."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from tfp_flows._checks import check_at_least
from tfp_flows.distributions import Dequantized
from tfp_flows.inference._conditional import KnownCells, KnownPoints
from tfp_flows.inference.latents import checked_events, latent_space
from tfp_flows.inference.neutra import hmc_kernel

# The approach: tolerances of the known elements, in standard deviations of theirs.
_WIDEST, _NARROWEST = 1.0, 0.1
_DRAWS = 256


class Completion(NamedTuple):
    """What `complete` returns.

    Attributes:
      samples: `[num_results, num_chains, ..., *event_shape]`, in the dtype of the distribution.
      acceptance_rate: the mean probability of acceptance for each event, `[...]`.
      potential_scale_reduction: R-hat of each missing element with every chain split into halves,
        `[..., *event_shape]`: 1 where all halves agree, and where elements are known.
      step_size: of the leapfrog steps, after adaptation, scalar.

    #### Examples

    ```python
    import tensorflow_probability as tfp
    import tfp_flows as tff

    gaussian = tfp.distributions.MultivariateNormalDiag([0.0, 0.0], [1.0, 2.0])
    result = tff.inference.complete(
        gaussian, [1.0, 0.0], [True, False], num_results=20, num_stages=0, num_adaptation_steps=20
    )
    print(result.acceptance_rate, result.potential_scale_reduction[1])
    ```
    """

    samples: tf.Tensor
    acceptance_rate: tf.Tensor
    potential_scale_reduction: tf.Tensor
    step_size: tf.Tensor


def complete(
    distribution: tfd.Distribution,
    x: Any,
    observed: Any,
    *,
    num_chains: int = 4,
    num_results: int = 100,
    num_adaptation_steps: int = 200,
    num_steps_between_results: int = 0,
    num_stages: int = 8,
    num_leapfrog_steps: int = 8,
    step_size: float = 0.1,
    target_accept_prob: float = 0.75,
    jit_compile: bool = False,
    seed: int = 0,
) -> Completion:
    """Draws the missing elements of events from their distribution given the known ones.

    ```none
    log p(x_m | x_o) = log p(x_o, x_m) - log p(x_o),   the second term constant in x_m
    ```

    So a flow that was trained on whole events needs nothing else: HMC samples x_m with x_o held
    where it is. Of integers (`Dequantized`), x_o says in which cells of x + u the known elements
    lie; HMC moves their u inside of these cells, and the missing elements in the whole range. Its
    coordinates are unconstrained: the logit of the place in the cell, or in the range.

    A chain starts as an independent draw from the flow and first walks in its latent space, where
    all is round, towards the known elements:

    ```none
    log N(z) - |f(z)_o - x_o|^2 / (2 sigma^2),   sigma from 1 to 0.1 standard deviations of x_o
    ```

    This stage finds the modes, and decides nothing else: the samples come from the exact target.
    A step size common to all chains and events is adapted in each stage, by dual averaging.

    Args:
      distribution: a `tfd.TransformedDistribution` with batch shape `[]`, or a
        `distributions.Dequantized` around one.
      x: events `[..., *event_shape]`; what stands at missing elements is ignored, but has to be
        there.
      observed: bool, True for known elements; a shape that broadcasts to that of `x`.
      num_chains: chains for each event, at least 2.
      num_results: samples of each chain, at least 4.
      num_adaptation_steps: steps before the first sample; a stage on the way to them has as many
        divided by `num_stages`.
      num_steps_between_results: steps between two samples.
      num_stages: values of sigma; 0 for chains that start with the missing elements of draws.
      num_leapfrog_steps: in each step.
      step_size: of the first step.
      target_accept_prob: the probability of acceptance to adapt to.
      jit_compile: whether to compile with XLA.
      seed: int, at least 0.

    Returns:
      The samples, and how good they are.

    Raises:
      TypeError: the distribution is of another kind, `observed` is not bool, or a number is no
        integer.
      ValueError: a shape does not fit, or a number is out of range.

    #### Examples

    ```python
    import tensorflow as tf
    import tensorflow_probability as tfp
    import tfp_flows as tff

    gaussian = tfp.distributions.MultivariateNormalTriL([0.0, 0.0], [[1.0, 0.0], [0.8, 0.6]])
    result = tff.inference.complete(gaussian, [1.0, 0.0], [True, False], num_results=200)
    tf.reduce_mean(result.samples[..., 1])  # about 0.8, the mean given the first element
    ```

    #### References

    M. D. Hoffman and A. Gelman, The No-U-Turn Sampler, 2011, arXiv:1111.4246, section 3.2, for the
    adaptation. L. Dinh, D. Krueger and Y. Bengio, NICE, 2014, arXiv:1410.8516, section 5.2, fill in
    images by gradient ascent with noise.
    """
    check_at_least(2, num_chains=num_chains)
    check_at_least(4, num_results=num_results)
    check_at_least(0, num_stages=num_stages, num_steps_between_results=num_steps_between_results)
    check_at_least(0, num_adaptation_steps=num_adaptation_steps, seed=seed)
    is_integer = isinstance(distribution, Dequantized)
    latent_space(distribution.distribution if is_integer else distribution)
    (x,) = checked_events(distribution, x=x)
    observed = _checked_mask(observed, x.shape)
    known = (KnownCells if is_integer else KnownPoints)(distribution, x, observed)
    settings: dict[str, Any] = {
        "num_leapfrog_steps": num_leapfrog_steps,
        "step_size": step_size,
        "target_accept_prob": target_accept_prob,
    }
    num_events = x.shape[: x.shape.rank - distribution.event_shape.rank]
    approach_seed, seed = tf.unstack(tfp.random.split_seed([seed, 0], n=2))
    y = _approach(
        known.density,
        known.target,
        observed,
        [num_chains, *num_events],
        num_stages,
        num_adaptation_steps,
        settings,
        jit_compile,
        approach_seed,
    )

    @tf.function(jit_compile=jit_compile)
    def run(w: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        w, (log_accept_ratio, steps) = tfp.mcmc.sample_chain(
            num_results,
            w,
            kernel=hmc_kernel(
                known.log_prob, num_adaptation_steps=num_adaptation_steps, **settings
            ),
            num_burnin_steps=num_adaptation_steps,
            num_steps_between_results=num_steps_between_results,
            trace_fn=lambda _, results: (
                results.inner_results.log_accept_ratio,
                results.inner_results.accepted_results.step_size,
            ),
            seed=seed,
        )
        r_hat = tfp.mcmc.potential_scale_reduction(w, split_chains=True)
        return known.event(w), tf.exp(tf.minimum(log_accept_ratio, 0.0)), r_hat, steps[-1]

    samples, accept_prob, r_hat, step_size = run(known.coordinates(y), seed)
    return Completion(
        samples=samples,
        acceptance_rate=tf.reduce_mean(accept_prob, axis=[0, 1]),
        potential_scale_reduction=tf.where(observed, tf.ones_like(r_hat), r_hat),
        step_size=step_size,
    )


def _approach(
    density: tfd.Distribution,
    target: tf.Tensor,
    observed: tf.Tensor,
    shape: list[int],
    num_stages: int,
    num_steps: int,
    settings: dict[str, Any],
    jit_compile: bool,
    seed: tf.Tensor,
) -> tf.Tensor:
    """Walks from draws of the density to events that are nearly as known; in latent space."""
    base, bijector = latent_space(density)
    scale_seed, start_seed, seed = tf.unstack(tfp.random.split_seed(seed, n=3))
    scale = tf.math.reduce_std(density.sample(_DRAWS, seed=scale_seed), axis=0)
    z = base.sample(shape, seed=start_seed)
    axes = list(range(-density.event_shape.rank, 0))

    def log_prob(z: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
        distance = tf.where(observed, (bijector.forward(z) - target) / (width * scale), 0.0)
        return base.log_prob(z) - 0.5 * tf.reduce_sum(distance**2, axis=axes)

    @tf.function(jit_compile=jit_compile)
    def stage(z: tf.Tensor, width: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        steps = max(1, num_steps // num_stages)
        kernel = hmc_kernel(lambda z: log_prob(z, width), num_adaptation_steps=steps, **settings)
        return tfp.mcmc.sample_chain(
            1, z, kernel=kernel, num_burnin_steps=steps, trace_fn=None, seed=seed
        )[0]

    for number, width in enumerate(np.geomspace(_WIDEST, _NARROWEST, num_stages)):
        fold = tf.random.experimental.stateless_fold_in(seed, number)
        z = stage(z, tf.constant(width, z.dtype), fold)
    return bijector.forward(z)


def _checked_mask(observed: Any, shape: tf.TensorShape) -> tf.Tensor:
    observed = tf.convert_to_tensor(observed)
    if observed.dtype != tf.bool:
        raise TypeError(
            f"Argument `observed`: expected dtype bool, received {observed.dtype.name}."
        )
    try:
        return tf.broadcast_to(observed, shape)
    except tf.errors.InvalidArgumentError as error:
        raise ValueError(
            f"Argument `observed`: expected a shape that broadcasts to {shape}, received "
            f"{observed.shape}."
        ) from error
