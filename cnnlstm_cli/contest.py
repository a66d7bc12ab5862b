"""Two published versions' forecasts of the same values, and whether one is better or was lucky."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from cnnlstm_cli.backtesting import DEVIATIONS, SEEN, Backtest, backtest
from cnnlstm_cli.errors import DataError, UsageError
from cnnlstm_cli.evaluation.scores import Actuals, score
from cnnlstm_cli.evaluation.significance import EqualAccuracy, diebold_mariano
from cnnlstm_cli.forecast import Run
from cnnlstm_cli.origins import Origins, judged_from
from cnnlstm_cli.series.reader import Data, opened, read_history
from cnnlstm_cli.series.table import Schema
from cnnlstm_cli.series.windows import Index

Facts = dict[str, Any]
Runs: TypeAlias = tuple[Run, Run]

CHANCE = 0.05  # of a difference as large, below which one run is called the better
SELDOM = 1e-6  # the least chance that is told as a number


@dataclass(frozen=True)
class Contest:
    """Two runs' forecasts of the same values.

    done   of each run its forecasts in the windows that both have, in the same order, m of them and H steps
    notes  what the user should be told: which rows were judged, whom they flatter, what was left out
    """

    runs: Runs
    done: tuple[Backtest, Backtest]
    notes: tuple[str, ...]

    @cached_property
    def came(self) -> Actuals:
        """What came in the m windows; to measure by, the mean of both runs' deviations, and their lower naive error."""
        ours, theirs = (each.came for each in self.done)
        return replace(ours, scale=(ours.scale + theirs.scale) / 2, naive=np.minimum(ours.naive, theirs.naive))

    @property
    def _several(self) -> bool:
        return len(np.unique(self.came.column)) > 1 or len(self.done[0].table.ids) > 1

    @property
    def unit(self) -> str:
        """What mae, rmse and widths are in."""
        return DEVIATIONS if self._several else self.targets[0]

    @property
    def targets(self) -> list[str]:
        """What both forecast."""
        names = self.done[0].table.schema.targets
        return [names[column] for column in np.unique(self.came.column)]

    @cached_property
    def scores(self) -> list[dict[str, float]]:
        """The metrics of each run."""
        return [
            score(each.forecasts["model"], self.came, deviations=self._several, ends=each.ends["model"])
            for each in self.done
        ]

    @cached_property
    def test(self) -> EqualAccuracy:
        """Of Diebold and Mariano, on the absolute errors of each origin.

        Every value counts the same, over steps, targets and series: the mean is the difference of the two mae.
        """
        came, table = self.came.values, self.done[0].table
        unit = self.came.scale[:, None] if self._several else 1.0
        ours, theirs = (np.abs(each.forecasts["model"] - came) / unit for each in self.done)
        rows = np.searchsorted(np.unique(table.times), table.times[self.done[0].origins])
        rows, place = np.unique(rows, return_inverse=True)
        counts = np.bincount(place, (~np.isnan(came)).sum(axis=1))
        sums = np.bincount(place, np.nansum(ours - theirs, axis=1))
        some = counts > 0
        return diebold_mariano(sums[some] / counts[some].mean(), rows[some], came.shape[1])

    @property
    def unseen(self) -> list[bool]:
        """Of each run whether it has seen nothing of what is forecast."""
        table, first = self.done[0].table, self.done[0].origins + 1
        return [bool(run.unseen(table)[first].all()) for run in self.runs]

    @property
    def better(self) -> int | None:
        """Which run is, 0 or 1; None where that may be chance."""
        if self.test.p is None or self.test.p >= CHANCE:
            return None
        return int(self.test.mean > 0)

    @property
    def verdict(self) -> str:
        """Which run forecasts better, in words."""
        mae, test, better = [each["mae"] for each in self.scores], self.test, self.better
        told = f"mae {mae[0]:.4g} against {mae[1]:.4g}"
        if test.p is None:
            return (
                f"{test.origins:,} origins are too few to show a difference {self.done[0].horizon} steps ahead: {told}."
            )
        if better is None:
            worth = f", worth about {test.horizons:,} that do not overlap," if test.horizons < test.origins else ""
            chance = f"chance alone parts equals as far in {100 * test.p:.0f} of 100 cases"
            return f"No difference that these {test.origins:,} origins{worth} can show: {told}; {chance}."
        ours, theirs = mae[better], mae[1 - better]
        seen = " But it has seen some of these rows." if self.unseen[1 - better] and not self.unseen[better] else ""
        return (
            f"{self.runs[better].path} forecasts better: {100 * (1 - ours / theirs):.1f} % less error (mae {ours:.4g} "
            f"against {theirs:.4g}), and chance would do that {_seldom(test.p)}.{seen}"
        )

    def facts(self) -> Facts:
        """All that is found, as plain data that JSON can write; None where there is no number."""
        table = self.done[0].table
        times = table.times[self.done[0].origins]
        return {
            "data": table.name,
            "targets": self.targets,
            "series": len(np.unique(self.came.series)),
            "horizon": self.done[0].horizon,
            "origins": self.test.origins,
            "first": table.stamp(times.min()),
            "last": table.stamp(times.max()),
            "unit": self.unit,
            "scores": [finite(each) for each in self.scores],
            "test": vars(self.test),
            "better": self.better,
            "verdict": self.verdict,
            "unseen": self.unseen,
            "notes": list(self.notes),
        }


def finite(scores: Mapping[str, float]) -> dict[str, float | None]:
    """Metrics, None where there is no number."""
    return {name: value if math.isfinite(value) else None for name, value in scores.items()}


def _seldom(chance: float) -> str:
    """How seldom chance does something, in words."""
    if chance < SELDOM:
        return "less than once in a million times"
    return f"once in {float(f'{1 / chance:.2g}'):,.0f} times"


