"""Where the past of a backtest ends: how many rows of each series are known at its start, and at that of each fold."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from cnnlstm_cli.errors import DataError, UsageError
from cnnlstm_cli.series.table import Table
from cnnlstm_cli.series.windows import Index

SHARE = 0.2  # of the rows, at the end, unless told otherwise
ISO = re.compile(r"\d{4}-\d{2}(-\d{2}.*)?")
WHOLE = re.compile(r"-?[0-9]{1,12}")


def _share_a_clock(table: Table) -> bool:
    """Whether the series are to be cut at moments: at rows, one would be forecast by what came later in another."""
    return table.schema.time.dated and len(table.ids) > 1


def borders(table: Table, known: Index, end: Index, folds: int) -> Iterator[Index]:
    """Rows of each series known at the start of every fold but the first: equal parts of `known` .. `end`."""
    if not _share_a_clock(table):
        yield from (known + (end - known) * number // folds for number in range(1, folds))
        return
    spans = list(zip(table.offsets, known, end, strict=False))
    moments = np.unique(
        np.concatenate([table.times[offset + first - 1 : offset + last - 1] for offset, first, last in spans])
    )
    for number in range(1, folds):
        cut = moments[len(moments) * number // folds]
        rows = [int(np.searchsorted(table.times[a:b], cut)) + 1 for a, b in itertools.pairwise(table.offsets)]
        yield np.clip(rows, known, np.maximum(known, end)).astype(np.int64)


def rows_known(table: Table, start: str | int | None, horizon: int) -> Index:
    """Rows known before the first forecast, of each series, at least 1.

    Raises UsageError when none is left to forecast, or DataError when there are too few rows anyway.
    """
    if not (table.lengths > horizon).any():
        most = table.lengths.max()
        raise DataError(
            f"{table.name} has {most:,} row{'' if most == 1 else 's'}, too few to forecast {horizon} of them."
        )
    if start is None and _share_a_clock(table):
        moment = np.sort(table.times)[round(len(table.times) * (1 - SHARE)) - 1]
        latest = max(table.times[end - horizon - 1] for end in table.offsets[1:][table.lengths > horizon])
        known = np.array(list(_rows_until(table, min(moment, latest))), dtype=np.int64)
    elif start is None:
        known = np.minimum(np.round(table.lengths * (1 - SHARE)).astype(np.int64), table.lengths - horizon)
    else:
        known = np.array(list(_rows_before(table, start)), dtype=np.int64)
    if not ((known > 0) & (known <= table.lengths - horizon)).any():
        raise UsageError(
            f"--from {start} leaves no origin: of {table.lengths.max():,} rows at least one must be known before it "
            f"and {horizon} (the horizon) come after."
        )
    clipped: Index = np.clip(known, 1, table.lengths)
    return clipped


def _rows_before(table: Table, start: str | int) -> Iterator[int]:
    """How many rows of each series are known at `start`: a number, a stamp as the data writes it, or an ISO one."""
    text = str(start).strip()
    if WHOLE.fullmatch(text):
        yield from (int(text) if int(text) >= 0 else int(rows) + int(text) for rows in table.lengths)
        return
    moment = _moment(table, text)
    if moment is None:
        raise UsageError(
            f"--from {start}: neither a stamp nor a number of rows. Write one of the data's, 2012-07-01 00:00, or 8640."
        )
    yield from _rows_until(table, moment)


def _rows_until(table: Table, moment: Any) -> Iterator[int]:
    """How many rows of each series are known at a moment."""
    for first, end in zip(table.offsets, table.offsets[1:], strict=False):
        yield int(np.searchsorted(table.times[first:end], moment, side="right"))


def _moment(table: Table, text: str) -> Any:
    """The time that a text means; None where it means none."""
    if not table.schema.time.dated:
        return None
    written = table.schema.time.write(table.times)
    for place, cells in enumerate(zip(*written.values(), strict=True)):
        if " ".join(cells) == text:
            return table.times[place]
    if not ISO.fullmatch(text):
        return None
    try:
        stamp = pd.Timestamp(text)
    except ValueError:
        return None
    if stamp.tz is not None:
        return np.datetime64(stamp.tz_convert(None), "us")
    return table.schema.time.moment(np.datetime64(stamp, "us"))
