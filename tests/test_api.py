"""The Python API: the same numbers as the command."""

from __future__ import annotations

import io
import json
import shutil

import numpy as np
import pandas as pd
import pytest

import cnnlstm_cli as c
from cnnlstm_cli.candidate import Watcher
from cnnlstm_cli.errors import UsageError
from cnnlstm_cli.render.output import write_forecast
from tests import SAMPLES
from tests.command import command

AIR = SAMPLES / "air_passengers.csv"
SETTINGS = {"train": {"epochs": 2, "members": 1, "linear": False, "refit": False}}


def test_train_predict_inspect_give_the_commands_numbers(air, tmp_path):
    """The run of the command was trained in another process: the same seed gives the same forecast there and here."""
    run = c.train(AIR, tmp_path / "run", settings=SETTINGS)
    ours = run.predict(AIR)
    text = command("predict", AIR, "--run", air).stdout
    assert command("predict", AIR, "--run", tmp_path / "run").stdout == text
    theirs = pd.read_csv(io.StringIO(text))
    assert ours["#Passengers"].tolist() == theirs["#Passengers"].tolist()
    assert ours["Month"].tolist() == [pd.Timestamp(month) for month in theirs["Month"]]
    assert c.Run.open(tmp_path / "run").predict(AIR).equals(ours)
    assert c.predict(AIR, tmp_path / "run").equals(ours)
    facts, said = c.inspect(tmp_path / "run"), json.loads(command("inspect", air, "--json").stdout)
    for name, scores in facts["validation"].items():  # sums in another order differ by rounding
        assert scores == pytest.approx(said["validation"][name], rel=1e-6)
    assert c.inspect(AIR)["season"] == [12]


def test_another_seed_gives_another_forecast(air, tmp_path):
    other = c.train(AIR, tmp_path / "run", settings=SETTINGS, seed=1)
    assert not other.predict(AIR).equals(c.predict(AIR, air))


def test_a_data_frame_in_place_of_a_path(air):
    frame = pd.read_csv(AIR)
    indexed = frame.set_index(pd.to_datetime(frame.pop("Month")))
    expected = c.predict(AIR, air)
    assert c.predict(pd.read_csv(AIR), air)["#Passengers"].equals(expected["#Passengers"])
    assert c.predict(indexed, air)["Month"].equals(expected["Month"])


def test_the_watcher_hears_of_every_step(tmp_path):
    class Listener(Watcher):
        def __init__(self):
            self.task, self.steps, self.epochs = None, [], []

        def reading(self):
            assert self.task is None
            self.task = "read"

        def planned(self, task):
            assert self.task == "read"
            self.task = task

        def stepped(self, step, steps, epoch):
            self.steps.append((step, steps))
            self.epochs.append(epoch.number if epoch else 0)

    heard = Listener()
    c.train(AIR, tmp_path / "run", settings=SETTINGS, watcher=heard, horizon=6, lookback=24, season=12)
    assert (heard.task.windows.lookback, heard.task.windows.horizon) == (24, 6)
    assert heard.steps == sorted(heard.steps)
    assert heard.steps[-1][0] == heard.steps[-1][1]
    assert heard.epochs[-1] == 2


def test_errors_are_exceptions_with_the_commands_exit_codes(air, tmp_path):
    with pytest.raises(c.CnnlstmError, match="No such file") as caught:
        c.train(tmp_path / "none.csv", tmp_path / "run")
    assert caught.value.exit_code == 66
    with pytest.raises(c.CnnlstmError, match=r"data\.horizon must be a whole number, not 'a day'"):
        c.train(AIR, tmp_path / "run", horizon="a day")
    with pytest.raises(c.CnnlstmError, match="the data frame has no rows"):
        c.predict(pd.DataFrame({"Month": [], "#Passengers": []}), air)


def test_a_forecast_does_not_depend_on_the_unit_of_the_data(air):
    """Scaler and per-window normalisation together: ten times the passengers are ten times the forecast."""
    frame = pd.read_csv(AIR)
    run = c.Run.open(air)
    base = run.predict(frame)["#Passengers"].to_numpy()
    tens = run.predict(frame.assign(**{"#Passengers": frame["#Passengers"] * 10}))["#Passengers"].to_numpy()
    assert np.allclose(tens, 10 * base, rtol=1e-4)


