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
from cnnlstm_cli.series.holidays import days_of, holidays
from cnnlstm_cli.series.reader import read_recent, read_training
from cnnlstm_cli.series.sheet import sheet_from_frame
from cnnlstm_cli.specs import DataSpec
from tests.command import called

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


def test_what_is_done_to_rows_ahead_is_told(frame, run):
    """With its place; and the forecast is that of the rows it was mended to."""
    whole = ahead(frame, 620).astype({"dice": float})
    assert run.forecast(whole).table.notes() == []
    holed = whole.assign(heat=whole["heat"].where(whole.index != 622))
    absurd = whole.assign(heat=whole["heat"].where(whole.index != 622, 1e6))
    endless = whole.assign(heat=whole["heat"].where(whole.index != 622, np.inf))
    late = whole[621:622].assign(time=whole["time"][621] + pd.Timedelta("20min"))
    beside = pd.concat([whole[:622], late, whole[622:]], ignore_index=True)
    for given, told in (
        (holed, ["1 missing known values ahead, filled by a straight line"]),
        (absurd, ["1 values of 'heat' ahead over 20 deviations from its mean in training, taken as 5 deviations"]),
        (
            endless,
            [
                "1 infinite known values ahead, taken as missing",
                "1 missing known values ahead, filled by a straight line",
            ],
        ),
    ):
        made = run.forecast(given)
        assert made.table.notes() == [f"mended: {each} (first at 2024-01-26 22:00:00)" for each in told]
        with pytest.raises(DataError, match="--strict refuses: 1 "):
            run.forecast(given, strict=True)
    np.testing.assert_array_equal(run.forecast(endless).values, run.forecast(holed).values)
    assert run.forecast(beside).table.notes() == [
        "mended: 1 rows ahead between two steps, not used (first at 2024-01-26 21:20:00)"
    ]
    part = whole[:622].assign(dice=whole["dice"].where(whole.index < 621))
    assert run.forecast(part, hold_known=True).table.notes() == [
        "mended: 13 missing known values ahead, the last before them held on (first at 2024-01-26 21:00:00)"
    ]
    with pytest.raises(DataError, match="needs dice ahead, and 1 of 2 steps lack them: 2024-01-26 21:00:00"):
        run.forecast(part, horizon=2)


def test_where_there_is_nothing_to_hold_on_to_that_is_said(frame, run):
    empty = ahead(frame, 620, 0).assign(heat=lambda f: f["heat"].where(f.index < 540))
    told = run.forecast(empty, hold_known=True).table.notes()
    assert any(
        "6 missing known values ahead, with none in the newest 48 rows, taken as the mean" in note for note in told
    )
    assert any("12 missing known values ahead, the last before them held on" in note for note in told)
    whole = ahead(frame, 620)
    hot = whole.assign(heat=whole["heat"].where(whole.index != 622, 15 + 5 * 12.0))
    made = run.forecast(hot, strict=True)
    assert made.notes == ("1 values of 'heat' ahead are over 5 deviations from its mean in training, and taken as 5",)


def test_a_number_beyond_computing_is_refused_with_its_place(frame, run, tmp_path):
    wild = ahead(frame, 620)
    wild.loc[622, "heat"] = 1e300
    with pytest.raises(DataError, match="row 622, column 'heat': 1e\\+300 is too large to compute with"):
        run.predict(wild)
    frame = frame.copy()
    frame.loc[5, "heat"] = -1e200
    with pytest.raises(DataError, match="row 5, column 'heat': -1e\\+200 is too large to compute with"):
        c.train(frame, tmp_path / "run", settings=QUICK, horizon=STEPS, lookback=48, known=["heat"])
    assert not (tmp_path / "run").exists()


def test_a_category_that_was_not_seen_is_told_and_is_none(frame, run):
    hail = ahead(frame, 620)
    hail.loc[621, "sky"] = "hail"
    made = run.forecast(hail)
    assert any("a category not seen in training ('hail')" in note for note in made.table.notes())
    assert np.isfinite(made.values).all()
    with pytest.raises(DataError, match="--strict refuses"):
        run.forecast(hail, strict=True)


