"""What is to be seen in the columns of a table before anything is trained: facts as plain data, a column each.

Counts, range and gaps are of all rows. What takes longer (seasons, trend, level, outliers, autocorrelation) is of the
newest rows of series chosen evenly, a million values at most: a `Look`. Of many series it is the median over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.evaluation.decomposition import season_strength, trend, without_seasons
from cnnlstm_cli.evaluation.outliers import deviations, limit
from cnnlstm_cli.evaluation.residuals import autocorrelation
from cnnlstm_cli.evaluation.stationarity import kpss, level
from cnnlstm_cli.series.scaler import SMALLEST
from cnnlstm_cli.series.table import Table
from cnnlstm_cli.series.windows import evenly

Facts = dict[str, Any]
Numbers = NDArray[np.float64]
Index = NDArray[np.int64]

MOST_VALUES, MOST_ROWS, MOST_SERIES = 1_000_000, 100_000, 500  # looked at; rows of one series
ENOUGH_ROWS = 1_000  # of a series: of many columns rather fewer series than fewer rows
NAMED = 5  # gaps, outliers and series that are named, the largest ones
FEWEST_LAGS, MOST_LAGS = 48, 200


@dataclass(frozen=True)
class Look:
    """Where a column is looked at more closely.

    starts, ends  (looked,) the rows of each series
    """

    starts: Index
    ends: Index

    @classmethod
    def at(cls, table: Table) -> Look:
        """The newest rows of all series, or of as many as can be looked at in a moment."""
        columns = table.values.shape[1]
        most = min(MOST_SERIES, max(1, MOST_VALUES // (columns * ENOUGH_ROWS)))
        chosen = evenly(len(table.ids), most)
        rows = min(MOST_ROWS, max(1, MOST_VALUES // (columns * len(chosen))))
        ends = table.offsets[1:][chosen]
        return cls(np.maximum(table.offsets[:-1][chosen], ends - rows), ends)

    def facts(self) -> Facts:
        """How many series and rows it takes in."""
        return {"series": len(self.starts), "rows": int((self.ends - self.starts).sum())}


def profile(table: Table, seasons: Sequence[int]) -> list[Facts]:
    """Of each target: `summary`, and

    gaps     spans of rows that lack it, though not all others: how many, and the longest
    seasons  strength of each, 0..1, by its length; see `decomposition`
    trend    strength, 0..1, and change: from one end of its level to the other, in units of the data
    level    kpss: its statistic; is: what that says of it; wandering: share of the series whose level wanders
    outliers see `_outliers`
    autocorrelation  lags, values, and band: what white noise stays within

    A number is None where there are too few rows for it, or the column is constant.
    """
    look, found, empty = Look.at(table), [], without_any(table)
    seasons = sorted(seasons)  # a user may name them in any order
    for k, name in enumerate(table.schema.targets):
        column, observed = table.values[:, k], table.observed[:, k]
        parts = [column[a:b] for a, b in zip(look.starts, look.ends, strict=True)]
        own = spans(~observed & ~empty, table.offsets)
        found.append(
            {
                "name": name,
                **summary(column, observed),
                "gaps": {"count": len(own), "longest": _named(own, table)},
                **_shape([line(part) for part in parts], seasons),
                "outliers": _outliers(table, look, k, seasons),
                "autocorrelation": _autocorrelation(parts, seasons),
            }
        )
    return found


def summary(column: Numbers, observed: NDArray[np.bool_]) -> Facts:
    """Counts and range of a column (rows,), of which `observed` tells what was not filled.

    observed, filled, missing  how many values were in the data, were filled by a straight line, are still missing
    zeros                      share of those observed, 0..1
    deviation                  standard deviation, as the range of those observed
    """
    known, there = column[observed], int((~np.isnan(column)).sum())
    return {
        "observed": len(known),
        "filled": there - len(known),
        "missing": len(column) - there,
        "least": float(known.min()),
        "median": float(np.median(known)),
        "mean": float(known.mean()),
        "greatest": float(known.max()),
        "deviation": float(known.std()),
        "zeros": float((known == 0).mean()),
    }


def spans(empty: NDArray[np.bool_], offsets: Index) -> list[tuple[int, int]]:
    """(first row, rows) of each span of empty rows (rows,) within a series, longest first, of equal ones the newest."""
    before = np.append(False, empty[:-1])
    before[offsets[:-1]] = False
    starts = np.flatnonzero(empty & ~before)
    lengths = np.bincount(np.cumsum(empty & ~before)[empty] - 1, minlength=len(starts))
    order = np.lexsort((-starts, -lengths))
    return [(int(starts[k]), int(lengths[k])) for k in order]


def gaps(table: Table) -> Facts:
    """Spans of rows that are not there, or without any value: how many, and where the longest are."""
    found = spans(without_any(table), table.offsets)
    return {"count": len(found), "longest": _named(found, table)}


def without_any(table: Table) -> NDArray[np.bool_]:
    """(rows,): where no target was observed."""
    empty: NDArray[np.bool_] = table.observed.sum(axis=1) == 0
    return empty


def series(table: Table) -> Facts:
    """Of many series: the fewest and most rows of one, which lack most values, and which never change."""
    lengths, starts = table.lengths, table.offsets[:-1]
    lacking = np.add.reduceat((~table.observed).sum(axis=1), starts)
    low, high = (each.reduceat(table.values, starts) for each in (np.fmin, np.fmax))
    constant = np.flatnonzero((low == high).any(axis=1))
    worst = [k for k in np.argsort(-lacking, kind="stable")[:NAMED] if lacking[k]]
    return {
        "fewest_rows": int(lengths.min()),
        "most_rows": int(lengths.max()),
        "lacking_most": [{"id": table.ids[k], "missing": int(lacking[k])} for k in worst],
        "constant": {"count": len(constant), "ids": [table.ids[k] for k in constant[:NAMED]]},
    }


def line(part: Numbers) -> Numbers:
    """(rows,): a series' column, holes filled by straight lines; (0,) of one that never changes."""
    known = np.flatnonzero(~np.isnan(part))
    if not len(known) or np.ptp(part[known]) <= max(SMALLEST, 1e-12 * float(np.abs(part[known]).max())):
        return np.empty(0)
    whole: Numbers = np.interp(np.arange(len(part)), known, part[known])
    return whole


