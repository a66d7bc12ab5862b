"""The predict use case of many runs: each group of a file forecast by its own, in one call. Never TensorFlow."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from cnnlstm_cli.errors import CnnlstmError, DataError, InputError, UsageError
from cnnlstm_cli.forecast import Forecast, Run
from cnnlstm_cli.runs.directory import RunDirectory
from cnnlstm_cli.runs.groups import GroupDirectory
from cnnlstm_cli.series.dialect import Source
from cnnlstm_cli.series.groups import Groups, groups_again
from cnnlstm_cli.series.reader import Data, opened
from cnnlstm_cli.series.table import Schema

Of = Callable[[Run, Forecast], pd.DataFrame]


@dataclass(frozen=True)
class Groupwise:
    """The forecasts of many groups, in the order of the file.

    made    of each group its run and its forecast
    failed  of each of the others why there is none
    """

    groups: Groups
    made: Mapping[str, tuple[Run, Forecast]]
    failed: Mapping[str, str]

    def frame(self, of: Of) -> pd.DataFrame:
        """What `of` makes of each, one after the other; behind the column of groups, unless that is the ids'."""
        per, frames = self.groups.per, []
        for group, (run, made) in self.made.items():
            frame = of(run, made)
            if per not in frame.columns:
                order = [*self.groups.found.sheet.columns]
                place = sum(order.index(name) < order.index(per) for name in frame.columns if name in order)
                frame.insert(place, per, group)
            frames.append(frame)
        return pd.concat(frames, ignore_index=True)

    def notes(self) -> list[str]:
        """What the user should be told: each thing once, with the first group it is true of."""
        found: dict[str, list[str]] = {}
        for group, (_, made) in self.made.items():
            for note in [*made.table.notes(), *made.notes]:
                found.setdefault(note.partition(" (first ")[0], []).append(group)
        return [f"{note} ({_of(groups)})" for note, groups in found.items()]


def _of(groups: Sequence[str]) -> str:
    return f"group {groups[0]!r}" if len(groups) == 1 else f"{len(groups):,} groups, first {groups[0]!r}"


def forecast_groups(data: Data, path: str | Path, horizon: int | None = None, **how: Any) -> Groupwise:
    """Forecast every group of a file that has a run.

    how  the further arguments of `Run.forecast`

    Raises as that does, but for what is wrong with one group alone; DataError when there is nothing else.
    """
    directory = GroupDirectory(Path(path))
    index = directory.index()
    files = _Files(opened(data), index["per"])
    groups = files.read(_first(directory, list(index["groups"])))
    made: dict[str, tuple[Run, Forecast]] = {}
    failed: dict[str, CnnlstmError] = {}
    for group in groups.series:
        found = _of_one(files, group, directory.run(group), horizon, how)
        if isinstance(found, CnnlstmError):
            failed[group] = found
        else:
            made[group] = found
    if not made:
        first, why = next(iter(failed.items()))
        kind = UsageError if isinstance(why, UsageError) else DataError
        raise kind(f"none of {len(failed):,} groups can be forecast. The first, {first!r}: {why}")
    return Groupwise(groups, made, {group: str(why) for group, why in failed.items()})


@dataclass
class _Files:
    """The groups of a file, by the columns of a run: read once for all runs that have the same."""

    data: Source | pd.DataFrame
    per: str
    known: list[tuple[Schema, Groups]] = field(default_factory=list)

    def read(self, schema: Schema) -> Groups:
        """Raises as `groups_again`."""
        for other, groups in self.known:
            if other == schema:
                return groups
        self.known.append((schema, groups_again(self.data, schema, self.per)))
        return self.known[-1][1]


def _first(directory: GroupDirectory, groups: Sequence[str]) -> Schema:
    """The columns of the first run that there is. Raises InputError where there is none."""
    for group in groups:
        with contextlib.suppress(InputError, DataError):
            return Run.open(directory.run(group).path).record.schema
    raise InputError(f"{directory.path} holds no run of {len(groups):,} groups. Train again.")


def _of_one(
    files: _Files, group: str, directory: RunDirectory, horizon: int | None, how: Mapping[str, Any]
) -> tuple[Run, Forecast] | CnnlstmError:
    """A group's run and forecast, or why there is none."""
    if not directory.path.exists():
        return InputError("no model was trained for it")
    try:
        run = Run.open(directory.path)
        groups = files.read(run.record.schema)
        if group not in groups.series:
            return DataError("no row of it has a time as its model reads them")
        made = run.after(groups.recent(group, run.record.lookback), horizon, **how)
    except (InputError, DataError, UsageError) as error:
        return error
    return replace(run, held=None), made  # of thousands neither the networks nor an open file each are kept


def predict(
    data: Data,
    run: str | Path,
    horizon: int | None = None,
    levels: Sequence[float] = (),
    *,
    hold_known: bool = False,
    drop_ended: bool = False,
) -> pd.DataFrame:
    """The command `cnnlstm predict DATA --run DIR` as a function: `Run.open(run).predict(...)`, or of a directory that
    holds a run for each group those of all, without the groups that can't be forecast: see `forecast_groups`."""
    how: dict[str, Any] = {"hold_known": hold_known, "drop_ended": drop_ended}
    if not GroupDirectory(Path(run)).exists:
        return Run.open(run).predict(data, horizon, levels, **how)
    made = forecast_groups(data, run, horizon, **how)
    return made.frame(lambda own, forecast: forecast.frame(levels=own.levels(levels) if levels else ()))
