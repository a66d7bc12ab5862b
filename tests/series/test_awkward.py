"""Files as people really have them: each is read rightly or refused with words that help, none misread in silence."""

from __future__ import annotations

import pandas as pd
import pytest

from cnnlstm_cli.errors import DataError
from cnnlstm_cli.series.reader import read_training
from cnnlstm_cli.specs import DataSpec

HOURS = pd.date_range("2024-01-01", periods=120, freq="h")
DAYS = pd.date_range("2024-01-01", periods=120, freq="D")
SPRING = pd.date_range("2024-03-28", "2024-04-05", freq="h", tz="Europe/Berlin")
AUTUMN = pd.date_range("2024-10-24", "2024-11-02", freq="h", tz="Europe/Berlin")


def y(k: int) -> float:
    return round(10 + (k * 7 % 23) / 3, 3)


def table(times, form="%Y-%m-%d %H:%M:%S", head="time,y", sep=",") -> str:
    return head + "\n" + "".join(f"{t.strftime(form)}{sep}{y(k)}\n" for k, t in enumerate(times))


def cells(values, head="time,y") -> str:
    return head + "\n" + "".join(f"{value},{y(k)}\n" for k, value in enumerate(values))


LINES = table(HOURS).splitlines()
STAMP = "%Y-%m-%d %H:%M"

# content, step, the first time that follows, what was mended
READ = {
    "offsets across daylight saving": (cells([t.isoformat() for t in SPRING]), "h", "2024-04-05T01:00:00+02:00", {}),
    "local time in spring": (table(SPRING, STAMP), "h", "2024-04-05 01:00", {"missing rows": 1}),
    "local time in autumn": (table(AUTUMN, STAMP), "h", "2024-11-02 01:00", {"doubled stamps, the last row kept": 1}),
    "midnight without a time": ("\n".join(LINES).replace(" 00:00:00", ""), "h", "2024-01-06 00:00:00", {}),
    "a day missing": (table(DAYS.delete(40), "%Y-%m-%d"), "D", "2024-04-30", {"missing rows": 1}),
    "month ends": (table(pd.date_range("2015-01-31", periods=61, freq="ME"), "%Y-%m-%d"), "ME", "2020-02-29", {}),
    "month starts in German": (
        table(pd.date_range("2015-01-01", periods=60, freq="MS"), "%d.%m.%Y"),
        "MS",
        "01.01.2020",
        {},
    ),
    "weeks with a hole": (
        table(pd.date_range("2020-01-06", periods=100, freq="7D").delete([20, 21]), "%Y-%m-%d"),
        "W-MON",
        "2021-12-06",
        {"missing rows": 2},
    ),
    "business days with holidays": (
        table(pd.bdate_range("2023-01-02", periods=200).delete([30, 31, 90]), "%Y-%m-%d"),
        "B",
        "2023-10-09",
        {"missing rows": 3},
    ),
    "a stamp a second off": (
        "\n".join([*LINES[:50], "2024-01-03 00:00:01,5", *LINES[50:]]),
        "h",
        "2024-01-06 00:00:00",
        {"rows off the step, dropped": 1},
    ),
    "years": (cells(range(1950, 2020), "year,y"), "12MS", "2020", {}),
    "YYYYMMDD": (table(DAYS, "%Y%m%d"), "D", "20240430", {}),
    "YYYYMM": (table(pd.date_range("2010-01-01", periods=60, freq="MS"), "%Y%m"), "MS", "201501", {}),
    "epoch microseconds": (cells([int(t.timestamp()) * 10**6 for t in HOURS]), "h", "1704499200000000", {}),
    "epoch nanoseconds": (cells([int(t.timestamp()) * 10**9 for t in HOURS]), "h", "1704499200000000000", {}),
    "epoch with a fraction": (cells([t.timestamp() + 0.25 for t in HOURS]), "h", "1704499200.25", {}),
    "AM and PM": (table(HOURS, "%m/%d/%Y %I:%M:%S %p"), "h", "01/06/2024 12:00:00 AM", {}),
    "Mac line ends": (table(HOURS).replace("\n", "\r"), "h", "2024-01-06 00:00:00", {}),
    "steps downwards": (cells(range(200, 80, -1), "step,y"), "1", "201", {"rows newest first, turned": 120}),
    "two date columns": (
        table(HOURS, "2024-05-01,%Y-%m-%d %H:%M:%S", "created,time,y"),
        "h",
        "2024-01-06 00:00:00",
        {},
    ),
    "date, hour and minute": (
        table(pd.date_range("2024-01-01", periods=300, freq="15min"), "%Y-%m-%d,%-H,%-M", "date,hour,minute,y"),
        "15min",
        "2024-01-04 3 0",
        {},
    ),
    "hours from 1 to 24": (
        "date,hour,y\n" + "".join(f"{t:%Y-%m-%d},{t.hour + 1},{y(k)}\n" for k, t in enumerate(HOURS)),
        "h",
        "2024-01-06 1",
        {},
    ),
    "a very long cell": ("\n".join([*LINES[:5], LINES[5] + "0" * 200_000, *LINES[6:]]), "h", "2024-01-06 00:00:00", {}),
    "short rows": ("\n".join([*LINES[:9], LINES[9].split(",")[0], *LINES[10:]]), "h", "2024-01-06 00:00:00", {}),
}


