"""Files that are there whole, or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cnnlstm_cli.errors import OutputError


@contextlib.contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Turns the system's refusals into an OutputError that names `path`."""
    try:
        yield
    except OSError as error:
        remedy = "Free some space there, or choose another place." if _full(error) else "Choose another place."
        raise OutputError(f"can't write {path}: {error.strerror or error}. {remedy}") from error


def out_of_space(error: OutputError) -> bool:
    """Whether there is no space left, which is so for every other file as well."""
    return isinstance(error.__cause__, OSError) and _full(error.__cause__)


def _full(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_atomically(path: Path, content: bytes) -> None:
    """Written aside in the same folder, flushed to the disk, then renamed over `path` (rename(2) is atomic).

    A file that was there keeps its permissions, a link keeps pointing to it. What is no file (a pipe, /dev/stdout) is
    written to. Raises OutputError; what `path` held before is then still there.
    """
    with writing_to(path):
        if path.exists() and not path.is_file():
            path.write_bytes(content)
            return
        target = path.resolve()
        handle, aside = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            # mkstemp makes private files; this one is to be read by whom others of the user's are
            os.chmod(aside, target.stat().st_mode & 0o7777 if target.exists() else 0o666 & ~umask())
            os.replace(aside, target)
            sync_folder(target.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(aside)
            raise


def append_line(path: Path, line: str) -> None:
    """Add a line, or several, to a file, in one write and flushed to the disk: those of several processes do not mix.

    A line that a crash cut short is ended first. Raises OutputError; the file is then as it was.
    """
    with writing_to(path):
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            with contextlib.suppress(OSError):  # a file system without locks, on which one appends at a time
                fcntl.flock(handle, fcntl.LOCK_EX)
            size = os.fstat(handle).st_size
            whole = size == 0 or os.pread(handle, 1, size - 1) == b"\n"
            content = f"{'' if whole else chr(10)}{line}\n".encode()
            if os.write(handle, content) < len(content):
                os.ftruncate(handle, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(handle)
        finally:
            os.close(handle)


def sync_folder(folder: Path) -> None:
    """Names in a folder reach the disk only when the folder itself is flushed."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Flush every file and folder below `folder`, and itself."""
    for parent, _, files in os.walk(folder, topdown=False):
        for name in files:
            sync_folder(Path(parent, name))
        sync_folder(Path(parent))


def umask() -> int:
    """The bits that files made here are not to have; the system tells them only by setting them."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
