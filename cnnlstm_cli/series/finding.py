"""Which columns of a sheet hold the time, and how it is written there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from cnnlstm_cli.errors import DataError
from cnnlstm_cli.series.numerals import numbers_of, shown
from cnnlstm_cli.series.sheet import Sheet
from cnnlstm_cli.series.stamps import FITTING, StampFormat, decide, looks_like_a_stamp, named_format, possible_formats
from cnnlstm_cli.series.timecolumn import EPOCH_UNITS, TimeColumn

# Names that columns of each kind go by, lower case, without blanks and underscores.
HOURS = ("hour", "hr", "hours", "hh", "hourofday")
CLOCKS = ("time", "clock", "timeofday", "hour", "hr")
PARTS = (
    ("year", "yyyy", "yr"),
    ("month", "mon", "mm", "mnth"),
    ("day", "dd", "dy", "mday", "dayofmonth"),
    HOURS,
    ("minute", "min", "minutes", "mi"),
)
QUARTERS = ("quarter", "qtr", "q")
TIMES = ("time", "timestamp", "datetime", "date", "ts", "ds", "epoch", "unix", "unixtime", "dt", "stamp", "when", "at")
STEPS = ("step", "t", "index", "idx", "instant", "period", "n", "row", "obs", "tick", "no", "nr", "")
# What names a time that is written in a way we do not know.
TIMELIKE = (*TIMES, *QUARTERS, "month", "week", "day", "period", "year", "datum", "zeit", "fecha", "hour", "clock")
MINUTES = PARTS[4]
INDEX = re.compile(r"(?:Unnamed: \d+)?")  # what pandas calls a data frame's index in a file, and once it has read that


def text_columns(sample: Sheet, as_text: Sequence[str] = ()) -> list[str]:
    """The columns of a sample (all text) to read as text: those asked for, and those whose cells look like dates."""
    dates = (column for column in sample.columns if possible_formats(sample.frame[column].head(50)))
    return list(dict.fromkeys([*(column for column in as_text if column in sample.columns), *dates]))


def find_time(
    sheet: Sheet, named: Sequence[str] = (), time_format: str | None = None, id_column: str | None = None
) -> TimeColumn:
    """The time columns of a sheet: those named by the user, else found by looks and names.

    Numbers are the time when they go one way, in each of the series that `id_column` tells apart.

    Raises DataError when the named columns hold no time, or a date can be read in two ways.
    """
    if named:
        return _named_time(sheet, list(named), time_format)
    dates = {column: formats for column in sheet.columns if (formats := _formats(sheet, column, time_format))}
    if time_format is not None and not dates:
        raise DataError(f"{sheet.name}: no column of text follows --time-format {time_format}. Name it with --time.")
    if dates:
        column = max(dates, key=lambda name: sheet.frame[name].nunique()) if len(dates) > 1 else next(iter(dates))
        return _with_clock(sheet, column, dates[column])
    if id_column is not None:  # one series after the other, as they are stored or not
        ordered = sheet.frame.sort_values(id_column, kind="stable")
        sheet = replace(sheet, frame=ordered.drop(columns=id_column))
    return _parts(sheet) or _epoch(sheet, sheet.columns) or _counter(sheet) or _no_column(sheet)


def _counter(sheet: Sheet) -> TimeColumn | None:
    """The first column, or another with a name to match; pandas' index only where there is no other."""
    first, others = sheet.columns[:1], sheet.columns[1:]
    if INDEX.fullmatch(first[0]):
        return _integer(sheet, others, anyname=False) or _integer(sheet, first, anyname=True)
    return _integer(sheet, first, anyname=True) or _integer(sheet, others, anyname=False)


def _no_column(sheet: Sheet) -> TimeColumn:
    """Rows are counted. Raises DataError when a column looks like the time but is written in no known way."""
    for column in sheet.columns:
        cells = sheet.frame[column].dropna()
        if sheet.is_number(column) or cells.nunique() < 2:
            continue
        stamps = sum(looks_like_a_stamp(str(cell)) for cell in cells.head(100))
        if _plain(column) in TIMELIKE or 2 * stamps > min(100, len(cells)):
            raise DataError(
                f"{sheet.name}: column {column!r} looks like the time, but its cells, like {shown(cells.iloc[0])}, "
                "follow no one way of writing that is known. Say how with --time-format, write ISO stamps "
                "(2024-12-31 23:00), or name another column with --time."
            )
    return TimeColumn("row")


