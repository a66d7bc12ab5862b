"""Trainings killed at random moments while a reader forecasts: the run is always the one before, or the one after.

Fifty while they publish, which takes no training; some, with `just chaos` five hundred, at any moment of a whole one
(`--chaos N`: as many as you like).
"""

from __future__ import annotations

import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import cnnlstm_cli as c
from cnnlstm_cli.runs.directory import RunDirectory
from tests import SAMPLES
from tests.command import QUICK

AIR = SAMPLES / "air_passengers.csv"
TRAIN = [sys.executable, "-m", "cnnlstm_cli", "train", AIR, "-q", *QUICK, "--preset", "question", "--keep", "2"]
READER = """
import os, sys, threading
import cnnlstm_cli as c
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
forecasts = {}
reads = 0
while not os.path.exists(sys.argv[2] + "/current"):
    ended.wait(0.02)
while not ended.is_set():
    run = c.Run.open(sys.argv[2])
    made = run.predict(sys.argv[1]).to_csv()
    assert forecasts.setdefault(run.record.version, made) == made
    reads += 1
    ended.wait(0.05)
print(reads, len(forecasts))
"""


TRAINER = """
import json, os, sys
import cnnlstm_cli.network.export, cnnlstm_cli.network.race
from cnnlstm_cli.__main__ import run
for line in sys.stdin:
    child = os.fork()
    if not child:
        os._exit(run(json.loads(line)))
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


PUBLISHER = """
import os, shutil, sys
from pathlib import Path
from cnnlstm_cli.runs.directory import RunDirectory
directory = RunDirectory(Path(sys.argv[1]))
for number, line in enumerate(sys.stdin):
    child = os.fork()
    if not child:
        with directory.training() as aside:
            shutil.copytree(sys.argv[2 + number % 2], aside, dirs_exist_ok=True)
            name = f"20260101T{number:06d}Z-00000000"
            directory.publish(aside, name, {"created": "", "version": name}, keep=2)
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Trainer:
    """Runs a script's work again and again, each time in a process of its own that has its libraries loaded already."""

    def __init__(self, *script: str | Path) -> None:
        self.process = subprocess.Popen(  # not buffered: `select` does not see what a buffer holds already
            [sys.executable, "-c", *script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        assert self.process.stdin
        assert self.process.stdout
        self.stdin, self.stdout = self.process.stdin, self.process.stdout

    def train(self, arguments: list[str], kill: Callable[[], bool]) -> int:
        """The exit code of one training, which is killed as soon as `kill` says so."""
        self.stdin.write(json.dumps(arguments).encode() + b"\n")
        child = int(self.stdout.readline())
        while not select.select([self.stdout], [], [], 0.001)[0]:
            if kill():
                os.kill(child, signal.SIGKILL)
                break
        return int(self.stdout.readline())


@pytest.mark.slow
def test_kill_9_at_any_moment_costs_no_reader_a_forecast(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    run, kills = tmp_path / "run", request.config.getoption("--chaos")
    arguments = [*map(str, TRAIN[3:]), "--run", str(run)]
    trainer = Trainer(TRAINER)
    with (
        trainer.process,
        subprocess.Popen(
            [sys.executable, "-c", READER, AIR, run], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as reader,
    ):
        started = time.monotonic()
        assert trainer.train(arguments, lambda: False) == 0
        whole = time.monotonic() - started
        dice = random.Random(0)  # noqa: S311 - to place kills
        codes: list[int] = []
        for seed in range(1, 4 * kills):
            if codes.count(-signal.SIGKILL) == kills:
                break
            if seed % 2:  # at any time
                moment = time.monotonic() + dice.uniform(0, 1.2 * whole)
                codes.append(trainer.train([*arguments, "--seed", str(seed)], lambda m=moment: time.monotonic() > m))
            else:  # while it writes
                late = _late(run, dice.uniform(0, 0.3 * whole))
                codes.append(trainer.train([*arguments, "--seed", str(seed)], late))
            assert codes[-1] in (0, -signal.SIGKILL)
            assert c.Run.open(run).session.shape[1] == 12
        assert trainer.train(arguments, lambda: False) == 0
        trainer.stdin.close()
        time.sleep(2)  # so that the reader sees the last version
        out, _ = reader.communicate("")
    assert reader.returncode == 0
    reads, versions = map(int, out.split())
    assert codes.count(-signal.SIGKILL) == kills
    assert reads > kills
    assert versions > 1
    assert len(RunDirectory(run).versions()) == 2
    assert {path.name for path in run.iterdir()} == {"current", "versions", "history.jsonl", "lock"}
    assert not list((run / "versions").glob(".*"))


def test_kill_9_at_any_moment_of_publishing_costs_no_reader_a_forecast(air: Path, tmp_path: Path) -> None:
    run, other = tmp_path / "run", tmp_path / "other"
    first = RunDirectory(air).folder()
    shutil.copytree(first, other)
    facts = json.loads((other / "run.json").read_text()) | {"version": "20260101T000000Z-11111111"}
    (other / "run.json").write_text(json.dumps(facts | {"command": "x" * 99_999}))
    publisher, reading = Trainer(PUBLISHER, run, first, other), [sys.executable, "-c", READER, AIR, run]
    with (
        publisher.process,
        subprocess.Popen(reading, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader,
    ):
        durations = []
        for _ in range(3):
            started = time.monotonic()
            assert publisher.train([], lambda: False) == 0
            durations.append(time.monotonic() - started)
        dice = random.Random(1)  # noqa: S311 - to place kills
        codes = []
        for _ in range(50):
            moment = time.monotonic() + dice.uniform(0, 1.2 * min(durations))
            codes.append(publisher.train([], lambda m=moment: time.monotonic() > m))
            assert codes[-1] in (0, -signal.SIGKILL)
            assert c.Run.open(run).session.shape[1] == 12
        for _ in range(2):  # so that the reader sees both, however quick the others were
            assert publisher.train([], lambda: False) == 0
            time.sleep(1)
        out, _ = reader.communicate("")
        assert publisher.train([], lambda: False) == 0  # which removes what a reader held, and leftovers
        publisher.stdin.close()
    assert reader.returncode == 0
    reads, versions = map(int, out.split())
    assert codes.count(-signal.SIGKILL) > 15
    assert reads > 10
    assert versions == 2
    assert len(RunDirectory(run).versions()) == 2
    assert not list((run / "versions").glob(".*"))


def _late(run: Path, seconds: float) -> Callable[[], bool]:
    """Whether it is so many seconds since the new version's first file."""
    seen: list[float] = []

    def late() -> bool:
        if not seen and list(run.glob("versions/.new-*/members")):
            seen.append(time.monotonic())
        return bool(seen) and time.monotonic() > seen[0] + seconds

    return late


@pytest.mark.slow
def test_of_two_trainings_at_once_one_publishes(tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [*TRAIN, "--run", run]
    with subprocess.Popen(command) as first, subprocess.Popen(command) as second:
        pass
    assert sorted([first.returncode, second.returncode]) == [0, 75]
    assert len(RunDirectory(run).versions()) == len(RunDirectory(run).history()) == 1


@pytest.mark.slow
def test_sigterm_ends_a_training_in_time_and_publishes_nothing(tmp_path: Path) -> None:
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
        assert not (run / "current").exists()
        shutil.rmtree(run, ignore_errors=True)
