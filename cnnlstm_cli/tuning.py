"""The tune use case: a search over settings, judged on the validation rows; the best, averaged, are published."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
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
from cnnlstm_cli.spaces import own, plain, seen, space_of
from cnnlstm_cli.specs import SEEDS_APART
from cnnlstm_cli.training import history_entry

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from cnnlstm_cli.network.trial import Common, Reached
    from cnnlstm_cli.study import Study, Trial

TRIALS = 32
MOST = 4  # networks that are averaged, where --members does not say
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
                    "published": each.number in self.record.facts["search"]["published"],
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
    """Search for better settings, and publish the average of the best networks, trained on all rows, in `run`.

    trials   how many points of the space are tried, those of an earlier search of the same among them
    options  those of `train`; what they say is not varied. `members` are the most that are averaged, `time_limit` is of
             all of it, the final training among them; it may take a little longer
    cluster  where trials are trained. Default: in processes of this machine

    The search is kept in the run, and goes on when the same is asked of the same data. Raises UsageError, InputError,
    DataError, OutputError or BusyError; what was published is then as it was.
    """
    started, watcher = time.perf_counter(), watcher or Watcher()
    if trials < 1:
        raise UsageError("--trials must be 1 or more.")
    directory, asked = RunDirectory(Path(run)), spec_from(options, settings, preset)
    if asked.network:
        raise UsageError("[[network]] is what tune finds: leave it out of the settings.")
    limit = asked.train.time_limit
    asked = replace(asked, train=replace(asked.train, time_limit=None))
    given = {f"{part}.{name}" for part, keys in (settings or {}).items() for name in keys}
    given |= {f"{part}.{name}" for part in ("data", "train") for name in options}
    most = asked.train.members if "train.members" in given else MOST
    watcher.reading()
    table = read_training(opened(data), asked.data)
    with directory.training(wait) as aside:
        made = _Search.of(table, asked, preset, given, directory, watcher)
        search = replace(made, deadline=started + (limit or math.inf), trials=trials, most=most)
        try:
            with workers(LOCAL if cluster is None else cluster) as there:
                search.carry_out(there)
        except BaseException:
            if any(each.errors for each in search.study.trials()):
                watcher.note("kept: the trials that are done; the same command goes on with them")
            raise
        tuned = search.tuned(asked)
        checkpoints = search.checkpoints(directory)
        candidate = compete(prepare(table, tuned), watcher, time.perf_counter(), None, checkpoints, cluster)
        seeds = {member.seed for member in candidate.raced.kept}
        record = write(candidate, aside, watcher, {"asked": tuned.plain(), "search": search.facts(seeds)})
        directory.publish(aside, record.version, history_entry(record, True, TUNED), keep)
        write_atomically(directory.path / "tuned.toml", search.toml().encode())
        search.study.clear_others()
    order = sorted(search.study.trials(), key=lambda each: (-len(each.errors), each.mae))
    return Tuned(Run.open(run), record, tuple(order), tuple(range(len(search.plain))))


@dataclass(frozen=True)
class _Search:
    """A search that holds its run.

    common    what its trials share, the settled specification among it
    plain     the points of the plain training
    deadline  by `perf_counter`, of all of it
    trials    how many
    most      networks that are averaged at its end
    """

    study: Study
    common: Common
    plain: Sequence[Mapping[str, Any]]
    watcher: Watcher
    deadline: float = math.inf
    trials: int = TRIALS
    most: int = MOST

    @classmethod
    def of(
        cls,
        table: Table,
        asked: Spec,
        preset: str,
        given: Collection[str],
        directory: RunDirectory,
        watcher: Watcher,
    ) -> _Search:
        """A new one, or that which the run holds of the same data and options."""
        with needing("training"):
            from cnnlstm_cli.network.fit import settled
            from cnnlstm_cli.network.trial import Common
        from cnnlstm_cli.study import Study

        usual, parts = settle(table, asked)
        longest = longest_lookback(parts)
        lookback = seen(preset, given, usual, longest)[-1]
        spec = replace(usual, data=replace(usual.data, lookback=lookback))
        task = lay_windows(table, spec, parts)
        watcher.planned(task)
        windows = task.fitting(task.windows)
        usual = replace(usual, train=settled(usual.train, len(windows.training)))
        space = space_of(preset, given, usual, longest)
        same = {
            "data": table.fingerprint,
            "options": asked.with_jobs(None).plain(),
            "preset": preset,
            "space": {key: vars(each) for key, each in space.items()},
            "software": packages(),
        }
        study, note = Study.begun(directory.path / "search", same, space, asked.train.seed)
        if note:
            watcher.note(note)
        networks = usual.model.candidates(len(windows.training), usual.data.settled_lookback, windows.horizon)
        linear = task.judge.linear
        return cls(study, Common(windows, linear, task.simple(linear), spec), plain(space, usual, networks), watcher)

    def carry_out(self, there: Workers) -> None:
        """Round after round, until all trials are done or there is only time left to train the best."""
        from cnnlstm_cli.study import ROUND

        if done := len(self.study.trials()):
            self.watcher.note(f"{done} trials are there from before")
        for number in range(math.ceil(self.trials / ROUND)):
            if self._late() or not self._round(there, number):
                self._tell_late()
                break
            best, done = self.best(), min((number + 1) * ROUND, self.trials)
            plain = math.nan if self._plain_error is None else self._plain_error
            self.watcher.note(
                f"trials: {done} of {self.trials}; best error {best.mae:.4f}, of trial {best.number}; of the plain "
                f"training's networks {plain:.4f}"
            )

    def _tell_late(self) -> None:
        """What there was no time for."""
        trials, ended = self.study.trials(), len(self._ended())
        plain = ": what is published is the plain training's, and another --time-limit may do better"
        told = "" if ended or self._plain_error is None else plain
        self.watcher.note(f"out of time: {len(trials)} of {self.trials} trials begun, {ended} trained to the end{told}")

    def _ended(self) -> list[Trial]:
        """The trials that were trained to the end, by number."""
        from cnnlstm_cli.network.trial import RUNGS

        return [each for each in self.study.trials() if RUNGS - 1 in each.errors]

    @property
    def _plain_error(self) -> float | None:
        """Of the better of the plain training's networks; None where there is none yet."""
        return min((each.mae for each in self.study.trials()[: len(self.plain)] if each.errors), default=None)

    def _round(self, there: Workers, number: int) -> bool:
        """Successive halving; whether it came to its end in time."""
        from cnnlstm_cli.network.trial import RUNGS

        trials = [each.number for each in self.study.round(number, self.trials, self.plain)]
        for rung in range(RUNGS):
            left = [each for each in self.study.trials() if each.number in trials and each.state == "unfinished"]
            todo = [each for each in left if rung not in each.errors]
            if todo and not self._climb(there, todo, rung):
                return False
            if rung < RUNGS - 1:
                self._halve(trials, rung)
        for each in self.study.trials():
            if each.number in trials and each.state == "unfinished":
                self.study.end(each.number, "complete")
        return True

    def _climb(self, there: Workers, todo: Sequence[Trial], rung: int) -> bool:
        """Bring trials to a rung; whether there was time."""
        from cnnlstm_cli.network.trial import Climb, climb

        ways = [Climb(self.own(each), rung, self._kept(each.number)) for each in todo]
        with contextlib.closing(there.arriving(climb, self.common, ways, self.watcher.stands)) as results:
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
        if reached.forecast is not None:
            self.study.write_forecast(number, reached.forecast)
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
            if each.number not in on and each.state == "unfinished":
                self.study.end(each.number, "stopped")

    def own(self, trial: Trial) -> dict[str, dict[str, Any]]:
        """The settings of a trial, and a seed of its own: of the first trials that of the plain training's networks."""
        settings, train = own(trial.point), self.common.spec.train
        seed = (train.seed + trial.number * SEEDS_APART) % 2**31
        return {**settings, "train": {**settings.get("train", {}), "seed": seed}}

    @cached_property
    def chosen(self) -> list[Trial]:
        """Those that are worth averaging: the best average of all that came to the end. Where none did, the plain
        training's: of half a training it can't be said whether it is better."""
        from cnnlstm_cli.network.choose import best

        windows = self.common.windows
        came = windows.came(windows.validation)
        trials = self._ended()
        found = {each.number: self.study.read_forecast(each.number, came.shape) for each in trials}
        if lost := [str(number) for number, forecast in found.items() if forecast is None]:
            self.watcher.note(f"{self.study.folder}: damaged: trials {', '.join(lost)} are left out of the average")
        forecasts = {number: forecast for number, forecast in found.items() if forecast is not None}
        ended = [each for each in trials if each.number in forecasts]
        if not ended and self.best():  # which raises where there is none at all
            return self.study.trials()[: len(self.plain)]
        weights = best(list(forecasts.values()), came, self.most)
        order = sorted(zip(weights, ended, strict=True), key=lambda each: (-each[0], each[1].mae))
        return [each for weight, each in order if weight]

    def tuned(self, asked: Spec) -> Spec:
        """What is asked for, with the settings of those that are chosen."""
        chosen = self.chosen
        data = replace(asked.data, lookback=self.common.spec.data.lookback)
        train = replace(asked.train, members=len(chosen))
        return replace(asked, data=data, train=train, network=tuple(self.own(each) for each in chosen))

    def checkpoints(self, directory: RunDirectory) -> Path:
        """A folder that holds the trainings of those that are chosen, as a race keeps them."""
        chosen, best = self.chosen, self.best()
        told = ", ".join(str(each.number) for each in chosen)
        self.watcher.note(f"best: trial {best.number}, error {best.mae:.4f}; trained for the average: {told}")
        folder, _ = directory.checkpoint({"search": told}, resume=False)
        with writing_to(folder):
            for place, each in enumerate(chosen):
                if (kept := self.study.checkpoint(each.number)).exists():
                    shutil.copy(kept, folder / f"race-{place}.npz")
        return folder

    def best(self) -> Trial:
        """Of those that came farthest. Raises UsageError where none came anywhere."""
        reached = [each for each in self.study.trials() if each.errors]
        if not reached:
            none = "there was no time for one. Give more with --time-limit"
            why = next((each.failed for each in self.study.trials() if each.failed), none)
            raise UsageError(f"no trial came to anything: {why.removesuffix('.')}.")
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
        ended = sorted(self._ended(), key=lambda each: each.mae)[: self.most]
        longest = max(each.seconds for each in ended or [best]) / share
        turns = AGAIN * self.common.spec.train.refit * math.ceil(max(1, len(ended)) / cores()) + (1 - share)
        return time.perf_counter() + turns * longest > self.deadline

    def facts(self, seeds: Collection[int]) -> dict[str, Any]:
        """What run.json keeps of it; `seeds` are those of the networks that are averaged in the end."""
        trials, best = self.study.trials(), self.best()
        published = [each.number for each in self.chosen if self.own(each)["train"]["seed"] in seeds]
        counts = {state: sum(each.state == state for each in trials) for state in ("complete", "stopped", "failed")}
        return {
            "trials": len(trials),
            **counts,
            "best": best.number,
            "published": published,
            "mae": best.mae,
            "plain": self._plain_error,
            "settings": dict(best.point),
            "importance": self.study.importance(),
        }

    def toml(self) -> str:
        """The settings of those that are chosen as `train --config` reads them; what is None is left to it."""
        lines = ["[data]", f"lookback = {self.common.spec.data.lookback}"]
        for each in self.chosen:
            settings = [(part, name, value) for part, keys in self.own(each).items() for name, value in keys.items()]
            told = [f"{part}.{name} = {json.dumps(value)}" for part, name, value in settings if value is not None]
            lines += ["", f"[[network]]  # trial {each.number}", *told]
        return "\n".join(lines) + "\n"
