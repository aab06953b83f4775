"""The contract of `tests/contract.py`, over every case of `tests/cases.py`."""

import inspect

import pytest
import tensorflow as tf
import tensorflow_probability as tfp

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


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64], ids=lambda dtype: dtype.name)
@pytest.mark.parametrize(
    ("name", "check"),
    [
        (name, check)
        for name, case in CASES.items()
        for check in CHECKS
        if check not in EXEMPT or getattr(case, EXEMPT[check]) is None
    ],
)
def test_contract(name, check, dtype):
    CHECKS[check](CASES[name], dtype)


def test_every_public_bijector_has_a_case():
    made = {type(_innermost(case.make(Parameters(tf.float32)))).__name__ for case in CASES.values()}
    assert made == set(tff.bijectors.__all__) - {"FusedBijector"}


def test_every_public_transformer_has_a_case():
    bijectors = [_innermost(case.make(Parameters(tf.float32))) for case in CASES.values()]
    made = {type(b.transformer).__name__ for b in bijectors if hasattr(b, "transformer")}
    assert made == set(tff.transformers.__all__) - {"Transformer"}


def test_exemptions_say_why():
    for name, case in CASES.items():
        for reason in (case.no_batch, case.no_identity):
            assert reason is None or len(reason) > 20, name


def _innermost(bijector):
    return bijector.bijector if isinstance(bijector, tfp.bijectors.Invert) else bijector
