"""A file becomes even series: what is mended is counted, what can't be used is refused with its place."""

from __future__ import annotations

import decimal
import itertools
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlstm_cli.errors import DataError, UsageError
from cnnlstm_cli.series.cleaning import Block, without_gaps
from cnnlstm_cli.series.reader import read_recent, read_training
from cnnlstm_cli.specs import DataSpec

HOURS = pd.date_range("2024-03-01", periods=200, freq="h")
LOAD = np.round(10 + np.sin(np.arange(200) / 4), 3)


def rows(skip=(), double=(), load=LOAD) -> list[str]:
    lines = []
    for k, hour in enumerate(HOURS):
        if k not in skip:
            lines += [f"{hour},{load[k]},{k % 5}"] * (2 if k in double else 1)
    return lines


def text(lines, header="time,load,price") -> str:
    return "\n".join([header, *lines]) + "\n"


def read(path, **options):
    return read_training(path, DataSpec(**options))


def test_an_even_file_is_read_as_it_is(write):
    table = read(write(text(rows())))
    assert table.schema.targets == ("load", "price")
    assert table.values[:, 0].tolist() == LOAD.tolist()
    assert (table.times == HOURS.to_numpy()).all()
    assert table.mended == ()
    assert table.ids == ("",)


def test_a_missing_row_is_filled_by_a_straight_line(write):
    table = read(write(text(rows(skip=[50]))))
    assert table.values[50, 0] == pytest.approx((LOAD[49] + LOAD[51]) / 2)
    assert table.mended_counts() == {"missing rows": 1, "missing values, filled by a straight line": 2}
    assert table.mended[0].first == HOURS[50]


def test_a_long_gap_is_left_out_of_training_and_filled_for_a_forecast(write):
    path = write(text(rows(skip=range(60, 80))))
    table = read(path)
    assert np.isnan(table.values[60:80]).all()
    assert not np.isnan(table.values[80:]).any()
    assert not np.isnan(read_recent(path, table.schema, 200).values).any()


def test_doubled_stamps_keep_the_last_row(write):
    lines = rows(double=[70])
    lines[70] = f"{HOURS[70]},99,0"
    table = read(write(text(lines)))
    assert table.values[70, 0] == LOAD[70]
    assert table.mended_counts() == {"doubled stamps, the last row kept": 1}


@pytest.mark.parametrize(("how", "sales"), [("mean", [1.0, 3, 9]), ("sum", [1, 6, 9])])
def test_of_doubled_stamps_the_mean_or_the_sum_is_taken(how, sales):
    """Covariates are no amounts: of them the mean is taken for a sum as well. An empty cell counts for nothing."""
    days = ["2024-01-02", "2024-01-01", "2024-01-02", "2024-01-03", "2024-01-03"]
    frame = pd.DataFrame({"day": days, "sales": [2.0, 1, 4, 9, np.nan], "price": [10.0, 5, 20, 7, 9]})
    spec = DataSpec(target=("sales",), known=("price",), freq="D", doubled=how)
    table = read_training(frame, spec)
    assert table.values[:, 0].tolist() == sales
    assert table.covariates[:, 0].tolist() == [5, 15, 8]
    assert any(f"their {how} taken" in note for note in table.notes())


def test_many_rows_of_one_time_are_stacked_series_unless_it_is_said_what_becomes_of_them():
    frame = pd.DataFrame({"day": np.repeat(pd.date_range("2024-01-01", periods=40), 3), "y": np.arange(120.0)})
    with pytest.raises(DataError, match="several series stacked"):
        read_training(frame, DataSpec(target=("y",)))
    table = read_training(frame, DataSpec(target=("y",), doubled="sum"))
    assert table.values[:, 0].tolist() == [9.0 * day + 3 for day in range(40)]


def test_rows_newest_first_are_turned(write):
    table = read(write(text(rows()[::-1])))
    assert table.values[:, 0].tolist() == LOAD.tolist()
    assert table.mended_counts() == {"rows newest first, turned": 200}


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(200)))
def test_the_order_of_rows_does_not_matter(order):
    frame = pd.DataFrame({"time": HOURS.astype(str), "load": LOAD}).iloc[list(order)]
    assert read(frame).values[:, 0].tolist() == LOAD.tolist()


def test_a_few_stamps_off_the_hour_are_dropped_and_counted(write):
    lines = rows()
    lines[90] = f"{HOURS[90] + pd.Timedelta('7min')},0,0"
    assert "rows off the step, dropped" in read(write(text(lines))).mended_counts()


