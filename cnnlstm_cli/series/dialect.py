"""How a CSV is written: compression, encoding, delimiter, decimal mark. Found from its first bytes."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, TypeAlias, cast

from cnnlstm_cli.errors import DataError, InputError, OutputError
from cnnlstm_cli.series.archive import DAMAGED, compression, decompressed
from cnnlstm_cli.series.numerals import short
from cnnlstm_cli.series.stamps import looks_like_a_stamp

SAMPLE_BYTES = 1 << 18
SAMPLE_LINES = 200
IN_MEMORY = 1 << 24  # bytes of a pipe; of larger ones a temporary file is made
DELIMITERS = ",;\t|"
DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
SAID = re.compile(r'\s*"?sep=([,;\t|])"?[ ]*(?=[\r\n])')  # the first line of files for Excel
BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


Record: TypeAlias = "tuple[int, list[str]]"  # the line that a row begins in, and its cells


class Source:
    """A CSV to read, as often as need be: a path, standard input for `-`, or `content` under the name of a file."""

    def __init__(self, path: str | Path, content: bytes | None = None) -> None:
        """Raises InputError when there is no such file, or it can't be read."""
        self.name = "standard input" if str(path) == "-" else str(path)
        self._path = Path(path)
        self._again: Callable[[], BinaryIO] | None = None
        self._unpacked: Callable[[], BinaryIO] | None = None
        if content is not None:
            self._again = lambda: io.BytesIO(content)
        elif str(path) == "-":
            try:
                self._again = self._keep(_standard_input())
            except OSError as error:
                raise InputError(f"{self.name} can't be read: {error.strerror or error}. Name a file.") from None
        elif self._path.exists() and not (self._path.is_file() or self._path.is_dir()):
            with self._open_raw() as pipe:  # what can be read only once
                self._again = self._keep(pipe)
        self._open_raw().close()

    @contextlib.contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The decompressed bytes, from the start. Raises DataError where they can't be decompressed."""
        with self._open_raw() as raw:
            kind = compression(raw.read(8))
            raw.seek(0)
            try:
                with decompressed(raw, kind, self.name) as stream:
                    yield stream
            except DAMAGED as error:
                if kind is None:
                    raise
                raise DataError(f"{self.name}: damaged {kind} file: {error}. Compress it again.") from None

    def size(self) -> int:
        """How many bytes there are, decompressed."""
        with self._seekable() as stream:
            return stream.seek(0, io.SEEK_END)

    def piece(self, start: int, size: int) -> bytes:
        """Some bytes out of the middle, decompressed."""
        with self._seekable() as stream:
            stream.seek(start)
            return stream.read(size)

    def _seekable(self) -> BinaryIO:
        """The decompressed bytes, where what is skipped costs nothing: of what is compressed a copy is made."""
        if self._unpacked is None:
            with self.open() as stream:
                plain = isinstance(stream, (io.BufferedReader, io.BytesIO))
                self._unpacked = self._open_raw if plain else self._keep(stream)
        return self._unpacked()

    def fingerprint(self) -> str:
        """SHA-256 of the bytes as they are stored."""
        digest = hashlib.sha256()
        with self._open_raw() as raw:
            while chunk := raw.read(1 << 20):
                digest.update(chunk)
        return digest.hexdigest()

    def _keep(self, stream: BinaryIO) -> Callable[[], BinaryIO]:
        """Takes in what can be read only once. What comes back opens it: in memory, or where it is large on disk.

        Raises DataError when its first bytes are no CSV, OutputError when there is no room for it.
        """
        start = stream.read(IN_MEMORY)
        if len(start) < IN_MEMORY:
            return lambda: io.BytesIO(start)
        if compression(start) != "zip":  # which begins with its end
            find_dialect(Source(self.name, start))  # what is no CSV may have no end at all
        try:
            file = tempfile.TemporaryFile()  # noqa: SIM115 - is read for as long as this process lives
        except OSError as error:
            raise self._no_room(error) from None
        while start:
            self._put(file, start)
            start = stream.read(IN_MEMORY)

        def again() -> BinaryIO:
            file.seek(0)
            return os.fdopen(os.dup(file.fileno()), "rb")

        return again

    def _put(self, file: IO[bytes], chunk: bytes) -> None:
        try:
            file.write(chunk)
            file.flush()
        except OSError as error:
            raise self._no_room(error) from None

    def _no_room(self, error: OSError) -> OutputError:
        return OutputError(
            f"{self.name} is large, and no temporary file can be written for it: {error.strerror or error}. "
            "Set TMPDIR to a folder with room, or name a file that is not compressed."
        )

    def _open_raw(self) -> BinaryIO:
        if self._again is not None:
            return self._again()
        try:
            return self._path.open("rb")
        except IsADirectoryError:
            raise InputError(f"{self.name} is a directory. Name the CSV file in it.") from None
        except OSError as error:
            remedy = "Give the path of a CSV file, or - for standard input."
            raise InputError(f"{self.name}: {error.strerror}. {remedy}") from None


