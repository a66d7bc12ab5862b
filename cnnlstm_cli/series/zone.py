"""Clocks that are put forward and back: the time on the wall of a zone <-> UTC, in which every step is as long.

In autumn an hour comes twice on the wall. In a file, too, it stands there twice: the first is that of summer.
"""

from __future__ import annotations

import zoneinfo

import numpy as np
import pandas as pd

from cnnlstm_cli.errors import UsageError, did_you_mean
from cnnlstm_cli.series.frequency import Times


def require_zone(name: str) -> None:
    """Raises UsageError for a zone that the time zone database does not know."""
    known = zoneinfo.available_timezones()
    if name not in known:
        near = did_you_mean(name, sorted(each for each in known if "/" in each and not each.startswith("Etc")))
        hint = near if near.startswith("Did") else "Write it as Europe/Berlin or America/New_York."
        raise UsageError(f"--tz {name}: no such time zone. {hint}")


def to_wall(times: Times, zone: str) -> Times:
    """UTC (...) datetime64[us] -> the time on the wall, (...)."""
    wall = pd.DatetimeIndex(np.ravel(times)).tz_localize("UTC").tz_convert(zone).tz_localize(None)
    told: Times = wall.to_numpy().astype("datetime64[us]").reshape(np.shape(times))
    return told


def to_utc(wall: pd.Series, zone: str, series: pd.Series) -> pd.Series:
    """The time on the wall, a row each in the order of the file -> UTC; NaT where the clock skipped it, or it is NaT.

    series  which series a row is of: an hour that comes twice does so in each
    """
    newest_first = bool((wall.diff() < pd.Timedelta(0)).mean() > 0.5)
    before = wall.groupby([series.to_numpy(), wall], sort=False).cumcount(ascending=not newest_first)
    index = pd.DatetimeIndex(wall)
    zoned = index.tz_localize(zone, ambiguous=(before == 0).to_numpy(), nonexistent="NaT")
    return pd.Series(zoned.tz_convert("UTC").tz_localize(None), index=wall.index).astype("datetime64[us]")


def offset_of(moment: np.datetime64, zone: str, like: str) -> str:
    """How far ahead of UTC the zone's clock is at a moment of UTC, written as `like`: +01:00, +0100 or +01."""
    shift = int((to_wall(np.array([moment]), zone)[0] - moment) / np.timedelta64(1, "m"))
    hours, minutes = divmod(abs(shift), 60)
    colon = ":" if ":" in like else ""
    short = len(like) == len("+01") and not minutes
    return f"{'-' if shift < 0 else '+'}{hours:02d}" + ("" if short else f"{colon}{minutes:02d}")
