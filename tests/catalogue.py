"""Files as people really have them, odd or to be mended, and what each must give: the data of test_catalogue.py.

Each is a variant of one of the series in `SERIES`; its name says what is odd about it.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import math
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd

Lines = Sequence[str]
Content = Lines | str | bytes
Pattern = str | Callable[[pd.Timestamp], str]  # of strftime, or what writes a time
HOLE = "{} missing values, filled by a straight line (first at {})"


@dataclass(frozen=True)
class Good:
    """A file that is read without a word of mending.

    run    whose series it is
    times  the time cells of the rows that come next, None where they are those of the clean file
    told   what is said of it all the same, as that its delimiter is a semicolon
    clean  the file it must be forecast like, None for the one that the run was trained on
    """

    run: str
    content: Content
    times: Lines | None = None
    told: str = ""
    clean: Lines | None = None


@dataclass(frozen=True)
class Mended:
    """A file that is mended and forecast like `clean`; `said` is what was mended, a line a kind, then `hint`."""

    run: str
    content: Content
    said: tuple[str, ...]
    clean: Lines
    commands: tuple[str, ...] = ("predict", "inspect")
    hint: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bad:
    """A file that each of the commands refuses in one line, which matches `words`."""

    run: str
    content: Content
    words: str
    commands: tuple[str, ...] = ("predict", "inspect", "train")


def y(k: int) -> float:
    """A wave of twelve rows with noise; the seventh value from the end is 0."""
    return 0.0 if k == 193 else round(12 * math.sin(k * math.pi / 6) + (k * 7919 % 101) / 10, 2)


def written(times: pd.DatetimeIndex, pattern: Pattern, head: str) -> list[str]:
    return [head, *(f"{cell},{y(k)}" for k, cell in enumerate(_cells(times, pattern)))]


def following(times: pd.DatetimeIndex, pattern: Pattern) -> list[str]:
    return [cell.strip('"') for cell in _cells(pd.date_range(times[-1], periods=5, freq=times.freq)[1:], pattern)]


def _cells(times: pd.DatetimeIndex, pattern: Pattern) -> list[str]:
    return [pattern(time) if callable(pattern) else time.strftime(pattern) for time in times]


HOURS = pd.date_range("2024-03-23 05:00", periods=200, freq="h")  # the clocks go forward among the newest rows
DAYS = pd.date_range("2023-09-01", periods=200, freq="D")  # with a leap day
WORKDAYS = pd.bdate_range("2023-01-02", periods=200)
MONTHS = pd.date_range("2005-01-01", periods=200, freq="MS")
MINUTES = "%Y-%m-%d %H:%M"
SECONDS = "%Y-%m-%d %H:%M:%S"
ODD_NAMES = ('load, "net"\nin kW', "load", "Load", "[bold]עומס 😀[/bold]", "flat")
H = written(HOURS, MINUTES, "time,load (MW)")
D = written(DAYS, "%Y-%m-%d", "day,größe")
M = written(MONTHS, "%Y-%m", "month,sales")
B = ['date,"load, ""net""\nin kW",load,Load,[bold]עומס 😀[/bold],flat']
B += [f"{day:%Y-%m-%d},{y(k)},{y(k + 3)},{y(k + 5)},{y(k + 9)},42" for k, day in enumerate(WORKDAYS)]
S = ["step,reading", *(f"{10 * k},{y(k)}" for k in range(200))]
C = ["reading", *(f"{y(k)}" for k in range(200))]
P = ["shop,day,sold"]
for n, shop in enumerate(("NA", "007", "north")):
    P += [f"{shop},{day:%Y-%m-%d},{y(k + 5 * n)}" for k, day in enumerate(DAYS[:120])]
SERIES = {"hourly": H, "daily": D, "monthly": M, "business": B, "steps": S, "shops": P, "counted": C}
TIMES = {"hourly": HOURS, "daily": DAYS, "monthly": MONTHS}
AT = H[-5].split(",")[0]  # where most damages are: line 197


def each(lines: Lines, form: str) -> list[str]:
    """Each line in a form, as `{},`; {k} in it is the line's number."""
    return [form.format(line, k=k) for k, line in enumerate(lines)]


