"""Whether a column stays around one level, or wanders off: the test of Kwiatkowski, Phillips, Schmidt and Shin (1992).

Testing the null hypothesis of stationarity against the alternative of a unit root, Journal of Econometrics 54.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Level: TypeAlias = Literal["steady", "perhaps wanders", "wanders"]

CRITICAL = {
    10: 0.347,
    5: 0.463,
    2.5: 0.574,
    1: 0.739,
}  # percent of steady columns that are above; their table 1, eta_mu
FEWEST = 10  # rows
MOST = 1_000  # rows tested; partial sums of more look the same from afar


def kpss(column: Numbers) -> float | None:
    """The statistic eta_mu: the squared partial sums of a column around its mean, over n^2 and its long-run variance.

    column  (rows,) without missing values, its seasons taken off; of more than a thousand rows means of several

    The long-run variance is by Bartlett's weights over 4 (n / 100)^(1/4) lags, the shorter of the paper's two choices:
    the longer one seldom tells a random walk of a hundred rows. None of fewer than ten rows, or of a constant column.
    """
    if len(column) > MOST:
        block = -(-len(column) // MOST)
        column = column[len(column) % block :].reshape(-1, block).mean(axis=1)
    count = len(column)
    if count < FEWEST:
        return None
    rest = column - column.mean()
    lags = min(int(4 * (count / 100) ** 0.25), count - 1)
    squares = float(rest @ rest)
    if squares <= 1e-24 * float(column @ column):  # but rounding
        return None
    products = sum((1 - lag / (lags + 1)) * float(rest[lag:] @ rest[:-lag]) for lag in range(1, lags + 1))
    return float((np.cumsum(rest) ** 2).sum() / count / (squares + 2 * products))


def level(statistic: float) -> Level:
    """In words: steady where one steady column in twenty would be as far off, `wanders` where not one in a hundred."""
    if statistic <= CRITICAL[5]:
        return "steady"
    return "wanders" if statistic > CRITICAL[1] else "perhaps wanders"
