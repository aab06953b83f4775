"""Chains of bijectors that keep no activations for their gradients."""

from collections.abc import Sequence

import tensorflow as tf
from tensorflow_probability import bijectors as tfb

from tfp_flows import _tfp
from tfp_flows.bijectors import _reversal, _steps
from tfp_flows.bijectors._arguments import common_dtype
from tfp_flows.bijectors.base import FusedBijector
from tfp_flows.bijectors.continuous import Continuous
from tfp_flows.bijectors.residual import Residual

# Their inverses are iterations or numerical solutions, so that what they give back is not what went
# in, and their own gradients keep no activations already.
_UNSUITABLE = (Continuous, Residual, tfb.FFJORD)


class Reversible(FusedBijector):
    """A `tfb.Chain` whose gradients recompute the activations by way back through the inverse.

    ```none
    y = f_1(... f_K(x)),   log|det dy/dx| = sum_k log|det f_k'|
    ```

    Equals `tfb.Chain(bijectors)`: the last bijector is applied first. The difference is in what is
    kept for the gradients. A chain keeps the activations of all bijectors; this one keeps `x` and
    `y` only, and its gradient takes the bijectors from the last to the first: it recovers each
    one's argument by the inverse, runs it again, and carries the gradients through it. So the
    memory of a gradient does not grow with the depth, besides the gradients themselves. That holds
    for both directions, in eager mode, in graphs and under XLA.

    Cost: values cost what they cost in the chain. A gradient costs one more run of each bijector
    and one run of its inverse; of couplings, one more run in all, as their conditioner sees the
    same in both. So couplings, whose inverse is as cheap as they are, are what it is made for.
    `tfb.Invert`s and `tfb.Chain`s among the bijectors are taken apart, and long stacks of layers
    (`PlanarStack`, `RadialStack`) are taken in blocks of a few layers each. `Autoregressive` and
    elementwise maps whose inverse is a root work, too, but recomputing them takes long.

    Accuracy: rounding errors of the inverses add up over the depth, and scale with how strongly the
    layers contract: one that squeezes its input by 1e4 costs four digits. Of 64 affine couplings
    near their initial values, the gradients agree with those of the chain to 2e-7 of the largest
    entry (float32).

    Gradients reach all trainable variables and all tensors that the bijectors hold, such as a
    context. Second derivatives are exact, but keep all activations. Between value and gradient no
    variable may change, and conditioners have to be deterministic: one with dropout would be run
    again with another mask.

    #### Examples

    ```python
    import tensorflow as tf
    import tfp_flows as tff

    layers = [
        tff.bijectors.Coupling(
            tff.transformers.Affine(),
            tff.networks.MLP(input_size=1, output_size=2, hidden_units=[8], seed=k),
            mask=[k % 2 == 0, k % 2 == 1],
        )
        for k in range(16)
    ]
    bijector = tff.bijectors.Reversible(layers)
    with tf.GradientTape() as tape:
        x, log_det = bijector.inverse_and_log_det(tf.ones([5, 2]))
        loss = tf.reduce_mean(tf.reduce_sum(x * x, axis=-1) - log_det)
    gradients = tape.gradient(loss, bijector.trainable_variables)
    ```

    #### References

    Gomez, Ren, Urtasun and Grosse (2017), The Reversible Residual Network: Backpropagation Without
    Storing Activations, arXiv:1707.04585, algorithm 1.
    """

    def __init__(
        self,
        bijectors: Sequence[tfb.Bijector],
        validate_args: bool = False,
        name: str = "reversible",
    ):
        """Creates the chain.

        Args:
          bijectors: the bijectors in the order of `tfb.Chain`: the last one is applied first.
          validate_args: as in every TFP bijector; shapes and dtypes are always checked.
          name: the bijector's name.

        Raises:
          TypeError: `bijectors` is no sequence of bijectors, or their dtypes differ.
          ValueError: there is no bijector, or one of them is `Residual`, `Continuous` or
            `tfb.FFJORD`, which have no inverse to rounding error.
        """
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            _check(bijectors)
            # It knows ranks and shapes, and holds the bijectors.
            self._chain = tfb.Chain(list(bijectors), name="chain")
            self._parts = self._no_dependency(_steps.flatten(self._chain))
            _check_parts(self._parts)
            super().__init__(
                forward_min_event_ndims=self._chain.forward_min_event_ndims,
                inverse_min_event_ndims=self._chain.inverse_min_event_ndims,
                is_constant_jacobian=self._chain.is_constant_jacobian,
                validate_args=validate_args,
                parameters=parameters,
                dtype=common_dtype("bijectors", (bijector for bijector, _ in self._parts)),
                name=name,
            )

    @classmethod
    def _parameter_properties(cls, dtype):
        del dtype
        return {
            "bijectors": _tfp.parameter_properties.BatchedComponentProperties(
                event_ndims=lambda self, x_event_ndims: self._ranks(x_event_ndims)
            )
        }

    @property
    def bijectors(self) -> list[tfb.Bijector]:
        """The bijectors in the order of `tfb.Chain`: the last one is applied first."""
        return list(self._chain.bijectors)

    @property
    def _event_shape(self):
        return _steps.event_shape(self._parts, self.forward_min_event_ndims)

    @property
    def _output_shape(self):
        return self._chain.forward_event_shape(self._event_shape)

    def _forward_and_log_det(self, x):
        return _reversal.run_reversibly(self._steps(), x)

    def _inverse_and_log_det(self, y):
        steps = [step.reversed() for step in reversed(self._steps())]
        return _reversal.run_reversibly(steps, y)

    def _steps(self):
        return _steps.make_steps(self._parts, self.forward_min_event_ndims)

    def _ranks(self, event_ndims):
        """The rank of each bijector's argument, as parts of events of a given rank."""
        ranks = []
        for bijector in reversed(self.bijectors):
            ranks.append(event_ndims)
            event_ndims += bijector.inverse_min_event_ndims - bijector.forward_min_event_ndims
        return ranks[::-1]

    def _forward_event_shape(self, input_shape):
        return self._chain.forward_event_shape(input_shape)

    def _forward_event_shape_tensor(self, input_shape):
        return self._chain.forward_event_shape_tensor(input_shape)

    def _inverse_event_shape(self, output_shape):
        return self._chain.inverse_event_shape(output_shape)

    def _inverse_event_shape_tensor(self, output_shape):
        return self._chain.inverse_event_shape_tensor(output_shape)

    # As in TFP's own bijectors of several parts; `flows.initialize` walks here, too.

    def _walk_forward(self, step_fn, x):
        return self._chain._walk_forward(step_fn, x)

    def _walk_inverse(self, step_fn, y):
        return self._chain._walk_inverse(step_fn, y)


def _check(bijectors):
    is_list = isinstance(bijectors, Sequence)
    if not is_list or not all(isinstance(b, tfb.Bijector) for b in bijectors):
        raise TypeError(
            f"Argument `bijectors`: expected a list of tfb.Bijector, received {bijectors!r}."
        )
    if not bijectors:
        raise ValueError("Argument `bijectors`: expected at least one bijector, received none.")


def _check_parts(parts):
    for bijector, _ in parts:
        if isinstance(bijector, _UNSUITABLE):
            raise ValueError(
                "Argument `bijectors`: expected bijectors with an inverse to rounding error, "
                f"received the {type(bijector).__name__} {bijector.name!r}, whose inverse is "
                "approximate."
            )
