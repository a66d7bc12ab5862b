"""Where data enters: a CSV or a data frame -> Table."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cnnlstm_cli.errors import CnnlstmError, DataError, UsageError
from cnnlstm_cli.series.cleaning import (
    UNOBSERVED,
    Block,
    Mending,
    by_time,
    follows,
    gap_limit,
    in_order,
    observed,
    on_grid,
    sparse,
    total,
    without_gaps,
)
from cnnlstm_cli.series.columns import covariates_of, require, targets_of
from cnnlstm_cli.series.compatible import other_step, refuse_invented, refuse_other_week
from cnnlstm_cli.series.covariates import Covariate, encoded
from cnnlstm_cli.series.dialect import Source
from cnnlstm_cli.series.finding import find_again, find_time, is_clock, text_columns
from cnnlstm_cli.series.frequency import Frequency, Times, find_frequency
from cnnlstm_cli.series.holidays import closed
from cnnlstm_cli.series.numerals import shown
from cnnlstm_cli.series.resampling import on_the_clock, resampled
from cnnlstm_cli.series.sheet import CsvReader, Sheet, sheet_from_frame
from cnnlstm_cli.series.table import Schema, Table
from cnnlstm_cli.series.tail import newest
from cnnlstm_cli.series.timecolumn import TimeColumn
from cnnlstm_cli.series.zone import require_zone
from cnnlstm_cli.specs import DataSpec

ONE_ID = (
    "Ids that differ only in the blanks around them are one. Name a column that tells more series apart with --id, or "
    "take rows of one time together with --doubled mean or sum."
)
LAST_TIME = np.datetime64("9000-01-01")  # what is forecast from there may be beyond the year 9999
Data: TypeAlias = "str | Path | Source | pd.DataFrame"


def opened(data: Data) -> Source | pd.DataFrame:
    """What can be read more than once, also where it is standard input. Raises InputError when there is no file."""
    return data if isinstance(data, (Source, pd.DataFrame)) else Source(data)


def fingerprint(data: Source | pd.DataFrame) -> str:
    """As a table made of it carries it; the data are not read for that, but for their bytes."""
    return sheet_from_frame(data).fingerprint() if isinstance(data, pd.DataFrame) else data.fingerprint()


def read_training(data: Data, spec: DataSpec) -> Table:
    """A table to train on: columns, times and step found from the data where `spec` does not name them.

    Raises InputError, DataError or UsageError as cli.md's list of errors has it.
    """
    sheet = _open(data, spec.id, spec.time[:1] if spec.time_format else ())
    named = covariates_of(spec)
    require(sheet, [*spec.time, *spec.target, *itertools.chain(*named.values()), *([spec.id] if spec.id else [])])
    time = _zoned(find_time(sheet, spec.time, spec.time_format, spec.id), spec.tz)
    targets, left_out = targets_of(sheet, spec, time)
    if spec.holidays and not time.dated:
        raise UsageError("--holidays needs dates, and the rows are counted. Name the time column with --time.")
    covariates = tuple(Covariate.found(sheet, name, role) for role, names in named.items() for name in names)
    _require_step(spec, time)
    frequency = _given(spec.freq, time) if spec.freq else None
    rows = _rows(sheet, time, targets, covariates, spec.id, spec.agg)
    frequency = frequency or _find_frequency(sheet, rows, time, spec)
    if spec.holidays and frequency.alias == "B" and closed(rows.times, spec.holidays):
        frequency = replace(frequency, closed=spec.holidays)
    if time.zone and frequency.within_a_day:
        time = replace(time, utc=True)
        rows = _rows(sheet, time, targets, covariates, spec.id, spec.agg)
    schema = Schema(time, frequency, targets, spec.id, covariates, spec.holidays, spec.doubled, spec.agg)
    table = _assemble(sheet, schema, rows, limit=gap_limit(frequency))
    if spec.strict:
        table.refuse_mended()
    empty = [name for name, column in zip(targets, table.values.T, strict=True) if np.isnan(column).all()]
    if empty:
        raise DataError(f"{sheet.name}: column {empty[0]!r} has no numbers at all. Leave it out with --target.")
    return replace(table, left_out=left_out, fingerprint=sheet.fingerprint())


def _zoned(time: TimeColumn, zone: str | None) -> TimeColumn:
    """The time by the clock of a zone. Raises UsageError where there is no such zone, or rows are counted."""
    if zone is None:
        return time
    require_zone(zone)
    if not time.dated:
        raise UsageError("--tz needs dates, and the rows are counted. Name the time column with --time.")
    return replace(time, zone=zone)


def _require_step(spec: DataSpec, time: TimeColumn) -> None:
    """Raises UsageError for --agg without a step to bring rows to, or beside what it replaces."""
    if spec.agg != "none" and (not spec.freq or time.kind == "row"):
        raise UsageError(f"--agg {spec.agg} brings rows to the step of --freq: name that, as h, D or MS, and a time.")
    if spec.agg != "none" and spec.doubled != "last":
        raise UsageError("--agg takes rows of one time together as well: leave out --doubled.")


def _given(alias: str, time: TimeColumn) -> Frequency:
    """The step a user named. Raises UsageError for one that does not go with the time, or is none."""
    frequency = Frequency(alias)
    whole = alias.isascii() and alias.isdigit()
    if whole == time.dated or (whole and int(alias) == 0) or (not whole and not frequency.possible):
        kind = "dates: ms, s, 15min, h, D, B, W-SUN, MS, ME" if time.dated else "whole numbers: 1 or more"
        raise UsageError(f"--freq {alias} is no step between {kind}.")
    return frequency


def read_recent(data: Data, schema: Schema, rows: int) -> Table:
    """The newest `rows` rows of each series, with the columns and the step of a run; gaps of any length are filled.

    Rows at the end whose targets are all empty are no observations and are dropped. What is older is not looked at, so
    that only mendings that the forecast depends on are told.

    Raises DataError when a column is missing or the rows follow another step, InputError when there is no file.
    """
    as_text = _as_text(schema)
    source = opened(data)
    if isinstance(source, pd.DataFrame):
        return _recent(sheet_from_frame(source), schema, rows)
    reader = CsvReader.open(source)
    require(reader.sample, schema.columns)  # before anything is done with thousands of other columns
    if not schema.id and schema.agg == "none":  # the last rows of many series may be anywhere, and steps have many rows
        for sheet in newest(reader, schema.time, rows, text_columns(reader.sample, as_text)):
            with contextlib.suppress(CnnlstmError):  # read from its start, the file gets a message that names the line
                table = _recent(sheet, schema, rows)
                unused = sum(each.count for each in table.mended if each.what == UNOBSERVED)
                if table.read - unused - len(table.ahead[0].times) >= rows:
                    return table
    return _recent(_read(reader, schema.id, as_text), schema, rows)


def _recent(sheet: Sheet, schema: Schema, wanted: int) -> Table:
    require(sheet, schema.columns)
    time = find_again(sheet, schema.time)
    rows = _rows(sheet, time, schema.targets, schema.covariates, schema.id, schema.agg)
    return _assemble(sheet, replace(schema, time=time), rows, newest=wanted)


def _as_text(schema: Schema) -> list[str]:
    """Columns that stay text, whatever their cells look like in a part of a file."""
    categories = [each.name for each in schema.covariates if each.categories]
    return [*(schema.time.names[:1] if schema.time.format else ()), *categories]


def read_history(data: Data, schema: Schema) -> Table:
    """Every row, with the columns and the step of a run; only short gaps are filled, as for training.

    Raises as `read_recent` does.
    """
    sheet = _open(data, schema.id, _as_text(schema))
    require(sheet, schema.columns)
    schema = replace(schema, time=find_again(sheet, schema.time))
    rows = _rows(sheet, schema.time, schema.targets, schema.covariates, schema.id, schema.agg)
    for part, block in _parts(sheet, rows, schema.id):
        refuse_other_week(part, schema, block)
    return _assemble(sheet, schema, rows, limit=gap_limit(schema.frequency))


def _open(data: Data, id_column: str | None, as_text: Sequence[str]) -> Sheet:
    """The sheet; ids, and the columns `as_text`, keep their leading zeros."""
    source = opened(data)
    if isinstance(source, pd.DataFrame):
        return sheet_from_frame(source)
    return _read(CsvReader.open(source), id_column, as_text)


def _read(reader: CsvReader, id_column: str | None, as_text: Sequence[str]) -> Sheet:
    names = [column for column in reader.sample.columns if column == id_column]
    return reader.read(text_columns(reader.sample, as_text), names)


@dataclass(frozen=True)
class _Rows:
    """Rows with a time, sorted into series but otherwise as they came."""

    times: Times
    values: NDArray[np.float64]
    covariates: NDArray[np.float64]
    starts: NDArray[np.int64]
    ids: tuple[str, ...]
    mended: tuple[Mending, ...]


def _rows(
    sheet: Sheet,
    time: TimeColumn,
    targets: Sequence[str],
    covariates: Sequence[Covariate],
    id_column: str | None,
    agg: str,
) -> _Rows:
    """Rows to be taken together to longer steps come in UTC: that they are in order can't be seen on the clock."""
    if time.zone and agg != "none":
        time = replace(time, utc=True)
    stamps = time.parse(sheet)
    values = np.column_stack([sheet.amounts(target) for target in targets])
    numbers, unseen = encoded(covariates, sheet)
    named = sheet.frame[id_column] if id_column else pd.Series("", index=stamps.index)
    stamps = time.held(sheet, stamps, named)
    if id_column and time.kind == "row":  # each series counts its own rows
        stamps = (stamps.groupby(named.to_numpy()).cumcount() + 1).astype("Int64")
    keep = (stamps.notna() & named.notna()).to_numpy(dtype=bool)
    first = "" if keep.all() else sheet.line(int(keep.argmin()))
    mended = [Mending("rows without a time or an id, dropped", int((~keep).sum()), first)] if first else []
    if not keep.any():
        raise DataError(f"{sheet.name}: no row has a time. Name the time column with --time.")
    codes, ids = pd.factorize(named[keep].astype(str))
    order = np.argsort(codes, kind="stable")
    times = stamps[keep].to_numpy(dtype="datetime64[us]" if time.dated else np.int64)[order]
    starts = np.searchsorted(codes[order], np.arange(len(ids)))
    return _Rows(times, values[keep][order], numbers[keep][order], starts, tuple(ids), (*mended, *unseen))


