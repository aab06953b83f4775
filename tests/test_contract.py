"""The contract of `tests/contract.py`, over every case of `tests/cases.py`."""

import inspect

import pytest
import tensorflow as tf

import tfp_flows as tff
from tests import contract
from tests.case import Parameters
from tests.cases import CASES

CHECKS = {
    name.removeprefix("check_"): check
    for name, check in inspect.getmembers(contract, inspect.isfunction)
    if name.startswith("check_")
}
EXEMPT = {"batches": "no_batch", "identity": "no_identity"}
SLOW = {"modes": pytest.mark.slow}  # XLA compiles each case, with its gradients
REASONS = [*EXEMPT.values(), "no_variables", "frozen"]


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64], ids=lambda dtype: dtype.name)
@pytest.mark.parametrize(
    ("name", "check"),
    [
        pytest.param(name, check, marks=SLOW.get(check, ()))
        for name, case in CASES.items()
        for check in CHECKS
        if check not in EXEMPT or getattr(case, EXEMPT[check]) is None
    ],
)
def test_contract(name, check, dtype):
    CHECKS[check](CASES[name], dtype)


def test_every_public_bijector_has_a_case():
    made = {type(_innermost(case.make(Parameters(tf.float32)))).__name__ for case in CASES.values()}
    assert made == _classes(tff.bijectors) - {"FusedBijector"}


def test_every_public_transformer_has_a_case():
    bijectors = [_innermost(case.make(Parameters(tf.float32))) for case in CASES.values()]
    made = {type(b.transformer).__name__ for b in bijectors if hasattr(b, "transformer")}
    assert made == _classes(tff.transformers) - {"Transformer"}


def test_exemptions_say_why():
    for name, case in CASES.items():
        for reason in (getattr(case, field) for field in REASONS):
            assert reason is None or len(reason) > 20, name


def _innermost(bijector):
    return bijector.bijector if isinstance(bijector, contract.INVERT) else bijector


def _classes(part):
    """The names of the classes that a part of the package exports."""
    return {name for name in part.__all__ if isinstance(getattr(part, name), type)}
