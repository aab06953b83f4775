"""What must hold for every batch: the criteria of `make fuzz`.

* **Finite.** A float32 result must be finite wherever the same in float64, with the same
  parameters, is at most 1e30 in size, and the input is finite and at most 1e30. What is larger may
  overflow: a single product of two such numbers can, before the result is in range again. A network
  multiplies its input with the weights of two layers, so its input is at most 1e30 over the square
  of their scale. Contexts become parameters themselves, so theirs is a range of 1e4 and weights of
  a scale of at most 30.
* In float64 there is no wider type to compare with: results must be finite for inputs of at most
  1e4 and parameters of a scale of at most 30. A log-density may be minus infinity, but not NaN.
* **NaN.** A row that holds a NaN gives a row that holds one.
* **Infinities.** A row that holds one does not give a finite row, unless the image is bounded.
* **Rows are independent.** Rows beside NaNs, infinities and what overflows are what they are beside
  zeros; where an iteration ends for all rows at once, to a thousandth.
* Shapes and dtypes are those of the input.

Each criterion raises an error of its own class, so that hypothesis reports each of them.
"""

import numpy as np
import tensorflow as tf

from tests.fuzz.examples import Example
from tests.fuzz.targets import Direction, Target

_LARGEST = 1e30  # that is safe from overflow in float32
_LARGEST_DOUBLE = 1e4
_LARGEST_PARAMETERS = 30.0


class ShapeError(AssertionError):
    """A result has another shape or dtype."""


class NotFiniteError(AssertionError):
    """A result that can be represented is infinite or NaN."""


class NaNSwallowedError(AssertionError):
    """A NaN in the input gives a plausible number."""


class InfinitySwallowedError(AssertionError):
    """An infinity in the input gives a plausible number."""


class ContaminationError(AssertionError):
    """A row has an effect on others."""


@np.errstate(all="ignore")  # of the comparisons
def check(single: Target, double: Target, example: Example) -> None:
    """Runs a target on a batch, and checks all criteria.

    Args:
      single: the target in float32.
      double: the same in float64.
      example: the batch.
    """
    target = double if example.double else single
    for one in (single, double):
        one.assign(example.parameters, example.parameters_seed)
    flat = [_input(direction, example, target.dtype) for direction in target.directions]
    shaped = [x.reshape(*example.batch_shape, *x.shape[1:]) for x in flat]
    results = target.call(shaped)
    _check_shapes(target, example, results)
    results = [
        [values.reshape(len(x), *values.shape[len(example.batch_shape) :]) for values in group]
        for x, group in zip(flat, results, strict=True)
    ]
    if not len(flat[0]):
        return
    references = None if example.double else double.call(flat)
    for i, direction in enumerate(target.directions):
        reference = None if references is None else references[i]
        largest = _largest(target, direction, example)
        _check_rows(direction, example, flat[i], results[i], reference, largest)
    hostile = [_rows(~np.isfinite(x) | (np.abs(x) > _LARGEST)) for x in flat]
    if any(bad.any() for bad in hostile):
        tame = [
            np.where(_like(bad, x), _zero(d, x), x)
            for d, bad, x in zip(target.directions, hostile, flat, strict=True)
        ]
        tame = [x.reshape(*example.batch_shape, *x.shape[1:]) for x in tame]
        for direction, bad, group, others in zip(
            target.directions, hostile, results, target.call(tame), strict=True
        ):
            others = [o.reshape(g.shape) for o, g in zip(others, group, strict=True)]
            _check_independence(direction, bad, group, others)


def _input(direction: Direction, example: Example, dtype: tf.DType) -> np.ndarray:
    values, _ = example.rows(direction.event_shape)
    values = values.astype(dtype.as_numpy_dtype)
    inside = direction.domain(tf.constant(values)).numpy()
    # What maps real numbers to inputs may take special values away.
    return np.where(np.isfinite(values), inside, values)


def _zero(direction, x):
    return direction.domain(tf.zeros([1, *x.shape[1:]], x.dtype)).numpy()


def _check_shapes(target, example, results):
    for direction, group in zip(target.directions, results, strict=True):
        for values, shape in zip(group, direction.value_shapes, strict=True):
            expected = (*example.batch_shape, *shape)
            if values.shape != expected or values.dtype != target.dtype.as_numpy_dtype:
                raise ShapeError(
                    f"{direction.name}: expected {expected} of {target.dtype.name}, received "
                    f"{values.shape} of {values.dtype}."
                )


def _largest(target, direction, example):
    """The size up to which elements of the input must have finite results, `[*event]`."""
    if example.double:
        return np.full(direction.event_shape, _LARGEST_DOUBLE)
    weights = max(1.0, example.parameters) if target.has_network else 1.0
    largest = np.full(direction.event_shape, _LARGEST / weights**2)
    if direction.context_size:
        largest[-direction.context_size :] = _LARGEST_DOUBLE
    return largest


def _check_rows(direction, example, x, group, reference, largest):
    has_nan, has_infinity = _rows(np.isnan(x)), _rows(np.isinf(x))
    is_nan = np.any([_rows(np.isnan(v)) for v in group], axis=0)
    is_finite = np.all([_rows(np.isfinite(v), all) for v in group], axis=0)
    _refuse(NaNSwallowedError, has_nan & ~is_nan, direction, x, group)
    if not direction.is_bounded:
        _refuse(InfinitySwallowedError, has_infinity & is_finite, direction, x, group)
    if reference is None:
        is_good = ~is_nan if direction.is_density else is_finite
        must = np.ones_like(is_good)
    else:
        is_good = is_finite
        must = np.all([_rows(np.abs(v) <= _LARGEST, all) for v in reference], axis=0)
    if reference is None or direction.context_size:
        must &= example.parameters <= _LARGEST_PARAMETERS
    must &= _rows(np.abs(x) <= largest, all)
    _refuse(NotFiniteError, must & ~is_good, direction, x, group, reference)


def _refuse(error, wrong, direction, x, group, reference=None):
    if wrong.any():
        i = np.argmax(wrong)
        text = f"{direction.name}({x[i].tolist()}) = {[v[i].tolist() for v in group]}"
        if reference is not None:
            text += f", in float64 {[v[i].tolist() for v in reference]}"
        raise error(text)


def _check_independence(direction, hostile, group, others):
    for values, expected in zip(group, others, strict=True):
        size = np.abs(np.where(np.isfinite(expected), expected, 0.0))
        size = 1.0 + np.max(size.reshape(len(size), -1), axis=1, initial=0.0)
        close = np.abs(values - expected) <= 1e-3 * _like(size, values)
        equal = (values == expected) | (np.isnan(values) & np.isnan(expected)) | close
        wrong = ~hostile & ~_rows(equal, all)
        if wrong.any():
            i = np.argmax(wrong)
            raise ContaminationError(
                f"{direction.name}: row {i} is {values[i]} beside hostile rows, {expected[i]} "
                "beside zeros."
            )


def _rows(condition, quantifier=any):
    """Whether any or all elements of each row fulfil a condition."""
    condition = condition.reshape(len(condition), -1)
    return condition.all(axis=1) if quantifier is all else condition.any(axis=1)


def _like(condition, x):
    return condition.reshape(-1, *[1] * (x.ndim - 1))
