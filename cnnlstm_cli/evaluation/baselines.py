"""Forecasts that need no training. A model that does not beat them is not worth its electricity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.series.windows import Windows


def baseline_names(seasons: Sequence[int]) -> dict[str, int]:
    """Name -> season length of every baseline; the last value is the seasonal naive of a season of one row."""
    return {"last value": 1} | {f"seasonal naive {season}": season for season in seasons}


def seasonal_naive(windows: Windows, season: int, first: NDArray[np.int64]) -> NDArray[np.float32]:
    """Each step repeats the row a whole number of seasons before it: (validation windows, H), scaled.

    The rows are taken from the whole series before the target, so a season may be longer than the lookback; NaN where
    it is longer than the series, which begins at row `first` (validation windows,).
    (Hyndman and Athanasopoulos, Forecasting: Principles and Practice, section 5.2.)
    """
    origins = windows.validation + windows.lookback
    rows = origins[:, None] + np.arange(windows.horizon) % season - season
    taken: NDArray[np.float32] = np.where(rows >= first[:, None], windows.values[rows, 0], np.nan)
    return taken


def actuals(windows: Windows) -> NDArray[np.float32]:
    """The targets of the validation windows, (validation windows, H), scaled."""
    origins = windows.validation + windows.lookback
    taken: NDArray[np.float32] = windows.values[origins[:, None] + np.arange(windows.horizon), 0]
    return taken
