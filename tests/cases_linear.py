"""Cases of the contract: normalization layers, linear maps and permutations."""

import tensorflow as tf

from tests.case import Case, Parameters
from tfp_flows.bijectors import ActNorm, BatchNorm, InvertibleConv1x1, InvertibleLinear, Permutation


def _batch_norm(event_shape):
    def make(p: Parameters):
        parameters = [p.real(3), p.real(3), p.real(3), tf.exp(p.real(3))]
        trained, statistics = parameters[:2], parameters[2:]
        statistics = [tf.Variable(t, trainable=False) for t in statistics]
        return BatchNorm(*trained, *statistics, event_shape=event_shape)

    return Case(
        make,
        event_shape,
        no_identity="epsilon is added to the variance, which is one",
        frozen="the running statistics are not trained",
    )


def _permutation(p: Parameters):
    matrix = tf.constant([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], p.dtype)
    return tf.Variable(tf.broadcast_to(matrix, [*p.batch_shape, 3, 3]), trainable=False)


CASES: dict[str, Case] = {
    "act_norm": Case(lambda p: ActNorm(p.real(3), p.real(3)), (3,)),
    "act_norm_image": Case(
        lambda p: ActNorm(p.real(3), p.real(3), event_shape=[2, 2, 3]), (2, 2, 3)
    ),
    "batch_norm": _batch_norm((3,)),
    "batch_norm_image": _batch_norm((2, 1, 3)),
    "invertible_linear": Case(lambda p: InvertibleLinear(p.real(3, 3), p.real(3)), (3,)),
    "invertible_linear_permuted": Case(
        lambda p: InvertibleLinear(p.real(3, 3), p.real(3), _permutation(p)),
        (3,),
        no_identity="zeros give the permutation",
        frozen="the permutation is not trained",
    ),
    "invertible_conv1x1": Case(
        lambda p: InvertibleConv1x1(p.real(3, 3), [2, 1, 3], _permutation(p)),
        (2, 1, 3),
        no_identity="zeros give the permutation",
        frozen="the permutation is not trained",
    ),
    "permutation": Case(
        lambda p: Permutation([2, 0, 1, 3], dtype=p.dtype),
        (4,),
        no_batch="a permutation is static",
        no_identity="a permutation has no parameters",
        no_variables="a permutation has no parameters",
    ),
    "permutation_image": Case(
        lambda p: Permutation([2, 0, 1], event_shape=[2, 2, 3], dtype=p.dtype),
        (2, 2, 3),
        no_batch="a permutation is static",
        no_identity="a permutation has no parameters",
        no_variables="a permutation has no parameters",
    ),
}
