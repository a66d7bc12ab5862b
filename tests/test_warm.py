"""`train --warm-start`: from the published weights, judged on rows they have not seen; or anew, with the reason."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pandas as pd
import pytest

import cnnlstm_cli as c
from cnnlstm_cli.candidate import Watcher
from cnnlstm_cli.errors import DataError
from cnnlstm_cli.runs.directory import RunDirectory
from tests import SAMPLES
from tests.command import QUICK, called

ROWS, STEPS = 600, 12
SIZE: dict[str, Any] = {"horizon": STEPS, "lookback": 48}  # two days, which are quick to trace
SMALL: dict[str, Any] = {
    "model": {"filters": 4, "start": "zero"},
    "train": {"epochs": 2, "members": 1, "linear": False, "refit": False},
}


class Notes(Watcher):
    """What was told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def swell(rows: int) -> pd.DataFrame:
    """A day's swell that grows with time, so that the scaling of more rows is another."""
    hours = np.arange(rows)
    noise = np.random.default_rng(0).normal(0, 0.1, rows)
    times = pd.date_range("2024-01-01", periods=rows, freq="h")
    return pd.DataFrame({"time": times, "a": 10 + hours / 100 + np.sin(hours * np.pi / 12) + noise})


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> c.Run:
    return c.train(swell(ROWS), tmp_path_factory.mktemp("warm") / "run", settings=SMALL, **SIZE)


@pytest.fixture
def run(first: c.Run, tmp_path) -> c.Run:
    """A copy of it to train on in."""
    return c.Run.open(shutil.copytree(first.path, tmp_path / "run"))


def again(run: c.Run, rows: int = ROWS + 60, settings: dict[str, Any] = SMALL, **options: Any) -> tuple[c.Run, str]:
    """A warm start on more rows, and what it told."""
    watcher = Notes()
    given = {**SIZE, **options}
    made = c.train(swell(rows), run.path, settings=settings, warm_start=True, watcher=watcher, **given)
    return made, watcher.notes[0]


def test_what_learns_nothing_forecasts_as_before_though_the_scaling_is_another(run):
    before = run.predict(swell(700))
    made, told = again(run, settings={**SMALL, "train": {**SMALL["train"], "learning_rate": 1e-9}})
    assert told == f"warm start: from {run.record.version}"
    assert made.record.facts["warm_start"] == run.record.version
    assert made.record.scalers[""].mean[0] > run.record.scalers[""].mean[0] + 0.1
    np.testing.assert_allclose(made.predict(swell(700))["a"], before["a"], atol=0.02)  # moving statistics move


def test_it_is_judged_on_rows_that_the_networks_have_not_seen(run):
    made, _ = again(run, ROWS + 60)
    assert made.record.facts["rows"] == {"read": 660, "used": 660, "training": 600, "validation": 60}
    assert made.record.facts["windows"]["validation"] == 60 - STEPS + 1
    made, told = again(made, ROWS + 60 + 400)
    assert told == f"warm start: from {RunDirectory(run.path).versions()[1]}"
    assert made.record.facts["rows"]["validation"] == (ROWS + 460) // 5


def test_few_new_rows_leave_the_intervals_as_they_are_and_many_make_new_ones(run):
    made, _ = again(run, ROWS + 60)
    assert made.record.facts["intervals"] == run.record.facts["intervals"]
    np.testing.assert_array_equal(made.errors, run.errors)
    other, _ = again(run, ROWS + 60, settings={**SMALL, "train": {**SMALL["train"], "levels": [50]}})
    assert other.levels() == (50.0,)
    many, _ = again(other, 20 * ROWS, settings={**SMALL, "train": {**SMALL["train"], "levels": [50]}})
    assert many.record.facts["intervals"] != other.record.facts["intervals"]


def test_it_learns(run):
    """From networks that were hardly trained it gets better, and publishes what is better."""
    longer = {**SMALL["train"], "epochs": 30, "members": 2, "refit": True}
    made, _ = again(run, ROWS + 120, {**SMALL, "train": longer})
    assert made.record.facts["epochs"]["best"] > 0
    assert made.record.facts["refitted"]
    members = [member for member in made.record.facts["members"] if member["kept"]]
    assert min(member["mae"] for member in members) < min(member["mae"] for member in run.record.facts["members"])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"rows": ROWS}, "fewer than 12 rows (a horizon) have come since version"),
        ({"rows": ROWS + 11}, "fewer than 12 rows (a horizon) have come since version"),
        (
            {"settings": {**SMALL, "model": {**SMALL["model"], "filters": 5}}},
            "model.filters is another than in version",
        ),
        ({"horizon": 6}, "data.horizon is another than in version"),
        ({"lookback": 72}, "data.lookback is another than in version"),
    ],
)
def test_another_training_begins_anew_and_says_why(run, options, reason):
    made, told = again(run, **options)
    assert told.startswith(f"warm start: not possible, {reason}")
    assert made.record.facts["warm_start"] is None
    assert made.record.version != run.record.version


