"""The backtest use case: what would have been forecast at past times, beside what came and beside the baselines."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cnnlstm_cli.candidate import Watcher
from cnnlstm_cli.cluster import Where
from cnnlstm_cli.config import Options, Spec, spec_from
from cnnlstm_cli.errors import DataError, UsageError
from cnnlstm_cli.evaluation.baselines import naive_name
from cnnlstm_cli.evaluation.cuts import borders, rows_known
from cnnlstm_cli.evaluation.judge import Judge
from cnnlstm_cli.evaluation.scores import NONE, Actuals, By, Numbers, Pairs, Scores, score, score_by
from cnnlstm_cli.folds import Folds, kept_in, runs_of
from cnnlstm_cli.forecast import Run, rounded
from cnnlstm_cli.intervals import gathered, model_ends, naive_ends, thinned
from cnnlstm_cli.machine import packages
from cnnlstm_cli.planning import settle
from cnnlstm_cli.runs.directory import RunDirectory
from cnnlstm_cli.series.reader import Data, read_history, read_training
from cnnlstm_cli.series.scaler import Scaler
from cnnlstm_cli.series.table import Table
from cnnlstm_cli.series.windows import Index, Split, Windows, lay, training_starts

if TYPE_CHECKING:
    from typing_extensions import Unpack

FOLDS = 4
MOST_STRIDE = 10**12
DEVIATIONS = "standard deviations of the rows trained on"
SEEN = "the run was trained, and its epoch chosen, on rows up to"


@dataclass(frozen=True)
class Backtest:
    """Forecasts at rolling origins, and what came.

    table      the data
    origins    (m,) the last row known of each window, a row of the table
    came       what came in the m windows, and the scale of its metrics
    forecasts  of the model and of each baseline, (m, H) in units of the data
    ends       the intervals of those that have some: level in percent -> lower and upper, as the forecasts
    folds      how many models were used
    lookback   rows the model sees
    notes      what the user should be told
    """

    table: Table
    origins: Index
    came: Actuals
    forecasts: Mapping[str, Numbers]
    ends: Mapping[str, Pairs]
    folds: int
    lookback: int
    notes: tuple[str, ...] = ()

    @property
    def horizon(self) -> int:
        """H."""
        return int(self.came.values.shape[1])

    def scores(self) -> Scores:
        """Metrics of each forecaster; mae and rmse in `unit`."""
        several = len(self.table.schema.targets) > 1
        return {
            name: score(made, self.came, deviations=several, ends=self.ends.get(name, NONE))
            for name, made in self.forecasts.items()
        }

    def scores_by(self, by: By) -> dict[str, Scores]:
        """The same of each target, series or step: name -> forecaster -> metrics."""
        schema = self.table.schema
        if by == "id" and not schema.id:
            raise UsageError("--by id: there is one series. Name the column that tells many apart with --id.")
        found: dict[str, Scores] = {}
        for name, made in self.forecasts.items():
            ends = self.ends.get(name, NONE)
            for part, metrics in score_by(by, made, self.came, schema.targets, self.table.ids, ends).items():
                found.setdefault(part, {})[name] = metrics
        return found

    @property
    def unit(self) -> str:
        """What mae and rmse are in."""
        targets = self.table.schema.targets
        return DEVIATIONS if len(targets) > 1 else targets[0]

    def facts(self, by: By | None = None) -> dict[str, Any]:
        """Everything but the forecasts, as plain data; what `cnnlstm backtest --json` prints."""
        table, times = self.table, self.table.times[self.origins]
        return {
            "kind": "backtest",
            "data": table.name,
            "targets": list(table.schema.targets),
            "series": len(table.ids),
            "lookback": self.lookback,
            "horizon": self.horizon,
            "folds": self.folds,
            "origins": len(np.unique(self.origins)),
            "first": table.stamp(times.min()),
            "last": table.stamp(times.max()),
            "unit": "each target's own unit" if by == "target" else self.unit,
            "scores": self.scores(),
            **({"by": by, "parts": self.scores_by(by)} if by else {}),
            "notes": list(self.notes),
        }

    def frame(self, written: bool = False) -> pd.DataFrame:
        """Every forecast of the model: origin (the last time known), [id,] time, and the targets, a row a step.

        written  times as text in the data's own format
        """
        table, schema = self.table, self.table.schema
        origins, place = np.unique(self.origins, return_inverse=True)
        values = np.full((len(origins), self.horizon, len(schema.targets)), np.nan)
        scale = np.ones((len(origins), 1, len(schema.targets)))
        values[place, :, self.came.column] = self.forecasts["model"]
        scale[place, 0, self.came.column] = self.came.scale
        shown = rounded(values, scale)
        rows = (origins[:, None] + np.arange(1, self.horizon + 1)).ravel()
        told = schema.time.write(table.times) if written else {"time": table.times}
        last = np.array([" ".join(cells) for cells in zip(*told.values(), strict=True)]) if written else table.times
        columns: dict[str, Any] = {"origin": np.repeat(last[origins], self.horizon)}
        if schema.id:
            series = np.searchsorted(table.offsets, origins, side="right") - 1
            columns[schema.id] = np.repeat(np.array(table.ids, dtype=object)[series], self.horizon)
        columns |= {name: np.asarray(cells)[rows] for name, cells in told.items()}
        columns |= {name: shown[:, :, k].ravel() for k, name in enumerate(schema.targets)}
        return pd.DataFrame(columns)


def backtest(
    data: Data,
    run: str | Path | None = None,
    *,
    start: str | int | None = None,
    stride: int = 1,
    folds: int | None = None,
    preset: str | None = None,
    settings: Mapping[str, Any] | None = None,
    watcher: Watcher | None = None,
    cluster: Where | None = None,
    work: Path | None = None,
    **options: Unpack[Options],
) -> Backtest:
    """Forecast at every `stride`-th row from `start` on as if nothing after it were known, and score the forecasts.

    run     a published run, used as it is; without one, networks are trained on the rows before each of `folds` equal
            parts of the origins (4 unless told otherwise), with the options of `train`
    start   the first origin: a stamp that is the last known, or how many rows of each series are known before the
            first forecast (negative: counted from its end). Default: four fifths of the rows
    cluster where the folds are trained, several at a time: see `cluster.arriving`. Default: here, one by one
    work    a folder that the run of each fold is kept in; those that are there are not trained again

    Raises UsageError, InputError or DataError, with a cluster also BusyError, with `work` OutputError; without that
    nothing is written.
    """
    stride = min(stride, MOST_STRIDE)
    if stride < 1 or (folds is not None and folds < 1):
        raise UsageError("--stride and --folds must be 1 or more.")
    if run is None:
        spec = spec_from(options, settings, preset or "default")
        return _refitted(data, start, stride, folds or FOLDS, watcher or Watcher(), spec, cluster, work)
    strict = options.pop("strict", False)
    if options or settings or preset or folds or cluster or work:
        raise UsageError(
            "with --run the published model is used as it is: options of train, --folds, --cluster and --work go "
            "without."
        )
    return _published(data, Run.open(run), start, stride, strict)


def _published(data: Data, run: Run, start: str | int | None, stride: int, strict: bool) -> Backtest:
    table = read_history(data, run.record.schema)
    if strict:
        table.refuse_mended()
    horizon, lookback = run.record.horizon, run.record.lookback
    known = rows_known(table, start, horizon)
    past = table.until(known)
    part = _Part(table, known, past, table.lengths, run.fitted(past), run.record.spec.data.season)
    trial = part.trial(run, stride)
    if trial is None:
        raise _nothing(table, run)
    notes = _left_out(trial, part, stride)
    if unknown := [name for name in table.ids if name not in run.record.scalers]:
        notes.append(f"{len(unknown):,} series the run was not trained on (first {unknown[0]!r})")
    if not run.unseen(table)[trial.origins + 1].all():
        notes.append(
            f"{SEEN} {run.record.facts['data']['last']}: before that "
            "these scores are better than on rows it never saw. Name a later --from, or leave out --run to train anew."
        )
    return _gathered(table, [trial], lookback, notes)


def _refitted(
    data: Data,
    start: str | int | None,
    stride: int,
    folds: int,
    watcher: Watcher,
    spec: Spec,
    cluster: Where | None,
    work: Path | None,
) -> Backtest:
    table = read_training(data, spec.data)
    horizon = spec.data.horizon or settle(table, spec)[0].data.settled_horizon
    known = rows_known(table, start, horizon)
    settled = settle(table.until(known), replace(spec, data=replace(spec.data, horizon=horizon)))[0]
    origins = table.lengths - horizon + 1 - known  # of each series
    stride = min(stride, int(origins.max()))
    wanted, folds = folds, min(folds, max(1, int(origins.max()) // stride))
    cuts = [known, *borders(table, known, known + origins, folds), known + origins]
    notes = [] if folds == wanted else [f"{folds} folds instead of {wanted}: there are no more origins"]
    task = {
        "data": table.fingerprint,
        "options": settled.with_jobs(None).to_dict(),
        "folds": [cut.tolist() for cut in cuts],
        "software": packages(),
    }
    if cluster is not None:  # where one training is at each core, its networks take turns
        settled = settled.with_jobs(1)
    shared, pieces = Folds(table, settled), list(itertools.pairwise(cuts))
    trials = []
    with kept_in(work, task, watcher) as folder:
        runs = runs_of(shared, pieces, [RunDirectory(folder / f"fold-{k + 1}") for k in range(folds)], cluster, watcher)
        for k, ((first, end), run) in enumerate(zip(pieces, runs, strict=True), start=1):
            past = table.until(first)
            seasons = run.record.spec.data.season
            part = _Part(table, known, past, end + run.record.horizon - 1, run.fitted(past), seasons)
            if trial := part.trial(run, stride):
                trials.append(trial)
                notes += _left_out(trial, part, stride)
            else:
                notes.append(f"fold {k} of {folds} is left out: every origin in it has a hole in its window")
    if not trials:
        raise _nothing(table, run)
    return _gathered(table, trials, settled.data.settled_lookback, notes)


@dataclass(frozen=True)
class _Trial:
    """A model's windows, what came in them, and every forecaster's forecasts."""

    origins: Index
    came: Actuals
    forecasts: dict[str, Numbers]
    ends: dict[str, Pairs]


@dataclass(frozen=True)
class _Part:
    """The origins of one model: after `past`, up to row `ends` of each series, with the scalers it was trained with.

    They are as many rows apart as --stride says, counted from `start`, whatever part they fall in.
    """

    table: Table
    start: Index
    past: Table
    ends: Index
    fitted: Sequence[Scaler]
    seasons: tuple[int, ...]

    def origins(self, lookback: int, horizon: int, stride: int) -> Index:
        """The first rows of windows whose first target is every `stride`-th row from `known` on, if it has a past."""
        ahead = []
        for offset, start, rows, end in zip(self.table.offsets, self.start, self.past.lengths, self.ends, strict=False):
            least = max(rows, lookback)
            ahead.append(offset + np.arange(least + (start - least) % stride, end - horizon + 1, stride) - lookback)
        firsts: Index = np.concatenate(ahead).astype(np.int64)
        return firsts

    def windows(self, run: Run, stride: int) -> Windows:
        """The judged windows."""
        lookback = run.record.lookback
        judged = self.origins(lookback, run.record.horizon, stride)
        judged = judged[self.table.observed[judged + lookback - 1].all(axis=1)]
        return run.windows(self.table, self.fitted, judged)

    def known_windows(self, run: Run) -> Windows:
        """The windows of what was known, for the linear baseline."""
        lookback, horizon = run.record.lookback, run.record.horizon
        parts = Split.nothing_held(self.past.lengths)
        starts = training_starts(self.past, parts, lookback, horizon)
        return lay(self.past, self.fitted, starts, starts[:0], lookback, horizon)

    def trial(self, run: Run, stride: int) -> _Trial | None:
        """Everything forecast; None when there is no window to judge."""
        windows = self.windows(run, stride)
        if not len(windows.validation):
            return None
        known = self.known_windows(run)
        judge = Judge.of(self.table, self.past, self.fitted, windows, self.seasons, known)
        scaled = run.judged(windows)
        forecasts = {"model": judge.model(scaled), **dict(judge.baselines())}
        naive = naive_name(self.seasons)
        ends = {"model": model_ends(run, judge, scaled)}
        if len(known.training):
            learnt = Judge.of(self.past, self.past, self.fitted, thinned(known), self.seasons, known)
            ends[naive] = naive_ends(learnt, judge, forecasts[naive], run.levels())
        origins = windows.validation % len(self.table.values) + windows.lookback - 1
        return _Trial(origins, judge.came, forecasts, ends)


def _nothing(table: Table, run: Run) -> DataError:
    lookback, horizon = run.record.lookback, run.record.horizon
    return DataError(
        f"{table.name}: no origin to forecast from: none has {lookback} rows without a hole before it and {horizon} "
        f"after. Give at least {lookback + horizon} rows, or another --from."
    )


def _left_out(trial: _Trial, part: _Part, stride: int) -> list[str]:
    """How many origins were passed over, in words."""
    horizon = trial.came.values.shape[1]
    wanted = sum(
        len(range(rows + (start - rows) % stride, end - horizon + 1, stride))
        for start, rows, end in zip(part.start, part.past.lengths, part.ends, strict=True)
    )
    gone = wanted - len(np.unique(trial.origins))
    if not gone:
        return []
    return [f"{gone:,} of {wanted:,} origins left out: too few rows before them, or a hole in their window"]


def _gathered(table: Table, trials: Sequence[_Trial], lookback: int, notes: list[str]) -> Backtest:
    """The folds one after the other, and the forecasters that all of them have."""
    names = [name for name in trials[0].forecasts if all(name in trial.forecasts for trial in trials)]
    return Backtest(
        table=table,
        origins=np.concatenate([trial.origins for trial in trials]),
        came=Actuals.joined([trial.came for trial in trials]),
        forecasts={name: np.concatenate([trial.forecasts[name] for trial in trials]) for name in names},
        ends=gathered([trial.ends for trial in trials]),
        folds=len(trials),
        lookback=lookback,
        notes=tuple(dict.fromkeys(notes)),
    )
