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

from cnnlstm_cli.errors import CnnlstmError, DataError, UsageError
from cnnlstm_cli.series.assembly import Rows, assemble, ordered, parts_of, rows_of
from cnnlstm_cli.series.cleaning import (
    UNOBSERVED,
    gap_limit,
)
from cnnlstm_cli.series.columns import covariates_of, require, targets_of
from cnnlstm_cli.series.compatible import refuse_other_week
from cnnlstm_cli.series.covariates import Covariate
from cnnlstm_cli.series.dialect import Source
from cnnlstm_cli.series.finding import find_again, find_time, text_columns
from cnnlstm_cli.series.frequency import Frequency, find_frequency
from cnnlstm_cli.series.holidays import closed
from cnnlstm_cli.series.sheet import CsvReader, Sheet, sheet_from_frame
from cnnlstm_cli.series.table import Schema, Table
from cnnlstm_cli.series.tail import newest
from cnnlstm_cli.series.timecolumn import TimeColumn
from cnnlstm_cli.series.zone import require_zone
from cnnlstm_cli.specs import DataSpec

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
    found = find_columns(data, spec)
    table = assemble(found.sheet, found.schema, found.rows, limit=gap_limit(found.schema.frequency))
    require_usable(table, spec)
    return replace(table, left_out=found.left_out, fingerprint=found.sheet.fingerprint())


def require_usable(table: Table, spec: DataSpec) -> None:
    """Raises DataError for what was mended where that is not to be, and for a target without any number."""
    if spec.strict:
        table.refuse_mended()
    empty = [name for name, column in zip(table.schema.targets, table.values.T, strict=True) if np.isnan(column).all()]
    if empty:
        raise DataError(f"{table.name}: column {empty[0]!r} has no numbers at all. Leave it out with --target.")


@dataclass(frozen=True)
class Columns:
    """What the columns of a sheet are, and its rows by them; `left_out` are those not used, each with the reason."""

    sheet: Sheet
    schema: Schema
    rows: Rows
    left_out: tuple[tuple[str, str], ...] = ()


def find_columns(data: Data, spec: DataSpec, per: str | None = None) -> Columns:
    """Found from the data where `spec` does not name them; `per` tells groups of series apart. Raises as
    `read_training` does."""
    groups = [per] if per and per != spec.id else []
    sheet = _open(data, spec.id, [*(spec.time[:1] if spec.time_format else ()), *groups])
    named = covariates_of(spec)
    ids = [spec.id] if spec.id else []
    require(sheet, [*spec.time, *spec.target, *itertools.chain(*named.values()), *ids, *groups])
    time = _zoned(find_time(sheet, spec.time, spec.time_format, spec.id), spec.tz)
    targets, left_out = targets_of(sheet, spec, time, groups)
    if spec.holidays and not time.dated:
        raise UsageError("--holidays needs dates, and the rows are counted. Name the time column with --time.")
    covariates = tuple(Covariate.found(sheet, name, role) for role, names in named.items() for name in names)
    _require_step(spec, time)
    frequency = _given(spec.freq, time) if spec.freq else None
    rows = rows_of(sheet, time, targets, covariates, spec.id, spec.agg, per)
    frequency = frequency or _find_frequency(sheet, rows, time, spec, lenient=per is not None)
    if spec.holidays and frequency.alias == "B" and closed(rows.times, spec.holidays):
        frequency = replace(frequency, closed=spec.holidays)
    if time.zone and frequency.within_a_day:
        time = replace(time, utc=True)
        rows = rows_of(sheet, time, targets, covariates, spec.id, spec.agg, per)
    schema = Schema(time, frequency, targets, spec.id, covariates, spec.holidays, spec.doubled, spec.agg)
    return Columns(sheet, schema, rows, left_out)


def columns_again(data: Data, schema: Schema, per: str | None = None) -> Columns:
    """All rows, by the columns and the step of a run. Raises as `read_recent` does."""
    groups = [per] if per and per != schema.id else []
    sheet = _open(data, schema.id, [*_as_text(schema), *groups])
    require(sheet, [*schema.columns, *groups])
    schema = replace(schema, time=find_again(sheet, schema.time))
    rows = rows_of(sheet, schema.time, schema.targets, schema.covariates, schema.id, schema.agg, per)
    return Columns(sheet, schema, rows)


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
    rows = rows_of(sheet, time, schema.targets, schema.covariates, schema.id, schema.agg)
    return assemble(sheet, replace(schema, time=time), rows, newest=wanted)


def _as_text(schema: Schema) -> list[str]:
    """Columns that stay text, whatever their cells look like in a part of a file."""
    categories = [each.name for each in schema.covariates if each.categories]
    return [*(schema.time.names[:1] if schema.time.format else ()), *categories]


def read_history(data: Data, schema: Schema) -> Table:
    """Every row, with the columns and the step of a run; only short gaps are filled, as for training.

    Raises as `read_recent` does.
    """
    found = columns_again(data, schema)
    for part, block in parts_of(found.sheet, found.rows, schema.id):
        refuse_other_week(part, found.schema, block)
    return assemble(found.sheet, found.schema, found.rows, limit=gap_limit(schema.frequency))


def _open(data: Data, id_column: str | None, as_text: Sequence[str]) -> Sheet:
    """The sheet; ids, and the columns `as_text`, keep their leading zeros."""
    source = opened(data)
    if isinstance(source, pd.DataFrame):
        return sheet_from_frame(source)
    return _read(CsvReader.open(source), id_column, as_text)


def _read(reader: CsvReader, id_column: str | None, as_text: Sequence[str]) -> Sheet:
    names = [column for column in reader.sample.columns if column == id_column]
    return reader.read(text_columns(reader.sample, as_text), names)


def _find_frequency(sheet: Sheet, rows: Rows, time: TimeColumn, spec: DataSpec, *, lenient: bool) -> Frequency:
    """That of most series; `lenient`: without those whose rows can't be put in order, if there are others."""
    if time.kind == "row":
        return Frequency("1")
    blocks = []
    for part, block in parts_of(sheet, rows, spec.id):
        with contextlib.suppress(*([DataError] if lenient else [])):
            blocks.append(ordered(part, time, block, spec.doubled, spec.id)[0])
    if not blocks:
        return _find_frequency(sheet, rows, time, spec, lenient=False)
    starts = np.cumsum([0, *(len(block.times) for block in blocks)])[:-1]
    where = f"{sheet.name}, column {time.names[0]!r}"
    return find_frequency(np.concatenate([block.times for block in blocks]), where, starts)
