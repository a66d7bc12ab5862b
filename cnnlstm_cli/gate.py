"""The gate before publishing: whether a new model forecasts better than the one that is published.

Compared are forecasts of rows that neither was trained on: the new model's validation rows after the last row that the
current one has seen. Windows whose targets overlap count as one. The new model must have the lower mean absolute error
by more than a standard error of the difference; and no higher one, on all its validation rows, than the best baseline.
Where there are not two such windows yet, what both made of their own validation rows is compared, and the new one must
be better by a percent: as much as a seed may change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnlstm_cli.config import Spec
from cnnlstm_cli.errors import UsageError
from cnnlstm_cli.evaluation.judge import Judge
from cnnlstm_cli.evaluation.scores import Numbers, Scores, best_baseline
from cnnlstm_cli.forecast import Run
from cnnlstm_cli.planning import Task
from cnnlstm_cli.series.windows import Index, apart, mean_of_groups

SEED = 0.01  # of the error: what another seed may change
FEWEST = 2  # windows apart from each other, below which there is no standard error


@dataclass(frozen=True)
class Verdict:
    """Whether to publish, why in words, and the numbers that say so."""

    publish: bool
    why: str
    scores: dict[str, Any]


def require_comparable(current: Run, spec: Spec) -> None:
    """Raises UsageError when the settled `spec` forecasts something else than the current version does."""
    ours, theirs = (
        {"targets": list(each.data.target), "steps": each.data.horizon, "id": each.data.id, "step": each.data.freq}
        for each in (spec, current.record.spec)
    )
    for what, value in ours.items():
        if value != theirs[what]:
            raise UsageError(
                f"--only-if-better compares like with like: the version published in {current.path} has {what} "
                f"{theirs[what]}, this training {value}. Leave the option out once, or take another --run."
            )


def decide(current: Run, task: Task, forecast: Numbers, scores: Scores) -> Verdict:
    """Whether a new model is to be published in place of the current one.

    forecast  the new model's, of the task's validation windows, (m, H) in units of the data
    scores    its and the baselines' metrics on them
    """
    ours, best = scores["model"]["mae"], best_baseline(scores)
    compared = _on_unseen(current, task, forecast) or _on_record(current, task, ours)
    if compared.publish and ours > scores[best]["mae"]:
        why = f"it is worse than the baseline {best}: mae {ours:.4f} against {scores[best]['mae']:.4f}"
        return Verdict(False, why, compared.scores)
    return compared


def _on_unseen(current: Run, task: Task, forecast: Numbers) -> Verdict | None:
    """By windows that neither has seen; None where there are too few."""
    windows, table = task.windows, task.table
    origins = windows.validation + windows.lookback
    rows = origins % len(table.values)
    fresh = rows[current.unseen(table)[rows]]
    if not len(fresh):
        return None
    theirs, known = _forecast(current, task, np.unique(fresh))
    both, here, there = np.intersect1d(origins, known, return_indices=True)
    groups = apart(both, windows.horizon)
    count = int(groups.max(initial=-1)) + 1
    if count < FEWEST:
        return None
    came = task.judge.came
    off = [np.abs(made - came.values[here]) / came.scale[here, None] for made in (forecast[here], theirs[there])]
    seen = ~np.isnan(off[0]).all(axis=1)
    new, old = (np.nanmean(each[seen], axis=1) for each in off)
    gain, margin = mean_of_groups(old - new, apart(both[seen], windows.horizon))
    numbers = {"new": float(new.mean()), "current": float(old.mean()), "margin": margin, "windows": count}
    text = (
        f"mae {numbers['new']:.4f} against {numbers['current']:.4f} of version {current.record.version}, on {count:,} "
        f"windows of rows that neither has seen (margin {margin:.4f}, a standard error)"
    )
    better = gain > margin
    return Verdict(better, f"{'better' if better else 'not better'}: {text}", numbers)


def _on_record(current: Run, task: Task, ours: float) -> Verdict:
    """By what each made of its own validation rows, where neither had but one window of them."""
    facts, windows = current.record.facts, task.windows
    theirs = float(facts["validation"]["model"]["mae"])
    numbers = {"new": ours, "current": theirs, "margin": SEED * theirs, "windows": 0}
    few = 1 + int(apart(windows.validation, windows.horizon).max()) < FEWEST
    if few or facts["windows"]["validation"] <= current.record.horizon:
        return Verdict(False, f"too few rows to compare with version {current.record.version} on", numbers)
    better = ours < (1 - SEED) * theirs
    text = (
        f"mae {ours:.4f} against {theirs:.4f} of version {current.record.version}, each on its own validation rows, "
        f"there being too few that neither has seen (margin {SEED:.0%}, as much as a seed may change)"
    )
    return Verdict(better, f"{'better' if better else 'not better'}: {text}", numbers)


def _forecast(current: Run, task: Task, rows: Index) -> tuple[Numbers, Index]:
    """The current version's forecasts (k, H) in units of the data, and the rows they begin at, as windows count them.

    rows  first rows of targets wanted, as the table counts them; left out where its lookback does not fit in before
    """
    table, record = task.table, current.record
    first = table.offsets[np.searchsorted(table.offsets, rows, side="right") - 1]
    starts = (rows - record.lookback)[rows - record.lookback >= first]
    past = table.without(task.parts.held)
    fitted = current.fitted(past)
    windows = current.windows(table, fitted, starts)
    if not len(windows.validation):
        return np.empty((0, record.horizon)), windows.validation
    judge = Judge.of(table, past, fitted, windows, record.spec.data.season, windows)
    return judge.model(current.judged(windows)), windows.validation + record.lookback