def _blocks(rows: _Rows) -> list[Block]:
    ends = [*rows.starts[1:], len(rows.times)]
    whole = Block(rows.times, rows.values, rows.covariates)
    return [whole[a:b] for a, b in zip(rows.starts, ends, strict=True)]


def _parts(sheet: Sheet, rows: _Rows, id_column: str | None) -> list[tuple[Sheet, Block]]:
    """The rows of each series, and the sheet by a name that says which of many series it is."""
    blocks = _blocks(rows)
    if id_column is None:
        return [(sheet, block) for block in blocks]
    names = (f"{sheet.name}, column {id_column!r}, series {shown(name)}" for name in rows.ids)
    return [(replace(sheet, name=name), block) for name, block in zip(names, blocks, strict=True)]


def _ordered(
    sheet: Sheet, time: TimeColumn, block: Block, doubled: str, id_column: str | None
) -> tuple[Block, list[Mending]]:
    """`in_order`. Raises DataError when so many times repeat that these must be several series."""
    ordered, mended = in_order(block, doubled)
    again = len(block.times) - len(ordered.times)
    if again * 3 > len(block.times) and doubled == "last":
        raise DataError(
            f"{sheet.name}: {again:,} of {len(block.times):,} rows repeat a time: several series stacked? "
            + (ONE_ID if id_column else _telling_apart(sheet, time))
        )
    return ordered, mended


