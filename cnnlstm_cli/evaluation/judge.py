"""The model and the baselines on the same windows, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cnnlstm_cli.evaluation.baselines import baselines
from cnnlstm_cli.evaluation.metrics import naive_scale
from cnnlstm_cli.evaluation.ridge import fit
from cnnlstm_cli.evaluation.scores import Actuals, Numbers, Scores, score
from cnnlstm_cli.series.scaler import Scaler
from cnnlstm_cli.series.table import Table
from cnnlstm_cli.series.windows import FEWEST_WINDOWS, Index, Windows

ROUNDING = 1e-6  # of mean and deviation: several times what float32 leaves of a value scaled and scaled back


@dataclass(frozen=True)
class Judge:
    """Scores forecasts of the windows `windows.validation`, m of them.

    came   what did come in them
    scaler of their series, (m,) each of its parts, without limits that a lookback has crossed
    first  (m,) the row their series begins at
    linear (L, H) the weights of the linear model, None where there was too little to fit it on
    """

    windows: Windows
    seasons: tuple[int, ...]
    came: Actuals
    scaler: Scaler
    first: Index
    linear: Numbers | None

    @classmethod
    def of(
        cls,
        table: Table,
        past: Table,
        fitted: Sequence[Scaler],
        windows: Windows,
        seasons: tuple[int, ...],
        known: Windows,
    ) -> Judge:
        """The judge of windows laid over a table, of which `past` was there to learn from; `known` are its windows."""
        weights = fit(known) if len(known.training) >= FEWEST_WINDOWS else None
        total = len(table.values)
        column, row = np.divmod(windows.validation, total)
        series = np.searchsorted(table.offsets, row, side="right") - 1
        scaler = Scaler.joined(fitted).of(series, column)
        scaler = scaler.giving_way(*(scaler.inverse(each) for each in _least_and_greatest(windows)))
        naive = _naive_scales(past, seasons[0] if seasons else 1)[series, column]
        naive = np.where(naive / scaler.scale < 1e-9, 0.0, naive)  # the series repeats itself but for rounding
        cells = row[:, None] + windows.lookback + np.arange(windows.horizon), column[:, None]
        values = np.where(table.observed[cells], table.values[cells], np.nan)
        came = Actuals(values, column, series, scaler.scale, naive)
        first = column * total + _first_rows(table)[series, column]
        return cls(windows, seasons, came, scaler, first, weights)

    def of_targets(self, count: int) -> Iterator[NDArray[np.bool_]]:
        """(m,) of each target: which of the windows are its own; of one that has none there the others tell."""
        for k in range(count):
            own = self.came.column == k
            yield own if own.any() else np.ones_like(own)

    def in_units(self, scaled: NDArray[np.floating]) -> Numbers:
        """(m, H) scaled -> (m, H) in units of the data; what only float32 keeps from being 0 is 0, as for sMAPE."""
        units = self.scaler.inverse(scaled.T.astype(np.float64))
        rest = ROUNDING * (np.abs(self.scaler.mean) + self.scaler.scale)
        return np.where(np.abs(units) <= rest, 0.0, units).T

    def model(self, scaled: NDArray[np.floating]) -> Numbers:
        """The same of a model's forecasts, held within the limits of each series; the baselines know of none."""
        return self.scaler.within(self.in_units(scaled).T).T

    def baselines(self) -> Iterator[tuple[str, Numbers]]:
        """Each baseline's name and forecasts, (m, H) in units of the data."""
        for name, make in baselines(self.windows, self.first, self.seasons, self.linear).items():
            yield name, self.in_units(make())

    def baseline_scores(self) -> Scores:
        """Each baseline's metrics; mae and rmse in standard deviations of the training rows."""
        return {name: score(forecast, self.came, deviations=True) for name, forecast in self.baselines()}


def _least_and_greatest(windows: Windows) -> tuple[Numbers, Numbers]:
    """(m,) scaled each: of the lookbacks of the validation windows."""
    rolling = pd.Series(windows.values[:, 0]).rolling(windows.lookback)
    newest = windows.validation + windows.lookback - 1
    return rolling.min().to_numpy()[newest], rolling.max().to_numpy()[newest]


def _naive_scales(past: Table, season: int) -> Numbers:
    """(series, columns) in units of the data."""
    ends = zip(past.offsets, past.offsets[1:], strict=False)
    return np.stack([[naive_scale(column, season) for column in past.values[start:end].T] for start, end in ends])


def _first_rows(table: Table) -> Index:
    """(series, columns): the first row of the table that holds a value of it."""
    ends = zip(table.offsets, table.offsets[1:], strict=False)
    return np.stack([start + np.argmax(~np.isnan(table.values[start:end]), axis=0) for start, end in ends])
