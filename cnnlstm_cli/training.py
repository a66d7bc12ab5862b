"""The train use case: read, split, scale, window, fit, judge, publish."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlstm_cli.candidate import Watcher, compete, write
from cnnlstm_cli.config import Options, spec_from
from cnnlstm_cli.errors import DataError, InputError, UsageError
from cnnlstm_cli.forecast import Run
from cnnlstm_cli.gate import decide, require_comparable
from cnnlstm_cli.planning import Task, prepare
from cnnlstm_cli.runs.directory import KEEP, RunDirectory
from cnnlstm_cli.runs.record import Record
from cnnlstm_cli.series.reader import Data, fingerprint, opened

if TYPE_CHECKING:
    from typing_extensions import Unpack

UNCHANGED = "the data and the options are those that the published version was trained with"
ASKED = "trained without --only-if-better, or there was none to compare with"


@dataclass(frozen=True)
class Unattended:
    """How a training that nobody watches treats what is published.

    only_if_better  publish only what passes the gate (see `gate`); train nothing where nothing has changed
    keep            versions that stay
    wait            seconds to wait for another training of the same run
    """

    only_if_better: bool = False
    keep: int = KEEP
    wait: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What came of a training.

    run        the version that is published now
    record     of what was trained, published or not; of the published version where nothing was trained
    trained    whether anything was trained
    published  whether what was trained is published
    why        why it is, or is not
    """

    run: Run
    record: Record
    trained: bool
    published: bool
    why: str


def train(
    data: Data,
    run: str | Path,
    *,
    preset: str = "default",
    settings: Mapping[str, Any] | None = None,
    watcher: Watcher | None = None,
    only_if_better: bool = False,
    keep: int = KEEP,
    wait: float = 0.0,
    **options: Unpack[Options],
) -> Run:
    """Train a network on a CSV file or data frame and publish it in the run directory `run`.

    options         what the command's options of the same names say: target, time, id, time_format, freq, season,
                    lookback, horizon, validation, seed; what is not given is found from the data
    preset          the settings everything else starts from: default, answer or question
    settings        further keys, {"model": {"filters": 32}, "train": {"epochs": 20}}
    only_if_better  publish only what forecasts better than the version that is published, which is returned otherwise
    keep            versions that stay, this one among them
    wait            seconds to wait for another training that holds the run

    Raises UsageError, InputError, DataError, OutputError or BusyError; the run directory is then as it was.
    """
    unattended = Unattended(only_if_better, keep, wait)
    return attempt(data, run, unattended, preset=preset, settings=settings, watcher=watcher, **options).run


def attempt(
    data: Data,
    run: str | Path,
    unattended: Unattended,
    *,
    preset: str = "default",
    settings: Mapping[str, Any] | None = None,
    watcher: Watcher | None = None,
    **options: Unpack[Options],
) -> Outcome:
    """`train`, with all that came of it."""
    if unattended.keep < 1 or unattended.wait < 0:
        raise UsageError("--keep must be 1 or more, and --wait 0 or more.")
    started = time.perf_counter()
    directory, source = RunDirectory(Path(run)), opened(data)
    spec = spec_from(options, settings, preset)
    asked = json.loads(json.dumps(spec.to_dict()))
    if unattended.only_if_better and (current := _current(directory)):
        facts = current.record.facts
        if facts.get("asked") == asked and facts["data"].get("sha256") == fingerprint(source):
            return Outcome(current, current.record, False, False, UNCHANGED)
    task = prepare(source, spec)
    return train_task(task, directory, watcher or Watcher(), started, unattended, asked)


def train_task(
    task: Task,
    directory: RunDirectory,
    watcher: Watcher,
    started: float,
    unattended: Unattended = Unattended(),
    asked: Mapping[str, Any] | None = None,
) -> Outcome:
    """Fit the network of a prepared task, and publish it unless the gate says no.

    started  when work on it began, by `perf_counter`
    asked    the specification before anything was found from the data
    """
    with directory.training(unattended.wait) as aside:
        current = _current(directory) if unattended.only_if_better else None
        if current:
            require_comparable(current, task.spec)
        watcher.planned(task)
        candidate = compete(task, watcher, started)
        facts: dict[str, Any] = {"asked": asked}
        if current:
            verdict = decide(current, task, candidate.forecast, candidate.facts["validation"])
            facts["gate"] = {"publish": verdict.publish, "why": verdict.why, **verdict.scores}
            if not verdict.publish:
                kept = candidate.record(current.record.version, b"", facts)
                directory.note(current.record.version, _entry(kept, False, verdict.why))
                return Outcome(current, kept, True, False, verdict.why)
        record = write(candidate, aside, watcher, facts)
        why = facts["gate"]["why"] if current else ASKED
        directory.publish(aside, record.version, _entry(record, True, why), unattended.keep)
    return Outcome(Run.open(directory.path), record, True, True, why)


def _current(directory: RunDirectory) -> Run | None:
    """The published version; None where there is none that can be read."""
    try:
        return Run.open(directory.path)
    except (InputError, DataError):
        return None


def _entry(record: Record, published: bool, why: str) -> dict[str, Any]:
    """A training's line in the history."""
    kept = ("created", "validation", "rows", "seconds", "data")
    return {"published": published, "why": why, **{key: record.facts[key] for key in kept}}
