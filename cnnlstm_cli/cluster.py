"""Independent pieces of work: here one after the other, in processes of this machine, or on a Dask cluster.

A piece's numbers are the same wherever it is done: its seeds are its own, and a network trains on one core. What all
pieces share is sent once. A process that is killed is replaced, and what it was at is done again.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import multiprocessing
import pickle
import signal
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from cnnlstm_cli.errors import BusyError, UsageError, needing
from cnnlstm_cli.machine import cores, memory, packages

if TYPE_CHECKING:
    from distributed import Client, Future

Shared = TypeVar("Shared")
Piece = TypeVar("Piece")
Result = TypeVar("Result")
Where: TypeAlias = "str | Client"

LOCAL = "local"
TRIES = 3  # of pieces whose process was killed
TASK = 900 * 2**20  # bytes: TensorFlow, a network, and its gradients
COPIES = 4  # of what is shared, that a training holds at its peak
AHEAD = 3  # pieces that a scheduler is given for each of its threads, so that none waits for us
PATIENCE = 10  # seconds in which a scheduler has to answer


@dataclass(frozen=True)
class Standing:
    """How far the work is.

    done, total  pieces
    at_once      how many are worked on at a time
    memory       bytes that each may take, as estimated
    killed       how many times processes were, so far
    failed       how many pieces that are done came to nothing
    """

    done: int
    total: int
    at_once: int
    memory: int
    killed: int = 0
    failed: int = 0

    @property
    def running(self) -> int:
        """How many are worked on."""
        return min(self.at_once, self.total - self.done)


Tell: TypeAlias = Callable[[Standing], None]


def carried_out(
    work: Callable[[Shared, Piece], Result], shared: Shared, pieces: Sequence[Piece], where: Where | None, tell: Tell
) -> list[Result]:
    """What `arriving` finds, in the order of the pieces."""
    with contextlib.closing(arriving(work, shared, pieces, where, tell)) as results:
        found = dict(results)
    return [found[number] for number in range(len(pieces))]


def arriving(
    work: Callable[[Shared, Piece], Result], shared: Shared, pieces: Sequence[Piece], where: Where | None, tell: Tell
) -> Generator[tuple[int, Result]]:
    """`work(shared, piece)` of every piece with its number, as soon as it is there, in any order.

    work   a function of a module, as it is found by its name; its arguments and results can be pickled
    where  `local`, the address of a Dask scheduler (tcp://host:8786), or a `distributed.Client`; None: here, one by one
    tell   is called at the beginning and after every piece, once its result was taken

    To be closed, where it is not followed to its end: processes are ended then, and what waits is given up.

    Raises what a piece raises, once those that wait are given up; UsageError for a place that is none, or whose
    software differs from ours; BusyError when processes were killed too often, or a scheduler does not answer or went
    away.
    """
    if where is None:
        return _here(work, shared, pieces, tell)
    if where == LOCAL:
        return _in_processes(work, shared, pieces, tell)
    if isinstance(where, str) and "://" not in where:
        raise UsageError(f"--cluster {where}: expected local, or a scheduler's address as tcp://host:8786.")
    with needing("--cluster tcp://..."):
        import distributed  # noqa: F401 - whether it is there
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what goes wrong is told by what we raise
    return _on_dask(where, work, shared, pieces, tell)


def _here(
    work: Callable[[Shared, Piece], Result], shared: Shared, pieces: Sequence[Piece], tell: Tell
) -> Generator[tuple[int, Result]]:
    for number, piece in enumerate(pieces):
        tell(Standing(number, len(pieces), 1, 0))
        yield number, work(shared, piece)
    tell(Standing(len(pieces), len(pieces), 1, 0))


def processes(count: int, each: int) -> int:
    """How many of `count` pieces to do at a time here, by cores and memory, of which `each` takes so many bytes."""
    left = memory()
    return max(1, min(cores(), count, count if left is None else left // each))


def _in_processes(
    work: Callable[[Shared, Piece], Result], shared: Shared, pieces: Sequence[Piece], tell: Tell
) -> Generator[tuple[int, Result]]:
    sent = pickle.dumps(shared, protocol=pickle.HIGHEST_PROTOCOL)
    left, each = list(range(len(pieces))), TASK + COPIES * len(sent)
    at_once, killed, before = processes(len(pieces), each), 0, len(pieces)

    def standing() -> Standing:
        return Standing(len(pieces) - len(left), len(pieces), at_once, each, killed)

    while killed < TRIES or len(left) < before:  # where something was done between two deaths, there is hope
        before = len(left)
        tell(standing())
        context = multiprocessing.get_context("spawn")  # a fork would take TensorFlow's threads apart
        pool = ProcessPoolExecutor(at_once, context, _begin, (sent,))
        numbers, waiting = iter([*left]), dict[Any, int]()
        try:
            while left:
                for number in itertools.islice(numbers, AHEAD * at_once - len(waiting)):
                    waiting[pool.submit(_one, work, pieces[number])] = number
                future = next(iter(wait(waiting, return_when=FIRST_COMPLETED).done))
                number = waiting.pop(future)
                yield number, future.result()
                left.remove(number)
                tell(standing())
            pool.shutdown()
        except BrokenProcessPool:
            killed += 1
        else:
            return
        finally:
            _end(pool)
    raise BusyError(
        f"--cluster local: processes were killed {killed} times, for want of memory perhaps: about "
        f"{each / 2**30:.1f} GiB each, {at_once} at a time. Leave out --cluster, or try later."
    )


_shared: Any = None  # of a process of ours: what all its pieces share


def _begin(sent: bytes) -> None:
    """In a new process: Ctrl-C is the first one's to hear."""
    global _shared  # noqa: PLW0603 - a process's initialiser has no other place
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _shared = pickle.loads(sent)  # noqa: S301 - our own, out of a pipe of our own


def _one(work: Callable[[Any, Piece], Result], piece: Piece) -> Result:
    return work(_shared, piece)


def _end(pool: ProcessPoolExecutor) -> None:
    """Now, whatever its processes are at."""
    for worker in list((pool._processes or {}).values()):  # until Python 3.14 nothing else can end them
        worker.terminate()
    pool.shutdown(cancel_futures=True)


def _on_dask(
    where: Where,
    work: Callable[[Shared, Piece], Result],
    shared: Shared,
    pieces: Sequence[Piece],
    tell: Tell,
) -> Generator[tuple[int, Result]]:
    waiting: dict[Future, int] = {}
    with contextlib.ExitStack() as ours:
        client = ours.enter_context(_client(where)) if isinstance(where, str) else where
        ours.callback(_cancelled, client, waiting)
        try:
            with contextlib.suppress(TimeoutError):
                client.wait_for_workers(1, timeout=PATIENCE)  # they may have been started a moment ago
            _require_alike(client)
            yield from _through(client, work, shared, pieces, tell, waiting)
        except _gone() as error:
            raise BusyError(
                f"--cluster {client.scheduler.address if client.scheduler else ''}: {type(error).__name__}: the "
                "scheduler went away, or workers too often. See that they run and have memory enough, and try again."
            ) from None


def _client(address: str) -> Client:
    """Raises BusyError where none answers."""
    import distributed

    try:
        return distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError):
        raise BusyError(f"--cluster {address}: no scheduler answers. Start one with: dask scheduler") from None


