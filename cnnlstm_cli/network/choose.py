"""With what weights several forecasts are averaged.

An average is seldom worse than its parts, and which weights are best a few validation windows can't say: they overlap,
and come from a few weeks. What they do say is that a forecast whose error is twice another's is the worse one. So
weights fall with the error, and the more of these rows do not overlap, the nearer they come to those that are best.

Among the best are those that learn alone: trained anew on all rows they will be better than they were here, and what
naive forecasts seem to add to them is then not there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.series.windows import apart

Forecasts = NDArray[np.float32]

BELIEVED = 20  # groups of windows by which the best weights count as much as those by the errors
PICKS = 20  # of forecasts, one after the other: a best weight is a multiple of a twentieth
POWER = 4  # of 1 / error: 2 is right for errors that have nothing to do with each other (Bates and Granger 1969)
SMALLEST_ERROR = 1e-6  # deviations: below it is float32's rounding
LEAST = 0.15  # of an equal weight: what has less is not worth the time to train and forecast with it


def weighed(
    learnt: Sequence[Forecasts], naive: Sequence[Forecasts], came: Forecasts, starts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The weight of each forecast, first of those that learn, (k,), in an average: none is negative; together 1.

    starts  (m,) first rows of the windows

    Between those `by_error` of all and the `best` of those that learn, by how many windows that do not overlap there
    are.
    """
    groups = int(apart(starts, came.shape[1]).max()) + 1
    trust = groups / (groups + BELIEVED)
    weights = (1 - trust) * by_error([*learnt, *naive], came)
    weights[: len(learnt)] += trust * best(learnt, came)
    weights[weights < LEAST / len(weights)] = 0.0
    found: NDArray[np.float64] = weights / weights.sum()
    return found


def by_error(forecasts: Sequence[Forecasts], came: Forecasts) -> NDArray[np.float64]:
    """Weights (k,) as the mean absolute errors to the power of -`POWER`."""
    errors = np.maximum([np.abs(each - came).mean(dtype=np.float64) for each in forecasts], SMALLEST_ERROR)
    shares = (errors / errors.min()) ** -POWER
    weights: NDArray[np.float64] = shares / shares.sum()
    return weights


def best(forecasts: Sequence[Forecasts], came: Forecasts, most: int | None = None) -> NDArray[np.float64]:
    """The weights (k,) with which the mean absolute error is least, about: by picking, again and again, the forecast
    that the mean of those picked is best with (Caruana et al. 2004).

    most  forecasts that have a weight; None: all may
    """
    counts, total = np.zeros(len(forecasts)), np.zeros_like(came)
    for picked in range(1, PICKS + 1):
        full = most is not None and np.count_nonzero(counts) >= most
        allowed = [place for place in range(len(forecasts)) if counts[place] or not full]
        errors = [float(np.abs((total + forecasts[place]) / picked - came).mean()) for place in allowed]
        place = allowed[int(np.argmin(errors))]
        counts[place] += 1
        total = total + forecasts[place]
    return counts / PICKS
