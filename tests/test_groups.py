"""`train --per`: a run for each group, all served in one call; what is wrong with one does not touch the others."""

from __future__ import annotations

import contextlib
import errno
import gc
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cnnlstm_cli as c
from cnnlstm_cli.errors import DataError, OutputError, UsageError
from cnnlstm_cli.groups_training import Groupwise, train_groups
from cnnlstm_cli.runs.atomic import writing_to
from cnnlstm_cli.runs.directory import RunDirectory
from cnnlstm_cli.runs.groups import LONGEST, folder_name
from cnnlstm_cli.runs.parcel import packed, unpack
from cnnlstm_cli.training import Unattended
from tests import SAMPLES
from tests.command import QUICK, called, command

TINY = {"train": {"epochs": 2, "members": 1, "linear": False, "refit": False}, "model": {"filters": 4, "units": 4}}
SMALL = ("--horizon", 7, *QUICK, "--set", "model.filters=4", "--set", "model.units=4")


def shop(name: str, rows: int = 90, step: int = 1) -> pd.DataFrame:
    """Daily sales with a week in them, each shop's its own."""
    random, days = np.random.default_rng(len(name) + ord(name[-1])), np.arange(rows) * step
    sales = 20 + 8 * np.sin(days * 2 * np.pi / 7) + random.normal(size=rows)
    stamps = (np.datetime64("2025-01-01") + days).astype(str)
    return pd.DataFrame({"shop": name, "day": stamps, "sales": sales.round(2)})


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two good ones, one of nine rows, and one that is there every third day."""
    path = tmp_path_factory.mktemp("shops") / "shops.csv"
    parts = [shop("A/1"), shop("short", rows=9), shop("..", rows=90), shop("rare", rows=30, step=3)]
    pd.concat(parts).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def trained(shops: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The runs, and what the training said."""
    run = tmp_path_factory.mktemp("trained") / "runs"
    done = called("train", shops, "--run", run, "--per", "shop", *SMALL)
    assert (done.returncode, done.stdout) == (0, "")
    return run, done.stderr


def test_each_group_is_trained_as_if_it_were_alone(shops, trained, tmp_path):
    run, _ = trained
    forecast = pd.read_csv(io.StringIO(called("predict", shops, "--run", run, "-q").stdout))
    assert list(forecast.columns) == ["shop", "day", "sales"]
    assert list(forecast["shop"].unique()) == ["A/1", ".."]
    alone = tmp_path / "alone.csv"
    shop("..").to_csv(alone, index=False)
    assert called("train", alone, "--run", tmp_path / "run", "--id", "shop", *SMALL).returncode == 0
    expected = called("predict", alone, "--run", tmp_path / "run").stdout
    assert forecast[forecast["shop"] == ".."].to_csv(index=False) == expected


def test_what_failed_is_listed_with_its_reason(shops, trained):
    run, said = trained
    assert "published: 2 of 4 groups by shop" in said
    assert "short: " in said
    assert "has 9 rows" in said
    assert "rare: " in said
    done = called("predict", shops, "--run", run)
    assert done.returncode == 0
    assert "failed: 2 of 4 groups" in done.stderr
    assert "short: no model was trained for it" in done.stderr
    quiet = called("predict", shops, "--run", run, "-q")
    assert quiet.stderr.startswith("failed: 2 of 4 groups"), "what is missing from the answer is told all the same"
    strict = called("predict", shops, "--run", run, "--strict")
    assert (strict.returncode, strict.stdout) == (65, "")


def test_what_a_training_would_say_of_each_is_said_of_all_together(trained, tmp_path):
    run, said = trained
    percents = {each["group"]: each["percent"] for each in c.inspect(run)["groups"] if each["percent"] is not None}
    worst = min(percents, key=percents.__getitem__)
    assert percents[worst] < 0, "two epochs are no match for a baseline"
    behind = sum(each < 0 for each in percents.values())
    assert f"note: of {behind} of 2 groups a baseline forecasts the validation rows better than the model" in said
    assert f"most clearly of {worst} (" in said
    assert "mended" not in said
    holes = pd.concat([shop("a").drop(index=[40, 41]), shop("b").drop(index=50)])
    holes.to_csv(tmp_path / "holes.csv", index=False)
    done = called("train", tmp_path / "holes.csv", "--run", tmp_path / "run", "--per", "shop", *SMALL)
    assert "mended, in all groups: 3 missing rows; 3 missing values, filled by a straight line" in done.stderr


def test_a_backtest_says_that_series_are_strangers_to_a_run(shops, trained):
    run, _ = trained
    done = called("backtest", shops, "--run", run / "groups" / folder_name(".."), "--strict")
    assert done.returncode == 65
    frame = pd.concat([shop(".."), shop("A/1")])
    notes = c.backtest(frame, run / "groups" / folder_name("..")).notes
    assert any("1 series the run was not trained on (first 'A/1')" in note for note in notes)
    assert not any("not trained on (first" in note for note in c.backtest(shop(".."), run / "groups" / "%2E%2E").notes)


