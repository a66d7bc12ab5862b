"""A linear model in closed form: what a network must beat before its layers mean anything.

Each window is brought to mean 0 and deviation 1 of its lookback, one ridge regression (Hoerl and Kennard 1970) maps
the L rows to all H steps, and the forecast is brought back; all series share it (the linear models of Zeng et al. 2023
are its cousins, found by gradient descent).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.series.windows import Index, Windows, evenly

BATCH = 4096
MOST_WINDOWS = 40_000
MOST_PRODUCTS = 4e10  # windows x lookback^2: about a second
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)  # shares of the number of windows, which is a row's own weight
BLOCKS, EVERY = 50, 5  # of 50 stretches of windows every fifth is held out to choose the penalty
FEWEST_TO_CHOOSE = 250
UNCHOSEN = 3e-1
SMALLEST_DEVIATION = 1e-5  # of a window, below which it counts as constant

Scaled = NDArray[np.float32]
Numbers = NDArray[np.float64]


def linear(windows: Windows, weights: Numbers) -> Scaled:
    """Forecasts of `windows.validation`, (m, H, C) scaled, by the linear model of `weights` (L, H)."""
    starts, columns = windows.validation, windows.values.shape[1]
    made = np.empty((len(starts), windows.horizon, columns), dtype=np.float32)
    batch, offsets = max(1, BATCH // columns), np.arange(windows.lookback)
    for first in range(0, len(starts), batch):
        rows = windows.values[starts[first : first + batch, None] + offsets].astype(np.float64).transpose(0, 2, 1)
        mean, deviation = _scale(rows)
        made[first : first + batch] = ((rows - mean) / deviation @ weights * deviation + mean).transpose(0, 2, 1)
    return made


def fit(windows: Windows) -> Numbers:
    """The matrix (L, H) that maps normalised lookbacks to normalised targets, over `windows.training`.

    There is no constant: it would be that of a window's deviation, which has no sign.
    """
    starts = _thinned(windows.training, windows.lookback)
    if len(starts) < FEWEST_TO_CHOOSE:
        return _solved(*_moments(windows, starts), UNCHOSEN)
    blocks = np.array_split(starts, BLOCKS)
    held = np.concatenate(blocks[::EVERY])
    kept = np.concatenate([block for number, block in enumerate(blocks) if number % EVERY])
    some, rest = _moments(windows, kept), _moments(windows, held)
    errors = [_error(windows, held, _solved(*some, penalty)) for penalty in PENALTIES]
    return _solved(some[0] + rest[0], some[1] + rest[1], PENALTIES[int(np.argmin(errors))])


def _thinned(starts: Index, lookback: int) -> Index:
    """Evenly chosen ones where all would take too long."""
    most = int(min(MOST_WINDOWS, max(MOST_PRODUCTS / lookback**2, 2 * lookback)))
    return starts[evenly(len(starts), most)]


def _moments(windows: Windows, starts: Index) -> tuple[Numbers, Numbers]:
    """X'X (L, L) and X'Y (L, H) over the windows at `starts`."""
    squares = np.zeros((windows.lookback, windows.lookback))
    products = np.zeros((windows.lookback, windows.horizon))
    for rows, target, _, _ in _normalised(windows, starts):
        squares += rows.T @ rows
        products += rows.T @ target
    return squares, products


def _solved(squares: Numbers, products: Numbers, penalty: float) -> Numbers:
    """(X'X + penalty n I)^-1 X'Y, where n is what a row of X adds up to."""
    weight = penalty * max(float(np.trace(squares)) / len(squares), 1e-9)
    weights: Numbers = np.linalg.solve(squares + weight * np.eye(len(squares)), products).astype(np.float64)
    return weights


def _error(windows: Windows, starts: Index, weights: Numbers) -> float:
    """Mean absolute error, scaled as the series are."""
    total = [
        np.abs((rows @ weights - target) * deviation).sum()
        for rows, target, _, deviation in _normalised(windows, starts)
    ]
    return float(np.sum(total))


def _normalised(windows: Windows, starts: Index) -> Iterator[tuple[Numbers, Numbers, Numbers, Numbers]]:
    """In batches: lookbacks (B, L) and targets (B, H) of the first column on the lookbacks' scale, mean, deviation."""
    offsets = np.arange(windows.lookback + windows.horizon)
    for first in range(0, len(starts), BATCH):
        rows = windows.values[starts[first : first + BATCH, None] + offsets, 0].astype(np.float64)
        mean, deviation = _scale(rows[:, : windows.lookback])
        scaled = (rows - mean) / deviation
        yield scaled[:, : windows.lookback], scaled[:, windows.lookback :], mean, deviation


def _scale(lookback: Numbers) -> tuple[Numbers, Numbers]:
    """Mean and deviation (..., 1) of lookbacks (..., L)."""
    deviation = np.maximum(lookback.std(axis=-1, keepdims=True), SMALLEST_DEVIATION)
    return lookback.mean(axis=-1, keepdims=True), deviation
