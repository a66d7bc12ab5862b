"""Pieces of work in processes of this machine."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import pickle
import signal
import tempfile
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from cnnlstm_cli.cluster.work import AHEAD, COPIES, TASK, Piece, Result, Shared, Standing, Tell
from cnnlstm_cli.errors import BusyError
from cnnlstm_cli.machine import cores, memory

TRIES = 3  # of pieces whose process was killed


class Processes:
    """Processes of this machine, as many as cores and memory allow. They stay from one call to the next that shares the
    same."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._folder: tempfile.TemporaryDirectory[str]  # what they leave behind, when they are ended, is in it
        self._shared: Any = None
        self._at_once = self._each = 0

    def arriving(
        self, work: Callable[[Shared, Piece], Result], shared: Shared, pieces: Sequence[Piece], tell: Tell
    ) -> Generator[tuple[int, Result]]:
        """See `Workers.arriving`."""
        left, killed, before = list(range(len(pieces))), 0, len(pieces)
        whole = False
        try:
            while left and (killed < TRIES or len(left) < before):  # where something was done in between, there is hope
                before = len(left)
                pool = self._started(shared, len(pieces))
                tell(Standing(len(pieces) - len(left), len(pieces), self._at_once, self._each, killed))
                try:
                    for number, result in _through(pool, work, pieces, [*left], AHEAD * self._at_once):
                        yield number, result
                        left.remove(number)
                        tell(Standing(len(pieces) - len(left), len(pieces), self._at_once, self._each, killed))
                except BrokenProcessPool:
                    killed += 1
                    self.close()
            whole = True
        finally:
            if not whole:
                self.close()
        if left:
            raise BusyError(
                f"--cluster local: processes were killed {killed} times, for want of memory perhaps: about "
                f"{self._each / 2**30:.1f} GiB each, {self._at_once} at a time. Leave out --cluster, or try later. A "
                'script needs `if __name__ == "__main__":` around what it does.'
            )

    def _started(self, shared: Any, count: int) -> ProcessPoolExecutor:
        if self._pool is None or self._shared is not shared:
            self.close()
            sent = pickle.dumps(shared, protocol=pickle.HIGHEST_PROTOCOL)
            self._each = TASK + COPIES * len(sent)
            self._at_once = processes(count, self._each)
            context = multiprocessing.get_context("spawn")  # a fork would take TensorFlow's threads apart
            self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
            begin = (sent, self._folder.name)
            self._pool, self._shared = ProcessPoolExecutor(self._at_once, context, _begin, begin), shared
        return self._pool

    def close(self) -> None:
        """Now, whatever they are at."""
        if self._pool is not None:
            for worker in list((self._pool._processes or {}).values()):  # until Python 3.14 nothing else can end them
                worker.terminate()
            self._pool.shutdown(cancel_futures=True)
            self._folder.cleanup()
        self._pool = self._shared = None


def _through(
    pool: ProcessPoolExecutor,
    work: Callable[[Any, Piece], Result],
    pieces: Sequence[Piece],
    numbers: Sequence[int],
    most: int,
) -> Generator[tuple[int, Result]]:
    """The pieces of those numbers, `most` of them handed over at a time: each is made when it is asked for."""
    wanted, waiting = iter(numbers), dict[Any, int]()
    for _ in numbers:
        for number in itertools.islice(wanted, most - len(waiting)):
            waiting[pool.submit(_one, work, pieces[number])] = number
        future = next(iter(wait(waiting, return_when=FIRST_COMPLETED).done))
        yield waiting.pop(future), future.result()


def processes(count: int, each: int) -> int:
    """How many of `count` pieces to do at a time here, by cores and memory, of which `each` takes so many bytes."""
    left = memory()
    return max(1, min(cores(), count, count if left is None else left // each))


_shared: Any = None  # of a process of ours: what all its pieces share


def _begin(sent: bytes, folder: str) -> None:
    """In a new process: Ctrl-C is the first one's to hear, and where that is killed this one has no more to do."""
    global _shared  # noqa: PLW0603 - a process's initialiser has no other place
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    tempfile.tempdir = folder
    _shared = pickle.loads(sent)  # noqa: S301 - our own, out of a pipe of our own


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
    os._exit(1)


def _one(work: Callable[[Any, Piece], Result], piece: Piece) -> Result:
    return work(_shared, piece)
