"""Windows over series, by index: nothing is copied out, so memory does not grow with the lookback.

A window is named by its first row `s` in one flat array of rows: rows s .. s+L-1 are its lookback, rows s+L .. s+L+H-1
its target, with no gap between them. Letters: L lookback, H horizon, C channels.

    ..................vvvvvvvv.......................vvvvvvvv    rows; v: held out for validation
    [lookback][target]                                           training window: no row of its target is held out
                        [lookback][target]                       another: what it looks back on may be
                                       [lookback][target]        validation window: all of its target is held out
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.errors import DataError
from cnnlstm_cli.series.calendar import Calendar
from cnnlstm_cli.series.scaler import Scaler
from cnnlstm_cli.series.table import Table
from cnnlstm_cli.specs import MANY_WINDOWS

Index = NDArray[np.int64]

VALIDATION_SHARE = 0.2
ENOUGH = 20_000  # rows held out, of all series together
MOST_BLOCKS = 8  # of validation rows, so that every part of a year, and of a drift, has a say
HORIZONS_A_BLOCK = 2  # at least: around a block some H - 1 training windows are lost on either side
FEWEST_WINDOWS = 8  # batch normalisation and a validation loss mean little with fewer
MOST_VALIDATION_WINDOWS = 10_000  # more only cost time: the error of their mean loss is already below a percent
SEASONS_SEEN = 14  # how many seasons the network looks back: two weeks of days, enough for a weekly rhythm
LONGEST_LOOKBACK = 2_016  # rows; of longer seasons two are enough, or training takes too long
HORIZONS_SEEN = 8  # without a season: how many horizons
LARGEST_SHARE = 3  # the lookback takes at most a third of the rows of a series, so that windows remain


@dataclass(frozen=True, eq=False)
class Windows:
    """What a network is trained on.

    values      (rows, C) float32, scaled, series one after the other, no missing value inside any window
    lookback    L
    horizon     H
    training    (n,) int64, first rows of the training windows
    validation  (m,) int64, first rows of the windows that are judged
    calendar    of the table's rows; columns that are stacked one after the other share it. None when there is none
    """

    values: NDArray[np.float32]
    lookback: int
    horizon: int
    training: Index
    validation: Index
    calendar: Calendar | None = None

    def came(self, starts: Index) -> NDArray[np.float32]:
        """The targets of windows by their first rows, (n, H, C)."""
        found: NDArray[np.float32] = self.values[starts[:, None] + self.lookback + np.arange(self.horizon)]
        return found


@dataclass(frozen=True)
class Split:
    """Which rows are trained on, and which are held out to choose on.

    lengths  (series,) rows of each series
    held     (rows,) whether a row is held out, series one after the other
    """

    lengths: Index
    held: NDArray[np.bool_]

    @classmethod
    def nothing_held(cls, lengths: Index) -> Split:
        """Every row is trained on."""
        return cls(lengths, np.zeros(int(lengths.sum()), dtype=bool))

    @property
    def training(self) -> Index:
        """Rows of each series that are trained on, (series,)."""
        before = np.append(0, np.cumsum(self.held))
        ends = np.cumsum(self.lengths)
        kept: Index = self.lengths - (before[ends] - before[ends - self.lengths])
        return kept

    def rows(self) -> tuple[int, int]:
        """(training rows, validation rows) over all series."""
        held = int(self.held.sum())
        return len(self.held) - held, held


def split(lengths: Index, horizon: int, validation: float | None) -> Split:
    """The rows of each series that are held out: the newest so many, or a share of them, but at least a horizon.

    By default (None) a fifth, or as much less as is enough to choose by over all series: rows held out are missed in
    training, and a network that was trained on much less than it will be is best after fewer epochs. Of a long series
    not the newest alone: blocks, evenly over all rows but the oldest third, which a lookback may take, the last of them
    at the end. The newest rows alone know one part of the year and one level. (Bergmeir and Benitez 2012 on blocks for
    validating time series.)
    """
    held = np.zeros(int(lengths.sum()), dtype=bool)
    for start, rows in zip(np.cumsum(lengths) - lengths, lengths, strict=True):
        wanted = _held_out(rows, len(lengths), horizon, validation)
        blocks = int(np.clip(wanted // (HORIZONS_A_BLOCK * horizon), 1, MOST_BLOCKS)) if validation is None else 1
        for number in range(blocks):
            end = start + rows - number * (rows - rows // LARGEST_SHARE) // blocks
            held[end - wanted // blocks : end] = True
    return Split(lengths, held)


def _held_out(rows: int, series: int, horizon: int, validation: float | None) -> int:
    """How many of the rows of one of so many series."""
    share = min(VALIDATION_SHARE, ENOUGH / series / rows) if validation is None else validation
    return min(rows, max(int(share) if share >= 1 else round(rows * share), horizon))


def default_lookback(parts: Split, horizon: int, seasons: Sequence[int], columns: int = 1) -> int:
    """Fourteen of the shortest season, or eight horizons without one, as far as the training rows allow.

    A third of them, of the series that the median row is in; a half where that leaves many windows. Whole seasons, so
    that the convolution's steps fall on the same phase.
    """
    rows = _typical(parts)
    room = rows // LARGEST_SHARE
    if columns * count_windows(parts, rows // 2, horizon) >= MANY_WINDOWS:
        room = rows // 2
    season = next((season for season in seasons if 2 * season <= room), None)
    if season is None:
        return max(1, min(HORIZONS_SEEN * horizon, room))
    wanted = min(SEASONS_SEEN, max(2, LONGEST_LOOKBACK // season))
    return min(wanted, room // season) * season


def feasible_horizon(lengths: Index, usual: int, lookback: int | None = None, validation: float | None = None) -> int:
    """The usual horizon, or the longest with which the longest series has windows enough to learn from.

    With the lookback and the rows for validation that are asked for, or that it would be given; with none, 1.
    """
    rows = int(lengths.max())
    for horizon in range(usual, 0, -1):
        held = _held_out(rows, len(lengths), horizon, validation)
        if (lookback or (rows - held) // LARGEST_SHARE) + horizon + held + FEWEST_WINDOWS - 1 <= rows:
            return horizon
    return 1


def longest_lookback(parts: Split) -> int:
    """Rows of the longest lookback that is worth trying."""
    return max(1, min(LONGEST_LOOKBACK, _typical(parts) // LARGEST_SHARE))


def _typical(parts: Split) -> int:
    """The training rows of the series that the median row is in."""
    lengths = np.sort(parts.training)
    return int(lengths[np.searchsorted(np.cumsum(lengths), lengths.sum() / 2)])


def count_windows(parts: Split, lookback: int, horizon: int) -> int:
    """How many windows all rows of a column hold, whether held out or not."""
    return int(np.maximum(parts.lengths - lookback - horizon + 1, 0).sum())


def default_kernel(lookback: int, seasons: Sequence[int]) -> int:
    """Rows a convolution step covers: the shortest season that the lookback holds twice, else a fourteenth of it."""
    season = next((season for season in seasons if 2 * season <= lookback), None)
    return season or max(1, lookback // SEASONS_SEEN)


def scalers(table: Table, past: Table, lower: float | None = None) -> list[Scaler]:
    """One scaler a series, fitted on its rows in `past`, those that may be learnt from; `lower` as in `Scaler.fit`.

    A column that has none there, as of a series too short to train on, is scaled by the rows it has.
    """
    spans = zip(table.offsets, table.offsets[1:], strict=False)
    made = []
    for start, end in spans:
        known, rows = past.values[start:end], table.values[start:end]
        made.append(Scaler.fit(np.where(np.isnan(known).all(axis=0), rows, known), lower))
    return made


def make_windows(
    table: Table,
    past: Table,
    parts: Split,
    fitted: Sequence[Scaler],
    lookback: int,
    horizon: int,
    *,
    joint: bool = False,
    calendar: Calendar | None = None,
) -> Windows:
    """The windows of a table, each column stacked as a series of its own: C is 1, and all share the network's weights.

    past      the table without what `parts` holds out
    joint     only windows that are whole in every column, column by column in the same order, for `joined`
    calendar  of the table's rows, which the windows carry

    Raises DataError, saying how many rows are needed, when no series is long enough.
    """
    training = training_starts(table, parts, lookback, horizon)
    validation = validation_starts(table, parts, lookback, horizon)
    windows = lay(table, fitted, training, validation, lookback, horizon, joint=joint, calendar=calendar, past=past)
    if len(windows.training) < FEWEST_WINDOWS or not len(windows.validation):
        raise DataError(_too_few(table, parts, lookback, horizon))
    return replace(windows, validation=_thinned(windows.validation, table.values.shape[1] if joint else 1))


def lay(
    table: Table,
    fitted: Sequence[Scaler],
    training: Index,
    validation: Index,
    lookback: int,
    horizon: int,
    *,
    joint: bool = False,
    calendar: Calendar | None = None,
    past: Table | None = None,
) -> Windows:
    """Windows that begin at those rows of the table, in every column that is whole there; see `make_windows`.

    None looks back on a newest row that was filled: it would lean on the first row of the target, and predicting never
    begins at one. With `past`, the table without what is held out, targets trained on are whole in that.
    """
    columns = table.values.shape[1]
    scaled = np.empty((columns, len(table.values)), dtype=np.float32)
    for scaler, start, end in zip(fitted, table.offsets, table.offsets[1:], strict=False):
        scaled[:, start:end] = scaler.transform(table.values[start:end]).T
    shift = np.arange(columns)[:, None] * len(table.values)
    whole = _whole(scaled, lookback + horizon)
    learnable = np.ones_like(whole) if past is None else _whole(past.values.T, horizon)
    told: NDArray[np.bool_] = np.asarray(
        _whole(table.covariates[:, table.schema.columns_of("known")].T, horizon).all(axis=0)
    )
    flat = []
    for starts, targets in ((training, learnable), (validation, np.ones_like(whole))):
        good: NDArray[np.bool_] = whole[:, starts] & table.observed[starts + lookback - 1].T
        good = good & targets[:, starts + lookback] & told[starts + lookback]
        if joint:
            good = np.broadcast_to(good.all(axis=0), good.shape)
        flat.append((shift + starts)[good])
    return Windows(scaled.reshape(-1, 1), lookback, horizon, flat[0], flat[1], calendar)


def joined(stacked: Windows, columns: int) -> Windows:
    """The same windows with the columns side by side, C of them, made of those that `make_windows` stacked jointly."""
    side_by_side = np.ascontiguousarray(stacked.values.reshape(columns, -1).T)
    training, validation = (starts[: len(starts) // columns] for starts in (stacked.training, stacked.validation))
    return replace(stacked, values=side_by_side, training=training, validation=validation)


def _thinned(starts: Index, columns: int) -> Index:
    """Evenly chosen ones where there are too many, the same of each of the columns they are stacked in."""
    most = max(1, MOST_VALIDATION_WINDOWS // columns)
    each: Index = starts.reshape(columns, -1)
    chosen: Index = each[:, evenly(each.shape[1], most)].ravel()
    return chosen


def evenly(count: int, most: int) -> Index:
    """Places among `count` of them, from the first to the last: all, or `most` that lie evenly."""
    return np.linspace(0, count - 1, min(count, most)).astype(np.int64)


def training_starts(table: Table, parts: Split, lookback: int, horizon: int) -> Index:
    """First rows of the windows whose target holds no row that is held out, over all series."""
    starts, held = _starts(table, parts, lookback, horizon)
    trained: Index = starts[held == 0]
    return trained


def validation_starts(table: Table, parts: Split, lookback: int, horizon: int) -> Index:
    """First rows of the windows whose whole target is held out."""
    starts, held = _starts(table, parts, lookback, horizon)
    judged: Index = starts[held == horizon]
    return judged


def _starts(table: Table, parts: Split, lookback: int, horizon: int) -> tuple[Index, Index]:
    """First rows of all windows that lie in one series, and how many rows of their targets are held out."""
    last = table.offsets[1:] - lookback - horizon
    starts = np.concatenate(
        [np.arange(start, end + 1, dtype=np.int64) for start, end in zip(table.offsets, last, strict=False)]
    )
    before = np.append(0, np.cumsum(parts.held))
    return starts, before[starts + lookback + horizon] - before[starts + lookback]


def apart(starts: Index, horizon: int) -> Index:
    """(m,) numbers of groups of windows: those that follow each other closer than a horizon, cut every horizon."""
    order = np.argsort(starts, kind="stable")
    rows = starts[order]
    fresh = np.append(True, np.diff(rows) >= horizon)
    run = np.cumsum(fresh) - 1
    part = (rows - rows[fresh][run]) // horizon
    opened = np.append(True, (np.diff(run) > 0) | (np.diff(part) > 0))
    groups = np.empty(len(rows), dtype=np.int64)
    groups[order] = np.cumsum(opened) - 1
    return groups


def mean_of_groups(values: NDArray[np.floating], groups: Index) -> tuple[float, float]:
    """The mean of values (N,), and its standard error, by groups (N,) that count as one each; infinite of one group."""
    means = np.bincount(groups, values) / np.bincount(groups)
    error = float(means.std(ddof=1) / np.sqrt(len(means))) if len(means) > 1 else float("inf")
    return float(values.mean(dtype=np.float64)), error


def lookback_of(rows: NDArray[np.float64], lookback: int, seasons: Sequence[int]) -> NDArray[np.float64]:
    """The newest `lookback` rows of a series (n, C); a shorter one is continued backwards: (lookback, C).

    By its first season, in phase, the longest of `seasons` that it holds once; without one by its first row. A constant
    in the place of a season would be a pattern that the network has never seen.
    """
    missing = lookback - len(rows)
    if missing <= 0:
        return rows[-lookback:]
    season = max((season for season in seasons if season <= len(rows)), default=1)
    return np.concatenate([rows[np.arange(-missing, 0) % season], rows])


def _whole(columns: NDArray[np.floating], size: int) -> NDArray[np.bool_]:
    """For each row of the columns, (columns, rows), whether the `size` rows from it on hold no missing value."""
    missing = np.isnan(columns)
    before = np.concatenate([np.zeros((len(missing), 1), dtype=np.int64), np.cumsum(missing, axis=1)], axis=1)
    whole = np.zeros(missing.shape, dtype=bool)
    if size <= missing.shape[1]:
        whole[:, : missing.shape[1] - size + 1] = before[:, size:] == before[:, : before.shape[1] - size]
    return whole


def _too_few(table: Table, parts: Split, lookback: int, horizon: int) -> str:
    place = int(table.lengths.argmax())
    longest = int(table.lengths[place])
    held = parts.held[table.offsets[place] : table.offsets[place + 1]]
    newest = max(int(np.argmin(held[::-1])) or len(held), horizon)  # rows of the last block, if there were enough
    needed = newest + lookback + horizon + FEWEST_WINDOWS - 1
    series = "" if len(table.ids) == 1 else f" in the longest of {len(table.ids)} series"
    if longest >= needed:
        return (
            f"{table.name}: the gaps leave too few windows of {lookback + horizon} rows without a hole. "
            "Fill the gaps, or use a shorter --lookback."
        )
    smaller = "smaller --validation, or a " if newest > horizon and 2 * newest > longest else ""
    least = "at least" if newest >= held.sum() else "about"
    return (
        f"{table.name} has {longest} rows{series}; a lookback of {lookback} and a horizon of {horizon} need {least} "
        f"{needed} ({newest} of them for validation). Give more rows, or a {smaller}shorter --horizon or --lookback."
    )
