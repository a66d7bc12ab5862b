"""The split and the windows: no future in any training window, no gap before a target, no hole in a window."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlstm_cli.errors import DataError
from cnnlstm_cli.series.frequency import Frequency
from cnnlstm_cli.series.table import Schema, Table
from cnnlstm_cli.series.timecolumn import TimeColumn
from cnnlstm_cli.series.windows import default_kernel, default_lookback, joined, make_windows, scalers, split


def table_of(lengths, columns=1, holes=()) -> Table:
    """Series whose values name their row and column: 1000 * column + row, so that a window tells what it holds."""
    total = sum(lengths)
    values = np.arange(total, dtype=float)[:, None] + 1000.0 * np.arange(columns)
    for row, column in holes:
        values[row, column] = np.nan
    return Table(
        schema=Schema(TimeColumn("row"), Frequency("1"), tuple(f"c{k}" for k in range(columns))),
        values=values,
        observed=~np.isnan(values),
        times=np.concatenate([np.arange(length) for length in lengths]),
        offsets=np.cumsum([0, *lengths]),
        ids=tuple(f"s{k}" for k in range(len(lengths))),
        name="data",
        read=total,
    )


CASES = st.tuples(
    st.lists(st.integers(40, 90), min_size=1, max_size=3),
    st.integers(1, 3),
    st.integers(1, 12),
    st.integers(1, 6),
    st.sampled_from([0.1, 0.2, 0.3, 9]),
)


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_every_window_lies_in_one_series_and_on_its_side_of_the_split(case):
    lengths, columns, lookback, horizon, validation = case
    table = table_of(lengths, columns)
    parts = split(table.lengths, horizon, validation)
    windows = make_windows(table, parts, scalers(table, parts), lookback, horizon)
    total = len(table.values)
    borders = table.offsets[:-1] + parts.training
    for starts, training in ((windows.training, True), (windows.validation, False)):
        column, row = np.divmod(starts, total)
        series = np.searchsorted(table.offsets, row, side="right") - 1
        first_target, end = row + lookback, row + lookback + horizon
        assert (column < columns).all()
        assert (end <= table.offsets[series + 1]).all()
        if training:
            assert (end <= borders[series]).all()
        else:
            assert (first_target >= borders[series]).all()
    expected_training = columns * sum(max(0, rows - lookback - horizon + 1) for rows in parts.training)
    expected_validation = columns * sum(max(0, held - horizon + 1) for held in parts.lengths - parts.training)
    assert len(windows.training) == len(set(windows.training.tolist())) == expected_training
    assert len(windows.validation) == expected_validation


@settings(max_examples=30, deadline=None)
@given(CASES)
def test_the_target_follows_its_lookback_without_a_gap(case):
    lengths, columns, lookback, horizon, validation = case
    table = table_of(lengths, columns)
    parts = split(table.lengths, horizon, validation)
    fitted = scalers(table, parts)
    windows = make_windows(table, parts, fitted, lookback, horizon)
    total = len(table.values)
    for start in (*windows.training[:5], *windows.validation[-5:]):
        column, row = divmod(int(start), total)
        series = int(np.searchsorted(table.offsets, row, side="right")) - 1
        scaled = windows.values[start : start + lookback + horizon, 0].astype(float)
        values = scaled * fitted[series].scale[column] + fitted[series].mean[column]
        assert np.allclose(values, 1000 * column + np.arange(row, row + lookback + horizon), atol=1e-3)


@settings(max_examples=30, deadline=None)
@given(CASES, st.floats(-1e6, 1e6))
def test_validation_rows_touch_neither_scaler_nor_training_windows(case, anything):
    lengths, columns, lookback, horizon, validation = case
    table, changed = table_of(lengths, columns), table_of(lengths, columns)
    parts = split(table.lengths, horizon, validation)
    for start, end, rows in zip(table.offsets, table.offsets[1:], parts.training, strict=False):
        changed.values[start + rows : end] = anything
    before, after = scalers(table, parts), scalers(changed, parts)
    for one, other in zip(before, after, strict=True):
        assert np.array_equal(one.mean, other.mean)
        assert np.array_equal(one.scale, other.scale)
    first, second = (make_windows(t, parts, s, lookback, horizon) for t, s in ((table, before), (changed, after)))
    index = first.training[:, None] + np.arange(lookback + horizon)
    assert np.array_equal(first.training, second.training)
    assert np.array_equal(first.values[index], second.values[index])


def test_no_window_holds_a_hole():
    table = table_of([80, 80], columns=2, holes=[(20, 0), (100, 1), (155, 1)])
    parts = split(table.lengths, 3, 0.2)
    windows = make_windows(table, parts, scalers(table, parts), 5, 3)
    index = np.concatenate([windows.training, windows.validation])[:, None] + np.arange(8)
    assert not np.isnan(windows.values[index]).any()
    whole = make_windows(table_of([80, 80], columns=2), parts, scalers(table, parts), 5, 3)
    assert len(whole.training) - len(windows.training) == 16  # two holes, 8 windows over each
    assert len(whole.validation) - len(windows.validation) == 5


def test_memory_does_not_grow_with_the_lookback():
    table = table_of([5000])
    parts = split(table.lengths, 10, 0.2)
    sizes = [make_windows(table, parts, scalers(table, parts), lookback, 10).values.nbytes for lookback in (10, 1000)]
    assert sizes == [20_000, 20_000]


@pytest.mark.parametrize(("rows", "lookback", "horizon", "needed"), [(30, 20, 5, 38), (10, 4, 6, 23)])
def test_too_few_rows_says_how_many_are_needed(rows, lookback, horizon, needed):
    table = table_of([rows])
    parts = split(table.lengths, horizon, 0.2)
    words = f"has {rows} rows; a lookback of {lookback} and a horizon of {horizon} need at least {needed}"
    with pytest.raises(DataError, match=words):
        make_windows(table, parts, scalers(table, parts), lookback, horizon)


@pytest.mark.parametrize(("lookback", "horizon"), [(20, 5), (4, 6)])
def test_as_many_rows_as_it_says_are_enough(lookback, horizon):
    needed = max(5, horizon) + lookback + horizon + 7
    table = table_of([needed])
    parts = split(table.lengths, horizon, horizon)
    assert len(make_windows(table, parts, scalers(table, parts), lookback, horizon).training) == 8


@pytest.mark.parametrize(
    ("rows", "horizon", "seasons", "lookback", "kernel"),
    [
        pytest.param(13_936, 24, (24,), 336, 24, id="hours, a day"),
        pytest.param(13_936, 24, (24, 168), 336, 24, id="hours, a day and a week"),
        pytest.param(13_936, 24, (168,), 2016, 168, id="hours, a week only"),
        pytest.param(115, 12, (12,), 36, 12, id="months, few rows: three years"),
        pytest.param(1169, 14, (365,), 112, 8, id="a season longer than the rows allow"),
        pytest.param(6070, 12, (), 96, 6, id="no season"),
        pytest.param(30, 4, (), 10, 1, id="few rows"),
    ],
)
def test_lookback_and_kernel_follow_season_and_rows(rows, horizon, seasons, lookback, kernel):
    parts = split(np.array([round(rows / 0.8)]), horizon, 0.2)
    assert default_lookback(parts, horizon, seasons) == lookback
    assert default_kernel(lookback, seasons) == kernel


@pytest.mark.parametrize("holes", [(), [(20, 0), (31, 2)]], ids=["whole", "with holes"])
def test_joint_windows_hold_the_columns_side_by_side(holes):
    table = table_of([80, 60], columns=3, holes=holes)
    parts = split(table.lengths, 4, 0.2)
    stacked = make_windows(table, parts, scalers(table, parts), 6, 4, joint=True)
    joint = joined(stacked, 3)
    assert joint.values.shape == (140, 3)
    for ours, theirs in ((joint.training, stacked.training), (joint.validation, stacked.validation)):
        assert (theirs.reshape(3, -1) == ours + 140 * np.arange(3)[:, None]).all()
        rows = joint.values[ours[:, None] + np.arange(10)]
        assert not np.isnan(rows).any()
        columns = stacked.values[theirs.reshape(3, -1)[:, :, None] + np.arange(10), 0]
        assert np.array_equal(rows.transpose(2, 0, 1), columns)


def test_jointly_thinned_windows_are_the_same_in_every_column(monkeypatch):
    monkeypatch.setattr("cnnlstm_cli.series.windows.MOST_VALIDATION_WINDOWS", 20)
    table = table_of([200], columns=3)
    parts = split(table.lengths, 4, 0.5)
    stacked = make_windows(table, parts, scalers(table, parts), 6, 4, joint=True)
    assert len(stacked.validation) == 18
    assert (np.diff(stacked.validation.reshape(3, -1), axis=0) == 200).all()
