"""How far forecasts are off. Shapes: forecast and actual (N windows, H steps); NaN in either is passed over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.floating]


def mae(forecast: Numbers, actual: Numbers) -> float:
    """Mean absolute error, in units of the data."""
    return float(np.nanmean(np.abs(forecast - actual)))


def rmse(forecast: Numbers, actual: Numbers) -> float:
    """Root of the mean squared error, in units of the data."""
    return float(np.sqrt(np.nanmean((forecast - actual) ** 2)))


def mase(forecast: Numbers, actual: Numbers, scale: Numbers) -> float:
    """Mean absolute scaled error (Hyndman and Koehler 2006): 1 is as good as the naive forecast was in-sample.

    scale  (N,) in-sample error of the naive forecast of each window's series (`naive_scale`). Windows of a series whose
           scale is 0 (it never changed) are passed over; NaN when there are no others.
    """
    known = scale > 0
    if not known.any():
        return float("nan")
    return float(np.nanmean(np.abs(forecast - actual)[known] / scale[known, None]))


def naive_scale(rows: Numbers, season: int) -> float:
    """Mean absolute difference of training rows (rows,) one season apart; 0 when there are none."""
    steps = np.abs(rows[season:] - rows[:-season])
    return float(np.nanmean(steps)) if len(steps) and not np.isnan(steps).all() else 0.0