def swapped(lines: Lines, *pairs: tuple[str, str]) -> list[str]:
    """Every old in every line replaced by its new, one pair after the other."""
    text = "\n".join(lines)
    for old, new in pairs:
        text = text.replace(old, new)
    return text.split("\n")


def put(lines: Lines, place: int, *instead: str) -> list[str]:
    """The line at a place (below 0: from the end) replaced by others, or by none."""
    place %= len(lines)
    return [*lines[:place], *instead, *lines[place + 1 :]]


def cell(lines: Lines, place: int, value: object) -> list[str]:
    """The last cell of a line replaced."""
    before, comma, _ = lines[place].rpartition(",")
    return put(lines, place, f"{before}{comma}{value}")


def bridged(lines: Lines, first: int, last: int, columns: int = 1) -> list[str]:
    """The values from line `first` to `last`, both below 0, replaced by a straight line between their neighbours."""
    start, end = ([float(value) for value in lines[n].split(",")[-columns:]] for n in (first - 1, last + 1))
    made = list(lines)
    for n in range(first, last + 1):
        share = (n - first + 1) / (last - first + 2)
        values = (f"{a + (b - a) * share!r}" for a, b in zip(start, end, strict=True))
        made[n] = ",".join([*lines[n].split(",")[:-columns], *values])
    return made


def text(content: Content) -> bytes:
    if isinstance(content, bytes):
        return content
    return (content if isinstance(content, str) else "".join(each(content, "{}\n"))).encode()


