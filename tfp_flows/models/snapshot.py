"""Values of variables, kept to go back to them."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf


class Snapshot:
    """The values that variables have now.

    What XLA compiles serves several trainings where the variables of a model and of its optimizer
    go back to where they began. And a distribution can be looked at as it was at several times of
    one training, or after several trainings.

    Args:
      *owners: objects with an attribute `variables`, such as Keras models, built optimizers,
        distributions and any `tf.Module`; or iterables of variables.

    Raises:
      TypeError: one is neither.
      ValueError: there is no variable.

    #### Examples

    ```python
    import keras
    import tfp_flows as tff

    flow = tff.flows.real_nvp(event_size=2, num_layers=2, hidden_units=[8], seed=0)
    model = tff.models.DensityModel(flow)
    model.compile(keras.optimizers.Adam(1e-2))
    start = tff.models.Snapshot(flow)
    x = tff.datasets.toy("moons", num_samples=512, seed=0)
    model.fit(x, epochs=2, verbose=0)
    end = tff.models.Snapshot(flow)
    log_probs = {"untrained": start.bind(flow.log_prob), "trained": end.bind(flow.log_prob)}
    print({label: log_prob(x).numpy().mean() for label, log_prob in log_probs.items()})
    ```
    """

    def __init__(self, *owners: Any) -> None:
        self._values: list[tuple[Any, np.ndarray]] = []
        for owner in owners:
            variables = getattr(owner, "variables", owner)
            if not isinstance(variables, Iterable):
                raise TypeError(
                    "Argument `owners`: expected objects with `variables`, or iterables of "
                    f"variables, received {type(owner).__name__}."
                )
            self._values += [(variable, variable.numpy()) for variable in variables]
        if not self._values:
            raise ValueError("Argument `owners`: expected at least one variable, received none.")

    def restore(self) -> None:
        """Gives the variables the values that they had."""
        for variable, value in self._values:
            variable.assign(value)

    def bind(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Returns `function` as it was: each call restores the values first, and leaves them so.

        Args:
          function: a callable that reads the variables, such as the `log_prob` of a distribution.

        Returns:
          A callable of the same arguments.
        """

        def bound(*args: Any, **kwargs: Any) -> Any:
            self.restore()
            # A bijector would return what it has cached for the very same tensor, before that.
            args, kwargs = tf.nest.map_structure(
                lambda value: tf.identity(value) if tf.is_tensor(value) else value, (args, kwargs)
            )
            return function(*args, **kwargs)

        return bound