def find_again(sheet: Sheet, known: TimeColumn) -> TimeColumn:
    """The time columns of a run in a new file: written as they were there if every cell is, else found anew.

    What decided between day-first and month-first in the training data may be missing in a few recent rows.
    """
    found = _as_before(sheet, known)
    return replace(found, zone=known.zone, utc=known.utc)


def _as_before(sheet: Sheet, known: TimeColumn) -> TimeColumn:
    if known.format is not None and not sheet.is_number(known.names[0]):
        text = sheet.frame[known.names[0]].astype("string").str.strip()
        form = named_format(known.format.pattern, text)
        if form.fits(text):
            return replace(known, format=form)
    elif known.kind not in EPOCH_UNITS:
        return known
    found = find_time(sheet, known.names)
    if found.dated != known.dated:
        raise DataError(f"{sheet.name}: column {found.names[0]!r} holds no dates; the run was trained on dates.")
    return found


def _named_time(sheet: Sheet, named: list[str], time_format: str | None) -> TimeColumn:
    first, where = named[0], f"{sheet.name}, column {named[0]!r}"
    if formats := _formats(sheet, first, time_format):
        if len(named) == 1:
            return TimeColumn("stamp", (first,), decide(sheet.frame[first], formats, where))
        return _with_clock(sheet, first, formats, named[1])
    if len(named) > 1:
        sheet_of = sheet.frame[named]
        return _parts(Sheet(sheet_of, sheet.name, sheet.source, sheet.dialect), positional=True) or _no_time(
            sheet, named
        )
    # whoever names the time need not have sorted it, nor have each time only once
    frame = sheet.frame.drop_duplicates(first).sort_values(first, kind="stable", key=_numeric)
    counted = replace(sheet, frame=frame)
    return (
        _epoch(counted, named)
        or _year(counted, first)
        or _integer(counted, named, anyname=True)
        or _no_time(sheet, named)
    )


def _no_time(sheet: Sheet, named: list[str]) -> TimeColumn:
    cell = sheet.frame[named[0]].dropna()
    example = f", for example {shown(str(cell.iloc[0]))}" if len(cell) else ""
    raise DataError(
        f"{sheet.name}: column {', '.join(map(repr, named))} holds no stamps, epochs or whole numbers that all are "
        f"written in one way{example}. Name the time column with --time, or how it is written with --time-format."
    )


def _formats(sheet: Sheet, column: str, time_format: str | None) -> list[StampFormat]:
    if sheet.is_number(column):
        return []
    text = sheet.frame[column].astype("string")
    if time_format is None:
        return possible_formats(text)
    text = text.str.strip()
    given = named_format(time_format, text)
    return [given] if given.parse(text).notna().any() else []


def _with_clock(sheet: Sheet, date: str, formats: list[StampFormat], clock: str | None = None) -> TimeColumn:
    """A date column alone, or together with the hour or clock column beside it when dates repeat."""
    where = f"{sheet.name}, column {date!r}"
    form = formats[0]
    if len(formats) > 1:  # rows of one day would make any reading of the date uneven
        form = decide(sheet.frame[date].drop_duplicates().astype("string").str.strip(), formats, where)
    candidates = (
        [clock] if clock else [name for name in sheet.columns if name != date and _plain(name) in HOURS + CLOCKS]
    )
    if "%H" in form.pattern or "%I" in form.pattern or not (clock or sheet.frame[date].duplicated().any()):
        return TimeColumn("stamp", (date,), form)
    for name in candidates:
        if sheet.is_number(name) and sheet.frame[name].between(0, 24).all():
            minutes = [other for other in sheet.columns if _plain(other) in MINUTES and sheet.is_number(other)]
            return TimeColumn("date+hour", (date, name, *minutes[:1]), form)
        if (
            not sheet.is_number(name)
            and sheet.frame[name].astype(str).str.fullmatch(r"\s*\d{1,2}:\d\d(:\d\d)?\s*").all()
        ):
            return TimeColumn("date+time", (date, name), form)
    return TimeColumn("stamp", (date,), form) if not clock else _no_time(sheet, [clock])


