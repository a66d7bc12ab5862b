"""A catalogue of hostile files, each through the real commands: forecast rightly, mended in words, or refused.

A wrong forecast with exit code 0 is worse than any refusal.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cnnlstm_cli.series.reader import read_training
from cnnlstm_cli.specs import DataSpec
from tests.catalogue import (
    DAYS,
    GOOD,
    MENDED,
    ODD_NAMES,
    SERIES,
    H,
    P,
    cell,
    text,
    y,
)
from tests.catalogue_refused import REFUSED
from tests.command import answered, command
from tests.test_fuzz import files

Forecast = tuple[list[str], list[list[str]]]  # the time cells, and the targets

SOON = 5.0  # seconds within which Ctrl-C is heard
LONGEST = 1_000  # characters of a message that can be read
OPTIONS = {"shops": ("--id", "shop")}
TRAINED = [name for name in SERIES if name != "counted"]
TRAIN = """
import sys, cnnlstm_cli
network = {"filters": 8, "units": 8, "kernel": 28, "squeeze": False, "conv_norm": "none"}
network |= {"conv_dropout": 0.0, "recurrent_dropout": 0.0, "dropout": 0.0}
small = {"model": network, "train": {"epochs": 1, "refit": False, "linear": False}}
for name in sys.argv[1:]:
    options = {"id": "shop", "season": [7]} if name == "shops" else {}
    cnnlstm_cli.train(f"{name}.csv", name, settings=small, members=1, lookback=28, horizon=4, **options)
"""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clean files, and beside each but one the run that was barely trained on it; two trainings at a time."""
    place = tmp_path_factory.mktemp("catalogue")
    for name, lines in SERIES.items():
        (place / f"{name}.csv").write_bytes(text(lines))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    halves = [
        subprocess.Popen([sys.executable, "-c", TRAIN, *half], cwd=place, env=environment, stderr=subprocess.DEVNULL)
        for half in (TRAINED[::2], TRAINED[1::2])
    ]
    assert [half.wait(timeout=120) for half in halves] == [0, 0]
    return place


@pytest.fixture(scope="session")
def forecast(folder: Path) -> Callable[..., Forecast]:
    """What a run forecasts from a clean file."""

    @cache
    def forecast(run: str, *lines: str) -> Forecast:
        (folder / "clean.csv").write_bytes(text(lines))
        code, out, err = answered(["predict", str(folder / "clean.csv"), "--run", str(folder / run)])
        assert (code, err) == (0, "")
        return parted(out, run)

    return forecast


@pytest.fixture(scope="session")
def learnt(folder: Path) -> Callable[..., tuple[dict[str, Any], np.ndarray]]:
    """What train would make of a clean file."""

    @cache
    def learnt(run: str, *lines: str) -> tuple[dict[str, Any], np.ndarray]:
        (folder / "clean.csv").write_bytes(text(lines))
        return read(folder / "clean.csv", run)

    return learnt


def targets(run: str) -> list[str]:
    """The columns that a run forecasts: all but the time, and the id of a panel."""
    names = next(csv.reader(io.StringIO("\n".join(SERIES[run]))))
    return names[{"shops": 2, "counted": 0}.get(run, 1) :]


def parted(out: bytes, run: str) -> Forecast:
    rows = list(csv.DictReader(io.StringIO(out.decode(), newline="")))
    names = targets(run)
    times = [" ".join(cell for name, cell in row.items() if name not in names) for row in rows]
    return times, [[row[name] for name in names] for row in rows]


def read(data: Path, run: str) -> tuple[dict[str, Any], np.ndarray]:
    """What inspect says of a file, and the least, mean and greatest number of what is learnt from, the mended too."""
    code, out, err = answered(["inspect", str(data), "--json", *OPTIONS.get(run, ())])
    assert (code, err) == (0, "")
    facts = json.loads(out)
    table = read_training(data, DataSpec(id="shop" if run in OPTIONS else None))
    learnt = table.values[:, [table.schema.targets.index(name) for name in targets(run)]]
    told = {key: facts[key] for key in ("mended", "time", "frequency")} | {"rows": facts["rows"]["used"]}
    return told, np.array([kind(learnt, axis=0) for kind in (np.nanmin, np.nanmean, np.nanmax)])


@pytest.mark.parametrize("case", GOOD.values(), ids=list(GOOD))
def test_odd_and_legitimate(case, write, folder, forecast, learnt):
    data, clean = write(text(case.content)), case.clean or SERIES[case.run]
    times, values = forecast(case.run, *clean)
    for strictly in ((), ("--strict",)):
        code, out, err = answered(["predict", str(data), "--run", str(folder / case.run), *strictly])
        assert (code, err) == (0, case.told)
        assert parted(out, case.run) == (case.times or times, values)
    (told, spread), (clean, theirs) = read(data, case.run), learnt(case.run, *clean)
    assert told == clean
    assert np.allclose(spread, theirs)


