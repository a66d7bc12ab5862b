"""The backtest command: a table in a pipe, one JSON document, every forecast in a file."""

from __future__ import annotations

import csv
import io
import json

import pytest

from tests import SAMPLES
from tests.command import QUICK, called, command

AIR = SAMPLES / "air_passengers.csv"
METRICS = ["mae", "rmse", "mase", "smape", "wape"]
INTERVALS = ["pinball", *(f"{metric}-{level}" for level in (80, 95) for metric in ("coverage", "width", "msis"))]


def test_in_a_pipe_it_is_csv_and_the_same_numbers_are_in_the_json(air):
    done = command("backtest", AIR, "--run", air, "-q")
    assert (done.returncode, done.stderr) == (0, "")
    header, *rows = csv.reader(io.StringIO(done.stdout))
    assert header == ["forecaster", *METRICS, *INTERVALS]
    assert [row[0] for row in rows] == ["model", "last value", "seasonal naive 12", "drift", "linear"]
    facts = json.loads(called("backtest", AIR, "--run", air, "-q", "--json").stdout)
    assert [float(cell) for cell in rows[0][1:]] == [facts["scores"]["model"][name] for name in header[1:]]
    assert all(rows[2][1:])
    assert rows[1][len(METRICS) + 1 :] == [""] * len(INTERVALS), "the last value has no intervals"
    assert (facts["origins"], facts["first"], facts["last"]) == (18, "1958-07", "1959-12")


def test_by_step_there_is_a_row_a_step_and_forecaster(air):
    done = called("backtest", AIR, "--run", air, "--by", "step", "--from", "1959-12")
    rows = list(csv.reader(io.StringIO(done.stdout)))
    assert rows[0] == ["step", "forecaster", *METRICS, *INTERVALS]
    assert len(rows) == 1 + 12 * 5
    assert "1 origins from 1959-12 to 1959-12" in done.stderr


def test_every_forecast_is_written(air, tmp_path):
    file = tmp_path / "all.csv"
    assert called("backtest", AIR, "--run", air, "--from", "-14", "--forecasts", file).returncode == 0
    rows = list(csv.reader(io.StringIO(file.read_text())))
    assert rows[0] == ["origin", "Month", "#Passengers"]
    assert [row[:2] for row in rows[1:3]] == [["1959-10", "1959-11"], ["1959-10", "1959-12"]]
    assert len(rows) == 1 + 3 * 12


def test_nothing_is_written_into_a_run(air):
    current = (air / "current").read_text()
    done = called("backtest", AIR, "--run", air, "--forecasts", air / "current")
    assert (done.returncode, (air / "current").read_text()) == (2, current)


@pytest.mark.slow
def test_refitting_says_what_each_training_knew():
    done = called("backtest", AIR, "--from", "120", "--folds", "2", *QUICK)
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if line.startswith("training ")] == [
        "training 1: on rows up to 1958-12",
        "training 2: on rows up to 1959-06",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--run", "nowhere"), 66, "nowhere"),
        (("--from", "soon"), 2, "neither a stamp nor a number of rows"),
        (("--by", "hour"), 2, "--by"),
        (("--forecasts", "nowhere/f.csv", "--from", "130", "--folds", "1", *QUICK), 73, "nowhere"),
        (("--forecasts", AIR), 2, "is the data itself"),
        (("--from", "--5"), 2, "neither a stamp nor a number of rows"),
        (("--from", "\u00b2"), 2, "neither a stamp nor a number of rows"),
        (("--from", "9" * 30), 2, "neither a stamp nor a number of rows"),
        (("--from", ""), 2, "neither a stamp nor a number of rows"),
        (("--from", "NaT"), 2, "neither a stamp nor a number of rows"),
        (
            ("--stride", "9" * 30, "--from", "130", "--by", "id", "--folds", "1", *QUICK),
            2,
            "--by id: there is one series",
        ),
    ],
    ids=lambda value: str(value)[:20],
)
def test_mistakes(arguments, code, words):
    done = called("backtest", AIR, *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
