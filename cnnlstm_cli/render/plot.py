"""A forecast -> a plot of text for a terminal, legible without colours as well."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import numpy as np

from cnnlstm_cli.forecast import Forecast
from cnnlstm_cli.render.messages import printable

USUAL = 80.0  # percent, of the interval that is drawn unless another is asked for
MOST = 3  # plots: of more series and targets the first are shown
LEAST_TAIL = 24  # rows before the forecast, or two horizons
BAND, POINT, LINE = "░", "●", "⠤⠒"


def plot(made: Forecast, levels: Sequence[float] = (), width: int = 80, height: int = 18, colour: bool = False) -> str:
    """The newest rows of each series and target, the forecast, and the interval of the first of `levels` around it.

    levels  in percent, as `made.ends` has them; by default the narrowest of those
    width   and height of each plot, in characters, its heading included
    colour  whether to colour it by ANSI codes, for a terminal

    Text of Unicode's blocks and Braille patterns, a line break at its end. Of many series and targets the first three
    are shown, and a line before them says which.
    """
    schema, table = made.table.schema, made.table
    pairs = [(series, column) for series in range(len(table.ids)) for column in range(len(schema.targets))]
    level = next(iter(levels or sorted(made.ends, key=lambda each: (each != USUAL, each))), None)
    parts = [f"plotted: the first {MOST} of {len(pairs):,} series and targets\n"] if len(pairs) > MOST else []
    for series, column in pairs[:MOST]:
        name = f"{schema.targets[column]}, {table.ids[series]}" if schema.id else schema.targets[column]
        parts.append(_drawn(made, series, column, level, printable(name), (width, height), colour))
    return "".join(parts)


def show(made: Forecast, levels: Sequence[float] = ()) -> None:
    """`plot` on stderr, as wide as the terminal, else 80 characters; coloured where that is one that has colours."""
    if sys.stderr is None:
        return
    terminal = sys.stderr.isatty()
    width = (os.get_terminal_size(sys.stderr.fileno()).columns if terminal else 0) or 80
    colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    text, encoding = plot(made, levels, width=max(width, 40), colour=colour), sys.stderr.encoding or "utf-8"
    sys.stderr.write(text.encode(encoding, errors="replace").decode(encoding))
    sys.stderr.flush()


def _drawn(
    made: Forecast, series: int, column: int, level: float | None, name: str, size: tuple[int, int], colour: bool
) -> str:
    """One plot, with a heading that says what is what."""
    from plotext import figure, marker, terminal  # there is one figure, which every plot begins anew

    table, ahead = made.table, made.values[series, :, column]
    start, end = table.offsets[series : series + 2]
    tail = min(int(end - start), max(LEAST_TAIL, 2 * len(ahead)))
    rows = table.values[end - tail : end, column]
    past, future = np.arange(tail), np.arange(tail, tail + len(ahead))
    known = ~np.isnan(rows)
    terminal.limit(False, False)  # the size is the caller's to know
    figure.clear()
    figure.theme("simple").legend(False).plot_size(size[0], size[1] - 1)
    if level is not None:
        dense = np.linspace(future[0], future[-1], size[0])  # so that no column between two steps is bare
        low, high = (np.interp(dense, future, side[series, :, column]).tolist() for side in made.ends[level])
        shade = marker(BAND, "cyan")
        band = figure.signal(dense.tolist(), high, marker=shade)
        band.fill(figure.signal(dense.tolist(), low, marker=shade)).density("full", scope="fill")
        figure.draw(band)
    before = figure.signal(past[known].tolist(), rows[known].tolist(), marker=marker("braille", "default"))
    figure.draw(before.lines())
    figure.draw(figure.signal(future.tolist(), ahead.tolist(), marker=marker(POINT, "magenta")))
    times = [*table.times[end - tail : end], *made.times[series]]
    stamps = {place: table.stamp(times[place]) for place in (0, tail - 1, len(times) - 1)}
    room = size[0] * len(ahead) / len(times)
    if 1.5 * max(map(len, stamps.values())) > room - 2:  # the middle one ends too near the last, that ends at the edge
        del stamps[tail - 1]
    figure.ruler("x").ticks([*stamps], [*stamps.values()])
    what = f"{LINE} before  {POINT} forecast" + ("" if level is None else f"  {BAND} {level:g} % interval")
    return f"{name}:  {what}\n{figure.build().string(colorless=not colour).rstrip(chr(10))}\n"
