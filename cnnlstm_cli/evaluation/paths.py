"""Sample paths: what may come, as whole courses rather than step by step, for sums and the like over the horizon.

Errors of one step go on into the next. So those of a whole window in the validation rows are kept together, all steps
and targets, measured as `evaluation.conformal` does; a path is the forecast and one such window's errors.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.evaluation.conformal import WIDEST
from cnnlstm_cli.series.windows import evenly

Numbers = NDArray[np.floating]
Index = NDArray[np.int64]

MOST_WINDOWS, MOST_NUMBERS = 1_000, 2_000_000  # that are kept


def whole_windows(measured: Numbers, column: Index, row: Index) -> NDArray[np.float32]:
    """(m, H) measured errors of the windows of one column each -> (n, H, columns) of rows that have all of them.

    Those with a hole are left out; evenly chosen ones of very many.

    column  (m,) which column a window is of, 0 .. columns - 1
    row     (m,) where it begins, the same for windows of other columns beside it
    """
    rows, place = np.unique(row, return_inverse=True)
    together = np.full((len(rows), measured.shape[1], int(column.max()) + 1), np.nan, dtype=np.float32)
    together[place, :, column] = measured
    whole = np.flatnonzero(~np.isnan(together).any(axis=(1, 2)))
    most = min(MOST_WINDOWS, max(1, MOST_NUMBERS // together[0].size))
    return together[whole[evenly(len(whole), most)]]


def windows_of(content: bytes, horizon: int, columns: int) -> NDArray[np.float32]:
    """The same read from a file of NumPy's. Raises ValueError when they are none, or none at all."""
    try:
        found: NDArray[np.float32] = np.load(io.BytesIO(content), allow_pickle=False)
    except Exception as error:  # noqa: BLE001 - of a header that is none as many kinds as Python's grammar has
        raise ValueError(f"it holds no errors: {error}") from None
    if found.dtype != np.float32 or found.shape[1:] != (horizon, columns):
        raise ValueError("it has not as many numbers as steps and targets")
    if not (np.abs(found) < WIDEST).all():
        raise ValueError("it has a number that is no error")
    if not len(found):
        raise ValueError("there are no errors to draw from: each validation window had a hole")
    return found


def drawn(windows: Numbers, unit: Numbers, paths: int, seed: int) -> NDArray[np.float64]:
    """(n, H, columns) measured errors -> (paths, series, h, columns) errors; each series draws its own windows.

    unit  (series, h, columns) by which they are measured; h of the H steps
    """
    random = np.random.default_rng(seed)
    chosen = random.integers(0, len(windows), (paths, len(unit)))
    return windows[:, : unit.shape[1]].astype(np.float64)[chosen] * unit
