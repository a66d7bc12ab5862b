"""Single rows far from what their neighbours and the same place of other seasons suggest: slips, or great events.

By medians alone, which no outlier can move. The pattern of a season is the median at each of its places, around a
rolling median (Hampel's filter, as in Pearson 2002, Outliers in process modeling and identification). A row is then
compared with the median of the rows before it and that of the rows after: where the level steps it agrees with one of
them. What is left is measured in deviations by its median absolute deviation (Rousseeuw and Croux 1993), or where more
than half of the rows are as expected by the mean one (Iglewicz and Hoaglin 1993, How to detect and handle outliers);
in such a column, which may hold classes, a value that comes again and again is none.

Great swings are no outliers: what is above 0 has to be as far off in logarithms, which do not grow with the level; and
where rows follow each other closely, a row has to be far off from the two beside it as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

FEWEST = 20  # rows
NEIGHBOURS = 24  # rows around one that are looked at, at least
CYCLES = 20  # of a season: the median of fewer rows at a place is too often the row itself
BY_CHANCE = 0.1  # rows that a bell-shaped column of any length has beyond, on average
LEAST = 3.5  # deviations: Iglewicz and Hoaglin's own
MEDIAN_TO_DEVIATION, MEAN_TO_DEVIATION = 1.4826, 1.2533  # of a bell
SELDOM = 3  # times that a slip is the same value, in a column of which most rows are just what is expected
ROUNDING = 1e-12


def limit(count: int) -> float:
    """Deviations beyond which a bell-shaped column of so many rows has one row in ten columns, and at least 3.5."""
    return max(LEAST, NormalDist().inv_cdf(1 - BY_CHANCE / 2 / max(count, 1)))


def deviations(column: Numbers, seasons: Sequence[int] = ()) -> Numbers:
    """(rows,): how far each row is from what is expected there, in deviations, with its sign.

    column   (rows,) without missing values
    seasons  shortest first

    All 0 of fewer than twenty rows, and where nothing is left but rounding.
    """
    if len(column) < FEWEST:
        return np.zeros(len(column))
    found = _deviations(column, seasons)
    return _nearer(found, _deviations(np.log(column), seasons)) if column.min() > 0 else found


def _deviations(column: Numbers, seasons: Sequence[int]) -> Numbers:
    column = column - _slope(column) * np.arange(len(column))  # whose ends have rows on one side alone
    season = min(seasons, default=1)
    span = min(season * -(-NEIGHBOURS // season), len(column))
    rest, around = column, column - _rolling(column, span)
    for each in seasons:
        if len(column) >= CYCLES * each:
            usual = _medians(around, each)
            around, rest = around - usual, rest - usual
    off = rest - _rolling(rest, span)
    off = np.where(np.abs(off) <= ROUNDING * np.abs(column).max(), 0.0, off)
    deviation = _deviation(off)
    if deviation == 0:
        return np.zeros(len(column))
    beside = off - _between(np.clip(off / deviation, -LEAST, LEAST), off)
    found = _nearer(off, _off_both_sides(rest, span // 2)) / deviation
    found = _nearer(found, beside / (_deviation(beside) or deviation))
    return np.where(_often(column), 0.0, found) if np.median(np.abs(off)) == 0 else found


def _slope(column: Numbers) -> float:
    """How much a row of a straight line is above the one before; 0 of what is not mostly one."""
    steps = np.diff(column)
    usual = float(np.median(steps))
    straight = np.abs(steps - usual) <= ROUNDING * np.abs(column).max()
    return usual if straight.mean() > 0.5 else 0.0


def _rolling(column: Numbers, span: int) -> Numbers:
    """(rows,): the median of `span` rows around each; beyond the ends they go on as the rows there do, mirrored."""
    half = span // 2
    if len(column) <= 2 * half:
        return pd.Series(column).rolling(span, center=True, min_periods=half).median().bfill().ffill().to_numpy()
    ends = [_beyond(column[: 2 * half][::-1], half)[::-1], _beyond(column[-2 * half :], half)]
    whole = pd.Series(np.concatenate([ends[0], column, ends[1]]))
    return whole.rolling(span, center=True, min_periods=half).median().to_numpy()[half:-half]


def _beyond(rows: Numbers, count: int) -> Numbers:
    """(count,): rows (2 count,) mirrored at their end, and set on by their slope: that of medians, half from half."""
    slope = float(np.median(rows[count:] - rows[:count])) / count
    back = np.arange(1, count + 1)
    return rows[::-1][:count] + slope * (2 * back - 1)


def _medians(around: Numbers, season: int) -> Numbers:
    """(rows,): at each row the median of all rows at its place of the season."""
    whole = np.full(-(-len(around) // season) * season, np.nan)
    whole[: len(around)] = around
    return np.resize(np.nanmedian(whole.reshape(-1, season), axis=0), len(around))


def _off_both_sides(rest: Numbers, half: int) -> Numbers:
    """(rows,): how far each is from the median of the `half` rows before it, or after it, whichever is nearer."""
    rolling = pd.Series(rest).rolling(half, min_periods=half // 2).median()
    before, after = rolling.shift(1), rolling.shift(-half)
    sides = (before.fillna(after).to_numpy(), after.fillna(before).to_numpy())
    return _nearer(rest - sides[0], rest - sides[1])


def _deviation(off: Numbers) -> float:
    """What a bell's standard deviation would be with the same median, or else mean, absolute deviation."""
    far = np.abs(off - np.median(off))
    return float(MEDIAN_TO_DEVIATION * np.median(far) or MEAN_TO_DEVIATION * far.mean())


def _between(bounded: Numbers, off: Numbers) -> Numbers:
    """(rows,): what the rows before and after say of each, as far as neighbours are alike: an AR(1)'s interpolation.

    bounded  the same in deviations, without great ones, to tell by how alike they are
    """
    alike = max(0.0, float(bounded[1:] @ bounded[:-1]) / float(bounded @ bounded))
    beside = np.pad(off, 1, mode="edge")
    between: Numbers = alike / (1 + alike**2) * (beside[:-2] + beside[2:])
    return between


def _often(column: Numbers) -> NDArray[np.bool_]:
    """(rows,): whether a value comes more than three times, as those of a column of classes do."""
    _, place, counts = np.unique(column, return_inverse=True, return_counts=True)
    often: NDArray[np.bool_] = counts[place] > SELDOM
    return often


def _nearer(one: Numbers, other: Numbers) -> Numbers:
    """(rows,): of each row the one of two that is closer to 0."""
    return np.where(np.abs(other) < np.abs(one), other, one)