def test_unknown_public_name():
    with pytest.raises(AttributeError, match="has no attribute 'forecast_everything'"):
        _ = c.forecast_everything


def test_a_target_named_step_keeps_its_name_and_value_another(tmp_path):
    frame = pd.DataFrame({"step": [k % 7 + 0.5 for k in range(90)], "value": [k % 5 + 0.5 for k in range(90)]})
    run = c.train(frame, tmp_path / "run", settings=SETTINGS, horizon=3)
    assert list(run.predict(frame).columns) == ["row", "step", "value"]
    made = run.forecast(frame)
    written = write_forecast(made.frame(written=True), made.table, "csv", long=True, header=True, as_input=False)
    long = written.decode().splitlines()
    assert long[0] == "row,target,value"
    assert [line.split(",")[:2] for line in long[1:]] == [
        [str(k), name] for name in ("step", "value") for k in (1, 2, 3)
    ]


@pytest.mark.parametrize("value", [1e20, 1e36])
def test_a_mark_for_a_missing_value_is_never_forecast_from(air, value):
    frame = pd.read_csv(AIR, dtype={"#Passengers": float})
    frame.loc[len(frame) - 1, "#Passengers"] = value
    with pytest.raises(c.CnnlstmError, match="a trillion deviations"):
        c.predict(frame, air)


def test_a_changed_horizon_is_found_out(air, tmp_path):
    shutil.copytree(air, tmp_path / "run")
    (path,) = (tmp_path / "run").glob("versions/*/run.json")
    path.write_text(path.read_text().replace('"horizon": 12', '"horizon": 13'))
    with pytest.raises(c.CnnlstmError, match=r"run\.json says \(36, 13, 1\): one of them was changed"):
        c.predict(AIR, tmp_path / "run")


@pytest.mark.slow
def test_the_calendar_of_the_steps_ahead_reaches_the_forecast(tmp_path):
    """Saturdays are ten times the rest, and the lookback is too short to tell; then a week of stamps is left out."""
    days = pd.date_range("2023-01-02", periods=400)
    frame = pd.DataFrame({"day": days, "y": 1.0 + 9 * (days.day_of_week == 5) + 0.01 * (np.arange(400) % 3)})
    settings = {"train": {"epochs": 40, "members": 1, "learning_rate": 0.01, "batch_size": 32}}
    run = c.train(frame, tmp_path / "run", settings=settings, lookback=3, horizon=7)
    assert run.record.spec.model.calendar == "week"
    for known in (400, 397, 394):
        made = run.predict(frame[:known])
        assert (made["y"].idxmax(), made["day"].dt.day_of_week[made["y"].idxmax()]) == (made["y"].idxmax(), 5)
    backtested = c.backtest(frame, run.path, start=390).frame()
    first = backtested[backtested["origin"] == days[389]]["y"].to_numpy()
    np.testing.assert_allclose(first, run.predict(frame[:390])["y"], atol=1e-3)
    with pytest.raises(c.CnnlstmError, match="needs dates"):
        c.train(frame[["y"]], tmp_path / "other", settings={"model": {"calendar": "week"}})


@pytest.mark.slow
def test_a_series_shorter_than_the_lookback_is_forecast_as_if_its_first_season_had_gone_before(tmp_path):
    days = pd.date_range("2023-01-02", periods=120)
    week = np.sin(np.arange(120) * 2 * np.pi / 7)
    parts = {"a": 3 + week, "b": 5 - week, "short": (20 + 2 * week)[-10:]}
    frame = pd.concat([pd.DataFrame({"id": name, "day": days[-len(y) :], "y": y}) for name, y in parts.items()])
    run = c.train(frame, tmp_path / "run", id="id", lookback=21, horizon=3, season=7, settings=SETTINGS)
    forecast = run.forecast(frame)
    assert forecast.notes == (
        "1 series shorter than the lookback of 21 rows (first 'short'): continued backwards by their first season, "
        "or row",
    )
    longer = np.concatenate([np.tile(parts["short"][:7], 2)[-11:], parts["short"]])
    whole = {**parts, "short": longer}
    by_hand = pd.concat([pd.DataFrame({"id": name, "day": days[-len(y) :], "y": y}) for name, y in whole.items()])
    pd.testing.assert_frame_equal(forecast.frame(), run.predict(by_hand))
    with pytest.raises(c.CnnlstmError, match="Give at least 21"):
        c.train(frame[["day", "y"]][:120], tmp_path / "one", lookback=21, horizon=3, settings=SETTINGS).predict(
            frame[["day", "y"]][:10]
        )


