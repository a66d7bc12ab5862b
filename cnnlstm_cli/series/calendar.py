"""The calendar of a time, as numbers a network can use: known as far ahead as anyone likes; and what else is.

day   time of day: sine and cosine, once and twice a day
week  weekday: one of seven is 1
year  day of the year: sine and cosine, once and twice a year
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cnnlstm_cli.series.covariates import Role
from cnnlstm_cli.series.frequency import Frequency, Times

YEARS_NEEDED = 2  # of rows, before a season of a year can be told from a trend
DAYS_A_YEAR = 365.2425
BATCH = 65_536
Take: TypeAlias = Callable[[Any, Any], Any]  # rows at places: (rows, K), (N, H) -> (N, H, K)
Join: TypeAlias = Callable[..., Any]
LONGEST_STEP = 32  # days: a month; of longer steps a year has too few


def _take(rows: Any, places: Any) -> Any:
    return rows[places]


@dataclass(frozen=True, eq=False)
class Calendar:
    """What is known of each row's time, however far ahead, and the covariates of rows.

    Kept as the times: the numbers of their calendar take eight times as much.

    times       (..., rows), as the clock shows them
    parts       as `features` takes them
    covariates  (..., rows, K) scaled, NaN where there is none
    roles       what is known of each of their columns, (K,)
    season      rows after which the day, or whatever it is, looks alike; 1 where there is no season
    """

    times: Times
    parts: str
    covariates: NDArray[np.float32]
    roles: tuple[Role, ...]
    season: int

    @classmethod
    def of(
        cls, times: Times, parts: str, covariates: NDArray[np.float32], roles: tuple[Role, ...], seasons: Sequence[int]
    ) -> Calendar | None:
        """None where the parts are `none` and there are no covariates. Of `seasons` the shortest counts."""
        return None if parts == "none" and not roles else cls(times, parts, covariates, roles, min(seasons, default=1))

    @property
    def width(self) -> int:
        """K', how many numbers a step ahead has."""
        dated: int = features(self.times[..., :1], self.parts).shape[-1]
        return dated + self.roles.count("static") + 2 * (self.roles.count("known") + self.roles.count("past"))

    def features(self) -> NDArray[np.float32]:
        """(..., rows, K''), computed anew: of the times, and the covariates that are static, known and past.

        A covariate that is missing is taken as its mean; where it is needed no window is.
        """
        order = [k for role in ("static", "known", "past") for k, each in enumerate(self.roles) if each == role]
        told = np.nan_to_num(self.covariates[..., order])
        return np.concatenate([features(self.times, self.parts), told], axis=-1)

    def ahead(self, rows: Any, first: Any, horizon: int, take: Take = _take, join: Join = np.concatenate) -> Any:
        """What is told of the steps ahead: (N, H, K').

        Their calendar, static and known covariates; how far the known ones have changed since the same place of the
        newest season that is over; what past ones were there, and in the newest row. No past covariate of a row ahead,
        whatever it is, comes into it.

        rows   (rows, K''), as `features` has them, an array or a tensor that `take` takes rows from and `join` joins
        first  (N,) the first row ahead, of rows that may be stacked several times
        """
        count, steps = rows.shape[0], np.arange(horizon)
        known, past = self.roles.count("known"), self.roles.count("past")
        told = take(rows[:, : rows.shape[1] - past], (first[:, None] + steps) % count)
        if not known + past:
            return told
        back = steps - self.season * (steps // self.season + 1)
        before = take(rows[:, rows.shape[1] - past - known :], (first[:, None] + back) % count)
        change = told[..., told.shape[-1] - known :] - before[..., :known]
        newest = take(rows[:, rows.shape[1] - past :], (first[:, None] - 1 + 0 * steps) % count)
        return join([told, change, before[..., known:], newest], axis=-1)


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
