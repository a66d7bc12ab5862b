"""A CSV file -> named columns of numbers and of text. What the columns mean is decided elsewhere."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cnnlstm_cli.errors import DataError
from cnnlstm_cli.series.dialect import Dialect, Source, find_dialect

SAMPLE_ROWS = 1000
# 1,234.5 or 1.234,5 or 1'234 or 12 % or $5 or 7 kW: a number to a reader, a text to a computer
WRITTEN_OUT = r"\s*[€$£¥]?\s*[+-]?\d[\d.,' ]*\s*(?:%|[A-Za-zµ°€$£¥]{1,4})?\s*"


@dataclass(frozen=True)
class Sheet:
    """The cells of a CSV file, or of a data frame handed in from Python.

    frame   one column per column of the file, in its order: numbers (int64, float64) or text; missing cells are NaN
    name    what to call it in messages
    """

    frame: pd.DataFrame
    name: str
    source: Source | None = None
    dialect: Dialect | None = None

    @property
    def columns(self) -> list[str]:
        """The column names, in the file's order."""
        return list(self.frame.columns)

    def is_number(self, column: str) -> bool:
        """Whether every filled cell of `column` is a number (all-empty columns count as numbers)."""
        kind = self.frame[column].dtype
        real = pd.api.types.is_integer_dtype(kind) or pd.api.types.is_float_dtype(kind)
        return bool(real and not pd.api.types.is_bool_dtype(kind))

    def stray_text(self, column: str) -> str | None:
        """Where and what the first text cell of a column is that is numbers for the better part; None for others."""
        if self.is_number(column):
            return None
        filled = self.frame[column].dropna().astype(str)
        numbers = pd.to_numeric(filled, errors="coerce")
        if numbers.notna().sum() * 2 < len(filled) or numbers.notna().all():
            return None
        row = int(np.flatnonzero(self.frame[column].notna().to_numpy())[numbers.isna().to_numpy()][0])
        return f"{self.place(row)}, column {column!r}: {self.frame[column].iloc[row]!r} is not a number"

    def written_out(self, column: str) -> str | None:
        """The first cell, and its place, of a text column that is numbers with thousands marks, units or signs."""
        filled = self.frame[column].dropna().astype(str)
        if self.is_number(column) or pd.to_numeric(filled, errors="coerce").notna().all():
            return None
        if filled.str.fullmatch(WRITTEN_OUT).mean() < 0.9:
            return None
        return self.example(column)

    def place(self, row: int) -> str:
        """Where row `row` (0 the first after the header) is, as `FILE, line N`; a cell may span several lines."""
        if self.source is None or self.dialect is None:
            return f"{self.name}, row {row}"
        for number, (line, _) in enumerate(_lines(self.source, self.dialect)):
            if number == row + 1:
                return f"{self.name}, line {line}"
        return self.name

    def example(self, column: str) -> str:
        """The first filled cell of a column and its place, for messages."""
        rows = np.flatnonzero(self.frame[column].notna())
        if not len(rows):
            return f"column {column!r} is empty"
        row = int(rows[0])
        return f"{self.place(row)}, column {column!r} is {self.frame[column].iloc[row]!r}"

    def fingerprint(self) -> str:
        """SHA-256 of the file as it is stored, or of a data frame's cells: the same data has the same."""
        if self.source is not None:
            return self.source.fingerprint()
        return hashlib.sha256(pd.util.hash_pandas_object(self.frame, index=False).to_numpy().tobytes()).hexdigest()

    def numbers(self, column: str) -> NDArray[np.float64]:
        """A column as float64, NaN where empty. Raises DataError where a cell holds text."""
        plain = pd.to_numeric(self.frame[column], errors="coerce")  # read as text because it looks like dates
        if not self.is_number(column) and plain.notna().sum() < self.frame[column].notna().sum():
            stray = self.stray_text(column)
            if stray is None:
                stray = f"{self.example(column)}, not a number"
            raise DataError(f"{stray}. Mend the cell, or leave it empty if the value is missing.")
        return plain.to_numpy(dtype=np.float64)


