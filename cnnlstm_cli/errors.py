"""What can go wrong for a user, and the exit code each case ends with.

    CnnlstmError            something the user can mend: said in one message, without a traceback
     +- UsageError      2   the options do not make sense
     +- DriftError      3   rows or errors have drifted, and that was to be told
     +- DataError      65   the data can't be used
     +- InputError     66   no such file, or no such run
     +- OutputError    73   can't write there
     +- BusyError      75   another training holds the run, or a cluster does not answer
     +- StoppedError  130   by Ctrl-C, when some of the work was done

A message says what is wrong, where (file, line, column), and what to do. Codes follow BSD's sysexits.h where it has
one. Anything else that escapes is a bug of ours (exit 70); Ctrl-C ends with 130.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Iterator

BUG = 70
INTERRUPTED = 130


class CnnlstmError(Exception):
    """A problem the user can mend; `str()` of it is the whole message."""

    exit_code = 1


class UsageError(CnnlstmError):
    """The options contradict each other or the data they are used on."""

    exit_code = 2


class DriftError(CnnlstmError):
    """The data or the errors are no longer what they were when the run was trained, and the user asked to be told."""

    exit_code = 3


class DataError(CnnlstmError):
    """The data, or what a run directory holds, can't be used."""

    exit_code = 65


class InputError(CnnlstmError):
    """A file or a run that is not there, or can't be read."""

    exit_code = 66


class OutputError(CnnlstmError):
    """A place that can't be written to."""

    exit_code = 73


class BusyError(CnnlstmError):
    """Another training holds the run directory, or a cluster does not answer: try later."""

    exit_code = 75


class StoppedError(CnnlstmError):
    """Ctrl-C came when some of the work was done, which stays."""

    exit_code = INTERRUPTED


@contextlib.contextmanager
def needing(task: str) -> Iterator[None]:
    """Raises UsageError, which names the package, where what the task imports in here is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:  # of which importlib.metadata's is one
        raise UsageError(f"{task} needs {error.name}, which is not installed here. pip install {error.name}") from None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A clause to put behind an unknown `name`: the nearest of `known`, or all of them."""
    names = list(known)
    folded = {other.casefold(): other for other in names}
    near = difflib.get_close_matches(name.casefold(), folded, n=1)
    if near:
        return f"Did you mean {folded[near[0]]!r}?"
    return f"There is: {', '.join(names)}." if names else "There is none."
