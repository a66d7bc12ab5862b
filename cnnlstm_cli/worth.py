"""What the covariates of a version are worth: how much its error grows when one of them is shuffled (Breiman 2001)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cnnlstm_cli.planning import Task
from cnnlstm_cli.runs.session import Session
from cnnlstm_cli.series.windows import Windows, evenly

MOST_WINDOWS = 2_000


def worth(network: bytes, task: Task) -> dict[str, dict[str, float]]:
    """Of each covariate {"mae": the error on the validation windows, "shuffled": that with its rows in any order}.

    In deviations. The network that is judged is the one that is published: where it was trained anew on all rows, it
    has seen these.
    """
    windows, widths = task.fitting(task.windows), task.table.schema.widths
    calendar = windows.calendar
    if not widths or calendar is None:
        return {}
    chosen = replace(windows, validation=windows.validation[evenly(len(windows.validation), MOST_WINDOWS)])
    session = Session(network)
    order, whole = np.arange(len(calendar.covariates)), np.flatnonzero(~np.isnan(calendar.covariates).any(axis=1))
    order[whole] = np.random.default_rng(0).permutation(whole)  # a hole stays where no window needs it
    mae, end, found = _mae(session, chosen), 0, {}
    for name, width in widths.items():
        covariates = calendar.covariates.copy()
        own, end = slice(end, end + width), end + width
        covariates[:, own] = covariates[order, own]
        shuffled = replace(chosen, calendar=replace(calendar, covariates=covariates))
        found[name] = {"mae": mae, "shuffled": _mae(session, shuffled)}
    return found


def _mae(session: Session, windows: Windows) -> float:
    came = windows.came(windows.validation).transpose(2, 0, 1).reshape(-1, windows.horizon)
    return float(np.abs(session.validate(windows) - came).mean())
