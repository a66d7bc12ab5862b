"""The model and the baselines on the validation windows, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.evaluation.baselines import actuals, baseline_names, seasonal_naive
from cnnlstm_cli.evaluation.metrics import mae, mase, naive_scale, rmse
from cnnlstm_cli.series.scaler import Scaler
from cnnlstm_cli.series.table import Table
from cnnlstm_cli.series.windows import Split, Windows

Scores = dict[str, dict[str, float]]  # forecaster -> metric -> value


@dataclass(frozen=True)
class Judge:
    """Scores forecasts of the validation windows.

    first    (m,) row at which the series of each validation window begins
    column   (m,) which target it is of
    scale    (m,) deviation of its series' training rows: scaled -> units of the data
    naive    (m,) in-sample error of the naive forecast, scaled, for MASE
    """

    windows: Windows
    seasons: tuple[int, ...]
    targets: tuple[str, ...]
    first: NDArray[np.int64]
    column: NDArray[np.int64]
    scale: NDArray[np.float64]
    naive: NDArray[np.float64]

    @classmethod
    def of(
        cls, table: Table, parts: Split, fitted: Sequence[Scaler], windows: Windows, seasons: tuple[int, ...]
    ) -> Judge:
        """The judge of the windows that `make_windows` laid over a table."""
        column, row = np.divmod(windows.validation, len(table.values))
        series = np.searchsorted(table.offsets, row, side="right") - 1
        scale = np.stack([scaler.scale for scaler in fitted])
        season = seasons[0] if seasons else 1
        naive = np.stack(
            [
                [naive_scale(column, season) for column in table.values[start : start + rows].T]
                for start, rows in zip(table.offsets, parts.training, strict=False)
            ]
        )
        scaled = (naive / scale)[series, column]
        exact = scaled < 1e-9  # the series repeats itself but for rounding
        return cls(
            windows=windows,
            seasons=seasons,
            targets=table.schema.targets,
            first=column * len(table.values) + table.offsets[series],
            column=column,
            scale=scale[series, column],
            naive=np.where(exact, 0.0, scaled),
        )

    def baselines(self) -> Scores:
        """Every baseline's scores."""
        names = baseline_names(self.seasons)
        return {name: self.score(seasonal_naive(self.windows, season, self.first)) for name, season in names.items()}

    def score(self, forecast: NDArray[np.float32]) -> dict[str, float]:
        """mae and rmse in standard deviations of the training rows, and mase, of (m, H) scaled forecasts."""
        actual = actuals(self.windows)
        return {
            "mae": mae(forecast, actual),
            "rmse": rmse(forecast, actual),
            "mase": mase(forecast, actual, self.naive),
        }

    def by_target(self, forecast: NDArray[np.float32]) -> dict[str, float]:
        """Mean absolute error of each target, in its own units."""
        errors = np.abs(forecast - actuals(self.windows)) * self.scale[:, None]
        return {
            name: float(np.nanmean(errors[self.column == place])) if (self.column == place).any() else float("nan")
            for place, name in enumerate(self.targets)
        }


def best_baseline(scores: Scores) -> str:
    """The name of the baseline with the least mae."""
    return min(scores, key=lambda name: scores[name]["mae"])
