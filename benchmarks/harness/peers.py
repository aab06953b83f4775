"""Peers in processes of their own: clocks that ask a worker for the times of its runs."""

import dataclasses
import json
import pathlib
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from harness.contenders import Sizes

PEERS = ("normflows", "zuko", "flowjax")
FOLDER = pathlib.Path(__file__).parents[1] / "peers"


class PeerError(Exception):
    """What a peer says about work that it does not do."""


class Peer:
    """One peer's worker.

    Args:
      name: one of `PEERS`.
      python: the interpreter of the environment in which it is installed.
      sizes: of the flows.
      batch: how many points.
    """

    def __init__(self, name: str, python: pathlib.Path, sizes: Sizes, batch: int):
        self.name = name
        settings = json.dumps(dataclasses.asdict(sizes) | {"batch": batch})
        self._process = subprocess.Popen(
            [str(python), str(FOLDER / "worker.py"), name, settings],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        hello = self._answer()
        self.versions: str = hello["versions"]
        self.modes: list[str] = hello["modes"]

    def clock(self, model: str, work: str, mode: str) -> "PeerClock":
        """What `timing.alternate` takes."""
        return PeerClock(self, {"model": model, "work": work, "mode": mode})

    def times(self, request: dict) -> list[float]:
        """Milliseconds of each run.

        Raises:
          PeerError: the peer has no such flow, or it failed.
        """
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer["times"]

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"The worker of {self.name} has ended: is the peer installed?")
        return json.loads(line)

    def close(self) -> None:
        """Ends the worker, which stops when there is nothing more to read."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


class PeerClock:
    """A function of a peer: see `timing.Timed`."""

    def __init__(self, peer: Peer, request: dict):
        self._peer, self._request = peer, request

    def __call__(self, num_runs: int) -> list[float]:
        return self._peer.times(self._request | {"runs": num_runs})


@contextmanager
def started(
    python: pathlib.Path | None, sizes: Sizes, batch: int, names: tuple[str, ...] = PEERS
) -> Iterator[list[Peer]]:
    """The workers of all peers; none without an environment for them."""
    with ExitStack() as stack:
        peers = []
        for name in names if python is not None else ():
            peers.append(Peer(name, python, sizes, batch))
            stack.callback(peers[-1].close)
        yield peers
