"""What is published with --only-if-better, and what is not: by rows that neither model has seen."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest

import cnnlstm_cli as c
from cnnlstm_cli.candidate import Watcher
from cnnlstm_cli.errors import StoppedError, UsageError
from cnnlstm_cli.render.answer import after_publishing
from cnnlstm_cli.runs.directory import RunDirectory
from cnnlstm_cli.training import Outcome, Unattended, attempt
from tests import SAMPLES
from tests.command import QUICK, called, command

ROWS, STEPS, SEEN = 1_200, 12, 48  # a lookback of two days, which is quick to trace
LINEAR = {"train": {"epochs": 1, "members": 1, "refit": True}, "model": {"filters": 4}}
SMALL = {"train": {"epochs": 2, "members": 1, "linear": False}, "model": {"filters": 4, "start": "zero"}}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """A day's swell with noise; two targets."""
    random, hours = np.random.default_rng(0), np.arange(ROWS)
    swell = np.sin(hours * np.pi / 12) + 0.5 * np.sin(hours * np.pi / 84)
    return pd.DataFrame(
        {
            "time": pd.date_range("2024-01-01", periods=ROWS, freq="h"),
            "a": 10 + swell + random.normal(0, 0.1, ROWS),
            "b": 50 - 9 * swell + random.normal(0, 1, ROWS),
        }
    )


def again(frame: pd.DataFrame, run: object, settings: dict, **options: object) -> Outcome:
    known = {"horizon": STEPS, "lookback": SEEN, **options}
    return attempt(frame, run, Unattended(only_if_better=True), settings=settings, **known)


@pytest.fixture(scope="module")
def untrained(frame, tmp_path_factory) -> c.Run:
    """A run of an untrained network."""
    return c.train(frame[:900], tmp_path_factory.mktemp("gate") / "run", settings=SMALL, horizon=STEPS, lookback=SEEN)


@pytest.fixture
def poor(untrained, tmp_path) -> c.Run:
    """A copy of it to train on in."""
    return c.Run.open(shutil.copytree(untrained.path, tmp_path / "run"))


def test_a_better_model_is_published_by_rows_that_neither_has_seen(frame, poor):
    done = again(frame, poor.path, LINEAR)
    assert done.published
    assert done.run.record.version == done.record.version == RunDirectory(poor.path).current() != poor.record.version
    gate = done.record.facts["gate"]
    assert gate["new"] + gate["margin"] < gate["current"]
    assert 2 <= gate["windows"] <= (ROWS - 900) // STEPS
    assert "of rows that neither has seen" in done.why


def test_the_errors_compared_are_those_of_a_backtest(frame, poor):
    """The published model's, of the same windows, by another way."""
    held = 10 * STEPS
    block = c.backtest(frame, poor.path, start=ROWS - held)
    gate = again(frame, poor.path, LINEAR, validation=held).record.facts["gate"]
    deviation = frame.iloc[:-held, 1:].std(ddof=0).to_numpy()
    off = np.abs(block.forecasts["model"] - block.came.values) / deviation[block.came.column][:, None]
    assert gate["current"] == pytest.approx(off.mean(), rel=1e-4)
    assert gate["windows"] == 2 * 10


def test_a_worse_model_is_not_published_and_nothing_changes(frame, tmp_path):
    good = c.train(frame[:900], tmp_path / "run", settings=LINEAR, horizon=STEPS, lookback=SEEN)
    before = {path: path.read_bytes() for path in good.folder.rglob("*") if path.is_file()}
    done = again(frame, good.path, SMALL)
    assert done.trained
    assert not done.published
    assert done.run.record.version == good.record.version == RunDirectory(good.path).current()
    assert {path: path.read_bytes() for path in good.folder.rglob("*") if path.is_file()} == before
    assert RunDirectory(good.path).versions() == [good.record.version]
    entry = RunDirectory(good.path).history()[-1]
    assert (entry["published"], entry["why"]) == (False, done.why)


def test_no_model_is_published_that_a_baseline_beats(frame, poor):
    """The untrained network is better than one that forecasts a constant far away, and worse than the baselines."""
    wrong = {"train": {"epochs": 1, "members": 1, "linear": False, "learning_rate": 10}, "model": {"filters": 4}}
    run = c.train(
        frame[:900], poor.path, settings=wrong | {"model": {"filters": 4, "skip": False}}, horizon=STEPS, lookback=SEEN
    )
    done = again(frame, run.path, SMALL)
    assert done.record.facts["gate"]["new"] < done.record.facts["gate"]["current"]
    assert not done.published
    assert "worse than the baseline" in done.why


def test_without_rows_that_are_new_to_both_each_is_taken_at_its_word(frame, tmp_path):
    first = c.train(frame, tmp_path / "run", settings=SMALL, horizon=STEPS, lookback=SEEN)
    done = again(frame[:-1], first.path, LINEAR)
    assert done.published
    assert "each on its own validation rows" in done.why
    refused = again(frame, first.path, SMALL)
    assert not refused.published
    once_more = again(frame, first.path, SMALL, watcher=Alarmed())
    assert not once_more.trained
    assert refused.why in once_more.why
    with pytest.raises(AssertionError, match="it was trained"):
        again(frame, first.path, SMALL, watcher=Alarmed(), seed=1)


