"""Forecasts that need no network. A model that does not beat them is not worth its electricity.

Each forecasts the judged windows, `windows.validation`, at which m windows stand: (m, H), scaled. All look at rows
before the target alone, and none of them at another series: `first` (m,) is the row each window's series begins at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.evaluation.ridge import linear
from cnnlstm_cli.series.windows import Windows

Scaled: TypeAlias = NDArray[np.float32]
Numbers: TypeAlias = NDArray[np.float64]
LINE = "drift of the lookback"


def baselines(
    windows: Windows, first: NDArray[np.int64], seasons: Sequence[int], weights: Numbers | None
) -> dict[str, Callable[[], Scaled]]:
    """Name -> a call that makes the forecast; the linear model's where there are `weights` (L, H) of one."""
    made: dict[str, Callable[[], Scaled]] = {naive_name(()): partial(seasonal_naive, windows, 1, first)}
    made |= {naive_name([season]): partial(seasonal_naive, windows, season, first) for season in seasons}
    made["drift"] = partial(drift, windows, first)
    if weights is not None:
        made["linear"] = lambda: linear(windows, weights)[:, :, 0]
    return made


def of_lookback(lookback: int, horizon: int, seasons: Sequence[int], weights: Numbers | None) -> dict[str, Numbers]:
    """Name -> weights (L, H): the baselines that a lookback is enough for, as linear models of it, on its own scale.

    The drift among them is the straight line through the lookback's first and last row.
    """
    steps = np.arange(horizon)
    made: dict[str, Numbers] = {} if weights is None else {"linear": weights}
    for season in (1, *(season for season in seasons if season <= lookback)):
        repeated = np.zeros((lookback, horizon))
        repeated[lookback - season + steps % season, steps] = 1.0
        made[naive_name([season] if season > 1 else ())] = repeated
    if lookback > 1:
        line = np.zeros((lookback, horizon))
        slope = (steps + 1) / (lookback - 1)
        line[0], line[-1] = -slope, 1 + slope
        made[LINE] = line
    return made


def averaged(linear: Mapping[str, Numbers], weights: Mapping[str, float]) -> Numbers:
    """Weights (L, H) of the one linear model that forecasts what those named in `weights` do on average."""
    mean: Numbers = np.average([linear[name] for name in weights], axis=0, weights=list(weights.values()))
    return mean


def naive_name(seasons: Sequence[int]) -> str:
    """What the naive forecast of the shortest of these seasons is called, or without one the last value."""
    return f"seasonal naive {seasons[0]}" if seasons else "last value"


def seasonal_naive(windows: Windows, season: int, first: NDArray[np.int64]) -> Scaled:
    """Each step repeats the row a whole number of seasons before it; with a season of 1, the last value.

    The rows are taken from the whole series before the target, so a season may be longer than the lookback; NaN where
    it is longer than the series.
    (Hyndman and Athanasopoulos, Forecasting: Principles and Practice, section 5.2.)
    """
    origins = windows.validation + windows.lookback
    rows = origins[:, None] + np.arange(windows.horizon) % season - season
    taken: Scaled = np.where(rows >= first[:, None], windows.values[rows, 0], np.float32("nan"))
    return taken


def drift(windows: Windows, first: NDArray[np.int64]) -> Scaled:
    """The straight line through the series' first and last row, carried on (the same book and section)."""
    newest = windows.validation + windows.lookback - 1
    start, end = windows.values[first, 0], windows.values[newest, 0]
    slope = (end - start) / np.maximum(newest - first, 1)
    line: Scaled = (end[:, None] + slope[:, None] * np.arange(1, windows.horizon + 1)).astype(np.float32)
    return line
