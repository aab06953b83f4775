"""Random bad batches for `fit`, `evaluate` and `predict` of the models.

What must hold: data that no model can learn from are refused with a TypeError or a ValueError whose
message says what was expected; whatever happens, all variables are finite afterwards; and they are
what they were before wherever no good batch came before the bad one, and after `evaluate` and
`predict` anyway. Huge values and negative weights may train or be refused.
"""

import dataclasses
import re
import warnings
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from hypothesis import strategies

import tfp_flows as tff

# Each with whether it has to be refused. The rest may train, if all stays finite.
DEFECTS = {
    "none": False,
    "float64": False,
    "float16": False,
    "zeros": False,
    "subnormal": False,
    "1e10": False,
    "1e30": False,
    "limit": False,
    "nan": True,
    "infinity": True,
    "beyond float32": True,
    "int32": True,
    "bool": True,
    "complex64": True,
    "text": True,
    "objects": True,
    "wider": True,
    "narrower": True,
    "one axis less": True,
    "one axis more": True,
    "scalar": True,
    "no columns": True,
    "no rows": True,
    "None": True,
    "ragged": True,
}
WEIGHTS = {
    "none": False,
    "ones": False,
    "zero": False,
    "negative": False,
    "1e30": False,
    "nan": True,
    "infinity": True,
    "too few": True,
    "matrix": True,
    "text": True,
}
FORMS = ("arrays", "dataset", "generator", "py_dataset")
METHODS = ("fit", "evaluate", "predict")
_SIZE, _ROWS = 2, 6
# Good and bad pixels.
_INTEGERS = {"int32", "bool"}
_HUGE = {"1e10", "1e30", "limit"}
_OURS = re.compile(r"Argument `\w+`: expected|Expected (data|(the )?columns|arrays)")
_NO_TENSORS = {"None", "objects"}  # no dataset can hold them


class NotRefusedError(AssertionError):
    """Bad data went through."""


class UndocumentedError(AssertionError):
    """The error is of another type, or does not say what was expected."""


class ChangedError(AssertionError):
    """Variables have changed though nothing good was seen."""


class NotFiniteError(AssertionError):
    """A variable or an output is no longer finite."""


@dataclasses.dataclass(frozen=True)
class Example:
    """One call: the method, how the data come, and the defects of x and weights batch by batch."""

    method: str
    form: str
    defects: tuple[tuple[str, str], ...]
    seed: int


def examples() -> strategies.SearchStrategy[Example]:
    """Draws calls of one to three batches."""
    batch = strategies.tuples(
        strategies.sampled_from(list(DEFECTS)),
        strategies.one_of(strategies.just("none"), strategies.sampled_from(list(WEIGHTS))),
    )
    return strategies.builds(
        Example,
        method=strategies.sampled_from(METHODS),
        form=strategies.sampled_from(FORMS),
        defects=strategies.lists(batch, min_size=1, max_size=3).map(tuple),
        seed=strategies.integers(0, 2**16),
    )


def _density():
    return tff.models.DensityModel(tff.flows.real_nvp(_SIZE, 2, hidden_units=[4], seed=0))


def _vae():
    encoder = keras.Sequential([keras.layers.Input([_SIZE]), keras.layers.Dense(3)])
    decoder = keras.Sequential([keras.layers.Dense(_SIZE)])
    posterior = tff.flows.planar(2, num_layers=2, context_size=3, seed=0)
    return tff.models.FlowVAE(encoder, decoder, posterior, seed=0)


def _reverse_kl():
    flow = tff.flows.planar(_SIZE, num_layers=2, seed=0)
    energy = tff.datasets.energy("u2")
    return tff.models.ReverseKLModel(flow, lambda z: -energy(z), example_weight=1.0, seed=0)


MODELS = {"DensityModel": _density, "FlowVAE": _vae, "ReverseKLModel": _reverse_kl}


