"""A version's files as what can be sent to another process, and back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from cnnlstm_cli.errors import DataError

Files: TypeAlias = Mapping[str, bytes]  # by their path in the folder


def packed(folder: Path) -> Files:
    """All files in a folder, and in folders in it. Raises OSError."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def unpack(files: Files, folder: Path) -> None:
    """Write them into a folder that is there. Raises OSError, and DataError for a path that leads out of it."""
    for name, content in files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise DataError(f"a worker sent a file named {name!r}, which leads out of its folder.")
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
