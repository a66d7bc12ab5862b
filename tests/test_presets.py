"""The published networks from end to end: joint columns, their own lookback, one forecast."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import cnnlstm_cli as c
from cnnlstm_cli.runs.session import Session
from cnnlstm_cli.series.windows import Windows
from tests import SAMPLES
from tests.command import called

WEATHER = SAMPLES / "seattle_weather.csv"


@pytest.mark.parametrize(("preset", "units"), [("answer", 16), ("question", 15)])
def test_a_preset_trains_and_predicts(preset, units, tmp_path):
    run = c.train(WEATHER, tmp_path / "run", preset=preset, settings={"train": {"epochs": 1}})
    spec = run.record.spec
    assert (spec.data.lookback, spec.model.channels, spec.model.units, spec.train.batch_size) == (
        21,
        "joint",
        units,
        32,
    )
    forecast = run.predict(WEATHER)
    assert forecast.shape == (14, 5)
    assert np.isfinite(forecast.drop(columns="date").to_numpy()).all()
    facts = json.loads(called("inspect", run.path, "--json").stdout)
    assert set(facts["error_by_target"]) == {"precipitation", "temp_max", "temp_min", "wind"}


@pytest.mark.slow
def test_joint_columns_are_seen_by_each_other(tmp_path):
    """And not by columns that stand alone: a change in one column then changes that one's forecast only."""
    wind = np.random.default_rng(0).standard_normal(500)
    data = pd.DataFrame({"temperature": 20 - 3 * np.roll(wind, 1), "wind": wind})
    changed = data.assign(wind=data["wind"].where(data.index < len(data) - 5, 4.0))
    for channels, seen in (("joint", True), ("independent", False)):
        model = {"channels": channels, "filters": 8, "units": 8, "start": "zero"}
        settings = {"train": {"epochs": 3, "members": 1, "refit": False}, "model": model}
        run = c.train(data, tmp_path / channels, settings=settings, horizon=3, lookback=28)
        moved = np.abs(run.predict(changed)["temperature"] - run.predict(data)["temperature"]).max() > 0
        assert moved == seen


def test_validation_forecasts_come_column_by_column(monkeypatch):
    """Whatever the network: the order is that of the stacked windows the judge looks at."""
    session = Session.__new__(Session)
    monkeypatch.setattr(session, "run", lambda lookbacks, _: lookbacks[:, -2:], raising=False)
    values = np.arange(60, dtype=np.float32).reshape(20, 3)
    found = session.validate(Windows(values, 5, 2, np.arange(3), np.arange(8, 12)))
    expected = [values[start + 3 : start + 5, column] for column in range(3) for start in range(8, 12)]
    assert np.array_equal(found, np.stack(expected))


def test_a_preset_that_is_not_there():
    done = called("train", WEATHER, "--run", "nowhere", "--preset", "anser")
    assert done.returncode == 2
    assert "no such preset: 'anser'. Did you mean 'answer'?" in done.stderr


def test_every_setting_is_listed_with_default_and_source():
    listed = json.loads(called("inspect", "--options", "--json").stdout)["settings"]
    by_key = {setting["key"]: setting for setting in listed}
    assert by_key["model.recurrent_norm"]["values"] == "none | output | batch | layer"
    assert by_key["model.recurrent_norm"]["source"] == "Cooijmans, Ba 2016"
    assert by_key["train.batch_size"] | {"help": ""} == {
        "key": "train.batch_size",
        "values": "whole number, 1 or more",
        "default": "found",
        "help": "",
        "source": "",
    }
    assert called("inspect", "--options").stdout.startswith("key,values,default,help,source\nmodel.channels,")
    assert called("inspect").returncode == 2
