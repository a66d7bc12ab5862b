"""A CSV file -> named columns of numbers and of text. What the columns mean is decided elsewhere."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cnnlstm_cli.errors import DataError
from cnnlstm_cli.series.dialect import Dialect, Record, Source, blank, find_dialect, records, refuse_long_rows
from cnnlstm_cli.series.numerals import grouped, may_be_grouped, numbers_of, shown, with_decimal_commas, written_out
from cnnlstm_cli.series.scaler import LARGEST

SAMPLE_ROWS = 1000
FARTHEST = 2**62  # of whole numbers that count: the step between any two can still be computed


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
        row = self._first_text(column)
        filled = self.frame[column].dropna().astype(str)
        if row is None or numbers_of(filled).notna().sum() * 2 < len(filled):
            return None
        return self._no_number(row, column)

    def written_out(self, column: str) -> str | None:
        """The first text cell, and its place, of a column of numbers with thousands marks, units or signs."""
        row = self._first_text(column)
        if row is None or not written_out(self.frame[column].dropna().astype(str)):
            return None
        return f"{self.place(row)}, column {column!r} is {shown(self.frame[column].iloc[row])}"

    def _first_text(self, column: str) -> int | None:
        """The first row whose cell is neither empty nor a number: true and false are none."""
        if self.is_number(column):
            return None
        cells = self.frame[column]
        texts = (cells.notna() & numbers_of(cells.astype(str)).isna()).to_numpy(dtype=bool)
        return int(texts.argmax()) if texts.any() else None

    def _no_number(self, row: int, column: str) -> str:
        return f"{self.place(row)}, column {column!r}: {shown(self.frame[column].iloc[row])} is not a number"

    def line(self, row: int) -> str:
        """Where row `row` (0 the first after the header) is, as `line N`; a cell may span several lines."""
        if self.source is None or self.dialect is None:
            return f"row {row}"
        place = next(itertools.islice(_lines(self.source, self.dialect), row + 1, None), None)
        return f"line {place[0]}" if place else "at its end"

    def place(self, row: int) -> str:
        """Where row `row` is, as `FILE, line N`."""
        return f"{self.name}, {self.line(row)}"

    def example(self, column: str) -> str:
        """The first filled cell of a column and its place, for messages."""
        rows = np.flatnonzero(self.frame[column].notna())
        if not len(rows):
            return f"column {column!r} is empty"
        row = int(rows[0])
        return f"{self.place(row)}, column {column!r} is {shown(self.frame[column].iloc[row])}"

    def fingerprint(self) -> str:
        """SHA-256 of the file as it is stored, or of a data frame's cells: the same data has the same."""
        if self.source is not None:
            return self.source.fingerprint()
        return hashlib.sha256(pd.util.hash_pandas_object(self.frame, index=False).to_numpy().tobytes()).hexdigest()

    def numbers(self, column: str) -> NDArray[np.float64]:
        """A column as float64, NaN where empty.

        Raises DataError, with the place, where a cell holds text, or a mark that may be one of thousands.
        """
        if (row := self._first_text(column)) is not None:
            raise DataError(
                f"{self._no_number(row, column)}. Mend the cell, or leave it empty if the value is missing."
            )
        numbers = pd.to_numeric(self.frame[column]).to_numpy(dtype=np.float64)  # text, where it looks like dates
        if may_be_grouped(numbers):
            self._refuse_grouped(column)
        return numbers

    def amounts(self, column: str) -> NDArray[np.float64]:
        """`numbers`. Raises DataError, with the place, also for one that is beyond computing with."""
        cells = self.numbers(column)
        beyond = np.flatnonzero(np.isfinite(cells) & (np.abs(cells) > LARGEST))
        if len(beyond):
            raise DataError(
                f"{self.place(int(beyond[0]))}, column {column!r}: {cells[beyond[0]]:g} is too large to compute with. "
                "Mend the cell, or give the column in larger units."
            )
        return cells

    def whole_numbers(self, column: str) -> pd.Series:
        """A column as Int64, missing where empty: exact, where float64 would not be.

        Raises DataError, with the place, for a cell that is no whole number, or one too large to count with.
        """
        cells = self.frame[column]
        exact = cells if pd.api.types.is_signed_integer_dtype(cells.dtype) else pd.Series(self.numbers(column))
        bad = np.flatnonzero(exact.notna() & ~(exact.between(-FARTHEST, FARTHEST) & (exact % 1 == 0)))
        if len(bad):
            row = int(bad[0])
            raise DataError(
                f"{self.place(row)}, column {column!r}: {shown(cells.iloc[row])} is no whole number to count with. "
                "Mend the cell, or name another time column with --time."
            )
        return exact.astype("Int64")

    def _refuse_grouped(self, column: str) -> None:
        """Raises DataError when the cells of a column, as they are written, leave open what their marks are."""
        if self.source is None or self.dialect is None:
            return
        texts = CsvReader(self.source, self.dialect).texts(column)
        if grouped(texts):
            row = int(texts.str.contains("[.,]").fillna(False).to_numpy(dtype=bool).argmax())
            raise DataError(
                f"{self.place(row)}, column {column!r}: no cell tells whether {texts.iloc[row]!r} has a mark for "
                "thousands or for decimals. Write no marks for thousands, and as many decimals in every cell."
            )


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
        source = Source(self.source.name, header.encode() + b"\n" + records)
        return replace(self, source=source, dialect=replace(self.dialect, above=0))

    def texts(self, column: str) -> pd.Series:
        """The cells of a column as they are written."""
        return self._read(dtype=str, usecols=[column])[column]

    def read(self, text: Sequence[str] = (), names: Sequence[str] = ()) -> Sheet:
        """Every row; the columns `text` stay text, the others are numbers where all their cells are.

        In the columns `names` no word stands for a missing value: NA is Namibia there.

        A decimal comma that the first rows did not show is found here.

        Raises DataError for a file without rows, a row longer than the header, or an unclosed quote.
        """
        # pandas looks for words like NA even behind a converter; a mark before each name hides it from that
        converters: dict[str, Callable[[str], str]] = dict.fromkeys(names, ":".__add__)
        frame = self._read(dtype=dict.fromkeys(set(text) - {*names}, str), converters=converters)
        if self._overlooks_decimal_commas(frame):
            return replace(self, dialect=replace(self.dialect, decimal=",")).read(text, names)
        for name in names:
            codes, marked = pd.factorize(frame[name])  # there are few names, and many rows of each
            found = pd.Series([mark[1:].strip() or None for mark in marked], dtype=frame[name].dtype)
            frame[name] = found.take(codes).to_numpy()
        return Sheet(frame, self.source.name, self.source, self.dialect)

    def _overlooks_decimal_commas(self, frame: pd.DataFrame) -> bool:
        """Whether there are numbers with a decimal comma, and none with a point, where a point was taken for it."""
        if self.dialect.delimiter == "," or self.dialect.decimal == ",":
            return False
        if any((frame[column] % 1 > 0).any() for column in frame.select_dtypes("float")):
            return False
        texts = (column for column in frame if pd.api.types.is_string_dtype(frame[column].dtype))
        return any(with_decimal_commas(frame[column].astype(str)) for column in texts)

    def _read(self, **options: object) -> pd.DataFrame:
        try:
            with self.source.open() as stream, warnings.catch_warnings():
                # pandas drops cells beyond the header with no more than this warning
                warnings.simplefilter("error", pd.errors.ParserWarning)
                return self._parse(stream, **options)
        except pd.errors.ParserWarning:
            refuse_long_rows(self.source.name, _lines(self.source, self.dialect), len(self.dialect.header))
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
            skiprows=self.dialect.above,
            skip_blank_lines=len(self.dialect.header)
            > 1,  # a single column leaves a line blank where a value is missing
            skipinitialspace=True,
            low_memory=False,
            **options,
        )
        if not len(frame):
            raise DataError(f"{self.source.name} has a header line and no rows. Rows of numbers are needed below it.")
        # a delimiter at the end of every line makes a last column without a name and without cells
        if frame.columns[-1] == "" and frame[""].isna().all():
            frame = frame.drop(columns="")
        return frame


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
            numbers = numbers_of(frame[column])
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


def _lines(source: Source, dialect: Dialect) -> Iterator[Record]:
    """Every row, the header first, as pandas counts rows: where there are many columns, blank lines are none.

    Raises DataError for a cell that is longer than any number or name.
    """
    with source.open() as raw:
        text = io.TextIOWrapper(raw, encoding=dialect.encoding, errors="replace", newline="")
        try:
            for line, row in records(text, dialect.delimiter, dialect.above):
                if len(dialect.header) == 1 or not blank(row):
                    yield line, row
        except csv.Error as error:
            raise DataError(
                f"{source.name}, {error}: is a quote opened there and never closed? Mend the line."
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
