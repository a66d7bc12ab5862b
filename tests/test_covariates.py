"""`--known`: columns whose rows ahead are there before the targets' are."""

from __future__ import annotations

import json
import sys

import numpy as np
import pandas as pd
import pytest

import cnnlstm_cli as c
from cnnlstm_cli.errors import DataError, UsageError
from cnnlstm_cli.series.covariates import MOST_CATEGORIES, Covariate
from cnnlstm_cli.series.holidays import holidays
from cnnlstm_cli.series.reader import read_training
from cnnlstm_cli.series.sheet import sheet_from_frame
from cnnlstm_cli.specs import DataSpec
from tests.command import command

ROWS, STEPS = 700, 6
SMALL = {"model": {"filters": 8}, "train": {"epochs": 12, "members": 1, "refit": False}}
QUICK = {"model": {"filters": 4}, "train": {"epochs": 1, "members": 1, "refit": False}}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """What comes depends on heat and sky, which are noise, and not at all on dice."""
    random, hours = np.random.default_rng(0), np.arange(ROWS)
    heat, sky = random.standard_normal(ROWS), random.choice(["clear", "rain", "snow"], ROWS)
    moved = 2 * heat + np.where(sky == "rain", -3.0, np.where(sky == "snow", 3.0, 0.0))
    return pd.DataFrame(
        {
            "time": pd.date_range("2024-01-01", periods=ROWS, freq="h"),
            "y": 50 + np.sin(hours * np.pi / 12) + moved + random.normal(0, 0.2, ROWS),
            "heat": 15 + 5 * heat,
            "sky": sky,
            "dice": random.integers(1, 7, ROWS),
        }
    )


@pytest.fixture(scope="module")
def run(frame, tmp_path_factory) -> c.Run:
    known = ["heat", "sky", "dice"]
    return c.train(
        frame[:600], tmp_path_factory.mktemp("known") / "run", settings=SMALL, horizon=STEPS, lookback=48, known=known
    )


def ahead(frame: pd.DataFrame, origin: int, rows: int = STEPS) -> pd.DataFrame:
    """What is known at an origin: so many rows more, without the target."""
    return frame[: origin + rows].assign(y=lambda f: f["y"].where(f.index < origin))


def test_what_the_target_depends_on_is_used_and_what_not_does_no_harm(frame, run):
    done = c.backtest(frame, run.path, start=610)
    assert run.record.schema.targets == ("y",)
    mae = done.scores()["model"]["mae"]
    assert mae < 0.8, "the noise alone is .16, without covariates it is above 2"
    worth = run.record.facts["covariates"]
    ratio = {name: each["shuffled"] / each["mae"] for name, each in worth.items()}
    assert ratio["heat"] > 2
    assert ratio["sky"] > 2
    assert ratio["dice"] == pytest.approx(1, abs=0.1)


def test_predict_takes_the_rows_ahead_as_the_backtest_did(frame, run):
    done = c.backtest(frame, run.path, start=610)
    for origin in (610, 655):
        made = run.predict(ahead(frame, origin))["y"]
        np.testing.assert_allclose(made, done.forecasts["model"][done.origins == origin - 1][0], rtol=1e-4)
        longer = run.predict(ahead(frame, origin, 20))["y"]
        np.testing.assert_array_equal(made, longer)
        short = run.predict(ahead(frame, origin, 2), horizon=2)["y"]
        np.testing.assert_allclose(short, made[:2], rtol=1e-5)


def test_another_future_is_another_forecast(frame, run):
    """What if: the same past, and rain."""
    base = ahead(frame, 620)
    wet = base.assign(sky=base["sky"].where(base.index < 620, "rain"))
    dry = base.assign(sky=base["sky"].where(base.index < 620, "snow"))
    assert (run.predict(wet)["y"] < run.predict(dry)["y"] - 3).all()


def test_rows_ahead_that_are_missing_are_named_or_held(frame, run):
    with pytest.raises(DataError, match="needs heat, sky, dice ahead, and 6 of 6 steps lack them: 2024-01-25 20:00:00"):
        run.predict(frame[:596])
    part = ahead(frame, 620, 4)
    with pytest.raises(DataError, match=r"2 of 6 steps lack them: 2024-01-27 00:00:00, 2024-01-27 01:00:00. Add these"):
        run.predict(part)
    last = {name: part[name].iloc[-1] for name in ("heat", "sky", "dice")}
    full = ahead(frame, 620)
    for name, value in last.items():
        full[name] = full[name].where(full.index < 624, value)
    held = run.predict(part, hold_known=True)
    np.testing.assert_allclose(held["y"], run.predict(full)["y"], rtol=1e-6)


