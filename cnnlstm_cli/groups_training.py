"""The train use case of many runs: a model for each series of a file, or for each group of them.

Each group's rows are sent to where it is trained, and its version comes back, to be published here. So nothing but
this process writes to the directory, and workers need see no disk of ours.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from cnnlstm_cli.candidate import Watcher
from cnnlstm_cli.cluster import Standing, Where, arriving
from cnnlstm_cli.config import Options, Spec, spec_from
from cnnlstm_cli.errors import BusyError, CnnlstmError, DataError, OutputError, UsageError
from cnnlstm_cli.forecast import Run
from cnnlstm_cli.machine import packages
from cnnlstm_cli.runs.atomic import out_of_space, writing_to
from cnnlstm_cli.runs.directory import RunDirectory
from cnnlstm_cli.runs.groups import GroupDirectory
from cnnlstm_cli.runs.parcel import Files, packed, unpack
from cnnlstm_cli.series.groups import Groups, groups_to_train
from cnnlstm_cli.series.reader import Data, fingerprint, opened
from cnnlstm_cli.series.table import Table
from cnnlstm_cli.training import (
    Sent,
    Unattended,
    adopt,
    history_entry,
    nothing_to_do,
    published_in,
    train_table,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

EVERY = 5.0  # seconds from one writing of the index to the next


@dataclass(frozen=True)
class Groupwise:
    """What came of a training of many groups.

    index    what groups.json holds: of each group, also those of earlier trainings, how its last training went
    trained  the groups that were trained now
    """

    path: Path
    index: Mapping[str, Any]
    trained: tuple[str, ...]
    seconds: float

    @property
    def failed(self) -> dict[str, str]:
        """Of those groups of the file that have no new version for a fault, which."""
        return {name: each["failed"] for name, each in self.index["groups"].items() if each["done"] and each["failed"]}

    @property
    def mended(self) -> dict[str, int]:
        """What was mended in the rows of the groups that were trained now, all of them together."""
        found: Counter[str] = Counter()
        for name in self.trained:
            found.update(self.index["groups"][name].get("mended", {}))
        return dict(found)

    def run(self, group: str) -> Run:
        """The published run of a group. Raises as `Run.open`."""
        return Run.open(GroupDirectory(self.path).run(group).path)


def train_groups(
    data: Data,
    run: str | Path,
    per: str,
    *,
    preset: str = "default",
    settings: Mapping[str, Any] | None = None,
    watcher: Watcher | None = None,
    unattended: Unattended | None = None,
    cluster: Where | None = None,
    **options: Unpack[Options],
) -> Groupwise:
    """Train a model for each value of the column `per`, and publish each in a run of its own in the directory `run`.

    options     those of `train`. Without `id`, or where `id` is `per`, each group is one series
    unattended  as for each of them
    cluster     where they are trained, several at a time: see `cluster.arriving`. Default: here, one by one

    A group that can't be trained does not stop the others: `failed`. A training that was cut off goes on when the same
    is asked of the same data. Raises UsageError, InputError, DataError, OutputError or BusyError; of a group that was
    not published by then, the run is as it was.
    """
    started = time.perf_counter()
    directory, source, watcher = GroupDirectory(Path(run)), opened(data), watcher or Watcher()
    unattended = unattended or Unattended()
    if not (isinstance(per, str) and per):
        raise UsageError("--per takes the name of a column.")
    if unattended.resume:
        raise UsageError("--per goes on by itself where the same training was cut off. Leave out --resume.")
    spec = spec_from(options, settings, preset)
    spec = replace(spec, data=replace(spec.data, id=spec.data.id or per))
    if cluster is not None:  # where one training is at each core, its networks take turns
        spec = spec.with_jobs(1)
    watcher.reading()
    groups = groups_to_train(source, spec.data, per)
    task = {"data": fingerprint(source), "options": spec.with_jobs(None).plain(), "unattended": asdict(unattended)}
    task["software"] = packages()
    with directory.training(unattended.wait):
        book = _Book(directory, _begun(directory, groups, task, watcher))
        book.write()
        todo = [name for name in groups.series if not book.entry(name)["done"]]
        if len(todo) < len(groups.series):
            watcher.note(f"{len(groups.series) - len(todo):,} of {len(groups.series):,} groups were done before")
        for note in groups.notes():
            watcher.note(note)
        _train(groups, spec, directory, book, todo, watcher, unattended, cluster)
        book.close()
    return Groupwise(Path(run), book.index, tuple(todo), time.perf_counter() - started)


def _begun(directory: GroupDirectory, groups: Groups, task: Mapping[str, Any], watcher: Watcher) -> dict[str, Any]:
    """The index as the training begins: what the same one had done before it was cut off is done.

    Raises OutputError where the directory holds runs by another column.
    """
    old: dict[str, Any] = {"per": groups.per, "groups": {}, "complete": True, "task": {}}
    if directory.exists:
        try:
            old = directory.index()
        except DataError:
            watcher.note(f"note: the index of {directory.path} is damaged, and written anew")
    if old["per"] != groups.per:
        raise OutputError(f"{directory.path} holds runs by {old['per']!r}. With --per {groups.per} choose another one.")
    again = not old["complete"] and old["task"] == task
    entries = {name: {**each, "done": again and each["done"]} for name, each in old["groups"].items()}
    blank = {"done": False, "published": False, "failed": "", "why": "", "validation": {}, "mended": {}}
    entries = {**entries, **{name: entries.get(name, dict(blank)) for name in groups.series}}
    return {"per": groups.per, "complete": False, "task": task, "groups": entries}


@dataclass
class _Book:
    """The index, written every few seconds: of thousands of groups it is long."""

    directory: GroupDirectory
    index: dict[str, Any]
    written: float = field(default=float("-inf"))

    def entry(self, group: str) -> dict[str, Any]:
        """That of a group."""
        found: dict[str, Any] = self.index["groups"][group]
        return found

    def done(self, group: str, **facts: Any) -> None:
        """A group's training has ended."""
        self.entry(group).update(done=True, **facts)
        if time.monotonic() - self.written > EVERY:
            self.write()

    def write(self) -> None:
        """Raises OutputError."""
        self.directory.write(self.index)
        self.written = time.monotonic()

    def close(self) -> None:
        """All groups are done."""
        self.index["complete"] = True
        self.write()


