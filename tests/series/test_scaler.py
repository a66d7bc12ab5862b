"""The scaler: inverse undoes transform, missing values and constant columns aside."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from cnnlstm_cli.errors import DataError
from cnnlstm_cli.series.scaler import Scaler

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
    assert np.array_equal(again.mean, scaler.mean)
    assert np.array_equal(again.scale, scaler.scale)


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
        {"mean": [1.0]},
        {"mean": [1.0], "scale": [0.0]},
        {"mean": [1.0], "scale": [-1.0]},
        {"mean": [1.0], "scale": [1.0, 2.0]},
        {"mean": ["x"], "scale": [1.0]},
        {"mean": [float("nan")], "scale": [1.0]},
        {"mean": 1.0, "scale": 1.0},
    ],
)
def test_a_damaged_scaler_is_refused(facts):
    with pytest.raises(DataError, match="scaler"):
        Scaler.from_dict(facts)


@pytest.mark.parametrize("unit", [1e-90, 1e-12, 1e12, 1e90])
def test_the_unit_does_not_matter(unit):
    rows = np.random.default_rng(0).standard_normal((50, 2))
    assert np.allclose(Scaler.fit(rows * unit).transform(rows * unit), Scaler.fit(rows).transform(rows))
