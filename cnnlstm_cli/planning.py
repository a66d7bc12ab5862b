"""What a training would be: everything that is settled before a network is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cnnlstm_cli.config import Spec
from cnnlstm_cli.errors import UsageError
from cnnlstm_cli.evaluation.baselines import of_lookback
from cnnlstm_cli.evaluation.judge import Judge
from cnnlstm_cli.evaluation.scores import Numbers, Scores
from cnnlstm_cli.series.calendar import Calendar, suggested
from cnnlstm_cli.series.scaler import Scaler
from cnnlstm_cli.series.season import default_horizon, find_seasons
from cnnlstm_cli.series.table import Table
from cnnlstm_cli.series.windows import (
    Split,
    Windows,
    count_windows,
    default_kernel,
    default_lookback,
    feasible_horizon,
    joined,
    lay,
    make_windows,
    scalers,
    split,
    training_starts,
)
from cnnlstm_cli.specs import MANY_WINDOWS, NARROW, WIDE


@dataclass(frozen=True)
class Task:
    """A training that is settled but for the fitting: `spec` has no None left, `baselines` are already scored.

    scalers  of the targets, one a series
    outer    of the covariates, one for all series
    """

    table: Table
    spec: Spec
    parts: Split
    scalers: Sequence[Scaler]
    outer: Scaler
    windows: Windows
    judge: Judge
    baselines: Scores

    @property
    def columns(self) -> int:
        """How many columns a window of the network has."""
        return self.table.values.shape[1] if self.spec.model.channels == "joint" else 1

    def fitting(self, windows: Windows) -> Windows:
        """Windows of this task as the network takes them: its columns side by side where it sees them jointly."""
        return joined(windows, self.columns) if self.columns > 1 else windows

    def simple(self, weights: Numbers | None) -> dict[str, Numbers]:
        """The forecasts that are averaged with the networks, as linear models (L, H) of the lookback: see `baselines`.

        weights  of the fitted one; None where there is none
        """
        if not self.spec.train.linear or self.spec.model.output != "linear":
            return {}
        return of_lookback(self.windows.lookback, self.windows.horizon, self.spec.data.season or (), weights)

    def everything(self) -> Windows:
        """All windows for training, none for validation: what the network is trained anew on."""
        parts = Split.nothing_held(self.table.lengths)
        lookback, horizon = self.windows.lookback, self.windows.horizon
        training = training_starts(self.table, parts, lookback, horizon)
        joint = self.spec.model.channels == "joint"
        none = training[:0]
        calendar = self.windows.calendar
        return lay(self.table, self.scalers, training, none, lookback, horizon, joint=joint, calendar=calendar)


def prepare(table: Table, spec: Spec) -> Task:
    """Settle everything. Raises DataError or UsageError where that can't be done."""
    return lay_windows(table, *settle(table, spec))


def settle(table: Table, spec: Spec) -> tuple[Spec, Split]:
    """The specification with what the data says filled in, and the split into training and validation rows."""
    schema = table.schema
    _require_none_below(table, spec.data.lower)
    _require_quantiles(spec, len(schema.targets))
    season = spec.data.season or find_seasons(table)
    usual = default_horizon(schema.frequency, season)
    horizon = spec.data.horizon or feasible_horizon(table.lengths, usual, spec.data.lookback, spec.data.validation)
    parts = split(table.lengths, horizon, spec.data.validation)
    long = [length for length in season if length > parts.training.max()]
    if long and spec.data.season:
        raise UsageError(
            f"data.season={long[0]} is longer than the {parts.training.max()} training rows. Leave it out."
        )
    season = tuple(length for length in season if length not in long)
    columns = len(schema.targets)
    lookback = spec.data.lookback or default_lookback(parts, horizon, season, columns)
    width = WIDE if columns * count_windows(parts, lookback, horizon) >= MANY_WINDOWS else NARROW
    data = replace(
        spec.data,
        target=schema.targets,
        time=schema.time.names,
        freq=schema.frequency.alias,
        season=season,
        lookback=lookback,
        horizon=horizon,
    )
    model = replace(
        spec.model,
        kernel=min(lookback, spec.model.kernel or default_kernel(lookback, season)),
        filters=spec.model.filters or width,
        units=spec.model.units or spec.model.filters or width,
        calendar=_calendar(table, spec.model.calendar),
    )
    return replace(spec, data=data, model=model), parts


def _require_none_below(table: Table, lower: float | None) -> None:
    """Raises UsageError, with the place of the first, for values that are lower than forecasts may be."""
    below = np.argwhere(table.values < (-np.inf if lower is None else lower))
    if len(below):
        row, target = below[0]
        raise UsageError(
            f"{table.name}: {len(below):,} values are below --lower {lower:g}, the first {table.values[row, target]:g} "
            f"in column {table.schema.targets[target]!r} at {table.stamp(table.times[row])}. Give a lower one, or none."
        )


def _require_quantiles(spec: Spec, targets: int) -> None:
    """Raises UsageError where they are wanted of a network that sees several targets together."""
    if spec.train.intervals == "quantile" and spec.model.channels == "joint" and targets > 1:
        raise UsageError(
            f"train.intervals=quantile is for one target at a time, and model.channels=joint puts {targets} together. "
            "Take model.channels=independent, or train.intervals=local."
        )


def _calendar(table: Table, wanted: str) -> Any:
    """What of the calendar the network is told. Raises UsageError for a calendar of times that have none."""
    frequency, times = table.schema.frequency, table.times
    if wanted == "auto":
        return suggested(frequency, times.min(), times.max())
    if wanted != "none" and not frequency.dated:
        raise UsageError(f"model.calendar={wanted} needs dates, and the rows are counted. Take model.calendar=none.")
    return wanted


def lay_windows(table: Table, spec: Spec, parts: Split, outer: Scaler | None = None) -> Task:
    """The task of a settled specification; `outer` scales the covariates, by default as their trained rows are spread.

    Raises DataError when the table has too few rows for it.
    """
    past = table.without(parts.held)
    outer = outer or Scaler.fit(table.covariates[~parts.held])
    fitted = scalers(table, past, spec.data.lower)
    joint = spec.model.channels == "joint"
    lookback, horizon = spec.data.settled_lookback, spec.data.settled_horizon
    told, clock = outer.covariates(table.covariates), table.schema.time.wall(table.times)
    calendar = Calendar.of(clock, spec.model.calendar, told, table.schema.roles, spec.data.seasons_seen)
    windows = make_windows(table, past, parts, fitted, lookback, horizon, joint=joint, calendar=calendar)
    judge = Judge.of(table, past, fitted, windows, spec.data.season, windows)
    return Task(table, spec, parts, fitted, outer, windows, judge, judge.baseline_scores())
