"""The newest rows of a large CSV without reading what is older, where that is sure to make no difference.

Sure means: the bytes cut out of the end begin with a whole record, every record in them has all its cells, times go up
at the start of the file and at its end, and between the two there is room for about as many rows as their times leave
room for (so that these are neither several series, one after the other, nor years without a row). Where any of it is
not sure, nothing is yielded, and the file is read from its start.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence

import numpy as np

from cnnlstm_cli.errors import CnnlstmError
from cnnlstm_cli.series.frequency import Times
from cnnlstm_cli.series.sheet import CsvReader, Sheet
from cnnlstm_cli.series.timecolumn import TimeColumn

HEAD_BYTES = 1 << 16
SPARE_BYTES = 1 << 14
SPARE_ROWS = 1.25  # of the rows wanted: some may turn out empty
FEWER, MORE = 0.5, 1.25  # rows between head and tail, to those their times leave room for
TRIES = 64  # lines to look at for the begin of a record
ONE_BYTE = ("utf-8", "utf-8-sig", "cp1252")  # encodings in which a newline byte is nothing else


def newest(reader: CsvReader, time: TimeColumn, rows: int, text: Sequence[str]) -> Iterator[Sheet]:
    """Sheets of the newest rows, at least `rows` of them and each twice as long as the one before.

    time  where it stands, and how it was written when the run was trained
    text  the columns that are text

    Ends when the next would be most of the file, or where it is not sure to give what the whole file gives.
    """
    start = reader.source.start(HEAD_BYTES)
    start = start[: start.rfind(b"\n") + 1]
    if reader.dialect.encoding not in ONE_BYTE or not start:
        return
    line = len(start) / start.count(b"\n")
    size = int(SPARE_ROWS * rows * line) + SPARE_BYTES
    while True:
        end, total = reader.source.end(size)
        if 2 * len(end) + len(start) > total:
            return
        sheet = _sure(reader, time, text, start, end, total)
        if sheet is None:
            return
        yield sheet
        size *= 2


def _sure(
    reader: CsvReader, time: TimeColumn, text: Sequence[str], start: bytes, end: bytes, total: int
) -> Sheet | None:
    """The sheet of the last bytes of a file, None where something about it is not sure."""
    first = first_record(end, reader.dialect.delimiter.encode())
    if first is None:
        return None
    parts = start[start.find(b"\n") + 1 :], end[first:]
    if not all(_whole(part, reader) for part in parts):
        return None
    try:
        head, tail = (reader.part(part).read(text) for part in parts)
        if time.kind == "row":
            return tail
        kind = "datetime64[us]" if time.dated else "int64"
        first_times, last_times = (time.parse(sheet).to_numpy(dtype=kind) for sheet in (head, tail))
    except (CnnlstmError, ValueError):  # read from its start, the file gets a message that names the line
        return None
    line = sum(map(len, parts)) / sum(part.count(b"\n") for part in parts)
    between = (total - len(start) - len(parts[1])) / line
    return tail if in_line(first_times, last_times, between) else None


def first_record(piece: bytes, delimiter: bytes) -> int | None:
    """Where the first whole record begins in bytes that were cut out of a CSV anywhere.

    None where a quoted cell may span the newlines before it. A newline ends a record unless a quote is open there. Were
    one open, then the next odd run of quotes would close it, and after it a delimiter or a newline would follow: where
    something else does, it was not open.
    """
    if b"\r" in piece.replace(b"\r\n", b""):
        return None
    place = piece.find(b"\n") + 1
    closing = re.compile(rb'(?<!")"(?:"")*(?!")(?![' + re.escape(delimiter) + rb"\r\n]|$)")
    any_odd = re.compile(rb'(?<!")"(?:"")*(?!")')
    for _ in range(TRIES):
        if not 0 < place < len(piece):
            return None
        odd = any_odd.search(piece, place)
        if odd is None or closing.match(piece, odd.start()):
            return place
        place = piece.find(b"\n", place) + 1
    return None


def _whole(records: bytes, reader: CsvReader) -> bool:
    """Whether every record has as many cells as the header. Strict about quotes, which pandas is not."""
    lines = io.StringIO(records.decode(reader.dialect.encoding), newline="")
    rows = csv.reader(lines, delimiter=reader.dialect.delimiter, skipinitialspace=True, strict=True)
    try:
        return all(len(row) == len(reader.dialect.header) for row in rows if row)
    except (csv.Error, UnicodeDecodeError):
        return False


def in_line(head: Times, tail: Times, between: float) -> bool:
    """Whether times go up in both, and so many rows between them are about as many as there is time for."""
    steps = np.diff(np.concatenate([head, tail])).astype(np.int64)  # the difference to a missing time is negative
    if min(len(head), len(tail)) < 2 or (steps <= 0).any():
        return False
    gap = int(steps[len(head) - 1])
    room = gap * (len(steps) - 1) / (int(steps.sum()) - gap)
    return FEWER * room <= between + 1 <= MORE * room + 1
