"""The real command in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

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
