"""Clocks that are put forward and back: the time on the wall of a zone <-> UTC, in which every step is as long.

In autumn an hour comes twice on the wall. In a file, too, it stands there twice: where that goes back the clock did.
"""

from __future__ import annotations

import zoneinfo
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cnnlstm_cli.errors import UsageError, did_you_mean
from cnnlstm_cli.series.frequency import Times

Index = NDArray[np.int64]
Skipped = Literal["NaT", "shift_forward"]

APART = 6 * 3600 * 10**6  # microseconds: between two hours that come twice are months


def require_zone(name: str) -> None:
    """Raises UsageError for a zone that the time zone database does not know."""
    known = zoneinfo.available_timezones() - {"localtime", "posixrules", "Factory"}  # another on another machine
    if name not in known:
        near = did_you_mean(name, sorted(each for each in known if "/" in each and not each.startswith("Etc")))
        hint = near if near.startswith("Did") else "Write it as Europe/Berlin or America/New_York."
        raise UsageError(f"--tz {name}: no such time zone. {hint}")


def to_wall(times: Times, zone: str) -> Times:
    """UTC (...) datetime64[us] -> the time on the wall, (...)."""
    wall = pd.DatetimeIndex(np.ravel(times)).tz_localize("UTC").tz_convert(zone).tz_localize(None)
    told: Times = wall.to_numpy().astype("datetime64[us]").reshape(np.shape(times))
    return told


def to_utc(wall: pd.Series, zone: str, series: pd.Series, skipped: Skipped = "NaT") -> pd.Series:
    """The time on the wall, a row each in the order of the file -> UTC.

    series   which series a row is of: an hour that comes twice does so in each
    skipped  what is made of a time that the clock skipped: none, or the moment at which it did
    """
    early, late = (_moments(wall, zone, summer, skipped) for summer in (True, False))
    twice = np.flatnonzero(early != late)
    if len(twice):
        of = pd.factorize(series)[0] + 1  # 0 is none
        twice = twice[np.argsort(np.where(_newest_first(early, of)[of[twice]], -twice, twice))]
        second = twice[_second(early, late, of, twice)]
        early[second] = late[second]
    return pd.Series(early.view("datetime64[us]"), index=wall.index)


def _newest_first(moments: Index, of: Index) -> NDArray[np.bool_]:
    """Of each series whether its rows mostly go back in time; rows of one time go neither way."""
    order = np.argsort(of, kind="stable")
    steps, same = np.diff(moments[order]), np.diff(of[order]) == 0
    back, ahead = (np.bincount(of[order][1:][same & way], minlength=of.max() + 1) for way in (steps < 0, steps > 0))
    newest: NDArray[np.bool_] = back > ahead
    return newest


def _moments(wall: pd.Series, zone: str, summer: bool, skipped: Skipped) -> Index:
    """(rows,) microseconds of UTC, an hour that comes twice taken as that of summer or not."""
    ambiguous = np.full(len(wall), summer)
    zoned = pd.DatetimeIndex(wall).tz_localize(zone, ambiguous=ambiguous, nonexistent=skipped)
    return zoned.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64)


def _second(early: Index, late: Index, of: Index, twice: Index) -> NDArray[np.bool_]:
    """Which of the rows `twice`, oldest first, are of the second time that their hour comes.

    early, late  (rows,) the moments that they may be; the same for all other rows
    of           (rows,) which series
    """
    hours = np.unique(early[twice])
    period = np.cumsum(np.append(0, np.diff(hours) > APART))[np.searchsorted(hours, early[twice])]
    rows = pd.DataFrame({"group": of[twice] * (period.max() + 1) + period, "moment": early[twice]})
    stamps = rows.groupby(["group", "moment"], sort=False)
    second = (stamps.cumcount() > 0).to_numpy(copy=True)
    pairs = (stamps.transform("size") == 2).groupby(rows["group"]).transform("all")  # the usual case, and a quick one
    order = np.argsort(of, kind="stable")
    for group in rows[~pairs].groupby("group").indices.values():
        places = np.flatnonzero(~pairs)[group]
        number = of[twice[places[0]]]
        own = order[slice(*np.searchsorted(of, [number, number + 1], sorter=order))]
        settled = np.unique(early[own][early[own] == late[own]])
        turn = _turn(early[twice[places]], late[twice[places]], settled)
        if turn is not None:
            second[places] = np.arange(len(places)) >= turn
    return second


def _turn(early: Index, late: Index, settled: Index) -> int | None:
    """How many of the rows (n,) of an hour that comes twice, oldest first, are of its first time.

    All before the clock is seen to go back. Where it is not, as many as leave most rows at the usual step from one to
    the next. None where it goes back more than once, as the rows are in no order, or where most have their twin beside
    them.

    settled  (m,) ascending moments of all other rows of the series
    """
    back, count = np.flatnonzero(np.diff(early) < 0), len(early)
    if len(back):
        return int(back[0]) + 1 if len(back) == 1 else None
    if 2 * (np.unique(early, return_counts=True)[1] == 2).sum() > count / 2:  # twins stand beside each other
        return None
    sizes, often = np.unique(np.diff(settled), return_counts=True)
    if not len(sizes):
        return count
    usual = sizes[often.argmax()]
    place = np.searchsorted(settled, early[0])
    before, after = settled[:place][-1:], settled[place:][:1]
    even = np.diff(early) == usual
    fits = np.full(count + 1, even.sum())
    fits[1:-1] += (late[1:] - early[:-1] == usual).astype(np.int64) - even
    fits[0] += (late[0] - before == usual).sum()
    fits[1:] += (early[0] - before == usual).sum()
    fits[:-1] += (after - late[-1] == usual).sum()
    fits[-1] += (after - early[-1] == usual).sum()
    best = np.flatnonzero(fits == fits.max())
    return count if best[-1] == count else int(best[len(best) // 2])


def unskipped(wall: Times, moments: Times, zone: str) -> Times:
    """Times on the wall (n,), of the moments (n,), of a day or more apart: as they would be had no clock skipped them.

    A day whose midnight the clock skips begins at 1:00, and is a day like others.
    """
    hours = wall - wall.astype("datetime64[D]")
    kinds, often = np.unique(hours, return_counts=True)
    usual = wall.astype("datetime64[D]") + kinds[often.argmax()]
    just_before = to_wall(moments - np.timedelta64(1, "us"), zone)
    told: Times = np.where((just_before < usual) & (usual < wall), usual, wall)
    return told


def offset_of(moment: np.datetime64, zone: str, like: str) -> str:
    """How far ahead of UTC the zone's clock is at a moment of UTC, written as `like`: +01:00, +0100 or +01."""
    shift = int((to_wall(np.array([moment]), zone)[0] - moment) / np.timedelta64(1, "m"))
    hours, minutes = divmod(abs(shift), 60)
    colon = ":" if ":" in like else ""
    short = len(like) == len("+01") and not minutes
    return f"{'-' if shift < 0 else '+'}{hours:02d}" + ("" if short else f"{colon}{minutes:02d}")
