"""What the network is told of a time: the same at the same place of a day, week or year, however it is reached."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlstm_cli.series.calendar import Calendar, features, suggested
from cnnlstm_cli.series.frequency import Frequency

STAMPS = st.datetimes(pd.Timestamp("1950-01-01"), pd.Timestamp("2090-01-01"))


def times(*stamps: object) -> np.ndarray:
    return pd.DatetimeIndex(stamps).to_numpy().astype("datetime64[us]")


@given(STAMPS, st.integers(1, 60))
def test_the_same_time_of_day_and_weekday_are_told_alike(stamp, weeks):
    here, there = features(times(stamp, stamp + pd.Timedelta(weeks=weeks)), "day+week")
    np.testing.assert_allclose(here, there, atol=1e-5)
    assert np.sum(here[4:]) == 1
    assert here[4 + stamp.weekday()] == 1


@given(STAMPS)
def test_six_hours_are_a_quarter_of_a_turn(stamp):
    here, later = features(times(stamp, stamp + pd.Timedelta(hours=6)), "day")
    np.testing.assert_allclose([later[0], later[2]], [here[2], -here[0]], atol=1e-5)
    np.testing.assert_allclose(later[[1, 3]], -here[[1, 3]], atol=1e-5)


def test_a_day_of_the_year_is_told_by_sine_and_cosine():
    found = features(times("2023-01-01", "2023-07-02 14:00", "2024-01-01"), "year")
    np.testing.assert_allclose(found[0], [0, 0, 1, 1], atol=1e-6)
    np.testing.assert_allclose(found[1], [0, 0, -1, 1], atol=0.03)
    np.testing.assert_allclose(found[2], found[0], atol=1e-6)


def test_parts_stand_side_by_side_whatever_the_shape():
    grid = times(*pd.date_range("2024-02-28", periods=6, freq="7h")).reshape(2, 3)
    told = features(grid, "day+week+year")
    assert told.shape == (2, 3, 4 + 7 + 4)
    assert told.dtype == np.float32
    np.testing.assert_array_equal(told[1, 2], features(grid[1, 2:], "day+week+year")[0])


@pytest.mark.parametrize(
    ("alias", "rows", "expected"),
    [
        ("h", 3_000, "day+week"),
        ("h", 20_000, "day+week+year"),
        ("15min", 500, "day+week"),
        ("D", 500, "week"),
        ("D", 1_461, "week+year"),
        ("B", 300, "week"),
        ("W-SUN", 60, "none"),
        ("W-SUN", 200, "year"),
        ("MS", 144, "year"),
        ("3MS", 80, "none"),
    ],
)
def test_what_the_step_and_the_span_allow(alias, rows, expected):
    index = pd.date_range("2010-01-03", periods=rows, freq=alias).to_numpy()
    assert suggested(Frequency(alias), index[0], index[-1]) == expected


def test_counted_rows_have_no_calendar():
    assert suggested(Frequency("1"), np.int64(1), np.int64(9)) == "none"


@given(season=st.integers(1, 9), horizon=st.integers(1, 12), rows=st.integers(30, 60), seed=st.integers(0, 99))
def test_a_step_ahead_is_told_its_covariates_and_what_was_at_its_place_of_the_season(season, horizon, rows, seed):
    random = np.random.default_rng(seed)
    covariates = random.normal(size=(rows, 4)).astype(np.float32)
    roles = ("past", "known", "static", "past")
    calendar = Calendar(np.arange(rows), "none", covariates, roles, season)
    first = random.integers(12, rows - horizon + 1, 5)
    told = calendar.ahead(calendar.features(), first + rows * random.integers(0, 3, 5), horizon)
    assert told.shape == (5, horizon, calendar.width)
    for number, start in enumerate(first):
        for step in range(horizon):
            there = next(row for row in range(start + step, -1, -season) if row < start)
            expected = [
                covariates[start + step, 2],
                covariates[start + step, 1],
                covariates[start + step, 1] - covariates[there, 1],
                *covariates[there, [0, 3]],
                *covariates[start - 1, [0, 3]],
            ]
            np.testing.assert_allclose(told[number, step], expected, rtol=1e-6)


@given(seed=st.integers(0, 99), season=st.integers(1, 9))
def test_the_future_of_a_past_covariate_is_not_told(seed, season):
    random = np.random.default_rng(seed)
    covariates = random.normal(size=(40, 2)).astype(np.float32)
    other = covariates.copy()
    other[25:, 1] = random.normal(size=15)
    made = [
        Calendar(np.arange(40), "none", each, ("known", "past"), season).ahead(
            Calendar(np.arange(40), "none", each, ("known", "past"), season).features(), np.array([25]), 8
        )
        for each in (covariates, other)
    ]
    np.testing.assert_array_equal(*made)
