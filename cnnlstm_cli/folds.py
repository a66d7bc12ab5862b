"""The runs of a backtest that trains anew: one for each fold, trained on what was known before it."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from cnnlstm_cli.candidate import Watcher
from cnnlstm_cli.cluster import Where, arriving
from cnnlstm_cli.config import Spec
from cnnlstm_cli.errors import OutputError
from cnnlstm_cli.forecast import Run
from cnnlstm_cli.planning import lay_windows, settle
from cnnlstm_cli.runs.atomic import write_atomically, writing_to
from cnnlstm_cli.runs.directory import RunDirectory, differs
from cnnlstm_cli.runs.lock import locked
from cnnlstm_cli.series.table import Table
from cnnlstm_cli.series.windows import Index
from cnnlstm_cli.training import Sent, adopt, published_in, train_task


@dataclass(frozen=True)
class Folds:
    """What the trainings of all folds share: the rows, and the options."""

    table: Table
    spec: Spec


Fold: TypeAlias = "tuple[Index, Index]"  # rows of each series known to its training, and to that of the next


def _train_fold(all_folds: Folds, fold: Fold, directory: RunDirectory, watcher: Watcher) -> Run:
    """Train on what was known before a fold, in a run of its own."""
    past = all_folds.table.until(fold[0])
    return train_task(lay_windows(past, *settle(past, all_folds.spec)), directory, watcher)


def _sent_fold(all_folds: Folds, fold: Fold) -> Sent:
    """The same in another process."""
    with tempfile.TemporaryDirectory() as folder:
        return Sent.of(_train_fold(all_folds, fold, RunDirectory(Path(folder, "run")), Watcher()))


def runs_of(
    all_folds: Folds,
    folds: Sequence[Fold],
    directories: Sequence[RunDirectory],
    cluster: Where | None,
    watcher: Watcher,
) -> list[Run]:
    """The run of each fold, trained where there is none yet, and kept as soon as it is."""
    todo = [k for k, directory in enumerate(directories) if not published_in(directory)]
    if todo and len(todo) < len(folds):
        watcher.note(f"{len(folds) - len(todo)} of {len(folds)} folds were trained before")
    if cluster is None:
        for k in todo:
            _train_fold(all_folds, folds[k], directories[k], watcher)
    else:
        pieces = [folds[k] for k in todo]
        with contextlib.closing(arriving(_sent_fold, all_folds, pieces, cluster, watcher.stands)) as results:
            for number, sent in results:
                adopt(directories[todo[number]], sent)
    return [Run.open(directory.path) for directory in directories]


@contextlib.contextmanager
def kept_in(work: Path | None, task: Mapping[str, Any], watcher: Watcher) -> Iterator[Path]:
    """Where the runs of the folds are: in `work`, which is of one task; else in a folder that is gone afterwards.

    Raises OutputError where `work` holds something else.
    """
    if work is None:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
        return
    told = work / "backtest.json"
    with writing_to(work):
        others = work.exists() and any(work.iterdir())
        if others and not told.is_file():
            raise OutputError(f"{work} holds other files. Choose a new or empty folder for --work.")
        if others and (other := differs(told, task)):
            raise OutputError(f"{work} is of a backtest with other {other}. Choose another --work.")
        work.mkdir(parents=True, exist_ok=True)
    if not others:
        write_atomically(told, (json.dumps(task, ensure_ascii=False) + "\n").encode())
    with locked(work):
        try:
            yield work
        except BaseException:
            if done := sum(1 for _ in work.glob("*/current")):
                watcher.note(f"kept: {done} fold{'' if done == 1 else 's'}; the same command goes on with the others")
            raise
