"""Time stamps as text: which strptime pattern a column follows, text -> datetime64, and back in the same writing.

A pattern has strptime's directives, and %q for a quarter as pandas' periods have; the other fields of a format say how
they are written, so that what is written looks like what was read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cnnlstm_cli.errors import DataError, UsageError

Stamps = NDArray[np.datetime64]
Case = Literal["", "upper", "lower"]

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
# Directives that can be written back exactly as they were read.
DIRECTIVES: dict[str, Callable[[datetime], str]] = {
    "%Y": lambda t: f"{t.year:04d}",
    "%y": lambda t: f"{t.year % 100:02d}",
    "%B": lambda t: MONTHS[t.month - 1],
    "%b": lambda t: MONTHS[t.month - 1][:3],
    "%a": lambda t: ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[t.weekday()],
    "%q": lambda t: f"{(t.month + 2) // 3}",
    "%G": lambda t: f"{t.isocalendar().year:04d}",
    "%V": lambda t: f"{t.isocalendar().week:02d}",
    "%M": lambda t: f"{t.minute:02d}",
    "%S": lambda t: f"{t.second:02d}",
    "%p": lambda t: "AM" if t.hour < 12 else "PM",
}
PADDED: dict[str, Callable[[datetime], int]] = {
    "%m": lambda t: t.month,
    "%d": lambda t: t.day,
    "%H": lambda t: t.hour,
    "%I": lambda t: (t.hour + 11) % 12 + 1,
}
DATES = (  # (what it looks like, patterns it may follow; {0} is the separator)
    (r"\d{4}([-/.])\d{1,2}\1\d{1,2}", ("%Y{0}%m{0}%d",)),
    (r"\d{4}([-/.])\d{1,2}", ("%Y{0}%m",)),
    (r"\d{1,2}([-/. ])\d{1,2}\1\d{4}", ("%d{0}%m{0}%Y", "%m{0}%d{0}%Y")),
    (r"\d{1,2}([-/. ])\d{1,2}\1\d{2}", ("%d{0}%m{0}%y", "%m{0}%d{0}%y", "%y{0}%m{0}%d")),
    (r"\d{1,2}([-/])\d{4}", ("%m{0}%Y",)),
    (r"\d{1,2}([-/. ])[A-Za-z]{3}\1\d{4}", ("%d{0}%b{0}%Y",)),
    (r"\d{1,2}([-/. ])[A-Za-z]{3}\1\d{2}", ("%d{0}%b{0}%y",)),
    (r"[A-Za-z]{3}([-/. ])\d{1,2}\1\d{4}", ("%b{0}%d{0}%Y",)),
    (r"[A-Za-z]{3}([-/. ])\d{4}", ("%b{0}%Y",)),
    (r"[A-Za-z]{3}([-/. ])\d{2}", ("%b{0}%y",)),
    (r"[A-Za-z]{3}( )\d{1,2}, \d{4}", ("%b %d, %Y",)),
    (r"[A-Za-z]{4,9}( )\d{1,2}, \d{4}", ("%B %d, %Y",)),
    (r"\d{1,2}([-/. ])[A-Za-z]{4,9}\1\d{4}", ("%d{0}%B{0}%Y",)),
    (r"[A-Za-z]{4,9}( )\d{4}", ("%B %Y",)),
    (r"\d{4}([-/. ])[A-Za-z]{3}", ("%Y{0}%b",)),
    (r"\d{4}([-/. ])[A-Za-z]{4,9}", ("%Y{0}%B",)),
    (r"\d{4}([-/. ]?[Mm])\d{2}", ("%Y{0}%m",)),
    (r"\d{4}([-/. ]?[Qq])\d", ("%Y{0}%q",)),
    (r"Q\d([-/. ]?)\d{4}", ("Q%q{0}%Y",)),
    (r"\d{4}([-/. ]?[Ww])\d{2}", ("%G{0}%V",)),
    (r"(?:1[89]|2[01])\d{6}()", ("%Y%m%d",)),
    (r"(?:1[89]|2[01])\d{4}()", ("%Y%m",)),
    (r"(?:1[89]|2[01])\d{8}()", ("%Y%m%d%H",)),
    (r"(?:1[89]|2[01])\d{10}()", ("%Y%m%d%H%M",)),
    (r"(?:1[89]|2[01])\d{12}()", ("%Y%m%d%H%M%S",)),
)
TIMES = (
    (r"\d{1,2}:\d{2}", "%H:%M"),
    (r"\d{1,2}:\d{2}:\d{2}", "%H:%M:%S"),
    (r"\d{1,2}:\d{2}:\d{2}\.\d{1,9}", "%H:%M:%S.%f"),
    (r"\d{1,2}:\d{2} [APap][Mm]", "%I:%M %p"),
    (r"\d{1,2}:\d{2}:\d{2} [APap][Mm]", "%I:%M:%S %p"),
)
FIRST_MONTH = {"1": "01", "2": "04", "3": "07", "4": "10"}  # of a quarter
CASES: dict[Case, Callable[[str], str]] = {"": str, "upper": str.upper, "lower": str.lower}
BEYOND = r":6[1-9](?!\d)"  # seconds that no minute has
FITTING = 0.9
OFFSET = r"Z|[+-]\d{2}(?::?\d{2})?"


@dataclass(frozen=True)
class StampFormat:
    """How stamps are written. Times with an offset are held in UTC and written with the offset of the last one.

    pad       whether the 3rd is written `03`
    offset    what stands for %z
    digits    how many decimals %f has
    pad_hour  whether 3 o'clock is written `03`
    names     the case of names, where it is not that of `March`
    noon      the case of am and pm, where it is not that of `AM`
    """

    pattern: str
    pad: bool = True
    offset: str = ""
    digits: int = 0
    pad_hour: bool = True
    names: Case = ""
    noon: Case = ""

    def parse(self, text: pd.Series) -> pd.Series:
        """Text -> datetime64[us], in UTC when the pattern has %z; NaT where it does not fit or is empty."""
        stamps = self._parse(text, self.pattern)
        missing = stamps.isna() & text.notna()
        if missing.any() and self.pattern.startswith("%Y-%m-%d"):
            # ISO 8601 lets a file drop the time at midnight and the decimals at whole seconds, but not an offset
            missing &= _has_offset(text) == ("%z" in self.pattern)
            stamps[missing] = self._parse(text[missing], "ISO8601")
        return stamps

    def fits(self, text: pd.Series) -> bool:
        """Whether every stamp is written just so."""
        return bool(self._parse(text, self.pattern).notna().sum() == text.notna().sum())

    def _parse(self, text: pd.Series, form: str) -> pd.Series:
        text, form = _spelt_out(text, form)
        stamps = pd.to_datetime(text, format=form, errors="coerce", utc="%z" in self.pattern)
        if stamps.dt.tz is not None:
            stamps = stamps.dt.tz_localize(None)
        if "%S" in form:  # pandas takes the 61st second, as C does, for the next minute's first
            first = text.where(stamps.dt.second == 1).astype("string")
            stamps = stamps.mask(first.str.contains(BEYOND).fillna(False).astype(bool))
        return stamps.astype("datetime64[us]")

    @property
    def shift(self) -> timedelta:
        """How far ahead of UTC the clock is that the stamps follow."""
        return _offset(self.offset)

    def write(self, stamps: Stamps) -> list[str]:
        """The reverse of `parse`."""
        moments, place = np.unique(stamps.astype("datetime64[us]"), return_inverse=True)  # many series share theirs
        cells = [self._write(moment + self.shift) for moment in moments.astype(datetime)]
        return [cells[k] for k in place]

    def _write(self, moment: datetime) -> str:
        def cell(found: re.Match[str]) -> str:
            directive = found[0]
            if directive in PADDED:
                padded = self.pad_hour if directive in ("%H", "%I") else self.pad
                return f"{PADDED[directive](moment):0{2 if padded else 1}d}"
            if directive == "%f":
                return f"{moment.microsecond:06d}".ljust(9, "0")[: self.digits]
            if directive == "%z":
                return self.offset
            case = self.noon if directive == "%p" else self.names
            return CASES[case](DIRECTIVES[directive](moment))

        return re.sub(r"%[A-Za-z]", cell, self.pattern)


def _spelt_out(text: pd.Series, form: str) -> tuple[pd.Series, str]:
    """What strptime has no directive for: a quarter by its first month, a week by its Monday."""
    if "%V" in form:
        return text.astype("string") + " 1", f"{form} %u"
    if "%q" not in form:
        return text, form
    before, after = (re.sub("%[A-Za-z]", ".+", re.escape(part)) for part in form.split("%q", 1))
    parts = text.astype("string").str.extract(rf"^({before})([1-4])({after})$")
    return parts[0] + parts[1].map(FIRST_MONTH) + parts[2], form.replace("%q", "%m")


def _has_offset(text: pd.Series) -> pd.Series:
    return text.astype("string").str.contains(rf":\d\d(?:\.\d+)?(?:{OFFSET})$", regex=True).fillna(False).astype(bool)


def _offset(text: str) -> timedelta:
    if text in ("", "Z"):
        return timedelta(0)
    digits = text[1:].replace(":", "").ljust(4, "0")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -size if text[0] == "-" else size


def require_pattern(pattern: str) -> None:
    """Raises UsageError for a pattern without a directive, or with one that could not be written back, or with several
    that do not go together."""
    known = {*DIRECTIVES, *PADDED, "%f", "%z"}
    unknown = [directive for directive in re.findall(r"%.", pattern) if directive not in known]
    if unknown or "%" not in pattern:
        raise UsageError(
            f"--time-format {pattern}: {f'{unknown[0]} is not supported' if unknown else 'it has no directive'}. "
            f"Known: {' '.join(sorted(known))}, for example %d/%m/%Y %H:%M."
        )
    try:
        StampFormat(pattern).parse(pd.Series(["1"]))
    except (ValueError, re.error) as error:
        raise UsageError(f"--time-format {pattern}: {error}. For example %d/%m/%Y %H:%M.") from error


def named_format(pattern: str, text: pd.Series) -> StampFormat:
    """The format of a pattern the user gave, written as the text is. Raises as `require_pattern`."""
    require_pattern(pattern)
    return _with_writing(pattern, text)


def possible_formats(text: pd.Series) -> list[StampFormat]:
    """The formats that most stamps of a column follow, nine in ten at least; none when it holds no stamps.

    A stray cell is thus no reason not to see the dates around it. All formats returned fit the same number of cells.
    """
    filled = text.dropna()
    formats, most = _fitting(filled)
    if most < len(filled):  # some may only be padded with blanks
        formats, most = _fitting(filled.str.strip())
    return formats if most >= FITTING * len(filled) else []


def _fitting(filled: pd.Series) -> tuple[list[StampFormat], int]:
    """The formats that fit the most cells, and how many that are."""
    examples = {len(cell): cell for cell in _some(filled)}
    longest_first = (tuple(_patterns(examples[length])) for length in sorted(examples, reverse=True))
    found: tuple[list[StampFormat], int] = ([], 0)
    for patterns in dict.fromkeys(longest_first):
        formats = [_with_writing(pattern, filled) for pattern in patterns]
        fitting = [int(each.parse(filled).notna().sum()) for each in formats]
        most = max(fitting, default=0)
        if most > found[1]:
            found = [each for each, count in zip(formats, fitting, strict=True) if count == most], most
        if most >= FITTING * len(filled):
            break
    return found


def _some(filled: pd.Series) -> list[str]:
    """A thousand cells, evenly chosen, and the last: enough to see how all are written, whatever their number."""
    step = max(1, len(filled) // 1000)
    return [" ".join(str(cell).split()) for cell in (*filled.iloc[::step], *filled.iloc[-1:])]


def _patterns(example: str) -> list[str]:
    for looks, patterns in DATES:
        date = re.match(rf"(?:{looks})(?=$|[T ]\d)", example)
        if not date:
            continue
        rest = example[date.end() :]
        if not rest:
            return [pattern.format(date[1]) for pattern in patterns]
        for time_looks, time_pattern in TIMES:
            if time := re.fullmatch(rf"([T ]){time_looks}( ?)({OFFSET})?", rest):
                tail = f"{time[2]}%z" if time[3] else ""
                return [pattern.format(date[1]) + time[1] + time_pattern + tail for pattern in patterns]
    return []


def _with_writing(pattern: str, text: pd.Series) -> StampFormat:
    """The details of writing, read off the stamps themselves."""
    cells = _some(text.dropna())
    offset = re.search(rf"({OFFSET})$", cells[-1]) if "%z" in pattern and cells else None
    decimals = (
        [len(found[1]) for cell in cells if (found := re.search(r"\.(\d+)(?:\D|$)", cell))] if "%f" in pattern else []
    )
    written = "\n".join(cells)
    date = _padded(re.sub(r"\d+:\S*", "", written))
    hour = _padded(" ".join(re.findall(r"(?<![\d:])\d+(?=:)", written)))
    return StampFormat(
        pattern=pattern,
        pad=next((known for known in (date, hour) if known is not None), True),
        offset=offset[1] if offset else "",
        digits=max(decimals, default=0),
        pad_hour=next((known for known in (hour, date) if known is not None), True),
        names=_case(r"[^\W\d_]{3,}", written) if re.search("%[aBb]", pattern) else "",
        noon=_case(r"[AaPp][Mm]", written) if "%p" in pattern else "",
    )


def _padded(text: str) -> bool | None:
    """Whether numbers below 10 have a leading zero; None where there are none."""
    if re.search(r"(?<!\d)\d(?!\d)", text):
        return False
    return True if re.search(r"(?<!\d)0\d(?!\d)", text) else None


def _case(looks: str, text: str) -> Case:
    words = "".join(re.findall(looks, text))
    return "upper" if words.isupper() else "lower" if words.islower() else ""


def looks_like_a_stamp(cell: str) -> bool:
    """Whether one cell is written as dates are."""
    return bool(_patterns(cell.strip()))


def decide(text: pd.Series, formats: Sequence[StampFormat], where: str) -> StampFormat:
    """The one format of a column: the only one that fits, or the one that clearly makes its stamps more even.

    Raises DataError when day-first and month-first both fit and are as even.
    """
    readings = [each.parse(text) for each in formats]
    if all(reading.equals(readings[0]) for reading in readings):
        return formats[0]
    first, second = sorted((_evenness(reading) for reading in readings), reverse=True)[:2]
    if first - second >= 0.02:
        return max(zip(formats, readings, strict=True), key=lambda pair: _evenness(pair[1]))[0]
    patterns = " or ".join(each.pattern for each in formats)
    raise DataError(
        f"{where}: {text.dropna().iloc[0]!r} can be read as {patterns}, and no row decides which. "
        "Say it with --time-format."
    )


def _evenness(stamps: pd.Series) -> float:
    """The share of rows that follow the one before by the commonest step, in days or in whole months."""
    known = stamps.dropna().drop_duplicates()
    steps = [known.diff().dropna()]
    if known.dt.day.nunique() == 1:
        steps.append((known.dt.year * 12 + known.dt.month).diff().dropna())
    return max((float(step.value_counts(normalize=True).iloc[0]) for step in steps if len(step)), default=0.0)
