"""A candidate for publishing: networks raced on the validation rows, then trained on all rows and written down."""

from __future__ import annotations

import csv
import hashlib
import io
import platform
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli import bands
from cnnlstm_cli.errors import DataError, needing
from cnnlstm_cli.evaluation import ridge
from cnnlstm_cli.evaluation.baselines import averaged
from cnnlstm_cli.evaluation.conformal import FEW, Intervals, difficulty_of
from cnnlstm_cli.evaluation.drift import spans_of
from cnnlstm_cli.evaluation.each_series import behind
from cnnlstm_cli.evaluation.paths import whole_windows
from cnnlstm_cli.evaluation.quantiles import to_dict
from cnnlstm_cli.evaluation.scores import Numbers, score, score_by
from cnnlstm_cli.forecast import MODEL, QUANTILES, Run
from cnnlstm_cli.machine import packages
from cnnlstm_cli.planning import Task
from cnnlstm_cli.runs.atomic import writing_to
from cnnlstm_cli.runs.published import content
from cnnlstm_cli.runs.record import Record
from cnnlstm_cli.series.windows import apart, evenly
from cnnlstm_cli.specs import ModelSpec
from cnnlstm_cli.worth import worth

if TYPE_CHECKING:
    from cnnlstm_cli.cluster import Standing, Where
    from cnnlstm_cli.network.checkpoint import Epoch
    from cnnlstm_cli.network.race import Member, Race

CHECKED = 256  # validation windows that a version forecasts before it is published
LOCAL: dict[str, Any] = {"network": "", "stretches": {}}  # no quantiles
WORSE, SLACK = 2.0, 0.1  # times the error of before, and deviations beside, at which something went wrong


class Watcher:
    """What a caller of `train` may follow. This one looks away; the command's draws progress on the terminal."""

    def note(self, text: str) -> None:
        """Something the user should know."""

    def reading(self) -> None:
        """The data are read, which of a large file takes a while."""

    def planned(self, task: Task) -> None:
        """Everything is found and settled; fitting begins."""

    def stepped(self, step: int, steps: int, epoch: Epoch | None) -> None:
        """`step` of `steps` steps are done, `epoch` is the last that was finished."""

    def refitting(self) -> None:
        """The networks are chosen; they are trained anew on all rows."""

    def keep_interrupted(self) -> bool:
        """Ctrl-C came: whether to publish the best weights so far."""
        return False

    def stands(self, standing: Standing) -> None:
        """How far trainings in other processes are."""


@dataclass(frozen=True)
class Begun:
    """Networks that have learnt before: those of a version, each with the file of its weights."""

    version: Run
    networks: Sequence[tuple[ModelSpec, Path]]

    @property
    def name(self) -> str:
        """The version's."""
        return self.version.folder.name


