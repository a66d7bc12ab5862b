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
from cnnlstm_cli.series.windows import (
    FEWEST_WINDOWS,
    Split,
    count_windows,
    default_kernel,
    default_lookback,
    feasible_horizon,
    joined,
    lookback_of,
    make_windows,
    scalers,
    split,
    training_starts,
)


def table_of(lengths, columns=1, holes=()) -> Table:
    """Series whose values name their row and column: 1000 * column + row, so that a window tells what it holds."""
    total = sum(lengths)
    values = np.arange(total, dtype=float)[:, None] + 1000.0 * np.arange(columns)
    for row, column in holes:
        values[row, column] = np.nan
    return Table(
        schema=Schema(TimeColumn("row"), Frequency("1"), tuple(f"c{k}" for k in range(columns))),
        values=values,
        covariates=np.empty((total, 0)),
        ahead=(),
        observed=~np.isnan(values),
        times=np.concatenate([np.arange(length) for length in lengths]),
        offsets=np.cumsum([0, *lengths]),
        ids=tuple(f"s{k}" for k in range(len(lengths))),
        name="data",
        read=total,
    )


def windows_of(table, parts, fitted, *sizes, **how):
    return make_windows(table, table.without(parts.held), parts, fitted, *sizes, **how)


CASES = st.tuples(
    st.lists(st.integers(40, 90), min_size=1, max_size=3),
    st.integers(1, 3),
    st.integers(1, 12),
    st.integers(1, 6),
    st.sampled_from([None, 0.1, 0.3, 9]),
)


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_windows_lie_in_one_series_and_their_targets_wholly_among_trained_or_held_rows(case):
    lengths, columns, lookback, horizon, validation = case
    table = table_of(lengths, columns)
    parts = split(table.lengths, horizon, validation)
    windows = windows_of(table, parts, scalers(table, table.without(parts.held)), lookback, horizon)
    total, training, judged = len(table.values), [], []
    for column in range(columns):
        for start, end in zip(table.offsets, table.offsets[1:], strict=False):
            for first in range(start, end - lookback - horizon + 1):
                held = [parts.held[row] for row in range(first + lookback, first + lookback + horizon)]
                training += [] if any(held) else [column * total + first]
                judged += [column * total + first] if all(held) else []
    assert windows.training.tolist() == training
    assert windows.validation.tolist() == judged


