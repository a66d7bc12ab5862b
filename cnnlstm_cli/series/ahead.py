"""Covariates at the times that a forecast is for: read from the rows of a file that come after the last target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cnnlstm_cli.errors import DataError
from cnnlstm_cli.series.cleaning import Block, Mending, filled, gap_limit, total
from cnnlstm_cli.series.frequency import Times
from cnnlstm_cli.series.scaler import FARTHEST, Scaler
from cnnlstm_cli.series.table import Table

Numbers = NDArray[np.float64]

BEYOND = f"are over {FARTHEST:g} deviations from its mean in training, and taken as {FARTHEST:g}"
ABSURD = 20.0  # deviations from the mean of the training rows: more than rain does, less than a slip of the pen
SLIP = f"values of {{!r}} ahead over {ABSURD:g} deviations from its mean in training, taken as {FARTHEST:g} deviations"


def known_ahead(
    table: Table, times: Sequence[Times], steps: int, *, hold: bool, scaler: Scaler
) -> tuple[Numbers, list[Mending], list[str]]:
    """(series, H, K): covariates at the H times after the end of each series, of which `steps` are needed; what was
    mended in them; and what is worth a word besides.

    What is known up to now alone is NaN, what is static as before. Short gaps between rows are filled by a straight
    line, as in the past.

    hold    where there are none the last before them hold on; as they do after `steps`
    scaler  of the covariates, (K,): what it finds farther from the mean than it can be is told

    Raises DataError, with the stamps, where covariates are missing.
    """
    schema = table.schema
    every = schema.dated(np.concatenate(times))
    dated = every.reshape(len(times), len(times[0]), every.shape[1])
    if not schema.covariates:
        return dated, [], []
    found, mended, far, limit = [], list[Mending](), Counter[str](), gap_limit(schema.frequency)
    names = np.array([each.name for each in schema.covariates for _ in range(each.width)])
    known = [k for k in schema.columns_of("known") if k == 0 or names[k] != names[k - 1]]  # one a cell of the file
    for series, (block, wanted) in enumerate(zip(table.ahead, times, strict=True)):
        rows = _laid(table, series, block, wanted)
        needed = rows[1 : steps + 1]  # a view
        mended += _infinite(needed, known, wanted)
        straight = np.column_stack([filled(column, limit) for column in rows.T])
        whole = pd.DataFrame(straight).ffill().to_numpy()
        near = straight[1 : steps + 1]
        missing = np.isnan(near[:, known])
        line = np.isnan(needed[:, known]) & ~missing
        mended += _counted("missing known values ahead, filled by a straight line", line, wanted)
        if missing.any() and not hold:
            raise DataError(_lacking(table, series, names[known], missing, wanted))
        held = ~np.isnan(whole[1 : steps + 1, known])
        mended += _counted("missing known values ahead, the last before them held on", missing & held, wanted)
        nothing = (
            f"missing known values ahead, with none in the newest {table.lengths[series]:,} rows, taken as the mean"
        )
        mended += _counted(nothing, missing & ~held, wanted)
        for name, away in _away(table, scaler, near, names):
            mended += _counted(SLIP.format(name), away > ABSURD, wanted)
            far[name] += int(((away > FARTHEST) & (away <= ABSURD)).sum())
        off = ~np.isin(block.times, wanted) & (block.times < wanted[steps - 1])
        mended += _counted("rows ahead between two steps, not used", off, block.times)
        found.append(whole[1:])
    notes = [f"{count:,} values of {name!r} ahead {BEYOND}" for name, count in far.items() if count]
    return np.concatenate([np.stack(found), dated], axis=2), list(total(mended)), notes


def _laid(table: Table, series: int, block: Block, wanted: Times) -> Numbers:
    """(1 + H, K): the last row of a series, then those at the times `wanted` (H,), NaN where the file has none."""
    roles = np.array(table.schema.roles)[: block.covariates.shape[1]]
    place, there = np.searchsorted(wanted, block.times), np.isin(block.times, wanted)
    rows = np.full((len(wanted) + 1, block.covariates.shape[1]), np.nan)
    rows[0] = table.covariates[table.offsets[series + 1] - 1, : rows.shape[1]]
    rows[1:][place[there]] = block.covariates[there]
    rows[1:, roles == "past"], rows[1:, roles == "static"] = np.nan, rows[0, roles == "static"]
    return rows


def _infinite(needed: Numbers, known: Sequence[int], wanted: Times) -> Iterator[Mending]:
    """What is infinite in the columns `known` of (steps, K) becomes missing, and is told."""
    infinite = np.isinf(needed) & np.isin(np.arange(needed.shape[1]), known)
    needed[infinite] = np.nan
    yield from _counted("infinite known values ahead, taken as missing", infinite, wanted)


def _away(table: Table, scaler: Scaler, rows: Numbers, names: NDArray[np.str_]) -> Iterator[tuple[str, Numbers]]:
    """Of each known column of numbers its name, and how many deviations from their mean its (steps, 1) are."""
    width = rows.shape[1]
    away = np.abs((rows - scaler.mean[:width]) / scaler.scale[:width])
    for each in table.schema.covariates:
        if each.role == "known" and not each.categories:
            yield each.name, away[:, names == each.name]


def _counted(what: str, cells: NDArray[np.bool_], times: Times) -> list[Mending]:
    rows = cells if cells.ndim == 1 else cells.any(axis=1)
    return [Mending(what, int(cells.sum()), times[: len(cells)][rows][0])] if rows.any() else []


def _lacking(table: Table, series: int, names: NDArray[np.str_], missing: NDArray[np.bool_], wanted: Times) -> str:
    """What to say where the cells `missing`, (steps, known columns), are."""
    lacking = ", ".join(dict.fromkeys(names[missing.any(axis=0)]))
    steps = np.flatnonzero(missing.any(axis=1))
    stamps = ", ".join(table.stamp(wanted[step]) for step in steps[:3])
    of = f", of series {table.ids[series]!r}" if table.schema.id else ""
    return (
        f"{table.name}: the forecast needs {lacking} ahead{of}, and {len(steps)} of {len(missing)} steps lack them: "
        f"{stamps}{', ...' if len(steps) > 3 else ''}. Add these rows, their targets empty, or let the last values "
        "hold on with --hold-known."
    )