def _telling_apart(sheet: Sheet, time: TimeColumn) -> str:
    """What to do when times repeat: which column, taken as id, would make them single."""
    times = list(time.names)
    for column in sheet.columns:
        few = 3 * sheet.frame[column].nunique() <= len(sheet.frame)
        if few and column not in times and not is_clock(column) and not sheet.frame.duplicated([*times, column]).any():
            return f"If column {column!r} tells the series apart, add --id {column}."
    return "Name the column that tells the series apart with --id, or all time columns with --time."


def _find_frequency(sheet: Sheet, rows: _Rows, time: TimeColumn, spec: DataSpec) -> Frequency:
    if time.kind == "row":
        return Frequency("1")
    parts = _parts(sheet, rows, spec.id)
    blocks = [_ordered(part, time, block, spec.doubled, spec.id)[0] for part, block in parts]
    starts = np.cumsum([0, *(len(block.times) for block in blocks)])[:-1]
    where = f"{sheet.name}, column {time.names[0]!r}"
    return find_frequency(np.concatenate([block.times for block in blocks]), where, starts)


def _assemble(sheet: Sheet, schema: Schema, rows: _Rows, limit: int | None = None, newest: int | None = None) -> Table:
    """The table of rows; `limit` is the longest gap to fill, `newest` how many rows of each series to take."""
    mended = list(rows.mended)
    blocks, seen, ahead = [], [], []
    for part, block in _parts(sheet, rows, schema.id):
        static = _static(part, schema, block)
        even, later, more = _even(part, schema, block, newest)
        even.covariates[:, schema.columns_of("static")] = static
        filled, holes = without_gaps(even, limit)
        mended += more + holes
        blocks.append(filled)
        seen.append(np.isfinite(even.values))
        ahead.append(later)
    lengths = [len(block.times) for block in blocks]
    times = np.concatenate([block.times for block in blocks])
    return Table(
        schema=schema,
        values=np.concatenate([block.values for block in blocks]),
        covariates=np.concatenate(
            [np.concatenate([block.covariates for block in blocks]), schema.dated(times)], axis=1
        ),
        ahead=tuple(ahead),
        observed=np.concatenate(seen),
        times=times,
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        ids=rows.ids,
        name=sheet.name,
        read=len(sheet.frame),
        mended=total(mended),
        order=tuple(sheet.columns),
        dialect=sheet.dialect,
    )


