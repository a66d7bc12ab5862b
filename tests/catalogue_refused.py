"""Files that must be refused, and the words that each must be refused with: the data of test_catalogue.py, as well."""

from __future__ import annotations

import gzip
import json
import lzma
import re
from functools import partial

import pandas as pd

from tests.catalogue import (
    AT,
    DAYS,
    HOURS,
    MINUTES,
    SECONDS,
    WORKDAYS,
    B,
    Bad,
    D,
    H,
    M,
    P,
    S,
    cell,
    each,
    epoch,
    put,
    swapped,
    text,
    written,
    y,
    zipped,
)

refused = partial(Bad, "hourly")
READ = ("inspect", "train")
ALONE = ("predict",)  # inspect and train make something of it, or do not mind
SIXTIES = pd.date_range("1960-01-01", periods=200, freq="MS")
LAST_DAYS = pd.date_range("9999-06-15", periods=200, unit="us")
ENDS = pd.date_range("2005-01-31", periods=200, freq="ME")
YEARS = pd.date_range("2001-01-01", periods=20_000, freq="h")
SUMMER = pd.date_range("2023-09-20", periods=200, tz="Europe/Berlin")
JSON = [{"time": f"{time}", "load (MW)": k} for k, time in enumerate(HOURS)]
HERE = r"line 197, column 'load \(MW\)'"
WORDS = (
    "-",
    "?",
    "five",
    "#DIV/0!",
    "0x1F",
    "1_000",
    "1,234.5",
    "5 MW",
    "5%",
    "$5",
    "€5",
    "(5)",
    "=1+1",
    "true",
    "\u22125",
)


def patched(archive: bytes, local: int, central: int, value: int) -> bytes:
    """A zip of one file with a byte of both its headers changed."""
    changed = bytearray(archive)
    changed[local] = changed[archive.rfind(b"PK\x01\x02") + central] = value
    return bytes(changed)


def beside(form: str) -> list[str]:
    """The hourly file with its values in a form, and a column of plain numbers that could be forecast without them."""
    rows = (line.split(",") for line in H[1:])
    return [H[0] + ",other", *(f"{t},{form.format(abs(float(v)))},{k % 7}" for k, (t, v) in enumerate(rows))]


def marked(mark: str, delimiter: str) -> list[str]:
    """Whole numbers from 900 on, those from 1,000 on with a thousands mark; the first of these in line 10."""
    rows = (f"{line.split(',')[0]}{delimiter}{900 + 13 * k:,}" for k, line in enumerate(H[1:]))
    return [H[0].replace(",", delimiter), *(row.replace(",", mark) for row in rows)]


NO_TABLE = {
    "a header alone": refused(H[:1], "has a header line and no rows"),
    "nothing": refused(b"", "is empty"),
    "blank lines alone": refused("\n\n  \r\n\n", "is empty"),
    "an image": refused(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)), "NUL bytes: it is no CSV"),
    "bytes without a NUL": refused(bytes(range(1, 256)) * 20, "not text in UTF-8"),
    "JSON": refused(json.dumps(JSON, indent=1), "no column"),
    "JSON in a line": refused(json.dumps(JSON), "line 1|no column|no rows"),
    "a web page": refused("<!DOCTYPE html>\n<html><body>\n<p>Log in, please.</p>\n</body></html>\n", "DOCTYPE html"),
    "an empty zip": refused(zipped({}), "zip|no CSV"),
    "a zip of an empty file": refused(zipped({"a.csv": b""}), "is empty"),
    "a zip of two files": refused(zipped({"a.csv": text(H), "b.csv": text(H)}), "^(?!.*damaged).*2 files"),
    "an Excel workbook": refused(
        zipped({"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<x/>"}), "Excel|workbook|spreadsheet"
    ),
    "a zip with a password": refused(patched(zipped({"a.csv": text(H)}), 6, 8, 1), "password|encrypted"),
    "a zip of a kind unknown": refused(patched(zipped({"a.csv": text(H)}), 8, 10, 97), "compress"),
    "a zip cut off": refused(zipped({"a.csv": text(H)})[:-200], "damaged zip"),
    "a gzip cut off": refused(gzip.compress(text(H))[:-200], "damaged gzip"),
    "a gzip with another sum": refused(gzip.compress(text(H))[:-8] + bytes(8), "damaged gzip"),
    "an xz cut off": refused(lzma.compress(text(H))[:-200], "damaged xz"),
}