def test_a_short_gap_ahead_is_filled_by_a_straight_line(frame, run):
    whole = ahead(frame, 620).astype({"dice": float})
    for name in ("heat", "dice"):
        whole.loc[622, name] = (whole[name][621] + whole[name][623]) / 2
    whole.loc[621:623, "sky"] = "clear"
    expected = run.predict(whole)
    pd.testing.assert_frame_equal(run.predict(whole.drop(622)), expected)
    holed = whole.copy()
    holed.loc[622, ["heat", "dice"]] = np.nan
    pd.testing.assert_frame_equal(run.predict(holed), expected)


def test_a_category_that_was_not_seen_is_told_and_is_none(frame, run):
    hail = ahead(frame, 620)
    hail.loc[621, "sky"] = "hail"
    made = run.forecast(hail)
    assert any("a category not seen in training ('hail')" in note for note in made.table.notes())
    assert np.isfinite(made.values).all()
    with pytest.raises(DataError, match="--strict refuses"):
        run.forecast(hail, strict=True)


def test_what_can_be_no_covariate_is_refused(frame, tmp_path):
    options = {"settings": QUICK, "horizon": STEPS}
    for known, error, kind in (
        ("y", "can't be known ahead|can't be the target", UsageError),
        ("time", "can't be known ahead and something else", UsageError),
        ("none", "has no column 'none'", DataError),
        ("empty", "column 'empty' is empty", DataError),
        ("mixed", "'\\?' is not a number", DataError),
        ("names", f"700 different texts.*there may be {MOST_CATEGORIES}", DataError),
    ):
        odd = frame.assign(
            empty=np.nan,
            mixed=frame["dice"].astype(str).where(frame.index != 5, "?"),
            names=[f"n{k}" for k in range(ROWS)],
        )
        with pytest.raises(kind, match=error):
            c.train(odd, tmp_path / "run", target="y", known=known, **options)


def test_categories_become_a_column_each_and_an_empty_cell_none():
    frame = pd.DataFrame({"sky": ["rain", " clear", None, "rain"], "heat": [1, 2, np.nan, 4]})
    sheet = sheet_from_frame(frame)
    sky = Covariate.found(sheet, "sky")
    assert sky.categories == ("clear", "rain")
    np.testing.assert_array_equal(sky.encode(sheet), [[0, 1], [1, 0], [np.nan, np.nan], [0, 1]])
    assert Covariate.found(sheet, "heat").encode(sheet).shape == (4, 1)


def test_windows_with_a_hole_in_their_covariates_are_left_out(frame):
    holed = frame.assign(heat=frame["heat"].where(~frame.index.isin(range(300, 320))))
    table = read_training(holed, DataSpec(target=("y",), known=("heat",)))
    assert np.isnan(table.known[300:320]).all()
    assert not np.isnan(table.values).any()
    from cnnlstm_cli.series.windows import Split, lay, scalers, training_starts

    parts = Split.nothing_held(table.lengths)
    starts = training_starts(table, parts, 24, STEPS)
    windows = lay(table, scalers(table, table), starts, starts[:0], 24, STEPS)
    inside = [start for start in starts if {*range(start + 24, start + 24 + STEPS)} & {*range(300, 320)}]
    assert set(windows.training) == {*starts} - {*inside}


def test_of_columns_with_holes_the_worth_is_known_too(frame, tmp_path):
    holed = frame.assign(heat=frame["heat"].where(~frame.index.isin(range(300, 320))))
    run = c.train(holed, tmp_path / "run", target="y", known=["heat"], settings=QUICK, horizon=STEPS, lookback=24)
    assert np.isfinite([*run.record.facts["covariates"]["heat"].values()]).all()


