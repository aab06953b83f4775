"""Triangular systems of equations, solved for one unknown after the other."""

from collections.abc import Callable, Sequence

import tensorflow as tf


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

    Equations come first in all shapes: so the values of one unknown, for all points, are neighbours
    in memory, and what is done to them is done to whole vectors.

    Within a block the equations are written out; what a block passes to later ones is one matrix
    product. A loop goes from block to block, so that the time to compile does not grow with K.
    (Blocks of 16 take a tenth less time under XLA at K = 32, but twice the operations elsewhere.)

    Args:
      solve: takes the k-th of `known`, with all that was passed to it, and the k-th of `others`,
        each `[...]`; returns the k-th value and what it passes on.
      coupling: `C`, `[K, K]` if all points share it, else `[K, K, ...]`; the part above the
        diagonal counts.
      known: `[K, ...]`.
      others: tensors `[K, ...]`; what is behind K broadcasts with that of the other arguments.
      block_size: how many equations are written out.
      backward: whether to go from the last equation to the first; then later unknowns, `j > k`,
        take the place of earlier ones, and the part of `C` below the diagonal counts.

    Returns:
      The values, `[K, ...]`.
    """
    # One shape throughout the loop, also where points and matrices broadcast.
    known += sum(tf.zeros_like(v[:1]) for v in (coupling[0], *others))
    num_equations = known.shape[0]
    first = num_equations if num_equations <= block_size else num_equations % block_size
    done, rest = slice(first), slice(first, None)
    if backward:
        done, rest = slice(num_equations - first, None), slice(num_equations - first)

    parts = []
    arguments = [known, *others]
    if first:  # all other blocks are full
        values, passed = _write_out(
            solve, coupling[done, done], [v[done] for v in arguments], backward
        )
        parts.append(values)
        arguments = [v[rest] for v in arguments]
        arguments[0] += _pass_on(passed, coupling[done, rest])
    if first < num_equations:
        parts.append(
            _loop(solve, coupling[rest, rest], *arguments, size=block_size, backward=backward)
        )
    return tf.concat(parts[::-1] if backward else parts, axis=0)


def _loop(solve, coupling, known, *others, size, backward):
    """Solves the system one block of `size` after the other."""
    others = [_in_blocks(v, 0, size) for v in others]
    rows_of_blocks = _in_blocks(coupling, 0, size)
    num_blocks = rows_of_blocks.shape[0]

    def body(i, known, values_of_blocks):
        block = num_blocks - 1 - i if backward else i
        rows = tf.gather(rows_of_blocks, block)
        values, passed = _write_out(
            solve,
            tf.gather(_in_blocks(rows, 1, size), block, axis=1),
            [tf.gather(v, block) for v in (_in_blocks(known, 0, size), *others)],
            backward,
        )
        return i + 1, known + _pass_on(passed, rows), values_of_blocks.write(block, values)

    shape = tf.TensorShape([size]).concatenate(known.shape[1:])
    values_of_blocks = tf.TensorArray(known.dtype, size=num_blocks, element_shape=shape)
    *_, values_of_blocks = tf.while_loop(
        lambda i, *_: i < num_blocks,
        body,
        (0, known, values_of_blocks),
        maximum_iterations=num_blocks,
    )
    return tf.reshape(values_of_blocks.stack(), tf.shape(known))


def _write_out(solve, coupling, arguments, backward):
    """Solves the system of one block; returns its values, and what they pass on."""
    values, passed = {}, {}
    equations = list(enumerate(zip(*map(tf.unstack, arguments), strict=True)))
    for k, (known, *others) in reversed(equations) if backward else equations:
        for j, passed_j in passed.items():
            known += passed_j * coupling[j, k]
        values[k], passed[k] = solve(known, *others)
    return tuple(tf.stack([v[k] for k, _ in equations]) for v in (values, passed))


def _pass_on(passed, coupling):
    """What the equations of a block pass to others, `sum_j passed_j C_jk`."""
    if coupling.shape.rank == 2:
        return tf.tensordot(coupling, passed, axes=[[0], [0]])
    return tf.reduce_sum(coupling * passed[:, tf.newaxis], axis=0)


def _in_blocks(tensor, axis, size):
    """Replaces an axis by two: blocks, and the elements of a block."""
    shape = tf.shape(tensor)
    blocks = [tensor.shape[axis] // size, size]
    return tf.reshape(tensor, tf.concat([shape[:axis], blocks, shape[axis + 1 :]], axis=0))
