"""Seasons: those that are there are found, those that are not are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cnnlstm_cli.series.reader import read_training
from cnnlstm_cli.series.season import default_horizon, find_seasons
from cnnlstm_cli.specs import DataSpec
from tests import SAMPLES

RANDOM = np.random.default_rng(0)
HOUR = np.arange(24 * 7 * 8)
DAILY = np.sin(2 * np.pi * HOUR / 24)
WEEKLY = np.where(HOUR // 24 % 7 < 5, 1.0, -1.0)
NOISE = RANDOM.standard_normal(len(HOUR))


def seasons(values, freq="h") -> tuple[int, ...]:
    index = pd.date_range("2024-01-01", periods=len(values), freq=freq)
    return find_seasons(read_training(pd.DataFrame({"y": values}, index=index), DataSpec()))


@pytest.mark.parametrize(
    ("values", "found"),
    [
        pytest.param(DAILY + 0.3 * NOISE, (24,), id="a day"),
        pytest.param(DAILY + WEEKLY + 0.3 * NOISE, (24, 168), id="a day and a week"),
        pytest.param(NOISE, (), id="noise"),
        pytest.param(np.cumsum(NOISE), (), id="a random walk"),
        pytest.param(HOUR * 1.5 + 0.01 * HOUR**2, (), id="a trend"),
        pytest.param(DAILY + 0.05 * HOUR + 0.3 * NOISE, (24,), id="a day on a trend"),
    ],
)
def test_suggested_seasons_are_checked_against_the_data(values, found):
    assert seasons(values) == found


@pytest.mark.parametrize("period", [7, 24, 50])
def test_without_dates_the_season_is_searched(period):
    wave = np.sin(2 * np.pi * np.arange(1000) / period) + 0.1 * RANDOM.standard_normal(1000)
    assert find_seasons(read_training(pd.DataFrame({"y": wave}), DataSpec())) == (period,)


def test_without_dates_a_random_walk_has_none():
    walk = np.cumsum(np.random.default_rng(5).standard_normal(2000))
    assert find_seasons(read_training(pd.DataFrame({"y": walk}), DataSpec())) == ()


@pytest.mark.parametrize(
    ("name", "options", "found", "horizon"),
    [
        ("bike_hour.csv", {"target": ("cnt",)}, (24, 168), 24),
        ("air_passengers.csv", {}, (12,), 12),
        ("seattle_weather.csv", {}, (365,), 14),
    ],
)
def test_sample_files(name, options, found, horizon):
    table = read_training(SAMPLES / name, DataSpec(**options))
    assert find_seasons(table) == found
    assert default_horizon(table.schema.frequency, found) == horizon
