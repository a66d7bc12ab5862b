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


def coverage(low: Numbers, high: Numbers, actual: Numbers) -> float:
    """Percent of the actuals (N, H) that lie within an interval, its ends included; NaN where there are none."""
    known = ~np.isnan(actual)
    return 100 * _mean(((actual >= low) & (actual <= high))[known].astype(np.float64))


def interval_score(low: Numbers, high: Numbers, actual: Numbers, level: float) -> Numbers:
    """(N, H) the width of an interval of `level` percent, and 2 / (1 - level) times how far the actual lies outside.

    (Winkler 1972; Gneiting and Raftery 2007.) Lower is better; in units of the data.
    """
    outside = np.maximum(low - actual, 0) + np.maximum(actual - high, 0)
    score: Numbers = high - low + 2 / (1 - level / 100) * outside
    return score


def msis(low: Numbers, high: Numbers, actual: Numbers, level: float, scale: Numbers) -> float:
    """Mean scaled interval score of the M4 competition: in units of the naive error `scale` (N,), as for `mase`."""
    known = scale > 0
    return _mean(interval_score(low, high, actual, level)[known] / scale[known, None])


def pinball(quantile: Numbers, actual: Numbers, share: float) -> float:
    """Mean pinball loss of a quantile (N, H), which a `share` of the actuals should not exceed, in units of the data.

    (Koenker and Bassett 1978.) Twice its mean over many shares is the continuous ranked probability score.
    """
    over = actual - quantile
    return _mean(np.maximum(share * over, (share - 1) * over))


def naive_scale(rows: Numbers, season: int) -> float:
    """Mean absolute difference of training rows (rows,) one season apart; 0 when there are none."""
    steps = np.abs(rows[season:] - rows[:-season])
    return float(np.nanmean(steps)) if len(steps) and not np.isnan(steps).all() else 0.0


def _mean(values: Numbers) -> float:
    """Over all that are known; NaN where none is."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        return float(np.nanmean(values, dtype=np.float64))
