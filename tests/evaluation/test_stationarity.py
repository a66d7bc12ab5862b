"""The KPSS test: its statistic from the paper's formulas by loops, and how often it is right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlstm_cli.evaluation.stationarity import kpss, level


def by_loops(column: list[float]) -> float:
    count = len(column)
    mean = sum(column) / count
    errors = [value - mean for value in column]
    lags = int(4 * (count / 100) ** 0.25)
    variance = sum(error**2 for error in errors) / count
    for lag in range(1, lags + 1):
        weight = 1 - lag / (lags + 1)
        variance += 2 / count * weight * sum(errors[t] * errors[t - lag] for t in range(lag, count))
    total, squares = 0.0, 0.0
    for error in errors:
        total += error
        squares += total**2
    return squares / count**2 / variance


@pytest.mark.parametrize("rows", [10, 99, 400])
def test_the_statistic_is_that_of_the_paper(rows):
    random = np.random.default_rng(rows)
    for column in (random.normal(size=rows), random.normal(size=rows).cumsum(), 50 + np.arange(rows) / 3.0**9):
        assert kpss(column) == pytest.approx(by_loops(column.tolist()), rel=1e-9)


def test_noise_passes_as_often_as_its_critical_values_say():
    random = np.random.default_rng(0)
    found = np.array([kpss(random.normal(size=500)) for _ in range(1000)])
    for share, critical in ((0.1, 0.347), (0.05, 0.463), (0.01, 0.739)):
        assert np.mean(found > critical) == pytest.approx(share, abs=3 * np.sqrt(share * (1 - share) / 1000))


@pytest.mark.parametrize(("rows", "least"), [(150, 0.7), (1000, 0.9), (50_000, 0.9)])
def test_a_random_walk_wanders_and_noise_does_not(rows, least):
    random = np.random.default_rng(rows)
    noise = random.normal(size=(40, rows))
    assert np.mean([level(kpss(walk)) == "wanders" for walk in noise.cumsum(axis=1)]) >= least
    assert np.mean([level(kpss(each)) == "steady" for each in noise]) >= 0.85


def test_many_rows_are_tested_as_their_means():
    column = np.random.default_rng(5).normal(size=1000).cumsum()
    assert kpss(np.repeat(column, 7)) == pytest.approx(kpss(column))


@pytest.mark.parametrize(
    ("statistic", "word"),
    [(0.0, "steady"), (0.463, "steady"), (0.5, "perhaps wanders"), (0.739, "perhaps wanders"), (0.74, "wanders")],
)
def test_the_words_change_at_five_and_at_one_percent(statistic, word):
    assert level(statistic) == word


@pytest.mark.parametrize("column", [np.arange(9.0), np.full(50, 0.1), np.full(5000, 1e99)])
def test_too_few_rows_and_constants_are_not_tested(column):
    assert kpss(column) is None


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-100, 100), min_size=12, max_size=40), st.floats(1e-3, 1e90), st.integers(-100, 100))
def test_the_statistic_does_not_depend_on_the_unit(numbers, scale, shift):
    column = np.array([*numbers, 0.0, 1.0])
    assert kpss(scale * (column + shift)) == pytest.approx(kpss(column), rel=1e-6)