def test_infinity_is_no_value(write):
    lines = rows()
    lines[30] = f"{HOURS[30]},inf,0"
    table = read(write(text(lines)))
    assert table.values[30, 0] == pytest.approx((LOAD[29] + LOAD[31]) / 2)
    assert table.mended_counts()["infinite values, taken as missing"] == 1


def test_rows_at_the_end_without_a_target_are_no_observations(write):
    lines = [*rows(), f"{HOURS[-1] + pd.Timedelta('1h')},,"]
    table = read(write(text(lines)))
    json.dumps(table.mended_counts())
    assert table.times[-1] == HOURS[-1]
    assert table.mended_counts() == {"rows at the end without any target, not used": 1}


def test_text_columns_and_counters_are_left_out_and_named(write):
    lines = [f"{k},{line},sunny" for k, line in enumerate(rows())]
    table = read(write(text(lines, "no,time,load,price,weather")))
    assert table.schema.targets == ("load", "price")
    assert dict(table.left_out) == {"no": "counts the rows", "weather": "text"}


def test_a_damaged_counter_is_still_a_counter(write):
    """One unreadable cell in a column that is left out anyway is no reason to refuse the file."""
    lines = [f"{k},{line}" for k, line in enumerate(rows())]
    lines[77] = "\x11" + lines[77][1:]
    assert dict(read(write(text(lines, "no,time,load,price"))).left_out) == {"no": "counts the rows"}


def test_text_where_numbers_should_be_is_told_with_file_line_column_and_value(write):
    lines = rows()
    lines[10] = f"{HOURS[10]},12.5 kW,0"
    path = write(text(lines))
    with pytest.raises(DataError, match=r"data.csv, line 12, column 'load': '12.5 kW' is not a number"):
        read(path)
    with pytest.raises(DataError, match=r"line 12, column 'load': '12.5 kW'"):
        read(path, target=("load",))
    assert read(path, target=("price",)).schema.targets == ("price",)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target": ("lode",)}, "no column 'lode'. Did you mean 'load'"),
        ({"target": ("a", "b")}, "no columns 'a', 'b'. It has: time, load, price"),
        ({"time": ("tme",)}, "no column 'tme'. Did you mean 'time'"),
        ({"id": "ID"}, "no column 'ID'"),
    ],
)
def test_unknown_columns(write, options, words):
    with pytest.raises(DataError, match=words):
        read(write(text(rows())), **options)


def test_one_column_can_not_be_two_things(write):
    with pytest.raises(UsageError, match="'time' can't be --target and something else"):
        read(write(text(rows())), target=("time",))


def test_a_target_without_any_number(write):
    path = write(text([f"{hour},," for hour in HOURS]))
    with pytest.raises(DataError, match="no column of numbers to forecast"):
        read(path)
    with pytest.raises(DataError, match="'load' has no numbers at all"):
        read(path, target=("load",))


def test_stacked_series_without_an_id_are_refused_with_the_remedy(write):
    lines = [f"{name},{line}" for name in "abc" for line in rows()]
    path = write(text(lines, "shop,time,load,price"))
    with pytest.raises(DataError, match=r"several series stacked\?.*--id shop"):
        read(path)
    table = read(path, id="shop")
    assert table.ids == ("a", "b", "c")
    assert table.lengths.tolist() == [200, 200, 200]
    assert table.values[400:, 0].tolist() == LOAD.tolist()


def test_series_of_many_lengths_interleaved(write):
    lines = []
    for k in range(200):
        lines += [f"{name},{rows()[k]}" for name, length in (("007", 200), ("8", 120)) if k < length]
    table = read(write(text(lines, "shop,time,load,price")), id="shop")
    assert table.ids == ("007", "8")
    assert table.offsets.tolist() == [0, 200, 320]
    assert (table.times[200:] == HOURS[:120].to_numpy()).all()


def test_another_step_than_the_runs_is_refused(write):
    schema = read(write(text(rows()))).schema
    daily = [f"{day},{k},1" for k, day in enumerate(pd.date_range("2024-01-01", periods=60))]
    with pytest.raises(DataError, match="do not follow the step 'h' but 'D'"):
        read_recent(write(text(daily), "daily.csv"), schema, 24)
    quarters = [f"{t},1,1" for t in pd.date_range("2024-01-01", periods=60, freq="15min")]
    with pytest.raises(DataError, match="do not follow the step 'h' but '15min'"):
        read_recent(write(text(quarters), "quarters.csv"), schema, 24)


def test_only_the_newest_rows_are_looked_at_for_a_forecast(write):
    path = write(text(rows(skip=[3, 150])))
    recent = read_recent(path, read(path).schema, 48)
    assert recent.mended == ()
    assert len(recent.values) == 48