def _standard_input() -> BinaryIO:
    if sys.stdin is None:
        raise InputError("standard input is closed. Pipe a CSV into it, or name a file.")
    return cast(BinaryIO, sys.stdin.buffer)


@dataclass(frozen=True)
class Dialect:
    """How the cells are written, and the column names.

    above  lines above that of the column names: blank ones, and Excel's `sep=;`
    """

    delimiter: str
    decimal: str
    encoding: str
    header: tuple[str, ...]
    newline: str = "\n"
    above: int = 0

    @property
    def written_encoding(self) -> str:
        """The encoding of rows to be put behind those that are there: without another byte order mark."""
        return self.encoding.removesuffix("-sig")

    def unusual(self) -> str | None:
        """What a reader should be told about it: None for commas, decimal points and UTF-8."""
        notes = []
        if self.delimiter != ",":
            notes.append(f"delimiter {DELIMITER_NAMES[self.delimiter]}")
        if self.decimal != ".":
            notes.append("decimal comma")
        if not self.encoding.startswith("utf-8"):
            notes.append(f"encoding {self.encoding}")
        return ", ".join(notes) or None


def find_dialect(source: Source) -> Dialect:
    """The dialect of `source`, from its first 256 KiB.

    Raises DataError for an empty file, binary data, a missing header line, two columns of one name, or a row that is
    longer than the header.
    """
    with source.open() as stream:
        start = stream.read(SAMPLE_BYTES)
    encoding = _encoding(start)
    text = start.decode(encoding, errors="replace").lstrip("\ufeff")
    if not text.strip():
        raise DataError(f"{source.name} is empty. A header line and rows of numbers are needed.")
    if "\0" in text:
        raise DataError(f"{source.name} holds NUL bytes: it is no CSV, or a damaged one. Export it as CSV text again.")
    said = SAID.match(text)
    above = _above(text, said.end() if said else 0)
    delimiter = said[1] if said else _delimiter(text, above)
    rows = _rows(text, delimiter, above)
    if not rows:
        raise DataError(
            f"{source.name}, line {above + 1}: a cell of over {csv.field_size_limit():,} characters where column names "
            "should be: it is no CSV, or a quote is never closed. Export it as CSV text again."
        )
    header = tuple(name.strip() for name in rows[0][1])
    _check_header(f"{source.name}, line {rows[0][0]}", header, [row for _, row in rows])
    refuse_long_rows(source.name, rows, len(header))
    newline = "\r\n" if "\r\n" in text else "\n"
    return Dialect(delimiter, _decimal(rows[1:], delimiter), encoding, header, newline, above)


def records(lines: Iterable[str], delimiter: str, above: int = 0) -> Iterator[Record]:
    """Every row below the first `above` lines.

    Raises csv.Error, with the line, for a cell that is longer than any number or name.
    """
    rows = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    line = 1
    try:
        for row in rows:
            if line > above:
                yield line, row
            line = rows.line_num + 1
    except csv.Error as error:
        raise csv.Error(f"line {line}: {error}") from None


