"""Pieces of work on a Dask cluster: the scheduler hands them out, and does those of killed workers again."""

from __future__ import annotations

import contextlib
import itertools
import logging
import pickle
import ssl
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cnnlstm_cli.cluster.work import AHEAD, COPIES, TASK, Piece, Result, Shared, Standing, Tell, Where
from cnnlstm_cli.errors import BusyError, UsageError, needing
from cnnlstm_cli.machine import packages

with needing("--cluster tcp://..."):
    import dask
    import distributed

if TYPE_CHECKING:
    from distributed import Client, Future

PATIENCE = 10  # seconds in which a scheduler has to answer
START = 30  # seconds in which a worker has to be there, that may have been started a moment ago
LOOK = 5  # seconds from one look at the workers to the next, where nothing arrives
CERTIFICATES = "DASK_DISTRIBUTED__COMM__TLS__CA_FILE, and ...__CLIENT__CERT and ...__CLIENT__KEY"
GONE = (distributed.CancelledError, distributed.KilledWorker, distributed.comm.CommClosedError, OSError)


@contextlib.contextmanager
def scheduler(where: Where) -> Iterator[Dask]:
    """The workers of a scheduler: its address, or a client of it, which stays open.

    Raises BusyError where none answers, it has no workers, or it went away; UsageError where a worker's software is
    not ours.
    """
    for name in [*logging.root.manager.loggerDict]:
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what goes wrong is told by what we raise
    with contextlib.ExitStack() as ours:
        ours.enter_context(dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}))
        client = ours.enter_context(_client(where)) if isinstance(where, str) else where
        try:
            with contextlib.suppress(TimeoutError):
                client.wait_for_workers(1, timeout=START)
            _require_alike(client)
        except GONE as error:
            raise _went_away(client, error) from None
        yield Dask(client)


def _client(address: str) -> Client:
    try:
        return distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except ValueError:
        raise UsageError(f"--cluster {address} is no address. Write local, or tcp://host:8786.") from None
    except TypeError:
        raise UsageError(f"--cluster {address} needs certificates: {CERTIFICATES}.") from None
    except (FileNotFoundError, PermissionError, ssl.SSLError) as error:
        why = error.strerror or error
        raise UsageError(f"--cluster {address}: {why}. Certificates are named by {CERTIFICATES}.") from None
    except OSError:
        raise BusyError(
            f"--cluster {address}: no scheduler answers. Start one, and workers, with: dask scheduler --host "
            "127.0.0.1; dask worker tcp://127.0.0.1:8786"
        ) from None


class Dask:
    """The workers of one scheduler. What calls share is sent once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._shared: Any = None
        self._sent: Any = None
        self._each = 0

    def arriving(
        self, work: Callable[[Shared, Piece], Result], shared: Shared, pieces: Sequence[Piece], tell: Tell
    ) -> Generator[tuple[int, Result]]:
        """See `Workers.arriving`. Workers may join late."""
        waiting: dict[Future, int] = {}
        try:
            self._send(shared)
            yield from self._through(work, pieces, tell, waiting)
        except GONE as error:
            raise _went_away(self._client, error) from None
        finally:
            if self._client.status == "running" and waiting:
                self._client.cancel(list(waiting), force=True)

    def _send(self, shared: Any) -> None:
        """As a task of its own, and not scattered: so the scheduler sends it again where the last worker that held it
        is lost."""
        if self._shared is not shared:
            sent = pickle.dumps(shared, protocol=pickle.HIGHEST_PROTOCOL)
            self._each = TASK + COPIES * len(sent)
            self._sent = self._client.submit(pickle.loads, sent, pure=False)
            self._shared = shared

    def _through(
        self,
        work: Callable[[Any, Piece], Result],
        pieces: Sequence[Piece],
        tell: Tell,
        waiting: dict[Future, int],
    ) -> Generator[tuple[int, Result]]:
        """A few pieces for each thread are with the scheduler at a time: each is made when it is asked for."""
        numbers, done, known, told = iter(range(len(pieces))), 0, set[str](), Standing(-1, len(pieces), 0, self._each)
        while done < len(pieces):
            threads = self._client.nthreads()
            known, lost = set(threads), told.lost + len(known - threads.keys())
            standing = Standing(done, len(pieces), sum(threads.values()), self._each, lost)
            if standing != told:
                tell(standing)
            told = standing
            for number in itertools.islice(numbers, max(0, AHEAD * max(1, standing.at_once) - len(waiting))):
                waiting[self._client.submit(work, self._sent, pieces[number], pure=False)] = number
            with contextlib.suppress(distributed.TimeoutError), self._client.as_current():
                distributed.wait(list(waiting), timeout=LOOK, return_when="FIRST_COMPLETED")
            if future := next((each for each in waiting if each.done()), None):
                result: Result = future.result()
                yield waiting.pop(future), result
                done += 1
        tell(Standing(done, len(pieces), 0, self._each, told.lost))


def _went_away(client: Client, error: Exception) -> BusyError:
    which = "workers were lost too often" if isinstance(error, distributed.KilledWorker) else "the scheduler went away"
    address = client.scheduler.address if client.scheduler else ""
    return BusyError(
        f"--cluster {address}: {which}, or all of the workers. See that they run and have memory enough, and give the "
        "same command again."
    )


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
