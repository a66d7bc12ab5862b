"""Which forecasts are averaged: all that the validation rows do not speak clearly against; and with what weights."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from cnnlstm_cli.network.choose import BELIEVED, best, chosen, weighed
from cnnlstm_cli.series.windows import apart

HORIZON = 5
STARTS = np.arange(0, 4_000, HORIZON)  # no two of them overlap


@pytest.fixture
def came(random: np.random.Generator) -> np.ndarray:
    return random.normal(size=(len(STARTS), HORIZON, 1)).astype(np.float32)


def off(came: np.ndarray, random: np.random.Generator, deviation: float) -> np.ndarray:
    return (came + random.normal(0, deviation, came.shape)).astype(np.float32)


def test_forecasts_that_are_as_good_are_all_averaged(came, random):
    alike = [off(came, random, 1.0) for _ in range(4)]
    assert chosen(alike, came, STARTS) == [0, 1, 2, 3]


def test_what_makes_the_average_worse_is_left_out_the_worst_first(came, random):
    forecasts = [off(came, random, deviation) for deviation in (0.3, 9.0, 0.3, 5.0)]
    assert chosen(forecasts, came, STARTS) == [0, 2]
    assert chosen([forecasts[1], forecasts[3] * 100], came, STARTS) == [0]


def test_windows_that_overlap_are_no_evidence_each_for_itself(came, random):
    """A forecast that is worse in one stretch of time, seen by many windows of it, is not left out for that."""
    good, bad = off(came, random, 0.5), off(came, random, 3.0)
    one_stretch = np.zeros(len(STARTS), dtype=np.int64) + np.arange(len(STARTS)) % HORIZON
    assert chosen([good, bad], came, one_stretch) == [0, 1]
    assert chosen([good, bad], came, STARTS) == [0]


def test_a_little_worse_is_within_doubt_with_few_windows_and_not_with_many(random):
    came = np.zeros((2_000, HORIZON, 1), dtype=np.float32)
    forecasts = [off(came, random, 1.0), off(came, random, 1.0) + 1.8]
    starts = np.arange(2_000) * HORIZON
    few = slice(0, 4)
    assert chosen([each[few] for each in forecasts], came[few], starts[few]) == [0, 1]
    assert chosen(forecasts, came, starts) == [0]


@pytest.mark.parametrize("count", [2, 3, 5, 40])
def test_weights_are_those_of_a_mean(came, random, count):
    weights = weighed([off(came, random, deviation) for deviation in random.uniform(0.1, 3, count)], came, STARTS)
    assert weights.shape == (count,)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()


def test_the_best_weights_are_those_by_which_errors_cancel(random):
    """Absolute errors of bells are least where their variance is: weights as 1 / variance (Bates and Granger 1969)."""
    came = np.zeros((20_000, 1, 1), dtype=np.float32)
    forecasts = [off(came, random, deviation) for deviation in (1.0, 2.0)]
    np.testing.assert_allclose(best(forecasts, came), [0.8, 0.2], atol=0.051)


def test_few_windows_leave_the_weights_near_equal_ones_and_many_do_not(random):
    came = np.zeros((4_000, HORIZON, 1), dtype=np.float32)
    forecasts = [off(came, random, deviation) for deviation in (1.0, 2.0)]
    starts, few = np.arange(4_000) * HORIZON, slice(0, 2)
    trust = 2 / (2 + BELIEVED)
    weights = weighed([each[few] for each in forecasts], came[few], starts[few])
    assert abs(weights[0] - 0.5) <= trust / 2 + 1e-9
    np.testing.assert_allclose(weighed(forecasts, came, starts), [0.8, 0.2], atol=0.06)


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