def _static(sheet: Sheet, schema: Schema, block: Block) -> NDArray[np.float64]:
    """The static covariates of a series, each column's one number. Raises DataError where it has none, or several."""
    columns = block.covariates[:, schema.columns_of("static")]
    some = ~np.isnan(columns)
    first: NDArray[np.float64] = columns[some.argmax(axis=0), np.arange(columns.shape[1])]
    wrong = np.flatnonzero(~some.any(axis=0) | (some & (columns != first)).any(axis=0))
    if len(wrong):
        names = [each.name for each in schema.covariates for _ in range(each.width) if each.role == "static"]
        column, why = columns[:, wrong[0]], "is empty in all of its rows"
        if not np.isnan(first[wrong[0]]):
            other = int(np.argmax(some[:, wrong[0]] & (column != first[wrong[0]])))
            why = f"is another at {schema.stamp(block.times[other])} than before"
        raise DataError(
            f"{sheet.name}: static column {names[wrong[0]]!r} {why}. Mend it, or name it with --known or --past."
        )
    return first


def _even(sheet: Sheet, schema: Schema, block: Block, newest: int | None) -> tuple[Block, Block, list[Mending]]:
    """In order and on the schema's grid, without the rows at the end that have no target, and those of them that have
    covariates. Raises DataError where it is no grid."""
    if schema.agg != "none":
        block, sorted_ = by_time(block)
        if schema.time.zone and not schema.time.utc:
            block, sorted_ = on_the_clock(block, sorted_, schema.time.zone)
        block, sorted_ = resampled(block, sorted_, schema.frequency, schema.agg, schema.time.wall)
    else:
        block, sorted_ = _ordered(sheet, schema.time, block, schema.doubled, schema.id)
    block, ahead, ended = observed(block, schema.columns_of("known"))
    if sparse(block):
        first, last = (schema.stamp(time) for time in block.times[[0, -1]])
        raise DataError(
            f"{sheet.name}: {len(block.times):,} rows from {first} to {last} at a step of {schema.frequency.alias!r} "
            "leave nearly all of that time empty. Is the first or the last stamp a slip?"
        )
    if schema.time.dated and block.times[-1] >= LAST_TIME:
        raise DataError(f"{sheet.name}: no time after {schema.stamp(block.times[-1])} can be written. Is it a slip?")
    if newest is not None:
        block = block[-newest:]
    if not follows(block, schema.frequency):
        raise DataError(other_step(sheet, schema, block))
    gridded, dropped = on_grid(block, schema.frequency)
    if newest is not None:
        refuse_other_week(sheet, schema, block)
        refuse_invented(sheet, schema, gridded, dropped, newest)
    return gridded, ahead, sorted_ + ended + dropped