def blocks_of(held):
    """(first, end) of each run of held rows."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], held.astype(int), [0]])))
    return edges.reshape(-1, 2).tolist()


def test_a_share_or_number_of_rows_is_held_out_at_the_end_of_each_series():
    lengths = np.array([1000, 50])
    for validation, ends in ((0.3, [(700, 1000), (1035, 1050)]), (40, [(960, 1000), (1010, 1050)])):
        assert blocks_of(split(lengths, 5, validation).held) == [list(block) for block in ends]
    assert split(lengths, 5, 0.3).training.tolist() == [700, 35]
    assert split(lengths, 30, 0.1).rows() == (900 + 20, 100 + 30)  # at least a horizon


def test_by_default_a_fifth_in_blocks_over_all_rows_but_the_oldest_third():
    held = split(np.array([1200]), 10, None).held
    assert blocks_of(held) == [[end - 30, end] for end in range(500, 1201, 100)]
    assert blocks_of(split(np.array([1200]), 40, None).held) == [[end - 80, end] for end in (667, 934, 1200)]
    assert blocks_of(split(np.array([144]), 12, None).held) == [[115, 144]]  # too short for more than the newest rows


def test_of_many_rows_no_more_are_held_out_than_is_enough_but_a_horizon_of_each_series():
    assert split(np.array([1_000_000]), 24, None).rows() == (980_000, 20_000)
    many = np.full(400, 700)
    assert split(many, 10, None).rows() == (260_000, 20_000)
    assert blocks_of(split(many, 60, None).held)[:2] == [[640, 700], [1340, 1400]]
    assert split(many, 48, 0.2).rows() == (224_000, 56_000)  # what is asked for is held out


@settings(max_examples=30, deadline=None)
@given(CASES)
def test_the_target_follows_its_lookback_without_a_gap(case):
    lengths, columns, lookback, horizon, validation = case
    table = table_of(lengths, columns)
    parts = split(table.lengths, horizon, validation)
    fitted = scalers(table, table.without(parts.held))
    windows = windows_of(table, parts, fitted, lookback, horizon)
    total = len(table.values)
    for start in (*windows.training[:5], *windows.validation[-5:]):
        column, row = divmod(int(start), total)
        series = int(np.searchsorted(table.offsets, row, side="right")) - 1
        scaled = windows.values[start : start + lookback + horizon, 0].astype(float)
        values = scaled * fitted[series].scale[column] + fitted[series].mean[column]
        assert np.allclose(values, 1000 * column + np.arange(row, row + lookback + horizon), atol=1e-3)


@settings(max_examples=30, deadline=None)
@given(CASES, st.floats(-1e6, 1e6))
def test_held_rows_touch_neither_scaler_nor_training_targets(case, anything):
    lengths, columns, lookback, horizon, validation = case
    table, changed = table_of(lengths, columns), table_of(lengths, columns)
    parts = split(table.lengths, horizon, validation)
    changed.values[parts.held] = anything
    before, after = (scalers(each, each.without(parts.held)) for each in (table, changed))
    for one, other in zip(before, after, strict=True):
        assert np.array_equal(one.mean, other.mean)
        assert np.array_equal(one.scale, other.scale)
    first, second = (windows_of(t, parts, s, lookback, horizon) for t, s in ((table, before), (changed, after)))
    index = first.training[:, None] + lookback + np.arange(horizon)
    assert np.array_equal(first.training, second.training)
    assert np.array_equal(first.values[index], second.values[index])


def test_rows_taken_away_take_with_them_what_was_filled_from_them():
    table = table_of([8, 6], columns=2)
    for row, column in ((3, 0), (4, 0), (6, 0), (7, 1), (9, 0), (10, 1)):
        table.observed[row, column] = False
    gone = np.zeros(14, dtype=bool)
    gone[[5, 11, 12, 13]] = True
    missing = np.argwhere(np.isnan(table.without(gone).values)).tolist()
    filled_towards = [[3, 0], [4, 0], [6, 0], [7, 1], [10, 1]]  # 5, 5, 5, the series' end, 11; 9 is between 8 and 10
    assert missing == sorted([*([row, column] for row in (5, 11, 12, 13) for column in (0, 1)), *filled_towards])


def test_no_window_holds_a_hole():
    table = table_of([80, 80], columns=2, holes=[(20, 0), (100, 1), (155, 1)])
    parts = split(table.lengths, 3, 0.2)
    windows = windows_of(table, parts, scalers(table, table), 5, 3)
    index = np.concatenate([windows.training, windows.validation])[:, None] + np.arange(8)
    assert not np.isnan(windows.values[index]).any()
    unbroken = table_of([80, 80], columns=2)
    whole = windows_of(unbroken, parts, scalers(table, table), 5, 3)
    assert len(whole.training) - len(windows.training) == 16  # two holes, 8 windows over each
    assert len(whole.validation) - len(windows.validation) == 5


def test_nothing_filled_from_held_rows_is_trained_on_and_no_window_looks_back_on_a_filled_newest_row():
    table = table_of([200])
    parts = split(table.lengths, 5, None)
    first, end = blocks_of(parts.held)[0]
    for row in (first - 2, first - 1, end, end + 1, 20):
        table.observed[row] = False
    windows = windows_of(table, parts, scalers(table, table), 12, 5)
    targets = windows.training[:, None] + 12 + np.arange(5)
    assert not np.isin(targets, [first - 2, first - 1, end, end + 1]).any()
    assert np.isin(targets, [20]).any()  # filled from rows that are trained on
    newest = np.concatenate([windows.training, windows.validation]) + 11
    assert table.observed[newest].all()
    assert end - 6 in newest
    assert not {first - 1, 20} & set(newest.tolist())


def test_a_series_that_is_held_out_as_a_whole_is_scaled_by_its_own_rows():
    table = table_of([100, 9], columns=2)
    parts = split(table.lengths, 10, 0.2)
    long, short = scalers(table, table.without(parts.held))
    assert long.mean.tolist() == [39.5, 1039.5]  # of its first 80 rows
    assert short.mean.tolist() == [104, 1104]


def test_short_series_do_not_shorten_the_lookback_of_the_long_ones():
    lengths = np.array([3, 3, 400, 3, 12])
    assert default_lookback(split(lengths, 14, None), 14, (7,)) == 98


def test_memory_does_not_grow_with_the_lookback():
    table = table_of([5000])
    parts = split(table.lengths, 10, 0.2)
    sizes = [windows_of(table, parts, scalers(table, table), lookback, 10).values.nbytes for lookback in (10, 1000)]
    assert sizes == [20_000, 20_000]


@pytest.mark.parametrize(("rows", "lookback", "horizon", "needed"), [(30, 20, 5, 38), (10, 4, 6, 23)])
def test_too_few_rows_says_how_many_are_needed(rows, lookback, horizon, needed):
    table = table_of([rows])
    parts = split(table.lengths, horizon, 0.2)
    words = f"has {rows} rows; a lookback of {lookback} and a horizon of {horizon} need at least {needed}"
    with pytest.raises(DataError, match=words):
        windows_of(table, parts, scalers(table, table), lookback, horizon)


@pytest.mark.parametrize(("lookback", "horizon"), [(20, 5), (4, 6)])
def test_as_many_rows_as_it_says_are_enough(lookback, horizon):
    needed = max(5, horizon) + lookback + horizon + 7
    table = table_of([needed])
    parts = split(table.lengths, horizon, horizon)
    assert len(windows_of(table, parts, scalers(table, table), lookback, horizon).training) == 8


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
    parts = Split.nothing_held(np.array([rows]))
    assert default_lookback(parts, horizon, seasons) == lookback
    assert default_kernel(lookback, seasons) == kernel


def test_many_windows_leave_room_for_a_longer_lookback():
    lengths = np.repeat([700, 960], [169, 245])
    for parts in (Split.nothing_held(lengths), split(lengths, 48, None)):
        assert default_lookback(parts, 48, (24,)) == 336
    few = split(lengths[-20:], 48, None)
    assert default_lookback(few, 48, (24,)) == 240
    assert default_lookback(few, 48, (24,), columns=20) == 336
    assert count_windows(few, 240, 48) == 20 * (960 - 240 - 48 + 1)


@pytest.mark.parametrize("holes", [(), [(20, 0), (31, 2)]], ids=["whole", "with holes"])
def test_joint_windows_hold_the_columns_side_by_side(holes):
    table = table_of([80, 60], columns=3, holes=holes)
    parts = split(table.lengths, 4, 0.2)
    stacked = windows_of(table, parts, scalers(table, table), 6, 4, joint=True)
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
    stacked = windows_of(table, parts, scalers(table, table), 6, 4, joint=True)
    assert len(stacked.validation) == 18
    assert (np.diff(stacked.validation.reshape(3, -1), axis=0) == 200).all()


def test_a_short_series_is_continued_backwards_by_its_first_season():
    rows = np.arange(10.0)[:, None] + np.array([0, 100])
    assert lookback_of(rows, 4, (3,))[:, 0].tolist() == [6, 7, 8, 9]
    assert lookback_of(rows, 14, (3, 24))[:, 1].tolist() == [102, 100, 101, 102, *range(100, 110)]
    assert lookback_of(rows, 14, (3, 7, 24))[:, 0].tolist() == [3, 4, 5, 6, *range(10)]
    assert lookback_of(rows[:2], 5, (3,))[:, 0].tolist() == [0, 0, 0, 0, 1]


@pytest.mark.parametrize(("validation", "named"), [(None, False), (100_000, True), (0.99, True)])
def test_a_validation_part_that_leaves_nothing_is_named(validation, named):
    table = table_of([400])
    parts = split(table.lengths, 14, validation)
    with pytest.raises(DataError) as error:
        windows_of(table, parts, scalers(table, table), 380, 14)
    assert ("or a smaller --validation" in str(error.value)) == named


@given(st.integers(13, 300), st.integers(1, 60), st.sampled_from([None, 0.1, 0.2, 5]))
def test_the_horizon_is_the_usual_one_or_the_longest_with_windows_enough(rows, usual, validation):
    table = table_of([rows])
    found = feasible_horizon(table.lengths, usual, None, validation)

    def windows(horizon: int) -> int:
        parts = split(table.lengths, horizon, validation)
        lookback = default_lookback(parts, horizon * rows, ())
        return len(training_starts(table, parts, lookback, horizon))

    assert 1 <= found <= usual
    assert windows(found) >= FEWEST_WINDOWS or found == 1
    assert found == usual or windows(found + 1) < FEWEST_WINDOWS


def test_what_is_asked_for_leaves_less_room_for_the_horizon():
    lengths = np.array([3, 40])
    asked = [(), (20,), (None, 20), (None, 0.5), (60,)]
    assert [feasible_horizon(lengths, 12, *each) for each in asked] == [12, 5, 7, 7, 1]