@pytest.mark.parametrize("case", MENDED.values(), ids=list(MENDED))
def test_mended_in_words(case, write, folder, forecast, learnt):
    data = write(text(case.content))
    words = f"error: {data} needs mending, which --strict refuses: {'; '.join(case.said)}. Mend the file first.\n"
    if "predict" in case.commands:
        predict = ["predict", str(data), "--run", str(folder / case.run)]
        code, out, err = answered(predict)
        assert (code, err.splitlines()) == (0, [*(f"mended: {line}" for line in case.said), *case.hint])
        assert parted(out, case.run) == forecast(case.run, *case.clean)
        assert answered([*predict, "--strict"]) == (65, b"", words)
    counted = [re.fullmatch(r"(\d+) (.*?)(?: \(first at .*\))?", line).groups() for line in case.said]
    (told, spread), (clean, theirs) = read(data, case.run), learnt(case.run, *case.clean)
    assert told == clean | {"mended": {what: int(count) for count, what in counted}}
    assert np.allclose(spread, theirs)
    assert answered(["inspect", str(data), "--strict", *OPTIONS.get(case.run, ())]) == (65, b"", words)


@pytest.mark.parametrize("case", REFUSED.values(), ids=list(REFUSED))
def test_refused_in_a_line(case, write, folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # importing it would fail: train must refuse before
    data, run, options = write(text(case.content)), folder / case.run, OPTIONS.get(case.run, ())
    ways = {
        "predict": ["predict", str(data), "--run", str(run)],
        "inspect": ["inspect", str(data), "--json", *options],
        "train": ["train", str(data), "--run", str(tmp_path / "run"), *options],
    }
    before = files(run)
    for name in case.commands:
        code, out, err = answered(ways[name])
        assert (code, out, err.count("\n")) == (65, b"", 1), (name, err[:LONGEST])
        assert re.search(case.words, err[:LONGEST].replace(str(data), "data.csv")), (name, err[:LONGEST])
        assert err.startswith(f"error: {data}")
        assert len(err) < LONGEST
    assert files(run) == before
    assert os.listdir(tmp_path) == ["data.csv"]


def test_a_series_too_short_is_continued_backwards(write, folder, forecast):
    short = P[:-110]  # ten rows of the last shop, where the run looks back 28
    season = [f"north,{DAYS[0] - k * DAYS.freq:%Y-%m-%d},{y(10 + -k % 7)}" for k in range(18, 0, -1)]
    code, out, err = answered(["predict", str(write(text(short))), "--run", str(folder / "shops")])
    words = "1 series shorter than the lookback of 28 rows (first 'north'): continued backwards by their first season"
    assert (code, err) == (0, f"{words}, or row\n")
    assert parted(out, "shops") == forecast("shops", *P[:241], *season, *short[241:])


def test_odd_names_come_back_as_they_are(folder):
    code, out, _ = answered(["predict", str(folder / "business.csv"), "--run", str(folder / "business")])
    frame = pd.read_csv(io.BytesIO(out))
    assert (code, list(frame.columns)) == (0, ["date", *ODD_NAMES])
    assert np.allclose(frame["flat"], 42, rtol=1e-6)


def test_every_row_of_the_lookback_has_a_say(forecast):
    """Or else the right forecast would prove little."""
    values = forecast("hourly", *H)
    assert [forecast("hourly", *cell(H, -k, y(200 - k) + 1)) == values for k in range(1, 30)] == [False] * 28 + [True]


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [("none.csv", 66, "No such file"), ("", 66, "is a directory"), ("/dev/null", 65, "is empty")],
    ids=["no file", "a folder", "the null device"],
)
def test_what_is_no_file(name, code, words, folder, tmp_path):
    for options in (["predict", "--run", str(folder / "hourly")], ["train", "--run", str(tmp_path / "run")]):
        ended, out, err = answered([options[0], str(tmp_path / name), *options[1:]])
        assert (ended, out, err.count("\n")) == (code, b"", 1)
        assert words in err
    assert not (tmp_path / "run").exists()


def small_disk() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 20, 64 << 20))


@pytest.mark.parametrize(("start", "code"), [("/dev/null", 65), ("hourly.csv", 73)], ids=["no CSV", "rows"])
def test_an_endless_pipe_ends_in_words(start, code, folder):
    endless = ["sh", "-c", f"cat {start}; exec yes 2024-03-31 13:00,5"]
    with subprocess.Popen(endless, cwd=folder, stdout=subprocess.PIPE) as writer:
        done = command("predict", "-", "--run", folder / "hourly", stdin=writer.stdout, preexec_fn=small_disk)
        writer.kill()
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    assert done.stderr.startswith("error: standard input")


def test_a_pipe_that_stays_open_can_be_left(folder):
    arguments = [sys.executable, "-m", "cnnlstm_cli", "predict", "-", "--run", str(folder / "hourly")]
    pipe = subprocess.PIPE
    with subprocess.Popen(arguments, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        process.stdin.write(text(H) * 300)  # more than the pipe holds: when it is written, most has been read
        process.stdin.flush()
        time.sleep(0.5)  # the rest is read, and the process waits for more
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=SOON) == 130
        assert (process.stdout.read(), process.stderr.read().count(b"\n")) == (b"", 1)
