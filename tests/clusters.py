"""A Dask cluster as a user starts one, on loopback: for the tests and the benchmark of it."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass

DASK = (sys.executable, "-W", "ignore", "-m", "dask")
Process = subprocess.Popen[str]


@dataclass(frozen=True)
class Cluster:
    """Its address, and the processes that were started; each worker's is a nanny that watches the one that computes."""

    address: str
    scheduler: Process
    workers: list[Process]


@contextlib.contextmanager
def cluster(workers: int) -> Iterator[Cluster]:
    """`dask scheduler`, and so many times `dask worker`, listening on loopback alone."""
    with contextlib.ExitStack() as ours:

        def start(*arguments: str) -> Process:
            command = [*DASK, *arguments, "--host", "127.0.0.1", "--no-dashboard"]
            made = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            ours.enter_context(made)  # which waits for it, and closes its pipe
            ours.callback(made.terminate)
            return made

        scheduler = start("scheduler", "--port", "0")
        assert scheduler.stderr
        address = next(found[0] for line in scheduler.stderr if (found := re.search(r"tcp://127\.0\.0\.1:\d+", line)))
        started = [start("worker", address, "--nthreads", "1") for _ in range(workers)]
        for each in (scheduler, *started):
            assert each.stderr
            threading.Thread(target=each.stderr.read, daemon=True).start()  # or it waits once its pipe is full
        yield Cluster(address, scheduler, started)


def computing(worker: Process) -> list[int]:
    """The processes that a worker's nanny watches."""
    command = ["ps", "--ppid", str(worker.pid), "-o", "pid="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    return [int(number) for number in listed.stdout.split()]
