"""The diagnosis use case: what a published version does on data, where its errors lie, and what they leave unsaid."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.backtesting import DEVIATIONS, SEEN, Backtest, backtest
from cnnlstm_cli.errors import DataError
from cnnlstm_cli.evaluation.metrics import coverage
from cnnlstm_cli.evaluation.remarks import remarks
from cnnlstm_cli.evaluation.residuals import (
    apart_from_each_other,
    autocorrelation,
    grouped,
    histogram,
    reliability,
)
from cnnlstm_cli.evaluation.scores import Numbers, Scores, score
from cnnlstm_cli.forecast import Run
from cnnlstm_cli.origins import Origins, judged_from
from cnnlstm_cli.series.reader import Data, opened, read_history
from cnnlstm_cli.series.windows import Index

Facts = dict[str, Any]

BESIDE = 2  # baselines, the best ones, that are shown beside the model
WORST = 5  # windows
MOST_PARTS = 10  # series, those with the largest errors
FEWEST_LAGS = 48
MOST_COURSE, FEWEST_COURSE = 300, 60  # points of the whole series, each the mean of its rows
MOST_TAIL = 240  # rows shown before a forecast
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def diagnose(run_path: str | Path, data: Data, *, start: str | int | None = None) -> Diagnosis:
    """Forecast at past times of `data` with the published version, and look at the errors.

    start  the first origin, as in `backtest`. Default: the last row that the version has seen, where at least a horizon
           of rows follows it; else four fifths of the rows, and a note says so

    Raises UsageError, InputError or DataError as `backtest` does; nothing is written.
    """
    run, source = Run.open(run_path), opened(data)
    table = read_history(source, run.record.schema)
    origins = judged_from([run], table, start)
    done = backtest(source, run_path, start=origins.start, stride=origins.stride)
    if np.isnan(done.came.values).all():
        raise DataError(f"{table.name}: of all that was forecast nothing was observed. Give more rows.")
    return Diagnosis(run, done, origins.stride, (*_which(run, done, origins), *_told(done)))


def _which(run: Run, done: Backtest, origins: Origins) -> Iterator[str]:
    """Which rows are judged, in words, and whether they flatter."""
    last, flattered = run.record.facts["data"]["last"], any(note.startswith(SEEN) for note in done.notes)
    if origins.unseen:
        yield f"Judged on the rows after {last}, which the version has not seen."
    elif origins.start is None:
        why = f", for fewer than {run.record.horizon} are newer than {last}" if flattered else ""
        yield f"Judged on the last fifth of the rows{why}."
    if flattered:
        yield f"The version was trained, or its epochs chosen, on rows up to {last}: scores there flatter it."
    if origins.stride > 1:
        yield f"Forecast from one row in {origins.stride}, for there are very many."


def _told(done: Backtest) -> Iterator[str]:
    """The notes of a backtest, but for that on rows seen, whose remedy is the backtest's."""
    yield from (f"{note[0].upper()}{note[1:]}." for note in done.notes if not note.startswith(SEEN))


