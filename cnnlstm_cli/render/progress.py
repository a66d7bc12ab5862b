"""A training as it goes: a bar on a terminal, nothing in a log file (or a line an epoch with --verbose)."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from cnnlstm_cli.candidate import Watcher
from cnnlstm_cli.evaluation.scores import best_baseline
from cnnlstm_cli.inspection import limits
from cnnlstm_cli.planning import Task
from cnnlstm_cli.render.messages import Messages
from cnnlstm_cli.render.report import limited
from cnnlstm_cli.specs import WINDOWS_AN_EPOCH

if TYPE_CHECKING:
    from cnnlstm_cli.cluster import Standing
    from cnnlstm_cli.network.checkpoint import Epoch


class TerminalWatcher(Watcher):
    """Says what was found, draws the bar, and asks on Ctrl-C."""

    def __init__(self, messages: Messages, keep_interrupted: bool = False, once: bool = False) -> None:
        """`once`: of many trainings only the first says what it found."""
        self._messages = messages
        self._keep = keep_interrupted
        self._once = once
        self._trainings = 0
        self._baseline = ""
        self._seen = 0
        self._standing: Standing | None = None
        self._stage = ""
        console = Console(stderr=True)
        # `disable` keeps even the cursor's control codes out of a file, and blank lines off a dumb terminal
        self._progress = Progress(
            TextColumn("{task.fields[epoch]}", markup=False),
            BarColumn(bar_width=24),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[losses]}", markup=False),
            console=console,
            disable=messages.quiet or not console.is_interactive,
            transient=True,
        )
        self._bar = self._progress.add_task("", total=None, epoch="", losses="")

    def note(self, text: str) -> None:
        """Says it."""
        self._messages.say(text)

    def reading(self) -> None:
        """A bar without an end."""
        self._progress.update(self._bar, epoch="reading")
        self._progress.start()

    def planned(self, task: Task) -> None:
        """Says it, in a line a fact."""
        self._progress.stop()  # or it would break the lines to its width
        best = best_baseline(task.baselines)
        self._baseline = f"{best} {task.baselines[best]['mae']:.4f}"
        self._trainings, self._seen, self._stage = self._trainings + 1, 0, ""
        if not (self._once and self._trainings > 1):
            self._messages.say(*plan_lines(task))
        if self._once:
            rows = task.table
            self._messages.say(f"training {self._trainings}: on rows up to {rows.stamp(rows.times.max())}")
        self._progress.update(self._bar, epoch="starting")
        self._progress.start()

    def stepped(self, step: int, steps: int, epoch: Epoch | None) -> None:
        """Moves the bar; says each epoch with --verbose."""
        fields: dict[str, Any] = {}
        if epoch is not None:
            judged = (
                ""
                if math.isnan(epoch.validation)
                else f"  validation {epoch.validation:.4f} (to beat: {self._baseline})"
            )
            told = "" if math.isnan(epoch.validation) else f"error {epoch.validation:.4f}, {self._baseline}"
            fields["losses"] = told or f"loss {epoch.loss:.4f}"
            fields["epoch"] = f"{self._stage}epoch {min(epoch.number + 1, epoch.epochs)}/{epoch.epochs}"
            if epoch.number > self._seen:
                self._seen = epoch.number
                losses = f"loss {epoch.loss:.4f}{judged}, {epoch.seconds:.1f} s"
                self._messages.detail(f"epoch {epoch.number}/{epoch.epochs}: {losses}")
        self._progress.update(self._bar, completed=step, total=steps, **fields)

    def refitting(self) -> None:
        """The bar begins again."""
        self._seen, self._stage = 0, "all rows, "
        self._progress.update(self._bar, completed=0, epoch="all rows", losses="")

    def stands(self, standing: Standing) -> None:
        """A bar over all trainings; the first time it says how many there are, and in a log each one that is done."""
        before, self._standing = self._standing, standing
        if before is None and not standing.done:
            memory = f", about {standing.memory / 2**30:.1f} GiB each" if standing.memory else ""
            count = f"{standing.total:,} training{'s' if standing.total > 1 else ''}"
            self._messages.say(f"{count}, {standing.at_once} at a time{memory}")
        elif before and before.done < before.total and standing.done < standing.total:  # of the same trainings
            if standing.lost > before.lost:
                self._messages.say("a process was lost: what it was at is done again")
            if standing.at_once != before.at_once:
                self._messages.say(f"{standing.at_once} at a time now")
        told = f"{standing.done:,} done, {standing.running} running"
        told += f", {standing.failed:,} failed" if standing.failed else ""
        self._messages.detail(f"trainings: {told}, of {standing.total:,}")
        self._progress.update(self._bar, completed=standing.done, total=standing.total, epoch="trainings", losses=told)
        self._progress.start()

    def keep_interrupted(self) -> bool:
        """With --keep-interrupted, or when the user on the terminal says y."""
        self.close()
        if self._keep or not (sys.stdin.isatty() and sys.stderr.isatty()):
            return self._keep
        print("interrupted. Publish the best weights so far? [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201
        return sys.stdin.readline().strip().casefold() in ("y", "yes")

    def close(self) -> None:
        """Takes the bar off the terminal."""
        self._progress.stop()


def plan_lines(task: Task) -> list[str]:
    """What a training found out before it began."""
    table, data = task.table, task.spec.data
    schema = table.schema
    training, validation = task.parts.rows()
    windows = len(task.windows.training)
    many = windows > WINDOWS_AN_EPOCH
    held = limits(dict(zip(table.ids, task.scalers, strict=True)), schema.targets)
    series = f" in {len(table.ids):,} series" if schema.id else ""
    time = ", ".join(schema.time.names) or "row number"
    season = ", ".join(str(length) for length in data.season) or "none"
    return [
        *table.notes(),
        f"time: {time}, {schema.step}; season {season}",
        f"target: {', '.join(schema.targets)}",
        *([f"limits: {limited(held, len(table.ids))}"] if held else []),
        *([f"left out: {', '.join(f'{name} ({why})' for name, why in table.left_out)}"] if table.left_out else []),
        f"lookback {data.lookback}, horizon {data.horizon}; rows{series}: {training:,} for training, "
        f"{validation:,} for validation",
        *([f"an epoch visits {WINDOWS_AN_EPOCH:,} of {windows:,} training windows, each others"] if many else []),
        *(f"warning: {warning}" for warning in task.spec.model.warnings(data.lookback)),
    ]
