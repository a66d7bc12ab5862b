"""`train --resume`: killed and gone on with, a training publishes the same network as one that was let alone."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from cnnlstm_cli.runs.directory import RunDirectory
from tests import SAMPLES
from tests.command import QUICK, called, command

TRAIN = ("train", SAMPLES / "air_passengers.csv", "--set", "train.epochs=20", "--set", "train.patience=9")


def weights(run: Path) -> list[np.ndarray]:
    """Of all members of the published version."""
    import cnnlstm_cli.network.lstm  # noqa: F401 - so that Keras knows it

    folder = RunDirectory(run).folder() / "members"
    return [weight for path in sorted(folder.glob("*.keras")) for weight in keras.saving.load_model(path).get_weights()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was let alone; with -q not even a library said a word."""
    run = tmp_path_factory.mktemp("whole") / "run"
    done = command(*TRAIN, "--run", run, "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return run


def interrupted(run: Path, kept: str, how: signal.Signals, *options: str) -> tuple[int, str]:
    """A training that gets the signal once it has kept that file: its exit code and what it said."""
    arguments = [sys.executable, "-m", "cnnlstm_cli", *map(str, TRAIN), "--run", str(run), *options]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as training:
        assert _until(lambda: (run / "checkpoint" / kept).exists() or training.poll() is not None)
        training.send_signal(how)
        said = training.communicate()[1]
    return training.returncode, said


def _until(happened: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 100
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.02)
    return happened()


@pytest.mark.slow
def test_killed_and_resumed_it_publishes_the_same_weights(whole: Path, tmp_path: Path) -> None:
    """Killed in the race, and then again in the training on all rows."""
    run = tmp_path / "run"
    for kept, options in (("race-1.npz", ()), ("refit-0.npz", ("--resume",))):
        assert interrupted(run, kept, signal.SIGKILL, *options)[0] == -signal.SIGKILL
        assert not (run / "current").exists()
    done = called(*TRAIN, "--run", run, "--resume")
    assert done.returncode == 0
    assert "resume: where the interrupted training was cut off\n" in done.stderr
    for one, other in zip(weights(whole), weights(run), strict=True):
        np.testing.assert_array_equal(one, other)
    assert {path.name for path in run.iterdir()} == {"current", "versions", "history.jsonl", "lock"}


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str]:
    """A run whose first training was interrupted, with its exit code and what it said."""
    run = tmp_path_factory.mktemp("cut") / "run"
    return run, *interrupted(run, "race-0.npz", signal.SIGINT)


@pytest.mark.slow
def test_ctrl_c_keeps_the_epochs_and_says_so(cut: tuple[Path, int, str]) -> None:
    run, code, said = cut
    assert code == 130
    assert said.endswith(
        "kept: the epochs that are done; the same command with --resume goes on from them\n"
        "interrupted: nothing was published or changed.\n"
    )
    assert {path.name for path in run.iterdir()} == {"versions", "checkpoint", "lock"}


@pytest.mark.slow
def test_another_training_is_not_taken_for_it(cut: tuple[Path, int, str]) -> None:
    """It says why, begins anew, and leaves nothing of the other."""
    run = cut[0]
    done = called(*TRAIN, "--run", run, "--set", "train.epochs=1", "--set", "train.refit=false", "--resume")
    assert done.returncode == 0
    assert "resume: the interrupted training had other options\n" in done.stderr
    assert not (run / "checkpoint").exists()
    done = called(*TRAIN, "--run", run, *QUICK, "--set", "train.epochs=1", "--resume")
    assert "resume: no training of this run was interrupted\n" in done.stderr
