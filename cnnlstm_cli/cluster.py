"""Independent pieces of work: here one after the other, in processes of this machine, or on a Dask cluster.

A piece's numbers are the same wherever it is done: its seeds are its own, and a network trains on one core. What all
pieces share is sent once. A process that is killed is replaced, and what it was at is done again.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import pickle
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
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
PATIENCE = 10  # seconds in which a scheduler has to answer


@dataclass(frozen=True)
class Standing:
    """How far the work is.

    done, total  pieces
    at_once      how many are worked on at a time
    memory       bytes that each may take, as estimated
    killed       how many times processes were, so far
    """

    done: int
    total: int
    at_once: int
    memory: int
    killed: int = 0


Tell: TypeAlias = Callable[[Standing], None]


def carried_out(
    work: Callable[[Shared, Piece], Result], shared: Shared, pieces: Sequence[Piece], where: Where, tell: Tell
) -> list[Result]:
    """`work(shared, piece)` of every piece, in their order.

    work   a function of a module, as it is found by its name; its arguments and results can be pickled
    where  `local`, the address of a Dask scheduler (tcp://host:8786), or a `distributed.Client`
    tell   is called at the beginning and after every piece

    Raises what a piece raises, once those that wait are given up; UsageError for a place that is none, or whose
    software differs from ours; BusyError when processes were killed too often, or a scheduler does not answer or went
    away.
    """
    if where == LOCAL:
        return _in_processes(work, shared, pieces, tell)
    if isinstance(where, str) and "://" not in where:
        raise UsageError(f"--cluster {where}: expected local, or a scheduler's address as tcp://host:8786.")
    with needing("--cluster tcp://..."):
        import distributed
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what goes wrong is told by what we raise
    if not isinstance(where, str):
        return _on_dask(where, work, shared, pieces, tell)
    try:
        client = distributed.Client(where, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError):
        raise BusyError(f"--cluster {where}: no scheduler answers. Start one with: dask scheduler") from None
    with client:
        return _on_dask(client, work, shared, pieces, tell)


def processes(count: int, each: int) -> int:
    """How many of `count` pieces to do at a time here, by cores and memory, of which `each` takes so many bytes."""
    left = memory()
    return max(1, min(cores(), count, count if left is None else left // each))


def _in_processes(
    work: Callable[[Shared, Piece], Result], shared: Shared, pieces: Sequence[Piece], tell: Tell
) -> list[Result]:
    sent = pickle.dumps(shared, protocol=pickle.HIGHEST_PROTOCOL)
    found: dict[int, Result] = {}
    each = TASK + COPIES * len(sent)
    at_once = processes(len(pieces), each)
    for killed in range(TRIES):
        tell(Standing(len(found), len(pieces), at_once, each, killed))
        context = multiprocessing.get_context("spawn")  # a fork would take TensorFlow's threads apart
        pool = ProcessPoolExecutor(at_once, context, _begin, (sent,))
        futures = {pool.submit(_one, work, piece): k for k, piece in enumerate(pieces) if k not in found}
        try:
            for future in as_completed(futures):
                found[futures[future]] = future.result()
                tell(Standing(len(found), len(pieces), at_once, each, killed))
            pool.shutdown()
            return [found[k] for k in range(len(pieces))]
        except BrokenProcessPool:
            found |= {k: future.result() for future, k in futures.items() if not future.exception()}
        finally:
            _end(pool)
    raise BusyError(
        f"--cluster local: processes were killed {TRIES} times, for want of memory perhaps: about "
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
    client: Client,
    work: Callable[[Shared, Piece], Result],
    shared: Shared,
    pieces: Sequence[Piece],
    tell: Tell,
) -> list[Result]:
    import distributed

    futures: list[Future] = []
    gone = (distributed.CancelledError, distributed.KilledWorker, distributed.comm.CommClosedError, OSError)
    try:
        with contextlib.suppress(TimeoutError):
            client.wait_for_workers(1, timeout=PATIENCE)  # they may have been started a moment ago
        _require_alike(client)
        at_once = sum(client.nthreads().values())
        each = TASK + COPIES * len(pickle.dumps(shared, protocol=pickle.HIGHEST_PROTOCOL))
        tell(Standing(0, len(pieces), at_once, each))
        data = client.scatter(shared, broadcast=True, hash=False)
        futures = [client.submit(work, data, piece, pure=False) for piece in pieces]
        with client.as_current():
            for done, future in enumerate(distributed.as_completed(futures, raise_errors=False), start=1):
                tell(Standing(done, len(pieces), at_once, each))
                if future.status == "error":
                    break
        results: list[Result] = client.gather(futures)
        return results
    except gone as error:
        raise BusyError(
            f"--cluster {client.scheduler.address if client.scheduler else ''}: {type(error).__name__}: the scheduler "
            "went away, or workers too often. See that they run and have memory enough, and try again."
        ) from None
    finally:
        if client.status == "running":
            client.cancel(futures, force=True)


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
