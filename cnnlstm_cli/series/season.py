"""The seasons of a table: what its frequency suggests (or its autocorrelation shows), kept where the data agrees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.series.frequency import Frequency
from cnnlstm_cli.series.table import Table
from cnnlstm_cli.series.windows import evenly

Numbers = NDArray[np.float64]

STRONG_ENOUGH = 0.3
LONGEST_SEARCHED = 1000
SERIES_LOOKED_AT = 50
ROWS_LOOKED_AT = 50_000


def find_seasons(table: Table) -> tuple[int, ...]:
    """Season lengths in rows, shortest first; empty when the data shows none.

    A season of s rows counts when rows s apart correlate by at least 0.3, with the moving average over s rows and the
    seasons before it taken away, in at least a quarter of the columns (of all series).
    """
    samples = _samples(table)
    frequency = table.schema.frequency
    suggested = frequency.suggested_seasons() if frequency.dated else searched(samples)
    found: list[int] = []
    for season in suggested:
        if strength(samples, season, found) >= STRONG_ENOUGH:
            found.append(season)
    return tuple(found)


def default_horizon(frequency: Frequency, seasons: tuple[int, ...]) -> int:
    """Steps to forecast: what is usual for the frequency, else one season, else 12."""
    return frequency.usual_horizon() or (seasons[0] if seasons else 12)


def strength(samples: list[Numbers], season: int, before: list[int]) -> float:
    """The correlation, -1..1, of rows a season apart that a quarter of the samples (of three seasons or more) reach."""
    long = [sample for sample in samples if len(sample) >= 3 * season]
    scores = [_correlation(_without(sample, season, before), season) for sample in long]
    return float(np.quantile(scores, 0.75)) if scores else 0.0


def searched(samples: list[Numbers]) -> tuple[int, ...]:
    """Lags at which rows, or the steps between them, are most alike; of several as alike the shortest.

    Rows show a slow season through noise, steps a fast one on a drifting level. Whether there is a season at all is for
    `strength` to say: a random walk has its peaks too.
    """
    lags = min(LONGEST_SEARCHED, max(len(sample) for sample in samples) // 3)
    long = [sample for sample in samples if len(sample) >= 3 * lags]
    if lags < 3 or not long:
        return ()
    rows = np.mean([_autocorrelation(_without(sample, lags, []), lags) for sample in long], axis=0)
    steps = np.mean([_autocorrelation(np.diff(sample), lags) for sample in long], axis=0)
    return tuple(sorted({*_highest_peak(rows), *_highest_peak(steps)}))


def _highest_peak(likeness: Numbers) -> list[int]:
    peaks = np.flatnonzero((likeness[2:-1] >= likeness[1:-2]) & (likeness[2:-1] > likeness[3:])) + 2
    return [int(peak) for peak in peaks[likeness[peaks] >= 0.9 * np.max(likeness[peaks], initial=0.01)][:1]]


def _samples(table: Table) -> list[Numbers]:
    """Every column of at most 50 series, evenly chosen; holes filled by straight lines, constant ones left out."""
    chosen = evenly(len(table.ids), SERIES_LOOKED_AT)
    samples = []
    for series in chosen:
        rows = table.values[table.offsets[series] : table.offsets[series + 1]][-ROWS_LOOKED_AT:]
        for column in rows.T:
            known = np.flatnonzero(~np.isnan(column))
            if len(known) > 2 and np.ptp(column[known]) > 0:
                samples.append(np.interp(np.arange(len(column)), known, column[known]))
    return samples or [np.zeros(1)]


def _without(sample: Numbers, season: int, before: list[int]) -> Numbers:
    """The sample without its moving average over a season, and without the mean profile of each season before."""
    sums = np.cumsum(np.append(0.0, sample - sample[0]))
    level = (sums[season:] - sums[:-season]) / season
    if season % 2 == 0:  # centred on a row, not between two: otherwise a trend leaves half a step of itself
        level = (level[1:] + level[:-1]) / 2
    start = season // 2
    rest: Numbers = sample[start : start + len(level)] - sample[0] - level
    for shorter in before:
        phase = np.arange(len(rest)) % shorter
        rest = rest - (np.bincount(phase, rest) / np.bincount(phase))[phase]
    # of a smooth trend nothing is left but rounding, which is not to be taken for a pattern
    return rest if rest.std() > 1e-6 * sample.std() else np.zeros(len(rest))


def _correlation(sample: Numbers, lag: int) -> float:
    early, late = sample[:-lag], sample[lag:]
    if len(early) < 2 or np.ptp(early) == 0 or np.ptp(late) == 0:
        return 0.0
    return float(np.corrcoef(early, late)[0, 1])


def _autocorrelation(sample: Numbers, lags: int) -> Numbers:
    """Lags 0..lags, by the Fourier transform (Wiener-Khinchin), padded so that it does not wrap around."""
    centred = sample - sample.mean()
    size = 1 << int(2 * len(centred) - 1).bit_length()
    power = np.abs(np.fft.rfft(centred, size)) ** 2
    raw: Numbers = np.fft.irfft(power, size)[: lags + 1]
    return raw / raw[0] if raw[0] > 0 else raw
