"""The time column is found, read, and written back the way the file writes it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlstm_cli.errors import DataError, UsageError
from cnnlstm_cli.series.dialect import Source
from cnnlstm_cli.series.finding import find_time, text_columns
from cnnlstm_cli.series.sheet import CsvReader, Sheet, sheet_from_frame
from cnnlstm_cli.series.stamps import StampFormat, named_format

HOURS = pd.date_range("2024-02-27 20:00", periods=60, freq="h")
DAYS = pd.date_range("2023-12-25", periods=60, freq="D")
WEEKS = pd.date_range("2019-12-09", periods=60, freq="W-MON")
QUARTERS = pd.date_range("1998-07-01", periods=30, freq="QS")
MONTHS = pd.date_range("2019-11-01", periods=30, freq="MS")


def sheet_of(path) -> Sheet:
    reader = CsvReader.open(Source(path))
    return reader.read(text_columns(reader.sample))


def column(name: str, cells) -> str:
    return f"{name},y\n" + "".join(f"{cell},{k * 1.5}\n" for k, cell in enumerate(cells))


def written(times: pd.DatetimeIndex, pattern: str) -> list[str]:
    return list(times.strftime(pattern))


def unpadded(times: pd.DatetimeIndex, form: str) -> list[str]:
    return [form.format(d=t.day, m=t.month, Y=t.year, H=t.hour, M=t.minute) for t in times]


@pytest.mark.parametrize(
    ("cells", "times"),
    [
        pytest.param(written(HOURS, "%Y-%m-%d %H:%M:%S"), HOURS, id="ISO with a blank"),
        pytest.param(written(HOURS, "%Y-%m-%dT%H:%M:%S"), HOURS, id="ISO with T"),
        pytest.param(written(HOURS, "%Y-%m-%dT%H:%MZ"), HOURS, id="Z"),
        pytest.param(written(HOURS, "%Y-%m-%d %H:%M"), HOURS, id="ISO without seconds"),
        pytest.param(written(HOURS, "%Y-%m-%dT%H:%M:%S.000Z"), HOURS, id="milliseconds and Z"),
        pytest.param(written(HOURS, "%Y-%m-%dT%H:%M:%S+02:00"), HOURS - pd.Timedelta("2h"), id="offset"),
        pytest.param(written(HOURS, "%Y-%m-%d %H:%M:%S-0330"), HOURS + pd.Timedelta("3.5h"), id="offset without colon"),
        pytest.param(written(HOURS, "%d.%m.%Y %H:%M"), HOURS, id="German"),
        pytest.param(written(HOURS, "%m/%d/%Y %I:%M %p"), HOURS, id="AM and PM"),
        pytest.param(written(DAYS, "%Y-%m-%d"), DAYS, id="date"),
        pytest.param(written(DAYS, "%Y/%m/%d"), DAYS, id="date with slashes"),
        pytest.param(written(DAYS, "%Y%m%d"), DAYS, id="date without separators"),
        pytest.param(written(DAYS, "%d/%m/%Y"), DAYS, id="day first"),
        pytest.param(written(DAYS, "%m/%d/%Y"), DAYS, id="month first"),
        pytest.param(written(DAYS, "%d-%m-%y"), DAYS, id="two-digit year"),
        pytest.param(written(DAYS, "%d-%b-%Y"), DAYS, id="month by name"),
        pytest.param(unpadded(DAYS, "{m}/{d}/{Y}"), DAYS, id="month first without zeros"),
        pytest.param(unpadded(HOURS, "{d}.{m}.{Y} {H}:{M:02d}"), HOURS, id="day first without zeros"),
        pytest.param(written(HOURS, "%Y%m%d%H"), HOURS, id="hours without separators"),
        pytest.param(written(HOURS, "%Y%m%d%H%M"), HOURS, id="minutes without separators"),
        pytest.param(written(HOURS, "%Y%m%d%H%M%S"), HOURS, id="seconds without separators"),
        pytest.param(
            [str(int(t.timestamp()) + 200_000_000) for t in HOURS], HOURS + pd.Timedelta("200000000s"), id="epoch 19..."
        ),
        pytest.param(written(MONTHS, "%Y-%m"), MONTHS, id="months"),
        pytest.param(written(MONTHS, "%b %Y"), MONTHS, id="months by name"),
        pytest.param(written(MONTHS, "%m/%Y"), MONTHS, id="months with slash"),
        pytest.param(written(MONTHS, "%Y %b"), MONTHS, id="year first, months by name"),
        pytest.param(written(MONTHS, "%Y-%B"), MONTHS, id="year first, months by whole name"),
        pytest.param(written(MONTHS, "%YM%m"), MONTHS, id="months as Eurostat writes them"),
        pytest.param(written(DAYS, "%d %B %Y"), DAYS, id="day, month by whole name"),
        pytest.param([f"{t:%b}-{t.day}-{t:%Y}" for t in DAYS], DAYS, id="month by name first, days without zeros"),
        pytest.param(list(QUARTERS.to_period("Q").strftime("%Y Q%q")), QUARTERS, id="quarters"),
        pytest.param(list(QUARTERS.to_period("Q").strftime("%YQ%q")), QUARTERS, id="quarters without a blank"),
        pytest.param(list(QUARTERS.to_period("Q").strftime("%Yq%q")), QUARTERS, id="quarters, small letter"),
        pytest.param(list(QUARTERS.to_period("Q").strftime("%Y-Q%q")), QUARTERS, id="quarters with a dash"),
        pytest.param(list(QUARTERS.to_period("Q").strftime("Q%q/%Y")), QUARTERS, id="quarters first"),
        pytest.param(written(WEEKS, "%G-W%V"), WEEKS, id="weeks of ISO 8601"),
        pytest.param(written(WEEKS, "%GW%V"), WEEKS, id="weeks without a dash"),
        pytest.param(written(MONTHS, "%d/%m/%Y"), MONTHS, id="first of months, day first by evenness"),
        pytest.param([str(int(t.timestamp())) for t in HOURS], HOURS, id="epoch seconds"),
        pytest.param([str(int(t.timestamp() * 1000)) for t in HOURS], HOURS, id="epoch milliseconds"),
    ],
)
def test_stamps_are_found_read_and_written_back(write, cells, times):
    sheet = sheet_of(write(column("when", cells)))
    found = find_time(sheet)
    parsed = found.parse(sheet)
    assert found.names == ("when",)
    assert (parsed.to_numpy() == times.to_numpy()).all()
    assert found.write(parsed.to_numpy())["when"] == cells


def test_a_date_and_an_hour_column(write):
    lines = [f"{t:%Y-%m-%d},{t.hour},{t.hour * 2}" for t in HOURS]
    sheet = sheet_of(write("day,hr,y\n" + "\n".join(lines)))
    found = find_time(sheet)
    assert found.names == ("day", "hr")
    assert (found.parse(sheet).to_numpy() == HOURS.to_numpy()).all()
    assert found.write(HOURS.to_numpy()) == {"day": written(HOURS, "%Y-%m-%d"), "hr": [str(t.hour) for t in HOURS]}


def test_a_date_and_a_clock_column(write):
    lines = [f"{t:%d.%m.%Y};{t:%H:%M:%S};{t.hour},5" for t in HOURS]
    sheet = sheet_of(write("Datum;Time;y\n" + "\n".join(lines)))
    found = find_time(sheet)
    assert found.names == ("Datum", "Time")
    assert (found.parse(sheet).to_numpy() == HOURS.to_numpy()).all()
    assert found.write(HOURS.to_numpy())["Time"] == written(HOURS, "%H:%M:%S")


def test_parts_by_their_names(write):
    lines = [f"{t.hour},{t.day},{t.month},{t.year},7" for t in HOURS]
    sheet = sheet_of(write("Hour,Day,Month,Year,y\n" + "\n".join(lines)))
    found = find_time(sheet)
    assert found.names == ("Year", "Month", "Day", "Hour")
    assert (found.parse(sheet).to_numpy() == HOURS.to_numpy()).all()
    assert found.write(HOURS.to_numpy())["Day"] == [str(t.day) for t in HOURS]


def test_a_year_and_a_quarter(write):
    lines = [f"{t.year},{t.quarter},7" for t in QUARTERS]
    sheet = sheet_of(write("year,quarter,y\n" + "\n".join(lines)))
    found = find_time(sheet)
    assert found == find_time(sheet, ["year", "quarter"])
    assert (found.parse(sheet).to_numpy() == QUARTERS.to_numpy()).all()
    assert found.write(QUARTERS.to_numpy())["quarter"] == [str(t.quarter) for t in QUARTERS]


def test_there_is_no_fifth_quarter(write):
    sheet = sheet_of(write("year,quarter,y\n1998,4,7\n1999,5,7\n2000,1,7"))
    with pytest.raises(DataError, match="line 3, column 'year'"):
        find_time(sheet).parse(sheet)
    sheet = sheet_of(write(column("when", [*QUARTERS.to_period("Q").astype(str), "2006Q5"])))
    with pytest.raises(DataError, match="line 32, column 'when': '2006Q5' does not follow %YQ%q"):
        find_time(sheet).parse(sheet)


def test_the_user_can_say_how_quarters_are_written(write):
    cells = [f"{t.quarter}/{t.year}" for t in QUARTERS]
    found = find_time(sheet := sheet_of(write(column("when", cells))), ["when"], "%q/%Y")
    assert (found.parse(sheet).to_numpy() == QUARTERS.to_numpy()).all()
    assert found.write(QUARTERS.to_numpy())["when"] == cells


def test_years_alone(write):
    sheet = sheet_of(write(column("year", range(1990, 2020))))
    found = find_time(sheet)
    assert found.parse(sheet).dt.year.tolist() == list(range(1990, 2020))
    assert found.write(found.parse(sheet).to_numpy())["year"] == [str(year) for year in range(1990, 2020)]


def test_an_integer_step_counts_on(write):
    sheet = sheet_of(write(column("step", range(10, 400, 10))))
    found = find_time(sheet)
    assert (found.kind, found.names) == ("integer", ("step",))
    assert found.write(np.array([400, 410])) == {"step": ["400", "410"]}


def test_no_time_column_at_all(write):
    sheet = sheet_of(write("a,b\n0.5,1.5\n0.25,1.25\n0.75,1.75\n"))
    found = find_time(sheet)
    assert found.kind == "row"
    assert found.parse(sheet).tolist() == [1, 2, 3]


@pytest.mark.parametrize("name", ["ETTh1", "bike"])
def test_a_counter_does_not_hide_the_date(write, name):
    lines = [f"{k},{t:%Y-%m-%d %H:%M:%S},{k % 7}" for k, t in enumerate(HOURS)]
    assert find_time(sheet_of(write(f"{name},date,y\n" + "\n".join(lines)))).names == ("date",)


def test_dates_that_can_be_read_both_ways_are_refused(write):
    cells = [f"{day:02d}/{month:02d}/2024" for month, day in [(1, 1), (2, 2), (3, 3), (4, 5), (7, 9)]]
    with pytest.raises(DataError, match=r"'01/01/2024' can be read as %d/%m/%Y or %m/%d/%Y.*--time-format"):
        find_time(sheet_of(write(column("date", cells))))


def test_one_row_late_in_the_column_decides(write):
    """A first year of month-first dates looks day-first until the 13th."""
    cells = written(pd.date_range("2024-01-01", periods=2000, freq="D"), "%m/%d/%Y")
    assert find_time(sheet_of(write(column("date", cells)))).format.pattern == "%m/%d/%Y"


def test_the_user_can_say_the_format(write):
    sheet = sheet_of(write(column("date", written(pd.date_range("2024-01-01", periods=12), "%m/%d/%Y"))))
    found = find_time(sheet, ["date"], "%m/%d/%Y")
    assert (found.parse(sheet).dt.month == 1).all()


def test_a_format_that_can_not_be_written_back_is_refused():
    with pytest.raises(UsageError, match="%j is not supported"):
        named_format("%Y-%j", pd.Series(["2024-001"]))


@pytest.mark.parametrize("pattern", ["%Y %Y", "%q %q", "%YQ%q %m", "%Y-W%V", "%V", "%G"])
def test_directives_that_do_not_go_together_are_refused(pattern):
    with pytest.raises(UsageError, match=f"--time-format {pattern}: "):
        named_format(pattern, pd.Series(["2024 2024"]))


def test_a_stray_cell_is_told_with_its_place(write):
    cells = written(HOURS, "%Y-%m-%d %H:%M")
    cells[40] = "yesterday"
    sheet = sheet_of(write(column("when", cells)))
    found = find_time(sheet)
    with pytest.raises(DataError, match="line 42, column 'when': 'yesterday' does not follow"):
        found.parse(sheet)


def test_midnight_may_be_written_without_a_time(write):
    cells = [cell.removesuffix(" 00:00:00") for cell in written(HOURS, "%Y-%m-%d %H:%M:%S")]
    sheet = sheet_of(write(column("when", cells)))
    assert (find_time(sheet).parse(sheet).to_numpy() == HOURS.to_numpy()).all()


def test_a_named_column_that_holds_no_time(write):
    with pytest.raises(DataError, match="column 'y' holds no stamps"):
        find_time(sheet_of(write(column("when", written(DAYS, "%Y-%m-%d")))), ["y"])


def test_a_data_frame_may_have_its_time_as_index():
    frame = pd.DataFrame({"y": range(60)}, index=HOURS)
    sheet = sheet_from_frame(frame)
    assert (find_time(sheet).parse(sheet).to_numpy() == HOURS.to_numpy()).all()
    assert list(frame.columns) == ["y"]


@settings(max_examples=60, deadline=None)
@given(
    st.datetimes(pd.Timestamp("1900-01-01"), pd.Timestamp("2100-01-01")),
    st.sampled_from(["%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%Y-%m-%dT%H:%M:%S%z", "%b %d, %Y %I:%M:%S %p"]),
    st.booleans(),
    st.sampled_from(["Z", "+05:30", "-0800", "+01"]),
)
def test_what_is_written_reads_back_as_the_same_time(moment, pattern, pad, offset):
    stamp = np.array([moment.replace(microsecond=0)], dtype="datetime64[us]")
    form = StampFormat(pattern, pad, offset if "%z" in pattern else "")
    assert (form.parse(pd.Series(form.write(stamp))).to_numpy() == stamp).all()