def test_a_run_of_each_stands_by_itself(trained):
    run, _ = trained
    found = c.inspect(run / "groups" / folder_name("A/1"))
    assert found["kind"] == "run"
    assert found["data"]["series"] == 1


def test_inspect_tells_of_all(trained):
    run, _ = trained
    facts = json.loads(called("inspect", run, "--json").stdout)
    assert (facts["kind"], facts["per"], facts["served"], facts["failed"]) == ("groups", "shop", 2, 2)
    by_name = {each["group"]: each for each in facts["groups"]}
    assert by_name["A/1"]["version"] == RunDirectory(run / "groups" / "A%2F1").current()
    assert by_name["short"]["version"] == ""
    assert called("inspect", run).stdout.splitlines()[0].startswith("group,version,mae")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("predict", "DATA", "--run", "RUN", "--plot"), "--plot is for one run"),
        (("predict", "DATA", "--run", "RUN", "-H", "99"), "1 to 7 steps"),
        (("backtest", "DATA", "--run", "RUN"), "a run for each group"),
        (("score", "RUN", "DATA"), "a run for each group"),
        (("rollback", "RUN"), "a run for each group"),
        (("inspect", "RUN", "--data", "DATA"), "for one run"),
        (("inspect", "RUN", "--html", "x.html"), "--html is for one run"),
        (("train", "DATA", "--run", "RUN", "--per", ""), "the name of a column"),
        (("train", SAMPLES / "air_passengers.csv", "--run", "RUN"), "holds other files"),
        (("train", "DATA", "--run", "RUN", "--per", "shop", "--resume"), "Leave out --resume"),
        (("train", "DATA", "--run", "RUN", "--per", "shoop"), "Did you mean 'shop'"),
        (("train", "DATA", "--run", "RUN", "--per", "day"), "can't be both"),
    ],
)
def test_what_does_not_go_with_many_runs_is_refused(shops, trained, arguments, word):
    done = called(*(str(each).replace("DATA", str(shops)).replace("RUN", str(trained[0])) for each in arguments))
    assert done.returncode not in (0, 70)
    assert done.stdout == ""
    assert word in done.stderr


def test_a_directory_of_another_kind_is_not_written_to(shops, air, regions, tmp_path):
    with pytest.raises(OutputError, match="holds runs by 'region'"):
        train_groups(shops, regions.path, "shop")
    with pytest.raises(OutputError, match="holds one run"):
        train_groups(shops, air, "shop")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"other files \(notes\.txt"):
        train_groups(shops, tmp_path, "shop")
    assert [each.name for each in tmp_path.iterdir()] == ["notes.txt"]


def test_nothing_is_left_where_all_fail(tmp_path):
    with pytest.raises(UsageError):
        train_groups(shop("a"), tmp_path / "runs", "shop", agg="sum")
    made = train_groups(shop("short", rows=5), tmp_path / "runs", "shop", horizon=7)
    assert list(made.failed) == ["short"]
    assert not (tmp_path / "runs").exists()


def group_frame() -> pd.DataFrame:
    """Two regions whose shops have the same names."""
    parts = [shop(name).assign(region=region) for region in ("north", "south") for name in ("a", "b")]
    parts[3]["sales"] += 100
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def regions(tmp_path_factory: pytest.TempPathFactory) -> Groupwise:
    """A model for each region."""
    path = tmp_path_factory.mktemp("regions") / "runs"
    return train_groups(group_frame(), path, "region", id="shop", horizon=7, settings=TINY)


def test_groups_of_series_may_have_series_of_the_same_name(regions):
    frame = group_frame()
    forecast = pd.read_csv(io.StringIO(predicted(frame, regions.path)))
    assert list(forecast.columns) == ["shop", "day", "sales", "region"], "in the order of the data"
    assert forecast.groupby(["region", "shop"]).size().tolist() == [7] * 4
    assert forecast.set_index(["region", "shop"]).loc[("south", "b"), "sales"].min() > 90
    assert regions.run("south").record.schema.id == "shop"


