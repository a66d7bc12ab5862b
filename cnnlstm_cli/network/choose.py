"""Which of several forecasts are averaged, and with what weights.

An average is seldom worse than its parts, and which part is best a few validation windows can't say: they overlap, and
come from a few weeks. So all are in it but those that the validation rows speak clearly against; and the more of these
rows do not overlap, the nearer its weights come to those that are best on them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.series.windows import apart, mean_of_groups

Forecasts = NDArray[np.float32]

BELIEVED = 20  # groups of windows by which the best weights count as much as equal ones
PICKS = 20  # of forecasts, one after the other: a weight is a multiple of a twentieth, before it is drawn to equal ones
LEAST = 0.15  # of an equal weight: what has less is not worth the time to train and forecast with it
DOUBT = 2.0  # standard errors by which an average must be better without a forecast for that to be left out


def weighed(forecasts: Sequence[Forecasts], came: Forecasts, starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The weight of each of the forecasts, (k,), in an average: none is negative, and they are 1 together.

    starts  (m,) first rows of the windows

    Between equal weights of those that are `chosen` and the `best`, by how many windows that do not overlap there are.
    """
    groups = int(apart(starts, came.shape[1]).max()) + 1
    trust = groups / (groups + BELIEVED)
    equal = np.zeros(len(forecasts))
    equal[chosen(forecasts, came, starts)] = 1.0
    weights = trust * best(forecasts, came) + (1 - trust) * equal / equal.sum()
    weights[weights < LEAST / len(weights)] = 0.0
    found: NDArray[np.float64] = weights / weights.sum()
    return found


def best(forecasts: Sequence[Forecasts], came: Forecasts) -> NDArray[np.float64]:
    """The weights (k,) with which the mean absolute error is least, about: by picking, again and again, the forecast
    that the mean of those picked is best with (Caruana et al. 2004)."""
    counts, total = np.zeros(len(forecasts)), np.zeros_like(came)
    for picked in range(1, PICKS + 1):
        errors = [float(np.abs((total + each) / picked - came).mean()) for each in forecasts]
        place = int(np.argmin(errors))
        counts[place] += 1
        total = total + forecasts[place]
    return counts / PICKS


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
