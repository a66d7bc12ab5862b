"""The record everything works on once data has entered: even series, and what their columns are."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.errors import DataError
from cnnlstm_cli.series.cleaning import Block, Mending
from cnnlstm_cli.series.covariates import Covariate, Role
from cnnlstm_cli.series.dialect import Dialect
from cnnlstm_cli.series.frequency import Frequency, Times
from cnnlstm_cli.series.holidays import WIDTH as HOLIDAYS
from cnnlstm_cli.series.holidays import holidays
from cnnlstm_cli.series.timecolumn import TimeColumn

SUNDAY, LATEST_HOUR, AUTUMN = 6, 3, (3, 4, 9, 10, 11)  # when clocks are put back, north and south


@dataclass(frozen=True)
class Schema:
    """What the columns of a file are.

    holidays  whose holidays are told beside them, as DE
    doubled   what becomes of rows of one time: see `cleaning.in_order`
    agg       how rows at any times become one a step: see `resampling.resampled`; `none` where each row is a step
    """

    time: TimeColumn
    frequency: Frequency
    targets: tuple[str, ...]
    id: str | None = None
    covariates: tuple[Covariate, ...] = ()
    holidays: str | None = None
    doubled: str = "last"
    agg: str = "none"

    @property
    def step(self) -> str:
        """The step in words, and how rows come to it: hourly, by their mean, on the clocks of Europe/Berlin."""
        by = "" if self.agg == "none" else f", by their {self.agg}"
        return f"{self.frequency}{by}{f', on the clocks of {self.time.zone}' if self.time.zone else ''}"

    @property
    def widths(self) -> dict[str, int]:
        """How many columns of numbers each covariate becomes, those of the file before the holidays."""
        dated = {f"holidays {self.holidays}": HOLIDAYS} if self.holidays else {}
        return {each.name: each.width for each in self.covariates} | dated

    @property
    def roles(self) -> tuple[Role, ...]:
        """What is known of each column of numbers that covariates become, (K,)."""
        dated: list[Role] = ["known"] * (HOLIDAYS if self.holidays else 0)
        return (*(each.role for each in self.covariates for _ in range(each.width)), *dated)

    def columns_of(self, role: Role) -> list[int]:
        """Which columns of numbers the file's covariates of that role become."""
        every = [each.role for each in self.covariates for _ in range(each.width)]
        return [k for k, each in enumerate(every) if each == role]

    def dated(self, times: Times) -> NDArray[np.float64]:
        """(rows, K'): what is known of times without any file."""
        return holidays(self.time.wall(times), self.holidays) if self.holidays else np.empty((len(times), 0))

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column a file must have."""
        covariates = (each.name for each in self.covariates)
        return (*((self.id,) if self.id else ()), *self.time.names, *self.targets, *covariates)

    def stamp(self, time: np.generic) -> str:
        """A time as the file writes it; one of no year from 1 to 9999 as it is, for no format knows it."""
        if self.time.dated and not isinstance(time.astype("datetime64[us]").item(), datetime):
            return str(time)
        return " ".join(cells[0] for cells in self.time.write(np.array([time])).values())


@dataclass(frozen=True)
class Table:
    """Even series, one after the other.

    values   (rows, targets) float64; NaN only where a gap was too long to fill
    covariates (rows, K) float64, as `Covariate.encode` makes them, in units of the data, NaN as in `values`; then what
             `Schema.dated` knows
    ahead    of each series the rows after its last target that have some; the values of their targets are NaN
    observed (rows, targets) where the file had a value; the others were filled
    times    (rows,) datetime64[us] or int64, evenly spaced and ascending within each series
    offsets  (series + 1,) int64: series k is rows offsets[k] .. offsets[k+1]-1
    ids      the name of each series; one empty name when there is no id column
    read     rows read from the file
    mended   what was put right
    left_out columns that are not used, each with the reason
    """

    schema: Schema
    values: NDArray[np.float64]
    covariates: NDArray[np.float64]
    ahead: tuple[Block, ...]
    observed: NDArray[np.bool_]
    times: Times
    offsets: NDArray[np.int64]
    ids: tuple[str, ...]
    name: str
    read: int
    mended: tuple[Mending, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    order: tuple[str, ...] = ()
    dialect: Dialect | None = None
    fingerprint: str = ""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Rows of each series, (series,)."""
        return np.diff(self.offsets)

    def until(self, rows: NDArray[np.int64]) -> Table:
        """The first `rows` (series,) rows of each series: what was known then.

        Values that were filled towards a row that comes later were not known, and are missing again.
        """
        lengths = np.minimum(rows, self.lengths)
        numbers = np.arange(len(self.values))
        first = np.repeat(self.offsets[:-1], self.lengths)
        kept = numbers - first < np.repeat(lengths, self.lengths)
        known = self.without(~kept)
        return replace(
            known,
            values=known.values[kept],
            covariates=self.covariates[kept],
            observed=self.observed[kept],
            times=self.times[kept],
            offsets=np.append(0, np.cumsum(lengths)),
        )

    def only(self, series: NDArray[np.bool_]) -> Table:
        """Some of the series, (series,)."""
        rows = np.repeat(series, self.lengths)
        return replace(
            self,
            values=self.values[rows],
            covariates=self.covariates[rows],
            ahead=tuple(itertools.compress(self.ahead, series)),
            observed=self.observed[rows],
            times=self.times[rows],
            offsets=np.append(0, np.cumsum(self.lengths[series])),
            ids=tuple(itertools.compress(self.ids, series)),
        )

    def without(self, rows: NDArray[np.bool_]) -> Table:
        """The same with these rows (rows,) missing, and with them what was filled between one of them and another."""
        values = self.values.copy()
        gone = np.repeat(rows[:, None], values.shape[1], axis=1)
        filled = ~self.observed & ~gone
        if filled.any():  # each from the rows before and after it that are not filled, where its series has them
            count = len(values)
            numbers = np.where(filled, -1, np.arange(count)[:, None])
            before = np.maximum.accumulate(numbers, axis=0)
            after = np.minimum.accumulate(np.where(filled, count, numbers)[::-1], axis=0)[::-1]
            start, end = (np.repeat(edge, self.lengths)[:, None] for edge in (self.offsets[:-1], self.offsets[1:]))
            leans_back = (before >= start) & np.take_along_axis(gone, np.maximum(before, 0), axis=0)
            leans_ahead = (after >= end) | np.take_along_axis(gone, np.minimum(after, count - 1), axis=0)
            gone |= filled & (leans_back | leans_ahead)
        values[gone] = np.nan
        return replace(self, values=values)

    def stamp(self, time: np.generic) -> str:
        """A time as the file writes it."""
        return self.schema.stamp(time)

    def notes(self) -> list[str]:
        """What a user should be told: how the file is written, if unusual, and what was mended, and where first."""
        unusual = self.dialect.unusual() if self.dialect else None
        return [*([f"read with {unusual}"] if unusual else []), *map(self._note, self.mended), *self._hint()]

    def _hint(self) -> list[str]:
        """At --tz, where the stamps that come twice do so in the small hours of a Sunday, when clocks are put back."""
        first = next((each.first for each in self.mended if each.what.startswith("doubled stamps")), None)
        if self.schema.time.zone or not self.schema.frequency.within_a_day or not isinstance(first, np.datetime64):
            return []
        stamp = first.item()
        night = stamp.weekday() == SUNDAY and stamp.hour <= LATEST_HOUR and stamp.month in AUTUMN
        return (
            ["if that is the hour in which clocks are put back, name their zone: --tz Europe/Berlin"] if night else []
        )

    def refuse_mended(self) -> None:
        """Raises DataError, saying what and where, when anything had to be mended."""
        if self.mended:
            found = "; ".join(self._note(each).removeprefix("mended: ") for each in self.mended)
            raise DataError(f"{self.name} needs mending, which --strict refuses: {found}. Mend the file first.")

    def _note(self, each: Mending) -> str:
        first = each.first if each.first is None or isinstance(each.first, str) else self.stamp(each.first)
        return f"mended: {each.count:,} {each.what}" + (f" (first at {first})" if first else "")

    def mended_counts(self) -> dict[str, int]:
        """What was mended, {what: how many}."""
        return {each.what: each.count for each in self.mended}
