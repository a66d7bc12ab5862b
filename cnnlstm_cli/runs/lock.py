"""One training at a time: a lock of the operating system's, which ends with the process that holds it.

The file RUN/lock stays; what counts is who holds it (flock). It says who that is, for those who are turned away. On
NFS Linux passes flock on to the server, so that it holds between hosts; a file system that knows no locks is refused.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import IO

from cnnlstm_cli.errors import BusyError, OutputError
from cnnlstm_cli.runs.atomic import writing_to

MOMENT = 0.2  # seconds between two tries


@contextlib.contextmanager
def locked(run: Path, wait: float = 0.0) -> Iterator[None]:
    """Hold the directory `run`, which is made if need be. `wait` is for how many seconds to try.

    Raises BusyError, which names the holder, when another process holds it all that time; OutputError when it can't be
    written, or its file system has no locks.
    """
    deadline = time.monotonic() + wait
    while (lock := _try(run)) is None:
        left = deadline - time.monotonic()
        if left <= 0:
            waited = f" It was waited for {wait:g} seconds." if wait else " Try again when it is done, or give --wait."
            raise BusyError(f"another training holds {run}{_holder(run)}.{waited}")
        time.sleep(min(MOMENT, left))
    with lock:
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                lock.truncate(0)


def _try(run: Path) -> IO[str] | None:
    """The lock's open file, held; None while another process holds it."""
    while True:
        with writing_to(run):
            run.mkdir(parents=True, exist_ok=True)
            lock = (run / "lock").open("a", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return None
        except OSError as error:
            lock.close()
            raise OutputError(
                f"can't lock {run / 'lock'}: {error.strerror}. Keep the run on a disk whose file system has locks."
            ) from None
        if _still(lock, run):
            break
        lock.close()
    with writing_to(run):
        lock.truncate(0)
        lock.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": _now()}) + "\n")
        lock.flush()
    return lock


def _still(lock: IO[str], run: Path) -> bool:
    """Whether the open file is the one under that name: a training that came to nothing takes its directory along."""
    try:
        return os.path.samestat(os.fstat(lock.fileno()), os.stat(run / "lock"))
    except FileNotFoundError:
        return False


def _holder(run: Path) -> str:
    """Who holds it and since when, in words; nothing where the file does not say."""
    try:
        facts = json.loads((run / "lock").read_text(encoding="utf-8"))
        return f" (process {int(facts['pid'])} on {facts['host']}, since {facts['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _now() -> str:
    return f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
