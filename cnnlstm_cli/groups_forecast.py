"""The predict use case of many runs: each group of a file forecast by its own, in one call. Never TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from cnnlstm_cli.errors import CnnlstmError, DataError, InputError, UsageError
from cnnlstm_cli.forecast import Forecast, Run
from cnnlstm_cli.runs.directory import RunDirectory
from cnnlstm_cli.runs.groups import GroupDirectory
from cnnlstm_cli.runs.record import schema_from
from cnnlstm_cli.series.groups import Groups, groups_again
from cnnlstm_cli.series.reader import Data
from cnnlstm_cli.series.table import Schema

Frame = Callable[[Run, Forecast], pd.DataFrame]


@dataclass(frozen=True)
class Groupwise:
    """The forecasts of many groups, in the order of the file.

    made    of each group its run and its forecast
    failed  of each of the others why there is none
    """

    path: Path
    groups: Groups
    made: Mapping[str, tuple[Run, Forecast]]
    failed: Mapping[str, str]

    def frame(self, of: Frame) -> pd.DataFrame:
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


def is_groups(path: str | Path) -> bool:
    """Whether there are runs of groups."""
    return GroupDirectory(Path(path)).exists


def schema_of(path: Path) -> tuple[str, Schema]:
    """Which column tells the groups apart, and what the columns are. Raises DataError."""
    index = GroupDirectory(path).index()
    try:
        return index["per"], schema_from(index["schema"])
    except (CnnlstmError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path / 'groups.json'} is damaged (schema: {error}). Train again.") from None


def forecast_groups(data: Data, path: str | Path, horizon: int | None = None, **how: Any) -> Groupwise:
    """Forecast every group of a file that has a run.

    how  the further arguments of `Run.forecast`

    Raises as that does, but for what is wrong with one group alone; DataError when there is nothing else.
    """
    directory = GroupDirectory(Path(path))
    per, schema = schema_of(directory.path)
    groups = groups_again(data, schema, per)
    made: dict[str, tuple[Run, Forecast]] = {}
    failed: dict[str, str] = {}
    for group in groups.series:
        found = _of_one(groups, group, directory.run(group), horizon, how)
        if isinstance(found, str):
            failed[group] = found
        else:
            made[group] = found
    if not made:
        first, why = next(iter(failed.items()))
        raise DataError(f"none of {len(failed):,} groups can be forecast. The first, {first!r}: {why}")
    return Groupwise(directory.path, groups, made, failed)


def _of_one(
    groups: Groups, group: str, directory: RunDirectory, horizon: int | None, how: Mapping[str, Any]
) -> tuple[Run, Forecast] | str:
    """A group's run and forecast, or why there is none."""
    try:
        run = Run.open(directory.path)
        _require_alike(run, groups.found.schema)
        made = run.after(groups.recent(group, run.record.lookback), horizon, **how)
        return replace(run, held=None), made  # of thousands neither the networks nor an open file each are kept
    except InputError:
        return "no model was trained for it"
    except (DataError, UsageError) as error:
        return str(error)


def _require_alike(run: Run, schema: Schema) -> None:
    """Raises DataError where a run is older than the index, and reads other columns."""
    ours = run.record.schema
    for name in ("targets", "id", "covariates", "frequency", "holidays", "doubled", "agg"):
        if getattr(ours, name) != getattr(schema, name):
            raise DataError(f"its model is of an earlier training, with other {name}. Train again.")


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
    if not is_groups(run):
        return Run.open(run).predict(data, horizon, levels, **how)
    made = forecast_groups(data, run, horizon, **how)
    return made.frame(lambda own, forecast: forecast.frame(levels=own.levels(levels) if levels else ()))
