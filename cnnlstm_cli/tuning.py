"""The tune use case: a search over settings, judged on the validation rows; the best is trained and published."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlstm_cli.candidate import Watcher, compete, write
from cnnlstm_cli.cluster import LOCAL, Where, Workers, workers
from cnnlstm_cli.config import Options, Spec, spec_from
from cnnlstm_cli.errors import UsageError, needing
from cnnlstm_cli.forecast import Run
from cnnlstm_cli.machine import cores, packages
from cnnlstm_cli.planning import lay_windows, prepare, settle
from cnnlstm_cli.runs.atomic import write_atomically, writing_to
from cnnlstm_cli.runs.directory import RunDirectory
from cnnlstm_cli.runs.record import Record
from cnnlstm_cli.series.reader import Data, opened, read_training
from cnnlstm_cli.series.table import Table
from cnnlstm_cli.series.windows import longest_lookback
from cnnlstm_cli.spaces import applied, plain, space_of
from cnnlstm_cli.training import history_entry

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from cnnlstm_cli.network.trial import Reached
    from cnnlstm_cli.study import Study, Trial

TRIALS = 32
TUNED = "the best of a search"
AGAIN = 1.25  # how much longer a training on all rows takes than one without the validation rows


@dataclass(frozen=True)
class Tuned:
    """What came of a search.

    run     the version that is published
    record  of it
    trials  the best first
    plain   numbers of the trials that are what the plain training would train
    """

    run: Run
    record: Record
    trials: tuple[Trial, ...]
    plain: tuple[int, ...]

    def facts(self) -> dict[str, Any]:
        """As plain data; what `cnnlstm tune --json` prints."""
        return {
            "kind": "search",
            "run": str(self.run.path),
            "version": self.record.version,
            "validation": self.record.facts["validation"],
            "search": self.record.facts["search"],
            "trials": [
                {
                    "trial": each.number,
                    "state": each.state,
                    "mae": each.mae if math.isfinite(each.mae) else None,
                    "epochs": each.epochs,
                    "seconds": round(each.seconds, 1),
                    "plain": each.number in self.plain,
                    "failed": each.failed,
                    "settings": dict(each.point),
                }
                for each in self.trials
            ],
        }


def tune(
    data: Data,
    run: str | Path,
    *,
    trials: int = TRIALS,
    preset: str = "default",
    settings: Mapping[str, Any] | None = None,
    watcher: Watcher | None = None,
    cluster: Where | None = None,
    keep: int = 5,
    wait: float = 0.0,
    **options: Unpack[Options],
) -> Tuned:
    """Search for better settings, train with the best, and publish that in the run directory `run`.

    trials   how many points of the space are tried, those of an earlier search of the same among them
    options  those of `train`; what they say is not varied. `time_limit` is of all of it, the final training among them;
             it may take a little longer
    cluster  where trials are trained. Default: in processes of this machine

    The search is kept in the run, and goes on when the same is asked of the same data. Raises UsageError, InputError,
    DataError, OutputError or BusyError; what was published is then as it was.
    """
    started, watcher = time.perf_counter(), watcher or Watcher()
    if trials < 1:
        raise UsageError("--trials must be 1 or more.")
    directory, asked = RunDirectory(Path(run)), spec_from(options, settings, preset)
    limit = asked.train.time_limit
    asked = replace(asked, train=replace(asked.train, time_limit=None))
    given = {f"{part}.{name}" for part, keys in (settings or {}).items() for name in keys}
    given |= {f"{part}.{name}" for part in ("data", "train") for name in options}
    watcher.reading()
    table = read_training(opened(data), asked.data)
    with directory.training(wait) as aside:
        search = _Search.of(table, asked, preset, given, directory, watcher, started + (limit or math.inf), trials)
        try:
            with workers(LOCAL if cluster is None else cluster) as there:
                search.carry_out(there)
        except BaseException:
            watcher.note("kept: the trials that are done; the same command goes on with them")
            raise
        best = search.best()
        tuned = applied(asked, best.point)
        watcher.note(f"best: trial {best.number}, validation error {best.mae:.4f}; it is trained to be published")
        checkpoints, _ = directory.checkpoint({"search": best.number}, resume=False)
        if (kept := search.study.checkpoint(best.number)).exists():
            with writing_to(checkpoints):
                shutil.copy(kept, checkpoints / "race-0.npz")
        candidate = compete(prepare(table, tuned), watcher, time.perf_counter(), None, checkpoints, cluster)
        record = write(candidate, aside, watcher, {"asked": tuned.plain(), "search": search.facts(best)})
        directory.publish(aside, record.version, history_entry(record, True, TUNED), keep)
        write_atomically(directory.path / "tuned.toml", _toml(best.point).encode())
    order = sorted(search.study.trials(), key=lambda each: (-len(each.errors), each.mae))
    return Tuned(Run.open(run), record, tuple(order), tuple(range(len(search.plain))))


@dataclass(frozen=True)
class _Search:
    """A search that holds its run.

    base      the specification that points are applied to: what is found from the data is in it
    judged    how many validation windows there are
    plain     the points of the plain training
    deadline  by `perf_counter`, of all of it
    """

    study: Study
    table: Table
    base: Spec
    judged: int
    plain: Sequence[Mapping[str, Any]]
    watcher: Watcher
    deadline: float
    most: int

    @classmethod
    def of(
        cls,
        table: Table,
        asked: Spec,
        preset: str,
        given: Collection[str],
        directory: RunDirectory,
        watcher: Watcher,
        deadline: float,
        most: int,
    ) -> _Search:
        """A new one, or that which the run holds of the same data and options."""
        with needing("training"):
            from cnnlstm_cli.network.fit import settled
        from cnnlstm_cli.study import Study

        spec, parts = settle(table, asked)
        task = lay_windows(table, spec, parts)
        watcher.planned(task)
        usual = replace(spec, train=settled(spec.train, len(task.fitting(task.windows).training)))
        space = space_of(preset, given, usual, longest_lookback(parts))
        same = {
            "data": table.fingerprint,
            "options": asked.plain(),
            "preset": preset,
            "space": {key: vars(each) for key, each in space.items()},
            "software": packages(),
        }
        study, note = Study.begun(directory.path / "search", same, space, asked.train.seed)
        if note:
            watcher.note(note)
        found = replace(asked.data, season=spec.data.season, horizon=spec.data.horizon)
        base = replace(asked, data=found, train=asked.with_jobs(1).train)
        fitting = task.fitting(task.windows)
        networks = usual.model.candidates(len(fitting.training), fitting.lookback, fitting.horizon)
        judged = len(task.windows.validation)
        return cls(study, table, base, judged, plain(space, usual, networks), watcher, deadline, most)

    def carry_out(self, there: Workers) -> None:
        """Round after round, until all trials are done or there is only time left to train the best."""
        from cnnlstm_cli.network.trial import Common
        from cnnlstm_cli.study import ROUND

        common, done = Common(self.table, self.base, self.judged), len(self.study.trials())
        if done:
            self.watcher.note(f"{done} trials are there from before")
        for number in range(math.ceil(self.most / ROUND)):
            if self._late() or not self._round(there, common, number):
                break
            best = self.best()
            self.watcher.note(
                f"trials: {min((number + 1) * ROUND, self.most)} of {self.most}; best error {best.mae:.4f}, of trial "
                f"{best.number}; of the plain training's networks {self._plain_error or math.nan:.4f}"
            )

    @property
    def _plain_error(self) -> float | None:
        """Of the better of the plain training's networks; None where there is none yet."""
        return min((each.mae for each in self.study.trials()[: len(self.plain)] if each.errors), default=None)

    def _round(self, there: Workers, common: Any, number: int) -> bool:
        """Successive halving; whether it came to its end in time."""
        from cnnlstm_cli.network.trial import RUNGS

        trials = [each.number for each in self.study.round(number, self.most, self.plain)]
        for rung in range(RUNGS):
            running = [each for each in self.study.trials() if each.number in trials and each.state == "running"]
            todo = [each for each in running if rung not in each.errors]
            if todo and not self._climb(there, common, todo, rung):
                return False
            if rung < RUNGS - 1:
                self._halve(trials, rung)
        for each in self.study.trials():
            if each.number in trials and each.state == "running":
                self.study.end(each.number, "complete")
        return True

    def _climb(self, there: Workers, common: Any, todo: Sequence[Trial], rung: int) -> bool:
        """Bring trials to a rung; whether there was time."""
        from cnnlstm_cli.network.trial import Climb, climb

        ways = [Climb(each.point, rung, self._kept(each.number)) for each in todo]
        with contextlib.closing(there.arriving(climb, common, ways, self.watcher.stands)) as results:
            for place, reached in results:
                self._note(todo[place].number, rung, reached)
                if self._late():
                    return False
        return True

    def _note(self, number: int, rung: int, reached: Reached) -> None:
        if reached.failed:
            self.study.end(number, "failed", reached.failed)
            return
        write_atomically(self.study.checkpoint(number), reached.kept)
        self.study.report(number, rung, reached.mae, reached.epochs, reached.seconds)

    def _kept(self, number: int) -> bytes | None:
        path = self.study.checkpoint(number)
        return path.read_bytes() if path.exists() else None

    def _halve(self, trials: Sequence[int], rung: int) -> None:
        """The better half goes on, and with it what the plain training would train: it is to be compared with."""
        known = [each for each in self.study.trials() if each.number in trials and rung in each.errors]
        order = sorted(known, key=lambda each: each.errors[rung])
        on = {each.number for each in order[: math.ceil(len(order) / 2)]} | set(range(len(self.plain)))
        for each in order:
            if each.number not in on and each.state == "running":
                self.study.end(each.number, "stopped")

    def best(self) -> Trial:
        """Of those that came farthest. Raises UsageError where none came anywhere."""
        reached = [each for each in self.study.trials() if each.errors]
        if not reached:
            why = next((each.failed for each in self.study.trials() if each.failed), "there was no time for one")
            raise UsageError(f"no trial came to anything: {why}. Give more time with --time-limit.")
        return min(reached, key=lambda each: (-max(each.errors), each.mae))

    def _late(self) -> bool:
        """Whether what is left is needed to train and publish the best."""
        if math.isinf(self.deadline):
            return False
        from cnnlstm_cli.network.trial import RUNGS

        known = [each for each in self.study.trials() if each.errors]
        if not known:
            return time.perf_counter() > self.deadline
        best = self.best()
        share = 2.0 ** (1 + max(best.errors) - RUNGS)  # of a training, at its rung
        members = self.base.train.members
        turns = math.ceil((members - 1) / cores()) + AGAIN * self.base.train.refit * math.ceil(members / cores())
        return time.perf_counter() + turns * best.seconds / share > self.deadline

    def facts(self, best: Trial) -> dict[str, Any]:
        """What run.json keeps of it."""
        trials = self.study.trials()
        counts = {state: sum(each.state == state for each in trials) for state in ("complete", "stopped", "failed")}
        return {
            "trials": len(trials),
            **counts,
            "best": best.number,
            "mae": best.mae,
            "plain": self._plain_error,
            "settings": dict(best.point),
            "importance": self.study.importance(),
        }


def _toml(point: Mapping[str, Any]) -> str:
    """The settings of a point as `train --config` reads them."""
    parts: dict[str, list[str]] = {}
    for key, value in sorted(point.items()):
        part, _, name = key.partition(".")
        parts.setdefault(part, []).append(f"{name} = {json.dumps(value)}")
    return "\n".join(f"[{part}]\n" + "".join(f"{line}\n" for line in lines) for part, lines in parts.items())
