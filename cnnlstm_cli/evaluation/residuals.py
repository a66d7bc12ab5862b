"""What forecasts leave unexplained: how their errors are distributed, whether they repeat, and where they are large.

A residual is what came less the forecast: above 0 where more came than was expected. NaN where nothing came.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.evaluation.scores import Pairs

Numbers = NDArray[np.float64]
Index = NDArray[np.int64]

MOST_BINS = 40
TAIL = 0.005  # of the residuals at either end lie in the outermost bins, or a few would leave all others in one bar
BAND = 1.96  # deviations within which 95 of 100 correlations of white noise lie


def histogram(residuals: Numbers) -> tuple[Numbers, Index]:
    """(bins + 1,) edges in units of the residuals, and (bins,) counts, which add up to all that are known.

    The outermost bins hold what lies beyond them as well. There are 2 n^(1/3) of them (Rice's rule), at most 40.
    """
    known = residuals[~np.isnan(residuals)]
    bins = min(MOST_BINS, int(np.ceil(2 * len(known) ** (1 / 3))))
    low, high = np.quantile(known, [TAIL, 1 - TAIL])
    counts, edges = np.histogram(np.clip(known, low, high), bins=bins)
    return edges, counts.astype(np.int64)


def grouped(errors: Numbers, groups: Index, count: int) -> tuple[Numbers, Index]:
    """The mean of errors in each of `count` groups, NaN where one has none; and how many it has. Both (count,).

    groups  of the shape of `errors`, 0 .. count - 1
    """
    known = ~np.isnan(errors)
    counts = np.bincount(groups[known], minlength=count)
    sums = np.bincount(groups[known], errors[known], minlength=count)
    return np.divide(sums, counts, out=np.full(count, np.nan), where=counts > 0), counts


def autocorrelation(residuals: Numbers, offsets: Index, lags: Index) -> tuple[Numbers, float]:
    """The correlation of residuals with those `lags` rows before, (lags,), and the band that white noise stays in.

    residuals  (rows, columns) in deviations, of series one after the other; each is centred by itself
    offsets    (series + 1,) where the series begin

    Of all series together, and the usual estimator: sums of products over the sum of squares (Box and Jenkins 1970,
    where NaN counts as 0). The band is 1.96 / sqrt(n), two-sided, of 95 %.
    """
    gap = int(lags.max())  # zeros between series, so that none is correlated with another
    starts = offsets[:-1] + gap * np.arange(len(offsets) - 1)
    apart = np.zeros((int(offsets[-1]) + gap * (len(offsets) - 1), residuals.shape[1]))
    for start, first, end in zip(starts, offsets, offsets[1:], strict=False):
        rows = residuals[first:end]
        known = ~np.isnan(rows)
        mean = np.where(known, rows, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        apart[start : start + end - first] = np.where(known, rows - mean, 0)
    squares = float((apart**2).sum())
    products = np.array([float((apart[lag:] * apart[:-lag]).sum()) for lag in lags])
    count = int((~np.isnan(residuals)).sum())
    return products / squares if squares > 0 else np.zeros(len(lags)), BAND / np.sqrt(max(count, 1))


def reliability(came: Numbers, forecast: Numbers, ends: Pairs) -> list[tuple[float, float]]:
    """(share expected, share seen) of what came at or below each quantile, ascending: the ends of the intervals.

    The forecast stands for the median, as one does that was trained on the mean absolute error. Both in percent.
    """
    quantiles = {50.0: forecast}
    for level, (low, high) in ends.items():
        quantiles |= {50 - level / 2: low, 50 + level / 2: high}
    known = ~np.isnan(came)
    return [(share, 100 * float((came <= quantiles[share])[known].mean())) for share in sorted(quantiles)]


def apart_from_each_other(errors: Numbers, origins: Index, series: Index, horizon: int, most: int) -> list[int]:
    """Places of the largest of errors (m,), worst first, whose windows of `horizon` rows do not overlap; NaN is none.

    Windows of other series never do; of the same series those of other targets do as well.
    """
    chosen: list[int] = []
    for place in np.argsort(-errors, kind="stable").tolist():
        near = (abs(origins[k] - origins[place]) < horizon and series[k] == series[place] for k in chosen)
        if not np.isnan(errors[place]) and not any(near):
            chosen.append(place)
        if len(chosen) == most:
            break
    return chosen


def coprime_stride(wanted: int, seasons: Sequence[int]) -> int:
    """The least stride of at least `wanted` that comes to every place of each season, whatever their lengths."""
    stride = max(1, wanted)
    while any(np.gcd(stride, season) > 1 for season in seasons):
        stride += 1
    return stride
