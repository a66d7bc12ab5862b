"""Intervals of learnt quantiles: stretched until they hold what they promise, nested, around the forecast."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cnnlstm_cli.evaluation.conformal import wider
from cnnlstm_cli.evaluation.quantiles import NARROWEST, from_dict, nested, shares, stretched, stretches, to_dict

H = 4


def test_the_shares_are_the_tails_of_the_levels():
    assert shares((95, 80, 95)) == pytest.approx((0.025, 0.1, 0.9, 0.975))
    assert shares((50,)) == pytest.approx((0.25, 0.75))


@pytest.mark.parametrize(("windows", "level"), [(50, 80.0), (50, 95.0), (9, 80.0), (9, 95.0)])
def test_the_stretch_is_that_of_the_scores_of_the_paper(windows, level):
    """E = max(low - came, came - high) / (high - low), of which the ceil((n + 1) level)-th is added at either end."""
    random = np.random.default_rng(windows)
    low = random.normal(-1, 0.2, (windows, 1))
    high = low + random.uniform(0.5, 3, (windows, 1))
    came = random.normal(0, 2, (windows, 1))
    scores = sorted(
        max(a - y, y - b) / (b - a) for a, b, y in zip(low.ravel(), high.ravel(), came.ravel(), strict=True)
    )
    place = min(windows, math.ceil((windows + 1) * level / 100))
    found = stretches(np.stack([low, high]), came, (level,), np.arange(windows))
    assert found[level] == pytest.approx((1 + 2 * scores[place - 1]) * wider((1 + level / 100) / 2, windows))
    ((lower, upper),) = stretched(np.stack([low, high]), np.full((1, windows, 1), 1 + 2 * scores[place - 1]))
    np.testing.assert_allclose(lower, low - scores[place - 1] * (high - low))
    np.testing.assert_allclose(upper, high + scores[place - 1] * (high - low))


def test_windows_that_overlap_count_once_and_few_are_trusted_less():
    random = np.random.default_rng(0)
    came, learnt = random.standard_normal((400, H)), np.stack([np.full((400, H), -1.0), np.full((400, H), 1.0)])
    apart = stretches(learnt, came, (80,), np.arange(400) * H)[80]
    close = stretches(learnt, came, (80,), np.arange(400) // 100)[80]
    assert apart == pytest.approx(1.2816, rel=0.05)  # of the standard normal distribution
    assert close > 1.3 * apart


def test_what_did_not_come_is_passed_over():
    random = np.random.default_rng(1)
    came, learnt = random.standard_normal((60, H)), np.sort(random.standard_normal((4, 60, H)), axis=0)
    starts = np.arange(60) * H
    holes = np.where(np.arange(H) == 2, np.nan, came)
    without = stretches(np.delete(learnt, 2, axis=2), np.delete(came, 2, axis=1), (80, 95), np.arange(60) * (H - 1))
    assert stretches(learnt, holes, (80, 95), starts) == pytest.approx(without, rel=0.02)


def test_they_cover_what_they_promise_where_the_network_errs_and_stay_narrow_where_it_was_quiet():
    """Its quantiles are half as wide as they should be at every row, and cross at some."""
    random, rows = np.random.default_rng(2), 4_000
    spread = np.where(random.random((rows, H)) < 0.5, 0.1, 2.0)
    came = random.standard_normal((rows, H)) * spread
    learnt = np.stack([spread * z / 2 for z in (-1.96, -1.2816, 1.2816, 1.96)])
    learnt[:2, ::7], learnt[2:, ::7] = learnt[2:, ::7].copy(), learnt[:2, ::7].copy()
    half = rows // 2
    found = stretches(learnt[:, :half], came[:half], (80, 95), np.arange(half) * H)
    assert found == pytest.approx({80: 2, 95: 2}, rel=0.06)
    by = np.array([found[80], found[95]])[:, None, None]
    for level, (low, high) in zip((80, 95), stretched(learnt[:, half:], by), strict=True):
        inside = (came[half:] >= low) & (came[half:] <= high)
        quiet = spread[half:] == 0.1
        for where in (quiet, ~quiet):
            assert 100 * inside[where].mean() == pytest.approx(level, abs=2)
        assert (high - low)[quiet].max() < (high - low)[~quiet].min() / 10


def test_an_interval_of_no_width_is_widened_before_it_is_stretched():
    learnt = np.zeros((2, 1, H))
    ((low, high),) = stretched(learnt, np.full((1, 1, 1), 3.0))
    np.testing.assert_allclose((low, high), (np.full((1, H), -1.5 * NARROWEST), np.full((1, H), 1.5 * NARROWEST)))


NUMBERS = st.floats(-1e6, 1e6)


@settings(max_examples=50, deadline=None)
@given(
    arrays(np.float64, (6, 3, H), elements=NUMBERS),
    arrays(np.float64, (3, H), elements=NUMBERS),
    arrays(np.float64, (3, 1, 1), elements=st.floats(0, 50)),
)
def test_the_forecast_lies_in_each_and_each_in_the_wider(learnt, forecast, by):
    ends = nested(forecast, stretched(learnt, by))
    assert len(ends) == 3
    inner = forecast, forecast
    for low, high in ends:
        assert (low <= inner[0]).all()
        assert (high >= inner[1]).all()
        inner = low, high


def test_what_run_json_has_of_them_reads_back_and_nonsense_is_refused():
    facts = {"a": to_dict({80.0: 1.25, 99.5: 0.75}), "b": to_dict({80.0: 0.0, 99.5: 2.0})}
    np.testing.assert_array_equal(from_dict(facts, ("b", "a"), (80.0, 99.5)), [[0.0, 1.25], [2.0, 0.75]])
    for wrong in (-0.1, math.nan, math.inf, 1e13):
        with pytest.raises(ValueError, match="no width, or of one beyond"):
            from_dict({"a": {"80": wrong}}, ("a",), (80.0,))
    with pytest.raises(KeyError):
        from_dict(facts, ("a",), (90.0,))
