"""Occlusion: what becomes of a forecast when a part of what it was made from is hidden. It asks nothing of the network.

Zeiler and Fergus (2014) hide parts of a picture behind grey and look what the network then says. Grey, here a flat
line at the window's mean, is nothing a network has ever seen in the place of a day or a year; so a segment of the
lookback is put in the place of the same segment of another window instead, as a variable is shuffled to see what it is
worth (Breiman 2001): all that is taken away is what that segment has to do with the forecast. The other's is moved to
the mean and deviation of the window it comes into, without which a series that grows would be given a step.

Shapes: N windows, L lookback, H horizon, C channels, K calendar numbers, S segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.errors import DataError
from cnnlstm_cli.runs.session import BATCH, Session
from cnnlstm_cli.series.windows import Index

Rows = NDArray[np.float32]
Numbers = NDArray[np.float64]

SEGMENTS = 16  # without a season
MOST_SEGMENTS = 32  # of more, several seasons make one


@dataclass(frozen=True, eq=False)
class Occlusion:
    """In deviations of the series.

    segments (S, 2) first row of each, and the row after its last, oldest first
    moved    (S, H) how far the forecast moves when a segment is hidden, the mean of absolute values
    errors   (S,) mean absolute error then
    error    mean absolute error with nothing hidden
    """

    segments: Index
    moved: Numbers
    errors: Numbers
    error: float


def segments(lookback: int, seasons: Sequence[int]) -> Index:
    """(S, 2): a season each, of the shortest that the lookback holds twice, else a sixteenth of it.

    Counted back from the newest row, as the convolution's steps are; the oldest may be shorter.
    """
    season = next((season for season in seasons if 2 * season <= lookback), None)
    length = season or max(1, lookback // SEGMENTS)
    length *= -(-lookback // (length * MOST_SEGMENTS))
    ends = np.arange(lookback, 0, -length)[::-1]
    return np.stack([np.maximum(ends - length, 0), ends], axis=1)


def occlude(session: Session, lookbacks: Rows, calendar: Rows | None, targets: Rows, parts: Index) -> Occlusion:
    """Of a network, over scaled windows (N, L, C), (N, H, K) or None, (N, H, C); each segment of `parts` in turn.

    All channels are hidden together, and every window is given another's, by chance. One batch of windows is copied at
    a time. Raises DataError of a single window, for which there is no other.
    """
    if len(lookbacks) < 2:
        raise DataError("one window alone: there is no other to take rows from. Give more rows.")
    givers = _others(len(lookbacks))
    moved, errors, error = np.zeros((len(parts), targets.shape[1])), np.zeros(len(parts)), 0.0
    for first in range(0, len(lookbacks), BATCH):
        own = slice(first, first + BATCH)
        seen, came, known = lookbacks[own], targets[own], None if calendar is None else calendar[own]
        whole, given = session.run(seen, known), on_scale_of(seen, lookbacks[givers[own]])
        error += float(np.abs(whole - came).mean(axis=(1, 2), dtype=np.float64).sum())
        for place, (start, end) in enumerate(parts):
            hidden = seen.copy()
            hidden[:, start:end] = given[:, start:end]
            made = session.run(hidden, known)
            moved[place] += np.abs(made - whole).mean(axis=2, dtype=np.float64).sum(axis=0)
            errors[place] += np.abs(made - came).mean(axis=(1, 2), dtype=np.float64).sum()
    count = len(lookbacks)
    return Occlusion(parts, moved / count, errors / count, error / count)


def on_scale_of(windows: Rows, others: Rows) -> Rows:
    """Other windows (N, L, C), each channel moved to the mean and deviation it has in `windows`."""
    (mean, deviation), (theirs, spread) = (
        (each.mean(axis=1, keepdims=True), each.std(axis=1, keepdims=True)) for each in (windows, others)
    )
    flat = np.where(spread > 0, spread, 1)
    moved: Rows = (others - theirs) / flat * deviation + mean
    return moved


def _others(count: int) -> Index:
    """(count,) a window for each, and none itself: the next one round a ring in which they stand by chance."""
    ring = np.random.default_rng(0).permutation(count)
    given = np.empty(count, dtype=np.int64)
    given[ring] = np.roll(ring, -1)
    return given
