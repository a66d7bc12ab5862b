"""With what weights forecasts are averaged: by their errors where there are few windows, the best where many."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from cnnlstm_cli.network.choose import BELIEVED, best, by_error, weighed
from cnnlstm_cli.series.windows import apart

HORIZON = 5
STARTS = np.arange(0, 4_000, HORIZON)  # no two of them overlap


@pytest.fixture
def came(random: np.random.Generator) -> np.ndarray:
    return random.normal(size=(len(STARTS), HORIZON, 1)).astype(np.float32)


def off(came: np.ndarray, random: np.random.Generator, deviation: float) -> np.ndarray:
    return (came + random.normal(0, deviation, came.shape)).astype(np.float32)


def test_few_windows_weigh_forecasts_by_their_errors():
    """Half the error, sixteen times the weight."""
    came = np.zeros((400, HORIZON, 1), dtype=np.float32)
    forecasts = [np.full_like(came, error) for error in (2.0, 1.0, 2.0)]
    np.testing.assert_allclose(by_error(forecasts, came), np.array([1, 16, 1]) / 18)
    one_stretch, trust = np.arange(400) % HORIZON, 1 / (1 + BELIEVED)
    weights = weighed(forecasts, [], came, one_stretch)
    np.testing.assert_allclose(weights[[0, 2]], (1 - trust) / 18)


def test_what_has_next_to_no_weight_is_left_out(came, random):
    forecasts = [off(came, random, deviation) for deviation in (0.3, 9.0, 0.3, 5.0)]
    for starts in (STARTS, np.arange(len(STARTS)) % HORIZON):
        weights = weighed(forecasts, [], came, starts)
        assert weights[[1, 3]].tolist() == [0, 0]
        assert weights[[0, 2]] == pytest.approx(0.5, abs=0.06)


def test_a_forecast_without_error_is_taken_alone(came, random):
    weights = weighed([came, off(came, random, 0.1)], [came + 1], came, STARTS)
    np.testing.assert_allclose(weights, [1, 0, 0])


def test_naive_forecasts_have_a_say_where_windows_are_few(came, random):
    learnt, naive = [off(came, random, deviation) for deviation in (1.0, 1.1)], [off(came, random, 0.9)]
    few, many = (weighed(learnt, naive, came, starts) for starts in (np.arange(len(STARTS)) % HORIZON, STARTS))
    np.testing.assert_allclose(few[2], by_error([*learnt, *naive], came)[2], atol=1 / (1 + BELIEVED))
    assert many[2] == 0


def test_windows_that_overlap_are_no_evidence_each_for_itself(random):
    """Many windows of one stretch of time leave weights as one window would: near those by the errors."""
    came = np.zeros((800, HORIZON, 1), dtype=np.float32)
    forecasts = [off(came, random, deviation) for deviation in (1.0, 1.3)]
    together, apart_ = (weighed(forecasts, [], came, starts) for starts in (np.arange(800) % HORIZON, STARTS))
    np.testing.assert_allclose(together, by_error(forecasts, came), atol=1 / (1 + BELIEVED))
    np.testing.assert_allclose(apart_, best(forecasts, came), atol=0.02)


@pytest.mark.parametrize("count", [2, 3, 5, 40])
def test_weights_are_those_of_a_mean(came, random, count):
    forecasts = [off(came, random, deviation) for deviation in random.uniform(0.1, 3, count)]
    weights = weighed(forecasts[:1], forecasts[1:], came, STARTS)
    assert weights.shape == (count,)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()


def test_the_best_weights_are_those_by_which_errors_cancel(random):
    """Absolute errors of bells are least where their variance is: weights as 1 / variance (Bates and Granger 1969)."""
    came = np.zeros((20_000, 1, 1), dtype=np.float32)
    forecasts = [off(came, random, deviation) for deviation in (1.0, 2.0)]
    np.testing.assert_allclose(best(forecasts, came), [0.8, 0.2], atol=0.051)


def test_groups_are_runs_of_overlapping_windows_cut_every_horizon():
    starts = np.array([100, 101, 102, 103, 104, 105, 106, 400, 404, 405, 20])
    groups = apart(starts, 5)
    together = [starts[groups == group].tolist() for group in range(groups.max() + 1)]
    assert together == [[20], [100, 101, 102, 103, 104], [105, 106], [400, 404], [405]]


def test_groups_hold_windows_less_than_a_horizonapart(random):
    starts = np.unique(random.integers(0, 3_000, 700))
    shuffled = random.permutation(starts)
    for horizon in (1, 7, 24):
        groups = apart(shuffled, horizon)
        assert set(groups) == set(range(groups.max() + 1))
        for group in set(groups):
            assert np.ptp(shuffled[groups == group]) < horizon
        heads = sorted(shuffled[groups == group].min() for group in set(groups))
        assert all(late > early for early, late in itertools.pairwise(heads))
