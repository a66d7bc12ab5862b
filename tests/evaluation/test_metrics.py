"""Metrics against loops written from their definitions, and against the laws they obey."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cnnlstm_cli.evaluation.metrics import (
    coverage,
    interval_score,
    mae,
    mase,
    msis,
    naive_scale,
    pinball,
    rmse,
    smape,
    wape,
)

PAIR = st.integers(1, 6).flatmap(
    lambda n: st.tuples(*(arrays(np.float64, (n, 3), elements=st.floats(-1e3, 1e3)) for _ in range(2)))
)


@given(PAIR)
def test_against_loops(pair):
    forecast, actual = pair
    errors = [f - a for row_f, row_a in zip(forecast, actual, strict=True) for f, a in zip(row_f, row_a, strict=True)]
    assert mae(forecast, actual) == pytest.approx(math.fsum(abs(e) for e in errors) / len(errors))
    assert rmse(forecast, actual) == pytest.approx(math.sqrt(math.fsum(e * e for e in errors) / len(errors)))


@given(PAIR)
def test_a_perfect_forecast_scores_0_and_rmse_is_never_below_mae(pair):
    forecast, actual = pair
    assert mae(actual, actual) == rmse(actual, actual) == 0
    assert rmse(forecast, actual) >= mae(forecast, actual) - 1e-9


@given(PAIR, st.floats(0.1, 10))
def test_mase_does_not_change_with_the_unit(pair, unit):
    forecast, actual = pair
    scale = np.full(len(actual), 2.0)
    assert mase(forecast * unit, actual * unit, scale * unit) == pytest.approx(mase(forecast, actual, scale))


def test_mase_of_the_naive_forecast_in_sample_is_1():
    rows = np.random.default_rng(0).standard_normal(50).cumsum()
    assert mase(rows[:-7, None], rows[7:, None], np.full(43, naive_scale(rows, 7))) == pytest.approx(1)


def test_series_that_never_change_are_passed_over_in_mase():
    forecast, actual = np.array([[1.0], [9.0]]), np.array([[3.0], [0.0]])
    assert mase(forecast, actual, np.array([2.0, 0.0])) == 1.0
    assert math.isnan(mase(forecast, actual, np.zeros(2)))


def test_missing_actuals_are_passed_over():
    forecast, actual = np.array([[1.0, 5.0]]), np.array([[2.0, np.nan]])
    assert mae(forecast, actual) == 1.0
    assert smape(forecast, actual) == pytest.approx(200 / 3)
    assert wape(forecast, actual) == 50.0
    assert math.isnan(mae(forecast, np.full((1, 2), np.nan)))


@given(PAIR)
def test_percentage_errors_against_loops(pair):
    forecast, actual = pair
    flat = list(zip(forecast.ravel().tolist(), actual.ravel().tolist(), strict=True))
    shares = [0.0 if f == a == 0 else abs(f - a) / (abs(f) + abs(a)) for f, a in flat]
    assert smape(forecast, actual) == pytest.approx(200 * math.fsum(shares) / len(flat))
    assert 0 <= smape(forecast, actual) <= 200 + 1e-9
    total = math.fsum(abs(a) for _, a in flat)
    if total > 1e-6:
        assert wape(forecast, actual) == pytest.approx(100 * math.fsum(abs(f - a) for f, a in flat) / total)


def test_zeros_in_the_denominators_do_what_is_said():
    zeros = np.zeros((1, 2))
    assert smape(zeros, zeros) == 0
    assert smape(np.array([[1.0, 0.0]]), zeros) == 100
    assert math.isnan(wape(np.ones((1, 2)), zeros))


def test_interval_scores_by_hand():
    """Width 4; inside costs nothing more, 1 outside costs 2 / (1 - .8) = 10 of it."""
    low, high = np.full((1, 4), -2.0), np.full((1, 4), 2.0)
    actual = np.array([[0.0, 2.0, 3.0, -2.5]])
    assert interval_score(low, high, actual, 80)[0] == pytest.approx([4, 4, 4 + 10, 4 + 5])
    assert msis(low, high, actual, 80, np.array([2.0])) == pytest.approx((4 + 4 + 14 + 9) / 4 / 2)
    assert coverage(low, high, actual) == 50.0


def test_intervals_of_missing_actuals_and_of_series_that_never_change_are_passed_over():
    low, high = np.full((2, 2), -1.0), np.ones((2, 2))
    actual = np.array([[0.5, np.nan], [9.0, 0.0]])
    assert coverage(low, high, actual) == pytest.approx(200 / 3)
    assert msis(low, high, actual, 95, np.array([4.0, 0.0])) == pytest.approx(2 / 4)
    assert math.isnan(coverage(low, high, np.full((2, 2), np.nan)))
    assert math.isnan(msis(low, high, actual, 95, np.zeros(2)))


@given(arrays(np.float64, 400, elements=st.floats(-50, 50)), st.sampled_from([50.0, 80.0, 95.0]))
def test_no_interval_of_a_level_scores_better_than_that_of_its_quantiles(actual, level):
    """Why the score judges width and coverage together (Gneiting and Raftery 2007)."""

    def mean(low: float, high: float) -> float:
        return float(interval_score(np.array(low), np.array(high), actual, level).mean())

    low, high = np.quantile(actual, [(1 - level / 100) / 2, (1 + level / 100) / 2], method="inverted_cdf")
    best = mean(low, high)
    for shift, wider in ((1, 0), (-1, 0), (0, 1), (0, -0.4)):
        some = wider * (high - low + 1) / 2
        if high - low + 2 * some >= 0:
            assert mean(low + shift - some, high + shift + some) >= best - 1e-9


def test_pinball_by_hand_and_as_the_interval_score_has_it():
    actual = np.array([[3.0, -1.0, np.nan]])
    assert pinball(np.zeros((1, 3)), actual, 0.9) == pytest.approx((0.9 * 3 + 0.1 * 1) / 2)
    low, high, came = np.array([[-1.0]]), np.array([[2.0]]), np.array([[2.5]])
    both = pinball(low, came, 0.1) + pinball(high, came, 0.9)
    assert 2 / 0.2 * both == pytest.approx(float(interval_score(low, high, came, 80)[0, 0]))
