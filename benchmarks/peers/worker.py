"""Runs one peer in a process of its own, which `harness/peers.py` starts and talks to.

    python worker.py normflows|zuko|flowjax SIZES

SIZES is JSON: the fields of `harness.contenders.Sizes`, and the batch. The worker prints a line of
JSON when it is ready, with versions and modes. Each line that it reads then is a request, JSON
again: model, work and mode, and the number of runs. It answers with the milliseconds of each run,
or with the reason why there are none. A function is made when it is first asked for.
"""

import functools
import importlib
import json
import os
import sys
import time


def answers_to(peer, requests):
    """The answer to each request, one after the other."""
    for line in requests:
        request = json.loads(line)
        *key, num_runs = (request[name] for name in ("model", "work", "mode", "runs"))
        try:
            run = function(peer, *key)
            if run is None:
                yield {"error": "no such flow"}
            else:
                yield {"times": [milliseconds(run) for _ in range(num_runs)]}
        except Exception as error:  # whatever the peer raises is an answer, too
            yield {"error": f"{type(error).__name__}: {str(error)[:200]}"}


@functools.cache
def function(peer, model, work, mode):
    return peer.function(model, work, mode)


def milliseconds(run):
    start = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - start)


def main():
    name, sizes = sys.argv[1], json.loads(sys.argv[2])
    # Libraries may print; the answers go where standard output was.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    peer = importlib.import_module(f"of_{name}").Peer(sizes)

    def send(message):
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    send({"versions": peer.versions, "modes": peer.modes})
    for answer in answers_to(peer, sys.stdin):
        send(answer)


if __name__ == "__main__":
    main()