def blank(row: Sequence[str]) -> bool:
    """Whether a row is a line of blanks, or of nothing."""
    return not row or (len(row) == 1 and not row[0].strip())


def refuse_long_rows(name: str, rows: Iterable[Record], width: int) -> None:
    """Raises DataError, with the place, for a row with more cells than the header; empty ones at its end are none."""
    for line, row in rows:
        if any(cell.strip() for cell in row[width:]):
            raise DataError(
                f"{name}, line {line}: {len(row)} cells under a header of {width}. "
                "Remove the extra cells, or name their columns."
            )


def _encoding(start: bytes) -> str:
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if start.startswith(mark):
            return encoding
    try:
        # a character may be cut in two at the end of the sample
        start[: start.rfind(b"\n") + 1 or None].decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"  # what spreadsheets on Windows write
    return "utf-8"


def _above(text: str, start: int) -> int:
    """How many lines end before the first that is not blank, from a place on."""
    first = len(text) - len(text[start:].lstrip())
    return len(re.findall(r"\r\n?|\n", text[:first]))


def _rows(text: str, delimiter: str, above: int) -> list[Record]:
    """The first rows of a sample; its last line may be cut, so it is left out when there are others."""
    rows: list[Record] = []
    try:
        for line, row in records(io.StringIO(text, newline=""), delimiter, above):
            if not blank(row):
                rows.append((line, row))
            if len(rows) > SAMPLE_LINES:
                break
    except csv.Error:  # a cell longer than csv's limit: judge by the rows before it
        pass
    return rows if len(rows) < 3 else rows[:-1]


def _delimiter(text: str, above: int) -> str:
    """The delimiter that cuts most lines into as many cells as the header, and the header into most."""

    def fit(delimiter: str) -> tuple[float, int]:
        rows = [row for _, row in _rows(text, delimiter, above)]
        width = len(rows[0]) if rows else 0
        body = rows[1:] or rows
        agree = sum(len(row) == width for row in body) / max(1, len(body))
        return (agree if width > 1 else 0.0, width)

    best = max(DELIMITERS, key=fit)
    if fit(best)[1] > 1:
        return best
    return ";" if "," in text else ","  # a single column: a comma in its cells can only be a decimal comma


def _decimal(rows: list[Record], delimiter: str) -> str:
    cells = [cell.strip() for _, row in rows for cell in row]
    comma = any(re.fullmatch(r"[+-]?\d+,\d+", cell) for cell in cells)
    point = any(re.fullmatch(r"[+-]?\d+\.\d+", cell) for cell in cells)
    return "," if comma and not point and delimiter != "," else "."


def _check_header(where: str, header: tuple[str, ...], rows: list[list[str]]) -> None:
    if all(_is_value(cell) for cell in header) and not _counts_up(header):
        raise DataError(f"{where}: the first line holds values, not column names. Put a header line before it.")
    again = zip(header, rows[1] if len(rows) > 1 else (), strict=False)
    if any(looks_like_a_stamp(name) and looks_like_a_stamp(cell) for name, cell in again):
        raise DataError(f"{where}: the first line holds a date, as the second does. Put a header line before it.")
    if header[0].startswith("# ") or (header[0].startswith("#") and any(len(row) != len(header) for row in rows)):
        raise DataError(f"{where}: the first line is a comment, not column names. Remove it, and others like it.")
    name, count = max(Counter(sorted(header)).items(), key=lambda pair: pair[1])
    if count > 1:
        places = short(", ".join(str(place + 1) for place, column in enumerate(header) if column == name))
        raise DataError(
            f"{where}: {count} columns are named {name!r} (columns {places}). Give each column a name of its own."
        )


def _is_value(cell: str) -> bool:
    number = re.fullmatch(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?", cell)
    return number is not None or looks_like_a_stamp(cell)


def _counts_up(cells: tuple[str, ...]) -> bool:
    """0, 1, 2, ... or 1, 2, 3, ...: what pandas writes for columns without names."""
    return [*cells] in ([str(k) for k in range(len(cells))], [str(k + 1) for k in range(len(cells))])