def test_of_many_series_each_has_its_own_future(frame, tmp_path):
    parts = [frame[["time", "y", "heat"]].assign(shop=name, y=frame["y"] * size) for name, size in (("b", 1), ("a", 9))]
    data = pd.concat(parts, ignore_index=True)
    run = c.train(data, tmp_path / "run", id="shop", known="heat", settings=QUICK, horizon=STEPS, lookback=24)
    late = [ahead(part.reset_index(drop=True), origin) for part, origin in zip(parts, (500, 600), strict=True)]
    both = run.predict(pd.concat(late, ignore_index=True))
    assert list(both["shop"]) == ["b"] * STEPS + ["a"] * STEPS
    for part, name in zip(late, "ba", strict=True):
        alone = run.predict(part)
        np.testing.assert_allclose(both[both["shop"] == name]["y"], alone["y"], rtol=1e-5)


def test_a_warm_start_keeps_the_scaling_of_covariates(frame, tmp_path):
    options = {"settings": QUICK, "horizon": STEPS, "lookback": 24, "target": "y", "known": ["heat", "sky"]}
    first = c.train(frame[:500], tmp_path / "run", **options)
    hotter = frame.assign(heat=frame["heat"] + np.where(frame.index > 500, 30, 0))
    second = c.train(hotter, tmp_path / "run", warm_start=True, **options)
    assert second.record.facts["warm_start"] == first.record.version
    np.testing.assert_array_equal(second.record.known.mean, first.record.known.mean)


@pytest.mark.slow
def test_the_commands(frame, run, tmp_path):
    data = tmp_path / "data.csv"
    ahead(frame, 620).to_csv(data, index=False)
    made = command("predict", data, "--run", run.path, "-q")
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.splitlines()[0] == "time,y"
    assert made.stdout.splitlines()[1].startswith("2024-01-26 20:00:00,")
    frame[:620].to_csv(data, index=False)
    refused = command("predict", data, "--run", run.path)
    assert (refused.returncode, refused.stdout) == (65, "")
    assert "--hold-known" in refused.stderr
    assert command("predict", data, "--run", run.path, "--hold-known", "-q").returncode == 0
    facts = json.loads(command("inspect", run.path, "--json").stdout)
    assert set(facts["covariates"]) == {"heat", "sky", "dice"}
    assert "heat" in facts["needs"]["columns"]


def test_holidays_are_the_days_themselves_and_those_beside_them():
    days = pd.date_range("2023-12-23", "2024-01-08", freq="12h").to_numpy()
    on, before, after = holidays(days, "DE").T
    dates = pd.DatetimeIndex(days).strftime("%m-%d")
    assert {*dates[on == 1]} == {"12-25", "12-26", "01-01"}
    assert {*dates[before == 1]} == {"12-24", "12-25", "12-31"}
    assert {*dates[after == 1]} == {"12-26", "12-27", "01-02"}
    assert {*dates[holidays(days, "DE-BY")[:, 0] == 1]} == {"12-25", "12-26", "01-01", "01-06"}


@pytest.mark.slow
def test_holidays_are_learnt_and_need_no_rows_ahead(tmp_path):
    days = pd.date_range("2018-01-01", "2022-12-26", freq="D")
    off = holidays(days.to_numpy(), "LK")[:, 0]  # two a month
    noise = np.random.default_rng(0).normal(0, 0.3, len(days))
    frame = pd.DataFrame({"day": days, "y": 20 + 2 * (days.day_of_week < 5) - 6 * off + noise})
    options = {"settings": {"model": {"filters": 8}, "train": {"epochs": 40, "members": 1, "refit": False}}}
    run = c.train(frame[:-8], tmp_path / "run", holidays="LK", horizon=7, lookback=28, **options)
    (worth,) = run.record.facts["covariates"].values()
    assert worth["shuffled"] > 1.2 * worth["mae"]
    made = run.predict(frame[:-8])["y"].to_numpy()
    came = off[-8:-1]
    assert came.any()
    assert made[came == 1].max() < made[came == 0].min() - 1


def test_holidays_of_no_place_or_no_date_are_refused(frame, monkeypatch, tmp_path):
    for place in ("XX", "DE-QQ", "Bavaria", ""):
        with pytest.raises(UsageError, match=f"--holidays {place}: .* Expected a country as DE"):
            holidays(frame["time"].to_numpy(), place)
    with pytest.raises(UsageError, match="--holidays needs dates"):
        c.inspect(frame[["y"]], holidays="DE")
    monkeypatch.setitem(sys.modules, "holidays", None)
    with pytest.raises(UsageError, match="pip install holidays"):
        c.train(frame, tmp_path / "run", target="y", holidays="DE")
