"""The linear baseline against least squares by another route, and the laws that a linear forecast obeys."""

from __future__ import annotations

import numpy as np
import pytest

from cnnlstm_cli.evaluation.ridge import PENALTIES, UNCHOSEN, fit, linear
from cnnlstm_cli.series.windows import Windows

RANDOM = np.random.default_rng(5)


def windows_of(series: np.ndarray, lookback: int, horizon: int, training: int) -> Windows:
    starts = np.arange(len(series) - lookback - horizon + 1)
    return Windows(series.astype(np.float32)[:, None], lookback, horizon, starts[:training], starts[training:])


def by_hand(windows: Windows, penalty: float) -> np.ndarray:
    """Ridge as least squares with a row of its own for each weight, in float64."""
    size, values = windows.lookback + windows.horizon, windows.values[:, 0].astype(float)
    rows = np.stack([values[start : start + size] for start in windows.training])
    past = rows[:, : windows.lookback]
    scaled = (rows - past.mean(axis=1, keepdims=True)) / past.std(axis=1, keepdims=True)
    x, y = scaled[:, : windows.lookback], scaled[:, windows.lookback :]
    weight = np.sqrt(penalty * np.trace(x.T @ x) / windows.lookback)
    x = np.vstack([x, weight * np.eye(windows.lookback)])
    y = np.vstack([y, np.zeros((windows.lookback, windows.horizon))])
    return np.linalg.lstsq(x, y, rcond=None)[0]


def test_few_windows_are_fitted_as_least_squares_with_the_usual_penalty_says():
    windows = windows_of(RANDOM.normal(size=160).cumsum(), 12, 4, 100)
    np.testing.assert_allclose(fit(windows), by_hand(windows, UNCHOSEN), atol=1e-4)


def test_of_many_windows_one_of_the_penalties_is_chosen():
    windows = windows_of(np.sin(np.arange(900) / 3) + RANDOM.normal(0, 0.3, 900), 12, 4, 700)
    fitted = fit(windows)
    off = [np.max(np.abs(fitted - by_hand(windows, penalty))) for penalty in PENALTIES]
    assert min(off) < 1e-3
    assert sorted(off)[1] > 1e-3, "penalties that can't be told apart"


def test_a_noiseless_rhythm_is_carried_on():
    windows = windows_of(5 + 3 * np.sin(np.arange(600) * 2 * np.pi / 12), 24, 12, 400)
    rows = windows.validation[:, None] + 24 + np.arange(12)
    np.testing.assert_allclose(linear(windows, fit(windows)), windows.values[rows], atol=0.02)


@pytest.mark.parametrize(("factor", "offset"), [(1, 40), (7, 0)])
def test_a_rescaled_series_gets_rescaled_forecasts(factor, offset):
    series = RANDOM.normal(size=400).cumsum()
    both = [windows_of(each, 12, 4, 300) for each in (series, series * factor + offset)]
    plain, moved = (linear(windows, fit(windows)) for windows in both)
    np.testing.assert_allclose(moved, plain * factor + offset, rtol=1e-3, atol=1e-2)


def test_a_constant_window_is_forecast_as_its_constant():
    series = np.concatenate([RANDOM.normal(size=300), np.full(60, 3.5)])
    windows = windows_of(series, 12, 4, 250)
    made = linear(windows, fit(windows))
    np.testing.assert_allclose(made[-1], 3.5, atol=1e-4)


def test_columns_side_by_side_are_forecast_as_each_alone():
    columns = RANDOM.normal(size=(200, 3)).cumsum(axis=0)
    apart = [windows_of(column, 12, 4, 100) for column in columns.T]
    together = Windows(columns.astype(np.float32), 12, 4, apart[0].training, apart[0].validation)
    weights = fit(apart[0])
    expected = np.concatenate([linear(each, weights) for each in apart], axis=2)
    np.testing.assert_array_equal(linear(together, weights), expected)