def test_other_columns_begin_anew(run):
    watcher = Notes()
    more = swell(ROWS + 60).assign(b=lambda frame: frame["a"].rolling(3, min_periods=1).mean())
    c.train(more, run.path, settings=SMALL, **SIZE, warm_start=True, watcher=watcher)
    assert watcher.notes[0].startswith("warm start: not possible, the data have other columns, or another step")


def test_a_network_that_depends_on_the_scaling_begins_anew(tmp_path):
    watcher = Notes()
    for rows in (ROWS, ROWS + 60):
        c.train(
            swell(rows),
            tmp_path / "run",
            preset="answer",
            settings={"train": SMALL["train"] | {"epochs": 1}, "model": {"filters": 4, "units": 4}},
            horizon=STEPS,
            warm_start=True,
            watcher=watcher,
        )
    assert watcher.notes[0] == "warm start: not possible, no version that can be read is published"
    assert watcher.notes[1].startswith("warm start: not possible, model.normalisation is not 'standard'")


@pytest.mark.parametrize("harm", ["cut short", "of another network", "no file"])
def test_weights_that_are_not_the_versions_are_refused(run, tmp_path, harm):
    path = RunDirectory(run.path).folder() / "members" / "0.keras"
    content = path.read_bytes()
    if harm == "of another network":
        other = c.train(swell(ROWS), tmp_path / "other", settings=SMALL | {"model": {"filters": 5}}, **SIZE)
        content = (RunDirectory(other.path).folder() / "members" / "0.keras").read_bytes()
    path.unlink()
    if harm != "no file":
        path.write_bytes(content[: 3_000 if harm == "cut short" else None])
    with pytest.raises(DataError, match=r"does not hold the network .* Train without --warm-start"):
        again(run)
    assert RunDirectory(run.path).current() == run.record.version


def test_weights_are_not_taken_through_a_link(run, tmp_path):
    path = RunDirectory(run.path).folder() / "members" / "0.keras"
    path.rename(tmp_path / "0.keras")
    path.symlink_to(tmp_path / "0.keras")
    assert again(run)[1] == "warm start: not possible, no version that can be read is published"


@pytest.mark.slow
def test_the_command_says_where_it_starts_from(tmp_path):
    lines = (SAMPLES / "air_passengers.csv").read_text().splitlines(keepends=True)
    run = tmp_path / "run"
    for rows in (110, 130):
        (tmp_path / "data.csv").write_text("".join(lines[: rows + 1]))
        done = called("train", tmp_path / "data.csv", "--run", run, "--warm-start", *QUICK)
        assert done.returncode == 0
    first, second = RunDirectory(run).versions()
    assert f"warm start: from {first}\n" in done.stderr
    assert RunDirectory(run).current() == second


def test_networks_with_settings_of_their_own_are_gone_on_with_as_they_are(tmp_path):
    train = {key: value for key, value in SMALL["train"].items() if key != "members"}
    own = [{"model": {"filters": 8}}, {"train": {"learning_rate": 0.004}}]
    settings = {"model": {**SMALL["model"], "kernel": 24, "dropout": 0.0}, "train": train, "network": own}
    run = c.train(swell(ROWS), tmp_path / "run", settings=settings, **SIZE)
    networks = run.record.networks()
    assert len(networks) == 2
    assert sorted(model.filters for _, model in networks) == [4, 8]
    (beside,) = (member["own"] for member in run.record.facts["members"] if "own" in member)
    assert beside.keys() >= {"model.filters", "train.learning_rate"}
    made, note = again(run, settings=settings)
    assert "goes on" in note or run.folder.name in note
    assert sorted(model.filters for _, model in made.record.networks()) == [4, 8]
    _, note = again(made, ROWS + 120, settings=settings | {"network": own[:1]})
    assert "[[network]] is another" in note