@dataclass(frozen=True)
class Candidate:
    """Networks that were trained without the validation rows, and what is averaged chosen on them.

    task         its specification is that of the best of them
    started      when work on it began, by `perf_counter`
    begun        the networks it went on with
    checkpoints  the folder that its trainings are kept in
    cluster      where they are done; None: here
    """

    task: Task
    raced: Race
    started: float
    begun: Begun | None = None
    checkpoints: Path | None = None
    cluster: Where | None = None

    @cached_property
    def forecast(self) -> Numbers:
        """Of the task's validation windows, (m, H) in units of the data."""
        scaled = self.raced.forecast.transpose(2, 0, 1).reshape(-1, self.task.windows.horizon)
        return self.task.judge.model(scaled)

    @property
    def weights(self) -> list[float]:
        """In the average: of the networks that are kept, then of the simpler forecasts."""
        return [weight for weight in (*self.raced.weights, *self.raced.simple.values()) if weight]

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What a reader of run.json wants to know beside what predicting needs."""
        task, raced, forecast = self.task, self.raced, self.forecast
        table, came = task.table, task.judge.came
        training, validation = task.parts.rows()
        best = raced.trained[0].fit
        by_target = score_by("target", forecast, came, table.schema.targets, table.ids)
        return {
            "validation": {"model": score(forecast, came, deviations=True), **task.baselines},
            "error_by_target": {name: scores["mae"] for name, scores in by_target.items()},
            "error_by_step": np.nanmean(np.abs(forecast - came.values) / came.scale[:, None], axis=0).round(6).tolist(),
            "seen": self._seen(),
            "intervals": {
                target: each.to_dict() for target, each in zip(table.schema.targets, self.intervals, strict=True)
            },
            **({"series": self._series()} if table.schema.id else {}),
            "epochs": {"run": len(best.history), "best": best.best, "interrupted": raced.interrupted},
            "members": raced.told,
            "simple": list(raced.simple),
            "weights": self.weights,
            "rows": {"read": table.read, "used": len(table.values), "training": training, "validation": validation},
            "windows": {"training": len(task.windows.training), "validation": len(task.windows.validation)},
            "mended": table.mended_counts(),
            "left_out": dict(table.left_out),
            "data": {
                "name": table.name,
                "sha256": table.fingerprint,
                "first": table.stamp(table.times.min()),
                "last": table.stamp(table.times.max()),
                "last_time": str(table.times.max()),
                "series": len(table.ids),
            },
            "command": _command(),
            "python": platform.python_version(),
            "packages": packages(),
            "warm_start": self.begun.name if self.begun else None,
        }

    def _series(self) -> dict[str, Any]:
        """Of many series, which a baseline forecasts better, and which have no window to learn from or be judged by."""
        task = self.task
        windows, table = task.windows, task.table
        starts = np.concatenate([windows.training, windows.validation]) % len(table.values)
        used = np.zeros(len(table.ids), dtype=bool)
        used[np.searchsorted(table.offsets, starts, side="right") - 1] = True
        unused = [name for name, has in zip(table.ids, used, strict=True) if not has]
        found = behind(self.forecast, task.judge.baselines(), task.judge.came, table.ids)
        return {**found, "unused": len(unused), "unused_first": unused[:1]}

    def _seen(self) -> list[dict[str, list[float]]]:
        """What training saw of each target, in deviations: see `evaluation.drift`."""
        table, fitted = self.task.table, self.task.scalers
        spans = zip(fitted, table.offsets, table.offsets[1:], strict=False)
        scaled = np.concatenate([scaler.transform(table.values[start:end]) for scaler, start, end in spans])
        return spans_of(scaled, table.offsets, self.task.windows.lookback)

    @cached_property
    def intervals(self) -> list[Intervals]:
        """Of each target, calibrated on the validation rows: see `evaluation.conformal`."""
        if self._older:
            return self._older.intervals
        windows, judge, levels = self.task.windows, self.task.judge, self.task.spec.train.levels
        return [
            Intervals.calibrated(self._measured[own], levels, windows.validation[own])
            for own in judge.of_targets(len(self.task.table.schema.targets))
        ]

    def stretches(self, network: bytes) -> dict[str, dict[str, float]]:
        """Of each target, those of a network of quantiles; with few new rows those of before: see `bands`."""
        if self._older is None:
            return bands.calibrated(self.task, network)
        levels, each = self._older.levels(), self._older.stretches.T.tolist()
        names = self.task.table.schema.targets
        return {name: to_dict(dict(zip(levels, own, strict=True))) for name, own in zip(names, each, strict=True)}

    @cached_property
    def errors(self) -> NDArray[np.float32]:
        """(n, H, targets), of whole windows of the validation rows: see `evaluation.paths`."""
        if self._older:
            return self._older.errors
        column, row = np.divmod(self.task.windows.validation, len(self.task.table.values))
        profile = np.stack([each.profile for each in self.intervals])
        return whole_windows(self._measured / profile[column], column, row)

    @cached_property
    def _older(self) -> Run | None:
        """The version it went on from, where its intervals rest on more than a few new rows would."""
        windows, older = self.task.windows, self.begun and self.begun.version
        few = int(apart(windows.validation, windows.horizon).max()) + 1 < FEW
        return older if older and few and older.levels() == tuple(sorted(self.task.spec.train.levels)) else None

    @cached_property
    def _measured(self) -> Numbers:
        """(m, H) errors on the validation rows, in units of difficulty."""
        came = self.task.judge.came
        hard = difficulty_of(self.task.windows, self.task.spec.data.season)
        return (came.values - self.forecast) / came.scale[:, None] / hard

    def record(self, version: str, network: bytes, facts: Mapping[str, Any]) -> Record:
        """What run.json holds of it, with `facts` beside its own."""
        return Record(
            version=version,
            spec=self.task.spec,
            schema=self.task.table.schema,
            scalers=dict(zip(self.task.table.ids, self.task.scalers, strict=True)),
            outer=self.task.outer,
            model=hashlib.sha256(network).hexdigest(),
            facts={
                "covariates": {},
                "errors": "",
                "quantiles": LOCAL,
                "created": f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
                "refitted": False,
                "parameters": sum(member.model.count_params() for member in self.raced.kept),
                "seconds": time.perf_counter() - self.started,
                **self.facts,
                **facts,
            },
        )


def compete(
    task: Task,
    watcher: Watcher,
    started: float,
    begun: Begun | None = None,
    checkpoints: Path | None = None,
    cluster: Where | None = None,
) -> Candidate:
    """Train the networks, or go on with those that have begun, and choose among them.

    Raises KeyboardInterrupt, or DataError when a loss is not finite, OutputError when a checkpoint can't be written.
    """
    with needing("training"):
        from cnnlstm_cli.network.fit import continued, settled
        from cnnlstm_cli.network.race import race
    windows = task.fitting(task.windows)
    count, settle = len(windows.training), continued if begun else settled
    models, files = zip(*begun.networks, strict=True) if begun else ((), ())
    networks = task.spec.seeded(models) if begun else task.spec.networks(count, windows.lookback, windows.horizon)
    train = settle(task.spec.train, count)
    left = train.time_limit and max(train.time_limit - (time.perf_counter() - started), 0.0)
    with writing_to(checkpoints or Path()):
        raced = race(
            [(model, settle(own, count)) for model, own in networks],
            windows,
            train,
            task.judge.linear,
            watcher,
            simple=task.simple(task.judge.linear),
            begun=files,
            checkpoints=checkpoints,
            seconds=left,
            cluster=cluster,
        )
    spec = replace(task.spec, model=raced.trained[0].spec, train=train)
    return Candidate(replace(task, spec=spec), raced, started, begun, checkpoints, cluster)


def write(candidate: Candidate, folder: Path, watcher: Watcher, facts: Mapping[str, Any]) -> Record:
    """Train the chosen networks anew on all rows, and write a complete version, checked, into an empty folder.

    Raises OutputError, or DataError when what was written does not forecast as it should.
    """
    from cnnlstm_cli.network.build import average, linear_network
    from cnnlstm_cli.network.export import export

    quantiles = _quantiles(candidate, folder, watcher)
    members, linear, refitted = _final(candidate, watcher, cut=quantiles is None)
    models, shares = [member.model for member in members], [share for share in candidate.raced.weights if share]
    if simple := candidate.raced.simple:
        models.append(linear_network(averaged(candidate.task.simple(linear), simple), candidate.task.columns))
        shares.append(sum(simple.values()))
    network = average(models, shares)
    with writing_to(folder.parent.parent):
        (folder / "members").mkdir()
        for number, member in enumerate(members):
            member.model.save(folder / "members" / f"{number}.keras")
        parity = export(network, folder / MODEL)
        graph = (folder / MODEL).read_bytes()
        np.save(folder / "errors.npy", candidate.errors, allow_pickle=False)
        errors = hashlib.sha256((folder / "errors.npy").read_bytes()).hexdigest()
        (folder / "history.csv").write_text(_losses(candidate.raced.trained), encoding="utf-8")
        version = f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-{hashlib.sha256(graph).hexdigest()[:8]}"
        covariates = worth(graph, candidate.task)
        made = {
            "covariates": covariates,
            "errors": errors,
            "quantiles": quantiles or LOCAL,
            "refitted": refitted,
            "parity": parity,
            "parameters": network.count_params(),
            **facts,
        }
        record = candidate.record(version, graph, made)
        (folder / "run.json").write_text(record.to_json(), encoding="utf-8")
    _check(candidate, folder)
    return record


def _quantiles(candidate: Candidate, folder: Path, watcher: Watcher) -> dict[str, Any] | None:
    """The fact of that name; its network is put into the folder, newly learnt or that of the version begun with.

    None where it was not learnt, for an interruption or want of time, which the watcher is told.
    """
    from cnnlstm_cli.network.export import export

    task, path, older = candidate.task, folder / QUANTILES, candidate.begun and candidate.begun.version
    if task.spec.train.intervals == "local":
        return LOCAL
    model = None if older else bands.learn(task, candidate.raced, watcher, candidate.started, candidate.checkpoints)
    if not (older or model):
        watcher.note("intervals: interrupted or out of time for quantiles: made of errors on a local scale instead")
        return None
    with writing_to(folder.parent.parent):
        if older:
            path.write_bytes(content(older.folder / QUANTILES, older.record.facts["quantiles"]["network"]))
        else:
            export(model, path)
        network = path.read_bytes()
    return {"network": hashlib.sha256(network).hexdigest(), "stretches": candidate.stretches(network)}


def _final(candidate: Candidate, watcher: Watcher, *, cut: bool) -> tuple[Sequence[Member], Any, bool]:
    """The networks to publish, the linear model beside them, and whether they were trained anew on all rows.

    cut  whether the training was, since the race
    """
    from cnnlstm_cli.network.race import refit

    task, raced, train = candidate.task, candidate.raced, candidate.task.spec.train
    elapsed = time.perf_counter() - candidate.started
    if train.refit and not (cut or raced.interrupted) and (not train.time_limit or 3 * elapsed < train.time_limit):
        watcher.refitting()
        everything = task.everything()
        weights = None if task.judge.linear is None else ridge.fit(everything)
        with writing_to(candidate.checkpoints or Path()):
            kept, cluster = candidate.checkpoints, candidate.cluster
            anew = refit(raced.kept, task.fitting(everything), train.jobs, weights, watcher, kept, cluster)
        if anew is not None:
            return anew, weights, True
    return raced.kept, task.judge.linear, False


def _check(candidate: Candidate, folder: Path) -> None:
    """Forecast some of the validation windows with what was written, as predicting will.

    It has seen them in training by now, if it was trained anew: it should not be much worse on them than before.
    """
    run = Run(folder.parent.parent, folder, Record.read(folder / "run.json"))
    windows = candidate.task.fitting(candidate.task.windows)
    some = evenly(len(windows.validation), CHECKED)
    chosen = windows.validation[some]
    came = windows.came(chosen)
    before = candidate.raced.forecast[some]
    now = run.session.validate(replace(windows, validation=chosen)).reshape(came.shape[2], len(some), -1)
    errors = [float(np.abs(made - came).mean()) for made in (before, now.transpose(1, 2, 0))]
    if not errors[1] <= WORSE * errors[0] + SLACK:
        raise DataError(
            f"the network trained anew on all rows forecasts worse than before, with an error of {errors[1]:.4g} "
            f"deviations, not {errors[0]:.4g}. It was not published. Try another --seed, or --set train.refit=false."
        )


def _command() -> str:
    """What was typed, or the program that called: of ours the name, wherever it lies."""
    program = Path(sys.argv[0])
    ours = program.name == "cnnlstm" or program.parent.name == "cnnlstm_cli"
    return shlex.join(["cnnlstm" if ours else sys.argv[0], *sys.argv[1:]])


def _losses(members: Sequence[Member]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["member", "epoch", "loss", "validation", "seconds"])
    for number, member in enumerate(members):
        for e in member.fit.history:
            rows.writerow([number, e.number, f"{e.loss:.6g}", f"{e.validation:.6g}", f"{e.seconds:.2f}"])
    return text.getvalue()
