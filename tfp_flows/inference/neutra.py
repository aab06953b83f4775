"""Kernels of Hamiltonian Monte Carlo whose step size adapts, plain and through a flow."""

from collections.abc import Callable

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability import distributions as tfd

from tfp_flows._checks import check_at_least
from tfp_flows.inference._arguments import check_is_flow
from tfp_flows.inference.latents import latent_space


def hmc_kernel(
    target_log_prob_fn: Callable[[tf.Tensor], tf.Tensor],
    *,
    num_leapfrog_steps: int = 8,
    step_size: float = 0.1,
    num_adaptation_steps: int = 500,
    target_accept_prob: float = 0.75,
) -> tfp.mcmc.TransitionKernel:
    """Hamiltonian Monte Carlo with a step size that adapts: TFP's kernels, put together.

    Args:
      target_log_prob_fn: a callable, events `[num_chains, D]` -> log-density `[num_chains]` in
        nats, up to a constant, differentiable.
      num_leapfrog_steps: in each step, at least 1.
      step_size: of the first step, positive.
      num_adaptation_steps: steps, from the first one, in which the step size adapts, at least 0.
      target_accept_prob: the mean probability of acceptance, over the chains, to adapt to.

    Returns:
      A `tfp.mcmc.DualAveragingStepSizeAdaptation` of a `tfp.mcmc.HamiltonianMonteCarlo`.

    Raises:
      TypeError: the target is not callable, or a number of steps is no integer.
      ValueError: a number is out of range.

    #### Examples

    ```python
    import tensorflow as tf
    import tensorflow_probability as tfp
    from tfp_flows import datasets, inference

    settings = {"num_leapfrog_steps": 2, "num_adaptation_steps": 5}
    kernel = inference.hmc_kernel(datasets.funnel(3).log_prob, **settings)
    samples = tfp.mcmc.sample_chain(
        5, tf.zeros([2, 3]), kernel=kernel, num_burnin_steps=5, trace_fn=None, seed=[0, 0]
    )
    print(samples.shape)  # (5, 2, 3)
    ```

    #### References

    M. D. Hoffman and A. Gelman, The No-U-Turn Sampler, 2011, arXiv:1111.4246, section 3.2.
    """
    if not callable(target_log_prob_fn):
        raise TypeError(
            "Argument `target_log_prob_fn`: expected a callable, received "
            f"{type(target_log_prob_fn).__name__}."
        )
    check_at_least(1, num_leapfrog_steps=num_leapfrog_steps)
    check_at_least(0, num_adaptation_steps=num_adaptation_steps)
    if not step_size > 0.0:
        raise ValueError(f"Argument `step_size`: expected a positive number, received {step_size}.")
    if not 0.0 < target_accept_prob < 1.0:
        raise ValueError(
            "Argument `target_accept_prob`: expected a number between 0 and 1, received "
            f"{target_accept_prob}."
        )
    return tfp.mcmc.DualAveragingStepSizeAdaptation(
        tfp.mcmc.HamiltonianMonteCarlo(
            target_log_prob_fn, step_size=step_size, num_leapfrog_steps=num_leapfrog_steps
        ),
        num_adaptation_steps=num_adaptation_steps,
        target_accept_prob=target_accept_prob,
    )


def neutra_kernel(
    flow: tfd.TransformedDistribution,
    target_log_prob_fn: Callable[[tf.Tensor], tf.Tensor],
    **settings,
) -> tfp.mcmc.TransformedTransitionKernel:
    """Hamiltonian Monte Carlo in the space of a flow's base distribution.

    ```none
    x = f(z),   log p~(z) = log p~(f(z)) + log|det df/dz|
    ```

    Where the flow fits the target, z is distributed as its base: round, and of one scale, whatever
    the geometry of x. Where it does not, the chains still converge to the target; they only mix
    more slowly. States and samples are those of x.

    A step calls the bijector's `forward` and its log-det, so that sampling should be the cheap
    direction: `flows.iaf`, couplings, `flows.planar`. The inverse is taken once, of the first
    state. Where the base of the flow is a flow itself, z belongs to the base of that.

    Args:
      flow: any `tfd.TransformedDistribution` of events `[D]`, trained on the target:
        `models.ReverseKLModel`. Its variables are not changed.
      target_log_prob_fn: as for `hmc_kernel`.
      **settings: of `hmc_kernel`.

    Returns:
      A `tfp.mcmc.TransformedTransitionKernel` of an `hmc_kernel`.

    Raises:
      TypeError: the flow is none, or as `hmc_kernel`.
      ValueError: the flow has a batch shape, or as `hmc_kernel`.

    #### Examples

    ```python
    import tensorflow_probability as tfp
    from tfp_flows import datasets, flows, inference

    flow = flows.iaf(event_size=3, num_layers=2, seed=0)  # to be trained
    settings = {"num_leapfrog_steps": 2, "num_adaptation_steps": 5}
    kernel = inference.neutra_kernel(flow, datasets.funnel(3).log_prob, **settings)
    samples = tfp.mcmc.sample_chain(
        5, flow.sample(2, seed=0), kernel=kernel, num_burnin_steps=5, trace_fn=None, seed=[0, 0]
    )
    print(samples.shape)  # (5, 2, 3)
    ```

    #### References

    M. D. Hoffman, P. Sountsov, J. V. Dillon, I. Langmore, D. Tran and S. Vasudevan, NeuTra-lizing
    Bad Geometry in Hamiltonian Monte Carlo Using Neural Transport, 2019, arXiv:1903.03704, section
    3.
    """
    check_is_flow(flow)
    if flow.batch_shape.rank != 0 or flow.event_shape.rank != 1:
        raise ValueError(
            "Argument `flow`: expected batch shape [] and events [D], received batch shape "
            f"{flow.batch_shape} and event shape {flow.event_shape}."
        )
    _, bijector = latent_space(flow)
    return tfp.mcmc.TransformedTransitionKernel(
        hmc_kernel(target_log_prob_fn, **settings), bijector
    )