def _shape(lines: Sequence[Numbers], seasons: Sequence[int]) -> Facts:
    """Seasons, trend and level of the series that change at all, the median over them."""
    lines = [each for each in lines if len(each)]
    strengths = {
        season: [season_strength(each, season, seasons[:place]) for each in lines]
        for place, season in enumerate(seasons)
    }
    trends = [trend(each, seasons) for each in lines]
    tests = [kpss(without_seasons(each, seasons)) for each in lines]
    tested = [test for test in tests if test is not None]
    middle = _median(tests)
    return {
        "seasons": {str(season): _median(found) for season, found in strengths.items()},
        "trend": {
            "strength": _median([strength for strength, _ in trends]),
            "change": _median([change for _, change in trends]),
        },
        "level": {
            "kpss": middle,
            "is": None if middle is None else level(middle),
            "wandering": float(np.mean([level(test) == "wanders" for test in tested])) if tested else None,
        },
    }


def _outliers(table: Table, look: Look, k: int, seasons: Sequence[int]) -> Facts:
    """Observed values of target k that are farther off than `limit` allows: how many of how many, and the farthest."""
    rows, off = [], []
    for start, end in zip(look.starts, look.ends, strict=True):
        column = line(table.values[start:end, k])
        seen = np.flatnonzero(table.observed[start:end, k]) if len(column) else np.empty(0, dtype=np.int64)
        rows.append(start + seen)
        off.append(deviations(column, seasons)[seen])
    row, far = np.concatenate(rows), np.concatenate(off)
    beyond = limit(int((look.ends - look.starts).sum()))
    places = np.flatnonzero(np.abs(far) > beyond)
    farthest = places[np.argsort(-np.abs(far[places]), kind="stable")[:NAMED]]
    return {
        "count": len(places),
        "of": len(row),
        "beyond": beyond,
        "farthest": [
            {**_where(table, row[p]), "value": float(table.values[row[p], k]), "deviations": float(far[p])}
            for p in farthest
        ],
    }


def _autocorrelation(parts: Sequence[Numbers], seasons: Sequence[int]) -> Facts:
    """Of all series together, each in its own deviations, up to two of the shortest season, at least 48 lags."""
    scaled = [part / np.nanstd(part) for part in parts if len(line(part))]
    longest = max(map(len, scaled), default=1)
    most = min(max(FEWEST_LAGS, 2 * min(seasons, default=0)), longest - 1)
    if most < 1:
        return {"lags": [], "values": [], "band": None}
    lags = 1 + evenly(most, MOST_LAGS)
    offsets = np.cumsum([0, *map(len, scaled)])
    values, band = autocorrelation(np.concatenate(scaled)[:, None], offsets, lags)
    return {"lags": lags.tolist(), "values": values.tolist(), "band": band}


def _named(found: Sequence[tuple[int, int]], table: Table) -> list[Facts]:
    """The first of the spans: where from and to, and how many rows."""
    return [
        {**_where(table, start), "to": table.stamp(table.times[start + rows - 1]), "rows": rows}
        for start, rows in found[:NAMED]
    ]


def _where(table: Table, row: int) -> Facts:
    """The time of a row, and of many series which."""
    name = table.ids[int(np.searchsorted(table.offsets, row, side="right")) - 1]
    return {"at": table.stamp(table.times[row]), **({"id": name} if table.schema.id else {})}


def _median(numbers: Sequence[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return float(np.median(known)) if known else None
