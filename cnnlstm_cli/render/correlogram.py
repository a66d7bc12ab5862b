"""Correlations by lag -> a plot of text for a terminal, legible without colours as well."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def correlogram(
    lags: Sequence[int], values: Sequence[float], season: int | None, width: int = 80, height: int = 10
) -> str:
    """The area between 0 and the correlation at each lag: from 0 to 1, or from -1 where some are below -0.1.

    season         whose multiples are marked; None: multiples of twelve
    width, height  in characters

    Text of Unicode's block elements, `height` lines.
    """
    from plotext import figure, marker, terminal  # there is one figure, which every plot begins anew

    terminal.limit(False, False)  # the size is the caller's to know
    figure.clear()
    figure.theme("simple").legend(False).plot_size(width, height)
    dense = np.linspace(lags[0], lags[-1], 2 * width)  # so that nothing between two lags is bare
    area = figure.signal(dense.tolist(), np.interp(dense, lags, values).tolist(), marker=marker("hd", "default"))
    figure.draw(area.fillx())
    marks = [-1, 0, 1] if min(values) < -0.1 else [0, 0.5, 1]
    figure.ruler("y").lim(marks[0], marks[-1]).ticks(marks, [f"{mark:g}" for mark in marks])
    every = season or 12
    multiples = range(every, lags[-1] + 1, every * max(1, lags[-1] // every // 4))
    ticks = [lags[0], *(lag for lag in multiples if lag > lags[0])]
    figure.ruler("x").ticks(ticks, [f"{lag:,}" for lag in ticks])
    return str(figure.build().string(colorless=True)).rstrip("\n")
