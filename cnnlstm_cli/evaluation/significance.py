"""Whether one forecaster is more accurate than another, or was lucky."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Index = NDArray[np.int64]

FEWEST = 2  # horizons, below which there is no telling
NOTHING = 1e-12  # of the variance, that rounding leaves where there is none in the long run


@dataclass(frozen=True)
class EqualAccuracy:
    """A test of the hypothesis that two forecasters are as accurate as each other.

    mean       of the loss differential: below 0 where the first is better
    statistic  the mean in its standard errors; None where it has none, or there are too few windows
    p          how often chance alone makes a mean as far from 0, or farther; None where there are too few windows
    origins    how many there are
    horizons   and how many whole horizons that is: about as many windows as are independent of each other
    kernel     of the long-run variance
    """

    mean: float
    statistic: float | None
    p: float | None
    origins: int
    horizons: int
    kernel: str


def diebold_mariano(differential: Numbers, rows: Index, horizon: int) -> EqualAccuracy:
    """The test of Diebold and Mariano (1995), corrected for small samples by Harvey, Leybourne and Newbold (1997).

    differential  (n,) the first's loss less the second's, one an origin
    rows          (n,) the origins' places on an even grid, ascending
    horizon       H rows, of which the windows of origins closer than that have some in common

    The long-run variance is that of a rectangular kernel over the H - 1 lags at which windows overlap, or, where that
    is not above 0, of Bartlett's. Origins that are missing on the grid count as the mean.

    Against the paper, Student's t has not n - 1 degrees of freedom but one less than there are whole horizons; of one
    step ahead that is the same. Of two equal forecasters of 12 steps a test at 5 % should call one the better in 5 of
    100 cases: of 41 origins it did so in 17, and of 60 in 13 (simulated); with these degrees of freedom in 5 and in 6.
    """
    count, mean = len(differential), float(differential.mean())
    stride = int(np.diff(rows).min(initial=horizon))
    overlapping = -(-horizon // stride)  # origins that follow each other closer than a horizon
    horizons = count // overlapping
    variance, kernel = _long_run_variance(differential - mean, rows - rows[0], horizon)
    if horizons < FEWEST:
        return EqualAccuracy(mean, None, None, count, horizons, kernel)
    if not variance > 0:
        return EqualAccuracy(mean, None, float(mean == 0), count, horizons, kernel)
    corrected = math.sqrt((count - overlapping) * (count - overlapping + 1)) / count  # their factor, as a product
    statistic = mean / math.sqrt(variance / count) * corrected
    return EqualAccuracy(mean, statistic, students_tails(statistic, horizons - 1), count, horizons, kernel)


def _long_run_variance(centred: Numbers, places: Index, horizon: int) -> tuple[float, str]:
    """Of (n,) values at places on a grid; and by which kernel."""
    grid = np.zeros(int(places[-1]) + 1)
    grid[places] = centred
    lags = np.arange(1, min(horizon, len(grid)))
    own = float(grid @ grid) / len(centred)
    shared = np.array([float(grid[lag:] @ grid[:-lag]) for lag in lags]) / len(centred)
    variance = own + 2 * float(shared.sum())
    if variance > NOTHING * own:
        return variance, "rectangular"
    return max(0.0, own + 2 * float((1 - lags / horizon) @ shared)), "Bartlett"


def students_tails(t: float, freedom: int) -> float:
    """The chance that Student's t with so many degrees of freedom is as far from 0 as t, or farther.

    (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4: a finite sum, exact but for rounding.)
    """
    angle, odd = math.atan2(abs(t), math.sqrt(freedom)), freedom % 2
    steps = np.arange(1 + odd, freedom - 1, 2)
    terms = 1 + float(np.cumprod(steps / (steps + 1) * math.cos(angle) ** 2).sum())
    if not odd:
        inside = math.sin(angle) * terms
    else:
        inside = 2 / math.pi * (angle + (math.sin(angle) * math.cos(angle) * terms if freedom > 1 else 0))
    return min(1.0, max(0.0, 1 - inside))
