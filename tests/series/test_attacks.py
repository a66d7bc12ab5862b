"""Files that once were misread in silence, each found by someone who tried."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cnnlstm_cli.config import DataSpec
from cnnlstm_cli.errors import DataError, UsageError
from cnnlstm_cli.series.reader import read_recent, read_training

DAYS = pd.date_range("2020-01-01", periods=200)
HOURS = pd.date_range("2024-03-01", periods=200, freq="h")


def text(head: str, lines) -> str:
    return "\n".join([head, *lines]) + "\n"


def daily(days=DAYS, form="%Y-%m-%d") -> str:
    return text("time,a", [f"{day.strftime(form)},{k % 7 + 7.5}" for k, day in enumerate(days)])


@pytest.mark.parametrize("named", [(), ("ts",)], ids=["found", "named"])
@pytest.mark.parametrize("by", ["ts", "store"])
def test_numeric_time_in_a_panel_is_found_however_it_is_sorted(write, by, named):
    frame = pd.DataFrame([(s, int(t.timestamp()), k % 5 + 0.5) for k, t in enumerate(HOURS) for s in "ABC"])
    frame = frame.set_axis(["store", "ts", "v"], axis=1).sort_values([by], kind="stable")
    table = read_training(write(frame.to_csv(index=False)), DataSpec(id="store", time=named))
    assert (table.schema.time.kind, table.schema.frequency.alias, table.schema.targets) == ("epoch s", "h", ("v",))


def test_years_of_many_countries(write):
    rows = [f"{c},{year},{year % 7 + 0.5}" for year in range(1960, 2020) for c in ("DE", "FR")]
    table = read_training(write(text("country,year,v", rows)), DataSpec(id="country"))
    assert (table.schema.time.names, table.schema.frequency.alias) == (("year",), "12MS")


def test_named_numbers_may_come_in_any_order(write):
    order = np.random.default_rng(0).permutation(200)
    table = read_training(write(text("tick,a", [f"{k},{k % 7 + 0.5}" for k in order])), DataSpec(time=("tick",)))
    assert table.values[:7, 0].tolist() == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5]


def test_a_two_digit_year_may_stand_first(write):
    table = read_training(write(daily(DAYS, "%y-%m-%d")), DataSpec())
    assert (table.schema.frequency.alias, table.times[-1]) == ("D", DAYS[-1])


def test_the_time_is_written_as_the_new_file_writes_it(write):
    schema = read_training(write(daily()), DataSpec()).schema
    recent = read_recent(write(daily(DAYS + pd.Timedelta("12h"), "%Y-%m-%d %H:%M"), "noon.csv"), schema, 30)
    after = recent.schema.frequency.after(recent.times[-1], 1)
    assert recent.schema.time.write(after) == {"time": ["2020-07-19 12:00"]}


def test_an_empty_row_never_takes_the_place_of_a_filled_one(write):
    table = read_training(write(daily() + f"{DAYS[-1]:%Y-%m-%d},\n"), DataSpec())
    assert table.values[-1, 0] == 199 % 7 + 7.5


def test_offsets_on_a_run_without_are_read_in_words_or_in_time(write):
    schema = read_training(write(text("time,a", [f"{t},1.{k % 7}" for k, t in enumerate(HOURS)])), DataSpec()).schema
    berlin = pd.date_range("2024-03-28", periods=100, freq="h", tz="Europe/Berlin")
    recent = read_recent(write(text("time,a", [f"{t.isoformat()},1" for t in berlin]), "b.csv"), schema, 30)
    assert recent.times[-1] == berlin[-1].tz_convert("UTC").tz_localize(None)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(
            daily() + "2020-07-19 00:00:01,5\n", "lies between two steps|lie between two steps", id="newest off"
        ),
        pytest.param(
            daily(pd.bdate_range("2020-01-01", periods=60)), "business days, where the run", id="business days"
        ),
        pytest.param(daily(DAYS[:-1].append(DAYS[-1:] + pd.Timedelta("60D"))), "have no row", id="mostly missing"),
    ],
)
def test_recent_rows_that_would_be_invented_or_dropped_are_refused(write, content, words):
    schema = read_training(write(daily(), "train.csv"), DataSpec()).schema
    with pytest.raises(DataError, match=words):
        read_recent(write(content), schema, 49)


def test_a_date_in_the_header_is_no_header(write):
    lines = daily().splitlines()
    with pytest.raises(DataError, match="the first line holds a date"):
        read_training(write("\n".join([lines[1].replace("7.5", "NA"), *lines[2:]])), DataSpec())


def test_a_second_column_of_dates_in_numbers_is_left_out(write):
    rows = [f"{day:%Y-%m-%d},{day:%Y%m},{k % 7 + 0.5}" for k, day in enumerate(DAYS)]
    table = read_training(write(text("day,month_of,a", rows)), DataSpec())
    assert (table.schema.time.names, table.schema.targets) == (("day",), ("a",))


@pytest.mark.parametrize("freq", ["5", "0", "0D", "²"])
def test_steps_that_are_none(write, freq):
    with pytest.raises(UsageError, match=r"no such step|is no step between dates"):
        read_training(write(daily()), DataSpec(freq=freq))


def test_no_word_is_a_missing_id(write):
    rows = [f"{name},{day:%Y-%m-%d},{k % 7 + 0.5}" for name in ("NA", "None", "007") for k, day in enumerate(DAYS)]
    table = read_training(write(text("id,day,a", [*rows, ",2020-01-01,5"])), DataSpec(id="id"))
    assert table.ids == ("NA", "None", "007")
    assert table.mended_counts() == {"rows without a time or an id, dropped": 1}
