"""The run directory: versions that never change, and one name that says which of them is published.

RUN/current              the name of the published version; replaced in one rename
RUN/versions/NAME/       complete before it is published
RUN/history.jsonl        one line a training, and one a rollback
RUN/forecasts.jsonl      one line a forecast that was logged
RUN/checkpoint/          the training at work, or the last if it was cut off
RUN/search/              trials of `tune`, to go on from
RUN/tuned.toml           the settings that it found, for `train --config`
RUN/lock                 held (flock) by the one training at work; it dies with its process

Readers wait for nothing. They hold (flock, shared) the run.json of the version they read, so that it is not removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import stat
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from cnnlstm_cli.errors import BusyError, DataError, InputError, OutputError
from cnnlstm_cli.runs.atomic import append_line, sync_folder, sync_tree, umask, write_atomically, writing_to
from cnnlstm_cli.runs.lock import locked

VERSION_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")
OURS = {"current", "versions", "history.jsonl", "forecasts.jsonl", "checkpoint", "search", "tuned.toml", "lock"}
GROUPS = "groups.json"  # in a directory of many runs: see `groups`
KEEP = 5  # versions
UNFINISHED, REMOVED = ".new-", ".old-"  # what folders are called that are not versions yet, or no longer


class Hold:
    """Keeps a version from being removed, for as long as it lives or until it is released."""

    def __init__(self, folder: Path) -> None:
        """Raises BlockingIOError when the version is about to be removed, OSError when it has no run.json."""
        record = os.open(folder / "run.json", os.O_RDONLY)
        self.release = weakref.finalize(self, os.close, record)
        try:
            fcntl.flock(record, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise
        except OSError:  # a file system without locks: read it all the same
            pass


@dataclass(frozen=True)
class RunDirectory:
    """A run directory, there or yet to be made."""

    path: Path

    def versions(self) -> list[str]:
        """Names of the complete versions, oldest first."""
        try:
            names = os.listdir(self.path / "versions")
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise InputError(f"{self.path}: can't read its folder 'versions': {error.strerror}.") from None
        return sorted(name for name in names if VERSION_NAME.fullmatch(name))

    def current(self) -> str:
        """The published version's name.

        Raises InputError when there is no run, DataError when `current` names no version.
        """
        try:
            if (self.path / "current").exists() and not (self.path / "current").is_file():
                raise InputError(f"{self.path}: 'current' is no file. Is it a run?")
            name = (self.path / "current").read_text(encoding="utf-8").strip()
        except (FileNotFoundError, NotADirectoryError):
            if (self.path / GROUPS).is_file():
                raise InputError(
                    f"{self.path} holds a run for each group of a file. Name one of them, as {self.path}/groups/NAME, "
                    "and give the rows of that group alone; "
                    f"predict and inspect take them all. See: cnnlstm inspect {self.path}"
                ) from None
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
        """Where a version's files are; the published one without a name.

        Raises as `current` does, and DataError where a link leads elsewhere: a run may come from someone else.
        """
        name = self.current() if version is None else self._existing(version, "asked for")
        folder = self.path / "versions" / name
        inside = self.path.resolve()
        for path in (folder, *folder.rglob("*")):
            if inside not in path.resolve().parents:
                raise DataError(f"{path} is a link that leads out of the run directory, and is not followed.")
        return folder

    def hold(self, version: str | None = None) -> tuple[Path, Hold | None]:
        """`folder`, and what keeps it from being removed: None where its file is missing.

        Raises as `current` does.
        """
        while True:
            folder = self.folder(version)
            try:
                return folder, Hold(folder)
            except BlockingIOError:  # it is being removed: another is current by now
                continue
            except OSError:  # the record's reader says what is wrong with it
                return folder, None

    def history(self) -> list[dict[str, Any]]:
        """One entry a training or rollback, oldest first."""
        return list(_entries(self.path / "history.jsonl", {"created", "version"}))

    def log(self, lines: Sequence[str]) -> None:
        """Add lines to the log of forecasts; several processes may. Raises OutputError."""
        append_line(self.path / "forecasts.jsonl", "\n".join(lines))

    def logged(self) -> Iterator[dict[str, Any]]:
        """The entries of the log of forecasts, oldest first."""
        return _entries(self.path / "forecasts.jsonl", {"created", "version", "id", "times", "values", "ends"})

    @contextlib.contextmanager
    def training(self, wait: float = 0.0) -> Iterator[Path]:
        """Hold the directory for one training; yields an empty folder to fill, gone afterwards unless published.

        wait  seconds to wait for another training that holds it

        Raises BusyError when one still does, OutputError when it can't be written or holds other things.
        """
        fresh = not self.path.exists()
        with writing_to(self.path):
            self._refuse_foreign()
        with locked(self.path, wait):
            with writing_to(self.path):
                self._clear_leftovers()
                (self.path / "versions").mkdir(exist_ok=True)
                aside = Path(tempfile.mkdtemp(dir=self.path / "versions", prefix=UNFINISHED))
            keep = False
            try:
                yield aside
            except (KeyboardInterrupt, BusyError):
                keep = any((self.path / "checkpoint").glob("*.npz"))
                raise
            finally:
                shutil.rmtree(aside, ignore_errors=True)
                if not keep:
                    shutil.rmtree(self.path / "checkpoint", ignore_errors=True)
                keep = keep or (self.path / "search").exists()
                if fresh and not keep and not (self.path / "current").exists():
                    shutil.rmtree(self.path, ignore_errors=True)  # nothing came of it: leave nothing behind

    def checkpoint(self, task: Mapping[str, Any], resume: bool) -> tuple[Path, str | None]:
        """The folder that a training keeps itself in, and why it does not hold one to go on with; None if it does.

        task    what must be the same, {what: value}
        resume  whether to go on with one; otherwise what is there is removed

        To be called while the run is held. Raises OutputError.
        """
        folder = self.path / "checkpoint"
        told = folder / "task.json"
        reason = _why_not(told, task) if resume else "not asked for"
        if reason:
            with writing_to(folder):
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                told.write_text(json.dumps(task, ensure_ascii=False), encoding="utf-8")
        return folder, reason

    def _refuse_foreign(self) -> None:
        if not self.path.is_dir():
            return
        self._refuse_links()
        current = self.path / "current"
        if current.exists() and not os.access(current, os.R_OK):  # before hours of training, not after them
            raise OutputError(f"can't read {current}: is the run another user's? Take another --run.")
        foreign = sorted(name for name in set(os.listdir(self.path)) - OURS if not name.startswith(".current."))
        if foreign and not (self.path / "current").exists():
            raise OutputError(f"{self.path} holds other files ({foreign[0]}, ...). Choose a new or empty directory.")

    def _refuse_links(self) -> None:
        """What is written by name must not be a link, through which a run from someone else would reach other files."""
        links = [self.path / name for name in sorted(OURS) if (self.path / name).is_symlink()]
        if links:
            raise OutputError(f"{links[0]} is a link, and is not written through. Remove it, or take another --run.")

    def _clear_leftovers(self) -> None:
        """What a killed training left: folders never published or half removed, a name never moved into place."""
        for leftover in (*self.path.glob(f"versions/{UNFINISHED}*"), *self.path.glob(f"versions/{REMOVED}*")):
            shutil.rmtree(leftover, ignore_errors=True)
        for name in self.path.glob(".current.*"):
            name.unlink(missing_ok=True)

    def publish(self, aside: Path, name: str, entry: Mapping[str, Any], keep: int = KEEP) -> None:
        """Make a complete folder a version, add `entry` to the history, and name it current.

        Readers see the version before or this one, whenever they look: the last step is one rename. After it the
        versions beyond the newest `keep` are removed.
        """
        with writing_to(self.path):
            os.chmod(aside, 0o777 & ~umask())  # mkdtemp's is private
            sync_tree(aside)
            os.rename(aside, self.path / "versions" / name)
            sync_folder(self.path / "versions")
            self.note(name, entry)
            write_atomically(self.path / "current", f"{name}\n".encode())
        for old in self.versions()[:-keep]:
            with contextlib.suppress(OSError):
                self._remove(old)

    def note(self, version: str, entry: Mapping[str, Any]) -> None:
        """Add a line to the history: what was done, when, and to which version. Raises OutputError."""
        moment = f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
        line = json.dumps({"created": moment, "version": version, **entry}, ensure_ascii=False)
        append_line(self.path / "history.jsonl", line)

    def _remove(self, version: str) -> None:
        """A version, unless it is current or a reader holds it."""
        folder = self.path / "versions" / version
        with (folder / "run.json").open("r+b") as record:
            fcntl.flock(record, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if version == self.current():
                return
            aside = folder.with_name(f"{REMOVED}{version}")
            os.rename(folder, aside)
        shutil.rmtree(aside)

    def before(self) -> str:
        """The version before the published one. Raises DataError when there is none, or as `current` does."""
        current = self.current()
        older = [name for name in self.versions() if name < current]
        if not older:
            raise DataError(f"{self.path} has no version before {current}. Nothing was changed.")
        return older[-1]

    def rollback(self, version: str | None = None) -> tuple[str, str]:
        """Name another version current: the one before it, or the one named. Returns (from, to), also where they are
        the same.

        Raises InputError or DataError as `folder` does, DataError when there is none before, OutputError.
        """
        current = self.current()
        self._refuse_links()
        version = version or self.before()
        _, held = self.hold(version)
        if version != current:
            self.note(version, {"published": True, "why": f"rolled back from {current}"})
            write_atomically(self.path / "current", f"{version}\n".encode())
        if held:
            held.release()
        return current, version


def _entries(path: Path, keys: Set[str]) -> Iterator[dict[str, Any]]:
    """A file's lines that hold these; one that a crash cut short is passed over. None where there is no file."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe would wait for someone to write
    except FileNotFoundError:
        return
    except OSError as error:
        raise DataError(f"can't read {path}: {error.strerror}.") from None
    with os.fdopen(handle, encoding="utf-8", errors="replace") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise DataError(f"{path} is no file. Remove it.")
        for line in file:
            with contextlib.suppress(ValueError, RecursionError):
                entry = json.loads(line)
                if isinstance(entry, dict) and keys <= entry.keys():
                    yield entry


def _why_not(told: Path, task: Mapping[str, Any]) -> str | None:
    """Why an interrupted training is not that of `task`; None when it is."""
    if not told.exists():
        return "no training of this run was interrupted"
    other = differs(told, task)
    return f"the interrupted training had other {other}" if other else None


def differs(told: Path, task: Mapping[str, Any]) -> str:
    """What of a task is another in a file of JSON, or can't be read there; empty when all of it is the same."""
    now = json.loads(json.dumps(task))
    try:
        before = json.loads(told.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        before = None
    same = before if isinstance(before, dict) else {}
    return next((what for what, value in now.items() if same.get(what) != value), "")
