"""Numbers as people write them: texts that are numbers to a reader alone, and marks that can be read in two ways."""

from __future__ import annotations

import contextlib
import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cnnlstm_cli.series.stamps import looks_like_a_stamp

MOST_DIGITS = 300  # of a number that a float can hold
MOST_SHOWN = 100  # characters of a cell or a list in a message
MOSTLY = 0.9
CURRENCY = r"[\u20a0-\u20cf$£¥¢]"
# 1,234.5 or 1'234 or 12 % or US$ 5 or 7 MWh/h or (5) or '5' or =5+1: a number to a reader, a text to a computer
WRITTEN_OUT = re.compile(
    rf"=.+|[\s'\"(+\u2212\u2013-]{{0,4}}(?:[A-Z]{{0,3}}{CURRENCY}|[A-Z]{{3}}\s)?[\s(+\u2212\u2013-]{{0,4}}"
    r"[.,]?\d(?:[.,'\u2019\s]?\d)*(?:[eE][+-]?\d+)?"
    rf"(?:\s?(?:[^\W\d_]|[%‰°]|{CURRENCY})[^\s\d]{{0,9}}[23]?)?[\s'\")-]{{0,4}}"
)
DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*")
WHOLE_OR_GROUPED = r"[+-]?(?:\d{1,3}|[1-9]\d{0,2}[.,]\d{3})"


def numbers_of(cells: pd.Series) -> pd.Series:
    """Cells as numbers, NaN where they are empty or text; a whole number of over 300 digits counts as text."""
    with contextlib.suppress(OverflowError):
        numbers: pd.Series = pd.to_numeric(cells, errors="coerce")
        if not np.isinf(numbers).any():
            return numbers
    return pd.to_numeric(cells.where(cells.astype(str).str.len() <= MOST_DIGITS), errors="coerce")


def shown(cell: object) -> str:
    """A cell as messages show it: a text in quotes, cut when it is long."""
    return short(repr(cell) if isinstance(cell, str) else str(cell))


def short(text: str) -> str:
    """A text of any length -> one that fits into a message."""
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}... ({len(text):,} characters)"


def written_out(texts: pd.Series) -> bool:
    """Whether nine in ten cells (none empty) are numbers, plain or with thousands marks, units, signs or quotes.

    Dates are none.
    """
    counts = texts.value_counts()
    numbers = [bool(WRITTEN_OUT.fullmatch(text.strip())) and not looks_like_a_stamp(text) for text in counts.index]
    return bool(counts[numbers].sum() >= MOSTLY * len(texts))


def with_decimal_commas(texts: pd.Series) -> bool:
    """Whether a cell is a number with a decimal comma."""
    return any(DECIMAL_COMMA.fullmatch(text) for text in texts.dropna())


def may_be_grouped(numbers: NDArray[np.float64]) -> bool:
    """Whether numbers that were read with decimals may have been written with thousands marks: 900, then 1.004.

    All have three decimals at most and none is below 1 or from 1,000 on. The whole ones, which would be those without a
    mark and hence below 1,000, are larger than nearly all others; were the mark a decimal one, they need not be.
    """
    sizes = np.abs(numbers[np.isfinite(numbers) & (numbers != 0)])
    if not len(sizes) or sizes.min() < 1 or sizes.max() >= 1000:
        return False
    thousandths = sizes * 1000
    if np.abs(thousandths - thousandths.round()).max() > 1e-6:
        return False
    whole = sizes % 1 == 0
    if whole.all() or not whole.any():
        return False
    return bool(np.median(sizes[whole]) > np.quantile(sizes[~whole], MOSTLY))


def grouped(texts: pd.Series) -> bool:
    """Whether each cell is a whole number below 1,000 or has a mark before its last three digits."""
    return bool(texts.dropna().str.strip().str.fullmatch(WHOLE_OR_GROUPED).all())
