"""Rows as they came -> rows on an even grid of times. Whatever is mended is counted and its first place kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cnnlstm_cli.series.frequency import Frequency, Times

Numbers = NDArray[np.float64]
SHORTEST_LIMIT = 3
ON_GRID = 0.9
MOST_SPARSE = 20
OFF_STEP = "rows off the step, dropped"
UNOBSERVED = "rows at the end without any target, not used"


@dataclass(frozen=True)
class Mending:
    """One kind of mending: what it was, how many rows or cells, and where first.

    first  a time, the line of a row that has none, or None where it is the whole file
    """

    what: str
    count: int
    first: np.generic | str | None = None


@dataclass(frozen=True)
class Block:
    """One series: (rows,) ascending times, (rows, targets) values, and (rows, K) numbers of covariates."""

    times: Times
    values: Numbers
    covariates: Numbers

    def __getitem__(self, rows: Any) -> Block:
        """Some of the rows."""
        return Block(self.times[rows], self.values[rows], self.covariates[rows])


def gap_limit(frequency: Frequency) -> int:
    """The longest gap, in rows, that is filled by a straight line: a quarter of the shortest season, at least 3."""
    return max([SHORTEST_LIMIT, *(season // 4 for season in frequency.suggested_seasons()[:1])])


def by_time(block: Block) -> tuple[Block, list[Mending]]:
    """Rows by ascending time: newest-first files are turned, others sorted."""
    mended = []
    steps = np.diff(block.times).astype(np.int64)
    if (steps < 0).any():
        turned = bool((steps <= 0).all())
        order = np.arange(len(block.times))[::-1] if turned else np.argsort(block.times, kind="stable")
        count = len(block.times) if turned else int((steps < 0).sum())
        first = None if turned else block.times[1:][steps < 0][0]
        mended.append(Mending("rows newest first, turned" if turned else "rows out of order, sorted", count, first))
        block = block[order]
    return block, mended


def in_order(block: Block, doubled: str = "last") -> tuple[Block, list[Mending]]:
    """Rows by ascending time, one each.

    doubled  of rows of one time the `last` stays, or their `mean` or `sum`, of the cells that are filled
    """
    block, mended = by_time(block)
    if (block.times[1:] == block.times[:-1]).any():  # an empty row never takes the place of a filled one
        order = np.lexsort((~np.isnan(block.values).all(axis=1), block.times))
        block = block[order]
    again = np.append(block.times[1:] == block.times[:-1], [False])
    if again.any():
        what = "the last row kept" if doubled == "last" else f"their {doubled} taken"
        mended.append(Mending(f"doubled stamps, {what}", int(again.sum()), block.times[again][0]))
        block = block[~again] if doubled == "last" else _merged(block, again, doubled)
    return block, mended


def _merged(block: Block, again: NDArray[np.bool_], how: str) -> Block:
    """Rows of one time as one; covariates, which are no amounts, by their mean. `again`: the next has the same time."""
    group = np.append(0, np.cumsum(~again)[:-1])
    values, covariates = (pd.DataFrame(columns).groupby(group) for columns in (block.values, block.covariates))
    amounts = values.mean() if how == "mean" else values.sum(min_count=1)
    return Block(block.times[~again], amounts.to_numpy(), covariates.mean().to_numpy())


def observed(block: Block, known: Sequence[int]) -> tuple[Block, Block, list[Mending]]:
    """Without the rows at the end in which every target is empty, and these: they announce a time, or covariates.

    known  the columns of covariates that are known ahead
    """
    filled = np.flatnonzero(~np.isnan(block.values).all(axis=1))
    end = int(filled[-1]) + 1 if len(filled) else len(block.times)
    ahead = block[end:]
    idle = np.isnan(ahead.covariates[:, known]).all(axis=1)
    mended = [Mending(UNOBSERVED, int(idle.sum()), ahead.times[idle][0])] if idle.any() else []
    return block[:end], ahead[~idle], mended


def sparse(block: Block) -> bool:
    """Whether the rows are but a twentieth of those that their commonest step would make from the first to the last."""
    steps = np.diff(block.times).astype(np.int64)
    steps = steps[steps > 0]
    if not len(steps):
        return False
    whole = int(steps.sum()) // int(np.median(steps))
    return whole > MOST_SPARSE * len(block.times) + 1000


def follows(block: Block, frequency: Frequency) -> bool:
    """Whether rows lie on the grid of a frequency (nine in ten, the newest too), mostly one time after the other."""
    grid = frequency.grid(block.times[0], block.times[-1])
    on = grid[np.searchsorted(grid, block.times).clip(max=len(grid) - 1)] == block.times
    steps = np.diff(np.searchsorted(grid, block.times[on]))
    single = not len(steps) or np.bincount(steps).argmax() == 1
    return bool(on.mean() >= ON_GRID and on[-1] and single)


def on_grid(block: Block, frequency: Frequency) -> tuple[Block, list[Mending]]:
    """Every time of the frequency from the first row to the last; rows that were not there are NaN.

    Rows between two times of the grid are dropped and counted.
    """
    grid = frequency.grid(block.times[0], block.times[-1])
    mended = []
    place = np.searchsorted(grid, block.times)
    fits = place < len(grid)
    fits[fits] = grid[place[fits]] == block.times[fits]
    if not fits.all():
        mended.append(Mending(OFF_STEP, int((~fits).sum()), block.times[~fits][0]))
    values, covariates = (np.full((len(grid), each.shape[1]), np.nan) for each in (block.values, block.covariates))
    values[place[fits]], covariates[place[fits]] = block.values[fits], block.covariates[fits]
    missing = np.ones(len(grid), dtype=bool)
    missing[place[fits]] = False
    if missing.any():
        mended.append(Mending("missing rows", int(missing.sum()), grid[missing][0]))
    return Block(grid, values, covariates), mended


def without_gaps(block: Block, limit: int | None) -> tuple[Block, list[Mending]]:
    """Gaps inside a column of up to `limit` rows are filled by a straight line (None: of any length, ends held level).

    Longer ones stay NaN: no window is laid over them.
    """
    mended, whole = [], []
    for kind, columns in (("values", block.values), ("covariates", block.covariates)):
        infinite = np.isinf(columns)
        values = np.where(infinite, np.nan, columns)
        gone = np.isnan(values)
        line = np.column_stack([filled(column, limit) for column in values.T]) if gone.any() else values
        whole.append(line)
        for what, cells in (
            (f"infinite {kind}, taken as missing", infinite),
            (f"missing {kind}, filled by a straight line", gone & ~np.isnan(line)),
            (f"missing {kind} in long gaps, left out", np.isnan(line)),
        ):
            if cells.any():
                mended.append(Mending(what, int(cells.sum()), block.times[cells.any(axis=1)][0]))
    return Block(block.times, *whole), mended


def filled(column: Numbers, limit: int | None) -> Numbers:
    """(rows,): gaps of up to `limit` rows inside a column by a straight line; None: of any length, ends held level."""
    gone = np.isnan(column)
    known = np.flatnonzero(~gone)
    if not len(known) or not gone.any():
        return column
    line: Numbers = np.interp(np.arange(len(column)), known, column[known])
    if limit is None:
        return line
    # how far apart the known rows around each row are, less one: the length of its gap
    after = np.searchsorted(known, np.arange(len(column)))
    inside = (after > 0) & (after < len(known))
    length = np.full(len(column), limit + 1)  # at either end there is no line to draw
    length[inside] = known[after[inside]] - known[after[inside] - 1] - 1
    return np.where(gone & (length > limit), np.nan, line)


def total(mendings: list[Mending]) -> tuple[Mending, ...]:
    """The same kinds of mending of many series added up; the first place is that of the first series that has one."""
    summed: dict[str, Mending] = {}
    for each in mendings:
        before = summed.get(each.what)
        summed[each.what] = Mending(each.what, each.count + before.count, before.first) if before else each
    return tuple(summed.values())