@dataclass(frozen=True)
class CsvReader:
    """A CSV whose dialect is known: first a look at its first rows as text, then all of it with the right types."""

    source: Source
    dialect: Dialect

    @classmethod
    def open(cls, source: Source) -> CsvReader:
        """Raises InputError or DataError as `Source` and `find_dialect` do."""
        return cls(source, find_dialect(source))

    @cached_property
    def sample(self) -> Sheet:
        """The first rows, every cell as text."""
        return Sheet(self._read(dtype=str, nrows=SAMPLE_ROWS), self.source.name, self.source, self.dialect)

    def part(self, records: bytes) -> CsvReader:
        """A reader of some records of the file, written as it is."""
        header = self.dialect.delimiter.join("x" for _ in self.dialect.header)
        return replace(self, source=Source(self.source.name, header.encode() + b"\n" + records))

    def read(self, text: Sequence[str] = (), names: Sequence[str] = ()) -> Sheet:
        """Every row; the columns `text` stay text, the others are numbers where all their cells are.

        In the columns `names` no word stands for a missing value: NA is Namibia there.

        Raises DataError for a file without rows, a row longer than the header, or an unclosed quote.
        """
        # pandas looks for words like NA even behind a converter; a mark before each name hides it from that
        converters: dict[str, Callable[[str], str]] = dict.fromkeys(names, ":".__add__)
        frame = self._read(dtype=dict.fromkeys(set(text) - {*names}, str), converters=converters)
        for name in names:
            codes, marked = pd.factorize(frame[name])  # there are few names, and many rows of each
            found = pd.Series([mark[1:].strip() or None for mark in marked], dtype=frame[name].dtype)
            frame[name] = found.take(codes).to_numpy()
        if not len(frame):
            raise DataError(f"{self.source.name} has a header line and no rows. Rows of numbers are needed below it.")
        return Sheet(frame, self.source.name, self.source, self.dialect)

    def _read(self, **options: object) -> pd.DataFrame:
        try:
            with self.source.open() as stream, warnings.catch_warnings():
                # pandas drops cells beyond the header with no more than this warning
                warnings.simplefilter("error", pd.errors.ParserWarning)
                return self._parse(stream, **options)
        except pd.errors.ParserWarning:
            self._refuse_long_rows()
            with self.source.open() as stream, warnings.catch_warnings():
                warnings.simplefilter("ignore", pd.errors.ParserWarning)  # every extra cell is empty
                return self._parse(stream, **options)
        except UnicodeDecodeError as error:
            if self.dialect.encoding == "cp1252":
                raise DataError(
                    f"{self.source.name}: not text in UTF-8 nor in cp1252 ({error}). Save it as UTF-8."
                ) from None
            return replace(self, dialect=replace(self.dialect, encoding="cp1252"))._read(**options)
        except pd.errors.ParserError as error:
            raise DataError(f"{self.source.name}: {_said_plainly(str(error))}") from None

    def _parse(self, stream: object, **options: object) -> pd.DataFrame:
        frame: pd.DataFrame = pd.read_csv(  # type: ignore[call-overload]
            stream,
            sep=self.dialect.delimiter,
            decimal=self.dialect.decimal,
            encoding=self.dialect.encoding,
            header=0,
            names=list(self.dialect.header),
            index_col=False,
            skipinitialspace=True,
            low_memory=False,
            **options,
        )
        # a delimiter at the end of every line makes a last column without a name and without cells
        if frame.columns[-1] == "" and frame[""].isna().all():
            frame = frame.drop(columns="")
        return frame

    def _refuse_long_rows(self) -> None:
        width = len(self.dialect.header)
        for line, row in _lines(self.source, self.dialect):
            if any(cell.strip() for cell in row[width:]):
                raise DataError(
                    f"{self.source.name}, line {line}: {len(row)} cells under a header of {width}. "
                    "Remove the extra cells, or name their columns."
                )


def sheet_from_frame(frame: pd.DataFrame) -> Sheet:
    """A data frame from Python as a sheet; an index that holds stamps becomes the first column.

    Raises DataError for two columns of one name, or no rows.
    """
    if isinstance(frame.index, (pd.DatetimeIndex, pd.PeriodIndex)):
        name = frame.index.name or "time"
        if name in frame.columns:
            raise DataError(f"the data frame has an index and a column named {name!r}. Give each a name of its own.")
        stamps = frame.index.to_timestamp() if isinstance(frame.index, pd.PeriodIndex) else frame.index
        frame = frame.set_axis(stamps.rename(name)).reset_index()
    frame = frame.reset_index(drop=True)
    frame.columns = frame.columns.map(str)
    doubled = frame.columns[frame.columns.duplicated()]
    if len(doubled):
        raise DataError(f"the data frame has two columns named {doubled[0]!r}. Give each a name of its own.")
    if not len(frame):
        raise DataError("the data frame has no rows.")
    for column in frame.columns:
        if pd.api.types.is_datetime64_any_dtype(frame[column].dtype):
            frame[column] = _isoformat(frame[column])
        elif pd.api.types.is_complex_dtype(frame[column].dtype):
            frame[column] = frame[column].astype(str)  # no number that can be forecast
        elif frame[column].dtype == object:  # decimals, or whole numbers beside None
            numbers = pd.to_numeric(frame[column], errors="coerce")
            frame[column] = numbers if numbers.notna().sum() == frame[column].notna().sum() else frame[column]
    return Sheet(frame, "the data frame")


def _isoformat(stamps: pd.Series) -> pd.Series:
    """Stamps as ISO text with no more of a time than they have: days without one, decimals where there are any."""
    local = stamps.dt.tz_localize(None).dropna()
    pattern = "%Y-%m-%d %H:%M:%S"
    if stamps.dt.tz is None and (local == local.dt.normalize()).all():
        pattern = "%Y-%m-%d"
    elif (local.dt.microsecond > 0).any():
        pattern = "%Y-%m-%d %H:%M:%S.%f"
    text: pd.Series = stamps.dt.strftime(pattern)
    if stamps.dt.tz is not None:
        text = text + stamps.dt.strftime("%z").str.replace(r"(\d\d)$", r":\1", regex=True)
    return text


def _lines(source: Source, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of every row, the header first, as pandas counts rows: blank lines are none.

    Raises DataError for a cell that is longer than any number or name.
    """
    with source.open() as raw:
        text = io.TextIOWrapper(raw, encoding=dialect.encoding, errors="replace", newline="")
        rows = csv.reader(text, delimiter=dialect.delimiter, skipinitialspace=True)
        last = 0
        try:
            for row in rows:
                if row:
                    yield last + 1 if rows.line_num > last + 1 else rows.line_num, row
                last = rows.line_num
        except csv.Error as error:
            raise DataError(
                f"{source.name}, line {last + 1}: {error}: is a quote opened there and never closed? Mend the line."
            ) from None


def _said_plainly(message: str) -> str:
    """pandas' tokenizer message in our words; it counts lines from 1, the header among them."""
    if found := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", message):
        expected, line, saw = found.groups()
        remedy = "Remove the extra cells, or quote the cell that holds the delimiter."
        return f"line {line}: {saw} cells under a header of {expected}. {remedy}"
    if found := re.search(r"EOF inside string starting at row (\d+)", message):
        return f"line {int(found[1]) + 1}: a quote is opened and never closed. Close it, or remove it."
    return f"not readable as CSV: {message.strip()}."