@dataclass(frozen=True)
class Diagnosis:
    """A version's forecasts at rolling origins, taken apart.

    run     the version
    done    its forecasts, those of the baselines, and what came
    stride  rows from one origin to the next
    notes   what the user should be told: which rows were judged, and whether the version had seen them

    Errors are in units of the target, or, of several targets or series, in deviations of the rows trained on.
    """

    run: Run
    done: Backtest
    stride: int
    notes: tuple[str, ...] = ()

    @cached_property
    def scores(self) -> Scores:
        """Metrics of each forecaster, in `unit`."""
        done = self.done
        return {
            name: score(made, done.came, deviations=self._several, ends=done.ends.get(name, {}))
            for name, made in done.forecasts.items()
        }

    @property
    def unit(self) -> str:
        """What errors are in."""
        return DEVIATIONS if self._several else self.done.table.schema.targets[0]

    def facts(self) -> Facts:
        """All that is found, as plain data that JSON can write; None where there is no number."""
        done, table = self.done, self.done.table
        times = table.times[done.origins]
        facts = {
            "kind": "diagnosis",
            "run": str(self.run.path),
            "version": self.run.record.version,
            "data": table.name,
            "targets": list(table.schema.targets),
            "series": len(table.ids),
            "horizon": done.horizon,
            "origins": len(np.unique(done.origins)),
            "stride": self.stride,
            "first": table.stamp(times.min()),
            "last": table.stamp(times.max()),
            "unseen": bool(self.run.unseen(table)[done.origins + 1].all()),
            "unit": self.unit,
            "scores": _finite(self.scores),
            "beside": self._beside,
            "steps": self._by(np.broadcast_to(np.arange(done.horizon), done.came.values.shape), range(1, 1 + self._h)),
            "hours": self._by_hour(),
            "weekdays": self._by_weekday(),
            "parts": self._by_part(),
            "residuals": self._residuals(),
            "coverage": self._coverage(),
            "reliability": reliability(done.came.values, done.forecasts["model"], done.ends["model"]),
            "worst": [self._window(place) for place in self._worst()],
            "newest": self._window(self._newest()),
            "profile": self._profile(),
            "course": self._course(),
            "notes": list(self.notes),
            "read": table.notes(),
        }
        return {**facts, "remarks": list(remarks(facts))}

    @property
    def _several(self) -> bool:
        return len(self.done.table.schema.targets) > 1 or len(self.done.table.ids) > 1

    @property
    def _h(self) -> int:
        return self.done.horizon

    @property
    def _unit(self) -> Numbers:
        """(m, 1) what errors are divided by."""
        scale = self.done.came.scale[:, None]
        return scale if self._several else np.ones_like(scale)

    @cached_property
    def _beside(self) -> list[str]:
        """The best baselines, the very best first."""
        names = [name for name in self.scores if name != "model" and np.isfinite(self.scores[name]["mae"])]
        return sorted(names, key=lambda name: self.scores[name]["mae"])[:BESIDE]

    def _errors(self, name: str = "model") -> Numbers:
        """(m, H) residuals: what came less the forecast, in `unit`."""
        errors: Numbers = (self.done.came.values - self.done.forecasts[name]) / self._unit
        return errors

    def _by(self, groups: Index, labels: Sequence[Any]) -> Facts:
        """The mean absolute error of the model and of the best baselines in groups (m, H)."""
        means = {name: grouped(np.abs(self._errors(name)), groups, len(labels)) for name in ("model", *self._beside)}
        return {
            "labels": list(labels),
            "count": means["model"][1].tolist(),
            "mae": {name: _plain(mean) for name, (mean, _) in means.items()},
        }

    def _by_hour(self) -> Facts | None:
        """By hour of the day that is forecast, where rows are less than a day apart."""
        if not self._rows_within(np.timedelta64(1, "D"), inclusive=False):
            return None
        times = self._local_times()
        return self._by(((times - times.astype("M8[D]")) // np.timedelta64(1, "h")).astype(np.int64), range(24))

    def _by_weekday(self) -> Facts | None:
        """By weekday that is forecast, where rows are a day apart at most."""
        if not self._rows_within(np.timedelta64(1, "D"), inclusive=True):
            return None
        days = self._local_times().astype("M8[D]").astype(np.int64)
        return self._by((days + 3) % 7, WEEKDAYS)  # the first day of 1970 was a Thursday

    def _rows_within(self, span: np.timedelta64, *, inclusive: bool) -> bool:
        table = self.done.table
        if not table.schema.time.dated:
            return False
        step = np.diff(table.times[: table.offsets[1]]).min()
        return bool(step <= span if inclusive else step < span)

    def _local_times(self) -> NDArray[Any]:
        """(m, H) what is forecast, on the clock that the data are written by."""
        rows = self.done.origins[:, None] + np.arange(1, self._h + 1)
        return self.done.table.schema.time.read(self.done.table.times[rows])

    def _by_part(self) -> Facts:
        """By target in its own unit, and by series, those with the largest errors; empty of one alone."""
        table, came, found = self.done.table, self.done.came, {}
        if len(table.schema.targets) > 1:
            found["target"] = {name: _finite(scores) for name, scores in self.done.scores_by("target").items()}
        if len(table.ids) > 1:
            groups = np.broadcast_to(came.series[:, None], came.values.shape)
            names = ("model", *self._beside[:1])
            means = {name: grouped(np.abs(self._errors(name)), groups, len(table.ids))[0] for name in names}
            order = np.argsort(-np.nan_to_num(means["model"], nan=-1))[:MOST_PARTS]
            order = order[~np.isnan(means["model"][order])]
            found["id"] = {table.ids[k]: {name: {"mae": float(means[name][k])} for name in names} for k in order}
        return found

    def _residuals(self) -> Facts:
        errors = self._errors()
        edges, counts = histogram(errors)
        lags = self._lags()
        found = {"edges": edges.tolist(), "counts": counts.tolist(), "mean": float(np.nanmean(errors))}
        if not len(lags):
            return {**found, "lags": [], "correlations": [], "band": None}
        came, table = self.done.came, self.done.table
        ahead = np.full(table.values.shape, np.nan)
        ahead[self.done.origins + 1, came.column] = errors[:, 0] * self._unit[:, 0] / came.scale
        correlations, band = autocorrelation(ahead, table.offsets, lags)
        return {**found, "lags": lags.tolist(), "correlations": correlations.tolist(), "band": float(band)}

    def _lags(self) -> Index:
        """Rows back: two of the shortest season or 48, but no more than half of what was judged of a series."""
        season = min(self.run.record.spec.data.season, default=1)
        rows = np.ptp(self.done.origins[self.done.came.series == self.done.came.series[0]]) + 1
        most = min(max(FEWEST_LAGS, 2 * season), int(rows) // 2)
        lags: Index = np.arange(self.stride, most + 1, self.stride, dtype=np.int64)
        return lags

    def _coverage(self) -> Facts:
        """Of each level, in percent, how many of what came lie in the interval: in all, and by step."""
        came, found = self.done.came.values, {}
        for level, (low, high) in self.done.ends["model"].items():
            inside = np.where(np.isnan(came), np.nan, (came >= low) & (came <= high))
            steps, _ = grouped(100 * inside, np.broadcast_to(np.arange(self._h), came.shape), self._h)
            found[f"{level:g}"] = {"seen": coverage(low, high, came), "steps": _plain(steps)}
        return found

    def _worst(self) -> list[int]:
        known = ~np.isnan(self._errors())
        errors = np.abs(np.where(known, self._errors(), 0)).sum(axis=1)
        errors = np.where(known.any(axis=1), errors / np.maximum(known.sum(axis=1), 1), np.nan)
        errors[(errors < np.nanmean(errors)) | (errors == 0)] = np.nan  # of few windows not the good ones
        return apart_from_each_other(errors, self.done.origins, self.done.came.series, self._h, WORST)

    def _newest(self) -> int:
        """The last window, a whole one if there is any, of the first target and series."""
        came = self.done.came
        own = (came.column == came.column[0]) & (came.series == came.series[0])
        whole = own & ~np.isnan(came.values).any(axis=1)
        places = np.flatnonzero(whole if whole.any() else own)
        return int(places[self.done.origins[places].argmax()])

    def _window(self, place: int) -> Facts:
        """A window: the rows before it, what was forecast and what came, in units of its target."""
        done, table, came = self.done, self.done.table, self.done.came
        origin, column, series = int(done.origins[place]), int(came.column[place]), int(came.series[place])
        tail = min(self.run.record.lookback, max(2 * self._h, 2 * min(self.run.record.spec.data.season, default=1)))
        first = max(int(table.offsets[series]), origin + 1 - min(tail, MOST_TAIL))
        times, clock = table.times[first : origin + 1 + self._h], table.schema.time
        off = self._errors()[place]
        return {
            "target": table.schema.targets[column],
            "id": table.ids[series],
            "origin": table.stamp(table.times[origin]),
            "mae": float(np.nanmean(np.abs(off))) if not np.isnan(off).all() else None,
            "times": _times(clock.read(times)),
            "stamps": [" ".join(cells) for cells in zip(*table.schema.time.write(times).values(), strict=True)],
            "history": _plain(table.values[first : origin + 1, column]),
            "actual": _plain(came.values[place]),
            "forecast": _plain(done.forecasts["model"][place]),
            "ends": {
                f"{level:g}": [_plain(low[place]), _plain(high[place])]
                for level, (low, high) in done.ends["model"].items()
            },
        }

    def _profile(self) -> list[Facts]:
        """Of each target what the data hold, all series together."""
        table, found = self.done.table, []
        for name, column, observed in zip(table.schema.targets, table.values.T, table.observed.T, strict=True):
            known = column[observed]
            spread = {"least": known.min(), "mean": known.mean(), "median": np.median(known), "greatest": known.max()}
            found.append(
                {
                    "target": name,
                    "rows": len(column),
                    "observed": len(known),
                    **{key: float(number) for key, number in spread.items()},
                    "deviation": float(known.std()),
                }
            )
        return found

    def _rows_a_point(self, rows: int) -> int:
        """How many of so many rows make a point: of whole seasons where that leaves points enough."""
        size = -(-rows // MOST_COURSE)
        whole = [-(-size // season) * season for season in self.run.record.spec.data.season[:1] if size > 1]
        return next((each for each in whole if rows >= FEWEST_COURSE * each), size)

    def _course(self) -> Facts:
        """The first target of the first series judged, from its beginning to its end, and where judging began."""
        table, came = self.done.table, self.done.came
        column, series = int(came.column[0]), int(came.series[0])
        start, end = table.offsets[series : series + 2]
        clock = table.schema.time
        edges = np.append(np.arange(start, end, self._rows_a_point(int(end - start))), end)
        parts = [table.values[a:b, column] for a, b in itertools.pairwise(edges)]
        means = [part[~np.isnan(part)].mean() if (~np.isnan(part)).any() else np.nan for part in parts]
        own = (came.series == series) & (came.column == column)
        return {
            "target": table.schema.targets[column],
            "id": table.ids[series],
            "times": _times(clock.read(table.times[edges[:-1]])),
            "stamps": [table.stamp(time) for time in table.times[edges[:-1]]],
            "means": _plain(np.array(means)),
            "rows": int(edges[1] - edges[0]),
            "judged": _times(clock.read(table.times[[self.done.origins[own].min() + 1]]))[0],
        }


def _times(times: NDArray[Any]) -> list[Any]:
    """ISO texts, or whole numbers."""
    return list((np.datetime_as_string(times, "s") if times.dtype.kind == "M" else times).tolist())


def _plain(numbers: Numbers) -> list[float | None]:
    return [None if np.isnan(number) else float(number) for number in numbers]


def _finite(scores: Scores) -> dict[str, dict[str, float | None]]:
    return {name: {key: _plain(np.array([each]))[0] for key, each in found.items()} for name, found in scores.items()}