def test_a_data_frame_reads_as_its_file(write):
    path = write(text(rows(skip=[50])))
    frame = pd.read_csv(path)
    assert np.array_equal(read(frame).values, read(path).values)
    assert read(frame).schema.targets == read(path).schema.targets


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=60),
    st.integers(1, 5),
)
def test_gaps_up_to_the_limit_are_filled_and_no_others(cells, limit):
    column = np.array([np.nan if cell is None else cell for cell in cells])
    block = Block(np.arange(len(column)), column[:, None], np.empty((len(column), 0)))
    filled = without_gaps(block, limit)[0].values[:, 0]
    known = ~np.isnan(column)
    assert (filled[known] == column[known]).all()
    start = 0
    for value, group in itertools.groupby(known):
        length = len(list(group))
        inside = start > 0 and start + length < len(column)
        if not value:
            assert np.isnan(filled[start : start + length]).any() != (inside and length <= limit)
        start += length


def test_recent_rows_are_read_with_the_format_the_training_data_decided(write):
    """Ten days of January alone can be read both ways; the run knows better."""
    days = pd.date_range("2023-06-01", "2024-01-12")
    lines = [f"{day:%d/%m/%Y},{k}" for k, day in enumerate(days)]
    schema = read(write(text(lines, "day,load"))).schema
    recent = read_recent(write(text(lines[-11:], "day,load"), "recent.csv"), schema, 11)
    assert (recent.times == days[-11:].to_numpy()).all()
    other = [f"{day:%Y-%m-%d},{k}" for k, day in enumerate(days)]
    assert read_recent(write(text(other, "day,load"), "iso.csv"), schema, 11).times[-1] == days[-1]


def test_recent_rows_of_stacked_series_are_refused_by_a_run_without_an_id(write):
    schema = read(write(text(rows()))).schema
    lines = [f"{name},{line}" for name in "abc" for line in rows()]
    with pytest.raises(DataError, match=r"several series stacked\?"):
        read_recent(write(text(lines, "shop,time,load,price"), "stacked.csv"), schema, 24)


def test_without_a_time_column_each_series_counts_its_own_rows():
    frame = pd.DataFrame({"shop": ["a", "b"] * 50, "y": np.arange(100) % 13 + 0.5})
    table = read(frame, id="shop")
    assert table.lengths.tolist() == [50, 50]
    assert table.values[:50, 0].tolist() == frame["y"][::2].tolist()


def test_numbers_beyond_computing_with_are_refused_with_their_place(write):
    lines = rows()
    lines[10] = f"{HOURS[10]},1e300,0"
    with pytest.raises(DataError, match=r"line 12, column 'load': 1e\+300 is too large"):
        read(write(text(lines)))


def test_a_lone_column_that_counts_is_the_target_after_all(write):
    assert read(write(text([f"{hour},{k}" for k, hour in enumerate(HOURS)], "time,y"))).schema.targets == ("y",)


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(pd.array([None if k % 50 == 3 else k % 7 for k in range(200)], dtype="Int64"), id="nullable"),
        pytest.param([decimal.Decimal(k % 7) for k in range(200)], id="decimals"),
        pytest.param(np.arange(200, dtype=np.float32) % 7, id="float32"),
    ],
)
@pytest.mark.parametrize(
    "index",
    [
        pytest.param(pd.date_range("2024-01-01", periods=200, freq="100ms"), id="sub-second"),
        pytest.param(pd.date_range("2024-01-01", periods=200, freq="h", tz="Europe/Berlin"), id="zone"),
        pytest.param(pd.period_range("2000-01", periods=200, freq="M"), id="periods"),
    ],
)
def test_data_frames_of_many_kinds(column, index):
    table = read(pd.DataFrame({"y": column}, index=index))
    stamps = index.to_timestamp() if isinstance(index, pd.PeriodIndex) else index
    if stamps.tz is not None:
        stamps = stamps.tz_convert("UTC").tz_localize(None)
    assert (table.times == stamps.to_numpy()).all()
    assert table.values[4:11, 0].tolist() == [4, 5, 6, 0, 1, 2, 3]


def test_data_frames_that_say_two_things():
    with pytest.raises(DataError, match="an index and a column named 'time'"):
        read(pd.DataFrame({"time": LOAD}, index=HOURS))
    with pytest.raises(DataError, match="is '10j'"):
        read(pd.DataFrame({"t": HOURS, "y": LOAD > 10, "z": LOAD * 1j}))