NO_NUMBER = {
    **{
        f"{word} for a number": refused(cell(H, -5, f'"{word}"'), HERE + ".*" + re.escape(repr(word))) for word in WORDS
    },
    "thousands in quotes": refused(
        [H[0], *(f'{t:{MINUTES}},"{1000 + k:,}"' for k, t in enumerate(HOURS))], "line 2.*'1,000'"
    ),
    "thousands without quotes": refused(marked(",", ","), "line 10: 3 cells"),
    "thousands with points": refused(marked(".", ";"), "thousands"),
    "thousands with points, the newest all above": refused(
        ["time;load (MW)", *(f"{t:{MINUTES}};{900 + k:,}".replace(",", ".") for k, t in enumerate(YEARS))],
        "line 102.*'1.000'",
    ),
    "thousands with commas between tabs": refused(marked(",", "\t"), "thousands"),
    "thousands with apostrophes": refused(marked("'", ";"), "line 10, column.*1'004"),
    "thousands with narrow blanks": refused(marked("\u202f", ";"), r"line 10, column.*1\\u202f004"),
    **{
        f"{what}, beside plain numbers": refused(beside(form), r"column 'load \(MW\)'")
        for what, form in {
            "units": "{} MW",
            "long units": "{} MWh/h",
            "percent": "{}%",
            "euros": "€ {}",
            "dollars": "US$ {}",
            "negatives in parentheses": "({})",
            "minus signs of typesetters": "\u2212{}",
            "quoted twice": "'{}'",
            "formulas": "={}+1",
        }.items()
    },
    "true and false for numbers": refused(
        [H[0], *(f"{t:{MINUTES}},{t.hour < 9}" for t in HOURS)], r"^(?!.*np\.).*line 2, column 'load \(MW\)'"
    ),
    "units in most cells": refused([*H[:2], *each(H[2:], "{} MW")], "line 3.*' MW|line 3.*MW'"),
    "a number beyond computing": refused(cell(H, -5, "1e300"), HERE + ": 1e.300 is too large"),
    "a number far from all others": refused(cell(H, -5, "1e20"), r"load \(MW\)", ("predict",)),
    "a newline in a number": refused(cell(H, -5, '"5\n6"'), HERE),
}

