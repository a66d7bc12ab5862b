"""The predict use case: a run and recent rows -> a forecast. onnxruntime and numpy; never TensorFlow."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cnnlstm_cli.errors import DataError, UsageError
from cnnlstm_cli.evaluation.conformal import Ends, Intervals, difficulty
from cnnlstm_cli.evaluation.paths import windows_of
from cnnlstm_cli.evaluation.quantiles import from_dict as stretches_of
from cnnlstm_cli.evaluation.quantiles import nested, stretched
from cnnlstm_cli.runs.directory import Hold, RunDirectory
from cnnlstm_cli.runs.published import content
from cnnlstm_cli.runs.record import Record
from cnnlstm_cli.runs.session import Session
from cnnlstm_cli.series.ahead import known_ahead
from cnnlstm_cli.series.calendar import Calendar
from cnnlstm_cli.series.frequency import Times
from cnnlstm_cli.series.reader import Data, read_recent
from cnnlstm_cli.series.scaler import Scaler
from cnnlstm_cli.series.table import Table
from cnnlstm_cli.series.windows import Index, Windows, joined, lay, lookback_of

MODEL, QUANTILES = "model.onnx", "quantiles.onnx"
MOST_DECIMALS = 290  # more are beyond computing with
MOST_DEVIATIONS = 1e12  # what single precision can still square

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Forecast:
    """What is expected after the last row of each series.

    table   the rows it was made from
    times   (series, H)
    values  (series, H, targets) float64, in units of the data
    ends    calibrated level in percent -> lower and upper ends of the interval, each as `values`
    size    of an error, as it is expected, in units of the data, as `values`
    limits  the scaler whose limits they all are within, its parts (series, 1, targets)
    notes   what the user should be told
    """

    table: Table
    times: tuple[Times, ...]
    values: Numbers
    ends: Mapping[float, Ends]
    size: Numbers
    limits: Scaler
    notes: tuple[str, ...] = ()

    def frame(self, written: bool = False, levels: Sequence[float] = ()) -> pd.DataFrame:
        """One row a series and step: [id,] time, targets, in the order their columns have in the data.

        written  times as text in the file's own format; else a single dated time column holds datetimes
        levels   of the intervals to put behind, for each target NAME-lo-80 and NAME-hi-80
        """
        schema = self.table.schema
        columns: dict[str, object] = {}
        if schema.id:
            columns[schema.id] = np.repeat(self.table.ids, self.values.shape[1])
        times = np.concatenate(self.times)
        if schema.time.kind in ("stamp", "epoch s", "epoch ms", "integer", "row") and not written:
            columns[schema.time.names[0] if schema.time.names else self._step_name()] = schema.time.told(times)
        elif schema.time.names:
            columns |= schema.time.write(times)
        else:
            columns[self._step_name()] = times
        for place, target in enumerate(schema.targets):
            columns[target] = self.values[:, :, place].ravel()
        order = [name for name in self.table.order if name in columns]
        beside = {
            f"{target}-{side}-{level:g}": ends[:, :, place].ravel()
            for place, target in enumerate(schema.targets)
            for level in levels
            for side, ends in zip(("lo", "hi"), self.ends[level], strict=True)
        }
        if taken := beside.keys() & columns.keys():
            raise UsageError(
                f"column {min(taken)!r} is in the data and would be an interval. Rename it, and train again."
            )
        return pd.DataFrame({name: columns[name] for name in [*(set(columns) - {*order}), *order]} | beside)

    def _step_name(self) -> str:
        """What to call the count of steps where the data has no time: no name of a target."""
        return next(name for name in ("step", "row", "cnnlstm_step") if name not in self.table.schema.targets)


@dataclass(frozen=True)
class Run:
    """A published version of a run directory."""

    path: Path
    folder: Path
    record: Record = field(repr=False)
    held: Hold | None = field(default=None, repr=False, compare=False)  # so that it is not removed meanwhile

    @classmethod
    def open(cls, path: str | Path, version: str | None = None) -> Run:
        """The published version, or the one named.

        Raises InputError when there is no run, DataError when it is damaged or of an unknown format.
        """
        folder, held = RunDirectory(Path(path)).hold(version)
        return cls(Path(path), folder, Record.read(folder / "run.json"), held)

    @cached_property
    def session(self) -> Session:
        """The network. Raises DataError when its file is not the one that was published."""
        columns = len(self.record.schema.targets) if self.record.spec.model.channels == "joint" else 1
        shape = (self.record.lookback, self.record.horizon, columns)
        return Session.published(self.folder / MODEL, self.record.model, shape)

    @cached_property
    def quantiles(self) -> Session | None:
        """The network of the `shares` of the levels; None where intervals are local. Raises as `session` does."""
        sha256 = self.record.facts["quantiles"]["network"]
        shape = (self.record.lookback, self.record.horizon, 2 * len(self.levels()))
        return Session.published(self.folder / QUANTILES, sha256, shape) if sha256 else None

    @cached_property
    def stretches(self) -> Numbers:
        """(levels, targets) what its intervals are multiplied by. Raises DataError where run.json does not say."""
        facts = self.record.facts["quantiles"]["stretches"]
        try:
            return stretches_of(facts, self.record.schema.targets, self.levels())
        except (KeyError, ValueError) as error:
            raise DataError(f"{self.folder / 'run.json'} is damaged: quantiles: {error}. Train again.") from None

    def unseen(self, table: Table) -> NDArray[np.bool_]:
        """(rows,): which rows of a table are later than all that the version was trained on."""
        last = self.record.facts["data"]["last_time"]
        later: NDArray[np.bool_] = table.times > (np.datetime64(last) if table.schema.time.dated else int(last))
        return later

    def fitted(self, past: Table) -> list[Scaler]:
        """The scaler of each series of a table; of one that the run was not trained on, by its rows in `past`."""
        spans = zip(past.ids, past.offsets, past.offsets[1:], strict=False)
        return [self.record.scalers.get(name) or self._scaler(past.values[first:end]) for name, first, end in spans]

    def _scaler(self, rows: Numbers) -> Scaler:
        """Of a series that the run was not trained on."""
        return Scaler.fit(rows, self.record.spec.data.lower)

    def windows(self, table: Table, fitted: Sequence[Scaler], starts: Index) -> Windows:
        """The windows of a table that begin at rows `starts`, for `judged`; those with a hole are left out."""
        model = self.record.spec.model
        joint, calendar = model.channels == "joint", self._calendar(table.times, table.covariates)
        lookback, horizon = self.record.lookback, self.record.horizon
        return lay(table, fitted, starts[:0], starts, lookback, horizon, joint=joint, calendar=calendar)

    def judged(self, windows: Windows) -> NDArray[np.float32]:
        """Forecasts of windows, (m, H) scaled, column by column as they are stacked."""
        model, columns = self.record.spec.model, len(self.record.schema.targets)
        return self.session.validate(joined(windows, columns) if model.channels == "joint" else windows)

    def predict(
        self,
        data: Data,
        horizon: int | None = None,
        levels: Sequence[float] = (),
        *,
        hold_known: bool = False,
        drop_ended: bool = False,
    ) -> pd.DataFrame:
        """The rows that follow `data`: the same columns, the same numbers as `cnnlstm predict` writes.

        levels      in percent, of the intervals to put behind them as NAME-lo-80, NAME-hi-80
        hold_known  the last known covariates hold on where rows ahead have none
        drop_ended  no forecast of series whose last row is over a horizon older than the newest of all

        Of many series, those shorter than the lookback are continued backwards. Raises DataError when the data has too
        few rows, lacks a column, or follows another step than the run.
        """
        made = self.forecast(data, horizon, hold_known=hold_known, drop_ended=drop_ended)
        return made.frame(levels=self.levels(levels) if levels else ())

    def forecast(
        self,
        data: Data,
        horizon: int | None = None,
        *,
        strict: bool = False,
        hold_known: bool = False,
        drop_ended: bool = False,
    ) -> Forecast:
        """`predict`, with all that is known about it. Raises as `predict` does, and DataError when `strict` and the
        rows that the forecast depends on need mending."""
        self._steps(horizon)  # before a large file is read
        table = read_recent(data, self.record.schema, self.record.lookback)
        return self.after(table, horizon, strict=strict, hold_known=hold_known, drop_ended=drop_ended)

    def after(
        self,
        table: Table,
        horizon: int | None = None,
        *,
        strict: bool = False,
        hold_known: bool = False,
        drop_ended: bool = False,
    ) -> Forecast:
        """`forecast`, of rows that have been read: the newest `lookback` of each series."""
        steps = self._steps(horizon)
        times = self._times(table, self.record.horizon)
        notes: list[str] = []
        if drop_ended:
            table, times, notes = _without_ended(table, times)
        known, mended, far = known_ahead(table, times, steps, hold=hold_known, scaler=self.record.outer)
        table = replace(table, mended=(*table.mended, *mended))
        if strict:
            table.refuse_mended()
        notes += far
        scaled, fitted, unknown = self._lookbacks(table)
        told = self._told(table, np.stack(times), known)
        ahead = self._ahead(scaled, told)[:, :steps].astype(np.float64)
        if not np.isfinite(ahead).all():
            raise DataError(f"{table.name}: no finite forecast comes of these rows. Look at the last of them.")
        joint = Scaler.joined(fitted).along_steps()
        size, exact = self._size(scaled, steps) * joint.scale, joint.inverse(ahead)

        def shown(values: Numbers) -> Numbers:
            return rounded(joint.within(values), joint.scale)

        learnt = self.quantiles.alone(scaled, told)[:, :, :steps] if self.quantiles else None
        pairs = self._local(exact, size) if learnt is None else self._stretched(learnt, joint)
        ends = nested(shown(exact), ((shown(low), shown(high)) for low, high in pairs))
        if unknown:
            notes.append(f"{len(unknown)} series the run was not trained on (first {unknown[0]!r})")
        short = [name for name, rows in zip(table.ids, table.lengths, strict=True) if rows < self.record.lookback]
        if short:
            notes.append(
                f"{len(short)} series shorter than the lookback of {self.record.lookback} rows (first {short[0]!r}): "
                "continued backwards by their first season, or row"
            )
        until = tuple(each[:steps] for each in times)
        by_level = dict(zip(self.levels(), ends, strict=True))
        return Forecast(table, until, shown(exact), by_level, size, joint, tuple(notes))

    @cached_property
    def intervals(self) -> list[Intervals]:
        """Those of each target. Raises DataError when run.json has not as many numbers as there are steps."""
        facts = self.record.facts["intervals"]
        try:
            found = [Intervals.from_dict(facts[target]) for target in self.record.schema.targets]
            for each in found:
                each.require(self.record.horizon, found[0].ends)
        except (KeyError, ValueError) as error:
            raise DataError(f"{self.folder / 'run.json'} is damaged: intervals: {error}. Train again.") from None
        return found

    @cached_property
    def errors(self) -> NDArray[np.float32]:
        """(n, H, targets), of whole windows: see `evaluation.paths`. Raises DataError when they are none."""
        path = self.folder / "errors.npy"
        kept = content(path, self.record.facts["errors"])
        try:
            return windows_of(kept, self.record.horizon, len(self.record.schema.targets))
        except ValueError as error:
            raise DataError(f"{path}: {error}. Train again.") from None

    def levels(self, wanted: Sequence[float] = ()) -> tuple[float, ...]:
        """The levels of intervals that are calibrated, in percent; or those `wanted` of them, as they stand there.

        Raises UsageError for one that is not calibrated.
        """
        known = tuple(self.intervals[0].ends)
        other = [level for level in wanted if level not in known]
        if other:
            raise UsageError(
                f"no interval of {other[0]:g} % is calibrated, but {', '.join(f'{level:g}' for level in known)}. "
                "Name one of them, or train with --levels."
            )
        return tuple(wanted) or known

    def _size(self, scaled: NDArray[np.float32], steps: int) -> Numbers:
        """(series, H, targets) scaled: the size of an error that is expected after lookbacks (series, L, targets)."""
        seasons = self.record.spec.data.season
        sizes = [each.size(difficulty(scaled[:, :, k], steps, seasons)) for k, each in enumerate(self.intervals)]
        return np.stack(sizes, axis=2)

    def _local(self, exact: Numbers, size: Numbers) -> Iterator[Ends]:
        """The ends of each level by what errors did, around forecasts and beside sizes (series, H, targets)."""
        for level in self.levels():
            low, high = np.array([each.ends[level] for each in self.intervals]).T
            yield exact + low * size, exact + high * size

    def _stretched(self, learnt: NDArray[np.float32], joint: Scaler) -> Iterator[Ends]:
        """The same of quantiles (Q, series, H, targets) scaled."""
        for low, high in stretched(learnt, self.stretches[:, None, None]):
            yield joint.inverse(low), joint.inverse(high)

    def _steps(self, horizon: int | None) -> int:
        most = self.record.horizon
        if horizon is not None and not 1 <= horizon <= most:
            raise UsageError(f"the run forecasts 1 to {most} steps, not {horizon}. For more, train with --horizon.")
        return horizon or most

    def _lookbacks(self, table: Table) -> tuple[NDArray[np.float32], list[Scaler], list[str]]:
        """(series, L, targets) scaled lookbacks, a scaler a series, and the ids the run has none for.

        The scalers are without the limits that a lookback has crossed.
        """
        needed, seasons = self.record.lookback, self.record.spec.data.season
        if not table.schema.id and len(table.values) < needed:
            raise DataError(
                f"{table.name} has {len(table.values)} rows; the run looks back {needed} rows. Give at least {needed}."
            )
        fitted, unknown, lookbacks = [], [], []
        for name, start, end in zip(table.ids, table.offsets, table.offsets[1:], strict=False):
            scaler = self.record.scalers.get(name)
            if scaler is None:
                scaler = self._scaler(table.values[start:end])
                unknown.append(name)
            rows = lookback_of(table.values[start:end], needed, seasons)
            fitted.append(scaler.giving_way(rows.min(axis=0), rows.max(axis=0)))
            lookbacks.append(scaler.transform(rows))
        scaled = np.stack(lookbacks).astype(np.float32)
        far = np.argwhere(np.abs(scaled) > MOST_DEVIATIONS)
        if len(far):
            series, row, target = far[-1]  # of a series that is continued backwards, the newer ones are its own
            time = table.times[table.offsets[series + 1] - needed + row]
            raise DataError(
                f"{table.name}, column {table.schema.targets[target]!r}: the value at {table.stamp(time)} is over a "
                "trillion deviations from the mean. Is it a mark for a missing value? Empty the cell."
            )
        if np.isnan(scaled).any():
            raise DataError(f"{table.name}: a target has no numbers in its rows. Its last {needed} rows are needed.")
        return scaled, fitted, unknown

    def _calendar(self, times: Times, covariates: Numbers) -> Calendar | None:
        """The calendar of rows, as the network takes it, with covariates in units of the data."""
        spec, schema, told = self.record.spec, self.record.schema, self.record.outer.covariates(covariates)
        return Calendar.of(schema.time.wall(times), spec.model.calendar, told, schema.roles, spec.data.seasons_seen)

    def _told(self, table: Table, times: Times, ahead: Numbers) -> NDArray[np.float32] | None:
        """(series, H, K') what is told of the steps ahead, at times (series, H) with covariates (series, H, K)."""
        horizon, rows = times.shape[1], self.record.lookback if ahead.shape[2] else 0  # behind the first of them
        if rows:
            spans = zip(table.offsets, table.offsets[1:], strict=False)
            seasons = self.record.spec.data.season
            behind = np.stack([lookback_of(table.covariates[start:end], rows, seasons) for start, end in spans])
            ahead = np.concatenate([behind, ahead], axis=1)
        calendar = self._calendar(np.concatenate([times[:, :1].repeat(rows, axis=1), times], axis=1), ahead)
        if calendar is None:
            return None
        flat = calendar.features().reshape(len(times) * (rows + horizon), -1)
        told: NDArray[np.float32] = calendar.ahead(flat, rows + np.arange(len(times)) * (rows + horizon), horizon)
        return told

    def _ahead(self, scaled: NDArray[np.float32], calendar: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """(series, L, targets) -> (series, H, targets), the targets together or each as a series of its own.

        calendar  (series, H, K') what is told of the steps ahead
        """
        if self.record.spec.model.channels == "joint":
            return self.session.run(scaled, calendar)
        alone: NDArray[np.float32] = self.session.alone(scaled, calendar)[0]
        return alone

    def _times(self, table: Table, steps: int) -> tuple[Times, ...]:
        if table.schema.time.kind == "row":
            return tuple(np.arange(1, steps + 1) for _ in table.ids)
        return tuple(table.schema.frequency.after(table.times[end - 1], steps) for end in table.offsets[1:])


def _without_ended(table: Table, times: tuple[Times, ...]) -> tuple[Table, tuple[Times, ...], list[str]]:
    """Series whose forecast, at `times`, would be over before the newest row of all are left out, and told.

    Raises UsageError where series have no common time.
    """
    if table.schema.time.kind == "row":
        raise UsageError("--drop-ended needs a time, and each series counts its own rows.")
    ended = np.array([each[-1] < table.times.max() for each in times])
    if not ended.any():
        return table, times, []
    first = table.ids[int(ended.argmax())]
    note = f"{ended.sum():,} series left out that ended over {len(times[0])} steps ago (first {first!r})"
    return table.only(~ended), tuple(itertools.compress(times, ~ended)), [note]


def rounded(values: Numbers, scale: Numbers) -> Numbers:
    """Values to a millionth of their column's deviation: what float32 carries, and no digits beyond."""
    largest = np.abs(values).max(axis=1, keepdims=True)  # of a constant column the deviation tells nothing
    unit = np.minimum(scale, np.where(largest > 0, largest, scale))
    tens = 10.0 ** np.clip(6 - np.floor(np.log10(unit)), 0, MOST_DECIMALS)
    shown: Numbers = np.round(values * tens) / tens + 0.0  # + 0.0 turns -0.0 into 0.0
    return shown
