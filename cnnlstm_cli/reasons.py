"""Why a training would be what it is, and how hard its series look: a sentence a choice, on what was settled.

The choices themselves are made in `planning.settle` and `series.windows`; the numbers said here are theirs.
"""

from __future__ import annotations

import numpy as np

from cnnlstm_cli.config import Spec
from cnnlstm_cli.evaluation.scores import Scores, best_baseline
from cnnlstm_cli.series.frequency import Frequency
from cnnlstm_cli.series.season import STRONG_ENOUGH, default_horizon
from cnnlstm_cli.series.table import Schema
from cnnlstm_cli.series.windows import (
    ENOUGH,
    HORIZONS_SEEN,
    LARGEST_SHARE,
    LONGEST_LOOKBACK,
    SEASONS_SEEN,
    VALIDATION_SHARE,
    Split,
    count_windows,
)
from cnnlstm_cli.specs import MANY_WINDOWS

ASKED = "as asked for"
NO_BETTER = 0.9  # of the last value's error: a random walk's own drift, and chance, make as much of it


def reasons(schema: Schema, asked: Spec, settled: Spec, parts: Split) -> dict[str, str]:
    """Of season, horizon, lookback, validation and width, why they are what they are in a settled specification.

    asked    the specification before it was settled
    settled  and parts: what `planning.settle` made of it
    """
    frequency = schema.frequency
    return {
        "season": ASKED if asked.data.season else _season(frequency, settled.data.season),
        "horizon": ASKED if asked.data.horizon else _horizon(frequency, settled),
        "lookback": ASKED if asked.data.lookback else _lookback(settled, parts),
        "validation": ASKED if asked.data.validation is not None else _validation(settled, parts),
        "width": ASKED if asked.model.filters else _width(len(schema.targets), settled, parts),
    }


def difficulty(baselines: Scores) -> str | None:
    """How hard the judged windows are, by the errors of the baselines; None where there are none."""
    best = best_baseline(baselines) if baselines else None
    if best is None or not np.isfinite(baselines[best]["mae"]):
        return None
    error, naive, scaled = baselines[best]["mae"], baselines["last value"]["mae"], baselines[best]["mase"]
    if error == 0:
        return f"{best} makes no error: there is nothing to learn."
    less = f"{100 * (1 - error / naive):.0f} % less error than the last value"
    if error >= NO_BETTER * naive:
        most = f": {best} makes {less}" if best != "last value" else ""
        return f"Nothing does much better than the last value{most}. Perhaps a random walk, with little to learn."
    mase = f" and has a MASE of {scaled:.2f}" if np.isfinite(scaled) else ""
    return f"The best baseline, {best}, makes {less}{mase}: what a network has to beat."


def _season(frequency: Frequency, seasons: tuple[int, ...]) -> str:
    usual = frequency.suggested_seasons()
    if seasons:
        apart = f"rows so far apart correlate by {STRONG_ENOUGH} or more"
        return f"usual for rows that come {frequency}, and {apart}" if usual else apart
    if usual:
        return f"rows {' or '.join(map(str, usual))} apart correlate by less than {STRONG_ENOUGH}, or are too few"
    return f"there is no distance at which rows correlate by {STRONG_ENOUGH} or more"


def _horizon(frequency: Frequency, settled: Spec) -> str:
    horizon, seasons = settled.data.settled_horizon, settled.data.season
    if horizon < (usual := default_horizon(frequency, seasons)):
        return f"all that so few rows allow; usual are {usual}"
    if horizon == frequency.usual_horizon():
        return f"usual for rows that come {frequency}"
    return "one season" if horizon in seasons[:1] else "neither the step nor a season suggests another"


def _lookback(settled: Spec, parts: Split) -> str:
    lookback, horizon = settled.data.settled_lookback, settled.data.settled_horizon
    season = next((season for season in settled.data.season if 2 * season <= lookback), None)
    lengths = np.sort(parts.training)  # of the series that the median row is in
    rows = int(lengths[np.searchsorted(np.cumsum(lengths), lengths.sum() / 2)])
    share = "third" if lookback * LARGEST_SHARE <= rows else "half"
    limited = f"a {share} of the {rows:,} rows trained on{'' if len(lengths) == 1 else ' in a series'}"
    if season is None:
        without = "as there is no season" + (" that fits in twice" if settled.data.season else "")
        whole = lookback == HORIZONS_SEEN * horizon
        return f"{f'{HORIZONS_SEEN} horizons' if whole else limited}, {without}"
    count = lookback // season
    if count == SEASONS_SEEN:
        return f"{count} of the season of {season}"
    if count == max(2, LONGEST_LOOKBACK // season):
        return f"{count} of the season of {season}, of which more would be too long to learn from"
    return f"{count} of the season of {season}: no more fit into {limited}"


def _validation(settled: Spec, parts: Split) -> str:
    held, horizon, series = parts.rows()[1], settled.data.settled_horizon, len(parts.lengths)
    begun = parts.held & ~np.append(False, parts.held[:-1])
    blocks = max(1, round(int(begun.sum()) / series))
    fifth, rounded = VALIDATION_SHARE * len(parts.held), series * blocks  # rows that rounding may give or take
    if held <= np.minimum(parts.lengths, horizon).sum():
        share = f"a horizon of {horizon}{' of each series' if series > 1 else ''}, the least"
    elif held < fifth - rounded:
        share = f"enough to choose by, {ENOUGH:,} at most"
    else:
        share = "a fifth" + (f", but at least a horizon of {horizon} of each series" if held > fifth + rounded else "")
    return f"{share}, {'the newest' if blocks == 1 else f'in {blocks} blocks over all but the oldest third'}"


def _width(columns: int, settled: Spec, parts: Split) -> str:
    count = columns * count_windows(parts, settled.data.settled_lookback, settled.data.settled_horizon)
    several = f"{count:,} windows" + ("" if columns == 1 else f" of {columns} columns")
    if count >= MANY_WINDOWS:
        return f"wide, as {several} are {MANY_WINDOWS:,} or more"
    return f"narrow, as {several} are fewer than {MANY_WINDOWS:,}"
