"""What reports on a terminal are made of: names beside values, tables, scores; text from files is never markup."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from cnnlstm_cli.render.messages import printable

METRICS = ("mae", "rmse", "mase")


def pairs(facts: Mapping[str, str]) -> Table:
    """A line a fact: its name, and the value beside it."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts.items():
        grid.add_row(name, Text(printable(value)))
    return grid


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, narrow: bool = False) -> Table:
    """A table, its first column to the left and the others to the right.

    narrow  with less room between the columns, and only the first of them broken where they are too wide together
    """
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0) if narrow else (0, 1))
    for place, name in enumerate(header):
        made.add_column(name, justify="right" if place else "left", overflow="fold", no_wrap=narrow and place > 0)
    for row in rows:
        made.add_row(*(Text(printable(cell)) for cell in row))
    return made


def scores(found: Mapping[str, Mapping[str, float]]) -> Table:
    """A row a forecaster, judged on the validation rows; `-` for what is not defined there."""
    rows = [[name, *map(_score, (each[metric] for metric in METRICS))] for name, each in found.items()]
    return table(["on the validation rows", *METRICS], rows)


def _score(number: float) -> str:
    return f"{number:.4f}" if math.isfinite(number) else "-"
