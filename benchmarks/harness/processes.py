"""Work in a process of its own, and what such a process says of its memory."""

import multiprocessing
import os
import pathlib
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import Any
from unittest import mock


def in_own_process(
    function: Callable, *args: Any, environment: Mapping[str, str] | None = None
) -> Any:
    """Calls a function in a fresh process, and returns what it returned.

    Memory is measured from a clean start so. And TensorFlow keeps every program that XLA compiled
    as long as the process lives, each in pages of its own; after some thousand of them, the system
    maps no more.

    Args:
      function: of a module that can be imported.
      *args: what it is called with; they are pickled, as the result is.
      environment: variables of the process beside those of this one.

    Returns:
      The result.

    Raises:
      BrokenProcessPool: the process died.
    """
    spawn = multiprocessing.get_context("spawn")
    with mock.patch.dict(os.environ, environment or {}), ProcessPoolExecutor(1, spawn) as pool:
        return pool.submit(function, *args).result()


def memory_status(field: str) -> int:
    """Bytes of a field of Linux's `/proc/self/status`; `VmHWM` is the peak of the resident set.

    `getrusage` would begin with the peak of the process which has started this one.
    """
    for line in pathlib.Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field):
            return 1024 * int(line.split()[1])
    raise RuntimeError(f"This system does not report {field}: expected Linux's /proc.")