class Alarmed(Watcher):
    def planned(self, _: object) -> None:
        raise AssertionError("it was trained")


def test_nothing_is_trained_when_nothing_has_changed(frame, tmp_path):
    first = c.train(frame, tmp_path / "run", settings=SMALL, horizon=STEPS, lookback=SEEN)
    history = RunDirectory(first.path).history()
    done = again(frame, first.path, SMALL, watcher=Alarmed())
    assert not done.trained
    assert done.run.record.version == first.record.version
    assert RunDirectory(first.path).history() == history
    for other in ({"seed": 1}, {"lookback": 72}):
        with pytest.raises(AssertionError, match="it was trained"):
            again(frame, first.path, SMALL, watcher=Alarmed(), **other)


@pytest.mark.parametrize(("what", "options"), [("steps", {"horizon": 6}), ("targets", {"target": "a"})])
def test_models_of_other_things_are_not_compared(frame, poor, what, options):
    with pytest.raises(UsageError, match=f"compares like with like: .* has {what} "):
        attempt(
            frame,
            poor.path,
            Unattended(only_if_better=True),
            settings=SMALL,
            **{"horizon": STEPS, "lookback": SEEN, **options},
        )


def test_a_run_that_can_not_be_read_is_replaced(frame, poor):
    (poor.folder / "run.json").write_text("{")
    assert again(frame, poor.path, SMALL).published
    assert not again(frame, poor.path, SMALL).trained, "nothing has changed"
    c.Run.open(poor.path).folder.joinpath("model.onnx").write_bytes(b"damaged")
    assert again(frame, poor.path, SMALL).published, "but that can't be served"
    assert len(c.predict(frame, poor.path)) == STEPS


def test_the_command_says_what_it_did_and_why(tmp_path):
    data, run = SAMPLES / "air_passengers.csv", tmp_path / "run"
    train = ("train", data, "--run", run, "--only-if-better", *QUICK)
    first = called(*train, "--json")
    assert json.loads(first.stdout)["published"] is True
    same = called(*train)
    assert (same.returncode, same.stdout) == (0, "")
    assert same.stderr.startswith("nothing to do: the data and the options are those")
    assert called(*train, "-q").stderr == ""
    worse = called(*train, "--set", "model.skip=false", "--json")
    facts = json.loads(worse.stdout)
    assert (worse.returncode, facts["published"], facts["version"]) == (0, False, json.loads(first.stdout)["version"])
    assert facts["why"] in worse.stderr
    assert f"not published; still: {run}, version {facts['version']}" in worse.stderr
    listed = called("inspect", run, "--versions")
    assert listed.stdout.splitlines()[0].startswith("version,current,created,rows,until,mae")
    assert len(listed.stdout.splitlines()) == 2
    none = command("rollback", run)
    assert (none.returncode, none.stdout) == (65, "")
    assert "no version before" in none.stderr


def test_that_a_version_is_published_is_said_where_the_answer_can_not_be_written(tmp_path):
    data, run = SAMPLES / "air_passengers.csv", tmp_path / "run"
    with open("/dev/full", "w") as full:
        done = command("train", data, "--run", run, *QUICK, "--json", "-q", stdout=full)
    assert done.returncode == 73
    assert "can't write to standard output: No space left on device. Send it elsewhere." in done.stderr
    assert f"What was trained is published, in {run}." in done.stderr
    assert c.Run.open(run).record.horizon


def test_ctrl_c_after_publishing_does_not_say_that_nothing_was_published():
    with pytest.raises(StoppedError, match="runs/x holds what was trained"), after_publishing("runs/x"):
        raise KeyboardInterrupt


def test_the_command_goes_back(air, tmp_path):
    data, run = SAMPLES / "air_passengers.csv", shutil.copytree(air, tmp_path / "run")
    assert called("train", data, "--run", run, "-q", "--seed", 1, *QUICK).returncode == 0
    versions = RunDirectory(run).versions()
    there = command("predict", data, "--run", run).stdout
    back = called("rollback", run)
    assert back.stderr == f"published: {run}, version {versions[0]}, in place of {versions[1]}\n"
    assert called("predict", data, "--run", run).stdout != there
    (run / "versions" / versions[1] / "model.onnx").write_bytes(b"damaged")
    refused = called("rollback", run, versions[1])
    assert (refused.returncode, RunDirectory(run).current()) == (65, versions[0])


def test_a_log_file_has_the_time_and_the_level_of_every_line(tmp_path):
    log = tmp_path / "log"
    with log.open("w") as file:
        command("train", SAMPLES / "air_passengers.csv", "--run", tmp_path / "run", *QUICK, stderr=file)
        command("predict", tmp_path / "none.csv", "--run", tmp_path / "run", stderr=file)
    lines = log.read_text().splitlines()
    assert all(line[:2] == "20" and line.split(" ")[1] in ("info:", "warning:", "error:") for line in lines)
    assert {line.split(" ")[1] for line in lines} >= {"info:", "error:"}
