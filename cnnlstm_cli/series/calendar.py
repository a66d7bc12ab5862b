"""The calendar of a time, as numbers a network can use: known as far ahead as anyone likes; and what else is.

day   time of day: sine and cosine, once and twice a day
week  weekday: one of seven is 1
year  day of the year: sine and cosine, once and twice a year
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cnnlstm_cli.series.frequency import Frequency, Times

YEARS_NEEDED = 2  # of rows, before a season of a year can be told from a trend
DAYS_A_YEAR = 365.2425
BATCH = 65_536
LONGEST_STEP = 32  # days: a month; of longer steps a year has too few


@dataclass(frozen=True, eq=False)
class Calendar:
    """What is known of each row's time, however far ahead. Kept as the times: the numbers take eight times as much.

    times  (rows,)
    parts  as `features` takes them
    known  (rows, covariates) scaled
    """

    times: Times
    parts: str
    known: NDArray[np.float32]

    @classmethod
    def of(cls, times: Times, parts: str, known: NDArray[np.float32]) -> Calendar | None:
        """None where the parts are `none` and there are no covariates."""
        return None if parts == "none" and not known.shape[-1] else cls(times, parts, known)

    @property
    def width(self) -> int:
        """K, the numbers of a row."""
        width: int = features(self.times[:1], self.parts).shape[-1] + self.known.shape[-1]
        return width

    def features(self) -> NDArray[np.float32]:
        """(rows, K), computed anew; or (..., rows, K) of times and covariates of many series."""
        return np.concatenate([features(self.times, self.parts), self.known], axis=-1)


def suggested(frequency: Frequency, first: Any, last: Any) -> str:
    """What of the calendar can matter for rows from `first` to `last`: `day+week+year`, parts of it, or `none`."""
    if not frequency.dated:
        return "none"
    rows = frequency.rows_per_day
    step = frequency.after(first, 1)[0] - first
    years = (last - first) / np.timedelta64(1, "D") / DAYS_A_YEAR
    daily = step <= np.timedelta64(1, "D") or frequency.alias == "B"
    parts = {
        "day": rows is not None and rows > 1,
        "week": daily,
        "year": years >= YEARS_NEEDED and step <= np.timedelta64(LONGEST_STEP, "D"),
    }
    return "+".join(name for name, wanted in parts.items() if wanted) or "none"


def features(times: Times, parts: str) -> NDArray[np.float32]:
    """Times (...) -> (..., K), the parts side by side in the order they are named; `none` is no part."""
    if parts == "none":
        return np.empty((*np.shape(times), 0), dtype=np.float32)
    flat, named = np.ravel(times).astype("datetime64[us]"), parts.split("+")
    width = _features(pd.DatetimeIndex(flat[:1]), named).shape[1]
    columns = np.empty((len(flat), width), dtype=np.float32)
    for first in range(0, len(flat), BATCH):  # they take many times as much memory on the way as in the end
        columns[first : first + BATCH] = _features(pd.DatetimeIndex(flat[first : first + BATCH]), named)
    return columns.reshape(*np.shape(times), -1)


def _features(stamps: pd.DatetimeIndex, parts: Sequence[str]) -> NDArray[np.float64]:
    """(n,) -> (n, K)."""
    day = (stamps - stamps.normalize()) / pd.Timedelta(days=1)
    made = {
        "day": lambda: _waves(np.asarray(day)),
        "week": lambda: np.eye(7)[stamps.day_of_week],
        "year": lambda: _waves((np.asarray(stamps.day_of_year) - 1 + np.asarray(day)) / DAYS_A_YEAR),
    }
    return np.concatenate([made[part]() for part in parts], axis=1)


def _waves(phase: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) in cycles -> (n, 4)."""
    turns = 2 * np.pi * phase[:, None] * np.array([1, 2])
    return np.concatenate([np.sin(turns), np.cos(turns)], axis=1)