@pytest.mark.parametrize(("content", "step", "following", "mended"), READ.values(), ids=list(READ))
def test_read_rightly(write, content, step, following, mended):
    read = read_training(write(content), DataSpec())
    schema = read.schema
    after = schema.time.write(schema.frequency.after(read.times[-1], 1))
    assert schema.frequency.alias == step
    assert " ".join(cell[0] for cell in after.values()) == following
    assert {what: count for what, count in read.mended_counts().items() if "values" not in what} == mended
    assert schema.targets == ("y",)


MIXED = [t.strftime("%d/%m/%Y" if k < 60 else "%m/%d/%Y") for k, t in enumerate(DAYS)]
REFUSED = {
    "day first, then month first": (cells(MIXED), "'time' looks like the time"),
    "fortnights": (
        cells([f"{2000 + k // 26}F{k % 26 + 1}" for k in range(60)], "period,y"),
        "like '2000F1', follow no one way",
    ),
    "a time in letters": (table(HOURS, "%A %H %d %B", "time,y"), "looks like the time"),
    "a delimiter on some lines": (
        "\n".join(line + "," * (k % 5 == 4) for k, line in enumerate(LINES)),
        "line 5: 3 cells",
    ),
    "all times equal": (cells(["2024-01-01"] * 50), "49 of 50 rows repeat a time"),
    "one row": (cells(["2024-01-01"]), "all rows have the same time"),
    "uneven times": (
        cells((DAYS[0] + pd.to_timedelta([k**2 for k in range(99)], "s")).astype(str)),
        "not evenly spaced",
    ),
    "a slip in the last stamp": (
        "\n".join([*LINES[:-1], "2199-01-05 23:00:00,5"]),
        "Is the first or the last stamp a slip",
    ),
    "percent signs": (table(HOURS).replace("\n", "%\n"), r"line 2, column 'y%?' is '10.0%': a number with"),
    "thousands": (
        'time,y,z\n2024-01-01,"1,100",1\n2024-01-02,"1,200",3\n',
        "column 'y' is '1,100': a number with thousands",
    ),
    "thousands in German": (
        "time;y;z\n2024-01-01;1.100,5;1\n2024-01-02;1.200,7;3\n",
        "column 'y' is '1.100,5': a number",
    ),
    "no header": ("\n".join(LINES[1:]), "values, not column names"),
    "a comment first": ("# exported by a tool\n" + table(HOURS), "the first line is a comment"),
    "two header lines": ("\n".join([LINES[0], "[UTC],[kW]", *LINES[1:]]), r"line 2, column '(y|time)': '\[(kW|UTC)\]'"),
    "a dash for nothing": (table(HOURS).replace(",10.0\n", ",-\n", 1), "line 2, column 'y': '-' is not a number"),
    "hours in words": (
        "date,hour,y\n" + "".join(f"{t:%Y-%m-%d},HE{t.hour:02d},{y(k)}\n" for k, t in enumerate(HOURS)),
        "repeat a time: several series stacked.*or all time columns with --time",
    ),
    "days across daylight saving with offsets": (
        cells([t.isoformat() for t in pd.date_range("2024-03-20", "2024-06-05", tz="Europe/Berlin")]),
        "lies between two steps of 'D'.*daylight saving",
    ),
    "UTF-16 without a mark": (table(HOURS).encode("utf-16-le"), "NUL bytes"),
    "another encoding deep down": (table(HOURS).encode() + b"2024-01-06 00:00:00,\xff\xfe\n", "line 122, column 'y'"),
}


@pytest.mark.parametrize(("content", "words"), REFUSED.values(), ids=list(REFUSED))
def test_refused_with_words(write, content, words):
    with pytest.raises(DataError, match=words):
        read_training(write(content), DataSpec())
