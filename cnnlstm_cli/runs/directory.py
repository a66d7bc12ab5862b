"""The run directory: versions that never change, and one name that says which of them is published.

RUN/current              the name of the published version; replaced in one rename
RUN/versions/NAME/       complete before it is published
RUN/history.jsonl        one line a training
RUN/lock                 held (flock) by the one training at work; it dies with its process
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnlstm_cli.errors import BusyError, DataError, InputError, OutputError
from cnnlstm_cli.runs.atomic import sync_folder, sync_tree, umask, write_atomically, writing_to

VERSION_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
OURS = {"current", "versions", "history.jsonl", "lock"}


@dataclass(frozen=True)
class RunDirectory:
    """A run directory, there or yet to be made."""

    path: Path

    def versions(self) -> list[str]:
        """Names of the complete versions, oldest first."""
        folder = self.path / "versions"
        return sorted(name for name in os.listdir(folder) if VERSION_NAME.fullmatch(name)) if folder.is_dir() else []

    def current(self) -> str:
        """The published version's name.

        Raises InputError when there is no run, DataError when `current` names no version.
        """
        try:
            name = (self.path / "current").read_text(encoding="utf-8").strip()
        except (FileNotFoundError, NotADirectoryError):
            raise InputError(f"{self.path} holds no run. Train one: cnnlstm train DATA --run {self.path}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{self.path}: can't read its file 'current': {error}.") from None
        return self._existing(name, "its file 'current' names")

    def _existing(self, name: str, whence: str) -> str:
        known = self.versions()
        if name in known:
            return name
        there = f"It has: {', '.join(known)}." if known else "It has none. Train again."
        raise DataError(f"{self.path}: {whence} the version {name!r}, which is not there. {there}")

    def folder(self, version: str | None = None) -> Path:
        """Where a version's files are; the published one without a name. Raises as `current` does."""
        name = self.current() if version is None else self._existing(version, "asked for")
        return self.path / "versions" / name

    def history(self) -> list[dict[str, Any]]:
        """One entry a training, oldest first; a line cut short by a crash is passed over."""
        entries = []
        with contextlib.suppress(FileNotFoundError):
            for line in (self.path / "history.jsonl").read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(json.JSONDecodeError):
                    entries.append(json.loads(line))
        return entries

    @contextlib.contextmanager
    def training(self) -> Iterator[Path]:
        """Hold the directory for one training; yields an empty folder to fill, gone afterwards unless published.

        Raises BusyError when another training holds it, OutputError when it can't be written or holds other things.
        """
        fresh = not self.path.exists()
        with writing_to(self.path):
            self._refuse_foreign()
            (self.path / "versions").mkdir(parents=True, exist_ok=True)
            lock = (self.path / "lock").open("a")
        with lock:
            self._hold(lock.fileno())
            with writing_to(self.path):
                self._clear_leftovers()
                aside = Path(tempfile.mkdtemp(dir=self.path / "versions", prefix=".new-"))
            try:
                yield aside
            finally:
                shutil.rmtree(aside, ignore_errors=True)
                if fresh and not (self.path / "current").exists():
                    shutil.rmtree(self.path, ignore_errors=True)  # nothing came of it: leave nothing behind

    def _refuse_foreign(self) -> None:
        if not self.path.is_dir():
            return
        foreign = sorted(set(os.listdir(self.path)) - OURS)
        if foreign and not (self.path / "current").exists():
            raise OutputError(f"{self.path} holds other files ({foreign[0]}, ...). Choose a new or empty directory.")

    def _hold(self, handle: int) -> None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(f"another training holds {self.path}. Try again when it is done.") from None

    def _clear_leftovers(self) -> None:
        """What a killed training left: folders that were never published."""
        for leftover in (self.path / "versions").glob(".new-*"):
            shutil.rmtree(leftover, ignore_errors=True)

    def publish(self, aside: Path, name: str, entry: Mapping[str, Any]) -> None:
        """Make a complete folder a version, add `entry` to the history, and name it current.

        Readers see the version before or this one, whenever they look: the last step is one rename.
        """
        with writing_to(self.path):
            os.chmod(aside, 0o777 & ~umask())  # mkdtemp's is private
            sync_tree(aside)
            os.rename(aside, self.path / "versions" / name)
            sync_folder(self.path / "versions")
            with (self.path / "history.jsonl").open("a", encoding="utf-8") as history:
                history.write(json.dumps(entry) + "\n")
            write_atomically(self.path / "current", f"{name}\n".encode())
