"""Continuous flows: the solution of an ordinary differential equation."""

import functools
from collections.abc import Callable

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_flows.bijectors._conditioners import as_conditioner
from tfp_flows.bijectors.base import FusedBijector
from tfp_flows.numerics import (
    noise_seeds,
    random_directions,
    runge_kutta_4,
    unit_directions,
    value_and_vjp,
)


class Continuous(FusedBijector):
    """The flow of a velocity field from time 0 to time 1, R^D -> R^D, on `tfb.FFJORD`.

    ```none
    y = z(1),   dz/dt = f(t, z),   z(0) = x
    log|det dy/dx| = integral of tr(df/dz) dt
    ```

    Both directions cost the same: the velocity and the trace, four times a step. The exact trace
    takes O(D) gradients of the velocity; an estimate by n random probes, n gradients.

    By default the equation is solved by the classical Runge-Kutta method in a fixed number of
    steps. XLA compiles it; its gradients are exact for what is computed, also with respect to
    tensors that the velocity closes over; and inverse and log-det are those of the solution up to
    an error of the fourth power of the steps' length. TFP's adaptive solvers can be given instead.
    Their gradients are not compiled by XLA, as accurate as their tolerances, and missing for
    tensors in closures (not for variables).

    What `tfb.FFJORD` leaves to do is done here: variables in sight, one log-det for each event
    (its own has one entry for each element), any number of batch dimensions, and fixed probes.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    rotation = tff.bijectors.Continuous(
        lambda time, z: tf.stack([-z[..., 1], z[..., 0]], axis=-1), event_size=2
    )
    y, log_det = rotation.forward_and_log_det([1.0, 0.0])  # [cos(1), sin(1)] and 0
    ```

    #### References

    Grathwohl, Chen, Bettencourt, Sutskever and Duvenaud (2018), FFJORD: Free-form Continuous
    Dynamics for Scalable Reversible Generative Models, arXiv:1810.01367, eq. 1 to 4; Finlay,
    Jacobsen, Nurbekyan and Oberman (2020), How to train your neural ODE, arXiv:2002.02798,
    section 3.
    """

    def __init__(
        self,
        velocity: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
        event_size: int,
        *,
        num_steps: int = 16,
        num_probes: int | None = None,
        ode_solve_fn: Callable | None = None,
        kinetic: float = 0.0,
        jacobian: float = 0.0,
        seed: int | None = None,
        validate_args: bool = False,
        name: str = "continuous",
    ):
        """Creates the flow.

        Args:
          velocity: f, a callable from a scalar time and states `[..., D]` to `[..., D]`.
          event_size: D.
          num_steps: of the Runge-Kutta method; without meaning if `ode_solve_fn` is given.
          num_probes: number of random probes (of elements +-1) for each point that estimate the
            trace, the same along a path; or `None` for the trace itself.
          ode_solve_fn: another solver, as `tfb.FFJORD` takes it, for example
            `tfp.math.ode.DormandPrince(atol=1e-6).solve`.
          kinetic: weight of `|f|^2` in `regularization`.
          jacobian: weight of `|df/dz|^2`, the squared Frobenius norm, in `regularization`.
          seed: of the probes. An integer makes them the same in every evaluation on a batch of one
            shape; `None` draws new ones from TensorFlow's global generator.
          validate_args: as in every TFP bijector; shapes and dtypes are always checked.
          name: the bijector's name.

        Raises:
          TypeError: `velocity` is not callable.
          ValueError: a number is out of its range.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            for argument, value, smallest in (
                ("event_size", event_size, 1),
                ("num_steps", num_steps, 1),
                ("num_probes", 1 if num_probes is None else num_probes, 1),
                ("kinetic", kinetic, 0.0),
                ("jacobian", jacobian, 0.0),
            ):
                if value < smallest:
                    raise ValueError(
                        f"Argument `{argument}`: expected at least {smallest}, received {value!r}."
                    )
            if not callable(velocity):
                raise TypeError(
                    f"Argument `velocity`: expected a callable, received {type(velocity).__name__}."
                )
            self._velocity = velocity
            self._size = event_size
            self._num_probes, self._seed = num_probes, seed
            self._weights = (kinetic, jacobian)
            self._solve = ode_solve_fn or functools.partial(runge_kutta_4, num_steps=num_steps)
            self._found = as_conditioner(velocity, (event_size,))
            super().__init__(
                forward_min_event_ndims=1,
                validate_args=validate_args,
                parameters=parameters,
                dtype=self._found.dtype,
                name=name,
            )

    @classmethod
    def _parameter_properties(cls, dtype):
        del dtype
        return {}  # no tensor among the arguments

    @property
    def velocity(self) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        """The velocity field, as it was given."""
        return self._velocity

    @property
    def _event_shape(self):
        return tf.TensorShape([self._size])

    def _forward_and_log_det(self, x):
        x, ffjord = self._bind(x)
        return ffjord.forward(x), ffjord.forward_log_det_jacobian(x, event_ndims=1)

    def _inverse_and_log_det(self, y):
        y, ffjord = self._bind(y)
        return ffjord.inverse(y), ffjord.inverse_log_det_jacobian(y, event_ndims=1)

    def regularization(self, y) -> tf.Tensor:
        """Integrates the regularization along the paths that end in `y`, to be added to a loss.

        ```none
        integral of (kinetic |f|^2 + jacobian |df/dz|_F^2) dt
        ```

        Straight paths of constant speed take few steps. The Frobenius norm is estimated by the
        probes, if there are any. Costs as much as a log-density, or without `jacobian` as an
        inverse.

        Args:
          y: tensor `[..., D]`, the data.

        Returns:
          A tensor `[...]`, zero without weights.
        """
        y, _ = self._bind(self._checked(y, "y", self._event_shape))
        kinetic, jacobian = self._weights
        if not kinetic and not jacobian:
            return tf.zeros_like(y[..., 0])
        directions = self._directions(y)

        def backwards(time, state):
            z, energy = state
            function = functools.partial(self._field, 1.0 - time)
            if jacobian:
                value, products = _value_and_products(function, z, directions)
                energy = jacobian * tf.reduce_sum(products**2, axis=[0, -1])
            else:
                value, energy = function(z), tf.zeros_like(energy)
            return -value, energy + kinetic * tf.reduce_sum(value**2, axis=-1)

        final_time = tf.ones([], y.dtype)
        solution = self._solve(backwards, 0.0, (y, tf.zeros_like(y[..., 0])), [final_time])
        return solution.states[1][-1]

    def _bind(self, x):
        """`x` with the batch shape that the velocity gives it, and FFJORD for it."""
        # Only its shape counts: no graph computes this value.
        value = tf.convert_to_tensor(self._velocity(tf.zeros([], x.dtype), x))
        if value.shape.rank is not None and value.shape[-1:] != [self._size]:
            raise ValueError(
                f"{self.name}: argument `velocity`: expected an output of shape "
                f"(..., {self._size}), received shape {tuple(value.shape)}."
            )
        x = tf.ensure_shape(tf.broadcast_to(x, tf.shape(value)), value.shape)
        directions = self._directions(x)

        def with_trace(function, state_shape, dtype):
            del state_shape, dtype

            def augmented(time, state):
                value, products = _value_and_products(
                    functools.partial(function, time), state[0], directions
                )
                # Summed over the elements by FFJORD.
                return value, tf.reduce_sum(directions * products, axis=0)

            return augmented

        return x, tfb.FFJORD(
            self._field,
            ode_solve_fn=self._solve,
            trace_augmentation_fn=with_trace,
            final_time=tf.ones([], x.dtype),
            dtype=x.dtype,
        )

    def _field(self, time, z):
        """The velocity in the precision of the point, also where a network computes in a lower."""
        return tf.cast(self._velocity(time, z), z.dtype)

    def _directions(self, x):
        """Vectors `v` with `sum v v^T = I`, exactly or in the mean, the same along a path."""
        if self._num_probes is None:
            return unit_directions(x)
        (seed,) = noise_seeds(self._seed, 1)
        return random_directions(x, self._num_probes, seed) / self._num_probes**0.5


def _value_and_products(function, x, directions):
    """`f(x)` and `J^T v` for each direction."""
    value, vjp = value_and_vjp(function, x, directions.shape[0])
    return value, vjp(directions)
