"""The train use case: read, split, scale, window, fit, judge, publish."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlstm_cli.candidate import Begun, Watcher, compete, write
from cnnlstm_cli.config import Options, Spec, spec_from
from cnnlstm_cli.errors import BusyError, DataError, InputError, UsageError
from cnnlstm_cli.forecast import MODEL, Run
from cnnlstm_cli.gate import decide, require_comparable
from cnnlstm_cli.machine import packages
from cnnlstm_cli.planning import Task, prepare
from cnnlstm_cli.runs.atomic import writing_to
from cnnlstm_cli.runs.directory import KEEP, RunDirectory
from cnnlstm_cli.runs.parcel import Files, packed, unpack
from cnnlstm_cli.runs.published import content
from cnnlstm_cli.runs.record import Record
from cnnlstm_cli.series.reader import Data, fingerprint, opened, read_training
from cnnlstm_cli.series.table import Table
from cnnlstm_cli.warm import Warm, begin

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from cnnlstm_cli.cluster import Where

UNCHANGED = "the data and the options are those that the published version was trained with"
REFUSED = "the data and the options are those of the last training, which was not published"
ASKED = "trained without --only-if-better, or there was none to compare with"


@dataclass(frozen=True)
class Unattended:
    """How a training that nobody watches treats what is published.

    only_if_better  publish only what passes the gate (see `gate`); train nothing where nothing has changed
    warm_start      go on from the published networks, where it can be (see `warm`)
    resume          go on with a training of the same data and options that was interrupted
    keep            versions that stay
    wait            seconds to wait for another training of the same run
    """

    only_if_better: bool = False
    warm_start: bool = False
    resume: bool = False
    keep: int = KEEP
    wait: float = 0.0

    def __post_init__(self) -> None:
        if self.keep < 1 or not self.wait >= 0:
            raise UsageError("--keep must be 1 or more, and --wait 0 or more.")


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
    warm_start: bool = False,
    resume: bool = False,
    keep: int = KEEP,
    wait: float = 0.0,
    cluster: Where | None = None,
    **options: Unpack[Options],
) -> Run:
    """Train a network on a CSV file or data frame and publish it in the run directory `run`.

    options         what the command's options of the same names say: target, time, id, time_format, freq, season,
                    lookback, horizon, validation, seed; what is not given is found from the data
    preset          the settings everything else starts from: default, answer or question
    settings        further keys, {"model": {"filters": 32}, "train": {"epochs": 20}}
    only_if_better  publish only what forecasts better than the version that is published, which is returned otherwise
    warm_start      go on from the published networks, with fewer epochs, where the data and options are of their kind
    resume          go on with a training of the same data and options that was interrupted
    keep            versions that stay, this one among them
    wait            seconds to wait for another training that holds the run
    cluster         where the networks are trained, each in a process of its own: see `cluster.arriving`. Default: here

    Raises UsageError, InputError, DataError, OutputError or BusyError; the run directory is then as it was.
    """
    unattended = Unattended(only_if_better, warm_start, resume, keep, wait)
    how: Any = {"preset": preset, "settings": settings, "watcher": watcher, "cluster": cluster}
    return attempt(data, run, unattended, **how, **options).run


def attempt(
    data: Data,
    run: str | Path,
    unattended: Unattended,
    *,
    preset: str = "default",
    settings: Mapping[str, Any] | None = None,
    watcher: Watcher | None = None,
    cluster: Where | None = None,
    **options: Unpack[Options],
) -> Outcome:
    """`train`, with all that came of it."""
    started = time.perf_counter()
    directory, source = RunDirectory(Path(run)), opened(data)
    spec = spec_from(options, settings, preset)
    asked = spec.plain()
    if unattended.only_if_better and (current := published_in(directory)):
        same = {"asked": asked, "sha256": fingerprint(source)}
        if why := nothing_to_do(directory, current, same):
            return Outcome(current, current.record, False, False, why)
    watcher = watcher or Watcher()
    watcher.reading()
    table = read_training(source, spec.data)
    with directory.training(unattended.wait) as aside:
        job = _Job(directory, aside, watcher, started, unattended, asked, cluster)
        return job.on(table, spec)


def nothing_to_do(directory: RunDirectory, current: Run, same: Mapping[str, Any]) -> str:
    """Why a training of the `same` data and options would come to nothing new; empty where it may."""
    if _tried(current.record.facts) == same:
        return UNCHANGED
    refused = [entry for entry in directory.history() if entry["version"] == current.record.version]
    if refused and not refused[-1].get("published", True) and _tried(refused[-1]) == same:
        return f"{REFUSED} ({refused[-1].get('why')})"
    return ""


def train_table(
    table: Table, spec: Spec, directory: RunDirectory, unattended: Unattended, asked: Mapping[str, Any]
) -> Outcome:
    """`attempt` on rows that have been read, unwatched; `asked` is the specification as it is kept."""
    started = time.perf_counter()
    with directory.training(unattended.wait) as aside:
        return _Job(directory, aside, Watcher(), started, unattended, asked).on(table, spec)


@dataclass(frozen=True)
class Sent:
    """A version as it is sent from the process that made it: its name, its files, and its line in the history."""

    version: str
    files: Files
    entry: Mapping[str, Any]

    @classmethod
    def of(cls, run: Run, why: str = ASKED) -> Sent:
        """A published version. Raises OSError."""
        return cls(run.folder.name, packed(run.folder), history_entry(run.record, True, why))


def adopt(directory: RunDirectory, sent: Sent, keep: int = KEEP, wait: float = 0.0) -> None:
    """Publish what another process has made. Raises OutputError, BusyError, or DataError as `unpack` does."""
    with directory.training(wait) as aside:
        with writing_to(directory.path):
            unpack(sent.files, aside)
        directory.publish(aside, sent.version, sent.entry, keep)


def train_task(task: Task, directory: RunDirectory, watcher: Watcher) -> Run:
    """Train the networks of a settled task and publish them."""
    started = time.perf_counter()
    with directory.training() as aside:
        return _Job(directory, aside, watcher, started).of(task).run


@dataclass(frozen=True)
class _Job:
    """A training that holds its run directory.

    aside    the empty folder that becomes the version
    started  when work on it began, by `perf_counter`
    asked    the specification before anything was found from the data
    cluster  where the networks are trained; None: here
    """

    directory: RunDirectory
    aside: Path
    watcher: Watcher
    started: float
    unattended: Unattended = Unattended()
    asked: Mapping[str, Any] | None = None
    cluster: Where | None = None

    def on(self, table: Table, spec: Spec) -> Outcome:
        """Settle the task, from the published version or anew, and where it goes on; then carry it out."""
        warm: Warm | str = ""
        if self.unattended.warm_start:
            warm = begin(table, self.asked or {}, spec, published_in(self.directory))
        begun: Begun | None = None
        if isinstance(warm, Warm):
            task, begun = warm.task, warm.begun
        else:
            task = prepare(table, spec)
        origin = begun.name if begun else None
        same = {"data": table.fingerprint, "options": self.asked, "start": origin, "software": packages()}
        checkpoints, why_not = self.directory.checkpoint(same, self.unattended.resume)
        if self.unattended.warm_start:
            self.watcher.note(f"warm start: {f'not possible, {warm}' if isinstance(warm, str) else f'from {origin}'}")
        if self.unattended.resume:
            self.watcher.note(f"resume: {why_not or 'where the interrupted training was cut off'}")
        try:
            return self.of(task, begun, checkpoints)
        except (KeyboardInterrupt, BusyError):
            if any(checkpoints.glob("*.npz")):
                self.watcher.note("kept: the epochs that are done; the same command with --resume goes on from them")
            raise

    def of(self, task: Task, begun: Begun | None = None, checkpoints: Path | None = None) -> Outcome:
        """Fit the networks of a task, or go on with those that have begun, and publish them unless the gate says no."""
        current = published_in(self.directory) if self.unattended.only_if_better else None
        if current:
            require_comparable(current, task.spec)
        self.watcher.planned(task)
        candidate = compete(task, self.watcher, self.started, begun, checkpoints, self.cluster)
        facts: dict[str, Any] = {"asked": self.asked}
        if current:
            verdict = decide(current, task, candidate.forecast, candidate.facts["validation"])
            facts["gate"] = {"publish": verdict.publish, "why": verdict.why, **verdict.scores}
            if not verdict.publish:
                kept = candidate.record(current.record.version, b"", facts)
                self.directory.note(current.record.version, history_entry(kept, False, verdict.why))
                return Outcome(current, kept, True, False, verdict.why)
        record = write(candidate, self.aside, self.watcher, facts)
        why = facts["gate"]["why"] if current else ASKED
        self.directory.publish(self.aside, record.version, history_entry(record, True, why), self.unattended.keep)
        return Outcome(Run.open(self.directory.path), record, True, True, why)


def published_in(directory: RunDirectory) -> Run | None:
    """The published version; None where there is none that can be read, and serve."""
    try:
        found = Run.open(directory.path)
        content(found.folder / MODEL, found.record.model)
        return found
    except (InputError, DataError):
        return None


def _tried(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a training was asked, and the fingerprint of its data, by its version or its line in the history."""
    data = facts.get("data")
    return {"asked": facts.get("asked"), "sha256": data.get("sha256") if isinstance(data, dict) else None}


def history_entry(record: Record, published: bool, why: str) -> dict[str, Any]:
    """A training's line in the history."""
    kept = ("created", "validation", "rows", "seconds", "data", "asked")
    return {"published": published, "why": why, **{key: record.facts[key] for key in kept}}
