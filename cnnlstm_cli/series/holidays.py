"""Public holidays as covariates: known ahead of every date, by the package `holidays`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.errors import UsageError, needing
from cnnlstm_cli.series.frequency import Times

WIDTH = 3  # on a holiday, on the day before one, and on the day after


def holidays(times: Times, place: str) -> NDArray[np.float64]:
    """(rows,) -> (rows, WIDTH) of 0 and 1, in `place`: a country as DE, or a part of one as DE-BY (ISO 3166).

    Raises UsageError for a place that is not known, or without the package.
    """
    with needing("--holidays"):
        import holidays as calendars
    days = times.astype("datetime64[D]")
    years = days.astype("datetime64[Y]").astype(np.int64) + 1970
    country, _, part = place.partition("-")
    try:
        of_years = range(int(years.min()), int(years.max()) + 2)  # the first of January has a day before
        found = calendars.country_holidays(country, subdiv=part or None, years=of_years)
    except NotImplementedError as error:
        raise UsageError(f"--holidays {place}: {error}. Expected a country as DE, or a part of one as US-CA.") from None
    dates = np.array(list(found), dtype="datetime64[D]")
    beside = [np.isin(days + shift, dates) for shift in (0, 1, -1)]
    return np.stack(beside, axis=1).astype(np.float64)
