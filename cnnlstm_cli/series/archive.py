"""Compressed files: which kind it is, and the bytes of the one file inside."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
import zlib
from typing import BinaryIO, cast

from cnnlstm_cli.errors import DataError

# The first bytes tell, not the file's name: a .csv that is really a .gz reads all the same.
COMPRESSIONS = {b"\x1f\x8b": "gzip", b"\xfd7zXZ\x00": "xz", b"BZh": "bzip2", b"PK\x03\x04": "zip"}
DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
WORKBOOKS = {"[Content_Types].xml", "mimetype"}  # what Excel's and OpenDocument's files, zips as well, hold
RESOURCES = "__MACOSX/"  # what macOS adds to a zip: notes on each of its files
ENCRYPTED = 1  # the bit of a zip's flags


def compression(start: bytes) -> str | None:
    """The kind of compression that a file's first bytes show, None for a plain file."""
    return next((kind for magic, kind in COMPRESSIONS.items() if start.startswith(magic)), None)


def decompressed(raw: BinaryIO, kind: str | None, name: str) -> BinaryIO:
    """What a compressed file holds; `name` is what to call it in messages.

    Raises DataError for a zip that does not hold one readable file, one of DAMAGED for a damaged file.
    """
    if kind == "gzip":
        return cast(BinaryIO, gzip.open(raw))
    if kind == "xz":
        return cast(BinaryIO, lzma.open(raw))
    if kind == "bzip2":
        return cast(BinaryIO, bz2.open(raw))
    return _unzipped(zipfile.ZipFile(raw), name) if kind == "zip" else raw


def _unzipped(archive: zipfile.ZipFile, name: str) -> BinaryIO:
    files = [each for each in archive.infolist() if not (each.is_dir() or each.filename.startswith(RESOURCES))]
    if WORKBOOKS & {each.filename for each in files}:
        raise DataError(f"{name} is a workbook of a spreadsheet program. Save the sheet with the data as CSV.")
    if len(files) != 1:
        raise DataError(f"{name} is a zip that holds {len(files)} files. Unpack it, and name the CSV among them.")
    if files[0].flag_bits & ENCRYPTED:
        raise DataError(f"{name} is a zip with a password. Unpack it, and name the CSV that comes out.")
    try:
        return cast(BinaryIO, archive.open(files[0]))
    except NotImplementedError as error:
        raise DataError(
            f"{name} is a zip compressed in a way that Python can't read ({error}). Unpack it, and name the CSV."
        ) from None
