"""Where the time stands in a file, and how: one stamp, parts side by side, epoch, whole numbers, or nowhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cnnlstm_cli.errors import DataError
from cnnlstm_cli.series.numerals import shown
from cnnlstm_cli.series.sheet import Sheet
from cnnlstm_cli.series.stamps import StampFormat
from cnnlstm_cli.series.zone import offset_of, to_utc, to_wall, unskipped

Kind = Literal[
    "stamp",
    "date+hour",
    "date+time",
    "parts",
    "year+quarter",
    "epoch s",
    "epoch ms",
    "epoch us",
    "epoch ns",
    "integer",
    "row",
]

# How many of a unit make a second. Epochs from 1973 to 2286 are told apart by their size.
EPOCH_UNITS: dict[Kind, int] = {"epoch s": 1, "epoch ms": 10**3, "epoch us": 10**6, "epoch ns": 10**9}
LAST_SECOND = 253_402_300_800  # the first of the year 10,000


@dataclass(frozen=True)
class TimeColumn:
    """Where the time stands in a file, and how it is written.

    names   the columns, none when the rows themselves are the time
    format  how a text stamp is written (kinds "stamp", "date+hour", "date+time")
    zone    the time zone whose clock the stamps follow, where it was named
    utc     whether times are held in UTC, as those of a zone at steps below a day are: on the clock its days differ
    """

    kind: Kind
    names: tuple[str, ...] = ()
    format: StampFormat | None = None
    zone: str | None = None
    utc: bool = False

    @property
    def dated(self) -> bool:
        """Whether times are dates (datetime64[us]), not whole numbers (int64)."""
        return self.kind not in ("integer", "row")

    @property
    def _absolute(self) -> bool:
        """Whether a cell says by itself which moment it is, whatever the zone."""
        return self.kind in EPOCH_UNITS or (self.format is not None and "%z" in self.format.pattern)

    def wall(self, times: NDArray[Any]) -> NDArray[Any]:
        """Times (...) as the clock of their zone shows them, (...); as they are where there is none."""
        return to_wall(times, self.zone) if self.zone and self.utc else times

    def read(self, times: NDArray[Any]) -> NDArray[Any]:
        """Times (...) as a reader of the file knows them, (...): by the clock of their zone, or of their offset."""
        if self.zone or self.format is None:
            return self.wall(times)
        shifted: NDArray[Any] = times + np.timedelta64(self.format.shift, "us")
        return shifted

    def told(self, times: NDArray[Any]) -> NDArray[Any] | pd.DatetimeIndex:
        """Times for a data frame: those of a zone with it."""
        if not self.zone:
            return times
        index = pd.DatetimeIndex(times)
        return index.tz_localize("UTC").tz_convert(self.zone) if self.utc else index

    def moment(self, wall: np.datetime64) -> np.datetime64:
        """A time on the clock of the zone, as times are held."""
        return _moments(np.array([wall]), self.zone)[0] if self.zone and self.utc else wall

    def held(self, sheet: Sheet, stamps: pd.Series, series: pd.Series) -> pd.Series:
        """What `parse` found -> as times are held: in UTC or by the clock; of each series the rows in their order.

        Raises DataError, with the line, for a time that the clock of the zone skips.
        """
        if not self.zone or (self._absolute and self.utc):
            return stamps
        if not self.utc:
            found, given = stamps.copy(), stamps.dropna().to_numpy()
            moments = given if self._absolute else _moments(given, self.zone)
            wall = to_wall(moments, self.zone) if self._absolute else given
            found[stamps.notna()] = unskipped(wall, moments, self.zone)
            return found
        held = to_utc(stamps, self.zone, series)
        skipped = held.isna() & stamps.notna()
        self._refuse(sheet, skipped, stamps.astype(str), f"was skipped by the clocks of {self.zone}")
        return held

    def parse(self, sheet: Sheet) -> pd.Series:
        """The time of every row, datetime64[us] or Int64; missing where its cells are empty.

        In UTC where a cell says so, else by the clock. Raises DataError, with the place, for a cell that can't be read.
        """
        if self.kind == "row":
            return pd.Series(np.arange(1, len(sheet.frame) + 1), dtype="Int64")
        if self.kind == "stamp":
            return self._parse_text(sheet, sheet.frame[self.names[0]])
        if self.kind in ("date+hour", "date+time"):
            return self._parse_date_and_clock(sheet)
        if self.kind == "integer":
            return sheet.whole_numbers(self.names[0])
        numbers = [pd.Series(sheet.numbers(name)) for name in self.names]
        if self.kind in EPOCH_UNITS:
            seconds = numbers[0] / EPOCH_UNITS[self.kind]
            self._refuse(sheet, ~(seconds.abs() < LAST_SECOND), numbers[0], "is no epoch")
            return (seconds * 1e6).round().astype("Int64").astype("datetime64[us]")
        return self._parse_parts(sheet, numbers)

    def _parse_text(self, sheet: Sheet, text: pd.Series) -> pd.Series:
        if self.format is None:
            raise ValueError(f"a time column of kind {self.kind} needs a format")
        stamps = self.format.parse(text)
        if (stamps.isna() & text.notna()).any():  # some may only be padded with blanks
            text = text.astype("string").str.strip()
            stamps = self.format.parse(text)
        self._refuse(sheet, stamps.isna() & text.notna(), text, f"does not follow {self.format.pattern}")
        if "%y" in self.format.pattern:  # 68 is taken for 2068, 69 for 1969
            apart = stamps.dropna().dt.year.diff().abs() > 50
            self._refuse(sheet, apart.reindex(stamps.index), text, "may be of another century: years need four digits")
        return stamps

    def _parse_date_and_clock(self, sheet: Sheet) -> pd.Series:
        dates = self._parse_text(sheet, sheet.frame[self.names[0]])
        if self.kind == "date+hour":
            hours = pd.Series(sheet.numbers(self.names[1]))
            self._refuse(sheet, (hours < 0) | (hours > 24) | (hours % 1 != 0), hours, "is no hour", column=1)
            stamps = dates + pd.to_timedelta(hours, unit="h")
            for minutes in self.names[2:]:
                stamps = stamps + pd.to_timedelta(pd.Series(sheet.numbers(minutes)), unit="min")
            return stamps.astype("datetime64[us]")
        clock = sheet.frame[self.names[1]].astype("string").str.strip()
        full = clock.where(clock.str.count(":") != 1, clock + ":00")
        times = pd.to_timedelta(full, errors="coerce")
        self._refuse(sheet, times.isna() & clock.notna(), clock, "is no time of day", column=1)
        return (dates + times).astype("datetime64[us]")

    def _parse_parts(self, sheet: Sheet, numbers: list[pd.Series]) -> pd.Series:
        names = ("year", "month", "day", "hour", "minute")
        parts = dict(zip(names, numbers, strict=False))
        if self.kind == "year+quarter":
            parts["month"] = 3 * parts["month"] - 2
        for missing in names[len(numbers) : 3]:
            parts[missing] = pd.Series(1.0, index=numbers[0].index)
        stamps = pd.to_datetime(pd.DataFrame(parts), errors="coerce").astype("datetime64[us]")
        filled = pd.concat(numbers, axis=1).notna().all(axis=1)
        self._refuse(sheet, stamps.isna() & filled, numbers[0], "is part of no date")
        return stamps

    def _refuse(self, sheet: Sheet, bad: pd.Series, cells: pd.Series, why: str, column: int = 0) -> None:
        bad = bad.fillna(False).astype(bool) & cells.notna()
        if bad.any():
            row = int(np.flatnonzero(bad.to_numpy())[0])
            raise DataError(
                f"{sheet.place(row)}, column {self.names[column]!r}: {shown(cells.iloc[row])} {why} "
                f"({int(bad.sum())} such cells). Mend them, or name another time column with --time."
            )

    def write(self, times: NDArray[np.generic]) -> dict[str, list[str]]:
        """Times -> the cells of each time column, as the file writes them; `step` from 1 when it has none."""
        if self.kind == "row":
            return {"step": [str(int(time)) for time in times]}
        if self.kind == "integer":
            return {self.names[0]: [str(int(time)) for time in times]}
        stamps = times.astype("datetime64[us]")
        if self.zone and not self.utc:
            stamps = _moments(stamps, self.zone)
        if self.zone and not self._absolute:
            stamps = to_wall(stamps, self.zone)
        if self.kind in EPOCH_UNITS:
            per_second = EPOCH_UNITS[self.kind]
            return {self.names[0]: [_epoch_text(int(stamp) * per_second) for stamp in stamps.astype(np.int64)]}
        if self.format is not None:
            cells = {self.names[0]: self._written(self.format, stamps)}
            if self.kind == "date+hour":
                clock = (pd.DatetimeIndex(stamps).hour, pd.DatetimeIndex(stamps).minute)
                cells |= {name: [str(cell) for cell in part] for name, part in zip(self.names[1:], clock, strict=False)}
            elif self.kind == "date+time":
                cells[self.names[1]] = list(pd.DatetimeIndex(stamps).strftime("%H:%M:%S"))
            return cells
        index = pd.DatetimeIndex(stamps)
        second = index.quarter if self.kind == "year+quarter" else index.month
        parts = (index.year, second, index.day, index.hour, index.minute)
        return {name: [str(cell) for cell in part] for name, part in zip(self.names, parts, strict=False)}

    def _written(self, form: StampFormat, stamps: NDArray[np.datetime64]) -> list[str]:
        """Stamps as text; with offsets in a zone each with that of its moment."""
        if not self.zone or form.offset in ("", "Z"):
            return form.write(stamps)
        forms = (replace(form, offset=offset_of(each, self.zone, form.offset)) for each in stamps)
        return [each.write(stamp[None])[0] for each, stamp in zip(forms, stamps, strict=True)]


def _moments(wall: NDArray[np.datetime64], zone: str) -> NDArray[np.datetime64]:
    stamps = pd.Series(wall)
    one = pd.Series(0, index=stamps.index)
    found: NDArray[np.datetime64] = to_utc(stamps, zone, one, "shift_forward").to_numpy()
    return found


def _epoch_text(millionths: int) -> str:
    whole, rest = divmod(millionths, 10**6)
    return str(whole) if rest == 0 else f"{whole}.{rest:06d}".rstrip("0")
