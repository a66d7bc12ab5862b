"""`predict --log` and `score`: what was forecast beside what came, and rows that drift."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import cnnlstm_cli as c
from cnnlstm_cli import scoring
from cnnlstm_cli.errors import DataError, UsageError
from cnnlstm_cli.forecast import Forecast
from cnnlstm_cli.runs.directory import RunDirectory
from tests import SAMPLES
from tests.command import command

ROWS, STEPS = 600, 12
SMALL = {"model": {"filters": 4}, "train": {"epochs": 2, "members": 1, "refit": False}}
OPTIONS: dict[str, Any] = {"settings": SMALL, "horizon": STEPS, "lookback": 48}


def waves(rows: int = ROWS, **columns: float) -> pd.DataFrame:
    """Hourly columns, each a day's swell of that size around 50."""
    hours = np.arange(rows)
    noise = np.random.default_rng(2).normal(0, 0.05, rows)
    times = pd.date_range("2024-01-01", periods=rows, freq="h")
    swell = {name: 50 + size * (np.sin(hours * np.pi / 12) + noise) for name, size in columns.items()}
    return pd.DataFrame({"time": times, **swell})


DATA = waves(a=3.0, b=40.0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return c.train(DATA[:500], tmp_path_factory.mktemp("trained") / "run", **OPTIONS).path


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> c.Run:
    """A copy of it with a log of its own."""
    return c.Run.open(shutil.copytree(trained, tmp_path / "run"))


def log(run: c.Run, forecast: Forecast) -> None:
    """As `predict --log` does."""
    RunDirectory(run.path).log(scoring.entries(run, forecast))


def logged(run: c.Run, *ends: int, data: pd.DataFrame = DATA) -> list[np.ndarray]:
    """Forecasts made and logged after so many rows, (H, targets) each."""
    forecasts = [run.forecast(data[:end]) for end in ends]
    for forecast in forecasts:
        log(run, forecast)
    return [forecast.values[0] for forecast in forecasts]


def test_errors_are_those_of_the_forecasts_and_rows(run):
    made = logged(run, 510, 517, 540)
    facts = c.score(DATA, run.path)
    came = DATA[["a", "b"]].to_numpy()
    off = np.stack(
        [np.abs(values - came[end : end + STEPS]) for end, values in zip((510, 517, 540), made, strict=True)]
    )
    scaled = off / run.record.scalers[""].scale
    by_step = {step["step"]: step for step in facts["steps"]}
    assert list(by_step) == ["all", *map(str, range(1, STEPS + 1))]
    assert by_step["all"]["mae"] == pytest.approx(scaled.mean())
    assert [by_step[str(k + 1)]["mae"] for k in range(STEPS)] == pytest.approx(scaled.mean(axis=(0, 2)))
    assert by_step["1"]["count"] == 6
    assert (facts["logged"], facts["scored"], facts["to come"]) == (3, 3 * STEPS * 2, 0)
    assert facts["unit"] == scoring.DEVIATIONS


def test_what_is_expected_is_the_error_on_the_validation_rows(run):
    """That of the record: by step on average the one in all."""
    by_step = run.record.facts["error_by_step"]
    assert len(by_step) == STEPS
    assert np.mean(by_step) == pytest.approx(run.record.facts["validation"]["model"]["mae"], rel=1e-4)
    logged(run, 510)
    assert [step["expected"] for step in c.score(DATA, run.path)["steps"][1:]] == pytest.approx(by_step)


def test_of_one_target_errors_are_in_its_unit(tmp_path):
    run = c.train(DATA[["time", "b"]][:500], tmp_path / "run", **OPTIONS)
    (made,) = logged(run, 530)
    facts = c.score(DATA, run.path)
    assert facts["unit"] == "b"
    assert facts["steps"][0]["mae"] == pytest.approx(np.abs(made[:, 0] - DATA["b"][530 : 530 + STEPS]).mean())
    assert facts["columns"][0]["now"]["greatest"] == pytest.approx(DATA["b"][-run.record.lookback :].max())
    assert facts["columns"][0]["trained"]["value"] == pytest.approx([DATA["b"][:500].min(), DATA["b"][:500].max()])


def test_the_newest_of_two_forecasts_counts(run):
    logged(run, 520)
    before = c.score(DATA, run.path)["steps"]
    path = run.path / "forecasts.jsonl"
    entry = json.loads(path.read_text())
    worse = {**entry, "values": {"a": [0.0] * STEPS, "b": [0.0] * STEPS}}
    path.write_text(json.dumps(worse) + "\n" + json.dumps(entry) + "\n")
    assert c.score(DATA, run.path)["steps"] == before


def test_what_has_not_come_and_what_was_not_observed_is_not_scored(run):
    logged(run, 520, 595)
    holes = DATA.copy()
    holes.loc[522, "a"] = np.nan
    facts = c.score(holes, run.path)
    assert (facts["to come"], facts["not observed"], facts["scored"]) == (7, 1, 2 * (STEPS + 5) - 1)
    assert c.score(DATA[:520], run.path)["steps"] == []
    assert c.score(DATA, run.path, last=30)["scored"] == 2 * 5


def test_many_series_are_matched_by_their_ids(tmp_path):
    long = pd.concat([waves(500, v=9.0).assign(shop="x"), waves(500, v=2.0).assign(shop="y", time=lambda f: f["time"])])
    more = pd.concat([waves(v=9.0).assign(shop="x"), waves(v=2.0).assign(shop="y")])
    run = c.train(long, tmp_path / "run", **OPTIONS, id="shop")
    forecast = run.forecast(long)
    log(run, forecast)
    came = more.set_index("shop")["v"]
    off = [
        np.abs(forecast.values[k, :, 0] - came[name].to_numpy()[500 : 500 + STEPS]) / run.record.scalers[name].scale
        for k, name in enumerate(forecast.table.ids)
    ]
    assert c.score(more, run.path)["steps"][0]["mae"] == pytest.approx(np.mean(off))


def test_drift_of_rows_and_of_errors_is_told(run):
    logged(run, *range(500, 588, 4))
    assert c.score(DATA, run.path)["drift"] == []
    risen = DATA.copy()
    risen.loc[450:, "a"] += 30.0
    drift = c.score(risen, run.path)["drift"]
    assert drift[0].startswith("the error is ")
    assert any(text.startswith("a: mean of the newest rows, ") and "above what training saw" in text for text in drift)
    assert not any(text.startswith("b: ") for text in drift)


def test_intervals_that_were_logged_are_counted(run):
    logged(run, 505, 520, 560)
    forecasts = [run.forecast(DATA[:end]) for end in (505, 520, 560)]
    came = DATA[["a", "b"]].to_numpy()
    inside = [
        (low[0] <= came[end : end + STEPS]) & (came[end : end + STEPS] <= high[0])
        for end, (low, high) in zip((505, 520, 560), (each.ends[80.0] for each in forecasts), strict=True)
    ]
    assert c.score(DATA, run.path)["coverage"]["80"] == pytest.approx(100 * np.mean(inside))


def test_without_a_time_or_a_log_there_are_words(run, tmp_path):
    with pytest.raises(DataError, match=r"has no forecast of these series in its log. Forecast with: predict --log"):
        c.score(DATA, run.path)
    with pytest.raises(UsageError, match="--last must be 1 or more"):
        c.score(DATA, run.path, last=0)
    counted = c.train(DATA[["a"]][:500], tmp_path / "counted", **OPTIONS)
    with pytest.raises(UsageError, match="--log needs a time column"):
        log(counted, counted.forecast(DATA[["a"]]))
    assert not (counted.path / "forecasts.jsonl").exists()


def test_concurrent_appends_lose_nothing(run):
    """Lines of ten processes at a time, longer than a pipe takes at once."""
    program = (
        "import sys, json; from pathlib import Path; from cnnlstm_cli.runs.directory import RunDirectory\n"
        "keys = dict(created='', version='', times=[], values={'a': [0.5] * 20_000}, ends={})\n"
        "for k in range(20):\n"
        "    RunDirectory(Path(sys.argv[1])).log([json.dumps({**keys, 'id': sys.argv[2] + str(k)})] * 2)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, str(run.path), f"{k}-"]) for k in range(10)]
    assert [writer.wait() for writer in writers] == [0] * 10
    found = [entry["id"] for entry in RunDirectory(run.path).logged()]
    assert sorted(found) == sorted([f"{k}-{n}" for k in range(10) for n in range(20)] * 2)
    assert all(len(entry["values"]["a"]) == 20_000 for entry in RunDirectory(run.path).logged())


@pytest.mark.slow
def test_the_commands(air, tmp_path):
    run, data = shutil.copytree(air, tmp_path / "run"), SAMPLES / "air_passengers.csv"
    lines = data.read_text().splitlines(keepends=True)
    for rows in (110, 120, 132):
        done = subprocess.run(
            [sys.executable, "-m", "cnnlstm_cli", "predict", "-", "--run", run, "--log", "-q"],
            input="".join(lines[: rows + 1]),
            text=True,
            capture_output=True,
            check=True,
        )
        assert done.stdout.count("\n") == 13
    done = command("score", run, data)
    table = list(csv.DictReader(io.StringIO(done.stdout)))
    assert (table[0]["step"], table[0]["count"], len(table)) == ("all", "36", 13)
    (tmp_path / "tenfold.csv").write_text(
        lines[0] + "".join(f"{month},{int(number) * 10}\n" for month, number in (line.split(",") for line in lines[1:]))
    )
    quiet = command("score", run, data, "--fail-on-drift", "-q")
    assert (quiet.returncode, quiet.stderr) == (0, "")
    for options, code in ((("--fail-on-drift",), 3), ((), 0)):
        done = command("score", run, tmp_path / "tenfold.csv", "--json", *options)
        assert (done.returncode, bool(json.loads(done.stdout)["drift"])) == (code, True)
        assert "has drifted" in done.stderr or "warning: drift: " in done.stderr


@pytest.mark.parametrize(
    "harm",
    [
        {"times": None},
        {"times": "x"},
        {"times": [None]},
        {"times": ["xx"] * STEPS},
        {"times": ["2024-01-21T20:00:00Z"] * STEPS},
        {"times": ["2024-01-21T20:00:00"]},
        {"values": None},
        {"values": {"a": [1], "b": [1]}},
        {"values": {"a": [[1]] * STEPS, "b": [1] * STEPS}},
        {"values": {"a": [10**400] * STEPS, "b": [1] * STEPS}},
        {"ends": 5},
        {"ends": {"80": [{}]}},
        {"ends": {"80": [None, None]}},
        {"id": []},
    ],
)
def test_an_entry_that_someone_changed_is_passed_over(run, harm):
    logged(run, 510)
    path = run.path / "forecasts.jsonl"
    whole = path.read_text()
    before = c.score(DATA, run.path)
    path.write_text(json.dumps(json.loads(whole) | harm) + "\n" + "[" * 100_000 + "\n" + whole)
    assert c.score(DATA, run.path) == before


def test_forecasts_of_other_targets_are_scored_as_far_as_there_are_some(run):
    logged(run, 510)
    c.train(DATA[["time", "a"]][:505], run.path, **OPTIONS)
    alone = c.Run.open(run.path)
    log(alone, alone.forecast(DATA[["time", "a"]][:530]))
    c.train(DATA[:505], run.path, **OPTIONS)
    facts = c.score(DATA, run.path)
    assert (facts["logged"], facts["scored"]) == (2, 3 * STEPS)


@pytest.mark.slow
def test_what_is_not_delivered_is_not_logged(run, tmp_path):
    data = tmp_path / "data.csv"
    DATA[:510].to_csv(data, index=False)
    for odd in (("--samples", "0"), ("-o", "/dev/full"), ("--levels", "70")):
        assert command("predict", data, "--run", run.path, "--log", *odd).returncode in (2, 73)
    assert not (run.path / "forecasts.jsonl").exists()
    assert command("predict", data, "--run", run.path, "--log").returncode == 0
    assert len((run.path / "forecasts.jsonl").read_text().splitlines()) == 1
