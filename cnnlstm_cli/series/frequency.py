"""The step between rows: found from the stamps, and what it suggests (seasons, horizon)."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cnnlstm_cli.errors import DataError, UsageError
from cnnlstm_cli.series.holidays import YEARS, days_of

DAY = pd.Timedelta(days=1)
Times = NDArray[Any]  # datetime64[us] or int64, ascending
MOST_STEPS = 50_000_000

# How far people look ahead at each step: a day of hours and minutes, two weeks of days, a year of months (the M4
# competition's horizons, except that hours and months get a whole day and year).
HORIZONS = {"B": 10, "D": 14, "W": 13, "M": 12, "3M": 8, "12M": 4}
WORDS = {"s": "every second", "min": "every minute", "h": "hourly", "D": "daily", "B": "every business day"}
WORDS |= {"W": "weekly", "M": "monthly", "3M": "quarterly", "12M": "yearly"}
SEASONS = {"B": (5,), "D": (7, 365), "W": (52,), "M": (12,), "3M": (4,)}


@dataclass(frozen=True)
class Frequency:
    """The step of a series.

    alias  pandas' name for it (h, 15min, D, B, W-SUN, MS, ME, 3MS), or a whole number of steps for integer times
    day    day of the month that months start on here (1 but for stamps like the 15th of every month)
    closed of business days, whose holidays are none: a country or a market, as `holidays.days_of` takes it
    """

    alias: str
    day: int = 1
    closed: str | None = None

    @property
    def dated(self) -> bool:
        """Whether it is a step in time, not in whole numbers."""
        return not self.alias.isdigit()

    def __str__(self) -> str:
        """In words: hourly, every 15min, 3 steps."""
        if not self.dated:
            return "row by row" if self.alias == "1" else f"every {self.alias}"
        words = WORDS.get(self._family) or WORDS.get(self.alias) or f"every {self.alias}"
        return f"{words} but the holidays of {self.closed}" if self.closed else words

    @cached_property
    def offset(self) -> pd.offsets.BaseOffset:
        """The pandas offset of a dated step. Raises UsageError for a name pandas does not know."""
        if self.closed:
            return pd.offsets.CustomBusinessDay(holidays=list(days_of(self.closed, YEARS)))
        try:
            return pd.tseries.frequencies.to_offset(self.alias)
        except ValueError:
            raise UsageError(
                f"no such step: {self.alias!r}. Write it as pandas does: h, 15min, D, B, W-SUN, MS, ME."
            ) from None

    @property
    def possible(self) -> bool:
        """Whether a dated step goes forward, by microseconds or more, and not beyond what dates can be."""
        if isinstance(self.offset, pd.offsets.CustomBusinessDay):  # of a calendar that an alias does not name
            return False
        try:
            return self.offset.n >= 1 and self._span % pd.Timedelta(1, "us") == pd.Timedelta(0)
        except (OverflowError, pd.errors.OutOfBoundsDatetime, pd.errors.OutOfBoundsTimedelta):
            return False

    @property
    def _span(self) -> pd.Timedelta:
        """From the first moment of 1970 one step on."""
        return pd.Timestamp(0).as_unit("us") + self.offset - pd.Timestamp(0)

    def require_few(self, first: Any, last: Any) -> None:
        """Raises UsageError for a step so short that there are too many from `first` to `last` to hold."""
        size = self._span.to_timedelta64() if self.dated else int(self.alias)
        if (last - first) / size > MOST_STEPS:
            raise UsageError(
                f"--freq {self.alias}: from the first row to the last there are more than {MOST_STEPS:,} such steps. "
                "Name a longer one."
            )

    def grid(self, first: Any, last: Any) -> Times:
        """Every time from `first` to `last`, both included; not to be written to, as series of one span share it.

        Raises UsageError where there are too many.
        """
        return _grid(self, first, last)

    def after(self, last: Any, steps: int) -> Times:
        """The `steps` times that follow `last`; not to be written to, as series that end together share them."""
        return _after(self, last, steps)

    @property
    def rows_per_day(self) -> int | None:
        """How many rows make a day, for steps that divide one; None for others."""
        if not self.dated or not isinstance(self.offset, pd.offsets.Tick):
            return None
        rows, rest = divmod(DAY.value, self.offset.nanos)
        return rows if rest == 0 else None

    @property
    def within_a_day(self) -> bool:
        """Whether it is a step in time of less than a day."""
        return self.dated and isinstance(self.offset, pd.offsets.Tick) and self.offset.nanos < DAY.value

    def suggested_seasons(self) -> tuple[int, ...]:
        """Season lengths in rows that are usual for the step: an hour, a day, a week, a year."""
        rows = self.rows_per_day
        if rows is not None and rows > 1:
            hour = (rows // 24,) if rows >= 24 * 60 else ()
            return (*hour, rows, rows * 7)
        return SEASONS.get(self._family, ())

    def usual_horizon(self) -> int | None:
        """Steps people look ahead at this step; None where it suggests nothing (whole numbers)."""
        rows = self.rows_per_day
        if rows is not None and rows > 1:
            return 60 if rows >= 24 * 60 else rows
        return HORIZONS.get(self._family)

    @property
    def _family(self) -> str:
        """The key in the tables above: weeks whatever their day, months whichever day of them."""
        return re.sub(r"-.*|(?<=M)[SE]$", "", self.alias.replace("BM", "M")) if self.dated else ""


@functools.lru_cache(maxsize=8)
def _grid(frequency: Frequency, first: Any, last: Any) -> Times:
    frequency.require_few(first, last)
    if not frequency.dated:
        times: Times = np.arange(int(first), int(last) + 1, int(frequency.alias))
    else:
        shift = pd.Timedelta(days=frequency.day - 1)
        start, end = (pd.Timestamp(time) - shift for time in (first, last))
        dates = pd.date_range(start, end, freq=frequency.offset)
        times = _stamps(dates + shift if frequency.day > 1 else dates)
    times.flags.writeable = False
    return times


@functools.lru_cache(maxsize=8)
def _after(frequency: Frequency, last: Any, steps: int) -> Times:
    if not frequency.dated:
        times: Times = int(last) + int(frequency.alias) * np.arange(1, steps + 1)
    else:
        shift = pd.Timedelta(days=frequency.day - 1)
        start = pd.Timestamp(last) - shift
        ahead = pd.date_range(start, periods=steps + 1, freq=frequency.offset)
        ahead = ahead[1:] if ahead[0] == start else ahead[:steps]
        times = _stamps(ahead + shift)
    times.flags.writeable = False
    return times


def find_frequency(times: Times, where: str, starts: NDArray[np.int64] | None = None) -> Frequency:
    """The step that most rows follow; a missing or doubled stamp here and there changes nothing.

    times   ascending within each series, (rows,)
    starts  rows at which a further series starts: the step into them does not count

    Raises DataError when fewer than half of the rows agree on a step.
    """
    steps = np.diff(times)
    keep = steps.astype(np.int64) > 0
    if starts is not None:
        keep[starts[starts > 0] - 1] = False
    if not keep.any():
        raise DataError(f"{where}: all rows have the same time. Rows at different times are needed.")
    sizes, counts = np.unique(steps[keep], return_counts=True)
    common, share = sizes[counts.argmax()], counts.max() / counts.sum()
    if times.dtype.kind != "M":
        return _checked(Frequency(str(int(common))), share, where)
    index = pd.DatetimeIndex(times)
    if common >= 27 * np.timedelta64(1, "D"):
        if monthly := _months(index, keep):
            return monthly
    elif common == DAY.to_timedelta64() and _business(index):
        return Frequency("B")
    return _checked(Frequency(_alias(pd.Timedelta(common), index)), share, where)


def _checked(frequency: Frequency, share: float, where: str) -> Frequency:
    if share < 0.5:
        raise DataError(
            f"{where}: the rows are not evenly spaced: the commonest step ({frequency.alias}) holds for only "
            f"{share:.0%} of them. Bring them to one with --freq and --agg, as --freq h --agg mean."
        )
    return frequency


def _months(index: pd.DatetimeIndex, keep: NDArray[np.bool_]) -> Frequency | None:
    """Month starts, month ends, or one day of the month; None when the stamps follow no months."""
    steps = np.diff(index.year * 12 + index.month)[keep]
    sizes, counts = np.unique(steps, return_counts=True)
    months = int(sizes[counts.argmax()])
    if months < 1 or counts.max() < 0.5 * counts.sum():
        return None
    count = "" if months == 1 else str(months)
    days, often = np.unique(index.day, return_counts=True)
    day = int(days[often.argmax()])
    if day <= 28 and often.max() > 0.9 * len(index):
        return Frequency(f"{count}MS", day)
    if index.is_month_end.mean() > 0.9:
        return Frequency(f"{count}ME")
    last_business_day = (index + pd.offsets.BDay(1)).month != index.month
    return Frequency(f"{count}BME") if last_business_day.mean() > 0.9 else None


def _business(index: pd.DatetimeIndex) -> bool:
    """Days without any Saturday or Sunday, over at least two weekends."""
    return len(index) >= 10 and not has_weekends(index.to_numpy())


def has_weekends(times: Times) -> bool:
    """Whether any of the dates is a Saturday or Sunday."""
    days = times.astype("datetime64[D]").astype(np.int64)
    return bool(((days + 3) % 7 >= 5).any())  # the first of January 1970 was a Thursday


def _alias(step: pd.Timedelta, index: pd.DatetimeIndex) -> str:
    if step == 7 * DAY:
        days, often = np.unique(index.day_of_week, return_counts=True)
        return "W-" + ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")[int(days[often.argmax()])]
    if step % DAY == pd.Timedelta(0):
        return "D" if step == DAY else f"{step // DAY}D"
    unit = step.resolution_string  # the largest that the step is a whole number of
    count = round(step.total_seconds() / pd.Timedelta(f"1{unit}").total_seconds())
    return unit if count == 1 else f"{count}{unit}"


def _stamps(index: pd.DatetimeIndex) -> Times:
    return index.to_numpy().astype("datetime64[us]")
