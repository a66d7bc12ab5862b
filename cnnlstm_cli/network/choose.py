"""Which of several forecasts are averaged.

An average is seldom worse than its parts, and which part is best a few validation windows can't say: they overlap, and
come from a few weeks. So all are in it but those that the validation rows speak clearly against.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Forecasts = NDArray[np.float32]

DOUBT = 2.0  # standard errors by which an average must be better without a forecast for that to be left out


def chosen(forecasts: Sequence[Forecasts], came: Forecasts, starts: NDArray[np.int64]) -> list[int]:
    """The places of the forecasts, each (m, H, C) as `came`, to average; at least one.

    starts  (m,) first rows of the windows

    One after the other, that without which the mean absolute error is lowest is left out, while the error is lower by
    two standard errors of its difference. Windows whose targets overlap count as one: see `apart`.
    """
    kept = list(range(len(forecasts)))
    groups = apart(starts, came.shape[1])
    total = np.sum(forecasts, axis=0)
    while len(kept) > 1:
        gains = [_gain(total / len(kept), (total - forecasts[place]) / (len(kept) - 1), came, groups) for place in kept]
        clear = [(gain, place) for (gain, error), place in zip(gains, kept, strict=True) if gain > DOUBT * error]
        if not clear:
            break
        worst = max(clear)[1]
        kept.remove(worst)
        total = total - forecasts[worst]
    return kept


def _gain(with_it: Forecasts, without: Forecasts, came: Forecasts, groups: NDArray[np.int64]) -> tuple[float, float]:
    """How much lower the mean absolute error is without it, and the standard error of that; infinite of one group."""
    difference = (np.abs(with_it - came) - np.abs(without - came)).mean(axis=(1, 2), dtype=np.float64)
    means = np.bincount(groups, difference) / np.bincount(groups)
    error = float(means.std(ddof=1) / np.sqrt(len(means))) if len(means) > 1 else float("inf")
    return float(difference.mean()), error


def apart(starts: NDArray[np.int64], horizon: int) -> NDArray[np.int64]:
    """(m,) numbers of groups of windows: those that follow each other closer than a horizon, cut every horizon."""
    order = np.argsort(starts, kind="stable")
    rows = starts[order]
    fresh = np.append(True, np.diff(rows) >= horizon)
    run = np.cumsum(fresh) - 1
    part = (rows - rows[fresh][run]) // horizon
    opened = np.append(True, (np.diff(run) > 0) | (np.diff(part) > 0))
    groups = np.empty(len(rows), dtype=np.int64)
    groups[order] = np.cumsum(opened) - 1
    return groups
