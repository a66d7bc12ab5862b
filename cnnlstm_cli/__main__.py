"""`python -m cnnlstm_cli`, and the `cnnlstm` command."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from typing import Any

import typer

from cnnlstm_cli.cli import app
from cnnlstm_cli.errors import BUG, INTERRUPTED, CnnlstmError, InputError
from cnnlstm_cli.render.messages import complain

GRACE = 4.0  # seconds from SIGTERM to the end


def run(arguments: Sequence[str]) -> int:
    """Carry out a command line and return its exit code. The one place where problems become sentences."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = app(args=list(arguments), prog_name="cnnlstm", standalone_mode=False)
    except CnnlstmError as error:
        complain("interrupted" if error.exit_code == INTERRUPTED else "error", str(error))
        return error.exit_code
    except typer.TyperException as error:
        return _usage(error)
    except OSError as error:
        if error.errno not in (errno.ENAMETOOLONG, errno.ELOOP):
            return _bug(error, "--debug" in arguments)
        complain("error", f"{str(error.filename)[:100]}: {error.strerror}. Give another path.")
        return InputError.exit_code
    except Exception as error:  # noqa: BLE001 - the last resort, so that no user meets a traceback
        return _bug(error, "--debug" in arguments)
    if code == INTERRUPTED:
        complain("interrupted", "nothing was published or changed.")
    return int(code or 0)


def _terminate(*_: object) -> None:
    """SIGTERM ends as Ctrl-C does, but soon: what can't be left in time is cut off, as by SIGKILL."""
    timer = threading.Timer(GRACE, os._exit, (INTERRUPTED,))
    timer.daemon = True
    timer.start()
    raise KeyboardInterrupt


def _usage(error: typer.TyperException) -> int:
    context: Any | None = getattr(error, "ctx", None)
    command = context.command_path if context else "cnnlstm"
    message = error.format_message().removesuffix(".")
    complain("error", f"{message}{'' if message.endswith('?') else '.'} See: {command} --help")
    return error.exit_code


def _bug(error: Exception, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    complain(
        "bug",
        f"{type(error).__name__}: {error}. This is our mistake, not yours: please report it with the command and, "
        "if you can, the data" + ("." if debug else "; cnnlstm --debug ... shows where it happened."),
    )
    return BUG


def main() -> None:
    """Run the command line and leave with its exit code.

    A forecast is a fifth of a second of imports: collecting garbage while there is none, and taking the interpreter
    apart object by object at the end, would add half as much again (tests/benchmarks/prediction.py).
    """
    gc.set_threshold(100_000)
    code = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, AttributeError):  # its reader has gone, or it was closed from the start
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