def predicted(frame: pd.DataFrame, run: Path, *options: object) -> str:
    data = run.parent / "data.csv"
    frame.to_csv(data, index=False)
    done = called("predict", data, "--run", run, *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_levels_samples_and_the_log_are_those_of_each_run(regions):
    frame = group_frame()
    with_ends = pd.read_csv(io.StringIO(predicted(frame, regions.path, "--levels", "80")))
    assert (with_ends["sales-lo-80"] <= with_ends["sales"]).all()
    courses = pd.read_csv(io.StringIO(predicted(frame, regions.path, "--samples", 2)))
    assert len(courses) == 2 * len(with_ends)
    predicted(frame, regions.path, "--log")
    assert len(list(RunDirectory(regions.run("north").path).logged())) == 2


def test_of_many_runs_no_network_and_no_open_file_is_kept(regions):
    data = regions.path.parent / "data.csv"
    group_frame().to_csv(data, index=False)
    gc.collect()  # of other tests
    before = len(os.listdir("/proc/self/fd"))
    made = c.forecast_groups(data, regions.path)
    assert len(os.listdir("/proc/self/fd")) == before
    assert all("session" not in vars(run) for run, _ in made.made.values())
    assert c.predict(data, regions.path).equals(made.frame(lambda _, forecast: forecast.frame()))


def test_what_has_not_changed_is_not_trained_again(regions):
    """And a group that is new, is."""
    again = {"id": "shop", "horizon": 7, "settings": TINY, "unattended": Unattended(only_if_better=True)}
    made = train_groups(group_frame(), regions.path, "region", **again)
    assert {each["why"] for each in made.index["groups"].values()} == {
        "the data and the options are those that the published version was trained with"
    }
    more = pd.concat([group_frame(), shop("a").assign(region="west")], ignore_index=True)
    made = train_groups(more, regions.path, "region", **again)
    assert {name: len(RunDirectory(made.run(name).path).versions()) for name in made.index["groups"]} == dict.fromkeys(
        ("north", "south", "west"), 1
    )


def test_a_damaged_index_or_an_older_run_is_told(regions, tmp_path):
    frame = group_frame().rename(columns={"sales": "sold"})
    data = tmp_path / "data.csv"
    frame.to_csv(data, index=False)
    done = called("predict", data, "--run", regions.path)
    assert (done.returncode, "no column 'sales'" in done.stderr) == (65, True)
    broken = (_index(groups={"a": {}}), _index(scores={"model": {}}))
    for text in ('{"format": 1, "per": 3}', "{", '{"format": 2}', *broken):
        (tmp_path / "groups.json").write_text(text)
        for arguments in (("inspect", tmp_path), ("predict", data, "--run", tmp_path)):
            done = called(*arguments)
            assert (done.returncode, "groups.json" in done.stderr, "Traceback" in done.stderr) == (65, True, False)


def _index(groups: dict[str, object] | None = None, scores: dict[str, object] | None = None) -> str:
    entry = {"done": True, "published": True, "failed": "", "why": "", "validation": scores or {}}
    index = {"format": 1, "per": "shop", "complete": True, "task": {}, "groups": groups or {"a": entry}}
    return json.dumps(index)


def test_what_a_later_training_does_not_replace_is_served_as_before(tmp_path):
    """Whether its rows are too few now, or a damaged index hides what there was."""
    frame = pd.concat([shop("a"), shop("b")], ignore_index=True)
    options = {"horizon": 7, "settings": TINY}
    train_groups(frame, tmp_path / "runs", "shop", **options)
    expected = c.predict(frame, tmp_path / "runs")
    few = frame.groupby("shop").head(12).assign(promo=1.0)
    made = train_groups(few, tmp_path / "runs", "shop", target="sales", known="promo", **options)
    assert made.failed.keys() == {"a", "b"}
    pd.testing.assert_frame_equal(c.predict(frame, tmp_path / "runs"), expected)
    more = frame.assign(promo=(frame["sales"] > 20) * 1.0)
    made = train_groups(more[more["shop"] == "b"], tmp_path / "runs", "shop", target="sales", past="promo", **options)
    both = c.forecast_groups(more, tmp_path / "runs")
    assert list(both.made) == ["a", "b"]
    assert [len(run.record.schema.covariates) for run, _ in both.made.values()] == [0, 1]
    (tmp_path / "runs" / "groups" / "a" / "current").write_text("none")
    facts = {each["group"]: each for each in c.inspect(tmp_path / "runs")["groups"]}
    assert facts["b"]["version"]
    assert "names the version" in facts["a"]["failed"]
    (tmp_path / "runs" / "groups.json").write_text("{")
    assert not train_groups(more, tmp_path / "runs", "shop", target="sales", **options).failed
    assert c.forecast_groups(more, tmp_path / "runs").failed == {}


def test_a_group_whose_folder_is_in_the_way_does_not_stop_the_others(tmp_path, monkeypatch):
    """But a full disk does."""
    frame = pd.concat([shop("a"), shop("b")], ignore_index=True)
    (tmp_path / "runs" / "groups").mkdir(parents=True)
    (tmp_path / "runs" / "groups.json").write_text(_index(groups={}))
    (tmp_path / "runs" / "groups" / "a").write_text("a file")
    made = train_groups(frame, tmp_path / "runs", "shop", horizon=7, settings=TINY)
    assert made.failed == {"a": f"can't write {tmp_path}/runs/groups/a: File exists. Choose another place."}
    assert list(c.forecast_groups(frame, tmp_path / "runs").made) == ["b"]

    def full(*_: object) -> None:
        with writing_to(tmp_path):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("cnnlstm_cli.groups_training.adopt", full)
    with pytest.raises(OutputError, match="Free some space"):
        train_groups(frame, tmp_path / "runs", "shop", horizon=7, settings=TINY)


def test_what_is_wrong_with_a_groups_run_names_it_where_it_lies(tmp_path):
    frame = pd.concat([shop("a"), shop("b")], ignore_index=True)
    train_groups(frame, tmp_path / "runs", "shop", horizon=7, settings=TINY)
    c.train(shop("a")[["day", "sales"]], tmp_path / "runs" / "groups" / "a", horizon=7, settings=TINY)
    unattended = Unattended(only_if_better=True)
    made = train_groups(frame, tmp_path / "runs", "shop", horizon=7, settings=TINY, unattended=unattended)
    assert list(made.failed) == ["a"]
    assert f"the version published in {tmp_path}/runs/groups/a has id None" in made.failed["a"]


def test_a_column_of_whole_numbers_is_the_same_with_an_empty_cell(tmp_path):
    frame = pd.concat([shop("a").assign(shop=1), shop("b").assign(shop=2)], ignore_index=True)
    train_groups(frame, tmp_path / "runs", "shop", horizon=7, settings=TINY)
    more = pd.concat([frame, pd.DataFrame({"shop": [None], "day": ["2025-01-01"], "sales": [1.0]})], ignore_index=True)
    assert list(c.forecast_groups(more.astype({"shop": float}), tmp_path / "runs").made) == ["1", "2"]


@pytest.mark.slow
def test_killed_half_way_the_same_command_goes_on(tmp_path):
    """What is published by then is served, and is not trained again."""
    data = tmp_path / "data.csv"
    pd.concat([shop(f"s{k}") for k in range(5)]).to_csv(data, index=False)
    arguments = ("train", data, "--run", tmp_path / "runs", "--per", "shop", *SMALL)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "lock").touch()  # all that a kill before the first group leaves
    program = [sys.executable, "-m", "cnnlstm_cli", *map(str, arguments)]
    with subprocess.Popen(program, stderr=subprocess.PIPE, text=True) as training:
        while len(list((tmp_path / "runs" / "groups").glob("*/current"))) < 2 and training.poll() is None:
            time.sleep(0.05)
        training.send_signal(signal.SIGINT)
        assert "the same command goes on" in training.communicate()[1]
        assert training.returncode == 130
    index = json.loads((tmp_path / "runs" / "groups.json").read_text())["groups"]
    published = {each.parent.name: each.read_text() for each in (tmp_path / "runs" / "groups").glob("*/current")}
    before = {name: published[name] for name, each in index.items() if each["done"]}
    assert len(published) - 1 <= len(before) < 5, "Ctrl-C may come between a publishing and its line in the index"
    assert called("predict", data, "--run", tmp_path / "runs", "-q").returncode == 0
    done = command(*arguments)
    assert done.returncode == 0
    assert f"{len(before)} of 5 groups were done before" in done.stderr
    after = {each.parent.name: each.read_text() for each in (tmp_path / "runs" / "groups").glob("*/current")}
    assert len(after) == 5
    assert before.items() <= after.items()


NAMES = st.one_of(st.text(max_size=12), st.text("ab./%~\\ü ", max_size=400))


@given(NAMES, NAMES)
def test_a_groups_folder_is_a_safe_name_of_its_own(one: str, other: str) -> None:
    name = folder_name(one) if _encodable(one) else "x"
    assert name.isascii()
    assert 1 <= len(name) <= LONGEST
    assert not {"/", ".", "\0"} & {*name}
    if _encodable(one) and _encodable(other):
        assert (folder_name(one) == folder_name(other)) == (one == other)


def _encodable(text: str) -> bool:
    with contextlib.suppress(UnicodeEncodeError):
        text.encode()
        return True
    return False


def test_files_come_out_as_they_went_in_and_never_elsewhere(tmp_path):
    (tmp_path / "from" / "inner").mkdir(parents=True)
    (tmp_path / "from" / "inner" / "a.bin").write_bytes(os.urandom(9))
    (tmp_path / "to").mkdir()
    unpack(packed(tmp_path / "from"), tmp_path / "to")
    assert packed(tmp_path / "to") == packed(tmp_path / "from")
    for name in ("../x", "/x"):
        with pytest.raises(DataError, match="leads out"):
            unpack({name: b""}, tmp_path / "to")
