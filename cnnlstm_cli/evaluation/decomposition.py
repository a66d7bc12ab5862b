"""A column taken apart by the classical decomposition, level + seasons + remainder, and how strong each part is.

The level is a moving average over a season, the pattern of a season the mean at each of its places (Hyndman and
Athanasopoulos, Forecasting: Principles and Practice, 3rd edition, section 3.4). The strength of a part is 1 -
Var(remainder) / Var(part + remainder), at least 0 (Wang, Smith and Hyndman 2006; section 4.3 of the book).

Two things differ from there. Of several seasons each is measured by itself: around the moving average over its own
length, which takes longer ones away, and with the patterns of the shorter ones taken off, as seasons are found
(`series.season`). And the variance of the remainder is over the degrees of freedom that the means fitted leave, as in
an adjusted R^2: in noise a season seen three times would have a strength of 1/3, and now has one of 0.

A column is (rows,) float64 without missing values.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

TENTH = 10  # without a season the level is an average over a tenth of the rows
ROUNDING = 1e-12  # of the variance: what is left of a column that is but level and pattern


def moving_average(column: Numbers, span: int) -> Numbers:
    """(rows - 2 (span // 2),): the average over `span` rows around each row that has so many; half of both ends of an
    even span, so that it is centred on a row."""
    sums: Numbers = np.cumsum(np.append(0.0, column - column[0]))
    level = (sums[span:] - sums[:-span]) / span + column[0]
    centred: Numbers = level if span % 2 else (level[1:] + level[:-1]) / 2
    return centred


def pattern(column: Numbers, season: int) -> Numbers:
    """(rows,): at each row the mean of all rows at its place of the season, less the mean of these means."""
    place = np.arange(len(column)) % season
    means = np.bincount(place, column) / np.bincount(place)
    repeated: Numbers = (means - means.mean())[place]
    return repeated


def season_strength(column: Numbers, season: int, shorter: Sequence[int] = ()) -> float | None:
    """How much of what is around the level is the pattern of the season, 0..1; None with fewer than three of it."""
    if len(column) < 3 * season:
        return None
    rest, _ = _around(column, season)
    for each in shorter:
        rest = rest - pattern(rest, each)
    return _strength(pattern(rest, season), rest - pattern(rest, season), 1 - season / len(rest), column.var())


def trend(column: Numbers, seasons: Sequence[int] = ()) -> tuple[float | None, float | None]:
    """How much of the column without its seasons is its level, 0..1, and by how much that rises from end to end.

    The level is over the longest season that the column holds three times, without one over a tenth of the rows. None,
    twice, of fewer than ten rows.
    """
    if len(column) < TENTH:
        return None, None
    fitting = [season for season in seasons if 3 * season <= len(column)]
    span = max(fitting, default=max(3, len(column) // TENTH))
    rest, level = _around(column, span)
    for each in fitting:
        rest = rest - pattern(rest, each)
    return _strength(level, rest, 1 - 1 / span, column.var()), float(level[-1] - level[0])


def without_seasons(column: Numbers, seasons: Sequence[int]) -> Numbers:
    """(rows,): the column less the pattern of each season that it holds three times; its level stays."""
    for season in seasons:
        if 3 * season <= len(column):
            rest, _ = _around(column, season)
            found = pattern(rest, season)[:season]
            column = column - found[(np.arange(len(column)) - season // 2) % season]
    return column


def _around(column: Numbers, span: int) -> tuple[Numbers, Numbers]:
    """What is around the level, and the level, of the rows that have one."""
    level = moving_average(column, span)
    start = span // 2
    return column[start : start + len(level)] - level, level


def _strength(part: Numbers, remainder: Numbers, freedom: float, whole: float) -> float:
    """1 - Var(remainder) / Var(part + remainder), where the remainder has but a share `freedom` of its rows left."""
    both = float((part + remainder).var())
    if both <= ROUNDING * whole or both == 0:
        return 0.0
    return float(np.clip(1 - float(remainder.var()) / freedom / both, 0.0, 1.0))
