"""The screen about a file: what it says, how wide it is, and that text from the file is only text."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console, Group

from cnnlstm_cli.config import Options
from cnnlstm_cli.inspection import inspect_data
from cnnlstm_cli.render.correlogram import correlogram
from cnnlstm_cli.render.data_report import data_report
from cnnlstm_cli.render.report import to_csv, to_json
from tests import SAMPLES
from tests.command import command

BIKE, AIR = SAMPLES / "bike_hour.csv", SAMPLES / "air_passengers.csv"


@pytest.fixture(autouse=True)
def eighty(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture(scope="module")
def bike() -> dict[str, Any]:
    return inspect_data(BIKE, Options(target="cnt"))


def screen(data: Any, **options: Any) -> str:
    return drawn(inspect_data(data, Options(**options)))


def drawn(facts: dict[str, Any]) -> str:
    out = io.StringIO()
    console = Console(file=out, width=80, markup=False, highlight=False, emoji=False)
    console.print(Group(*data_report(facts)))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def daily(columns: dict[str, Any]) -> pd.DataFrame:
    rows = len(next(iter(columns.values())))
    return pd.DataFrame({"day": pd.date_range("2024-01-01", periods=rows), **columns})


def noise(rows: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=rows)


def test_bicycles_fit_on_a_screen_and_a_half_and_show_what_they_are(bike):
    shown = drawn(bike)
    lines = shown.splitlines()
    assert len(lines) <= 54
    assert max(map(len, lines)) <= 80
    assert "36 rows from 2012-10-29 1 to 2012-10-30 12" in " ".join(shown.split())  # hurricane Sandy
    assert "cnt at 2011-07-04 8: 86," in shown
    assert "season  24, 168" not in shown
    assert re.search(r"season +24, 168: usual for rows that come hourly", shown)
    assert re.search(r"lookback +336 rows: 14 of the season of 24", shown)
    assert re.search(r" cnt +1 +142 +977 +0\.62 +0\.39 +0\.44 wanders +15", shown)
    assert "The best baseline, linear, makes 74 % less error" in shown
    assert "mended    165 missing rows (first at 2011-01-02 5);" in shown


def test_passengers_have_a_season_and_a_trend_and_no_outliers():
    shown = screen(AIR)
    assert re.search(r" #Passengers +104 +265\.5 +622 +0\.76 +0\.96 wanders +0", shown)
    assert "gaps" not in shown
    assert "left out" not in shown
    assert "outliers  none" in shown
    assert len(shown.splitlines()) <= 44


def test_of_many_columns_some_are_shown_and_the_rest_counted():
    shown = screen(daily({f"c{k}": noise(60, k) for k in range(40)}))
    assert "and 24 more targets" in shown
    assert " c15 " in shown
    assert " c16 " not in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_of_many_series_no_line_a_series():
    parts = [daily({"y": noise(100, k) + 5 * (np.arange(100) % 7)}).assign(shop=f"s{k}") for k in range(60)]
    parts[7]["y"] = 3.0
    parts[9].loc[40:60, "y"] = np.nan
    shown = screen(pd.concat(parts), id="shop", target="y")
    assert "60, by shop, of 100 rows; 1 never changes (s7); lacking most: s9 (21)" in " ".join(shown.split())
    assert "21 rows of s9 from 2024-02-10 to 2024-03-01" in " ".join(shown.split())
    assert "wander: series whose level does" in shown
    assert len(shown.splitlines()) < 50


def test_what_comes_again_is_told_as_such_and_slips_by_their_place():
    bursts = noise(400)
    bursts[::40] += 40
    slip = noise(400, 2)
    slip[[123, 200, 300, 350]] = -50, 80, 20, -30
    shown = " ".join(screen(daily({"bursts": bursts, "slip": slip})).split())
    places = ["2024-07-19: 80,", "2024-05-03: -50,", "2024-12-16: -30,"]  # the three farthest of four
    assert re.findall(r"slip at (\S+ \S+)", shown) == places
    assert "deviations too low" in shown
    assert "many in bursts: heavy tails" in shown
    assert "bursts at" not in shown


def test_holes_of_one_column_are_told_beside_the_rows_that_are_missing():
    data = daily({"a": noise(200), "b": noise(200, 2)})
    data.loc[50:59, "b"] = np.nan
    shown = " ".join(screen(data.drop([100, 101])).split())
    assert "gaps 2 rows from 2024-04-10 to 2024-04-11; b: 10 rows from 2024-02-20 to 2024-02-29" in shown
    assert "missing" in shown


def test_a_random_walk_is_called_one():
    walk = np.random.default_rng(3).normal(size=600).cumsum()
    assert "Perhaps a random walk" in screen(daily({"y": walk}))


@pytest.mark.parametrize(
    "data",
    [
        pd.DataFrame({"y": [1.0, 2.0, 4.0]}),
        pd.DataFrame({"n": range(5, 305, 3), "y": noise(100)}),
        daily({"y": np.full(90, 4.0)}),
        daily({"y": noise(90) * 1e98}),
        daily({"y": np.append(noise(60), [np.nan] * 30)}),
        daily({"[red]x[/red]": noise(90), "a\x1b[31mb": noise(90, 2)}),
    ],
    ids=["three", "counted", "constant", "huge", "tail", "markup"],
)
def test_odd_files_have_a_screen_and_json_and_csv_as_well(data):
    facts = inspect_data(data, Options())
    shown = drawn(facts)
    assert "nan" not in shown.lower()
    assert "inf" not in shown.lower().replace("infinite", "")
    assert "None" not in shown
    assert json.loads(to_json(facts))["targets"][0]["name"] == facts["targets"][0]["name"]
    assert f"\ntargets.0.name,{facts['targets'][0]['name']}\n" in to_csv(facts)
    if "[red]" in str(list(data)):
        assert "[red]x[/red]" in shown
        assert "a\\x1b[31mb" in shown


def test_too_few_rows_say_so_and_have_no_scores():
    shown = screen(pd.DataFrame({"y": [1.0, 2.0, 4.0]}))
    assert "Not enough to train on" in shown
    assert "on the validation rows" not in shown
    assert "autocorrelation" in shown


def test_a_value_beyond_computing_is_refused(write):
    done = command("inspect", write("day,y\n" + "".join(f"2024-01-0{k},1e300\n" for k in range(1, 8))))
    assert (done.returncode, done.stdout) == (65, "")
    assert "too large" in done.stderr


def test_where_plotext_is_not_installed_all_but_the_plot_is_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "plotext", None)
    shown = screen(AIR)
    assert "the plot needs plotext" in shown
    assert "The best baseline, linear" in shown


def area(text: str) -> list[int]:
    """Of each column of the plot how many cells of it are filled."""
    rows = [re.split("[│┤]", line)[1] for line in text.splitlines() if re.search("[│┤]", line)]
    return [sum(row[k] != " " for row in rows) for k in range(min(map(len, rows)))]


@pytest.mark.parametrize("size", [(80, 10), (60, 8), (100, 14)])
def test_a_correlogram_is_as_large_as_asked_and_highest_at_the_season(size):
    lags = list(range(1, 49))
    values = [max(0.0, 0.9 * np.cos(lag * 2 * np.pi / 24)) for lag in lags]
    text = correlogram(lags, values, 24, *size)
    lines = text.splitlines()
    assert len(lines) == size[1]
    assert max(map(len, lines)) == size[0]
    assert lines[-1].split() == ["1", "24", "48"]
    filled = area(text)
    middle = len(filled) // 4, 3 * len(filled) // 4
    peak = np.mean([k for k in range(*middle) if filled[k] == max(filled[slice(*middle)])])
    assert 1 + peak / len(filled) * 47 == pytest.approx(24, abs=1.5)


def test_correlations_below_zero_go_down():
    lags = list(range(1, 25))
    sides = {}
    for side in (1, -1):
        lines = correlogram(lags, [side * 0.8] * 24, None).splitlines()
        sides[side] = [k for k, line in enumerate(lines) if "█" in line]
    assert correlogram(lags, [-0.8] * 24, None).splitlines()[-2].startswith("  └") is True
    low = correlogram(lags, [-0.8] * 12 + [0.8] * 12, 12)
    assert low.lstrip().startswith("┌")
    rows = low.splitlines()[1:-2]
    assert rows[0].startswith(" 1┤")
    assert rows[-1].startswith("-1┤")
    half = len(rows[0]) // 2
    assert "█" not in "".join(row[:half] for row in rows[: len(rows) // 2])
    assert "█" in "".join(row[:half] for row in rows[len(rows) // 2 :])
    assert "█" in "".join(row[half:] for row in rows[: len(rows) // 2])


def test_on_a_terminal_it_is_drawn_without_what_a_training_needs():
    """Also where neither TensorFlow nor matplotlib is installed."""
    script = (
        "import sys\n"
        "for name in ('tensorflow', 'keras', 'matplotlib'): sys.modules[name] = None\n"
        "from cnnlstm_cli.__main__ import run\n"
        "sys.exit(run(sys.argv[1:]))\n"
    )
    leader, follower = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "TERM": "xterm"}
    with subprocess.Popen(
        [sys.executable, "-c", script, "inspect", str(AIR)], stdout=follower, stderr=subprocess.PIPE, env=environment
    ) as process:
        os.close(follower)
        shown = b""
        while chunk := _read(leader):
            shown += chunk
        said = process.stderr.read()
    os.close(leader)
    assert (process.returncode, said) == (0, b"")
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode())
    assert "autocorrelation of #Passengers" in text
    assert max(len(line.rstrip("\r")) for line in text.split("\n")) <= 80


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65_536)
    except OSError:  # the other end is closed
        return b""


def test_in_a_pipe_it_is_csv_and_as_json_it_has_everything(bike):
    piped = command("inspect", AIR).stdout.splitlines()
    assert piped[0] == "fact,value"
    assert "targets.0.least,104.0" in piped
    assert any(line.startswith("reasons.lookback,") for line in piped)
    assert any(line.startswith("targets.0.autocorrelation.values,0.948") for line in piped)
    facts = json.loads(to_json(bike))
    (target,) = facts["targets"]
    assert target["seasons"] == {"24": pytest.approx(0.62, abs=0.01), "168": pytest.approx(0.39, abs=0.01)}
    assert target["observed"] + target["filled"] + target["missing"] == facts["rows"]["used"]
    assert facts["gaps"]["longest"][0]["rows"] == 36
    assert set(facts["reasons"]) == {"season", "horizon", "lookback", "validation", "width"}
