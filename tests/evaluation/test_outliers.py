"""Planted outliers are found, and nothing else is: not noise, steps, swings, walks or classes."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlstm_cli.evaluation.outliers import deviations, limit
from tests import SAMPLES


def found(column: np.ndarray, seasons: tuple[int, ...] = ()) -> list[int]:
    return np.flatnonzero(np.abs(deviations(column, seasons)) > limit(len(column))).tolist()


def waves(rows: int, *seasons: int) -> np.ndarray:
    return sum((5 * np.sin(np.arange(rows) * 2 * np.pi / season) for season in seasons), np.arange(rows) / 100)


@pytest.mark.parametrize("count", [1_000, 17_544, 100_000, 1_000_000])
def test_beyond_the_limit_a_bell_has_a_tenth_of_a_row(count):
    assert count * math.erfc(limit(count) / math.sqrt(2)) == pytest.approx(0.1)
    assert limit(20) == 3.5


@pytest.mark.parametrize("seasons", [(), (7,), (24, 168)])
@pytest.mark.parametrize("seed", range(3))
def test_planted_outliers_are_found_and_no_others(seasons, seed):
    random = np.random.default_rng(seed)
    column, planted = waves(4000, *seasons) + random.normal(size=4000), [0, 517, 518, 2600, 3999]
    column[planted] += np.array([12, -12, -12, 15, 12])
    assert found(column, seasons) == planted
    assert np.sign(deviations(column, seasons)[planted]).tolist() == [1, -1, -1, 1, 1]


def test_a_deviation_is_one_of_the_noise():
    column = 3 * np.random.default_rng(6).normal(size=5000)
    column[2500] = 90
    assert deviations(column)[2500] == pytest.approx(30, rel=0.1)


@pytest.mark.parametrize(
    ("rows", "seasons"), [(20, ()), (60, ()), (500, ()), (500, (12,)), (150, (7,)), (3000, (24, 168))]
)
def test_noise_has_none_or_one(rows, seasons):
    random = np.random.default_rng(7)
    counts = [len(found(random.normal(size=rows), seasons)) for _ in range(40)]
    assert np.mean(counts) < 0.6
    assert np.mean(np.array(counts) > 1) <= 0.1


@pytest.mark.parametrize("slope", [1.0, 0.1, -1 / 3])
def test_a_straight_line_has_none_but_what_is_off_it(slope):
    line = 7 + slope * np.arange(300)
    assert found(line) == found(line, (12,)) == []
    line[[0, 150]] += 40
    assert found(line) == [0, 150]


def test_a_trend_has_none_at_its_ends():
    random, rows = np.random.default_rng(4), np.arange(300.0)
    assert np.mean([len(found(20 * rows + random.normal(size=300))) for _ in range(20)]) < 0.4
    assert found(rows**2) == found(150 - np.abs(rows - 150)) == found(np.sin(rows / 20)) == []


def test_walks_steps_and_swings_that_grow_have_none():
    random = np.random.default_rng(8)
    assert np.mean([len(found(random.normal(size=1000).cumsum())) for _ in range(30)]) < 0.3
    steps = np.repeat([0.0, 50.0, -30.0, 400.0], 100)
    assert found(steps + random.normal(size=400)) == []
    months = np.arange(240)
    growing = np.exp(months / 60 + 0.3 * np.sin(months * np.pi / 6) + random.normal(0, 0.03, 240))
    assert found(growing, (12,)) == []
    passengers = pd.read_csv(SAMPLES / "air_passengers.csv")["#Passengers"].to_numpy(dtype=float)
    assert found(passengers, (12,)) == []
    passengers[100] *= 3
    assert found(passengers, (12,)) == [100]


def test_classes_have_none_and_a_constant_has_its_one_spike():
    hours = np.arange(24 * 7 * 30)
    assert found(hours // 24 % 7.0, (24, 168)) == []
    assert found(hours // 700 % 12.0, (24, 168)) == []
    assert found((np.random.default_rng(9).random(5000) < 0.02).astype(float)) == []
    constant = np.full(200, 20.0)
    assert found(constant) == []
    constant[77] = 999
    assert found(constant) == [77]


def test_few_rows_have_none():
    assert found(np.array([1.0, 2.0, 900.0])) == []
    assert found(np.append(np.arange(18.0), 1e6)) == []
    assert len(deviations(np.empty(0))) == 0


def test_a_season_longer_than_the_rows_is_passed_over():
    column = np.random.default_rng(10).normal(size=60)
    column[30] = 40
    assert found(column, (200,)) == [30]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-50, 50), min_size=20, max_size=60), st.sampled_from([1e-90, 1e-3, 7.0, 1e90]))
def test_deviations_do_not_depend_on_the_unit(numbers, scale):
    column = np.array(numbers, dtype=float)
    plain, scaled = (np.abs(deviations(each, (7,))) for each in (column, scale * column))  # of a tie, either side
    np.testing.assert_allclose(scaled, plain, rtol=1e-6, atol=1e-6)
