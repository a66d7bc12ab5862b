"""What `predict` is asked for, of one run or of the runs of many groups: what it writes, says and keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlstm_cli.errors import DataError, UsageError, needing
from cnnlstm_cli.forecast import Forecast, Run
from cnnlstm_cli.groups_forecast import Of, forecast_groups
from cnnlstm_cli.render.answer import write_answer
from cnnlstm_cli.render.messages import Messages, failures
from cnnlstm_cli.render.output import write_forecast
from cnnlstm_cli.runs.directory import RunDirectory
from cnnlstm_cli.runs.groups import GroupDirectory

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Asked:
    """The options of `predict` beside DATA and --run.

    how      those that `Run.forecast` takes
    levels   of the intervals to write; None: none
    samples  how many courses to write in place of the forecast
    written  those that `write_forecast` takes
    """

    how: dict[str, Any]
    levels: tuple[float, ...] | None
    samples: int | None
    version: str | None
    written: dict[str, Any]
    plot: bool
    log: bool

    def __post_init__(self) -> None:
        if self.samples is not None and self.levels is not None:
            raise UsageError("--samples writes courses, --levels the ends of intervals. Take one of them at a time.")

    def levels_of(self, run: Run) -> Sequence[float]:
        """Those wanted, as the run has them. Raises UsageError."""
        return () if self.levels is None else run.levels(self.levels)

    def frame(self, run: Run, made: Forecast) -> pd.DataFrame:
        """What is written of a run's forecast."""
        if self.samples is None:
            return made.frame(written=True, levels=self.levels_of(run))
        from cnnlstm_cli.sampling import paths_of

        return paths_of(run, made, self.samples, written=True)


def deliver(data: str, path: Path, asked: Asked, output: Path | None, messages: Messages) -> None:
    """Forecast, and write it; then it is logged, for what was not delivered is not. Raises as `Run.forecast` does."""
    pairs, frame_of = (_of_groups if GroupDirectory(path).exists else _of_run)(data, path, asked, messages)
    lines: list[tuple[Run, list[str]]] = []
    if asked.log:
        from cnnlstm_cli.scoring import entries

        lines = [(run, entries(run, made)) for run, made in pairs]
    run, made = pairs[0]
    levels = asked.levels_of(run)
    content = write_forecast(frame_of(asked.frame), made.table, levels=levels, **asked.written)
    if asked.plot:
        from cnnlstm_cli.render.plot import show

        with needing("--plot"):
            show(made, levels)
    write_answer(content, output)
    for run, some in lines:
        RunDirectory(run.path).log(some)


Pairs = list[tuple[Run, Forecast]]
FrameOf = Callable[[Of], "pd.DataFrame"]


def _of_run(data: str, path: Path, asked: Asked, messages: Messages) -> tuple[Pairs, FrameOf]:
    run = Run.open(path, asked.version)
    asked.levels_of(run)
    made = run.forecast(data, **asked.how)
    messages.say(*made.table.notes(), *made.notes)
    return [(run, made)], lambda of: of(run, made)


def _of_groups(data: str, path: Path, asked: Asked, messages: Messages) -> tuple[Pairs, FrameOf]:
    """Those that can't be forecast are told, and are an error with --strict."""
    if asked.plot or asked.version:
        name = "--plot" if asked.plot else "--version-id"
        raise UsageError(
            f"{name} is for one run, and {path} holds many. Name one of them, "
            f"{path}/groups/NAME, and give the rows of that group alone."
        )
    done = forecast_groups(data, path, **asked.how)
    told = list(failures(done.failed, len(done.made) + len(done.failed)))
    if told and asked.how["strict"]:
        raise DataError("\n".join(told))
    messages.say(*done.notes())
    messages.insist(*told)
    return list(done.made.values()), done.frame
