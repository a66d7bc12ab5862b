"""What `inspect` is asked for: which of its options go together, and the files that it writes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from cnnlstm_cli import inspection
from cnnlstm_cli.config import Options
from cnnlstm_cli.errors import UsageError
from cnnlstm_cli.render.answer import refuse_to_write, write_answer
from cnnlstm_cli.render.files import made
from cnnlstm_cli.render.messages import Messages
from cnnlstm_cli.runs.groups import GroupDirectory

Kind = Literal["settings", "versions", "comparison", "run", "data"]

FILES = ("html", "card", "npz")
TAKEN: dict[Kind, tuple[str, ...]] = {
    "settings": (),
    "versions": (),
    "comparison": ("data",),
    "run": ("data", "gradients", *FILES),
    "data": (),
}
AS = {"settings": "--options", "versions": "--versions", "comparison": "a comparison of two runs"}


def kind_of(path: str | None, other: str | None, options: bool, versions: bool) -> Kind:
    """What is looked at. Raises UsageError where that is nothing, or two things."""
    if options and (path is not None or versions):
        raise UsageError("--options lists the settings of train, and takes no run or file.")
    if options:
        return "settings"
    if path is None:
        raise UsageError("inspect takes a run directory, a CSV file, or --options. See: cnnlstm inspect --help")
    if versions and other is not None:
        raise UsageError("--versions lists those of one run. Leave out the second.")
    if versions or other is not None:
        return "versions" if versions else "comparison"
    return "run" if inspection.is_run(path) else "data"


def refuse_at_odds(kind: Kind, path: str | None, own: Mapping[str, Any], options: Options, json: bool) -> None:
    """Raises UsageError for an option that would be passed over.

    own      the options of `inspect` itself that were given: data, gradients, html, card, npz
    options  those that say what the columns of a file are
    """
    wrong = [name for name in own if name not in TAKEN[kind]]
    if wrong and kind == "data":
        raise UsageError(
            f"--{wrong[0]} is about a run directory, and {path} is none: cnnlstm inspect RUN --data FILE --html FILE"
        )
    if own and kind == "run" and GroupDirectory(Path(str(path))).exists:
        raise UsageError(f"--{next(iter(own))} is for one run, and {path} holds many. Name one: {path}/groups/NAME")
    if wrong:
        raise UsageError(f"--{wrong[0]} does not go with {AS[kind]}, but with one run: cnnlstm inspect RUN")
    if options and kind != "data":
        name = next(iter(options)).replace("_", "-")
        raise UsageError(f"--{name} says how a file is read, and a run knows how. Leave it out.")
    named = [str(own[kind]) for kind in FILES if kind in own]
    if "-" in named and (json or named.count("-") > 1):
        raise UsageError("one thing at a time goes to standard output. Name a file for the other.")
    if len({os.path.realpath(name) for name in named}) < len(named):
        raise UsageError("two of --html, --card and --npz name the same file.")


def look(
    path: str, data: str | None, gradients: bool, files: Mapping[str, Path | None], options: Options
) -> inspection.Facts:
    """The facts of a run, or of data; and the `files` (html, card, npz) that were named are written, all or none."""
    wanted = {kind: file for kind, file in files.items() if file is not None}
    for file in wanted.values():
        if str(file) != "-":
            refuse_to_write(file, data or path, Path(path))
    facts, arrays = inspection.looked(path, data, gradients or "npz" in wanted, options)
    contents = [(made(kind, facts, arrays), file) for kind, file in wanted.items()]
    contents.sort(key=lambda each: each[1].is_file() or not each[1].exists())  # what can be refused half-way goes first
    for content, file in contents:
        write_answer(content, file)
        if str(file) != "-":
            Messages().say(f"written: {file}")
    return facts