class Trial:
    """A model that goes back to its first variables before each call."""

    def __init__(self, name: str):
        keras.utils.set_random_seed(0)
        self.name = name
        self.model = MODELS[name]()
        self.model.compile(keras.optimizers.Adam(1e-2))
        self.model.optimizer.build(self.model.trainable_variables)
        self._start = tff.models.Snapshot(self.model, self.model.optimizer)
        self._learned = [*self.model.trainable_variables, *self.model.optimizer.variables]

    def check(self, example: Example) -> None:
        """Makes the call of an example, and checks what is left of the model."""
        self._start.restore()
        before = [v.numpy() for v in self._learned]
        data, defects = self.data(example)
        is_bad = [self._is_bad(example.method, *pair) for pair in defects]
        output, error = None, None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Keras's, that data have ended
                output = getattr(self.model, example.method)(data, verbose=0)
        except Exception as raised:  # every type is looked at
            error = raised
        self._check_error(error, any(is_bad))
        for variable in self.model.variables:
            if not np.all(np.isfinite(variable.numpy())) and variable.name != "total":
                raise NotFiniteError(f"{self.name}: {variable.path} is not finite; {error!r}")
        if example.method != "fit" or is_bad[0]:
            for variable, value in zip(self._learned, before, strict=True):
                if not np.array_equal(variable.numpy(), value):
                    raise ChangedError(f"{self.name}: {variable.path} has changed; {error!r}")
        is_tame = not any(defect in _HUGE for defect, _ in defects)
        is_predicted = example.method == "predict" and error is None and is_tame
        if is_predicted and not np.all(np.isfinite(output)):
            raise NotFiniteError(f"{self.name}: the output is not finite: {output}")

    def _check_error(self, error, is_bad):
        if error is None:
            if is_bad:
                raise NotRefusedError(f"{self.name}: nothing was raised")
            return
        if isinstance(error, FloatingPointError):
            is_documented = not is_bad and re.search(r"batch \d+ of epoch 0", str(error))
        else:
            is_documented = isinstance(error, (TypeError, ValueError)) and _OURS.search(str(error))
        if not is_documented:
            raise UndocumentedError(f"{self.name}: {error!r}") from error

    def _is_bad(self, method, defect, weights):
        """Whether a batch has to be refused."""
        bad = DEFECTS[defect]
        if self.name == "FlowVAE" and defect in _INTEGERS | _HUGE:
            bad = defect in _HUGE
        has_no_weights = self.name == "ReverseKLModel" and method != "predict"
        return bad or WEIGHTS[weights] or (has_no_weights and weights != "none")

    def data(self, example: Example) -> tuple[Any, Sequence[tuple[str, str]]]:
        """Data, and the defects of the batches in them."""
        rng = np.random.default_rng(example.seed)
        defects = example.defects
        if example.form == "dataset":
            defects = [("text" if x in _NO_TENSORS else x, w) for x, w in defects]
        batches = [_batch(rng, *pair) for pair in defects]
        if example.form == "arrays":
            return batches[0], defects[:1]
        if example.form == "generator":
            return iter(batches), defects
        if example.form == "py_dataset":
            return _Batches(batches), defects
        dataset, num_batches = _dataset(batches)
        return dataset, defects[:num_batches]


def _batch(rng, defect, weights):
    x = rng.uniform(size=[_ROWS, _SIZE]).astype("float32")
    x = _spoil(x, defect, rng)
    if weights == "none":
        return x
    w = {
        "ones": np.ones(_ROWS, "float32"),
        "zero": np.zeros(_ROWS, "float32"),
        "negative": -rng.uniform(size=_ROWS).astype("float32"),
        "1e30": np.full(_ROWS, 1e30, "float32"),
        "nan": _with_one(np.ones(_ROWS, "float32"), np.nan, rng),
        "infinity": _with_one(np.ones(_ROWS, "float32"), np.inf, rng),
        "too few": np.ones(_ROWS - 1, "float32"),
        "matrix": np.ones([_ROWS, 2], "float32"),
        "text": np.array(["a"] * _ROWS),
    }[weights]
    return {"x": x, "sample_weight": w}


def _spoil(x, defect, rng):
    if defect in ("float64", "float16", "complex64"):
        return x.astype(defect)
    if defect in ("int32", "bool"):
        return (x > 0.5).astype(defect)
    scaled = {"zeros": 0.0, "subnormal": 1e-42, "1e10": 1e10, "1e30": 1e30, "limit": 3e38}
    if defect in scaled:
        return (x * scaled[defect]).astype("float32")
    values = {"nan": np.nan, "infinity": rng.choice([np.inf, -np.inf])}
    if defect in values:
        return _with_one(x, values[defect], rng)
    return {
        "none": lambda: x,
        "beyond float32": lambda: x.astype("float64") * 1e300,
        "text": lambda: np.array([["a", "b"]] * len(x)),
        "objects": lambda: np.array([[None, {}]] * len(x), dtype=object),
        "wider": lambda: np.concatenate([x, x], axis=1),
        "narrower": lambda: x[:, :1],
        "one axis less": lambda: x[:, 0],
        "one axis more": lambda: x[:, :, np.newaxis],
        "scalar": lambda: x[0, 0],
        "no columns": lambda: x[:, :0],
        "no rows": lambda: x[:0],
        "None": lambda: None,
        "ragged": lambda: tf.ragged.constant([[0.1, 0.2], [0.3]]),
    }[defect]()


def _with_one(x, value, rng):
    x = x.copy()
    x.flat[rng.integers(x.size)] = value
    return x


def _dataset(batches):
    """A dataset of the first batches, as many as have specs that fit together; and their number."""
    dataset, num_batches = None, 0
    for batch in batches:
        other = tf.data.Dataset.from_tensors(batch)
        if dataset is not None and other.element_spec != dataset.element_spec:
            break
        dataset = other if dataset is None else dataset.concatenate(other)
        num_batches += 1
    return dataset, num_batches


class _Batches(keras.utils.PyDataset):
    def __init__(self, batches):
        super().__init__()
        self._batches = batches

    def __len__(self):
        return len(self._batches)

    def __getitem__(self, index):
        return self._batches[index]