@dataclass(frozen=True)
class _Common:
    spec: Spec
    asked: Mapping[str, Any]
    unattended: Unattended


@dataclass(frozen=True)
class _Piece:
    """A group to be trained; or why it can't be, in place of its rows.

    run    the files of a run directory that holds the published version, where the training asks for it
    place  of its run, as messages name it
    """

    table: Table | str
    run: Files | None = None
    place: str = ""


@dataclass(frozen=True)
class _Made:
    """What came of a group: a version, or a line for the history of the one that stays, and why; or what was wrong.

    mended  what was mended in its rows, and how often
    """

    sent: Sent | None = None
    noted: tuple[str, Mapping[str, Any]] | None = None
    mended: Mapping[str, int] = field(default_factory=dict)
    why: str = ""
    failed: str = ""


def _train(
    groups: Groups,
    spec: Spec,
    directory: GroupDirectory,
    book: _Book,
    todo: Sequence[str],
    watcher: Watcher,
    unattended: Unattended,
    cluster: Where | None,
) -> None:
    common = _Common(spec, spec.with_jobs(None).plain(), unattended)
    pieces = _Pieces(groups, directory, common, todo)
    failed: list[str] = []

    def tell(standing: Standing) -> None:
        watcher.stands(replace(standing, failed=len(failed)))

    try:
        with contextlib.closing(arriving(_trained, common, pieces, cluster, tell)) as results:
            for number, made in results:
                group = todo[number]
                reason = _published(directory.run(group), made, unattended, book, group)
                failed += [group] if reason else []
    except BaseException as stop:
        book.write()
        done = sum(book.entry(name)["done"] for name in groups.series)
        told = f"{done:,} of {len(groups.series):,} groups are done; the same command goes on with the others"
        if done and isinstance(stop, KeyboardInterrupt):
            raise KeyboardInterrupt(f"{told}.") from None
        if done:
            watcher.note(f"kept: {told}")
        raise