def zipped(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def rewritten(run: str, pattern: Pattern) -> Good:
    """A series with its times written in another way, in which the forecast is written as well."""
    return Good(run, written(TIMES[run], pattern, SERIES[run][0]), following(TIMES[run], pattern))


def zoned(*zones: str) -> Callable[[pd.Timestamp], str]:
    """ISO stamps with offsets, hour by hour in another zone."""
    return lambda time: time.tz_localize("UTC").tz_convert(zones[time.hour % len(zones)]).isoformat()


def epoch(per_second: int) -> Callable[[pd.Timestamp], str]:
    return lambda time: str(int(time.timestamp()) * per_second)


def gap(run: str, content: Content, first: object, clean: Lines, rows: int = 1, cells: int = 1) -> Mended:
    """Rows that are missing, and filled."""
    return Mended(run, content, (f"{rows} missing rows (first at {first})", HOLE.format(cells, first)), clean)


hourly = partial(Good, "hourly")
AUTUMN = pd.date_range("2024-10-19 05:00", periods=200, freq="h")  # the clocks go back among the newest rows
LOCAL = written(AUTUMN, lambda time: f"{time.tz_localize('UTC').tz_convert('Europe/Berlin'):{MINUTES}}", H[0])
TWICE = LOCAL.index(next(line for line in LOCAL if "10-27 02:00" in line))
WINTER = pd.date_range("2016-12-24 05:00", periods=200, freq="h")  # with a leap second among the newest rows
LATE = pd.date_range("2024-01-01", periods=400, freq="h")
LATE_COMMAS = ["time;load (MW)", *(f"{t:{MINUTES}};{k % 9}{',5' * (k > 300)}" for k, t in enumerate(LATE))]
THIRDS = ("12", "12.333", "11.667", "13", "14.333", "9.667", "10")  # three decimals, or none
LARGE = 10**17  # beyond what a float64 counts by ones
FILLED = bridged(H, -5, -5)
DROPPED = "1 rows without a time or an id, dropped (first at line {})"
DOUBLED = "{} doubled stamps, the last row kept (first at {})"

GOOD = {
    "trailing delimiters": hourly([H[0], *each(H[1:], "{},")]),
    "trailing delimiters in the header too": hourly(each(H, "{},")),
    "UTF-8 with a mark": Good("daily", "\ufeff" + "\n".join(D)),
    "UTF-16 with a mark": Good("daily", "\n".join(D).encode("utf-16"), told="read with encoding utf-16-le\n"),
    "Windows-1252": Good("daily", "\n".join(D).encode("cp1252"), told="read with encoding cp1252\n"),
    "a number of 200,000 digits": hourly(put(H, -5, H[-5] + "0" * 200_000)),
    "a note of 140,000 characters": hourly([H[0] + ",note", *each(H[1:-1], "{},ok"), H[-1] + "," + "x" * 140_000]),
    "notes of several lines": hourly([H[0] + ",note", *each(H[1:], '{},"a\n""b"", c"')]),
    "line separators of Unicode": hourly([H[0] + ",note", *each(H[1:], "{},a\u2028b\x0bc\x0cd\x85")]),
    "carriage returns alone": hourly("\r".join(H)),
    "line ends of two kinds": hourly("".join(line + ("\r\n" if k % 3 else "\n") for k, line in enumerate(H))),
    "no newline at the end": hourly("\n".join(H)),
    "blank lines first": hourly(["", "", *H]),
    "a line of blanks first": hourly(["   ", *H]),
    "blank lines between": hourly([*H[:-5], "", "   ", *H[-5:]]),
    "blank lines last": hourly([*H, "", "  ", ""]),
    "semicolons": hourly(swapped(H, (",", ";")), told="read with delimiter semicolon\n"),
    "semicolons, said for Excel": hourly(["sep=;", *swapped(H, (",", ";"))], told="read with delimiter semicolon\n"),
    "decimal commas": hourly(swapped(H, (",", ";"), (".", ",")), told="read with delimiter semicolon, decimal comma\n"),
    "no decimal comma in the first 300 rows": hourly(
        LATE_COMMAS,
        following(LATE, MINUTES),
        "read with delimiter semicolon, decimal comma\n",
        swapped(LATE_COMMAS, (",", "."), (";", ",")),
    ),
    "tabs": hourly(swapped(H, (",", "\t")), told="read with delimiter tab\n"),
    "bars": hourly(swapped(H, (",", " | ")), told="read with delimiter bar\n"),
    "blanks around cells": hourly(each(swapped(H, (",", " ,  ")), "  {} ")),
    "quotes around cells": hourly(each(swapped(H, (",", '", "')), '"{}"')),
    "signs, exponents and leading zeros": hourly(
        cell(cell(cell(H, -5, "+05.0"), -4, "5E+0"), -3, ".5"), clean=cell(cell(cell(H, -5, 5), -4, 5), -3, 0.5)
    ),
    "thirds beside whole numbers": hourly(
        [H[0], *(f"{t:{MINUTES}},{THIRDS[k % 7]}" for k, t in enumerate(HOURS))],
        clean=[H[0], *(f"{t:{MINUTES}},{float(THIRDS[k % 7]):.6f}" for k, t in enumerate(HOURS))],
    ),
    "negative zero": hourly(cell(H, -7, "-0.0")),
    "a number too small to tell from zero": hourly(cell(H, -7, "1e-400")),
    "whole numbers beyond 2^53 beside": hourly([H[0] + ",serial", *each(H[1:], f"{{}},{2**53 + 1}{{k}}")]),
    "a zip": hourly(zipped({"folder/": b"", "folder/a.csv": text(H)})),
    "a zip by macOS": hourly(zipped({"a.csv": text(H), "__MACOSX/._a.csv": b"\0"})),
    "a gzip of two parts": hourly(gzip.compress(text(H[:90])) + gzip.compress(text(H[90:]))),
    "a bzip2": hourly(bz2.compress(text(H))),
    "an xz": hourly(lzma.compress(text(H))),
    "a constant column beside": hourly([H[0] + ",c", *each(H[1:], "{},5")]),
    "true and false beside": hourly([H[0] + ",open", *each(H[1:], "{},true")]),
    "names equal up to case": hourly([H[0] + ",LOAD (MW),Time", *each(H[1:], "{},1,x")]),
    "a name of blanks": hourly([H[0] + ", ", *each(H[1:], "{},x")]),
    "pandas' index": hourly(["," + H[0], *(f"{k},{line}" for k, line in enumerate(H[1:]))]),
    "pandas' index, read and written": hourly(["Unnamed: 0," + H[0], *(f"{k},{x}" for k, x in enumerate(H[1:]))]),
    "pandas' index beside steps": Good("steps", ["," + S[0], *(f"{k},{line}" for k, line in enumerate(S[1:]))]),
    "odd names": Good("business", B),
    "two blanks before the hour": hourly([H[0], *swapped(H[1:], (" ", "  "))]),
    "midnight without a time": hourly(swapped(H, (" 00:00", ""))),
    "day first": rewritten("daily", "%d/%m/%Y"),
    "month first": rewritten("daily", "%m/%d/%Y"),
    "years of two digits": rewritten("daily", "%d.%m.%y"),
    "years of two digits first": rewritten("daily", "%y-%m-%d"),
    "no leading zeros": rewritten("hourly", "%-m/%-d/%Y %-H:%M"),
    "no leading zero in the hour": rewritten("hourly", "%Y-%m-%d %-H:%M"),
    "month names": rewritten("daily", '"%b %d, %Y"'),
    "month names in capitals": rewritten("daily", lambda t: f"{t:%d-%b-%y}".upper()),
    "am and pm": rewritten("hourly", lambda t: f"{t:%m/%d/%Y %I:%M %p}".lower()),
    "months as names": rewritten("monthly", "%b-%y"),
    "months as their first days, month first": rewritten("monthly", "%m/%d/%Y"),
    "epoch seconds": rewritten("hourly", epoch(1)),
    "epoch milliseconds": rewritten("hourly", epoch(1000)),
    "stamps with Z": rewritten("hourly", "%Y-%m-%dT%H:%M:%SZ"),
    "offsets across spring": rewritten("hourly", zoned("Europe/Berlin")),
    "offsets across autumn": hourly(
        written(AUTUMN, zoned("Europe/Berlin"), H[0]),
        following(AUTUMN, zoned("Europe/Berlin")),
        clean=written(AUTUMN, MINUTES, H[0]),
    ),
    "offsets of two zones": hourly(
        written(HOURS, zoned("Europe/Berlin", "Asia/Tokyo"), H[0]), following(HOURS, zoned("Europe/Berlin"))
    ),
    "a leap second for midnight": hourly(
        swapped(written(WINTER, SECONDS, H[0]), ("2017-01-01 00:00:00", "2016-12-31 23:59:60")),
        following(WINTER, SECONDS),
        clean=written(WINTER, MINUTES, H[0]),
    ),
    "times in the last column": hourly([",".join(reversed(line.split(","))) for line in H]),
    "whole-numbered times below zero": Good(
        "steps", [S[0], *(f"{10 * k - 1990},{y(k)}" for k in range(200))], ["10", "20", "30", "40"]
    ),
    "whole-numbered times beyond 2^53": Good(
        "steps",
        [S[0], *(f"{LARGE + 10 * k},{y(k)}" for k in range(200))],
        [str(LARGE + 2000 + 10 * k) for k in range(4)],
    ),
    "a panel sorted by time": Good("shops", [P[0], *sorted(P[1:], key=lambda line: line.split(",")[1])]),
    "ids with blanks": Good("shops", [P[0], *(f" {line.replace(',', ' ,', 1)}" for line in P[1:])]),
}

MENDED = {
    "a short row": Mended("hourly", put(H, -5, AT), (HOLE.format(1, AT),), FILLED),
    **{
        f"{word or 'nothing'} for a number": Mended("hourly", cell(H, -5, word), (HOLE.format(1, AT),), FILLED)
        for word in ("", "  ", "NaN", "NA", "N/A", "null", "None", "#N/A")
    },
    **{
        f"{word} for a number": Mended(
            "hourly",
            cell(H, -5, word),
            (f"1 infinite values, taken as missing (first at {AT})", HOLE.format(1, AT)),
            FILLED,
        )
        for word in ("inf", "-inf", "1e999")
    },
    "a day missing": gap("daily", put(D, -5), "2024-03-14", bridged(D, -5, -5)),
    "several days missing": gap(
        "daily", put(put(put(D, -5), -7), -7), "2024-03-10", bridged(bridged(D, -9, -8), -5, -5), 3, 3
    ),
    "a holiday": gap("business", put(B, -5), "2023-10-02", bridged(B, -5, -5, columns=5), cells=5),
    "a step missing": gap("steps", put(S, -5), 1950, bridged(S, -5, -5)),
    "local time in spring": gap("hourly", put(H, -11), "2024-03-31 02:00", bridged(H, -11, -11)),
    "local time in autumn": Mended(
        "hourly",
        LOCAL,
        (DOUBLED.format(1, "2024-10-27 02:00"),),
        put(LOCAL, TWICE),
        hint=("if that is the hour in which clocks are put back, name their zone: --tz Europe/Berlin",),
    ),
    "a stamp doubled": Mended("hourly", put(H, -5, f"{AT},3", H[-5]), (DOUBLED.format(1, AT),), H),
    "a stamp again without a number": Mended("hourly", put(H, -5, H[-5], f"{AT},"), (DOUBLED.format(1, AT),), H),
    "two files that overlap": Mended(
        "hourly",
        [*H[:-5], *H[-15:]],
        ("1 rows out of order, sorted (first at 2024-03-30 22:00)", DOUBLED.format(10, "2024-03-30 22:00")),
        H,
    ),
    "newest first": Mended("hourly", [H[0], *H[:0:-1]], ("200 rows newest first, turned",), H),
    "two rows swapped": Mended(
        "hourly", [*H[:-5], H[-4], H[-5], *H[-3:]], (f"1 rows out of order, sorted (first at {AT})",), H
    ),
    "rows in any order": Mended(
        "hourly",
        [H[0], *(H[1 + 77 * k % 200] for k in range(200))],
        (f"76 rows out of order, sorted (first at {HOURS[31]:{MINUTES}})",),
        H,
    ),
    "a stamp a second after another": Mended(
        "hourly",
        put(written(HOURS, SECONDS, H[0]), 20, f"{HOURS[19]:{SECONDS}},{y(19)}", f"{HOURS[19]:{MINUTES}}:01,5"),
        (f"1 rows off the step, dropped (first at {HOURS[19]:{MINUTES}}:01)",),
        H,
        commands=("inspect",),
    ),
    "a row of delimiters": Mended("hourly", [*H[:-5], ",", *H[-5:]], (DROPPED.format(197),), H),
    "a sum without a time at the end": Mended("hourly", [*H, ",12345"], (DROPPED.format(202),), H),
    "an id missing": Mended("shops", [*P, ",2023-12-30,5"], (DROPPED.format(362),), P),
    "rows that announce times to come": Mended(
        "hourly",
        [*H, "2024-03-31 13:00,", "2024-03-31 14:00,NA"],
        ("2 rows at the end without any target, not used (first at 2024-03-31 13:00)",),
        H,
    ),
    "an empty cell in a single column": Mended(
        "counted", cell(C, -5, '""'), (HOLE.format(1, 196),), bridged(C, -5, -5), ("inspect",)
    ),
    "a blank line in a single column": Mended(
        "counted", cell(C, -5, ""), (HOLE.format(1, 196),), bridged(C, -5, -5), ("inspect",)
    ),
}
