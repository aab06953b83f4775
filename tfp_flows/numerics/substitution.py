"""Triangular systems of equations, solved for one unknown after the other."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from tfp_flows.numerics.products import row_times_matrix


def substitute(
    solve: Callable[..., tuple[tf.Tensor, tf.Tensor]],
    coupling: tf.Tensor,
    known: tf.Tensor,
    others: Sequence[tf.Tensor] = (),
    block_size: int = 8,
    backward: bool = False,
) -> tf.Tensor:
    """Solves a triangular system whose k-th equation holds the k-th unknown and earlier ones.

    ```none
    value_k, passed_k = solve(known_k + sum_{j<k} passed_j C_jk, *others_k)
    ```

    Within a block the equations are written out; what a block passes to later ones is one matrix
    product. A loop goes from block to block, so that the time to compile does not grow with K.
    (Blocks of 8 were fastest at K = 32 and K = 80, with one matrix for all points and with one for
    each; XLA, two cores.)

    Args:
      solve: takes the k-th of `known`, with all that was passed to it, and the k-th of `others`,
        each `[...]`; returns the k-th value and what it passes on.
      coupling: `C`, `[..., K, K]`, of which the part above the diagonal counts.
      known: `[..., K]`; leading dimensions broadcast.
      others: tensors `[..., K]`.
      block_size: how many equations are written out.
      backward: whether to go from the last equation to the first; then later unknowns, `j > k`,
        take the place of earlier ones, and the part of `C` below the diagonal counts.

    Returns:
      The values, `[..., K]`.
    """
    if backward:
        coupling = tf.reverse(coupling, axis=[-2, -1])
        known, *others = (tf.reverse(v, axis=[-1]) for v in (known, *others))
        return tf.reverse(substitute(solve, coupling, known, others, block_size), axis=[-1])
    # One shape throughout the loop, also where points and matrices broadcast.
    known += sum(tf.zeros_like(v) for v in (coupling[..., 0, :], *others))
    first = (known.shape[-1] - 1) % block_size + 1  # all other blocks are full
    values, passed = _write_out(solve, coupling, [v[..., :first] for v in (known, *others)])
    if first == known.shape[-1]:
        return values
    known = known[..., first:] + row_times_matrix(passed, coupling[..., :first, first:])
    others = [v[..., first:] for v in others]
    rest = _loop(solve, coupling[..., first:, first:], known, others, block_size)
    return tf.concat([values, rest], axis=-1)


def _loop(solve, coupling, known, others, size):
    """Solves the system one block of `size` after the other."""
    others = [_split(v, -1, size) for v in others]
    rows_of_blocks = _split(coupling, -2, size)
    num_blocks = rows_of_blocks.shape[-3]

    def body(i, known, blocks):
        rows = tf.gather(rows_of_blocks, i, axis=-3)
        values, passed = _write_out(
            solve,
            tf.gather(_split(rows, -1, size), i, axis=-2),
            [tf.gather(v, i, axis=-2) for v in (_split(known, -1, size), *others)],
        )
        return i + 1, known + row_times_matrix(passed, rows), blocks.write(i, values)

    blocks = tf.TensorArray(
        known.dtype, size=num_blocks, element_shape=known.shape[:-1].concatenate(size)
    )
    *_, blocks = tf.while_loop(
        lambda i, *_: i < num_blocks, body, (0, known, blocks), maximum_iterations=num_blocks
    )
    stacked = blocks.stack()  # [blocks, ..., size]
    last = tf.rank(stacked) - 1
    axes = tf.concat([tf.range(1, last), [0, last]], axis=0)
    return tf.reshape(tf.transpose(stacked, axes), tf.shape(known))


def _write_out(solve, coupling, arguments):
    """Solves the system of one block; returns its values, and what they pass on."""
    values, passed = [], []
    for k in range(arguments[0].shape[-1]):
        known, *others = (v[..., k] for v in arguments)
        for j, passed_j in enumerate(passed):
            known += passed_j * coupling[..., j, k]
        value, passed_k = solve(known, *others)
        values.append(value)
        passed.append(passed_k)
    return tf.stack(values, axis=-1), tf.stack(passed, axis=-1)


def _split(tensor, axis, size):
    """Replaces an axis, counted from the right, by two: blocks, and the elements of a block."""
    shape = tf.shape(tensor)
    blocks = [tensor.shape[axis] // size, size]
    return tf.reshape(tensor, tf.concat([shape[:axis], blocks, shape[axis:][1:]], axis=0))