def contest(runs: Runs, data: Data) -> Contest:
    """The forecasts of both from the origins that both can forecast from, over the steps and targets that both have.

    Judged are the rows that neither has seen, where at least a horizon of them follows the last that one has; else the
    last fifth.

    Raises UsageError where the runs forecast nothing that could be compared, InputError or DataError as `backtest`.
    """
    _require_comparable(runs)
    source = opened(data)
    begin = judged_from(runs, read_history(source, runs[0].record.schema))
    ours, theirs = (backtest(source, run.path, start=begin.start, stride=begin.stride) for run in runs)
    there = _windows(theirs).get_indexer(_windows(ours))
    here, there = np.flatnonzero(there >= 0), there[there >= 0]
    if not len(here):
        raise DataError(f"{ours.table.name}: no origin that both runs can forecast from. Give more rows.")
    horizon = min(ours.horizon, theirs.horizon)
    levels = [level for level in ours.ends["model"] if level in theirs.ends["model"]]
    done = _only(ours, here, horizon, levels), _only(theirs, there, horizon, levels)
    if np.isnan(done[0].came.values).all():
        raise DataError(f"{ours.table.name}: of what both runs forecast nothing was observed. Give more rows.")
    made = Contest(runs, done, ())
    return replace(made, notes=(*_which(made, begin), *_left_out(made, (ours, theirs), begin.stride)))


def _require_comparable(runs: Runs) -> None:
    """Raises UsageError where the runs have no target in common, or tell rows, series and times otherwise."""
    ours, theirs = (run.record.schema for run in runs)
    if not set(ours.targets) & set(theirs.targets):
        raise UsageError(
            f"{runs[0].path} forecasts {_listed(ours.targets)}, {runs[1].path} {_listed(theirs.targets)}: there is "
            "nothing to compare on rows. Leave out --data to see in what they differ."
        )
    other = [what for what, value in _reading(ours).items() if value != _reading(theirs)[what]]
    if other:
        told = (f"{what} {_reading(ours)[what]!r} against {_reading(theirs)[what]!r}" for what in other)
        raise UsageError(
            f"{runs[0].path} and {runs[1].path} do not forecast the same rows: {', '.join(told)}. Leave out --data to "
            "see in what else they differ, or train one of them as the other."
        )


def _reading(schema: Schema) -> dict[str, str]:
    """By what a file becomes rows, in words."""
    return {
        "time": _listed(schema.time.names),
        "step": schema.step,
        "series by": schema.id or "",
        "doubled rows": schema.doubled,
    }


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _windows(done: Backtest) -> pd.MultiIndex:
    """What each window is of: target, series, time of the origin."""
    table, came = done.table, done.came
    targets, ids = (np.array(names, dtype=object) for names in (table.schema.targets, table.ids))
    return pd.MultiIndex.from_arrays([targets[came.column], ids[came.series], table.times[done.origins]])


def _only(done: Backtest, windows: Index, horizon: int, levels: Sequence[float]) -> Backtest:
    """Some of the windows, the first steps of each, the model alone and its intervals of some levels."""
    came, ends = done.came[windows], done.ends["model"]
    kept = {level: (ends[level][0][windows, :horizon], ends[level][1][windows, :horizon]) for level in levels}
    return replace(
        done,
        origins=done.origins[windows],
        came=replace(came, values=came.values[:, :horizon]),
        forecasts={"model": done.forecasts["model"][windows, :horizon]},
        ends={"model": kept},
    )


def _which(made: Contest, begin: Origins) -> Iterator[str]:
    """Which rows are judged, and whom they flatter."""
    lasts = [run.record.facts["data"]["last"] for run in made.runs]
    if begin.unseen:
        newest = max(made.runs, key=lambda run: np.datetime64(run.record.facts["data"]["last_time"]))
        yield f"Judged on the rows after {newest.record.facts['data']['last']}, which neither has seen."
    else:
        yield "Judged on the last fifth of the rows."
    if not any(made.unseen) and lasts[0] == lasts[1]:
        yield f"Both were trained, or their epochs chosen, on rows up to {lasts[0]}: scores there flatter them."
        return
    for run, last, unseen in zip(made.runs, lasts, made.unseen, strict=True):
        if not unseen:
            yield f"{run.path} was trained, or its epochs chosen, on rows up to {last}: scores there flatter it."


def _left_out(made: Contest, whole: tuple[Backtest, Backtest], stride: int) -> Iterator[str]:
    """What of both backtests is not compared."""
    common = len(np.unique(made.done[0].origins))
    told = [{f"{note[0].upper()}{note[1:]}." for note in each.notes if not note.startswith(SEEN)} for each in whole]
    for run, each, own, others in zip(made.runs, whole, told, reversed(told), strict=True):
        if each.horizon > made.done[0].horizon:
            yield f"Compared are the first {made.done[0].horizon} steps: {run.path} forecasts {each.horizon}."
        if more := [name for name in each.table.schema.targets if name not in made.targets]:
            yield f"Compared is {_listed(made.targets)} alone: {run.path} forecasts {_listed(more)} as well."
        if levels := [f"{level:g} %" for level in each.ends["model"] if level not in made.done[0].ends["model"]]:
            yield f"Only {run.path} has intervals of {_listed(levels)}."
        if alone := len(np.unique(each.origins)) - common:
            yield f"{alone:,} origins that only {run.path} can forecast from are left out."
        yield from (f"{run.path}: {note}" for note in sorted(own - others))
    yield from sorted(told[0] & told[1])
    if stride > 1:
        yield f"Forecast from one row in {stride}, for there are very many."
