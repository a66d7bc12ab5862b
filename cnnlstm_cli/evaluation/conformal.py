"""Intervals around a forecast, calibrated on forecasts of rows that no network had seen. No law of errors is assumed.

Split conformal prediction (Vovk et al. 2005) on a local scale (Lei et al. 2018): each error is measured by how hard its
row looked beforehand, which is how far the rows of the lookback lay from those a season before, at the same place of
the season. What errors so measured did in the calibration windows, step by step, they are expected to do again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.series.windows import Windows, apart

Numbers = NDArray[np.float64]
Ends = tuple[Numbers, Numbers]

FEW = 20  # windows beside each other; fewer tell less of errors than those of an older version do
WHOLE = 4.0  # the whole lookback counts as so many seasons when one place of the season is judged
EASIEST = 0.02  # deviations of the series: no row is taken to be easier
WIDEST = 1e12  # more has no square in single precision, and is damage
BATCH = 256


def difficulty(lookbacks: NDArray[np.floating], horizon: int, seasons: Sequence[int]) -> Numbers:
    """(N, L) scaled lookbacks -> (N, H): the mean absolute difference over a season at the place of each step ahead.

    Over the shortest season that the lookback holds twice, else over one row.
    """
    season = next((each for each in seasons if 2 * each <= lookbacks.shape[1]), 1)
    steps = np.abs(lookbacks[:, season:] - lookbacks[:, :-season]).astype(np.float64)
    if not steps.size:
        return np.ones((len(lookbacks), horizon))
    whole = steps.mean(axis=1, keepdims=True)
    count = steps.shape[1] // season
    places = steps[:, -count * season :].reshape(-1, count, season).mean(axis=1)
    mixed = (count * places + WHOLE * whole) / (count + WHOLE)
    hard: Numbers = np.maximum(mixed, EASIEST)[:, np.arange(horizon) % season]
    return hard


def difficulty_of(windows: Windows, seasons: Sequence[int]) -> Numbers:
    """The same of the validation windows, each a column's own, (m, H); a batch of lookbacks is copied at a time."""
    rows = np.arange(windows.lookback)
    parts = [
        windows.validation[first : first + BATCH, None] + rows for first in range(0, len(windows.validation), BATCH)
    ]
    return np.concatenate([difficulty(windows.values[part, 0], windows.horizon, seasons) for part in parts])


@dataclass(frozen=True)
class Intervals:
    """Those of one target.

    profile  (H,) the mean size of an error, in units of difficulty
    ends     level in percent -> (low, high), in units of profile times difficulty; low <= 0 <= high
    """

    profile: Numbers
    ends: Mapping[float, tuple[float, float]]

    @classmethod
    def calibrated(cls, measured: Numbers, levels: Sequence[float], starts: NDArray[np.int64]) -> Intervals:
        """From errors (m, H), what came less the forecast, in units of difficulty, NaN where nothing came.

        starts  (m,) first rows of the windows: those that overlap forecast the same rows, which count once

        Errors of a window go on into the next step, so that few windows tell little of how large errors are, and of
        which sign: their ends are those of either sign, and wider, as Student's quantiles are than the normal ones.
        """
        profile = np.nanmean(np.abs(measured), axis=0)
        profile = np.where(profile > 0, profile, 1.0)
        pooled = measured / profile
        pooled = np.sort(pooled[~np.isnan(pooled)])
        windows = independent(starts, measured.shape[1])
        if windows < FEW:
            pooled = np.sort(np.concatenate([pooled, -pooled]))
        ends = {}
        for level in sorted(set(levels)):
            upper = (1 + level / 100) / 2
            rows, times = windows * measured.shape[1], wider(upper, windows)
            low, high = -quantile(-pooled[::-1], upper, rows), quantile(pooled, upper, rows)
            ends[level] = (min(0.0, low * times), max(0.0, high * times))
        return cls(profile, ends)

    def around(self, forecast: Numbers, hard: Numbers, level: float) -> Ends:
        """Lower and upper ends, (N, H) each, of forecasts (N, H) of that difficulty, all scaled; H or fewer steps."""
        low, high = self.ends[level]
        unit = self.size(hard)
        return forecast + low * unit, forecast + high * unit

    def size(self, hard: Numbers) -> Numbers:
        """(N, H) scaled: that of an error after lookbacks of that difficulty; H or fewer steps."""
        unit: Numbers = self.profile[: hard.shape[1]] * hard
        return unit

    def require(self, horizon: int, levels: Collection[float]) -> None:
        """Raises ValueError when it is not of so many steps and these levels, or would cross the forecast."""
        if len(self.profile) != horizon or self.ends.keys() != set(levels) or not levels:
            raise ValueError("not as many numbers as steps, or other levels than another target's")
        if not (self.profile > 0).all() or not (self.profile < WIDEST).all():
            raise ValueError("errors that have no size")
        if any(not -WIDEST < low <= 0 <= high < WIDEST for low, high in self.ends.values()):
            raise ValueError("ends that are no interval around 0")

    def to_dict(self) -> dict[str, Any]:
        """As run.json has it."""
        profile = [float(f"{number:.6g}") for number in self.profile]
        return {"profile": profile, "ends": {f"{level:g}": list(pair) for level, pair in self.ends.items()}}

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Intervals:
        """The reverse of `to_dict`."""
        return cls(
            np.array(facts["profile"]), {float(level): (low, high) for level, (low, high) in facts["ends"].items()}
        )


def independent(starts: NDArray[np.int64], horizon: int) -> int:
    """How many windows of those that begin at `starts` (m,) lie beside each other."""
    return 1 + int(apart(starts, horizon).max())


def wider(share: float, windows: int) -> float:
    """Student's quantile of so many degrees of freedom over the normal one, by its expansion in their inverse.

    (Abramowitz and Stegun 1964, 26.7.5.)
    """
    from statistics import NormalDist  # here, because forecasting has no use for it

    z = NormalDist().inv_cdf(share)
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return (z + first / windows + second / windows**2) / z


def quantile(ascending: Numbers, share: float, rows: int) -> float:
    """The least number that a `share` of them does not exceed, were there one more for the row that is to come.

    rows  how many of them are independent of each other
    """
    share = min(1.0, share * (1 + 1 / rows))
    return float(ascending[min(len(ascending) - 1, int(np.ceil(share * len(ascending))) - 1)])
