"""Reading only the end of a large file gives what reading all of it gives, or is left alone."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlstm_cli.errors import DataError
from cnnlstm_cli.series import tail
from cnnlstm_cli.series.reader import read_recent, read_training
from cnnlstm_cli.specs import DataSpec
from tests import SAMPLES

CELLS = st.lists(st.lists(st.text('a1",;\n ', max_size=6), min_size=2, max_size=2), min_size=1, max_size=12)


def written(rows, delimiter=",", newline="\n", quoting=csv.QUOTE_MINIMAL) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=newline, quoting=quoting).writerows(rows)
    return text.getvalue()


@settings(max_examples=400)
@given(CELLS, st.sampled_from([",", ";"]), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.data())
def test_what_is_taken_for_the_begin_of_a_record_is_one(rows, delimiter, quoting, data):
    whole = written(rows, delimiter, quoting=quoting)
    begins = np.cumsum([0, *(len(written([row], delimiter, quoting=quoting)) for row in rows)])
    cut = data.draw(st.integers(0, len(whole)))
    found = tail.first_record(whole[cut:].encode(), delimiter.encode())
    assert found is None or cut + found in begins


@pytest.mark.parametrize(
    ("piece", "expected"),
    [
        (b"7\n1,2\n3,4\n", 2),
        (b"7\r\n1,2\r\n", 3),
        (b'7\n1,"two"\n', 2),
        (b'more", 7\n1,"two"\n', 9),
        (b"no newline at all", None),
        (b"1\r2\r3\n4\r5", None),
        (b'7\n1,","\n2,","\n', None),
        (b'"\nsays "",\n7\n"\n', None),
    ],
)
def test_first_record(piece, expected):
    assert tail.first_record(piece, b",") == expected


STAMPS = pd.date_range("2021-03-01", periods=600, freq="h")


@st.composite
def files(draw):
    """The bytes of a CSV of hourly rows and how many of them are wanted."""
    rows = draw(st.integers(100, 400))
    steps = np.sort(np.random.default_rng(draw(st.integers(0, 9))).permutation(rows + draw(st.integers(0, 3)))[:rows])
    values = [f"{(7 * step) % 24 + step / 100:.2f}" for step in steps]
    for place in draw(st.lists(st.integers(0, rows - 1), max_size=3)):
        values[place] = ""
    for place in range(rows - draw(st.sampled_from([0, 0, 2, 40])), rows):
        values[place] = ""
    notes = ["x"] * rows
    for place in draw(st.lists(st.integers(0, rows - 1), max_size=4)):
        notes[place] = draw(st.text('a1",;\né', max_size=9))
    stamps = [f"{STAMPS[step]:%Y-%m-%d %H:%M}" for step in steps]
    header, *body = zip(["time", *stamps], ["load", *values], ["note", *notes], strict=True)
    if draw(st.booleans()):
        body[3], body[4] = body[4], body[3]
    if draw(st.booleans()) and draw(st.booleans()):
        body = body[::-1]
    delimiter, newline = draw(st.sampled_from([",", ";"])), draw(st.sampled_from(["\n", "\r\n"]))
    text = written([header, *body], delimiter, newline, draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])))
    text = text if draw(st.booleans()) else text.removesuffix(newline)
    return text.encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]))), draw(st.integers(5, 40))


@pytest.fixture(scope="module")
def schema():
    frame = pd.DataFrame({"time": STAMPS.strftime("%Y-%m-%d %H:%M"), "load": np.arange(600) % 24 + 0.5})
    return read_training(frame, DataSpec()).schema


def outcome(path, schema, rows):
    try:
        table = read_recent(path, schema, rows)
    except DataError as error:
        return str(error)
    values, times = table.values[-rows:], table.times[-rows:]
    return values.tolist(), times.tolist(), table.observed[-rows:].tolist(), table.ids, table.order


@settings(max_examples=150, deadline=None)
@given(files(), st.integers(60, 900), st.integers(0, 700))
def test_the_end_of_a_file_gives_what_all_of_it_gives(tmp_path_factory, schema, file, head, spare):
    content, rows = file
    path = Path(tmp_path_factory.mktemp("tail"), "load.csv")
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tail, "HEAD_BYTES", 1 << 30)  # nothing is left for an end
        whole = outcome(path, schema, rows)
        patch.setattr(tail, "HEAD_BYTES", head)
        patch.setattr(tail, "SPARE_BYTES", spare)
        assert outcome(path, schema, rows) == whole


def large(tmp_path, change=lambda frame: frame, rows=20_000, **how):
    stamps = pd.date_range("2001-01-01", periods=rows, freq="h").strftime("%Y-%m-%d %H:%M")
    frame = pd.DataFrame({"time": stamps, "load": np.arange(rows) % 24 + 0.5})
    path = tmp_path / "large.csv"
    change(frame).to_csv(path, index=False, **how)
    return path


def test_of_a_large_file_only_the_end_is_read(tmp_path, schema):
    path = large(tmp_path)
    assert read_recent(path, schema, 100).read < 2_000
    packed = tmp_path / "large.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_recent(packed, schema, 100).read < 2_000
    assert read_recent(large(tmp_path, quoting=csv.QUOTE_ALL), schema, 100).read < 2_000
    unobserved = large(tmp_path, lambda frame: frame.assign(load=frame["load"].where(frame.index < 19_500)))
    table = read_recent(unobserved, schema, 100)
    assert table.read < 20_000
    assert table.times[-1] == np.datetime64("2001-01-01T00:00") + np.timedelta64(19_499, "h")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda frame: frame[::-1], id="newest first"),
        pytest.param(lambda frame: pd.concat([frame, frame[:1]]), id="an old row at the end"),
        pytest.param(lambda frame: pd.concat([frame[:1], frame]), id="a doubled row at the start"),
        pytest.param(lambda frame: pd.concat([frame, frame[-1:]]), id="a doubled row at the end"),
        pytest.param(lambda frame: frame.drop(range(2_000, 17_000)), id="years without a row"),
        pytest.param(lambda frame: pd.concat([frame, frame[17_000:19_000]]), id="corrected rows appended"),
        pytest.param(
            lambda frame: pd.concat([frame[:2000], frame[18_000:], frame[2000:18_000]]), id="parts out of order"
        ),
    ],
)
def test_where_it_is_not_sure_the_whole_file_is_read(tmp_path, schema, change):
    path = large(tmp_path, change)
    assert read_recent(path, schema, 100).read == len(pd.read_csv(path))


def test_series_one_after_the_other_are_still_found(tmp_path, schema):
    path = large(tmp_path, lambda frame: pd.concat([frame, frame.assign(load=3.0)]))
    with pytest.raises(DataError, match="several series stacked"):
        read_recent(path, schema, 100)


def test_a_missing_column_is_told_of_a_large_file_as_of_a_small_one(tmp_path, schema):
    path = large(tmp_path, lambda frame: frame.rename(columns={"time": "when"}))
    with pytest.raises(DataError, match="has no column 'time'"):
        read_recent(path, schema, 100)


def test_stamps_are_padded_as_anywhere_in_the_file(tmp_path):
    stamps = pd.date_range("2024-01-01", periods=20_000, freq="min")
    text = [f"{s.month}/{s.day}/{s.year} {s.hour}:{s.minute:02}" for s in stamps]
    path = tmp_path / "us.csv"
    pd.DataFrame({"time": text, "load": np.arange(20_000) % 24 + 0.5})[:18_700].to_csv(path, index=False)
    schema = read_training(path, DataSpec()).schema
    assert not read_recent(path, schema, 100).schema.time.format.pad


def test_errors_near_the_end_name_the_line_of_the_file(tmp_path, schema):
    path = large(
        tmp_path,
        lambda frame: (
            frame.astype({"load": object})
            .replace({"load": {}})
            .assign(load=lambda made: made["load"].where(made.index != 19_990, "oops"))
        ),
    )
    with pytest.raises(DataError, match="line 19992, column 'load': 'oops' is not a number"):
        read_recent(path, schema, 100)


def test_rows_without_a_time_need_no_start(tmp_path):
    table = read_training(pd.DataFrame({"load": np.arange(600) % 24 + 0.5}), DataSpec())
    path = large(tmp_path, lambda frame: frame[["load"]], rows=60_000)
    assert read_recent(path, table.schema, 100).read < 6_000
    assert read_recent(path, table.schema, 100).values[-1, 0] == 59_999 % 24 + 0.5


def test_a_sample_is_read_from_its_end_as_from_its_start(monkeypatch):
    path = SAMPLES / "bike_hour.csv"
    schema = read_training(path, DataSpec(target=("cnt",))).schema
    table = read_recent(path, schema, 336)
    monkeypatch.setattr(tail, "HEAD_BYTES", 1 << 30)
    whole = read_recent(path, schema, 336)
    assert table.read < whole.read
    assert np.array_equal(table.values[-336:], whole.values[-336:])
    assert table.notes() == whole.notes()
