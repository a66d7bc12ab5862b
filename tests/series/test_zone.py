"""--tz: days of 23 and 25 hours, an hour that comes twice, and what is written back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlstm_cli.errors import DataError, UsageError
from cnnlstm_cli.series.reader import read_recent, read_training
from cnnlstm_cli.series.table import Table
from cnnlstm_cli.series.zone import to_utc
from cnnlstm_cli.specs import DataSpec

ZONES = (  # hourly, every quarter, and a clock that is put forward by half an hour
    ("Europe/Berlin", "h", "2023-03-01", "2023-11-30"),
    ("America/New_York", "15min", "2024-03-01", "2024-11-20"),
    ("Australia/Lord_Howe", "30min", "2024-03-20", "2024-10-30"),
)
PLAIN = "%Y-%m-%d %H:%M"


def csv(times: list[str], **columns: list[str]) -> str:
    return pd.DataFrame({**columns, "time": times, "y": np.arange(len(times)) % 24 + 0.5}).to_csv(index=False)


def colon(stamp: str) -> str:
    """+0100 -> +01:00"""
    return f"{stamp[:-2]}:{stamp[-2:]}"


def days(table: Table) -> dict[str, int]:
    """How many rows a day has on the clock, of those days that have another number than most."""
    counted = pd.Series(table.schema.time.wall(table.times)).dt.date.value_counts()
    return {str(day): int(rows) for day, rows in counted.items() if rows != counted.mode()[0]}


@pytest.mark.parametrize("offset", [False, True], ids=["clock", "offset"])
@pytest.mark.parametrize(("zone", "step", "first", "last"), ZONES)
def test_days_have_the_hours_they_had(
    write: Callable[..., Path], zone: str, step: str, first: str, last: str, offset: bool
) -> None:
    index = pd.date_range(first, last, freq=step, tz=zone, inclusive="left")
    cells = [colon(cell) for cell in index.strftime(f"{PLAIN}%z")] if offset else list(index.strftime(PLAIN))
    table = read_training(write(csv(cells)), DataSpec(tz=zone))
    assert (table.times == index.tz_convert(None).to_numpy()).all()
    assert table.mended == ()
    assert table.schema.time.write(table.times) == {"time": cells}
    rows = index.to_series().groupby(index.date).size()
    assert days(table) == {str(day): count for day, count in rows.items() if count != rows.mode()[0]}
    assert len(days(table)) == 2


def test_the_hour_that_comes_twice_does_so_in_each_series_and_newest_first(write: Callable[..., Path]) -> None:
    index = pd.date_range("2023-10-20", "2023-11-05", freq="h", tz="Europe/Berlin")
    cells = list(index.strftime(PLAIN))
    spec = DataSpec(tz="Europe/Berlin", id="who")
    beside = [cell for cell in cells for _ in "ab"]
    table = read_training(write(csv(beside, who=["a", "b"] * len(cells))), spec)
    assert table.mended == ()
    assert (table.times == np.tile(index.tz_convert(None).to_numpy(), 2)).all()
    turned = read_training(write(csv(cells[::-1])), DataSpec(tz="Europe/Berlin"))
    assert [each.what for each in turned.mended] == ["rows newest first, turned"]
    assert (turned.times == index.tz_convert(None).to_numpy()).all()


def test_without_a_zone_it_is_doubled_and_missing(write: Callable[..., Path]) -> None:
    cells = list(pd.date_range("2023-03-01", "2023-11-30", freq="h", tz="Europe/Berlin").strftime(PLAIN))
    table = read_training(write(csv(cells)), DataSpec())
    assert table.mended_counts()["doubled stamps, the last row kept"] == 1
    assert table.mended_counts()["missing rows"] == 1


def test_days_and_longer_steps_are_those_of_the_clock(write: Callable[..., Path]) -> None:
    index = pd.date_range("2023-03-01", "2023-11-30", freq="D", tz="Europe/Berlin")
    cells = [colon(cell) for cell in index.strftime("%Y-%m-%dT%H:%M:%S%z")]
    table = read_training(write(csv(cells)), DataSpec(tz="Europe/Berlin"))
    assert table.schema.frequency.alias == "D"
    assert table.mended == ()
    assert table.schema.time.write(table.times) == {"time": cells}


def test_epochs_are_moments_and_their_calendar_is_that_of_the_zone(write: Callable[..., Path]) -> None:
    index = pd.date_range("2023-10-20", "2023-11-05", freq="h", tz="Europe/Berlin")
    cells = [str(moment // 10**9) for moment in index.as_unit("ns").asi8]
    table = read_training(write(csv(cells)), DataSpec(tz="Europe/Berlin"))
    assert table.schema.time.write(table.times) == {"time": cells}
    assert (table.schema.time.wall(table.times) == index.tz_localize(None).to_numpy()).all()


def test_the_newest_rows_alone_give_the_same(write: Callable[..., Path]) -> None:
    index = pd.date_range("2023-01-01", "2023-10-29 06:00", freq="h", tz="Europe/Berlin")
    path = write(csv(list(index.strftime(PLAIN))))
    table = read_training(path, DataSpec(tz="Europe/Berlin"))
    recent = read_recent(path, table.schema, 48)
    assert (recent.times[-48:] == table.times[-48:]).all()
    assert (recent.values[-48:] == table.values[-48:]).all()


@settings(max_examples=60, deadline=None)
@given(data=st.data(), zone=st.sampled_from(ZONES), backwards=st.booleans())
def test_the_hour_that_comes_twice_may_have_holes(data: st.DataObject, zone: tuple[str, ...], backwards: bool) -> None:
    """Where the file goes back is where the clock does, whichever of the twins are there; else the step tells."""
    name, step = zone[:2]
    index = pd.date_range("2024-01-01", "2024-12-31", freq=step, tz=name)
    index = index[data.draw(st.integers(0, 4)) :: data.draw(st.sampled_from([1, 3]))]
    wall = pd.Series(index.tz_localize(None))
    change = int(np.argmax(np.diff(wall.to_numpy()) <= np.timedelta64(0)))
    near = np.arange(max(change - 8, 0), change + 9)
    there = np.ones(len(index), dtype=bool)
    missing = data.draw(st.sets(st.sampled_from(near.tolist()), max_size=3))
    there[list(missing)] = False
    kept = pd.Series(wall[there].to_numpy())
    back = bool((kept.diff() < pd.Timedelta(0)).any())
    if missing and not back:  # an hour that is there once may be either
        return
    rows = index[there].tz_convert(None).to_numpy()
    if backwards:
        kept, rows = pd.Series(kept.to_numpy()[::-1]), rows[::-1]
    assert (to_utc(kept, name, pd.Series(0, index=kept.index)).to_numpy() == rows).all()


@pytest.mark.parametrize(
    ("zone", "first", "step", "rows"),
    [
        ("Europe/Berlin", "2023-10-29 01:00", "h", 40),  # UTC: the second two o'clock
        ("Europe/Berlin", "2023-10-29 01:15", "15min", 40),
        ("Australia/Lord_Howe", "2024-04-06 02:00", "h", 40),  # hours that fall on the half hour once it is over
    ],
)
def test_a_file_may_hold_the_second_of_the_twins_alone(zone: str, first: str, step: str, rows: int) -> None:
    index = pd.date_range(first, periods=rows, freq=step, tz="UTC")
    wall = pd.Series(index.tz_convert(zone).tz_localize(None))
    assert (to_utc(wall, zone, pd.Series(0, index=wall.index)).to_numpy() == index.tz_localize(None).to_numpy()).all()


def test_newest_first_is_each_series_own_and_rows_of_one_time_do_not_hide_it() -> None:
    hours = pd.date_range("2023-10-25", "2023-11-02", freq="h", tz="Europe/Berlin")[::-1]
    beside = hours.repeat(3)
    wall = pd.Series(beside.tz_localize(None))
    found = to_utc(wall, "Europe/Berlin", pd.Series(np.tile([0, 1, 2], len(hours))))
    assert (found.to_numpy() == beside.tz_convert(None).to_numpy()).all()
    turned = pd.Series(np.where(np.arange(len(beside)) % 3 == 2, beside[::-1].tz_localize(None), wall.to_numpy()))
    found = to_utc(turned, "Europe/Berlin", pd.Series(np.tile([0, 1, 2], len(hours))))  # the third goes the other way
    assert (found.to_numpy()[2::3] == hours[::-1].tz_convert(None).to_numpy()).all()
    minutes = pd.date_range("2023-10-29 00:00", "2023-10-29 06:00", freq="min", tz="Europe/Berlin")
    events = minutes[np.sort(np.random.default_rng(0).integers(0, len(minutes), 5 * len(minutes)))][::-1]
    wall = pd.Series(events.tz_localize(None))
    found = to_utc(wall, "Europe/Berlin", pd.Series(0, index=wall.index))
    assert (found.to_numpy() == events.tz_convert(None).to_numpy()).all()


def test_twins_may_stand_beside_each_other_and_one_be_missing() -> None:
    index = pd.date_range("2023-10-28", "2023-10-30", freq="15min", tz="Europe/Berlin")
    wall = pd.Series(np.sort(index.tz_localize(None).delete(101).to_numpy()))
    found = to_utc(wall, "Europe/Berlin", pd.Series(0, index=wall.index))
    assert found.nunique() == len(index) - 1


def test_a_day_may_begin_at_one(write: Callable[..., Path]) -> None:
    """In Cairo the clock skips a midnight: days with offsets are days nevertheless, and forecast as such."""
    zone = "Africa/Cairo"
    index = pd.date_range("2024-02-01", "2024-06-01", freq="D").tz_localize(zone, nonexistent="shift_forward")
    cells = [colon(cell) for cell in index.strftime("%Y-%m-%dT%H:%M:%S%z")]
    table = read_training(write(csv(cells)), DataSpec(tz=zone))
    assert "2024-04-26T01:00:00+03:00" in cells
    assert (table.schema.frequency.alias, table.mended) == ("D", ())
    assert table.schema.time.write(table.times) == {"time": cells}
    until = cells.index("2024-04-26T01:00:00+03:00") + 1
    recent = read_recent(write(csv(cells[:until]), name="recent.csv"), table.schema, 20)
    assert (recent.times == table.times[until - 20 : until]).all()
    clock = [cell[:16].replace("T", " ") for cell in cells]  # as pandas writes them without the offset
    alike = read_training(write(csv(clock), name="clock.csv"), DataSpec(tz=zone))
    assert (alike.times == table.times).all()
    assert alike.mended == ()
    assert alike.schema.time.write(alike.times) == {"time": clock}


@pytest.mark.parametrize("written", ["offset", "clock", "epoch"])
def test_days_made_of_a_day_of_25_hours_need_no_sorting(write: Callable[..., Path], written: str) -> None:
    index = pd.date_range("2023-10-01", "2023-11-15", freq="37min", tz="Europe/Berlin", inclusive="left")
    cells = {
        "offset": [colon(cell) for cell in index.strftime(f"{PLAIN}%z")],
        "clock": list(index.strftime(PLAIN)),
        "epoch": [str(moment // 10**9) for moment in index.as_unit("ns").asi8],
    }[written]
    path = write(csv(cells))
    expected = pd.Series(np.arange(len(cells)) % 24 + 0.5, index=index).resample("D").sum()
    table = read_training(path, DataSpec(tz="Europe/Berlin", freq="D", agg="sum", strict=True))
    assert table.values[:, 0] == pytest.approx(expected.to_numpy())
    turned = write(csv(cells[::-1]), name="turned.csv")
    told = read_training(turned, DataSpec(tz="Europe/Berlin", freq="D", agg="sum")).mended
    assert [each.what for each in told] == ["rows newest first, turned"]


@pytest.mark.parametrize("agg", ["none", "mean"])
@pytest.mark.parametrize("freq", ["ns", "1500ns", "us", "99999999999D", "9999999YE"])
def test_a_step_that_can_not_be_is_refused(write: Callable[..., Path], freq: str, agg: str) -> None:
    path = write(csv(list(pd.date_range("2023-03-01", periods=99, freq="h").strftime(PLAIN))))
    with pytest.raises(UsageError, match=f"--freq {freq}"):
        read_training(path, DataSpec(freq=freq, agg=agg))


def test_a_time_that_never_was_is_an_error_with_its_line(write: Callable[..., Path]) -> None:
    cells = list(pd.date_range("2023-03-20", "2023-04-05", freq="h").strftime(PLAIN))
    line = cells.index("2023-03-26 02:00") + 2
    with pytest.raises(
        DataError, match=rf"line {line}, column 'time': '2023-03-26 02:00:00' was skipped by the clocks of"
    ):
        read_training(write(csv(cells)), DataSpec(tz="Europe/Berlin"))


def test_a_zone_that_is_none_or_rows_without_dates_are_refused(write: Callable[..., Path]) -> None:
    dated = csv(list(pd.date_range("2023-03-01", periods=99, freq="h").strftime(PLAIN)))
    with pytest.raises(UsageError, match="Did you mean 'Europe/Berlin'"):
        read_training(write(dated), DataSpec(tz="Europe/Berln"))
    with pytest.raises(UsageError, match="--tz localtime: no such time zone"):  # nor that of whichever machine
        read_training(write(dated), DataSpec(tz="localtime"))
    with pytest.raises(UsageError, match="--tz needs dates"):
        read_training(write("y\n" + "\n".join(map(str, range(50)))), DataSpec(tz="Europe/Berlin"))
