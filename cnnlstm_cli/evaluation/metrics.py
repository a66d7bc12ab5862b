"""How far forecasts are off. Shapes: forecast and actual (N windows, H steps); NaN in either is passed over."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.floating]


def mae(forecast: Numbers, actual: Numbers) -> float:
    """Mean absolute error, in units of the data."""
    return _mean(np.abs(forecast - actual))


def rmse(forecast: Numbers, actual: Numbers) -> float:
    """Root of the mean squared error, in units of the data."""
    return float(np.sqrt(_mean((forecast - actual) ** 2)))


def mase(forecast: Numbers, actual: Numbers, scale: Numbers) -> float:
    """Mean absolute scaled error (Hyndman and Koehler 2006): 1 is as good as the naive forecast was in-sample.

    scale  (N,) in-sample error of the naive forecast of each window's series (`naive_scale`). Windows of a series whose
           scale is 0 (it never changed) are passed over; NaN when there are no others.
    """
    known = scale > 0
    return _mean(np.abs(forecast - actual)[known] / scale[known, None])


def smape(forecast: Numbers, actual: Numbers) -> float:
    """Symmetric mean absolute percentage error, 0 to 200 (Makridakis 1993, as the M4 competition defines it).

    Where forecast and actual are both 0 the forecast is perfect, and counts as 0.
    """
    off, size = np.abs(forecast - actual), np.abs(forecast) + np.abs(actual)
    return 200 * _mean(np.where(size == 0, 0.0, off / np.where(size == 0, 1.0, size)))


def wape(forecast: Numbers, actual: Numbers) -> float:
    """Weighted absolute percentage error: the sum of absolute errors in percent of the sum of absolute actuals.

    (Kolassa and Schuetz 2007, as the ratio of MAD to mean.) NaN where the actuals are all 0.
    """
    known = ~(np.isnan(forecast) | np.isnan(actual))
    total = float(np.abs(actual[known]).sum())
    return 100 * float(np.abs(forecast - actual)[known].sum()) / total if total > 0 else float("nan")


def naive_scale(rows: Numbers, season: int) -> float:
    """Mean absolute difference of training rows (rows,) one season apart; 0 when there are none."""
    steps = np.abs(rows[season:] - rows[:-season])
    return float(np.nanmean(steps)) if len(steps) and not np.isnan(steps).all() else 0.0


def _mean(values: Numbers) -> float:
    """Over all that are known; NaN where none is."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        return float(np.nanmean(values, dtype=np.float64))
