"""Rows at any times -> one a step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cnnlstm_cli.series.cleaning import Block, Mending
from cnnlstm_cli.series.frequency import Frequency, Times, has_weekends
from cnnlstm_cli.series.zone import to_wall

ENDS = ("ME", "QE", "YE", "BME", "BQE", "BYE", "W")  # steps that are named by their last day, as pandas does
EVEN = 0.5  # of the steps between rows
EMPTY = "steps without a row, their sum taken as 0"
BEGUN = "rows of a first or last step that is there in part, not used"


def resampled(
    block: Block, mended: list[Mending], frequency: Frequency, how: str, wall: Callable[[Times], Times]
) -> tuple[Block, list[Mending]]:
    """One row for each step that has rows: targets by `how` (mean, sum, min, max, last), covariates by their mean.

    Steps of dates begin and end as pandas' `resample` has them. The first and the last step with targets count only
    where the rows reach to within their usual distance of its border. At times that are mostly even an empty step is a
    hole; rows at uneven times are events, and of these an empty step has a sum of 0.

    block  rows by ascending time, those of one time included; `mended` is what was done to get there
    wall   times -> as the clock shows them: on its hours steps begin
    """
    times, label = _steps(block.times, frequency, wall(block.times[:1])[0])
    there = ~np.isnan(block.values).all(axis=1)
    if not there.any():
        return block, mended
    first, last = (int(place) for place in np.flatnonzero(there)[[0, -1]])
    apart = np.diff(block.times[there]).astype(np.int64)
    usual = np.median(apart[apart > 0]) if (apart > 0).any() else 0
    alone = frequency.alias == "B" and not has_weekends(block.times[there])
    start, end = (_border(times[label[place]], frequency, side, alone) for side, place in enumerate((first, last)))
    late = (block.times[first] - start).astype(np.int64) >= max(usual, 1)
    early = (end - block.times[last]).astype(np.int64) > usual
    partial: NDArray[np.bool_] = there & ((late & (label == label[first])) | (early & (label == label[last])))
    if partial[there].all():  # a series as short as that has nothing better
        partial = np.zeros_like(there)
    values = np.where(partial[:, None], np.nan, block.values)
    grouped = pd.DataFrame(values).groupby(label)
    found = grouped.sum(min_count=1) if how == "sum" else grouped.agg(how)
    made = Block(times, found.to_numpy(), pd.DataFrame(block.covariates).groupby(label).mean().to_numpy())
    gone: NDArray[np.bool_] = np.asarray(np.isnan(np.column_stack([made.values, made.covariates])).all(axis=1))
    gone[: label[first] + int(partial[first])] = True
    gone[label[last] + 1 :] = False  # what is told of there is for others to say
    made = made[~gone]
    notes = [Mending(BEGUN, int(partial.sum()), block.times[partial][0])] if partial.any() else []
    if how == "sum" and not _even(block.times[there]):
        made, empty = _zeros(made, frequency)
        notes += empty
    return made, [*mended, *notes]


def on_the_clock(block: Block, mended: list[Mending], zone: str) -> tuple[Block, list[Mending]]:
    """Sorted rows in UTC by the clock of a zone, for steps of days and more; where it is put back it stands still."""
    wall = np.maximum.accumulate(to_wall(block.times, zone))
    timed = [(each, to_wall(np.array([each.first]), zone)[0]) for each in mended if isinstance(each.first, np.generic)]
    others = [each for each in mended if not isinstance(each.first, np.generic)]
    return replace(block, times=wall), [*others, *(replace(each, first=first) for each, first in timed)]


def _steps(times: Times, frequency: Frequency, clock: Any) -> tuple[Times, NDArray[np.int64]]:
    """The times of the steps that have rows, ascending, and which of them each row is in.

    clock  the first time as the clock shows it

    Raises UsageError where there are too many steps from the first to the last.
    """
    frequency.require_few(times[0], times[-1])
    if not frequency.dated:
        size = int(frequency.alias)
        steps, label = np.unique(times // size * size, return_inverse=True)
        return steps, label
    origin: Any = pd.Timestamp(0) - pd.Timedelta(clock - times[0]) if frequency.within_a_day else "start_day"
    rows = pd.Series(np.arange(len(times)), index=pd.DatetimeIndex(times))
    counts = rows.resample(frequency.alias, origin=origin).count()
    label = np.repeat(np.arange(len(counts)), counts.to_numpy())
    kept, label = np.unique(label, return_inverse=True)
    steps = counts.index[kept].to_numpy().astype("datetime64[us]")
    return steps, label


def _border(step: Any, frequency: Frequency, side: int, alone: bool) -> Any:
    """Where a step begins (side 0) or ends (1); `alone`: a Friday has no weekend with rows behind it."""
    if not frequency.dated:
        return np.int64(step + side * int(frequency.alias))
    stamp = pd.Timestamp(step)
    if frequency.alias.lstrip("0123456789").split("-")[0] in ENDS:
        stamp = (stamp if side else stamp - frequency.offset) + pd.Timedelta(days=1)
    elif side:
        stamp = stamp + (pd.Timedelta(days=1) if alone else frequency.offset)
    return np.datetime64(stamp, "us")


def _even(times: Times) -> bool:
    _, counts = np.unique(np.diff(times), return_counts=True)
    return not len(counts) or bool(counts.max() >= EVEN * counts.sum())


def _zeros(block: Block, frequency: Frequency) -> tuple[Block, list[Mending]]:
    """With a row of 0 for each step between the first and the last that has a value."""
    there = np.flatnonzero(~np.isnan(block.values).all(axis=1))
    grid = frequency.grid(block.times[there[0]], block.times[there[-1]])
    empty = grid[~np.isin(grid, block.times)]
    if not len(empty):
        return block, []
    order = np.argsort(np.concatenate([block.times, empty]), kind="stable")
    whole = Block(
        np.concatenate([block.times, empty]),
        np.concatenate([block.values, np.zeros((len(empty), block.values.shape[1]))]),
        np.concatenate([block.covariates, np.full((len(empty), block.covariates.shape[1]), np.nan)]),
    )
    return whole[order], [Mending(EMPTY, len(empty), empty[0])]