BAD = {
    "a delimiter that shifts all columns": refused([H[0], *each(H[1:], ",{}")], "line 2: 3 cells under a header of 2"),
    "a delimiter that shifts a row": refused(put(H, -5, H[-5].replace(",", ",,")), "line 197: 3 cells"),
    "a long row": refused(put(H, -5, H[-5] + ",7"), "line 197: 3 cells under a header of 2"),
    "row numbers without a name": refused([H[0], *(f"{k},{x}" for k, x in enumerate(H[1:]))], "line 2: 3 cells"),
    "decimal commas between commas": refused([H[0], *swapped(H[1:], (".", ","))], "line 2: 3 cells"),
    "two columns of one name": refused(each(H, "{},a, a"), r"line 1: 2 columns are named 'a' \(columns 3, 4\)"),
    "two names, thousands of times": refused("a,b," * 2_000, "line 1: 2000 columns are named 'a'"),
    "names that differ in case alone": refused(put(H, 0, "time,Load (MW)"), r"'load \(MW\)'", ALONE),
    "NUL bytes": refused(put(H, -5, H[-5] + "\0"), "holds NUL bytes"),
    "NUL bytes at the end": refused(text(H) + bytes(4096), "holds NUL bytes"),
    "a NUL byte far from the start": refused(
        cell(written(pd.date_range("2000-01-01", periods=20_000, freq="h"), MINUTES, H[0]), -5, "\0"),
        r"line 19997, column 'load \(MW\)'",
    ),
    "UTF-16 without a mark": Bad("daily", "\n".join(D).encode("utf-16-le"), "NUL bytes"),
    "a mark in the middle": refused(put(H, -5, "\ufeff" + H[-5]), "line 197, column 'time'"),
    "bytes that are no UTF-8": refused(text(put(H, -5)) + b"2024-\xff\xfe,5\n", "line 201, column 'time'"),
    "an unclosed quote": refused(cell(H, -5, '"5'), "line 197: a quote is opened and never closed"),
    "an unclosed quote near the start": refused(put(H, 5, '"' + H[5]), "line 6: a quote is opened"),
    "a text of 140,000 characters": refused(cell(H, -5, "x" * 140_000), "line 197"),
    "a text of 100,000 characters": refused(cell(H, -5, "x" * 100_000), HERE),
    "a line that never ends": refused("x" * 200_000, r"data\.csv"),
    "a row of a million cells": refused(f"{H[0]}\n{AT}," + "1," * 1_000_000, "line 2", ALONE),
    "ten thousand names": refused(",".join(f"c{k}" for k in range(10_000)), "no rows", ALONE),
    "a missing column among thousands": refused(
        ["time," + ",".join(f"c{k}" for k in range(2_000)), *(f"{t:{MINUTES}}{',1' * 2_000}" for t in HOURS)],
        r"no column 'load \(MW\)'",
        ALONE,
    ),
    "day first, then month first": Bad(
        "daily",
        [*written(DAYS, "%d/%m/%Y", D[0])[:101], *written(DAYS, "%m/%d/%Y", D[0])[101:]],
        "column 'day'.*'01/09/2023'",
    ),
    "the newest rows month first": Bad(
        "daily",
        [*written(DAYS, "%d/%m/%Y", D[0])[:-6], *written(DAYS, "%m/%d/%Y", D[0])[-6:]],
        "line 196, column 'day': '03/13/2024' does not follow %d/%m/%Y",
    ),
    "a row month first, as if day first": Bad(
        "daily",
        put(written(DAYS - pd.Timedelta("7D"), "%d/%m/%Y", D[0]), -3, "03/09/2024,5"),
        "have no row|gaps leave too few",
        ("predict", "train"),
    ),
    "years of two digits from the sixties on": Bad("monthly", written(SIXTIES, "%d.%m.%y", M[0]), "year|centur"),
    "every day for business days": Bad(
        "business", [B[0], *(f"{day:%Y-%m-%d},1,2,3,4,{k}" for k, day in enumerate(DAYS))], "'B' but 'D'", ALONE
    ),
    "business days for every day": Bad(
        "daily",
        written(WORKDAYS, "%Y-%m-%d", D[0]),
        "business days, where the run",
        ALONE,
    ),
    "month ends for month starts": Bad("monthly", written(ENDS, "%Y-%m-%d", M[0]), "'MS' but 'ME'", ALONE),
    "days with offsets across spring": Bad(
        "daily",
        written(SUMMER, pd.Timestamp.isoformat, D[0]),
        "daylight saving",
    ),
    "a stamp a second after the newest but one": refused(
        [*written(HOURS, SECONDS, H[0])[:-1], f"{AT[:-5]}11:00:01,5", f"{HOURS[-1]:{SECONDS}},{y(199)}"],
        r"first at 2024-03-31 11:00:01\)",
        ALONE,
    ),
    "all stamps equal": refused([H[0], *(f"{AT},{y(k)}" for k in range(200))], "199 of 200 rows repeat a time"),
    "series stacked without a word": Bad(
        "daily", [D[0], *(line.split(",", 1)[1] for line in P[1:])], "rows repeat a time.*--id"
    ),
    "series stacked, told apart by a column": Bad(
        "daily",
        [D[0] + ",shop", *(f"{x.split(',', 1)[1]},{'ABC'[k // 120]}" for k, x in enumerate(P[1:]))],
        "column 'shop' tells the series apart, add --id shop",
    ),
    "a comment first": refused(["# exported, by hand", *H], "line 1: the first line is a comment"),
    "a comment between": refused(put(H, -5, "# mended", H[-5]), "line 197, column 'time': '# mended'"),
    "a comment last": refused([*H, "# end"], "line 202, column 'time': '# end'"),
    "words about the data first": refused(["Station: Berlin", "Unit: MW", "", *H], "Station: Berlin"),
    "words in columns first": refused(["Station,Berlin", "Unit,MW", "", *H], "Berlin"),
    "a second header line": refused(put(H, 0, H[0], "UTC,MW"), r"line 2, column '(time|load \(MW\))': '(UTC|MW)'"),
    "a Markdown table": refused(
        each(put(swapped(H, (",", " | ")), 0, H[0].replace(",", " | "), "--- | ---"), "| {} |"), "line 1"
    ),
    "blanks between cells": Bad("daily", swapped(D, (",", " ")), "day größe"),
    "single quotes": refused(each(swapped(H, (",", "','")), "'{}'"), "'time'|\"'0.0'\""),
    "no header line": refused(H[1:], "line 1: the first line holds values, not column names"),
    "no header line above steps": Bad("steps", S[1:], "line 1: the first line holds values"),
    "a header of numbers": refused(put(H, 0, "0,1"), r"no columns 'time', 'load \(MW\)'", ALONE),
    "the 30th of February": Bad(
        "daily", swapped(D, ("2024-02-29", "2024-02-30")), "line 183, column 'day': '2024-02-30'"
    ),
    "the day 0000-00-00": Bad("daily", put(D, -5, "0000-00-00,5"), "line 197, column 'day': '0000-00-00'"),
    "the year 1": Bad("daily", put(D, -5, "0001-01-01,5"), "from 0001-01-01 to 2024-03-18.*a slip"),
    "the year 9999 for ever": Bad("daily", [*D, "9999-12-31,5"], "to 9999-12-31.*a slip"),
    "no year after 9999": Bad("daily", written(LAST_DAYS, "%Y-%m-%d", D[0]), "9999", ALONE),
    "a year before the first": Bad("monthly", put(M, -5, "-1960-04,5"), "from -1960-04-01.*a slip"),
    "a number below all others": refused(put(H, -5, f"{AT},-1e308"), f"{HERE}: -1e.308 is too large"),
    "a 61st second": refused(
        swapped(written(HOURS, SECONDS, H[0]), (f"{AT}:00", f"{AT}:61")), f"line 197, column 'time': '{AT}:61'"
    ),
    "24:00 for midnight": refused(swapped(H, (" 00:00,", " 24:00,")), "column 'time': '2024-03-24 24:00'"),
    "a Z among stamps without": refused(put(H, -5, f"{AT}Z,5"), f"line 197, column 'time': '{AT}Z'"),
    "an offset among stamps without": refused(put(H, -5, f"{AT}:00+02:00,5"), f"line 197, column 'time': '{AT}:00"),
    "zones by name": refused([H[0], *swapped(H[1:], (",", " CET,"))], "column 'time'.* CET'"),
    "weeks by number": Bad("daily", written(DAYS, "%G-W%V-%u", D[0]), "column 'day'.*2023-W35-5"),
    "Excel's days since 1899": Bad(
        "daily", written(DAYS, lambda t: str((t - pd.Timestamp("1899-12-30")).days), D[0]), "'day'", ALONE
    ),
    "another step than the run's": refused(written(DAYS, "%Y-%m-%d", H[0]), "'h' but 'D'", ALONE),
    "too few rows": refused(H[:21], "has 20 rows; the run looks back 28 rows", ALONE),
    "most of the newest rows missing": refused(
        [*H[:-30], *H[-3:]], "25 of the newest 28 steps of 'h' have no row", ALONE
    ),
    "no column of ids": Bad("shops", [line.split(",", 1)[1] for line in P], "no column 'shop'"),
    "a series without any number": Bad("shops", [*P, *(f"new,{day:%Y-%m-%d}," for day in DAYS[:120])], "'new'", ALONE),
    "a total below": refused([*H, "Total,12345"], "line 202, column 'time': 'Total'"),
    "a total below steps": Bad("steps", [*S, "Total,12345"], "line 202, column 'step': 'Total'"),
    "a mean below a blank line": refused([*H, "", "Mean:,12.5"], "line 203, column 'time': 'Mean:'"),
    "a header between": refused(put(H, -5, H[0], H[-5]), r"line 197, column '(time|load \(MW\))'"),
    "a header between steps": Bad("steps", put(S, -5, S[0], S[-5]), "line 197, column '(step|reading)'"),
    "a total below years": Bad(
        "daily",
        ["year,sold", *(f"{1824 + k},{y(k)}" for k in range(200)), "Total,12345"],
        "line 202, column 'year'",
        READ,
    ),
    "a total below epochs": refused(
        [*written(HOURS, epoch(1), H[0]), "Total,12345"], "line 202, column 'time': 'Total'"
    ),
    "a word among steps": Bad("steps", put(S, -5, "x,5"), "line 197, column 'step': 'x'"),
    "half a step": Bad("steps", put(S, -5, "1950.5,5"), "^(?!.*np).*line 197, column 'step'.*1950.5"),
    "an endless step": Bad("steps", put(S, -1, "inf,5"), "^(?!.*np).*line 201, column 'step'.*inf"),
    "a step beyond 64 bits": Bad("steps", put(S, -1, f"{'9' * 20},5"), "line 201, column 'step'"),
    "a step beyond 64 bits, with an exponent": Bad("steps", put(S, -1, "1e19,5"), "line 201, column 'step'"),
    "the mark that ends files in DOS": refused([*H, "\x1a"], r"line 202, column 'time': '\\x1a'"),
}

REFUSED = NO_TABLE | NO_NUMBER | BAD
