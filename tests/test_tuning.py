"""`tune`: what is searched, that the search goes on where it was cut off, and that what it finds can be used again."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tomllib

import cnnlstm_cli as c
from cnnlstm_cli.cluster import Standing
from cnnlstm_cli.config import PRESETS, Spec, all_settings, spec_from
from cnnlstm_cli.errors import DataError, UsageError
from cnnlstm_cli.network.trial import RUNGS, Climb, Common, Reached
from cnnlstm_cli.runs.directory import RunDirectory
from cnnlstm_cli.series.windows import Windows
from cnnlstm_cli.spaces import SPACES, Choice, Range, own, plain, seen, space_of
from cnnlstm_cli.specs import SEEDS_APART, DataSpec, ModelSpec, TrainSpec
from cnnlstm_cli.study import ROUND, Study
from cnnlstm_cli.tuning import _Search
from tests import SAMPLES
from tests.command import called, command
from tests.test_resume import weights

AIR = SAMPLES / "air_passengers.csv"
SMALL = ("--set", "train.epochs=8", "--set", "model.filters=4", "--set", "model.units=4", "--members", 1)
SPACE = {"train.learning_rate": Range(0.001, 0.1), "model.layers": Choice((1, 2, 3))}


def settled(preset: str = "default") -> Spec:
    tables = {name: dict(keys) for name, keys in PRESETS[preset].items()}
    found = {"data": {"lookback": 28, "horizon": 7}, "model": {"kernel": 7, "filters": 64, "units": 64}}
    for name, keys in {**found, "train": {"batch_size": 64}}.items():
        tables[name] = {**keys, **tables.get(name, {})}
    return Spec.from_dict(tables)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_value_of_a_space_is_one_that_training_takes(preset):
    space = space_of(preset, (), settled(preset), longest=50)
    known = {each["key"] for each in all_settings()}
    assert space.keys() <= known
    for key, dimension in space.items():
        ends = (dimension.low, dimension.high) if isinstance(dimension, Range) else dimension.values
        for value in ends:
            made = settled().with_own(own({key: value})).to_dict()
            part, _, name = key.partition(".")
            assert Spec.from_dict({part: {name: value}}).to_dict()[part][name] == made[part][name] == value
    for point in plain(space, settled(preset), settled(preset).model.candidates(9_999, 28)):
        assert point.keys() == space.keys()
        assert all(not isinstance(each, Choice) or point[key] in each.values for key, each in space.items())


def test_what_was_asked_for_is_not_varied():
    space = space_of("default", {"model.seen", "train.learning_rate"}, settled(), longest=100)
    assert "train.learning_rate" not in space
    assert "model.seen" not in space
    assert space_of("default", (), settled(), longest=40)["model.seen"] == Choice((14, None))
    assert seen("answer", (), settled("answer"), longest=100) == [21, 42, 84]
    assert space_of("answer", (), settled("answer"), longest=100)["model.seen"] == Choice((21, 42, None))
    assert seen("answer", {"data.lookback"}, settled("answer"), longest=100) == [21]
    with pytest.raises(UsageError, match="every setting that tune varies"):
        space_of("default", SPACES["default"].keys(), settled(), longest=40)


WINDOWS = Windows(np.random.default_rng(0).normal(size=(60, 1)).astype(np.float32), 28, 4, np.arange(9), np.arange(20))
SIDES = np.float32([[[1.0], [1.0], [1.0], [1.0]], [[-1.0], [-1.0], [-1.0], [-1.0]]])


def came() -> np.ndarray:
    return WINDOWS.came(WINDOWS.validation)


class Workers:
    """Trials without networks: the error is that of the point, and falls from rung to rung."""

    def __init__(self, cut: int = 10**9, seconds: float = 1.0) -> None:
        self.climbs: list[Climb] = []
        self.cut = cut
        self.seconds = seconds

    def arriving(self, work, shared, pieces, tell):
        del work, shared
        tell(Standing(0, len(pieces), 1, 0))
        for number, way in reversed(list(enumerate(pieces))):  # in an order of their own
            if len(self.climbs) == self.cut:
                raise KeyboardInterrupt
            self.climbs.append(way)
            layers, rate = way.own["model"]["layers"], way.own["train"]["learning_rate"]
            if layers == 3:
                yield number, Reached(failed="three are too many")
                continue
            off = abs(rate - 0.02) + layers / 100
            assert (way.kept is None) == (way.rung == 0)
            forecast = came() + off * SIDES[way.own["train"]["seed"] % 2] if way.rung == RUNGS - 1 else None
            yield number, Reached(off + 0.1 / (1 + way.rung), forecast, 2**way.rung, b"kept", self.seconds)


def search(folder: Path, most: int, deadline: float = float("inf")) -> _Search:
    folder.mkdir(exist_ok=True)
    study, _ = Study.begun(folder / "search", {"data": "one"}, SPACE, seed=3)
    watcher = SimpleNamespace(note=lambda _: None, stands=lambda _: None)
    points = [{"train.learning_rate": 0.003, "model.layers": 1}]
    spec = Spec(DataSpec(lookback=28), train=TrainSpec(seed=8))
    return _Search(study, Common(WINDOWS, None, {}, spec), points, watcher, deadline, most)


def test_half_of_a_round_goes_on_and_the_plain_training_is_compared_to_its_end(tmp_path):
    made, there = search(tmp_path, ROUND), Workers()
    made.carry_out(there)
    trials = made.study.trials()
    assert len(trials) == ROUND
    assert trials[0].point == {"train.learning_rate": 0.003, "model.layers": 1}
    assert max(trials[0].errors) == 2, "it goes on, however it does"
    failed = [each for each in trials if each.state == "failed"]
    assert all(each.point["model.layers"] == 3 and each.failed == "three are too many" for each in failed)
    first = sorted((each for each in trials if each.errors), key=lambda each: each.errors[0])
    on = {each.number for each in first if 1 in each.errors}
    assert on == {0} | {each.number for each in first[: -(-len(first) // 2)]}
    complete = [each for each in trials if each.state == "complete"]
    assert made.best().mae == min(each.mae for each in complete)
    assert {each.number for each in complete} == {
        each.number for each in trials if made.study.checkpoint(each.number).exists()
    }


def told(made: _Search) -> list[tuple[Any, ...]]:
    return [(each.number, dict(each.point), dict(each.errors), each.state) for each in made.study.trials()]


def test_a_search_that_was_cut_off_anywhere_ends_as_one_that_was_not(tmp_path):
    whole = search(tmp_path / "whole", 2 * ROUND)
    whole.carry_out(Workers())
    (tmp_path / "cut").mkdir()
    climbs = 0
    for cut in (3, 1, 9, 2, 10**9):
        there = Workers(cut)
        made = search(tmp_path / "cut", 2 * ROUND)
        with pytest.raises(KeyboardInterrupt) if cut < 10**9 else open("/dev/null"):
            made.carry_out(there)
        climbs += len(there.climbs)
    assert told(made) == told(whole)
    for most in range(1, 2 * ROUND + 1):  # a trial more each time
        search(tmp_path / "one", most).study.round((most - 1) // ROUND, most, made.plain)
    points = [each.point for each in search(tmp_path / "one", 1).study.trials()[:ROUND]]
    assert points == [each.point for each in whole.study.trials()[:ROUND]]


def test_what_was_given_is_not_varied_though_it_is_as_by_default_and_limits_are_checked(tmp_path):
    with pytest.raises(UsageError, match=r"train\.time_limit must be at least 1"):
        c.tune(AIR, tmp_path / "run", time_limit=0)
    settings: dict[str, dict[str, Any]] = {"model": {}, "train": {}}
    for key in SPACES["default"]:
        part, _, name = key.partition(".")
        if part in settings:
            settings[part][name] = getattr({"model": ModelSpec, "train": TrainSpec}[part](), name)
    with pytest.raises(UsageError, match="every setting that tune varies"):
        c.tune(AIR, tmp_path / "run", settings=settings, lookback=36)


def test_trials_whose_checkpoints_are_gone_are_trained_again_rather_than_forgotten(tmp_path):
    made = search(tmp_path, ROUND)
    made.carry_out(Workers())
    best = made.best()
    for path in (tmp_path / "search").glob("*/trial-*.npz"):
        path.unlink()
    assert made.best() == best


def test_what_it_proposes_comes_to_be_better_than_chance(tmp_path):
    made = search(tmp_path, 6 * ROUND)
    made.carry_out(Workers())
    trials = made.study.trials()
    good = [abs(each.point["train.learning_rate"] - 0.02) < 0.01 for each in trials]
    assert sum(good[-2 * ROUND :]) > sum(good[:ROUND]) * 2
    importance = made.study.importance()
    assert importance.keys() == SPACE.keys()
    assert sum(importance.values()) == pytest.approx(1)
    assert list(importance.values()) == sorted(importance.values(), reverse=True)


def test_it_ends_while_there_is_time_to_train_the_best(tmp_path):
    made, there = search(tmp_path, 10 * ROUND, deadline=time.perf_counter() + 60), Workers(seconds=30)
    made.carry_out(there)
    assert sum(way.own["model"]["layers"] < 3 for way in there.climbs) == 1, "one would take 120 s, and there are 60"
    assert made.best().errors == {0: made.best().mae}
    assert [each.number for each in made.chosen] == [0], "none came to its end: the plain training's, whatever it has"


def test_those_are_averaged_whose_average_is_best_and_what_is_written_trains_the_same(tmp_path):
    made = search(tmp_path, 4 * ROUND)
    made.carry_out(Workers())
    chosen = made.chosen
    assert 2 <= len(chosen) <= made.most
    seeds = [made.own(each)["train"]["seed"] for each in chosen]
    assert seeds == [8 + each.number * SEEDS_APART for each in chosen]
    assert {seed % 2 for seed in seeds} == {0, 1}, "one too high and one too low are better than the two best"
    made_of = [made.study.read_forecast(each.number, came().shape) for each in chosen]
    off = [np.abs(each - came()).mean() for each in made_of]
    assert np.abs(np.mean(made_of, axis=0) - came()).mean() < min(off)
    assert [each.number for each in replace(made, most=1).chosen] == [made.best().number], "of one, the best"

    asked = Spec(DataSpec(lookback=7), train=TrainSpec(seed=8))
    tuned = made.tuned(asked)
    assert Spec.from_dict(tuned.plain()) == tuned
    read = spec_from({}, {"train": {"seed": 8}, **tomllib.loads(made.toml())})
    assert (read.network, read.train, read.data) == (tuned.network, tuned.train, tuned.data)
    networks = read.networks(9_000, 28, 4)
    assert [train.seed for _, train in networks] == seeds
    assert [model.layers for model, _ in networks] == [each.point["model.layers"] for each in chosen]


def test_trials_whose_forecast_is_damaged_are_left_out_of_the_average(tmp_path):
    made = search(tmp_path, 2 * ROUND)
    made.carry_out(Workers())
    first = replace(made).chosen[0].number
    (made.study.folder / f"trial-{first}.f32").write_bytes(b"1234567")
    left = made.chosen
    assert left
    assert first not in {each.number for each in left}


def test_a_journal_whose_values_are_none_of_the_space_is_told(tmp_path):
    made = search(tmp_path, ROUND)
    made.carry_out(Workers())
    with contextlib.closing(sqlite3.connect(made.study.folder / "journal.sqlite3")) as journal, journal:
        journal.execute("update trial_params set param_value = 77")
    with pytest.raises(DataError, match=r"journal\.sqlite3 can't be used.*Remove it to begin anew"):
        Study.begun(tmp_path / "search", {"data": "one"}, SPACE, seed=3)


def test_another_task_begins_anew_and_a_damaged_journal_is_told(tmp_path):
    search(tmp_path, ROUND).carry_out(Workers())
    again, note = Study.begun(tmp_path / "search", {"data": "one"}, SPACE, seed=3)
    assert (len(again.trials()), note) == (ROUND, "")
    other, note = Study.begun(tmp_path / "search", {"data": "other"}, SPACE, seed=3)
    assert other.trials() == []
    assert "was of other data: a new one begins" in note
    again, note = Study.begun(tmp_path / "search", {"data": "one"}, SPACE, seed=3)
    assert (len(again.trials()), note) == (ROUND, ""), "nothing is lost by having begun another"
    other.clear_others()
    assert list((tmp_path / "search").iterdir()) == [other.folder]
    (other.folder / "journal.sqlite3").write_bytes(b"no database at all, but long enough to be looked at")
    with pytest.raises(DataError, match=r"journal\.sqlite3 can't be used"):
        Study.begun(tmp_path / "search", {"data": "other"}, SPACE, seed=3)


def cut_off(run: Path, arguments: list[str]) -> None:
    """The real command, killed once a trial has come to its first rung."""
    program = [sys.executable, "-m", "cnnlstm_cli", *arguments]
    with subprocess.Popen(program, stderr=subprocess.PIPE, text=True) as first:
        while not list((run / "search").glob("*/trial-*.npz")) and first.poll() is None:
            time.sleep(0.05)
        first.send_signal(signal.SIGKILL)
        first.communicate()  # which ends when the processes it had started have ended as well


@pytest.mark.slow
def test_killed_and_gone_on_with_it_publishes_the_best_whose_settings_train_again_to_the_bit(tmp_path):
    run = tmp_path / "run"
    arguments = ["tune", str(AIR), "--run", str(run), "--trials", "3", *map(str, SMALL)]
    cut_off(run, arguments)
    done = command(*arguments)
    assert done.returncode == 0, done.stderr
    assert "3 trials are there from before" in done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert sorted(row["trial"] for row in rows) == ["0", "1", "2"]

    found = json.loads(called("inspect", run, "--json").stdout)["search"]
    assert (found["trials"], found["best"]) == (3, int(rows[0]["trial"]))
    assert found["published"] == [int(row["trial"]) for row in rows if row["published"]]
    assert found["importance"].keys() == {key for key in rows[0] if "." in key}
    assert called("predict", AIR, "--run", run, "-q").returncode == 0

    (told,) = tomllib.loads((run / "tuned.toml").read_text())["network"]  # --members 1
    assert told["train"].pop("seed") == found["published"][0] * SEEDS_APART
    point = {f"{part}.{key}": value for part, keys in told.items() for key, value in keys.items()}
    assert point.keys() >= found["settings"].keys() - {"model.seen"}
    done = called("train", AIR, "--run", tmp_path / "again", "--config", run / "tuned.toml", *SMALL)
    assert done.returncode == 0, done.stderr
    for ours, theirs in zip(weights(tmp_path / "again"), weights(run), strict=True):
        assert (ours == theirs).all()

    before = RunDirectory(run).current()
    assert called("tune", AIR, "--run", run, "--trials", 0).returncode == 2
    assert called("tune", tmp_path / "none.csv", "--run", run).returncode == 66
    assert RunDirectory(run).current() == before
