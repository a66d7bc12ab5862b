"""Independent pieces of work: here one after the other, in processes of this machine, or on a Dask cluster.

A piece's numbers are the same wherever it is done: its seeds are its own, and a network trains on one core. What all
pieces share is sent once. A process that is killed is replaced, and what it was at is done again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence

from cnnlstm_cli.cluster.processes import Processes
from cnnlstm_cli.cluster.work import Here, Piece, Result, Shared, Standing, Tell, Where, Workers
from cnnlstm_cli.errors import UsageError

__all__ = ["LOCAL", "Standing", "Tell", "Where", "Workers", "arriving", "workers"]

LOCAL = "local"


@contextlib.contextmanager
def workers(where: Where | None) -> Iterator[Workers]:
    """Those of a place, for as long as they are wanted.

    where  `local`, the address of a Dask scheduler (tcp://host:8786), or a `distributed.Client`; None: here, one by one

    Raises UsageError for a place that is none, BusyError where no scheduler answers.
    """
    if where is None:
        yield Here()
    elif where == LOCAL:
        with contextlib.closing(Processes()) as local:
            yield local
    else:
        if isinstance(where, str) and "://" not in where:
            raise UsageError(f"--cluster {where}: expected local, or a scheduler's address as tcp://host:8786.")
        from cnnlstm_cli.cluster.dask import scheduler  # here, because it needs what is an extra

        with scheduler(where) as dask:
            yield dask


def arriving(
    work: Callable[[Shared, Piece], Result], shared: Shared, pieces: Sequence[Piece], where: Where | None, tell: Tell
) -> Generator[tuple[int, Result]]:
    """`Workers.arriving`, once. Raises as it and `workers` do."""
    with workers(where) as there:
        yield from there.arriving(work, shared, pieces, tell)
