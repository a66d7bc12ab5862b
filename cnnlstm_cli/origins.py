"""From where a version is judged on data: after the rows that it has seen where enough follow, and not too often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnnlstm_cli.evaluation.cuts import rows_known
from cnnlstm_cli.evaluation.residuals import coprime_stride
from cnnlstm_cli.forecast import Run
from cnnlstm_cli.series.table import Table

MOST_NUMBERS = 1_000_000  # forecast values; of more origins some rows apart are taken


@dataclass(frozen=True)
class Origins:
    """What `backtest` is to begin at.

    start   as it takes it; None for four fifths of the rows
    unseen  whether that was chosen as the last row that has been seen
    stride  rows from one origin to the next
    """

    start: str | int | None
    unseen: bool
    stride: int


def judged_from(runs: Sequence[Run], table: Table, start: str | int | None = None) -> Origins:
    """Where to judge runs on the same rows of a table, which all of them can read.

    start  where the user wants it. Default: after the last row that any of them has seen, where at least a horizon of
           rows follows it

    Raises UsageError or DataError as `backtest` does where no origin is left.
    """
    unseen = _last_seen(runs, table) if start is None else None
    start = unseen if start is None else start
    horizon, targets = max(run.record.horizon for run in runs), len(table.schema.targets)
    origins = np.maximum(table.lengths - horizon + 1 - rows_known(table, start, horizon), 0).sum()
    stride = int(-(-origins * targets * horizon // MOST_NUMBERS))
    seasons = [season for run in runs for season in run.record.spec.data.season]
    return Origins(start, unseen is not None, coprime_stride(stride, seasons) if stride > 1 else 1)


def _last_seen(runs: Sequence[Run], table: Table) -> str | int | None:
    """The last row that any has seen, as `backtest` takes it; None where no horizon of rows follows it."""
    unseen = np.logical_and.reduce([run.unseen(table) for run in runs])
    seen = np.add.reduceat((~unseen).astype(np.int64), table.offsets[:-1])
    if not table.schema.time.dated:  # the series are cut at the same row
        seen = np.full_like(seen, seen.max())
    horizon = max(run.record.horizon for run in runs)
    if not ((seen > 0) & (table.lengths - seen >= horizon)).any():
        return None
    if not table.schema.time.dated:
        return int(seen[0])
    last = max(np.datetime64(run.record.facts["data"]["last_time"]) for run in runs)
    return f"{last}{'+00:00' if table.schema.time.utc else ''}"
