"""Which columns of a sheet are forecast, and which go along; those that do not, with the reason."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.errors import DataError, UsageError, did_you_mean
from cnnlstm_cli.series.covariates import Role
from cnnlstm_cli.series.numerals import numbers_of, short
from cnnlstm_cli.series.sheet import Sheet
from cnnlstm_cli.series.timecolumn import TimeColumn
from cnnlstm_cli.specs import DataSpec

COUNTS = "counts the rows"


def require(sheet: Sheet, columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in sheet.columns]
    if len(missing) == 1:
        hint = short(did_you_mean(missing[0], sheet.columns))
        raise DataError(f"{sheet.name} has no column {missing[0]!r}. {hint}")
    if missing:
        raise DataError(
            f"{sheet.name} has no columns {short(', '.join(map(repr, missing)))}. "
            f"It has: {short(', '.join(sheet.columns))}."
        )


def covariates_of(spec: DataSpec) -> dict[Role, tuple[str, ...]]:
    """The names of covariates, by what is known of them."""
    return {"known": spec.known, "past": spec.past, "static": spec.static}


def targets_of(
    sheet: Sheet, spec: DataSpec, time: TimeColumn, groups: Sequence[str] = ()
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The columns to forecast, and those left out with the reason; `groups` tell groups of series apart."""
    taken = {*time.names, *groups, *((spec.id,) if spec.id else ())}
    if spec.id in time.names:
        raise UsageError(f"column {spec.id!r} can't be both the time and the id. Name another with --id or --time.")
    for role, names in (*covariates_of(spec).items(), ("target", spec.target)):
        twice = [name for name in names if name in taken or names.count(name) > 1]
        if twice:
            raise UsageError(f"column {twice[0]!r} can't be --{role} and something else as well. Name it once.")
        taken |= {*names}
    if spec.static and not spec.id:
        raise UsageError("--static tells many series apart, and this is one. Name the column of their names with --id.")
    if spec.target:
        return spec.target, ()
    reasons = {column: _unfit(sheet, column, time) for column in sheet.columns if column not in taken}
    if None not in reasons.values():  # a column that only counts is still better than none
        reasons = {column: None if reason == COUNTS else reason for column, reason in reasons.items()}
    targets = tuple(column for column, reason in reasons.items() if reason is None)
    if not targets:
        example = next((f"{sheet.example(column)}" for column in reasons), "there is none beside the time")
        raise DataError(f"{sheet.name} has no column of numbers to forecast: {example}. Write numbers as 1234.5.")
    return targets, tuple((column, reason) for column, reason in reasons.items() if reason)


def _unfit(sheet: Sheet, column: str, time: TimeColumn) -> str | None:
    """Why a column is no target unless it is named; None when it is one.

    Raises DataError for a column of numbers with a few texts in it: leaving it out in silence would be a surprise,
    unless it counts rows that have a time.
    """
    cells = numbers_of(sheet.frame[column]).to_numpy(dtype=np.float64)
    if _counts_rows(cells) and (time.names or sheet.is_number(column)):
        return COUNTS
    if not sheet.is_number(column):
        if stray := sheet.stray_text(column):
            raise DataError(f"{stray}. Mend or empty the cell, or leave the column out by naming others with --target.")
        if written := sheet.written_out(column):
            raise DataError(
                f"{written}: a number with thousands marks, a unit, a sign or quotes. Write it as 1234.5, or leave the "
                "column out by naming others with --target."
            )
        return "text"
    return "empty" if np.isnan(cells).all() else None


def _counts_rows(cells: NDArray[np.float64]) -> bool:
    """Whether the cells go up (or down) by the same step from row to row, holes aside."""
    known = np.flatnonzero(~np.isnan(cells))
    if len(known) < max(3, 0.9 * len(cells)):
        return False
    slopes = np.diff(cells[known]) / np.diff(known)
    return bool(slopes[0] != 0 and (slopes == slopes[0]).all())
