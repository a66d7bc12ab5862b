"""The answer on standard output, and nothing else there."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cnnlstm_cli.errors import OutputError, StoppedError, UsageError


def report(facts: dict[str, Any], json: bool) -> None:
    """Facts as JSON, as a table on a terminal, or as CSV in a pipe."""
    from cnnlstm_cli.render import report as made  # here, because it loads rich

    if json:
        answer(made.to_json(facts).encode())
    elif sys.stdout is not None and sys.stdout.isatty():
        made.draw(facts)
    else:
        answer(made.to_csv(facts).encode())


def write_answer(content: bytes, file: Path | None) -> None:
    """The answer to a file, moved there once it is whole; to standard output where there is none, or it is `-`."""
    if file is None or str(file) == "-":
        answer(content)
        return
    from cnnlstm_cli.runs.atomic import write_atomically

    write_atomically(file, content)


def answer(content: bytes) -> None:
    """The answer, and nothing else, on standard output, whatever the terminal's locale."""
    if sys.stdout is None:
        raise OutputError("standard output is closed. Leave it open.")
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # whoever read it has seen enough; at exit the interpreter must not find the pipe closed once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        raise OutputError(f"can't write to standard output: {error.strerror}. Send it elsewhere.") from None


@contextlib.contextmanager
def after_publishing(run: Path) -> Iterator[None]:
    """Where it can't be told what came of a training, that it was published is said all the same."""
    try:
        yield
    except KeyboardInterrupt:
        raise StoppedError(f"{run} holds what was trained: that was done before.") from None
    except OutputError as error:
        raise OutputError(f"{error} What was trained is published, in {run}.") from None


def refuse_to_write(output: Path, data: str, run: Path | None) -> None:
    """Before any work is done. Raises UsageError for the data or the run, OutputError where no file can be made."""
    try:
        output.stat()
    except FileNotFoundError:
        pass
    except OSError as error:  # a name too long, a link to itself
        raise OutputError(f"can't write {output}: {error.strerror}. Choose another name.") from None
    if output.exists() and data != "-" and Path(data).exists() and output.samefile(data):
        raise UsageError(f"{output} is the data itself. Name another file, or append: predict ... >> {output}")
    if run and Path(os.path.realpath(run)) in Path(os.path.realpath(output)).parents:
        raise UsageError(f"{output} lies in the run directory. Name a file elsewhere.")
    folder = output.parent
    if output.is_dir() or not folder.is_dir():
        raise OutputError(f"can't write {output}: {'it is a' if output.is_dir() else 'there is no such'} directory.")
    if not os.access(output if output.exists() and not output.is_file() else folder, os.W_OK):
        raise OutputError(f"can't write {output}: Permission denied. Choose another place.")
