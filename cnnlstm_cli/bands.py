"""The network of quantiles that intervals are made of: learnt beside those that forecast, and calibrated."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cnnlstm_cli.evaluation.quantiles import shares, stretches, to_dict
from cnnlstm_cli.planning import Task
from cnnlstm_cli.runs.atomic import writing_to
from cnnlstm_cli.runs.session import Session

if TYPE_CHECKING:
    from cnnlstm_cli.network.checkpoint import Epoch
    from cnnlstm_cli.network.race import Race

FEWEST_EPOCHS = 10  # what starts as the linear model may be best without any


class Watcher(Protocol):
    """Who follows the training."""

    def stepped(self, step: int, steps: int, epoch: Epoch | None) -> None:
        """`step` of `steps` steps are done; `epoch` is the last that was finished."""

    def keep_interrupted(self) -> bool:
        """Ctrl-C came: whether to go on with the best weights so far."""


def learn(task: Task, raced: Race, watcher: Watcher, started: float, checkpoints: Path | None = None) -> Any:
    """A keras.Model of the best one's kind, trained for as many epochs on the training windows, and never on all rows.

    None when that, or the race, was interrupted or out of time, which is counted from `started`, by `perf_counter`.
    Raises KeyboardInterrupt, DataError or OutputError as `candidate.compete` does.
    """
    from cnnlstm_cli.network.quantiles import learn

    best, train = raced.trained[0], task.spec.train
    end = started + (train.time_limit or float("inf"))
    if raced.interrupted or time.perf_counter() > end:
        return None
    course = replace(train, epochs=max(FEWEST_EPOCHS, best.fit.best))
    kept = checkpoints / "quantiles.npz" if checkpoints else None

    def stepped(step: int, steps: int, epoch: Epoch | None) -> None:
        watcher.stepped(step, steps, epoch)
        if time.perf_counter() > end:
            raise KeyboardInterrupt

    windows, linear = task.fitting(task.windows), task.judge.linear
    try:
        with writing_to(checkpoints or Path()):
            return learn(best.spec, windows, course, shares(train.levels), linear, on_step=stepped, checkpoint=kept)
    except KeyboardInterrupt:
        if time.perf_counter() <= end and not watcher.keep_interrupted():
            raise
        return None


def calibrated(task: Task, network: bytes) -> dict[str, dict[str, float]]:
    """Of each target and level, what the network's intervals are to be multiplied by, by the validation windows."""
    judge, levels = task.judge, task.spec.train.levels
    learnt = Session(network).validate(judge.windows).reshape(-1, *judge.came.values.shape)
    came = judge.scaler.transform(judge.came.values.T).T
    names, starts = task.table.schema.targets, judge.windows.validation
    return {
        name: to_dict(stretches(learnt[:, own], came[own], levels, starts[own]))
        for name, own in zip(names, judge.of_targets(len(names)), strict=True)
    }
