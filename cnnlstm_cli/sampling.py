"""Sample paths of a forecast: `predict --samples`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cnnlstm_cli.errors import UsageError
from cnnlstm_cli.evaluation.paths import drawn
from cnnlstm_cli.forecast import Forecast, Run, rounded
from cnnlstm_cli.series.reader import Data

MOST_NUMBERS = 50_000_000  # in memory at once


def sample(
    data: Data, run: str | Path, paths: int, horizon: int | None = None, *, hold_known: bool = False
) -> pd.DataFrame:
    """So many courses that may follow `data`: column `sample`, 1 to `paths`, then those of `predict`.

    The same run and data draw the same ones; each of many series draws its own. Raises as `Run.predict` does, and
    UsageError for fewer than one path, or a column named `sample`.
    """
    opened = Run.open(run)
    return paths_of(opened, opened.forecast(data, horizon, hold_known=hold_known), paths)


def paths_of(run: Run, forecast: Forecast, paths: int, written: bool = False) -> pd.DataFrame:
    """The same around a forecast that the run has made; `written` as in `Forecast.frame`."""
    if paths < 1:
        raise UsageError(f"--samples must be 1 or more, not {paths}.")
    if paths * forecast.values.size > MOST_NUMBERS:
        raise UsageError(f"--samples {paths} would be over {MOST_NUMBERS:,} numbers. Take fewer.")
    if "sample" in forecast.table.schema.columns:
        raise UsageError("a column 'sample' is in the data, and would be the number of a path. Rename it; train again.")
    limits = forecast.limits
    made = forecast.values + drawn(run.errors, forecast.size, paths, run.record.spec.train.seed)
    made = np.stack([rounded(limits.within(each), limits.scale) for each in made])
    one = forecast.frame(written)
    frame = one.take(np.tile(np.arange(len(one)), paths)).reset_index(drop=True)
    for place, target in enumerate(forecast.table.schema.targets):
        frame[target] = made[..., place].ravel()
    frame.insert(0, "sample", np.repeat(np.arange(1, paths + 1), len(one)))
    return frame
