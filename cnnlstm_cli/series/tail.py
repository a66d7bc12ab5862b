"""The newest rows of a large CSV without reading what is older, where that is sure to make no difference.

Sure means: the bytes cut out of the end begin with a whole record, every record in them has all its cells, times go up
from the start of the file over samples in its middle to its end, and between start and end there are about as many rows
as their times leave room for (so that these are neither several series, one after the other, nor years without a row).
And no number there may have a mark for thousands.
Where any of it is not sure, nothing is yielded, and the file is read from its start. Rows between the samples
are not looked at: a text among numbers there is an error only to those who read everything.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.errors import CnnlstmError
from cnnlstm_cli.series.finding import find_again
from cnnlstm_cli.series.frequency import Times
from cnnlstm_cli.series.numerals import may_be_grouped, numbers_of
from cnnlstm_cli.series.sheet import CsvReader, Sheet
from cnnlstm_cli.series.timecolumn import TimeColumn

HEAD_BYTES = 1 << 16
PROBE_BYTES = 1 << 12
SPARE_BYTES = 1 << 14
SPARE_ROWS = 1.25  # of the rows wanted: some may turn out empty
FEWER, MORE = 0.5, 1.08  # rows between head and tail, to those their times leave room for
TRIES = 64  # lines to look at for the begin of a record
ONE_BYTE = ("utf-8", "utf-8-sig", "cp1252")  # encodings in which a newline byte is nothing else
UNREADABLE = (CnnlstmError, ValueError, TypeError, KeyError, OverflowError)  # the whole file gets a proper message


def newest(reader: CsvReader, time: TimeColumn, rows: int, text: Sequence[str]) -> Iterator[Sheet]:
    """Sheets of the newest rows, at least `rows` of them and each twice as long as the one before.

    time  where it stands, and how it was written when the run was trained
    text  the columns that are text

    Ends when the next would be most of the file, or where it is not sure to give what the whole file gives.
    """
    start = reader.source.piece(0, HEAD_BYTES)
    start = start[: start.rfind(b"\n") + 1]
    if reader.dialect.encoding not in ONE_BYTE or not start:
        return
    total = reader.source.size()
    size = int(SPARE_ROWS * rows * len(start) / start.count(b"\n")) + SPARE_BYTES
    while 2 * size + len(start) <= total:
        try:
            sheet = _sure(reader, time, text, start, size, total)
        except UNREADABLE:
            return
        if sheet is None:
            return
        yield sheet
        size *= 2


def _sure(
    reader: CsvReader, time: TimeColumn, text: Sequence[str], start: bytes, size: int, total: int
) -> Sheet | None:
    """The sheet of the last bytes of a file, None where something about it is not sure. Raises what is UNREADABLE."""
    end = _records(reader.source.piece(total - size, size), reader)
    head = start.split(b"\n", reader.dialect.above + 1)[-1]
    if end is None:
        return None
    found = [head, *_probes(reader, len(start), total - size, size), end]
    pieces = [piece for piece in found if piece and _whole(piece, reader)]
    if len(pieces) < len(found):
        return None
    tail = reader.part(end).read(text)
    if time.kind == "row":
        return tail
    sheets = [*(reader.part(piece).read(text) for piece in pieces[:-1]), tail]
    if any(may_be_grouped(_together(sheets, column)) for column in tail.columns if tail.is_number(column)):
        return None
    written = [find_again(sheet, time) for sheet in (sheets[0], tail)]
    if len({(column.kind, column.format and replace(column.format, offset="")) for column in written}) > 1:
        return None
    kind = "datetime64[us]" if time.dated else "int64"
    times = [written[-1].parse(sheet).to_numpy(dtype=kind) for sheet in sheets]
    line = (len(head) + len(end)) / (head.count(b"\n") + end.count(b"\n"))
    between = (total - len(start) - len(end)) / line
    return tail if in_line(times, between) else None


def _together(sheets: Sequence[Sheet], column: str) -> NDArray[np.float64]:
    """The numbers of a column, NaN for texts."""
    parts = [numbers_of(sheet.frame[column]) for sheet in sheets]
    return np.concatenate([part.to_numpy(dtype=np.float64) for part in parts])


def _probes(reader: CsvReader, first: int, last: int, step: int) -> Iterator[bytes | None]:
    """Records from between head and tail, in the order of the file: ever farther apart, going back from the tail.

    Whatever stands before the tail and does not belong there, as rows that were corrected and appended, is met by one
    of them when it is longer than the way to the next.
    """
    places = []
    while last - step > first + PROBE_BYTES:
        places.append(last - step)
        step *= 2
    for place in reversed(places):
        piece = reader.source.piece(place, PROBE_BYTES)
        yield _records(piece[: piece.rfind(b"\n") + 1], reader)


def _records(piece: bytes, reader: CsvReader) -> bytes | None:
    """The whole records of bytes cut out of the file, None where it is not sure which these are."""
    first = first_record(piece, reader.dialect.delimiter.encode())
    return None if first is None else piece[first:]


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


def in_line(times: Sequence[Times], between: float) -> bool:
    """Whether times go up from piece to piece, and so many rows between the first and the last piece are about right.

    As many, that is, as there is time for at the mean step inside these two.
    """
    steps = np.diff(np.concatenate(times)).astype(np.int64)  # the difference to a missing time is negative
    head, tail = times[0], times[-1]
    if min(len(head), len(tail)) < 2 or (steps <= 0).any():
        return False
    inside, gap = (int(span.astype(np.int64)) for span in (head[-1] - head[0] + tail[-1] - tail[0], tail[0] - head[-1]))
    room = gap * (len(head) + len(tail) - 2) / inside
    return FEWER * room <= between + 1 <= MORE * room + 1
