"""The cells of a sheet -> a Table: rows told apart by series, put in order and on a grid, their holes filled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cnnlstm_cli.errors import DataError
from cnnlstm_cli.series.cleaning import (
    Block,
    Mending,
    by_time,
    follows,
    in_order,
    observed,
    on_grid,
    sparse,
    total,
    without_gaps,
)
from cnnlstm_cli.series.compatible import other_step, refuse_invented, refuse_other_week
from cnnlstm_cli.series.covariates import Covariate, encoded
from cnnlstm_cli.series.finding import is_clock
from cnnlstm_cli.series.frequency import Times
from cnnlstm_cli.series.numerals import shown
from cnnlstm_cli.series.resampling import on_the_clock, resampled
from cnnlstm_cli.series.sheet import Sheet
from cnnlstm_cli.series.table import Schema, Table
from cnnlstm_cli.series.timecolumn import TimeColumn

ONE_ID = (
    "Ids that differ only in the blanks around them are one. Name a column that tells more series apart with --id, or "
    "take rows of one time together with --doubled mean or sum."
)
SEPARATOR = "\x1f"  # between the names of a group and of a series of it
LAST_TIME = np.datetime64("9000-01-01")  # what is forecast from there may be beyond the year 9999


@dataclass(frozen=True)
class Rows:
    """Rows with a time, sorted into series but otherwise as they came.

    groups  of each series the group that it is in; empty texts where there are none
    """

    times: Times
    values: NDArray[np.float64]
    covariates: NDArray[np.float64]
    starts: NDArray[np.int64]
    ids: tuple[str, ...]
    mended: tuple[Mending, ...]
    groups: tuple[str, ...]

    def only(self, series: Sequence[int]) -> Rows:
        """Those of some series."""
        ends = [*self.starts[1:], len(self.times)]
        rows = [slice(self.starts[k], ends[k]) for k in series]
        lengths = [each.stop - each.start for each in rows]
        return replace(
            self,
            times=np.concatenate([self.times[each] for each in rows]),
            values=np.concatenate([self.values[each] for each in rows]),
            covariates=np.concatenate([self.covariates[each] for each in rows]),
            starts=np.cumsum([0, *lengths[:-1]]),
            ids=tuple(self.ids[k] for k in series),
            mended=(),
            groups=tuple(self.groups[k] for k in series),
        )


def rows_of(
    sheet: Sheet,
    time: TimeColumn,
    targets: Sequence[str],
    covariates: Sequence[Covariate],
    id_column: str | None,
    agg: str,
    per: str | None = None,
) -> Rows:
    """Rows to be taken together to longer steps come in UTC: that they are in order can't be seen on the clock.

    per  the column that tells groups apart; ids of two groups may be the same
    """
    if time.zone and agg != "none":
        time = replace(time, utc=True)
    stamps = time.parse(sheet)
    values = np.column_stack([sheet.amounts(target) for target in targets])
    numbers, unseen = encoded(covariates, sheet)
    named = sheet.frame[id_column] if id_column else pd.Series("", index=stamps.index)
    if per:
        group, own = (_texts(each) for each in (sheet.frame[per], named))
        named = group + SEPARATOR + own
    stamps = time.held(sheet, stamps, named)
    if id_column and time.kind == "row":  # each series counts its own rows
        stamps = (stamps.groupby(named.to_numpy()).cumcount() + 1).astype("Int64")
    keep = (stamps.notna() & named.notna()).to_numpy(dtype=bool)
    first = "" if keep.all() else sheet.line(int(keep.argmin()))
    mended = [Mending("rows without a time or an id, dropped", int((~keep).sum()), first)] if first else []
    if not keep.any():
        raise DataError(f"{sheet.name}: no row has a time. Name the time column with --time.")
    codes, keys = pd.factorize(named[keep].astype(str))
    order = np.argsort(codes, kind="stable")
    times = stamps[keep].to_numpy(dtype="datetime64[us]" if time.dated else np.int64)[order]
    starts = np.searchsorted(codes[order], np.arange(len(keys)))
    parts = [key.split(SEPARATOR, 1) if per else ("", key) for key in keys]
    groups, ids = tuple(each[0] for each in parts), tuple(each[1] for each in parts)
    return Rows(times, values[keep][order], numbers[keep][order], starts, ids, (*mended, *unseen), groups)


def _texts(names: pd.Series) -> pd.Series:
    """Names as text, whole numbers without a point: a data frame gives them one where a cell of theirs is empty."""
    if pd.api.types.is_float_dtype(names.dtype) and (names.dropna() % 1 == 0).all():
        names = names.astype("Int64")
    return names.astype(str).where(names.notna())


def _blocks(rows: Rows) -> list[Block]:
    ends = [*rows.starts[1:], len(rows.times)]
    whole = Block(rows.times, rows.values, rows.covariates)
    return [whole[a:b] for a, b in zip(rows.starts, ends, strict=True)]


def parts_of(sheet: Sheet, rows: Rows, id_column: str | None) -> list[tuple[Sheet, Block]]:
    """The rows of each series, and the sheet by a name that says which of many series it is."""
    blocks = _blocks(rows)
    if id_column is None:
        return [(sheet, block) for block in blocks]
    names = (f"{sheet.name}, column {id_column!r}, series {shown(name)}" for name in rows.ids)
    return [(replace(sheet, name=name), block) for name, block in zip(names, blocks, strict=True)]


def ordered(
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


def assemble(sheet: Sheet, schema: Schema, rows: Rows, limit: int | None = None, newest: int | None = None) -> Table:
    """The table of rows; `limit` is the longest gap to fill, `newest` how many rows of each series to take."""
    mended = list(rows.mended)
    blocks, seen, ahead = [], [], []
    for part, block in parts_of(sheet, rows, schema.id):
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
        block, sorted_ = ordered(sheet, schema.time, block, schema.doubled, schema.id)
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
