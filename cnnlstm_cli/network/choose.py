"""Which of several forecasts are averaged.

An average is seldom worse than its parts, and which part is best a few validation windows can't say: they overlap, and
come from a few weeks. So all are in it but those that the validation rows speak clearly against.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.series.windows import apart, mean_of_groups

Forecasts = NDArray[np.float32]

DOUBT = 2.0  # standard errors by which an average must be better without a forecast for that to be left out


def chosen(forecasts: Sequence[Forecasts], came: Forecasts, starts: NDArray[np.int64]) -> list[int]:
    """The places of the forecasts, each (m, H, C) as `came`, to average; at least one.

    starts  (m,) first rows of the windows

    One after the other, that without which the mean absolute error is lowest is left out, while the error is lower by
    two standard errors of its difference. Windows whose targets overlap count as one: see `apart`.
    """
    kept = list(range(len(forecasts)))
    groups = apart(starts, came.shape[1])
    total = np.sum(forecasts, axis=0)
    while len(kept) > 1:
        gains = [_gain(total / len(kept), (total - forecasts[place]) / (len(kept) - 1), came, groups) for place in kept]
        clear = [(gain, place) for (gain, error), place in zip(gains, kept, strict=True) if gain > DOUBT * error]
        if not clear:
            break
        worst = max(clear)[1]
        kept.remove(worst)
        total = total - forecasts[worst]
    return kept


def _gain(with_it: Forecasts, without: Forecasts, came: Forecasts, groups: NDArray[np.int64]) -> tuple[float, float]:
    """How much lower the mean absolute error is without it, and the standard error of that; infinite of one group."""
    difference = (np.abs(with_it - came) - np.abs(without - came)).mean(axis=(1, 2), dtype=np.float64)
    return mean_of_groups(difference, groups)
