"""The real command, in a process of its own or in this one."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from typing import Any

from cnnlstm_cli.__main__ import run

QUICK = (
    "--set",
    "train.epochs=2",
    "--set",
    "train.refit=false",
    "--set",
    "train.linear=false",
    "--members",
    "1",
)  # enough of a training for all that is not about accuracy


def command(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """`cnnlstm ARGUMENTS`: its exit code, and what it wrote, as text."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "COLUMNS": "80"}
    return subprocess.run(
        [sys.executable, "-m", "cnnlstm_cli", *map(str, arguments)],
        text=True,
        check=False,
        timeout=120,
        env=environment,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )


def answered(arguments: list[str]) -> tuple[int, bytes, str]:
    """Exit code, standard output and standard error of a command, in this process."""
    out, err = io.BytesIO(), io.StringIO()
    with contextlib.redirect_stdout(io.TextIOWrapper(out, write_through=True)), contextlib.redirect_stderr(err):
        code = run(arguments)
        written = out.getvalue()
    return code, written, err.getvalue()


def called(*arguments: object) -> subprocess.CompletedProcess[str]:
    """As `command`, in this process, which is a second quicker: for what a process of its own would tell no more of."""
    code, out, err = answered([*map(str, arguments)])
    return subprocess.CompletedProcess(arguments, code, out.decode(), err)
