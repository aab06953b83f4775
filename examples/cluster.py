"""Several workers on this machine: processes that find each other by `TF_CONFIG`."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence

_GRACE = 60.0  # Seconds in which a worker has to notice that another one is gone.


class WorkerError(RuntimeError):
    """Workers have failed, or took too long.

    Attributes:
      codes: the exit status of each worker; that of one that had to be ended is negative.
    """

    def __init__(self, message: str, codes: Sequence[int]) -> None:
        super().__init__(message)
        self.codes = list(codes)


def free_addresses(number: int) -> list[str]:
    """Addresses of this machine at which nobody listens."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]


def run(
    command: Sequence[str],
    num_workers: int,
    *,
    timeout: float,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Runs a command once for each worker, and waits for all of them.

    The first worker writes to the screen, the others into a file that is shown if one of them
    fails. No process is left behind, whatever happens.

    Args:
      command: the program with its arguments.
      num_workers: how many of them.
      timeout: seconds after which they are ended.
      environment: variables beside those that are set.

    Raises:
      WorkerError: a worker has failed. The others are given some time to notice.
    """
    addresses = free_addresses(num_workers)
    sys.stdout.flush()
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        outputs = [folder / f"worker_{index}.txt" for index in range(num_workers)]
        workers = []
        for index, output in enumerate(outputs):
            task = {"type": "worker", "index": index}
            variables = {"TF_CONFIG": json.dumps({"cluster": {"worker": addresses}, "task": task})}
            file = stack.enter_context(output.open("wb"))
            worker = subprocess.Popen(  # noqa: S603 (the command is the caller's)
                command,
                env={**os.environ, **(environment or {}), **variables},
                stdout=None if index == 0 else file,
                stderr=subprocess.STDOUT if index else file,
            )
            workers.append(worker)
            stack.callback(_end, worker)
        codes = _wait(workers, timeout)
        if any(codes):
            texts = [output.read_text("utf-8", "replace")[-2000:] for output in outputs]
            told = "\n".join(f"worker {i}: {text}" for i, text in enumerate(texts) if codes[i])
            raise WorkerError(f"The workers ended with {codes}.\n{told}", codes)


def _wait(workers: Sequence[subprocess.Popen], timeout: float) -> list[int]:
    """Their exit statuses; those that are still there when the time is up are ended."""
    end = time.monotonic() + timeout
    has_failed = False
    while any(worker.poll() is None for worker in workers) and time.monotonic() < end:
        if not has_failed and any(worker.poll() for worker in workers):
            has_failed = True
            end = min(end, time.monotonic() + _GRACE)
        time.sleep(0.1)
    for worker in workers:
        _end(worker)
    return [worker.returncode for worker in workers]


def _end(worker: subprocess.Popen) -> None:
    if worker.poll() is None:
        worker.kill()
    worker.wait()
