"""The inspect use case: what a run holds, or what `train` would make of a file, as plain data."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlstm_cli.config import Options, all_settings, spec_from
from cnnlstm_cli.errors import CnnlstmError, DataError, InputError, UsageError
from cnnlstm_cli.evaluation.profile import Look, gaps, profile, series
from cnnlstm_cli.evaluation.scores import Scores, best_baseline
from cnnlstm_cli.forecast import Run
from cnnlstm_cli.planning import lay_windows, settle
from cnnlstm_cli.reasons import difficulty, reasons
from cnnlstm_cli.runs.directory import RunDirectory
from cnnlstm_cli.runs.groups import GroupDirectory
from cnnlstm_cli.runs.record import Record
from cnnlstm_cli.series.covariates import Covariate
from cnnlstm_cli.series.reader import Data, opened, read_training
from cnnlstm_cli.series.scaler import Scaler
from cnnlstm_cli.series.table import Table

if TYPE_CHECKING:
    from typing_extensions import Unpack

Facts = dict[str, Any]
Arrays = dict[str, np.ndarray[Any, Any]]

LARGEST_LOSS = 1e30  # in deviations; nan is none either
BULKY = ("validation", "asked", "seen", "error_by_step", "intervals")  # told otherwise, or of use to a program alone


def inspect(path: Data, data: Data | None = None, *, gradients: bool = False, **options: Unpack[Options]) -> Facts:
    """The facts of a run directory, or of a CSV file or data frame; the same as `cnnlstm inspect --json` prints.

    data       for a run only: rows to look at its errors on, the fact `diagnosis`
    gradients  and at what its networks look at, the fact `explanation`
    options    for data only: the options of `train` that say what its columns are

    Raises InputError when there is neither file nor run, DataError when it can't be used, and UsageError for `data`
    without a run, or `gradients` without data.
    """
    return looked(path, data, gradients, options)[0]


def looked(path: Data, data: Data | None, gradients: bool, options: Options) -> tuple[Facts, Arrays]:
    """The same, and the arrays that gradients are measured as."""
    if data is not None and not is_run(path):
        raise UsageError(f"{path} is no run directory: only a run's errors can be looked at on other rows.")
    if gradients and data is None:
        raise UsageError("gradients need rows to look at. Name them with --data.")
    if not is_run(path):
        return inspect_data(path, options), {}
    if GroupDirectory(Path(str(path))).exists:
        if data is not None:
            raise UsageError(f"{path} holds a run for each group. Name one of them: {path}/groups/NAME")
        return inspect_groups(Path(str(path))), {}
    facts, arrays = inspect_run(Path(str(path))), {}
    if data is not None:
        from cnnlstm_cli.diagnosis import diagnose  # here, because a look at a run alone has no use for it

        source = opened(data)
        facts["diagnosis"] = diagnose(str(path), source).facts()
        if gradients:
            from cnnlstm_cli.explanation import explain

            made = explain(str(path), source)
            facts["explanation"], arrays = made.facts(), made.arrays()
    return facts, arrays


def settings() -> Facts:
    """Every setting that `train --set` takes: key, values, default, what it does, source."""
    return {"kind": "settings", "settings": all_settings()}


def is_run(path: Data) -> bool:
    """Whether `inspect` takes it for a run directory."""
    return isinstance(path, (str, Path)) and Path(path).is_dir()


def inspect_run(path: Path) -> Facts:
    """Which version is published, what it was trained on, how well it did, what it needs. Raises as `Run.open`."""
    run, directory = Run.open(path), RunDirectory(path)
    return {
        "kind": "run",
        "run": str(path),
        "versions": directory.versions(),
        **record_facts(run.record),
        "needs": {
            "columns": list(run.record.schema.columns),
            "rows": run.record.lookback,
            "frequency": run.record.schema.frequency.alias,
        },
        "history": [_told(entry) for entry in directory.history()],
        "losses": _losses(run.folder / "history.csv"),
    }


def inspect_groups(path: Path) -> Facts:
    """Of a directory of many runs, how the last training of each went. Raises DataError."""
    directory = GroupDirectory(path)
    index = directory.index()
    found = []
    for name, entry in index["groups"].items():
        scores = entry["validation"]
        of = {**{metric: scores["model"][metric] for metric in ("mae", "mase")}, **skill(scores)} if scores else {}
        told = {"mae": None, "mase": None, "against": "", "percent": None, **of}
        version, failed = _published(directory.run(name)), entry["failed"]
        if isinstance(version, CnnlstmError):
            version, failed = "", str(version)
        found.append({"group": name, "version": version, **told, "why": entry["why"], "failed": failed})
    return {
        "kind": "groups",
        "run": str(path),
        "per": index["per"],
        "complete": index["complete"],
        "served": sum(bool(each["version"]) for each in found),
        "failed": sum(bool(each["failed"]) for each in found),
        "groups": found,
    }


def _published(run: RunDirectory) -> str | CnnlstmError:
    """The name of the published version, empty where nothing was; or why it can't be told."""
    if not run.path.exists():
        return ""
    try:
        return run.current()
    except (InputError, DataError) as error:
        return error