def test_what_can_be_no_covariate_is_refused(frame, tmp_path):
    options = {"settings": QUICK, "horizon": STEPS, "lookback": 48}
    for known, error, kind in (
        ("y", "can't be --target and something else", UsageError),
        ("time", "can't be --known and something else", UsageError),
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
    sky = Covariate.found(sheet, "sky", "known")
    assert sky.categories == ("clear", "rain")
    np.testing.assert_array_equal(sky.encode(sheet), [[0, 1], [1, 0], [np.nan, np.nan], [0, 1]])
    assert Covariate.found(sheet, "heat", "known").encode(sheet).shape == (4, 1)


def test_windows_with_a_hole_in_their_covariates_are_left_out(frame):
    holed = frame.assign(heat=frame["heat"].where(~frame.index.isin(range(300, 320))))
    table = read_training(holed, DataSpec(target=("y",), known=("heat",)))
    assert np.isnan(table.covariates[300:320]).all()
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
    np.testing.assert_array_equal(second.record.outer.mean, first.record.outer.mean)


@pytest.mark.slow
def test_the_commands(frame, run, tmp_path):
    data = tmp_path / "data.csv"
    ahead(frame, 620).to_csv(data, index=False)
    made = called("predict", data, "--run", run.path, "-q")
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.splitlines()[0] == "time,y"
    assert made.stdout.splitlines()[1].startswith("2024-01-26 20:00:00,")
    frame[:620].to_csv(data, index=False)
    refused = called("predict", data, "--run", run.path)
    assert (refused.returncode, refused.stdout) == (65, "")
    assert "--hold-known" in refused.stderr
    assert called("predict", data, "--run", run.path, "--hold-known", "-q").returncode == 0
    facts = json.loads(called("inspect", run.path, "--json").stdout)
    assert set(facts["covariates"]) == {"heat", "sky", "dice"}
    assert "heat" in facts["needs"]["columns"]


def closing_prices(last: str = "2024-11-22") -> pd.DataFrame:
    """A row for each day on which New York's exchange was open."""
    days = pd.bdate_range("2022-01-03", last)
    return pd.DataFrame({"day": days[~days.isin(days_of("XNYS", range(2021, 2026)))]}).assign(y=lambda f: f.index % 7.0)


def test_a_market_has_no_rows_on_its_holidays_and_no_forecasts():
    prices = closing_prices()
    assert pd.Timestamp("2024-07-04") not in set(prices["day"])
    table = read_training(prices, DataSpec(holidays="XNYS"))
    assert (table.mended, len(table.times)) == ((), len(prices))
    assert table.schema.step == "every business day but the holidays of XNYS"
    ahead = pd.DatetimeIndex(table.schema.frequency.after(table.times[-1], 5))
    assert list(ahead.strftime("%m-%d")) == ["11-25", "11-26", "11-27", "11-29", "12-02"], "Thanksgiving is left out"
    assert table.schema.frequency.usual_horizon() == 10
    recent = read_recent(prices[:-3], table.schema, 30)
    assert (recent.times == table.times[-33:-3]).all()
    assert recent.mended == ()
    holed = read_training(prices.drop(100), DataSpec(holidays="XNYS"))
    assert holed.mended_counts()["missing rows"] == 1


def test_a_row_on_a_holiday_is_named_where_the_run_has_none():
    prices = closing_prices()
    table = read_training(prices, DataSpec(holidays="XNYS"))
    one = pd.DataFrame({"day": [pd.Timestamp("2024-11-28")], "y": [1.0]})
    later = pd.DataFrame({"day": pd.to_datetime(["2024-11-25", "2024-11-26", "2024-11-27", "2024-11-29"]), "y": 2.0})
    for rows in ([prices, later[:3], one], [prices, later[:3], one, later[3:]]):
        with pytest.raises(
            DataError, match=r"row at 2024-11-28 is on a day on which the run has none, a holiday of XNYS"
        ):
            read_recent(pd.concat(rows, ignore_index=True), table.schema, 30)


def test_events_on_weekends_count_for_the_friday_before_be_it_a_holiday_or_not():
    days = pd.bdate_range("2022-01-03", "2024-11-22", freq="D")
    events = pd.DataFrame({"day": days[~days.isin(days_of("XNYS", range(2021, 2026)))]}).assign(y=1.0)
    table = read_training(events, DataSpec(holidays="XNYS", freq="B", agg="sum"))
    assert table.schema.frequency.closed is None, "Good Friday has the rows of the Saturday after it"
    assert "rows off the step, dropped" not in table.mended_counts()


@pytest.mark.parametrize("place", [None, "DE", "XNYS"])
def test_business_days_are_all_of_them_where_some_holiday_has_a_row(place):
    prices = closing_prices()
    more = pd.concat([prices, pd.DataFrame({"day": [pd.Timestamp("2024-07-04")], "y": [1.0]})]).sort_values("day")
    table = read_training(more.reset_index(drop=True), DataSpec(holidays=place))
    assert (table.schema.frequency.alias, table.schema.frequency.closed) == ("B", None)
    assert table.mended_counts()["missing rows"] > 20


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
    with pytest.raises(UsageError, match=r"as XNYS. Did you mean 'DE-BY'\?"):
        holidays(frame["time"].to_numpy(), "de-by")
    with pytest.raises(UsageError, match="--holidays needs dates"):
        c.inspect(frame[["y"]], holidays="DE")
    monkeypatch.setitem(sys.modules, "holidays", None)
    with pytest.raises(UsageError, match=r"--holidays needs holidays, .* pip install holidays"):
        c.train(frame, tmp_path / "run", target="y", holidays="DE")


def test_a_past_covariate_is_used_and_its_future_changes_nothing(tmp_path):
    """What comes follows what was asked for a day before; nothing else tells of it."""
    random = np.random.default_rng(1)
    asked = random.standard_normal(900)
    frame = pd.DataFrame(
        {
            "time": pd.date_range("2024-01-01", periods=900, freq="h"),
            "y": 20 + 3 * np.append(np.zeros(24), asked[:-24]) + random.normal(0, 0.1, 900),
            "asked": asked,
        }
    )
    run = c.train(
        frame[:700], tmp_path / "run", settings=SMALL, target="y", past="asked", horizon=STEPS, lookback=48, season=24
    )
    worth = run.record.facts["covariates"]["asked"]
    assert worth["mae"] < 0.5 * worth["shuffled"]
    origin = 810
    known = frame[:origin].copy()
    made = run.predict(known)
    assert np.abs(made["y"].to_numpy() - frame["y"][origin : origin + STEPS]).mean() < 1.2, "3 is a deviation"
    later = ahead(frame, origin)
    later.loc[origin:, "asked"] = 1e6
    pd.testing.assert_frame_equal(run.predict(later), made)
    done = c.backtest(frame, run.path, start=origin, stride=1000).frame()
    np.testing.assert_allclose(done["y"][:STEPS], made["y"], atol=1e-4)


@pytest.fixture(scope="module")
def shops() -> pd.DataFrame:
    """Shops that are alike but for what their kind does to a day: nothing in a lookback of noise tells of it."""
    random, parts = np.random.default_rng(2), []
    for number in range(12):
        kind, jumps = ("street", "mall")[number % 2], (random.random(200) < 0.3).astype(float)
        parts.append(
            pd.DataFrame(
                {
                    "shop": f"s{number}",
                    "day": pd.date_range("2024-01-01", periods=200),
                    "y": 10 + (2 if kind == "mall" else -2) * jumps + random.normal(0, 0.1, 200),
                    "sale": jumps,
                    "kind": kind,
                    "floor": 100 * number,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def test_static_covariates_tell_series_apart(shops, tmp_path):
    told = dict.fromkeys(("kind", "floor"))
    options = {"id": "shop", "target": "y", "known": "sale", "horizon": 4, "lookback": 14}
    settings = {"model": {"filters": 8}, "train": {"epochs": 6, "members": 1, "refit": False}}
    run = c.train(shops, tmp_path / "run", settings=settings, static=list(told), **options)
    assert run.record.schema.roles == ("known", "static", "static", "static")
    blind = c.train(shops, tmp_path / "blind", settings=settings, **options)
    errors = [each.record.facts["validation"]["model"]["mae"] for each in (run, blind)]
    assert errors[0] < 0.7 * errors[1]
    assert run.record.facts["covariates"]["kind"]["shuffled"] > 1.3 * errors[0]
    later = shops.groupby("shop").tail(4).assign(day=lambda f: f["day"] + pd.Timedelta(days=4), y=np.nan, kind=None)
    made = run.predict(pd.concat([shops, later], ignore_index=True))
    assert list(made["shop"].unique()) == list(shops["shop"].unique()), "the rows ahead need no static covariate"
    other = shops.assign(kind=np.where(shops["shop"] == "s0", "kiosk", shops["kind"]))
    table = run.forecast(other, hold_known=True).table
    assert any("'kiosk'" in note for note in table.notes())


def test_a_static_covariate_that_is_none_is_refused(shops):
    with pytest.raises(UsageError, match="Name the column of their names with --id"):
        read_training(shops[shops["shop"] == "s0"], DataSpec(static=("kind",), target=("y",)))
    spec = DataSpec(id="shop", target=("y",), static=("sale",))
    with pytest.raises(DataError, match=r"series 's0': static column 'sale' is another at 2024-01-03 than before"):
        read_training(shops, spec)
    empty = shops.assign(floor=shops["floor"].where(shops["shop"] != "s3"))
    with pytest.raises(DataError, match=r"series 's3': static column 'floor' is empty in all of its rows"):
        read_training(empty, DataSpec(id="shop", target=("y",), static=("floor",)))


def test_shuffled_rows_are_the_same_data(shops):
    spec = DataSpec(id="shop", target=("y",), known=("sale",), static=("kind",))
    one = read_training(shops, spec)
    other = read_training(shops.sample(frac=1, random_state=0), spec)
    assert sorted(one.ids) == sorted(other.ids)
    for table in (one, other):
        assert table.schema.frequency.alias == "D"
    for name in one.ids:
        parts = [
            np.column_stack([table.values, table.covariates])[table.offsets[k] : table.offsets[k + 1]]
            for table in (one, other)
            for k in [table.ids.index(name)]
        ]
        np.testing.assert_array_equal(*parts)