def _published(run: RunDirectory, made: _Made, unattended: Unattended, book: _Book, group: str) -> str:
    """Publish what came back of a group; why not, where something was wrong."""
    facts: dict[str, Any] = {"failed": made.failed, "why": made.why, "published": False, "mended": dict(made.mended)}
    try:
        if made.sent:
            adopt(run, made.sent, unattended.keep, unattended.wait)
            facts |= {"published": True, "validation": made.sent.entry["validation"]}
        if made.noted:
            run.note(*made.noted)
    except (BusyError, DataError, OutputError) as error:
        if isinstance(error, OutputError) and out_of_space(error):  # which is no fault of this group
            raise
        facts["failed"] = str(error)
    book.done(group, **facts)
    return str(facts["failed"])


@dataclass(frozen=True)
class _Pieces(Sequence[_Piece]):
    """Made when they are asked for: of many groups only a few are in memory at a time."""

    groups: Groups
    directory: GroupDirectory
    common: _Common
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, number: int) -> _Piece: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[_Piece]: ...
    def __getitem__(self, number: int | slice) -> _Piece | Sequence[_Piece]:
        if isinstance(number, slice):
            return [self[k] for k in range(len(self))[number]]
        name = self.names[number]
        try:
            place = str(self.directory.run(name).path)
            return _Piece(self.groups.training(name, self.common.spec.data), self._run(name), place)
        except CnnlstmError as error:
            return _Piece(str(error))

    def _run(self, name: str) -> Files | None:
        wanted = self.common.unattended
        run = self.directory.run(name)
        current = published_in(run) if wanted.only_if_better or wanted.warm_start else None
        if current is None:
            return None
        with writing_to(run.path):
            history = (run.path / "history.jsonl").read_bytes()
            inside = packed(current.folder)
        files = {f"versions/{current.folder.name}/{path}": content for path, content in inside.items()}
        return {**files, "history.jsonl": history, "current": current.folder.name.encode()}


def _trained(common: _Common, piece: _Piece) -> _Made:
    """A version of a group, trained in a folder that is gone afterwards."""
    if isinstance(piece.table, str):
        return _Made(failed=piece.table)
    with writing_to(Path(tempfile.gettempdir())), tempfile.TemporaryDirectory() as folder:
        run = RunDirectory(Path(folder, "run"))
        try:
            if piece.run:
                run.path.mkdir()
                unpack(piece.run, run.path)
            return _outcome(common, run, piece.table)
        except CnnlstmError as error:
            return _Made(failed=str(error).replace(str(run.path), piece.place))
        except Exception as error:  # noqa: BLE001 - of one group, which must not take the others along
            return _Made(failed=f"{type(error).__name__}: {error}. This is a bug in cnnlstm: please report it.")


def _outcome(common: _Common, run: RunDirectory, table: Table) -> _Made:
    current = published_in(run)
    same = {"asked": common.asked, "sha256": table.fingerprint}
    if common.unattended.only_if_better and current and (why := nothing_to_do(run, current, same)):
        return _Made(why=why)
    done = train_table(table, common.spec, run, common.unattended, common.asked)
    if done.published:
        return _Made(Sent.of(done.run, done.why), mended=table.mended_counts(), why=done.why)
    entry = history_entry(done.record, False, done.why)
    return _Made(noted=(done.run.folder.name, entry), mended=table.mended_counts(), why=done.why)
