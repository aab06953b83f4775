"""Work in a process of its own."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any


def in_own_process(function: Callable, *args: Any) -> Any:
    """Calls a function in a fresh process, and returns what it returned.

    TensorFlow keeps every program that XLA compiled as long as the process lives, each in pages of
    its own; after some thousand of them, the system maps no more.

    Args:
      function: of a module that can be imported.
      *args: what it is called with; they are pickled, as the result is.

    Returns:
      The result.

    Raises:
      BrokenProcessPool: the process died.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args).result()
