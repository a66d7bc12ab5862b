"""Standardisation: every column of every series to mean 0 and deviation 1 over its training rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.errors import DataError

Numbers = NDArray[np.float64]

SMALLEST, LARGEST = 1e-100, 1e100  # what can be squared without leaving the range of float64


@dataclass(frozen=True)
class Scaler:
    """mean and scale, (columns,) float64: what a column is shifted and divided by. A constant column has scale 1."""

    mean: Numbers
    scale: Numbers

    @classmethod
    def fit(cls, rows: Numbers) -> Scaler:
        """From (rows, columns), missing values (NaN) aside; a column without any value gets mean 0 and scale 1."""
        known = ~np.isnan(rows)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, rows, 0.0).sum(axis=0) / count
        deviation = np.sqrt(np.where(known, (rows - mean) ** 2, 0.0).sum(axis=0) / count)
        # rounding leaves a constant column of large numbers a deviation that is not quite 0
        constant = deviation <= np.maximum(1e-12 * np.abs(mean), SMALLEST)
        return cls(mean, np.where(constant, 1.0, deviation))

    def transform(self, rows: Numbers) -> Numbers:
        """(..., columns) in units of the data -> standardised, the same shape."""
        return (rows - self.mean) / self.scale

    def inverse(self, rows: Numbers) -> Numbers:
        """(..., columns) standardised -> in units of the data, the same shape."""
        return rows * self.scale + self.mean

    def to_dict(self) -> dict[str, list[float]]:
        """{"mean": [...], "scale": [...]}, exact: JSON writes floats so that they read back the same."""
        return {"mean": self.mean.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Scaler:
        """The reverse of `to_dict`. Raises DataError unless both are finite numbers, as many, and scale above 0."""
        try:
            mean, scale = (np.asarray(facts[key], dtype=np.float64) for key in ("mean", "scale"))
        except (KeyError, TypeError, ValueError):
            raise DataError("the scaler needs two lists of numbers, mean and scale.") from None
        if mean.ndim != 1 or mean.shape != scale.shape or not (np.isfinite(mean).all() and np.isfinite(scale).all()):
            raise DataError("the scaler's mean and scale must be finite numbers, as many of one as of the other.")
        if not (scale > 0).all():
            raise DataError("the scaler's scale must be above 0.")
        return cls(mean, scale)
