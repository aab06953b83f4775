"""The continuous flow."""

from collections.abc import Callable, Sequence

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_flows._recording import recorded
from tfp_flows.bijectors import Continuous
from tfp_flows.flows import _recipe
from tfp_flows.networks import MLP, generator


@recorded
def continuous(
    event_size: int,
    *,
    hidden_units: Sequence[int] = (64, 64),
    activation: str | Callable[[tf.Tensor], tf.Tensor] = "tanh",
    num_steps: int = 16,
    num_probes: int | None = None,
    ode_solve_fn: Callable | None = None,
    kinetic: float = 0.0,
    jacobian: float = 0.0,
    noise_seed: int | None = None,
    context_size: int | None = None,
    base=None,
    dtype: tf.DType = tf.float32,
    seed=None,
    name: str = "continuous_flow",
) -> _recipe.Flow:
    """A continuous flow, `bijectors.Continuous` on `tfb.FFJORD`, on a Gaussian.

    ```none
    y = z(1),   dz/dt = network(z, t),   z(0) = x ~ base
    log p(y) = log base(x) - integral of tr(d network / dz) dt
    ```

    Sampling and density cost the same: 4 evaluations of the network a step, with O(D) gradients of
    it for the exact trace, or one for each probe. At first the network is zero, and the flow the
    identity.

    With weights `kinetic` or `jacobian`, `flow.bijector.regularization(y)` is what to add to the
    loss of data `y`: paths become straight, of constant speed, and need fewer steps.

    Args:
      event_size: D, size of the vectors.
      hidden_units: sizes of the network's hidden layers.
      activation: their activation, as `networks.MLP` takes it. Smooth ones keep the order of the
        solver.
      num_steps: steps of the Runge-Kutta method, if `ode_solve_fn` is not given.
      num_probes: random probes for each point that estimate the trace, or `None` for the exact one.
      ode_solve_fn: another solver, see `bijectors.Continuous`.
      kinetic: weight of the integral of the squared velocity.
      jacobian: weight of the integral of the squared Frobenius norm of the velocity's Jacobian.
      noise_seed: integer that fixes the probes, or `None` for new ones in every evaluation, which
        training needs.
      context_size: size of the context, or `None` for a flow without one. The network sees the
        context beside its input.
      base: the base distribution on `[D]`. Default: a standard normal one; with a context, a
        diagonal Gaussian whose location and scale are affine in the context (then `base` may also
        be a callable of the context).
      dtype: floating dtype.
      seed: integer, NumPy generator or `None`.
      name: the distribution's name.

    Returns:
      A `tfd.TransformedDistribution`; with a context, a `distributions.ConditionalDistribution`.

    Raises:
      TypeError: a size is no integer, the dtype is not floating, or the base is no distribution.
      ValueError: a number is out of its range, or the base does not fit; or a solver of
        `tfp.math.ode` is to solve for a context, to which it gives no gradient.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    flow = tff.flows.continuous(event_size=2, hidden_units=[16], kinetic=0.01, seed=0)
    y = flow.sample(5, seed=1)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(flow.bijector.regularization(y) - flow.log_prob(y))
    gradients = tape.gradient(loss, flow.trainable_variables)
    ```

    #### References

    Grathwohl, Chen, Bettencourt, Sutskever and Duvenaud (2018), FFJORD: Free-form Continuous
    Dynamics for Scalable Reversible Generative Models, arXiv:1810.01367; Finlay, Jacobsen,
    Nurbekyan and Oberman (2020), How to train your neural ODE: the world of Jacobian and kinetic
    regularization, arXiv:2002.02798.
    """
    _recipe.check_settings(event_size, 1, context_size, base, dtype)
    if context_size is not None and isinstance(
        getattr(ode_solve_fn, "__self__", None), tfp.math.ode.Solver
    ):
        raise ValueError(
            "Argument `ode_solve_fn`: expected None or a solver whose gradients reach tensors in "
            "closures, for a flow with a context, received one of tfp.math.ode."
        )
    rng = generator(seed)
    network = MLP(
        event_size + 1,
        event_size,
        hidden_units,
        activation=activation,
        seed=rng,
        dtype=dtype,
        context_size=context_size,
        name="velocity",
    )
    layer = _ContinuousLayer(
        network,
        event_size,
        num_steps=num_steps,
        num_probes=num_probes,
        ode_solve_fn=ode_solve_fn,
        kinetic=kinetic,
        jacobian=jacobian,
        seed=noise_seed,
    )
    if context_size is not None:
        return _recipe.conditional(layer, event_size, context_size, base, dtype, rng, name)
    return _recipe.unconditional(layer(None), event_size, base, dtype, name)


class _ContinuousLayer(tf.Module):
    """From a context to the flow of the network's velocity."""

    def __init__(self, network, event_size, **settings):
        super().__init__(name="continuous_layer")
        self._network = network
        self._event_size = event_size
        self._settings = self._no_dependency(settings)

    def __call__(self, context):
        return Continuous(_Velocity(self._network, context), self._event_size, **self._settings)


class _Velocity(tf.Module):
    """A network of state and time, with its context."""

    def __init__(self, network, context):
        super().__init__(name="velocity")
        self._network = network
        self._context = context

    def __call__(self, time, z):
        times = tf.cast(time, z.dtype) * tf.ones_like(z[..., :1])
        return self._network(tf.concat([z, times], axis=-1), self._context)
