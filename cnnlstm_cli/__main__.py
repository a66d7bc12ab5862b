"""`python -m cnnlstm_cli`, and the `cnnlstm` command."""

from __future__ import annotations

import contextlib
import gc
import os
import sys

from cnnlstm_cli.cli import run


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