def _parts(sheet: Sheet, positional: bool = False) -> TimeColumn | None:
    """Year, month, day, hour and minute columns, by their names (or in this order); or year and quarter."""
    if positional:
        names: list[str] = sheet.columns
    else:
        by_name = {_plain(name): name for name in reversed(sheet.columns)}
        found = [next((by_name[alias] for alias in aliases if alias in by_name), None) for aliases in PARTS]
        names = [name for name in found[: found.index(None) if None in found else None] if name is not None]
        names += [by_name[alias] for alias in QUARTERS if alias in by_name][:1] if len(names) == 1 else []
    if not names or any(_numbers(sheet, name) is None for name in names):
        return None
    years = _numbers(sheet, names[0])
    if years is None or not years.between(1000, 3000).all() or (len(names) == 1 and not _year(sheet, names[0])):
        return None
    quarters = len(names) == 2 and _plain(names[1]) in QUARTERS
    return TimeColumn("year+quarter" if quarters else "parts", tuple(names))


def _year(sheet: Sheet, name: str) -> TimeColumn | None:
    """A column of years alone is the time only when the years go on from row to row."""
    years = _numbers(sheet, name)
    looks = years is not None and years.between(1000, 3000).all() and _goes_one_way(years)
    return TimeColumn("parts", (name,)) if looks and _plain(name) in PARTS[0] else None


def _numbers(sheet: Sheet, name: str) -> pd.Series | None:
    """The finite numbers of a column, where nine in ten of its filled cells are some; None for other columns.

    A stray cell is thus no reason not to see the times around it: reading them names it.
    """
    cells = sheet.frame[name].dropna()
    if pd.api.types.is_bool_dtype(cells.dtype):
        return None
    numbers = _numeric(cells)
    numbers = numbers[np.isfinite(numbers)]
    return numbers if len(numbers) and len(numbers) >= FITTING * len(cells) else None


def _numeric(cells: pd.Series) -> pd.Series:
    numbers: pd.Series = numbers_of(cells)
    return numbers


def _epoch(sheet: Sheet, names: Sequence[str]) -> TimeColumn | None:
    for name in names:
        cells = _numbers(sheet, name) if _plain(name) in TIMES or name == sheet.columns[0] else None
        if cells is None:
            continue
        for kind, per_second in EPOCH_UNITS.items():
            millionths = cells * 1e6 // per_second  # what stamps are held in: finer steps are none of an epoch
            if cells.between(1e8 * per_second, 1e10 * per_second).all() and _goes_one_way(millionths):
                return TimeColumn(kind, (name,))
    return None


def _integer(sheet: Sheet, names: Sequence[str], anyname: bool) -> TimeColumn | None:
    """A column of whole numbers that counts up (or down), with a name to match or by one and the same step."""
    for name in names:
        known = _plain(name) in STEPS + TIMES
        cells = _numbers(sheet, name) if known or anyname else None
        if cells is None or len(sheet.columns) < 2 or (cells % 1 == 0).mean() < FITTING or not _goes_one_way(cells):
            continue
        if known or np.unique(np.diff(cells), return_counts=True)[1].max() > FITTING * (len(cells) - 1):
            return TimeColumn("integer", (name,))
    return None


def _goes_one_way(cells: pd.Series) -> bool:
    """Nearly every row is above the last (or below: newest first); many series in one file start over now and then."""
    steps = np.diff(cells.to_numpy(dtype=None if pd.api.types.is_signed_integer_dtype(cells.dtype) else np.float64))
    return len(steps) > 0 and max(float((steps > 0).mean()), float((steps < 0).mean())) >= 0.9


def is_clock(name: str) -> bool:
    """Whether a column's name says that it holds part of a time."""
    return _plain(name) in {*HOURS, *CLOCKS, *MINUTES}


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-]", "", name).casefold()
