"""--agg: rows at any times, one a step, beside pandas' own resampling."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlstm_cli.errors import DataError, UsageError
from cnnlstm_cli.series.cleaning import Block
from cnnlstm_cli.series.frequency import Frequency
from cnnlstm_cli.series.reader import read_recent, read_training
from cnnlstm_cli.series.resampling import BEGUN, EMPTY, resampled
from cnnlstm_cli.specs import DataSpec

EVERY = 600.0  # seconds


def irregular(days: int, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    seconds = np.cumsum(random.exponential(EVERY, int(days * 86_400 / EVERY)))
    stamps = pd.Timestamp("2024-01-01 00:20") + pd.to_timedelta(seconds.round(), unit="s")
    return pd.DataFrame({"time": stamps, "y": random.normal(10, 2, len(stamps)).round(3)})


@pytest.mark.parametrize("how", ["mean", "sum", "min", "max", "last"])
@pytest.mark.parametrize("alias", ["h", "3h", "D", "W-SUN"])
def test_it_is_what_pandas_makes_of_it(write: Callable[..., Path], how: str, alias: str) -> None:
    frame = irregular(40)
    table = read_training(write(frame.to_csv(index=False)), DataSpec(freq=alias, agg=how))
    expected = frame.set_index("time")["y"].resample(alias).agg(how)
    expected = expected.iloc[1:-1] if len(table.times) == len(expected) - 2 else expected.iloc[1:]
    assert (table.times == expected.index.to_numpy()).all()
    assert table.values[:, 0] == pytest.approx(expected.interpolate().to_numpy())
    assert table.schema.frequency.alias == alias


def test_a_friday_is_over_though_the_next_business_day_is_not_the_next():
    days = pd.date_range("2024-07-01", "2024-08-30 23:30", freq="30min")
    frame = pd.DataFrame({"time": days[days.day_of_week < 5]}).assign(y=lambda f: np.arange(len(f)) % 48 + 0.5)
    table = read_training(frame, DataSpec(freq="B", agg="sum"))
    assert (str(table.times[-1])[:10], table.mended) == ("2024-08-30", ())
    begun = read_training(frame[:-10], DataSpec(freq="B", agg="sum"))
    assert str(begun.times[-1])[:10] == "2024-08-29"
    weekends = pd.DataFrame({"time": days}).assign(y=1.0)
    assert str(read_training(weekends, DataSpec(freq="B", agg="sum")).times[-1])[:10] == "2024-08-29", (
        "goes on to Sunday"
    )


def test_a_step_that_is_there_in_part_does_not_count(write: Callable[..., Path]) -> None:
    stamps = pd.date_range("2024-01-01 10:15", "2024-01-20 14:30", freq="15min")
    frame = pd.DataFrame({"time": stamps, "kwh": 1.0 + stamps.hour})
    table = read_training(write(frame.to_csv(index=False)), DataSpec(freq="h", agg="sum"))
    assert table.times[0] == np.datetime64("2024-01-01 11:00")
    assert table.times[-1] == np.datetime64("2024-01-20 13:00")
    assert (table.values[:, 0] == 4.0 * (1 + pd.DatetimeIndex(table.times).hour)).all()
    assert table.mended_counts() == {BEGUN: 3 + 3}
    whole = frame[: -3 + len(frame)]
    table = read_training(write(whole.to_csv(index=False)), DataSpec(freq="h", agg="sum"))
    assert table.times[-1] == np.datetime64("2024-01-20 13:00")
    assert table.mended_counts() == {BEGUN: 3}


def test_events_have_steps_of_nothing_and_measurements_holes(write: Callable[..., Path]) -> None:
    frame = irregular(60)
    quiet = frame[~frame["time"].dt.hour.isin([2, 3])]
    table = read_training(write(quiet.to_csv(index=False)), DataSpec(freq="h", agg="sum"))
    hours = pd.DatetimeIndex(table.times).hour
    assert (table.values[np.isin(hours, [2, 3]), 0] == 0).all()
    assert table.mended_counts()[EMPTY] >= 2 * 59
    stamps = pd.date_range("2024-01-01", periods=96 * 60, freq="15min")
    measured = pd.DataFrame({"time": stamps, "y": 2.0})[~stamps.hour.isin([2, 3])]
    table = read_training(write(measured.to_csv(index=False)), DataSpec(freq="h", agg="sum"))
    assert (table.values == 8).all()
    assert table.mended_counts()["missing rows"] == 2 * 60


def test_a_run_brings_new_rows_to_its_step_too(write: Callable[..., Path]) -> None:
    frame = irregular(40)
    path = write(frame.to_csv(index=False))
    table = read_training(path, DataSpec(freq="h", agg="mean"))
    recent = read_recent(path, table.schema, 48)
    assert (recent.times == table.times[-48:]).all()
    assert recent.values == pytest.approx(table.values[-48:])


def test_hours_are_those_of_the_clock(write: Callable[..., Path]) -> None:
    stamps = pd.date_range("2024-01-01 00:05", periods=24 * 6 * 10, freq="10min")
    frame = pd.DataFrame({"time": stamps.strftime("%Y-%m-%d %H:%M"), "y": stamps.hour})
    table = read_training(write(frame.to_csv(index=False)), DataSpec(freq="h", agg="mean", tz="Asia/Kolkata"))
    assert table.schema.time.write(table.times[:2]) == {"time": ["2024-01-01 00:00", "2024-01-01 01:00"]}
    assert (table.values[:, 0] == np.arange(len(table.values)) % 24).all()


def test_rows_of_one_time_are_part_of_their_step(write: Callable[..., Path]) -> None:
    stamps = pd.date_range("2024-01-01", periods=100, freq="D").repeat(3)
    frame = pd.DataFrame({"day": stamps, "orders": 1 + np.arange(300) % 3})
    table = read_training(write(frame.to_csv(index=False)), DataSpec(freq="D", agg="sum"))
    assert (table.values == 6).all()
    assert len(table.values) == 100
    assert table.mended == ()


def test_whole_numbers_have_steps_as_well(write: Callable[..., Path]) -> None:
    frame = pd.DataFrame({"step": np.arange(1, 1001), "y": np.arange(1, 1001) // 10})
    table = read_training(write(frame.to_csv(index=False)), DataSpec(freq="10", agg="last", time=("step",)))
    assert table.times[0] == 10
    assert (table.values[:, 0] == table.times // 10).all()


def test_it_needs_a_step_and_a_time(write: Callable[..., Path]) -> None:
    path = write(irregular(9).to_csv(index=False))
    with pytest.raises(UsageError, match="--agg mean brings rows to the step of --freq"):
        read_training(path, DataSpec(agg="mean"))
    with pytest.raises(UsageError, match="leave out --doubled"):
        read_training(path, DataSpec(agg="mean", freq="h", doubled="sum"))
    with pytest.raises(DataError, match="--freq h --agg mean"):
        read_training(path, DataSpec())


@settings(max_examples=100)
@given(
    seconds=st.lists(st.integers(0, 400_000), min_size=3, max_size=60, unique=True),
    alias=st.sampled_from(["h", "D", "W-SUN", "MS", "ME", "B", "7h"]),
)
def test_a_sum_loses_and_doubles_nothing_but_what_it_says(seconds: list[int], alias: str) -> None:
    times = np.datetime64("2024-02-26", "us") + np.sort(seconds) * np.timedelta64(1, "s")
    values = np.arange(1.0, len(times) + 1)[:, None]
    block = Block(times, values, np.empty((len(times), 0)))
    made, mended = resampled(block, [], Frequency(alias), "sum", lambda each: each)
    unused = sum(each.count for each in mended if each.what == BEGUN)
    total = float(np.nansum(made.values))
    assert np.isclose(total, values.sum()) if not unused else 0 < total < values.sum()
    assert (np.diff(made.times).astype(int) > 0).all()
