"""Covariates, as a weather forecast, a promotion or the size of a shop: columns of a file as numbers for a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.errors import DataError
from cnnlstm_cli.series.cleaning import Mending
from cnnlstm_cli.series.numerals import short
from cnnlstm_cli.series.sheet import Sheet

Numbers = NDArray[np.float64]

Role = Literal["known", "past", "static"]  # ahead as well, up to now alone, the same in all rows of a series

MOST_CATEGORIES = 50


@dataclass(frozen=True)
class Covariate:
    """A column: of numbers, or of texts that each become a column of 0 and 1.

    categories  the texts, in the order of their columns; none where the column is numbers
    """

    name: str
    categories: tuple[str, ...] = ()
    role: Role = "known"

    @classmethod
    def found(cls, sheet: Sheet, name: str, role: Role) -> Covariate:
        """Raises DataError for an empty column, one of numbers and a few texts, or one of too many texts."""
        filled = sheet.frame[name].dropna()
        if not len(filled):
            raise DataError(f"{sheet.name}: column {name!r} is empty. Leave it out of --{role}.")
        if sheet.is_number(name):
            return cls(name, (), role)
        if wrong := sheet.stray_text(name) or sheet.written_out(name):
            raise DataError(f"{wrong}. Write numbers as 1234.5, or leave the column out of --{role}.")
        categories = sorted(set(_texts(sheet, name)) - {""})
        if len(categories) > MOST_CATEGORIES:
            raise DataError(
                f"{sheet.name}: column {name!r} has {len(categories):,} different texts, as "
                f"{short(str(categories[0]))!r}. Of categories there may be {MOST_CATEGORIES}. "
                f"Leave it out of --{role}, or make them fewer."
            )
        return cls(name, tuple(categories), role)

    @property
    def width(self) -> int:
        """How many columns of numbers it becomes."""
        return len(self.categories) or 1

    def encode(self, sheet: Sheet) -> Numbers:
        """(rows, width), NaN where the cell is empty; a category that is none of these is 0 in every column.

        Raises DataError, with the place, for text in a column of numbers, or one beyond computing with.
        """
        if not self.categories:
            return sheet.amounts(self.name).reshape(-1, 1)
        cells = _texts(sheet, self.name)
        numbers: Numbers = (cells[:, None] == np.array(self.categories)).astype(np.float64)
        numbers[cells == ""] = np.nan
        return numbers

    def unseen(self, sheet: Sheet) -> list[Mending]:
        """The cells of a category that is none of these."""
        cells = _texts(sheet, self.name) if self.categories else np.array([], dtype=str)
        other = (cells != "") & ~np.isin(cells, self.categories)
        if not other.any():
            return []
        row = int(other.argmax())
        what = f"cells of {self.name!r} of a category not seen in training ({short(str(cells[row]))!r}), taken as none"
        return [Mending(what, int(other.sum()), sheet.line(row))]


def encoded(covariates: Sequence[Covariate], sheet: Sheet) -> tuple[Numbers, list[Mending]]:
    """(rows, K) of all columns, and what is not known of them."""
    columns = [np.empty((len(sheet.frame), 0)), *(each.encode(sheet) for each in covariates)]
    return np.concatenate(columns, axis=1), [mending for each in covariates for mending in each.unseen(sheet)]


def _texts(sheet: Sheet, name: str) -> NDArray[np.str_]:
    """The cells as text without spaces around, empty where there is none."""
    cells = sheet.frame[name]
    return np.array([str(cell).strip() for cell in cells.where(cells.notna(), "")], dtype=str)
