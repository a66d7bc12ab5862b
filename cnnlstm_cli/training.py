"""The train use case: read, split, scale, window, fit, judge, publish."""

from __future__ import annotations

import csv
import hashlib
import importlib.metadata
import io
import platform
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlstm_cli import __version__
from cnnlstm_cli.config import Options, spec_from
from cnnlstm_cli.errors import UsageError
from cnnlstm_cli.evaluation import ridge
from cnnlstm_cli.evaluation.scores import score, score_by
from cnnlstm_cli.forecast import Run
from cnnlstm_cli.planning import Task, prepare
from cnnlstm_cli.runs.atomic import writing_to
from cnnlstm_cli.runs.directory import RunDirectory
from cnnlstm_cli.runs.record import Record
from cnnlstm_cli.series.reader import Data
from cnnlstm_cli.specs import REGULARISED

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from cnnlstm_cli.network.fit import Epoch
    from cnnlstm_cli.network.race import Member, Race

PACKAGES = ("keras", "numpy", "onnx", "onnxruntime", "pandas", "tensorflow", "tf2onnx")


class Watcher:
    """What a caller of `train` may follow. This one looks away; the command's draws progress on the terminal."""

    def planned(self, task: Task) -> None:
        """Everything is found and settled; fitting begins."""

    def stepped(self, step: int, steps: int, epoch: Epoch | None) -> None:
        """`step` of `steps` steps are done, `epoch` is the last that was finished."""

    def refitting(self) -> None:
        """The networks are chosen; they are trained anew on all rows."""

    def keep_interrupted(self) -> bool:
        """Ctrl-C came: whether to publish the best weights so far."""
        return False


def train(
    data: Data,
    run: str | Path,
    *,
    preset: str = "default",
    settings: Mapping[str, Any] | None = None,
    watcher: Watcher | None = None,
    **options: Unpack[Options],
) -> Run:
    """Train a network on a CSV file or data frame and publish it in the run directory `run`.

    options   what the command's options of the same names say: target, time, id, time_format, freq, season, lookback,
              horizon, validation, seed; what is not given is found from the data
    preset    the settings everything else starts from: default, answer or question
    settings  further keys, {"model": {"filters": 32}, "train": {"epochs": 20}}

    Raises UsageError, InputError, DataError, OutputError or BusyError; the run directory is then as it was.
    """
    started = time.perf_counter()
    return train_task(prepare(data, spec_from(options, settings, preset)), Path(run), watcher or Watcher(), started)


def train_task(task: Task, run: Path, watcher: Watcher, started: float) -> Run:
    """Fit the network of a prepared task and publish it. `started` is when work on it began, by `perf_counter`."""
    directory = RunDirectory(run)
    with directory.training() as aside:
        watcher.planned(task)
        record = _fill(aside, task, watcher, started)
        directory.publish(aside, record.version, _history_entry(record))
    return Run.open(run)


def _fill(aside: Path, task: Task, watcher: Watcher, started: float) -> Record:
    """Choose the networks, train them anew on all rows, and write a complete version into the folder `aside`."""
    try:
        from cnnlstm_cli.network.build import average, linear_network
        from cnnlstm_cli.network.export import export
        from cnnlstm_cli.network.fit import settled
        from cnnlstm_cli.network.race import race, refit
    except ModuleNotFoundError as error:
        raise UsageError(
            f"training needs {error.name}, which is not installed here. pip install {error.name}"
        ) from None

    windows = task.fitting(task.windows)
    train = settled(task.spec.train, len(windows.training))
    raced = race(task.spec.model, windows, train, task.judge.linear, watcher)
    task = replace(task, spec=replace(task.spec, model=raced.trained[0].spec, train=train))
    members, linear, refitted = raced.kept, task.judge.linear, False
    elapsed = time.perf_counter() - started
    if train.refit and not raced.interrupted and (not train.time_limit or 3 * elapsed < train.time_limit):
        watcher.refitting()
        everything = task.everything()
        weights = None if linear is None else ridge.fit(everything)
        anew = refit(raced.kept, task.fitting(everything), train, weights, watcher)
        if anew is not None:
            members, linear, refitted = anew, weights, True
    models = [member.model for member in members]
    if raced.linear and linear is not None:
        models.append(linear_network(linear, task.columns))
    network = average(models)
    with writing_to(aside.parent.parent):
        (aside / "members").mkdir()
        for number, member in enumerate(members):
            member.model.save(aside / "members" / f"{number}.keras")
        parity = export(network, aside / "model.onnx")
        graph = (aside / "model.onnx").read_bytes()
        (aside / "history.csv").write_text(_losses(raced.trained), encoding="utf-8")
        facts = _facts(task, raced) | {
            "refitted": refitted,
            "parity": parity,
            "parameters": network.count_params(),
            "seconds": time.perf_counter() - started,
        }
        record = _record(task, graph, facts)
        (aside / "run.json").write_text(record.to_json(), encoding="utf-8")
    return record


def _record(task: Task, network: bytes, facts: Mapping[str, Any]) -> Record:
    digest = hashlib.sha256(network).hexdigest()
    moment = datetime.now(timezone.utc)
    return Record(
        version=f"{moment:%Y%m%dT%H%M%SZ}-{digest[:8]}",
        spec=task.spec,
        schema=task.table.schema,
        scalers=dict(zip(task.table.ids, task.scalers, strict=True)),
        model=digest,
        facts={"created": f"{moment:%Y-%m-%dT%H:%M:%SZ}", **facts},
    )


def _facts(task: Task, raced: Race) -> dict[str, Any]:
    """What a reader of run.json wants to know beside what predicting needs."""
    table, came = task.table, task.judge.came
    training, validation = task.parts.rows()
    forecast = task.judge.model(raced.forecast.transpose(2, 0, 1).reshape(-1, task.windows.horizon))
    best = raced.trained[0].fit
    by_target = score_by("target", forecast, came, table.schema.targets, table.ids)
    return {
        "validation": {"model": score(forecast, came, deviations=True), **task.baselines},
        "error_by_target": {name: scores["mae"] for name, scores in by_target.items()},
        "epochs": {"run": len(best.history), "best": best.best, "interrupted": raced.interrupted},
        "members": [_member_facts(member) | {"kept": member in raced.kept} for member in raced.trained],
        "linear": raced.linear,
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
        "command": shlex.join(sys.argv),
        "python": platform.python_version(),
        "packages": {"cnnlstm": __version__, **{name: importlib.metadata.version(name) for name in PACKAGES}},
    }


def _member_facts(member: Member) -> dict[str, Any]:
    told = {name: getattr(member.spec, name) for name in REGULARISED}
    fitted = member.fit
    return {"seed": member.seed, **told, "mae": fitted.validation, "epochs": len(fitted.history), "best": fitted.best}


def _losses(members: Sequence[Member]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["member", "epoch", "loss", "validation", "seconds"])
    for number, member in enumerate(members):
        for e in member.fit.history:
            rows.writerow([number, e.number, f"{e.loss:.6g}", f"{e.validation:.6g}", f"{e.seconds:.2f}"])
    return text.getvalue()


def _history_entry(record: Record) -> dict[str, Any]:
    kept = ("created", "validation", "rows", "seconds", "data")
    return {"version": record.version, "published": True, **{key: record.facts[key] for key in kept}}
