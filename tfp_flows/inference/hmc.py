"""Hamiltonian Monte Carlo of several chains, in the events' own space or in a flow's."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from tfp_flows._checks import check_at_least
from tfp_flows.inference.neutra import hmc_kernel, neutra_kernel


class HMCResult(NamedTuple):
    """What `sample_hmc` returns.

    Attributes:
      samples: `[num_results, num_chains, D]`, in the events' space.
      effective_sample_size: of each element, all chains together, `[D]`: how many independent
        draws give a mean as good. Chains that disagree count as dependent.
      potential_scale_reduction: R-hat of each element with every chain split into halves, `[D]`:
        1 where all halves agree.
      acceptance_rate: the mean probability of acceptance, scalar.
      step_size: of the leapfrog steps, after adaptation, scalar.
      num_gradients: gradients of the target that the results took, of all chains together.
      num_adaptation_gradients: gradients that the steps before them took.
    """

    samples: tf.Tensor
    effective_sample_size: tf.Tensor
    potential_scale_reduction: tf.Tensor
    acceptance_rate: tf.Tensor
    step_size: tf.Tensor
    num_gradients: int
    num_adaptation_gradients: int

    @property
    def total_gradients(self) -> int:
        """Gradients of the target that all steps took, those of the adaptation, too."""
        return self.num_gradients + self.num_adaptation_gradients

    @property
    def effective_samples_per_gradient(self) -> float:
        """The smallest effective sample size, per gradient of the target."""
        return float(tf.reduce_min(self.effective_sample_size)) / self.num_gradients


def sample_hmc(
    target_log_prob_fn: Callable[[tf.Tensor], tf.Tensor],
    initial_state: Any,
    *,
    flow: tfd.Distribution | None = None,
    num_results: int = 1000,
    num_adaptation_steps: int = 500,
    num_leapfrog_steps: int = 8,
    step_size: float = 0.1,
    target_accept_prob: float = 0.75,
    seed: int = 0,
    jit_compile: bool = False,
) -> HMCResult:
    """Draws from an unnormalized density by Hamiltonian Monte Carlo, with a flow or without.

    All chains advance together, in one graph. A common step size is adapted to the mean probability
    of acceptance, by dual averaging over the chains and the first `num_adaptation_steps` steps,
    which are thrown away. With a `flow`, the chains run in the space of its base distribution
    (`neutra_kernel`); the results are samples of the same target.

    A step of L leapfrog steps takes L gradients of the target a chain: the one at its start is kept
    from the step before. With a flow, each of them goes through `flow.bijector.forward`, too.

    Args:
      target_log_prob_fn: a callable, events `[num_chains, D]` -> log-density `[num_chains]` in
        nats, up to a constant, differentiable.
      initial_state: where the chains start, floating `[num_chains, D]`, at least two chains; with a
        flow, its samples are good ones.
      flow: a `tfd.TransformedDistribution` of events `[D]` that resembles the target.
      num_results: samples of each chain, at least 4.
      num_adaptation_steps: steps before them.
      num_leapfrog_steps: L.
      step_size: of the first step.
      target_accept_prob: the probability of acceptance to adapt to.
      seed: int.
      jit_compile: whether to compile with XLA.

    Returns:
      The samples, and how good they are.

    Raises:
      TypeError: an argument is of the wrong kind.
      ValueError: a number is out of range, or `initial_state` has another shape.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    funnel = tff.datasets.funnel(event_size=2, scale=1.0)
    chains = tff.inference.sample_hmc(
        funnel.log_prob, tf.zeros([4, 2]), num_results=50, num_adaptation_steps=50
    )
    print(chains.samples.shape, chains.effective_samples_per_gradient)
    ```

    #### References

    M. D. Hoffman and A. Gelman, The No-U-Turn Sampler, 2011, arXiv:1111.4246, section 3.2, for the
    adaptation. A. Vehtari, A. Gelman, D. Simpson, B. Carpenter and P.-C. Buerkner,
    Rank-normalization, folding, and localization, 2019, arXiv:1903.08008, for R-hat of split chains
    and the effective sample size of several.
    """
    check_at_least(4, num_results=num_results)
    check_at_least(0, seed=seed)
    state = tf.convert_to_tensor(initial_state)
    if not state.dtype.is_floating:
        raise TypeError(
            f"Argument `initial_state`: expected a floating dtype, received {state.dtype.name}."
        )
    if state.shape.rank != 2 or state.shape[0] < 2:
        raise ValueError(
            "Argument `initial_state`: expected a shape [num_chains, D] with at least two chains, "
            f"received {tuple(state.shape)}."
        )
    settings: dict[str, Any] = {
        "num_leapfrog_steps": num_leapfrog_steps,
        "step_size": step_size,
        "num_adaptation_steps": num_adaptation_steps,
        "target_accept_prob": target_accept_prob,
    }
    if flow is None:
        kernel = hmc_kernel(target_log_prob_fn, **settings)
    else:
        kernel = neutra_kernel(flow, target_log_prob_fn, **settings)

    # One graph for all steps. TFP's control flow is that of tensors already: AutoGraph would only
    # take its seconds.
    @tf.function(jit_compile=jit_compile, autograph=False)
    def run(state: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        samples, (log_accept_ratio, steps) = tfp.mcmc.sample_chain(
            num_results,
            state,
            kernel=kernel,
            num_burnin_steps=num_adaptation_steps,
            trace_fn=lambda _, results: _traced(results),
            seed=seed,
        )
        return samples, tf.exp(tf.minimum(log_accept_ratio, 0.0)), steps

    # The graph runs once. Called by itself, TensorFlow would warn of a function traced each time.
    arguments = (state, tf.constant([seed, 0]))
    samples, accept_prob, steps = run.get_concrete_function(*arguments)(*arguments)
    with _no_warning_of_complex_numbers():
        effective_sample_size = tfp.mcmc.effective_sample_size(
            samples, filter_beyond_positive_pairs=True, cross_chain_dims=1
        )
    num_chains = state.shape[0]
    return HMCResult(
        samples=samples,
        effective_sample_size=effective_sample_size,
        potential_scale_reduction=tfp.mcmc.potential_scale_reduction(samples, split_chains=True),
        acceptance_rate=tf.reduce_mean(accept_prob),
        step_size=steps[-1],
        num_gradients=num_chains * num_results * num_leapfrog_steps,
        # One more for the very first state.
        num_adaptation_gradients=num_chains * (num_adaptation_steps * num_leapfrog_steps + 1),
    )


def _traced(results: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """The log of the acceptance ratio of each chain, and the step size, at any depth of kernels."""
    while not hasattr(results, "log_accept_ratio"):
        results = results.inner_results
    return results.log_accept_ratio, results.accepted_results.step_size


@contextlib.contextmanager
def _no_warning_of_complex_numbers() -> Iterator[None]:
    """TFP casts what its Fourier transform returns to real numbers; TensorFlow warns each time."""

    def is_other(record: logging.LogRecord) -> bool:
        return "casting an input of type complex" not in record.getMessage()

    logger = tf.get_logger()
    logger.addFilter(is_other)
    try:
        yield
    finally:
        logger.removeFilter(is_other)
