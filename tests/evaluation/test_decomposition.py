"""Strengths beside pandas by another route, beside closed forms, and the laws they keep."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlstm_cli.evaluation.decomposition import moving_average, season_strength, trend, without_seasons


def by_pandas(column: np.ndarray, season: int, shorter: tuple[int, ...] = ()) -> float:
    """The strength of a season: weights of a centred moving average, means by group, an adjusted R squared."""
    weights = np.ones(season) if season % 2 else np.convolve(np.ones(season), [0.5, 0.5])
    rest = pd.Series(column - np.convolve(column, weights / season, mode="same"))
    rest = rest.iloc[season // 2 : len(column) - season // 2].reset_index(drop=True)
    for each in shorter:
        means = rest.groupby(rest.index % each).transform("mean")
        rest -= means - means.iloc[:each].mean()
    part = rest.groupby(rest.index % season).transform("mean")
    part -= part.iloc[:season].mean()
    left = (rest - part).var(ddof=0) * len(rest) / (len(rest) - season)
    return max(0.0, 1 - left / rest.var(ddof=0))


@pytest.mark.parametrize(("season", "shorter"), [(7, ()), (4, ()), (28, (7,)), (28, (4, 7)), (12, (4,)), (9, (4,))])
def test_strengths_are_those_of_the_same_formula_in_pandas(season, shorter):
    random = np.random.default_rng(season)
    column = random.normal(size=200).cumsum() + np.tile(random.normal(0, 2, season), 60)[:200]
    assert season_strength(column, season, shorter) == pytest.approx(by_pandas(column, season, shorter), abs=1e-12)


@pytest.mark.parametrize("span", [3, 4, 7, 12])
def test_a_moving_average_is_that_of_its_definition_and_leaves_a_straight_line_alone(span):
    random = np.random.default_rng(0)
    column, half = random.normal(size=40), span // 2
    ends = 1.0 if span % 2 else 0.5
    for place, mean in enumerate(moving_average(column, span), start=half):
        around = column[place - half : place + half + 1] * [ends, *[1.0] * (2 * half - 1), ends]
        assert mean == pytest.approx(around.sum() / span)
    line = 3.0 - 0.5 * np.arange(40)
    np.testing.assert_allclose(moving_average(line, span), line[half : 40 - half])


@pytest.mark.parametrize("amplitude", [0.5, 1.0, 3.0])
def test_a_sine_in_noise_has_the_strength_of_its_share_of_the_variance(amplitude):
    rows = np.arange(24 * 400)
    column = amplitude * np.sin(rows * 2 * np.pi / 24) + np.random.default_rng(1).normal(size=len(rows)) + rows / 50
    share = amplitude**2 / 2 / (amplitude**2 / 2 + 1)
    assert season_strength(column, 24) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("rise", [1.0, 5.0, 20.0])
def test_a_line_in_noise_has_the_strength_of_its_share_and_rises_from_end_to_end(rise):
    rows, season = np.arange(5000), 10
    noise = np.random.default_rng(2).normal(size=5000)
    column = rise * rows / 5000 + noise + 4 * np.sin(rows * 2 * np.pi / season)
    strength, change = trend(column, [season])
    assert strength == pytest.approx(rise**2 / 12 / (rise**2 / 12 + 1), abs=0.03)
    assert change == pytest.approx(rise, abs=1.5)  # two averages of ten rows of noise
    assert trend(-column, [season])[1] == pytest.approx(-change)
    long = trend(column + 4 * np.sin(rows * 2 * np.pi / 500), [season, 500])  # the level is what no season is
    assert long[0] == pytest.approx(strength, abs=0.05)


def test_a_line_and_a_season_alone_are_all_there_is():
    rows = np.arange(120)
    column = 2.0 * rows + np.tile([5.0, -1.0, -4.0], 40)
    assert season_strength(column, 3) == pytest.approx(1)
    assert trend(column, [3]) == (pytest.approx(1), pytest.approx(2.0 * (120 - 3)))
    assert season_strength(2.0 * rows, 3) == 0  # rounding is no season


@pytest.mark.parametrize(("rows", "season"), [(36, 12), (60, 12), (400, 7), (1000, 24)])
def test_noise_has_no_strength_however_few_seasons_there_are(rows, season):
    random = np.random.default_rng(3)
    columns = random.normal(size=(200, rows))
    assert np.mean([season_strength(column, season) for column in columns]) < 0.11  # by its definition it would be 0.5
    assert np.median([trend(column)[0] for column in columns]) < 0.1
    walks = columns.cumsum(axis=1)
    assert np.median([trend(walk)[0] for walk in walks]) > 0.8


def test_of_two_seasons_each_has_its_own_strength():
    rows, noise = np.arange(24 * 7 * 20), np.random.default_rng(4).normal(size=24 * 7 * 20)
    day, week = 3 * np.sin(rows * 2 * np.pi / 24), 3.0 * (rows % 168 < 48)
    for column, daily, weekly in ((day + noise, 0.82, 0), (week + noise, 0, 0.65), (day + week + noise, 0.6, 0.65)):
        assert season_strength(column, 24) == pytest.approx(daily, abs=0.25 if daily == 0.6 else 0.02)
        assert season_strength(column, 168, [24]) == pytest.approx(weekly, abs=0.03)


@pytest.mark.parametrize("seasons", [(4,), (5,), (4, 12)])
def test_without_its_seasons_a_column_is_its_level(seasons):
    level = 7 + 0.3 * np.arange(100)
    patterns = [np.append(np.arange(1.0, season), -season * (season - 1) / 2) for season in seasons]
    column = level + sum(np.tile(pattern, 30)[:100] for pattern in patterns)
    np.testing.assert_allclose(without_seasons(column, seasons), level, atol=1e-9)
    np.testing.assert_array_equal(without_seasons(column[:11], seasons), column[:11])  # of which it holds no three


def test_too_few_rows_have_no_strength():
    column = np.arange(11.0) ** 2
    assert season_strength(column, 4) is None
    assert season_strength(column, 3) is not None
    assert trend(column[:9]) == (None, None)
    assert trend(column)[0] is not None


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(-100, 100), min_size=30, max_size=60),
    st.floats(1e-3, 1e3),
    st.floats(-1e3, 1e3),
    st.sampled_from([3, 4, 7]),
)
def test_strengths_do_not_depend_on_the_unit(numbers, scale, shift, season):
    column = np.array(numbers) + np.tile([0.0, 1.0, 5.0], 20)[: len(numbers)]
    moved = scale * column + shift
    assert season_strength(moved, season) == pytest.approx(season_strength(column, season), abs=1e-6)
    assert trend(moved, [season])[0] == pytest.approx(trend(column, [season])[0], abs=1e-6)
    assert trend(moved, [season])[1] == pytest.approx(scale * trend(column, [season])[1], abs=1e-6 * (1 + scale))
