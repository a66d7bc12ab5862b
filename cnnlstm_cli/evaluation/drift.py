"""Drift: whether what a network is given still looks like what it was trained on, and whether it still forecasts so.

Inputs are lookbacks: the lowest and highest value of each, its mean and its deviation. Training has seen a span of
each. Rows have drifted where one of these lies outside its span by more than half of what that is wide. (Windows are
compared, and not rows, because a week in summer is not a draw from the year.)
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cnnlstm_cli.series.windows import mean_of_groups

Numbers = NDArray[np.float64]

NARROWEST = 1.0  # deviations that a span of values or means is taken to be wide at least
TIMES = 1.5  # a deviation is outside its span by a factor
SHARE = 0.05  # of many series, that must have drifted
WORSE = 1.25  # times the error expected, and beyond two standard errors of it
DOUBT = 2.0


def spans_of(rows: Numbers, offsets: NDArray[np.int64], lookback: int) -> list[dict[str, list[float]]]:
    """What the lookbacks of rows (rows, columns), series one after the other, had: of each column [lowest, highest].

    In deviations from the mean of each series, as `rows` are: value, mean and deviation.
    """
    ends = np.arange(len(rows))
    whole = ends - offsets[np.searchsorted(offsets, ends, side="right") - 1] >= lookback - 1
    found = []
    for column in rows.T:
        rolling = pd.Series(column).rolling(lookback)
        made = {"value": column, "mean": rolling.mean()[whole], "deviation": rolling.std(ddof=0)[whole]}
        found.append({name: [float(np.nanmin(each)), float(np.nanmax(each))] for name, each in made.items()})
    return found


def newest(rows: Numbers, offsets: NDArray[np.int64], lookback: int) -> dict[str, Numbers]:
    """Of the newest lookback of each series, (series,) each: least, greatest, mean, deviation; NaN without a value."""
    made = []
    for start, end in itertools.pairwise(offsets):
        some = rows[max(start, end - lookback) : end]
        known = some[~np.isnan(some)]
        made.append([known.min(), known.max(), known.mean(), known.std()] if len(known) else [np.nan] * 4)
    return dict(zip(("least", "greatest", "mean", "deviation"), np.array(made).T, strict=True))


def drifted(now: Mapping[str, Numbers], seen: Mapping[str, Sequence[float]]) -> dict[str, str]:
    """What of the newest lookbacks lies outside what training saw: {which: "below" or "above"}."""
    found = {}
    for name, numbers, (low, high) in (
        ("least", now["least"], _wider(seen["value"])),
        ("greatest", now["greatest"], _wider(seen["value"])),
        ("mean", now["mean"], _wider(seen["mean"])),
        ("deviation", now["deviation"], (seen["deviation"][0] / TIMES, seen["deviation"][1] * TIMES)),
    ):
        for side, outside in (("below", numbers < low), ("above", numbers > high)):
            if outside.mean() > (SHARE if len(outside) > 1 else 0):
                found[name] = side
    return found


def _wider(span: Sequence[float]) -> tuple[float, float]:
    pad = max(span[1] - span[0], NARROWEST) / 2
    return span[0] - pad, span[1] + pad


def errors_drifted(errors: Numbers, expected: Numbers, groups: NDArray[np.int64]) -> bool:
    """Whether forecasts are off by clearly more than expected: (N,) each, of which those of a group count as one."""
    excess, doubt = mean_of_groups(errors - expected, groups)
    return bool(excess > DOUBT * doubt and errors.mean() > WORSE * expected.mean())
