"""Keras callbacks for training distributions."""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import keras

from tfp_flows._checks import check_at_least


class BetaAnnealing(keras.callbacks.Callback):
    """Raises the `beta` of a `ReverseKLModel` from step to step, as annealing does.

    ```none
    beta_t = min(1, start + (1 - start) t / num_steps),   t the optimizer's steps so far
    ```

    A target with beta < 1 is flatter: its modes are closer to each other, and draws of a flow that
    knows nothing yet reach all of them. Since t is the optimizer's count, training that is resumed
    goes on where it was. With `steps_per_execution` > 1, beta moves once an execution.

    Args:
      num_steps: the number of steps after which beta is 1.
      start: the first beta, in [0, 1].

    Raises:
      TypeError: `num_steps` is no integer.
      ValueError: a number is out of range; when training begins, the model has no beta.

    #### Examples

    ```python
    import keras
    import tfp_flows as tff

    energy = tff.datasets.energy("u1")
    flow = tff.flows.planar(event_size=2, num_layers=4, seed=0)
    model = tff.models.ReverseKLModel(flow, lambda z: -energy(z), seed=0)
    model.compile(keras.optimizers.Adam(1e-2))
    annealing = tff.models.BetaAnnealing(num_steps=10)
    model.fit(steps_per_epoch=5, batch_size=64, epochs=4, callbacks=[annealing], verbose=0)
    ```

    #### References

    D. J. Rezende and S. Mohamed. Variational Inference with Normalizing Flows, 2015,
    arXiv:1505.05770, equation 20 (start 0.01, 10,000 steps).
    """

    def __init__(self, num_steps: int, start: float = 0.01) -> None:
        super().__init__()
        check_at_least(1, num_steps=num_steps)
        if not 0.0 <= start <= 1.0:
            raise ValueError(f"Argument `start`: expected a number in [0, 1], received {start}.")
        self._num_steps = num_steps
        self._start = start

    def on_train_begin(self, logs: Mapping | None = None) -> None:
        """Checks that there is a beta to raise."""
        if not hasattr(self.model, "beta"):
            raise ValueError(
                "`BetaAnnealing`: expected a model with a variable `beta`, such as ReverseKLModel, "
                f"received {type(self.model).__name__}."
            )

    def on_train_batch_begin(self, batch: int, logs: Mapping | None = None) -> None:
        """Sets beta for the next step."""
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        progress = min(1.0, int(optimizer.iterations.numpy()) / self._num_steps)
        self.model.beta.assign(self._start + (1.0 - self._start) * progress)

    def on_train_end(self, logs: Mapping | None = None) -> None:
        """Leaves the model with its true target."""
        self.model.beta.assign(1.0)


class EarlyStopping(keras.callbacks.EarlyStopping):
    """Stops training where the validation set no longer gains, and restores the best weights.

    It is Keras's `EarlyStopping` with what densities need: the monitored metric is in nats, less is
    better, and the weights of the best epoch come back, also if training ends before the patience
    does.

    Args:
      patience: epochs without a gain to wait for.
      monitor: a metric of the logs: `"val_nats"` of `DensityModel`, `"val_neg_elbo"` of `FlowVAE`,
        `"reverse_kl"` of `ReverseKLModel`.
      min_delta: the least gain that counts, in nats.
      **kwargs: `verbose`, `baseline`, `start_from_epoch` of Keras.

    Raises:
      TypeError: `patience` is no integer.
      ValueError: `patience` is less than 1.

    #### Examples

    ```python
    import keras
    import tfp_flows as tff

    x = tff.datasets.toy("moons", num_samples=1024, seed=0)
    model = tff.models.DensityModel(tff.flows.real_nvp(2, num_layers=2, seed=0))
    model.compile(keras.optimizers.Adam(1e-2))
    stop = tff.models.EarlyStopping(patience=2)
    model.fit(x, batch_size=256, epochs=3, validation_split=0.2, callbacks=[stop], verbose=0)
    ```
    """

    def __init__(
        self, patience: int, monitor: str = "val_nats", min_delta: float = 0.0, **kwargs: Any
    ) -> None:
        check_at_least(1, patience=patience)
        # Keras knows by a metric's name whether more is better, and none of these.
        super().__init__(
            monitor=monitor,
            min_delta=min_delta,
            patience=patience,
            mode="min",
            restore_best_weights=True,
            **kwargs,
        )


class PictureEvery(keras.callbacks.Callback):
    """Draws and stores a picture every few epochs, and after the last one.

    The files are `epoch_0000.png` (before training), `epoch_0010.png` and so on. What `draw` does
    takes no part in training: draws of models and stateless seeds leave the training's as they are.

    Args:
      num_epochs: epochs from picture to picture.
      draw: a callable without arguments that returns a matplotlib figure, such as those of
        `tfp_flows.plotting`.
      folder: where the pictures go; it is made if it is not there.

    Raises:
      TypeError: `draw` is not callable, or `num_epochs` no integer.
      ValueError: `num_epochs` is less than 1.
      OSError: the folder cannot be made.

    #### Examples

    ```python
    import tempfile

    import keras
    import tfp_flows as tff

    flow = tff.flows.real_nvp(2, num_layers=2, seed=0)
    model = tff.models.DensityModel(flow)
    model.compile(keras.optimizers.Adam(1e-2))
    x = tff.datasets.toy("moons", num_samples=1024, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        pictures = tff.models.PictureEvery(
            2, lambda: tff.plotting.density_grid(flow.log_prob, num_points=20), folder
        )
        model.fit(x, batch_size=256, epochs=4, callbacks=[pictures], verbose=0)
    ```
    """

    def __init__(
        self, num_epochs: int, draw: Callable[[], Any], folder: str | pathlib.Path
    ) -> None:
        super().__init__()
        check_at_least(1, num_epochs=num_epochs)
        if not callable(draw):
            raise TypeError(f"Argument `draw`: expected a callable, received {draw!r}.")
        self._num_epochs = num_epochs
        self._draw = draw
        self._folder = pathlib.Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._num_done = 0

    def on_epoch_begin(self, epoch: int, logs: Mapping | None = None) -> None:
        """Draws the model as it is before training."""
        if epoch == 0:
            self._store(0)

    def on_epoch_end(self, epoch: int, logs: Mapping | None = None) -> None:
        """Draws, if it is time to."""
        self._num_done = epoch + 1
        if self._num_done % self._num_epochs == 0:
            self._store(self._num_done)

    def on_train_end(self, logs: Mapping | None = None) -> None:
        """Draws the model at its end, unless that has just been done."""
        if self._num_done % self._num_epochs:
            self._store(self._num_done)

    def _store(self, num_done: int) -> None:
        path = self._folder / f"epoch_{num_done:04d}.png"
        unfinished = path.with_suffix(".unfinished")
        self._draw().savefig(unfinished, format="png")
        unfinished.replace(path)
