"""The scaler: inverse undoes transform, missing values and constant columns aside."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from cnnlstm_cli.errors import DataError
from cnnlstm_cli.series.scaler import PARTS, Scaler

ROWS = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=20), elements=st.floats(-1e9, 1e9))


@given(ROWS)
def test_inverse_undoes_transform(rows):
    scaler = Scaler.fit(rows)
    assert np.allclose(scaler.inverse(scaler.transform(rows)), rows, rtol=1e-9, atol=1e-6)


@given(ROWS)
def test_what_was_fitted_has_mean_0_and_deviation_1(rows):
    scaled = Scaler.fit(rows).transform(rows)
    varied = np.ptp(rows, axis=0) > 1e-3 * np.maximum(1, np.abs(rows).max(axis=0))
    assert np.allclose(scaled[:, varied].mean(axis=0), 0, atol=1e-6)
    assert np.allclose(scaled[:, varied].std(axis=0), 1, atol=1e-6)


@given(ROWS)
def test_json_keeps_every_bit(rows):
    scaler = Scaler.fit(rows)
    again = Scaler.from_dict(json.loads(json.dumps(scaler.to_dict())))
    for name in PARTS:
        assert np.array_equal(getattr(again, name), getattr(scaler, name))


def test_missing_values_do_not_count():
    scaler = Scaler.fit(np.array([[1.0, np.nan], [np.nan, np.nan], [3.0, np.nan]]))
    assert scaler.mean.tolist() == [2.0, 0.0]
    assert scaler.scale.tolist() == [1.0, 1.0]


def test_a_constant_column_is_only_shifted():
    scaler = Scaler.fit(np.full((7, 1), 0.1 + 1e9))
    assert scaler.scale.tolist() == [1.0]
    assert scaler.transform(np.full((2, 1), 0.1 + 1e9)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"mean": [1.0], "scale": [0.0]},
        {"mean": [1.0], "scale": [-1.0]},
        {"mean": [1.0], "scale": [1.0, 2.0]},
        {"mean": ["x"], "scale": [1.0]},
        {"mean": [float("nan")], "scale": [1.0]},
        {"mean": 1.0, "scale": 1.0},
        {"low": [2.0], "high": [1.0]},
        {"low": [float("nan")]},
        {"low": [0.0, 0.0]},
        {"high": ["x"]},
        {"high": None},
        {"low": ["5"]},
        {"low": [True]},
        {"mean": [10**400]},
        {"mean": [None]},
    ],
)
def test_a_damaged_scaler_is_refused(facts):
    sound = {"mean": [1.0], "scale": [2.0], "low": [None], "high": [3.0]}
    assert Scaler.from_dict(sound).high.tolist() == [3.0]
    with pytest.raises(DataError, match="scaler"):
        Scaler.from_dict(sound | facts if facts else facts)


@pytest.mark.parametrize("unit", [1e-90, 1e-12, 1e12, 1e90])
def test_the_unit_does_not_matter(unit):
    rows = np.random.default_rng(0).standard_normal((50, 2))
    assert np.allclose(Scaler.fit(rows * unit).transform(rows * unit), Scaler.fit(rows).transform(rows))


NOISE = np.random.default_rng(1).standard_normal(2_000)
CLIMB = np.linspace(0, 1, 2_000)
SWELL = np.sin(np.arange(2_000) / 5)


@pytest.mark.parametrize(
    ("column", "low", "high"),
    [
        pytest.param(np.maximum(NOISE, 0), 0, np.inf, id="counts, often 0"),
        pytest.param(-np.maximum(NOISE, 0), -np.inf, 0, id="the same upside down"),
        pytest.param(np.clip(NOISE, -1, 1) * 50 + 50, 0, 100, id="a share in percent"),
        pytest.param(np.exp(2 * NOISE), np.exp(2 * NOISE.min()), np.inf, id="near 0, never quite there"),
        pytest.param((NOISE > 0) * 1.0, 0, 1, id="on and off"),
        pytest.param(SWELL, SWELL.min(), SWELL.max(), id="a swell that always turns at the same height"),
        pytest.param(SWELL + 0.3 * NOISE, -np.inf, np.inf, id="a noisy swell"),
        pytest.param(NOISE, -np.inf, np.inf, id="noise"),
        pytest.param(NOISE.cumsum(), -np.inf, np.inf, id="a random walk"),
        pytest.param(CLIMB - 1, -np.inf, np.inf, id="a climb"),
        pytest.param(np.floor(5 * CLIMB) - 3, -np.inf, np.inf, id="a staircase"),
        pytest.param(np.full(2_000, -7.0), -np.inf, np.inf, id="a constant"),
        pytest.param(np.full(2_000, -0.1), -np.inf, np.inf, id="a constant but for rounding"),
        pytest.param(
            NOISE - 9 * CLIMB + 5_000 * (np.arange(2_000) == 700), -np.inf, np.inf, id="a decline with a spike"
        ),
        pytest.param(np.full(2_000, np.nan), -np.inf, np.inf, id="nothing"),
        pytest.param(np.array([0.0, 1, 0, 2, 0, 3]) - 4, -np.inf, np.inf, id="too short to tell"),
        pytest.param(NOISE + 100, 0, np.inf, id="never below 0"),
        pytest.param(CLIMB, 0, np.inf, id="a climb from 0"),
        pytest.param(np.full(2_000, 7.0), 0, np.inf, id="a constant above 0"),
    ],
)
def test_limits_are_what_a_series_often_comes_close_to_and_never_crosses(column, low, high):
    scaler = Scaler.fit(column[:, None])
    assert (scaler.low[0], scaler.high[0]) == (low, high)


def test_a_lower_limit_that_is_given_is_that_of_all():
    rows = np.stack([NOISE, np.maximum(NOISE, 0), np.full(2_000, np.nan)], axis=1)
    scaler = Scaler.fit(rows, -5.0)
    assert scaler.low.tolist() == [-5, -5, -5]
    assert np.array_equal(scaler.high, Scaler.fit(rows).high)


@given(ROWS, st.floats(-2e9, 2e9))
def test_what_was_fitted_is_within_its_limits(rows, other):
    scaler = Scaler.fit(rows)
    assert np.array_equal(scaler.within(rows), rows)
    held = scaler.within(np.full((1, rows.shape[1]), other))
    assert ((held >= scaler.low) & (held <= scaler.high)).all()
