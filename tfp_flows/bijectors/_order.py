"""An order of operations, where it decides how much is kept at a time.

A graph follows control dependencies. XLA drops them, and on CPUs its barriers, too, but it follows
data. So a value is made to depend on another tensor in a way that a compiler does not see through,
and that changes nothing, even where either is NaN. In eager mode, whose order is that of the
program, `after` and `ends` do nothing.
"""

import tensorflow as tf


def after(tensor: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """The value, but not before a tensor that broadcasts against it."""
    if tf.executing_eagerly():
        return value
    return tf.where(_never(tensor), tf.zeros_like(value), value)


def ends(tensor: tf.Tensor) -> tf.Tensor:
    """A scalar that depends on a tensor's first and last elements.

    One alone may belong to a part that is there before the others, as half of a coupling's value.
    """
    if tf.executing_eagerly():
        return tensor
    flat = tf.reshape(tensor, [-1])
    return materialize(tf.reduce_sum(flat[:1]) + tf.reduce_sum(flat[-1:]))


def materialize(tensor: tf.Tensor) -> tf.Tensor:
    """The tensor, which XLA computes once if two operations use it.

    A sum it would compute again in each of them, and keep its terms until then; a quotient is too
    expensive for that.
    """
    return tensor / tf.where(_never(tensor), 2 * tf.ones_like(tensor), tf.ones_like(tensor))


def _never(tensor):
    """False everywhere."""
    return tf.logical_and(tensor < 0, tensor > 0)
