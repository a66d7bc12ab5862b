"""Intervals: they hold what they promise on errors of any law, nest, and measure errors by how hard rows looked."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cnnlstm_cli.evaluation.conformal import EASIEST, WHOLE, Intervals, difficulty, difficulty_of
from cnnlstm_cli.series.windows import Windows

H = 6
LAWS = {
    "normal": lambda random, size: random.standard_normal(size),
    "skewed": lambda random, size: random.exponential(1.0, size) - 1,
    "heavy tails": lambda random, size: random.standard_t(3, size),
}


def by_hand(lookback: np.ndarray, season: int, step: int) -> float:
    """The difficulty of one step ahead of one lookback, row by row."""
    rows = len(lookback)
    count = (rows - season) // season
    place = [rows + step % season - season * back for back in range(1, count + 1)]
    own = np.mean([abs(lookback[p] - lookback[p - season]) for p in place])
    whole = np.mean([abs(lookback[p] - lookback[p - season]) for p in range(season, rows)])
    return max(EASIEST, (count * own + WHOLE * whole) / (count + WHOLE))


@pytest.mark.parametrize(("rows", "seasons", "season"), [(40, (7, 28), 7), (13, (7,), 1), (40, (), 1), (28, (14,), 14)])
def test_difficulty_is_that_of_the_place_in_the_season(rows, seasons, season):
    lookbacks = np.random.default_rng(1).standard_normal((3, rows)).astype(np.float32)
    hard = difficulty(lookbacks, 20, seasons)
    for lookback, found in zip(lookbacks, hard, strict=True):
        assert found == pytest.approx([by_hand(lookback.astype(float), season, step) for step in range(20)], rel=1e-5)


def test_difficulty_of_a_constant_and_of_a_single_row():
    assert (difficulty(np.ones((2, 30)), 4, (7,)) == EASIEST).all()
    assert difficulty(np.ones((2, 1)), 4, ()).shape == (2, 4)


def test_difficulty_of_windows_is_that_of_their_lookbacks():
    values = np.random.default_rng(2).standard_normal((900, 1)).astype(np.float32)
    windows = Windows(values, 28, H, np.arange(5), np.arange(3, 860))
    lookbacks = np.stack([values[start : start + 28, 0] for start in windows.validation])
    np.testing.assert_array_equal(difficulty_of(windows, (7,)), difficulty(lookbacks, H, (7,)))


@pytest.mark.parametrize("law", LAWS)
def test_they_cover_what_they_promise_whatever_the_law(law):
    """Also where errors grow with the steps and with the difficulty."""
    random = np.random.default_rng(3)
    hard = random.uniform(0.5, 3, (4_000, H))
    errors = LAWS[law](random, hard.shape) * hard * np.arange(1, H + 1)
    made = Intervals.calibrated((errors / hard)[:2_000], (80, 95), np.arange(2_000) * H)
    for level in (80.0, 95.0):
        low, high = made.around(np.zeros_like(hard[2_000:]), hard[2_000:], level)
        inside = (errors[2_000:] >= low) & (errors[2_000:] <= high)
        assert 100 * inside.mean() == pytest.approx(level, abs=1.5)
        assert 100 * inside.mean(axis=0) == pytest.approx([level] * H, abs=5)


@pytest.mark.parametrize(
    ("level", "windows", "expected"), [(80, 2, 1.47), (95, 4, 1.42), (95, 30, 1.042), (80, 1, 2.2)]
)
def test_they_are_wider_as_students_quantiles_are(level, windows, expected):
    """Of errors whose windows overlap in so many groups; the ratios are those of printed tables, but for one window."""
    errors = np.random.default_rng(7).standard_normal((windows, 2_000))
    made = Intervals.calibrated(errors, (level,), np.arange(windows) * 2_000)
    size = np.quantile(np.abs(errors / made.profile), level / 100)
    assert made.ends[level][1] / size == pytest.approx(expected, rel=0.06)


def test_the_sign_of_few_windows_errors_is_not_believed():
    made = Intervals.calibrated(np.full((2, H), 3.0), (80,), np.array([0, H]))
    low, high = made.ends[80]
    assert low == -high < 0


def test_few_windows_make_wide_ones():
    """Of two windows that do not overlap an interval of 95 % holds every error there was."""
    errors = np.random.default_rng(4).standard_normal((2, H))
    made = Intervals.calibrated(errors, (95,), np.array([0, H]))
    low, high = made.around(np.zeros_like(errors), np.ones_like(errors), 95)
    assert ((errors >= low - 1e-9) & (errors <= high + 1e-9)).all()


@settings(max_examples=60, deadline=None)
@given(
    errors=arrays(float, (9, H), elements=st.floats(-1e3, 1e3, allow_subnormal=False)),
    levels=st.lists(st.floats(1, 99.9), min_size=1, max_size=4),
)
def test_the_forecast_lies_in_each_and_each_in_the_wider(errors, levels):
    made = Intervals.calibrated(errors, levels, np.arange(9))
    made.require(H, set(levels))
    ends = [made.around(np.zeros((1, H)), np.ones((1, H)), level) for level in sorted(set(levels))]
    for low, high in ends:
        assert (low <= 0).all()
        assert (high >= 0).all()
    for (low, high), (lower, higher) in itertools.pairwise(ends):
        assert (lower <= low).all()
        assert (higher >= high).all()


def test_it_reads_back_and_what_is_none_is_refused():
    errors = np.random.default_rng(5).standard_normal((50, H))
    errors[3, 2] = np.nan
    made = Intervals.calibrated(errors, (80, 99.5), np.arange(50))
    read = Intervals.from_dict(json.loads(json.dumps(made.to_dict())))
    np.testing.assert_allclose(read.profile, made.profile, rtol=1e-5)
    assert read.ends == made.ends
    for horizon, levels in ((H + 1, (80.0, 99.5)), (H, (80.0,))):
        with pytest.raises(ValueError, match="not as many"):
            read.require(horizon, levels)
    with pytest.raises(ValueError, match="no interval around 0"):
        Intervals(made.profile, {80.0: (1.0, 2.0)}).require(H, (80.0,))


@pytest.mark.parametrize("level", [50, 80, 95])
def test_over_many_repetitions_exchangeable_errors_are_covered_at_their_level(level):
    """At least, and by no more than one error in as many as there were, and one, on either side."""
    random, repetitions, known, new = np.random.default_rng(6), 400, 60, 20
    inside = 0
    for _ in range(repetitions):
        errors = random.exponential(1.0, (known + new, 1)) - 0.7
        made = Intervals.calibrated(errors[:known], (level,), np.arange(known))
        low, high = made.around(np.zeros((new, 1)), np.ones((new, 1)), level)
        inside += int(((errors[known:] >= low) & (errors[known:] <= high)).sum())
    share = inside / repetitions / new
    # the repetitions differ in what they were calibrated on, and so weigh less than their rows
    deviation = np.sqrt(level / 100 * (1 - level / 100) / repetitions * (1 / new + 1 / known))
    assert level / 100 - 3 * deviation <= share <= level / 100 + 2 / (known + 1) + 3 * deviation
