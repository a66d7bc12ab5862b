"""Intervals made of quantiles that a network learnt, as wide as forecasts of rows that it had not seen called for.

Conformalised quantile regression (Romano et al. 2019). What a network takes for the quantiles of 10 and 90 % need not
hold 80 % of what comes: around its middle each interval is stretched until that share of the calibration rows lies
within. By a multiple of its own width (CQR-r, Sesia and Candes 2020), so that what was narrow stays so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.evaluation.conformal import WIDEST, Ends, Numbers, independent, quantile, wider

NARROWEST = 0.02  # deviations of the series; of a narrower interval each row outside would stretch all the others

Learnt = NDArray[np.floating]


def shares(levels: Collection[float]) -> tuple[float, ...]:
    """The shares of what comes that lie below the ends of intervals of these levels, in percent; ascending."""
    tails = sorted((1 - level / 100) / 2 for level in set(levels))
    return (*tails, *(1 - tail for tail in reversed(tails)))


def stretches(
    learnt: Learnt, came: Numbers, levels: Collection[float], starts: NDArray[np.int64]
) -> dict[float, float]:
    """Of each level, what its interval is to be multiplied by; 1 leaves it as it was learnt.

    learnt  (Q, m, H) quantiles of the `shares` of the levels, scaled
    came    (m, H) scaled, NaN where nothing came
    starts  (m,) first rows of the windows; those that overlap count once, and few are trusted less: see `Intervals`

    By 1 + 2 E, where E is the score of CQR-r, max(low - came, came - high) / (high - low).
    """
    windows, found = independent(starts, came.shape[1]), {}
    for level, (middle, half) in zip(sorted(set(levels)), _learnt(learnt), strict=True):
        reached = np.abs(came - middle) / half
        reached = np.sort(reached[~np.isnan(reached)])
        enough = quantile(reached, level / 100, windows * came.shape[1])
        found[level] = enough * wider((1 + level / 100) / 2, windows)
    return found


def stretched(learnt: Learnt, by: Numbers) -> Iterator[Ends]:
    """Lower and upper ends (...) scaled, the narrowest level first, of quantiles (Q, ...); `by` (Q / 2, ...)."""
    for times, (middle, half) in zip(by, _learnt(learnt), strict=True):
        yield middle - times * half, middle + times * half


def _learnt(learnt: Learnt) -> Iterator[Ends]:
    """The middle and half the width of each interval, (...) each, the narrowest first.

    Quantiles that cross are put in order (Chernozhukov et al. 2010).
    """
    ordered = np.sort(learnt, axis=0).astype(np.float64)
    count = len(ordered) // 2
    for low, high in zip(ordered[:count][::-1], ordered[count:], strict=True):
        yield (low + high) / 2, np.maximum(high - low, NARROWEST) / 2


def nested(forecast: Numbers, ends: Iterable[Ends]) -> list[Ends]:
    """Ends, the narrowest first, moved where they do not hold the forecast or those before them."""
    found, low, high = [], forecast, forecast
    for lower, upper in ends:
        low, high = np.minimum(low, lower), np.maximum(high, upper)
        found.append((low, high))
    return found


def to_dict(found: Mapping[float, float]) -> dict[str, float]:
    """Stretches as run.json has them."""
    return {f"{level:g}": by for level, by in found.items()}


def from_dict(facts: Mapping[str, Any], targets: Sequence[str], levels: Sequence[float]) -> Numbers:
    """(levels, targets) of what run.json has of each target.

    Raises KeyError or ValueError where one is missing, or is nothing to stretch an interval by.
    """
    found = np.array([[float(facts[target][f"{level:g}"]) for target in targets] for level in levels])
    if not ((found >= 0) & (found < WIDEST)).all():
        raise ValueError("an interval of no width, or of one beyond all sense")
    return found
