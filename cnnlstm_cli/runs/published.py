"""A file of a version, as it was published."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cnnlstm_cli.errors import DataError

LARGEST = 2**30  # bytes


def content(path: Path, sha256: str) -> bytes:
    """What the file holds. Raises DataError when that is not what run.json says was published."""
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"{path} is larger than any network of this tool. Train again.")
        found = path.read_bytes() if path.is_file() else b""  # a pipe would wait for someone to write
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}. Train again, or name another version.") from None
    if hashlib.sha256(found).hexdigest() != sha256:
        raise DataError(f"{path} is damaged: not what run.json says. Train again, or name another version.")
    return found
