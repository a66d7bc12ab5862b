"""Holidays of countries and markets, by the package `holidays`: covariates known ahead, and days without a row."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.errors import UsageError, needing

WIDTH = 3  # on a holiday, on the day before one, and on the day after
YEARS = range(1900, 2101)  # of a calendar that says which days have no row


def holidays(times: NDArray[Any], place: str) -> NDArray[np.float64]:
    """(rows,) -> (rows, WIDTH) of 0 and 1, in `place`: see `days_of`. Raises as that does."""
    days = times.astype("datetime64[D]")
    years = days.astype("datetime64[Y]").astype(np.int64) + 1970
    dates = days_of(place, range(int(years.min()), int(years.max()) + 2))  # the first of January has a day before
    beside = [np.isin(days + shift, dates) for shift in (0, 1, -1)]
    return np.stack(beside, axis=1).astype(np.float64)


@functools.lru_cache(maxsize=8)
def days_of(place: str, years: range) -> NDArray[np.datetime64]:
    """The holidays (n,) of some years in a country as DE, a part of one as DE-BY (ISO 3166), or a market as XNYS.

    Raises UsageError for a place that is not known, or without the package. Not to be written to.
    """
    with needing("--holidays"):
        import holidays as calendars
    country, _, part = place.partition("-")
    try:
        if place in calendars.list_supported_financial():
            found = calendars.financial_holidays(place, years=years)
        else:
            found = calendars.country_holidays(country, subdiv=part or None, years=years)
    except NotImplementedError as error:
        known = country.upper() in calendars.list_supported_countries() and country != country.upper()
        hint = f" Did you mean {place.upper()!r}?" if known else ""
        raise UsageError(
            f"--holidays {place}: {error}. Expected a country as DE, a part of one as US-CA, or a market as XNYS.{hint}"
        ) from None
    dates = np.array(sorted(found), dtype="datetime64[D]")
    dates.flags.writeable = False
    return dates


def closed(times: NDArray[Any], place: str) -> bool:
    """Whether rows of business days (rows,) leave out all the holidays of a place on weekdays among them, and some are.

    A row on a weekend counts as one of the Friday before it, to which aggregation adds it. Raises as `days_of` does.
    """
    days = np.busday_offset(times.astype("datetime64[D]"), 0, roll="preceding")
    dates = days_of(place, YEARS)
    among = dates[(dates > days.min()) & (dates < days.max()) & np.is_busday(dates)]
    return len(among) > 0 and not np.isin(among, days).any()