def _gone() -> tuple[type[Exception], ...]:
    """What Dask raises when it has lost workers or the scheduler."""
    import distributed

    return distributed.CancelledError, distributed.KilledWorker, distributed.comm.CommClosedError, OSError


def _through(
    client: Client,
    work: Callable[[Shared, Piece], Result],
    shared: Shared,
    pieces: Sequence[Piece],
    tell: Tell,
    waiting: dict[Future, int],
) -> Generator[tuple[int, Result]]:
    """A few pieces for each thread are with the scheduler at a time, for there may be many thousands: `waiting`."""
    import distributed

    each = TASK + COPIES * len(pickle.dumps(shared, protocol=pickle.HIGHEST_PROTOCOL))
    data = client.scatter(shared, broadcast=True, hash=False)
    numbers, arrived = iter(range(len(pieces))), distributed.as_completed(loop=client.loop)

    def submit(count: int) -> None:
        for number in itertools.islice(numbers, max(0, count - len(waiting))):
            future = client.submit(work, data, pieces[number], pure=False)
            waiting[future] = number
            arrived.add(future)

    for done in range(len(pieces)):
        at_once = sum(client.nthreads().values())  # workers may join late
        tell(Standing(done, len(pieces), at_once, each))
        submit(AHEAD * max(1, at_once))
        future = next(arrived)
        result: Result = future.result()
        yield waiting.pop(future), result
    tell(Standing(len(pieces), len(pieces), 0, each))


def _cancelled(client: Client, waiting: Mapping[Future, int]) -> None:
    """What still waits is given up, where there is someone to tell."""
    if client.status == "running" and waiting:
        client.cancel(list(waiting), force=True)


def _require_alike(client: Client) -> None:
    """Raises UsageError where a worker's software is not ours: its numbers would be others; BusyError for no worker."""
    ours, theirs = packages(), client.run(packages)
    if not theirs:
        raise BusyError("--cluster: the scheduler has no workers. Start some with: dask worker tcp://host:8786")
    for worker, found in theirs.items():
        other = next((name for name in ours if found.get(name) != ours[name]), None)
        if other:
            raise UsageError(
                f"--cluster: the worker at {worker} has {other} {found.get(other)}, not {ours[other]} as here: its "
                "numbers would be others. Install the same there."
            )
