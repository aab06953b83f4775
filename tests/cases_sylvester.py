"""Cases of the Sylvester transform and of orthogonal maps."""

import tensorflow_probability as tfp

from tests.case import Case
from tfp_flows.bijectors import HouseholderRotation, Sylvester
from tfp_flows.numerics import orthogonalize

tfb = tfp.bijectors


def _sylvester(p, event_size, num_units):
    return Sylvester(
        q=tfp.util.DeferredTensor(p.real(event_size, num_units), orthogonalize),
        r=p.real(num_units, num_units),
        r_tilde=p.real(num_units, num_units),
        b=p.real(num_units),
    )


CASES: dict[str, Case] = {
    "sylvester": Case(lambda p: _sylvester(p, 4, 2), (4,)),
    "sylvester_square": Case(lambda p: _sylvester(p, 3, 3), (3,)),
    "sylvester_inverted": Case(lambda p: tfb.Invert(_sylvester(p, 3, 2)), (3,)),
    "householder_rotation": Case(lambda p: HouseholderRotation(p.real(2, 4)), (4,)),
}