def versions(path: Path) -> Facts:
    """A run's versions, oldest first, with what each was trained on and how well it did.

    Raises InputError where there is no run, or DataError where none is published.
    """
    directory = RunDirectory(path)
    current = directory.current()
    found = []
    for name in directory.versions():
        try:
            facts = Record.read(directory.folder(name) / "run.json").facts
        except DataError as error:  # it may be the reason why one asks
            found.append({"version": name, "current": name == current, "damaged": str(error)})
            continue
        scores = facts["validation"]["model"]
        found.append(
            {
                "version": name,
                "current": name == current,
                "created": facts["created"],
                "rows": facts["rows"]["used"],
                "until": facts["data"]["last"],
                **{metric: scores[metric] for metric in ("mae", "mase")},
                "skill": skill(facts["validation"])["percent"],
            }
        )
    return {"kind": "versions", "run": str(path), "versions": found}


def _told(entry: Mapping[str, Any]) -> Facts:
    """A line of the history: a training that was published or not, or a rollback."""
    told = {key: entry.get(key) for key in ("created", "version", "published", "why")}
    scores = entry.get("validation") or {}
    return {**told, "mae": scores.get("model", {}).get("mae")}


def record_facts(record: Record) -> Facts:
    """A version in the words of cli.md: what `train --json` prints of it."""
    data = record.spec.data
    return {
        "version": record.version,
        "targets": list(record.schema.targets),
        "time": list(record.schema.time.names),
        "id": record.schema.id,
        "frequency": record.schema.frequency.alias,
        "step": record.schema.step,
        "season": list(data.season),
        "horizon": record.horizon,
        "lookback": record.lookback,
        "limits": limits(record.scalers, record.schema.targets),
        **{key: value for key, value in record.facts.items() if key not in BULKY},
        "validation": record.facts["validation"],
        "skill": skill(record.facts["validation"]),
        "seed": record.spec.train.seed,
        "model": vars(record.spec.model),
        "train": vars(record.spec.train),
    }


def limits(scalers: Mapping[str, Scaler], targets: Sequence[str]) -> Facts:
    """What forecasts are held within: series -> target -> [low, high], None for no limit; only those that have one."""
    found: Facts = {}
    for name, scaler in scalers.items():
        facts = scaler.to_dict()
        pairs = zip(targets, facts["low"], facts["high"], strict=True)
        limited = {target: [low, high] for target, low, high in pairs if (low, high) != (None, None)}
        if limited:
            found[name] = limited
    return found


def skill(scores: Scores) -> Facts:
    """How much less mae the model has than the best baseline: {"against": its name, "percent": 100 (1 - ours/its)}."""
    best = best_baseline(scores)
    theirs = scores[best]["mae"]
    return {"against": best, "percent": 100 * (1 - scores["model"]["mae"] / theirs) if theirs > 0 else None}


def inspect_data(data: Data, options: Options) -> Facts:
    """What `train` would make of the data; nothing is trained. Raises as `read_training` does."""
    spec = spec_from(options)
    table = read_training(data, spec.data)
    settled, parts = settle(table, spec)
    training, validation = parts.rows()
    return {
        "kind": "data",
        "name": table.name,
        "time": list(table.schema.time.names),
        "id": table.schema.id,
        "series": len(table.ids),
        "frequency": table.schema.frequency.alias,
        "step": table.schema.step,
        "first": table.stamp(table.times.min()),
        "last": table.stamp(table.times.max()),
        "targets": profile(table, settled.data.season),
        "covariates": [_covariate(each) for each in table.schema.covariates],
        "holidays": table.schema.holidays,
        "gaps": gaps(table),
        "looked_at": Look.at(table).facts(),
        **({"each_series": series(table)} if table.schema.id else {}),
        "left_out": dict(table.left_out),
        "season": list(settled.data.season),
        "horizon": settled.data.horizon,
        "lookback": settled.data.lookback,
        "width": {"filters": settled.model.filters, "units": settled.model.units},
        "reasons": reasons(table.schema, spec, settled, parts),
        "rows": {"read": table.read, "used": len(table.values), "training": training, "validation": validation},
        "mended": table.mended_counts(),
        "notes": table.notes(),
        **_verdict(table, settled, parts),
    }


def _covariate(each: Covariate) -> Facts:
    """`categories` None of a column of numbers."""
    return {"name": each.name, "role": each.role, "categories": len(each.categories) or None}


def _verdict(table: Table, settled: Any, parts: Any) -> Facts:
    """Whether `train` would have windows enough, and the baselines' scores on the validation rows if so."""
    try:
        task = lay_windows(table, settled, parts)
    except DataError as error:
        return {"trainable": False, "why_not": str(error), "baselines": {}, "difficulty": None}
    windows = {"training": len(task.windows.training), "validation": len(task.windows.validation)}
    return {
        "trainable": True,
        "windows": windows,
        "baselines": task.baselines,
        "difficulty": difficulty(task.baselines),
    }


def _losses(path: Path) -> list[Facts]:
    """The rows of history.csv. Raises DataError when it is damaged."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            epochs = [{key: float(cell) for key, cell in row.items()} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError):
        epochs = []
    whole = all(abs(cell) < LARGEST_LOSS for row in epochs for cell in row.values())
    if not (epochs and whole and {"epoch", "loss", "validation"} <= epochs[0].keys()):
        raise DataError(f"{path} is damaged or missing. Train again.")
    return epochs
