"""Whether new rows go with a run: their step, their week, and what is not there of them."""

from __future__ import annotations

import numpy as np

from cnnlstm_cli.errors import DataError
from cnnlstm_cli.series.cleaning import OFF_STEP, Block, Mending, in_order
from cnnlstm_cli.series.frequency import find_frequency, has_weekends
from cnnlstm_cli.series.sheet import Sheet
from cnnlstm_cli.series.table import Schema


def other_step(sheet: Sheet, schema: Schema, block: Block) -> str:
    """What to say where rows do not lie on the grid of a run's step."""
    if schema.frequency.closed:
        off = block.times[~np.isin(block.times, schema.frequency.grid(block.times[0], block.times[-1]))]
        if len(off):
            return _on_a_holiday(sheet, schema, off[0])
    step, found = schema.frequency.alias, find_frequency(block.times, sheet.name).alias
    if step == found:
        return (
            f"{sheet.name}: more than one row in ten lies between two steps of {step!r}, the commonest. Resample to an "
            "even step, or round the stamps; days across a change to daylight saving time go without an offset."
        )
    return (
        f"{sheet.name}: the rows do not follow the step {step!r} but {found!r}. "
        f"Give rows at {step!r}, or train on these with another --freq."
    )


def _on_a_holiday(sheet: Sheet, schema: Schema, time: np.generic) -> str:
    """What to say where a row lies on a day that the run takes for closed."""
    return (
        f"{sheet.name}: the row at {schema.stamp(time)} is on a day on which the run has none, a holiday of "
        f"{schema.frequency.closed} or a weekend. Leave it out, or train a run on these rows."
    )


def refuse_other_week(sheet: Sheet, schema: Schema, block: Block) -> None:
    """Business days lie on the grid of every day, but leave two days of it empty each week."""
    if schema.frequency.alias != "D" or len(block.times) < 10 or schema.agg != "none" or has_weekends(block.times):
        return
    if find_frequency(in_order(block, schema.doubled)[0].times, sheet.name).alias == "B":
        raise DataError(f"{sheet.name}: business days, where the run was trained on every day. Train a run on them.")


def refuse_invented(sheet: Sheet, schema: Schema, block: Block, mended: list[Mending], newest: int) -> None:
    """A forecast from rows that were dropped or mostly are not there would be made of air."""
    step = schema.frequency.alias
    for off in mended:
        if off.what == OFF_STEP and isinstance(off.first, np.generic):
            if schema.frequency.closed:
                raise DataError(_on_a_holiday(sheet, schema, off.first))
            raise DataError(
                f"{sheet.name}: {off.count} of the newest rows lie between two steps of {step!r} (first at "
                f"{schema.stamp(off.first)}). Round their stamps to the step."
            )
    tail = block.values[-newest:]
    empty = int(np.isnan(tail).all(axis=1).sum())
    if 2 * empty > len(tail):
        raise DataError(
            f"{sheet.name}: {empty:,} of the newest {len(tail):,} steps of {step!r} have no row with numbers. "
            "Give the rows that are missing."
        )
