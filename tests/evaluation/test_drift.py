"""What training saw of lookbacks, and when newer rows are outside it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from cnnlstm_cli.evaluation.drift import drifted, errors_drifted, newest, spans_of

RANDOM = np.random.default_rng(2)
OFFSETS = np.array([0, 60, 75, 200])  # the second series is shorter than a lookback
ROWS = RANDOM.standard_normal((200, 2))
ROWS[100:105, 1] = np.nan
L = 20


def by_hand(column: np.ndarray) -> dict[str, list[float]]:
    """The same window by window."""
    windows = [
        column[end - L : end] for first, last in itertools.pairwise(OFFSETS) for end in range(first + L, last + 1)
    ]
    whole = [window for window in windows if not np.isnan(window).any()]
    found = {"mean": [w.mean() for w in whole], "deviation": [w.std() for w in whole], "value": column}
    return {name: [np.nanmin(numbers), np.nanmax(numbers)] for name, numbers in found.items()}


def test_spans_are_those_of_the_windows_one_by_one():
    for column, found in zip(ROWS.T, spans_of(ROWS, OFFSETS, L), strict=True):
        for name, span in by_hand(column).items():
            assert found[name] == pytest.approx(span)


def test_the_newest_lookback_of_each_series():
    now = newest(ROWS[:, 0], OFFSETS, L)
    assert now["mean"] == pytest.approx([ROWS[40:60, 0].mean(), ROWS[60:75, 0].mean(), ROWS[180:, 0].mean()])
    assert now["least"][1] == ROWS[60:75, 0].min()
    assert now["greatest"][0] == ROWS[40:60, 0].max()
    assert now["deviation"][2] == pytest.approx(ROWS[180:, 0].std())
    assert np.isnan(newest(np.full(9, np.nan), np.array([0, 9]), 5)["mean"]).all()


SEEN = {"value": [-3.0, 3.0], "mean": [-1.0, 1.0], "deviation": [0.6, 1.2]}
LIKE = {"least": -2.0, "greatest": 2.0, "mean": 0.0, "deviation": 1.0}


@pytest.mark.parametrize(
    ("now", "wanted"),
    [
        ({}, {}),
        ({"greatest": 5.9, "least": -5.9, "mean": 1.9, "deviation": 1.7}, {}),
        ({"greatest": 6.1}, {"greatest": "above"}),
        ({"least": -6.1}, {"least": "below"}),
        ({"mean": 2.1, "greatest": 5.0}, {"mean": "above"}),
        ({"deviation": 1.9}, {"deviation": "above"}),
        ({"deviation": 0.0}, {"deviation": "below"}),
    ],
)
def test_drift_is_outside_by_more_than_half_the_span(now, wanted):
    assert drifted({name: np.array([value]) for name, value in (LIKE | now).items()}, SEEN) == wanted


@pytest.mark.parametrize(("gone", "wanted"), [(0, {}), (2, {}), (3, {"mean": "above"})])
def test_of_many_series_more_than_a_twentieth_must_have_drifted(gone, wanted):
    now = {name: np.full(40, value) for name, value in LIKE.items()}
    now["mean"][:gone] = 9.0
    assert drifted(now, SEEN) == wanted


def test_errors_drift_when_they_are_clearly_higher():
    groups = np.repeat(np.arange(20), 12)
    expected = np.full(240, 0.5)
    errors = np.abs(RANDOM.normal(0.5, 0.1, 240))
    assert not errors_drifted(errors, expected, groups)
    assert not errors_drifted(errors * 1.15, expected, groups)
    assert errors_drifted(errors * 1.4, expected, groups)
    assert not errors_drifted(errors[:12] * 3, expected[:12], groups[:12])  # one window tells nothing
