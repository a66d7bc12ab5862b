"""A directory of many runs, one for each group of a file, and one index of them.

DIR/groups.json      which column tells groups apart, and how the last training of each went
DIR/groups/NAME/     a run directory: see `directory`
DIR/lock             held by the one training at work on any of them

Each run is published by itself, as soon as it is trained; the index follows. It only tells: what is published is what
the runs say.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cnnlstm_cli.errors import DataError, InputError, OutputError
from cnnlstm_cli.runs.atomic import write_atomically, writing_to
from cnnlstm_cli.runs.directory import GROUPS, RunDirectory
from cnnlstm_cli.runs.lock import locked
from cnnlstm_cli.runs.record import SCORES
from cnnlstm_cli.runs.shape import Many, require

OURS = {GROUPS, "groups", "lock"}
FORMAT = 1
LONGEST = 120  # bytes of a folder's name; of a longer group's its digest stands for the rest
TOLD = {
    "per": str,
    "complete": bool,
    "task": dict,
    "groups": Many(
        {
            "": {
                **dict.fromkeys(("done", "published"), bool),
                "failed": str,
                "why": str,
                "validation": SCORES,
                "mended?": Many({"": int}),
            }
        }
    ),
}


@dataclass(frozen=True)
class GroupDirectory:
    """Many runs, there or yet to be made."""

    path: Path

    @property
    def exists(self) -> bool:
        """Whether it holds runs of groups, or has been begun to."""
        return (self.path / GROUPS).is_file()

    def run(self, group: str) -> RunDirectory:
        """The run of a group, there or not."""
        return RunDirectory(self.path / "groups" / folder_name(group))

    def index(self) -> dict[str, Any]:
        """What groups.json holds. Raises InputError where that can't be read, DataError where it is none."""
        path = self.path / GROUPS
        try:
            index = json.loads(path.read_text(encoding="utf-8"))
            kind = index["format"]
        except OSError as error:
            raise InputError(f"can't read {path}: {error.strerror}.") from None
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise DataError(f"{path} is damaged ({error}). Train again, which writes it anew.") from None
        if kind != FORMAT:
            raise DataError(f"{path} has format {kind!r}; this cnnlstm reads format {FORMAT}. Train again.")
        try:
            require(index, TOLD)
            for name, each in index["groups"].items():
                if each["validation"] and not {"model"} < each["validation"].keys():
                    raise TypeError(f"the validation of {name!r} is not of a model and a baseline")
        except TypeError as error:
            raise DataError(f"{path} is damaged ({error}). Train again, which writes it anew.") from None
        return dict(index)

    def write(self, index: Mapping[str, Any]) -> None:
        """Raises OutputError; what was there before is then still there."""
        content = json.dumps({"format": FORMAT, **index}, indent=1, ensure_ascii=False) + "\n"
        write_atomically(self.path / GROUPS, content.encode())

    @contextlib.contextmanager
    def training(self, wait: float = 0.0) -> Iterator[None]:
        """Hold all runs for one training; a directory that was made for it is gone where nothing came of it.

        Raises BusyError when another training holds them, OutputError when it can't be written or holds other things.
        """
        fresh = not self.path.exists()
        with writing_to(self.path):
            others = [] if fresh else sorted({each.name for each in self.path.iterdir()} - OURS)
        if others and not self.exists:
            what = "one run" if "current" in others else f"other files ({others[0]}, ...)"
            raise OutputError(f"{self.path} holds {what}. With --per choose a new or empty directory.")
        with locked(self.path, wait):
            try:
                yield
            finally:
                if fresh and not any((self.path / "groups").glob("*/current")):
                    shutil.rmtree(self.path, ignore_errors=True)


def folder_name(group: str) -> str:
    """A group's name as that of a folder: letters, digits, _ and - as they are, others as %XX; no two the same."""
    name = quote(group, safe="").replace(".", "%2E").replace("~", "%7E")
    if len(name) <= LONGEST and name:
        return name
    return f"{name[: LONGEST - 17]}~{hashlib.sha256(group.encode()).hexdigest()[:16]}"
