"""Trainings killed at random moments while a reader forecasts: the run is always the one before, or the one after.

`just chaos` kills five hundred; `--chaos N` as many as you like.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import cnnlstm_cli as c
from cnnlstm_cli.runs.directory import RunDirectory
from tests import SAMPLES
from tests.command import QUICK

AIR = SAMPLES / "air_passengers.csv"
TRAIN = [sys.executable, "-m", "cnnlstm_cli", "train", AIR, "-q", *QUICK, "--preset", "question", "--keep", "2"]
READER = """
import sys, threading
import cnnlstm_cli as c
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
forecasts = {}
reads = 0
while not ended.is_set():
    run = c.Run.open(sys.argv[2])
    made = run.predict(sys.argv[1]).to_csv()
    assert forecasts.setdefault(run.record.version, made) == made
    reads += 1
    ended.wait(0.02)
print(reads, len(forecasts))
"""


@pytest.mark.slow
def test_kill_9_at_any_moment_costs_no_reader_a_forecast(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    run, kills = tmp_path / "run", request.config.getoption("--chaos")
    command = [*TRAIN, "--run", run]
    started = time.monotonic()
    subprocess.run(command, check=True)
    whole = time.monotonic() - started
    dice = random.Random(0)  # noqa: S311 - to place kills
    killed = 0
    with subprocess.Popen(
        [sys.executable, "-c", READER, AIR, run], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        for seed in range(1, kills + 1):
            with subprocess.Popen([*command, "--seed", str(seed)]) as training:
                try:
                    # half of them in the last third of a training, where it writes
                    training.wait(whole * (dice.uniform(0, 1.1) if seed % 2 else dice.uniform(0.65, 1.1)))
                except subprocess.TimeoutExpired:
                    training.kill()
            killed += training.returncode == -signal.SIGKILL
            assert training.returncode in (0, -signal.SIGKILL)
            assert c.Run.open(run).session.shape[1] == 12
        out, _ = reader.communicate("")
    assert reader.returncode == 0
    reads, versions = map(int, out.split())
    assert reads > kills
    assert versions > 1
    assert killed > kills / 3
    subprocess.run(command, check=True)
    assert len(RunDirectory(run).versions()) == 2
    assert {path.name for path in run.iterdir()} == {"current", "versions", "history.jsonl", "lock"}
    assert not list((run / "versions").glob(".*"))


@pytest.mark.slow
def test_of_two_trainings_at_once_one_publishes(tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [*TRAIN, "--run", run]
    with subprocess.Popen(command) as first, subprocess.Popen(command) as second:
        pass
    assert sorted([first.returncode, second.returncode]) == [0, 75]
    assert len(RunDirectory(run).versions()) == len(RunDirectory(run).history()) == 1


@pytest.mark.slow
def test_sigterm_ends_a_training_in_time_and_leaves_nothing(tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-m", "cnnlstm_cli", "train", SAMPLES / "bike_hour.csv", "-t", "cnt", "--run", run, "-v"]
    for moment in ("epoch 1/", "target: cnt"):
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as training:
            assert training.stderr
            said = next(line for line in training.stderr if line.startswith(moment))
            assert said
            training.terminate()
            assert training.wait(5) == 130
            assert training.stderr.read().endswith("interrupted: nothing was published or changed.\n")
        assert not run.exists()
