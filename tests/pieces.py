"""Pieces of work for the tests of where they are done: a module of their own, which a new process imports quickly."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import time
from pathlib import Path

from cnnlstm_cli.errors import DataError


def squared(shared: int, piece: int) -> tuple[int, int]:
    time.sleep(0.01 * (5 - piece % 5))  # the later of five is the earlier done
    return shared + piece**2, os.getpid()


def killed_once(folder: Path, piece: int) -> int:
    if piece == 2:
        with contextlib.suppress(FileExistsError):
            (folder / "killed").touch(exist_ok=False)
            os.kill(os.getpid(), signal.SIGKILL)
    return piece


def killed_always(_: None, __: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def lingering(_: None, piece: int) -> None:
    """The first is done once the second has a folder; the others go on until they are ended."""
    with tempfile.TemporaryDirectory() as folder:
        while piece == 0 and len(list(Path(folder).parent.iterdir())) < 2:
            time.sleep(0.01)
        time.sleep(60 * piece)


def refused(_: None, piece: int) -> None:
    if piece == 1:
        raise DataError("row 7 is none")
    time.sleep(60)