@pytest.mark.slow
def test_where_no_network_does_better_the_linear_model_alone_is_the_run(tmp_path):
    """Its graph takes no calendar, which the networks that lost do."""
    days = pd.date_range("2023-01-02", periods=900)
    t = np.arange(900)
    frame = pd.DataFrame({"day": days, "y": np.sin(t * 2 * np.pi / 7) + np.sin(t * 2 * np.pi / 31)})
    settings = {"train": {"epochs": 1, "members": 1}, "model": {"start": "zero"}}
    run = c.train(frame, tmp_path / "run", lookback=62, horizon=7, settings=settings)
    facts = run.record.facts
    assert facts["simple"] == ["linear"]
    assert [member["kept"] for member in facts["members"]] == [False]
    assert run.record.spec.model.calendar != "none"
    assert facts["validation"]["model"] == pytest.approx(facts["validation"]["linear"], abs=1e-4)
    ahead = np.arange(900, 907)
    expected = np.sin(ahead * 2 * np.pi / 7) + np.sin(ahead * 2 * np.pi / 31)
    np.testing.assert_allclose(run.predict(frame)["y"], expected, atol=0.02)


def test_a_column_a_series_and_an_id_column_give_the_same_forecast(tmp_path):
    random, hours = np.random.default_rng(0), np.arange(400)
    swell = np.sin(hours * np.pi / 12)
    columns = {"a": 10 + swell + random.normal(0, 0.1, 400), "b": 500 - 90 * swell + random.normal(0, 9, 400)}
    wide = pd.DataFrame({"time": pd.date_range("2024-01-01", periods=400, freq="h"), **columns})
    long = wide.melt("time", var_name="shop", value_name="y")
    options = {"settings": SETTINGS | {"model": {"filters": 4}}, "horizon": 6, "lookback": 48}
    beside = c.train(wide, tmp_path / "wide", **options).predict(wide)
    below = c.train(long, tmp_path / "long", id="shop", **options).predict(long)
    for name in "ab":
        np.testing.assert_allclose(below[below["shop"] == name]["y"], beside[name], rtol=1e-6)


def test_long_form_takes_no_column_away(tmp_path):
    frame = pd.DataFrame({"target": pd.date_range("2024-01-01", periods=90), "y": np.arange(90) % 7})
    run = c.train(frame, tmp_path / "run", horizon=3, lookback=14, settings=SETTINGS)
    made = run.forecast(frame)
    with pytest.raises(UsageError, match="column 'target' is in the data"):
        write_forecast(made.frame(written=True), made.table, "csv", long=True, header=True, as_input=False)


def test_numbers_next_to_nothing_are_forecast(tmp_path):
    frame = pd.DataFrame({"y": (5 + np.sin(np.arange(90))) * 1e-303})
    run = c.train(frame, tmp_path / "run", horizon=3, lookback=14, settings=SETTINGS)
    assert np.isfinite(run.predict(frame, levels=(80,)).to_numpy()).all()


def test_series_that_ended_long_ago_can_be_left_out(tmp_path):
    days = pd.date_range("2024-01-01", periods=150)
    parts = [
        pd.DataFrame({"id": name, "day": days[:rows], "y": np.arange(rows) % 7 + k})
        for k, (name, rows) in enumerate({"old": 60, "late": 145, "new": 150}.items())
    ]
    frame = pd.concat(parts, ignore_index=True)
    run = c.train(
        frame,
        tmp_path / "run",
        id="id",
        target="y",
        horizon=7,
        lookback=14,
        settings={"train": {"epochs": 1, "members": 1}},
    )
    every, some = run.predict(frame), run.forecast(frame, drop_ended=True)
    assert list(every["id"].unique()) == ["old", "late", "new"]
    pd.testing.assert_frame_equal(some.frame(), every[every["id"] != "old"].reset_index(drop=True))
    assert some.notes == ("1 series left out that ended over 7 steps ago (first 'old')",)
