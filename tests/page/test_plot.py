"""The plot of a forecast as text: every line as wide as asked, and the marks where the numbers are."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from cnnlstm_cli.forecast import Forecast, Run
from cnnlstm_cli.render.plot import plot
from tests.page.conftest import NAMES, SHOPS, hourly, shops


@pytest.fixture(scope="module")
def made(load) -> Forecast:
    return Run.open(load).forecast(hourly())


def climbing(made: Forecast) -> Forecast:
    """The same, after rows of 0 a forecast that climbs in a straight line to 10, and intervals of 2 and 4 around it."""
    values = np.linspace(0, 10, made.values.shape[1])[None, :, None]
    table = replace(made.table, values=np.zeros_like(made.table.values))
    return replace(
        made, table=table, values=values, ends={80.0: (values - 1, values + 1), 95.0: (values - 2, values + 2)}
    )


def canvas(text: str) -> list[str]:
    """The lines between the frame's, without it."""
    return [
        line.partition("│")[2] or line.partition("┤")[2] for line in text.splitlines() if "│" in line or "┤" in line
    ]


@pytest.mark.parametrize("size", [(80, 18), (120, 30), (60, 12)])
def test_a_plot_is_as_large_as_asked_and_has_no_colours(made, size, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "10")
    lines = plot(made, width=size[0], height=size[1]).splitlines()
    assert len(lines) == size[1]
    assert {len(line) for line in lines[1:-1]} == {size[0]}
    assert max(map(len, lines)) <= size[0]
    assert "\x1b" not in "".join(lines)
    assert lines[0] == "load:  ⠤⠒ before  ● forecast  ░ 80 % interval"


def test_the_axis_names_the_first_the_last_known_and_the_last_row_as_far_as_there_is_room(made):
    stamps, last = hourly()["time"], "2024-01-31T05:00:00+02:00"
    for width, expected in ((200, [stamps.iloc[-24], stamps.iloc[-1], last]), (80, [stamps.iloc[-24], last])):
        assert plot(made, width=width).splitlines()[-1].split() == expected


def test_a_forecast_that_climbs_is_seen_to(made):
    rows = canvas(plot(climbing(made), height=30))
    places = [(line.index("●"), -number) for number, line in enumerate(rows) for _ in range(line.count("●"))]
    assert len(places) == 6
    assert places == sorted(places, reverse=True)
    assert all("⠀" <= c <= "⣿" or c == " " for line in rows for c in line[:40] if c not in "│░●")


def test_the_interval_lies_around_the_forecast_and_is_the_one_asked_for(made):
    narrow, wide = (plot(climbing(made), levels, height=40) for levels in ((80,), (95,)))
    assert "░ 80 %" in narrow
    assert "░ 95 %" in wide
    for text, reach in ((narrow, 2), (wide, 4)):
        unit = (text.count("\n") - 4) / (10 + reach)  # rows that a number is high
        column = canvas(text)[0].rindex("░")
        filled = sum(line[column] in "░●" for line in canvas(text))
        assert filled == pytest.approx(reach * unit, abs=2)
    assert "░" not in plot(replace(made, ends={}))


def test_colours_change_nothing_but_colours(made):
    coloured = plot(made, colour=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plot(made)


def test_of_many_series_and_targets_the_first_are_shown_and_named(sales):
    text = plot(Run.open(sales).forecast(shops()), height=8)
    assert text.splitlines()[0] == "plotted: the first 3 of 4 series and targets"
    assert [line.partition(":  ")[0] for line in text.splitlines() if ":  " in line] == [
        f"{NAMES[0]}, {SHOPS[0]}",
        f"{NAMES[1]}, {SHOPS[0]}",
        f"{NAMES[0]}, {SHOPS[1]}",
    ]


def test_what_a_terminal_would_obey_is_shown(made):
    schema = replace(made.table.schema, targets=("load\x1b[31m\x07",))
    text = plot(replace(made, table=replace(made.table, schema=schema)))
    assert text.startswith(r"load\x1b[31m\x07:")
    assert "\x1b" not in text


def test_a_series_that_never_changes_or_is_very_large_can_be_plotted(made):
    flat = replace(made, values=np.full_like(made.values, 5.0), ends={})
    flat = replace(flat, table=replace(made.table, values=np.full_like(made.table.values, 5.0)))
    assert canvas(plot(flat))[7].count("●") == 6
    assert "e1" in plot(replace(made, values=made.values * 1e15, ends={}))
