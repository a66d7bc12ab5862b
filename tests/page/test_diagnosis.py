"""The diagnosis: its numbers are those that pandas and plain loops make of the same forecasts."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import cnnlstm_cli as c
from cnnlstm_cli import origins
from cnnlstm_cli.diagnosis import WEEKDAYS, diagnose
from cnnlstm_cli.evaluation.remarks import remarks
from cnnlstm_cli.evaluation.residuals import (
    apart_from_each_other,
    autocorrelation,
    coprime_stride,
    grouped,
    histogram,
    reliability,
)
from tests.page.conftest import HORIZON, NAMES, SEEN, SETTINGS, SHOPS, hourly


@pytest.fixture(scope="module")
def errors(load) -> pd.DataFrame:
    """Every forecast of the backtest's file beside what came: a row a step, with column `off`."""
    made = c.backtest(hourly(), load, start=SEEN).frame(written=True)
    made["came"] = made["time"].map(hourly().set_index("time")["load"])
    made["off"] = made["came"] - made["load"]
    made["step"] = made.groupby("origin").cumcount() + 1
    return made


def test_rows_that_the_version_has_not_seen_are_judged(judged, errors):
    facts = judged.facts()
    stamps = hourly()["time"]
    assert (facts["first"], facts["unseen"], facts["stride"]) == (stamps[SEEN - 1], True, 1)
    assert facts["origins"] == errors["origin"].nunique()
    assert "has not seen" in facts["notes"][0]
    assert facts["unit"] == "load"


def test_in_a_zone_rows_are_new_after_the_last_that_was_seen_and_times_are_its_clocks(tmp_path):
    """Though they are held in UTC, hours before or behind."""
    index = pd.date_range("2024-03-20", periods=400, freq="h", tz="America/New_York")
    wall = index.strftime("%Y-%m-%d %H:%M")
    frame = pd.DataFrame({"time": wall, "y": np.sin(np.arange(400) * np.pi / 12)})
    options = {"horizon": HORIZON, "lookback": 48, "season": 24, "tz": "America/New_York"}
    c.train(frame[:360], tmp_path / "run", settings=SETTINGS, **options)
    facts = diagnose(tmp_path / "run", frame).facts()
    assert (facts["unseen"], facts["first"], facts["origins"]) == (True, wall[359], 40 - HORIZON + 1)
    assert [time.replace("T", " ")[:16] for time in facts["newest"]["times"]] == facts["newest"]["stamps"]
    assert facts["course"]["judged"] == wall[360].replace(" ", "T") + ":00"


def test_where_none_are_new_the_last_fifth_is_judged_and_said_to_flatter(load, sold):
    facts = diagnose(load, hourly()[: SEEN + HORIZON - 1]).facts()
    assert facts["first"] == hourly()["time"][round((SEEN + HORIZON - 1) * 0.8) - 1]
    assert not facts["unseen"]
    assert "last fifth" in facts["notes"][0]
    assert "flatter" in facts["notes"][1]
    assert not any("--from" in note for note in facts["notes"])
    assert "flatter" in sold.facts()["notes"][1]


def test_a_start_is_taken_as_by_backtest(load):
    facts = diagnose(load, hourly(), start=-50).facts()
    assert facts["first"] == hourly()["time"][720 - 50 - 1]


def test_errors_by_step_hour_and_weekday_are_those_of_a_groupby(judged, errors):
    facts = judged.facts()
    size = errors["off"].abs()
    by_step = size.groupby(errors["step"]).mean()
    assert facts["steps"]["labels"] == list(range(1, HORIZON + 1))
    assert facts["steps"]["mae"]["model"] == pytest.approx(by_step.to_numpy(), rel=1e-4)
    assert sum(facts["steps"]["count"]) == size.notna().sum()
    hour = errors["time"].str[11:13].astype(int)  # as it is written, whatever UTC says
    assert facts["hours"]["mae"]["model"] == pytest.approx(size.groupby(hour).mean().to_numpy(), rel=1e-4)
    assert facts["hours"]["count"] == size.groupby(hour).count().tolist()
    assert np.argmax(facts["hours"]["mae"]["model"]) in (6, 7, 8)
    day = pd.to_datetime(errors["time"].str[:10]).dt.day_name()
    by_day = size.groupby(day).mean()
    assert facts["weekdays"]["mae"]["model"] == pytest.approx([by_day[name] for name in WEEKDAYS], rel=1e-4)


def test_the_baselines_beside_it_are_the_best(judged):
    facts = judged.facts()
    others = sorted(set(facts["scores"]) - {"model"}, key=lambda name: facts["scores"][name]["mae"])
    assert facts["beside"] == others[:2]
    assert list(facts["steps"]["mae"]) == ["model", *others[:2]]
    mean = np.average(facts["steps"]["mae"][others[0]], weights=facts["steps"]["count"])
    assert mean == pytest.approx(facts["scores"][others[0]]["mae"])


def test_residuals_add_up_and_are_centred_where_they_are(judged, errors):
    found = judged.facts()["residuals"]
    known = errors["off"].dropna()
    assert sum(found["counts"]) == len(known)
    assert found["mean"] == pytest.approx(known.mean(), abs=1e-4)
    inside = (known > found["edges"][5]) & (known <= found["edges"][6])
    assert found["counts"][5] == pytest.approx(inside.sum(), abs=1)


def test_the_autocorrelation_is_that_of_one_step_ahead(judged, errors):
    found = judged.facts()["residuals"]
    ahead = errors[errors["step"] == 1].set_index("time")["off"].reindex(hourly()["time"][SEEN:])
    rows = (ahead - ahead.mean()).fillna(0).to_numpy()
    expected = [float(rows[lag:] @ rows[:-lag] / (rows @ rows)) for lag in found["lags"]]
    assert found["lags"] == list(range(1, 49))
    assert found["correlations"] == pytest.approx(expected, abs=1e-3)
    assert found["band"] == pytest.approx(1.96 / ahead.notna().sum() ** 0.5)


def test_coverage_and_quantiles_are_counted(judged):
    facts, came = judged.facts(), judged.done.came.values
    low, high = judged.done.ends["model"][80.0]
    seen = [a <= x <= b for a, x, b in zip(low[:, 2], came[:, 2], high[:, 2], strict=True) if not np.isnan(x)]
    assert facts["coverage"]["80"]["steps"][2] == pytest.approx(100 * np.mean(seen))
    below = [x <= a for a, x in zip(low.ravel(), came.ravel(), strict=True) if not np.isnan(x)]
    assert dict(facts["reliability"])[10.0] == pytest.approx(100 * np.mean(below))
    assert [share for share, _ in facts["reliability"]] == [2.5, 10.0, 50.0, 90.0, 97.5]


def test_the_worst_windows_are_the_worst_and_do_not_overlap(judged, errors):
    facts = judged.facts()
    by_origin = errors["off"].abs().groupby(errors["origin"]).mean()
    stamps = hourly()["time"].tolist()
    assert facts["worst"][0]["origin"] == by_origin.idxmax()
    assert facts["worst"][0]["mae"] == pytest.approx(by_origin.max(), rel=1e-4)
    places = sorted(stamps.index(window["origin"]) for window in facts["worst"])
    assert len(places) == 5
    assert min(np.diff(places)) >= HORIZON
    assert [window["mae"] for window in facts["worst"]] == sorted((w["mae"] for w in facts["worst"]), reverse=True)


def test_the_newest_window_shows_the_rows_as_they_are(judged, errors):
    window, frame = judged.facts()["newest"], hourly()
    assert window["stamps"][-1] == frame["time"].iloc[-1]
    rows = frame.set_index("time")["load"][window["stamps"]].to_numpy()
    assert [*window["history"], *window["actual"]] == pytest.approx(rows)
    last = errors[errors["origin"] == window["origin"]]
    assert window["forecast"] == pytest.approx(last["load"].to_numpy(), rel=1e-4)
    for low, high in window["ends"].values():
        assert (np.array(low) <= window["forecast"]).all()
        assert (np.array(high) >= window["forecast"]).all()


def test_of_several_targets_and_series_errors_are_in_deviations_and_told_apart(sold):
    facts = sold.facts()
    assert facts["unit"].startswith("standard deviations")
    assert facts["hours"] is None
    assert set(facts["parts"]["target"]) == set(NAMES)
    assert set(facts["parts"]["id"]) == set(SHOPS)
    scaled = np.abs(sold.done.came.values - sold.done.forecasts["model"]) / sold.done.came.scale[:, None]
    for place, shop in enumerate(SHOPS):
        expected = scaled[sold.done.came.series == place].mean()
        assert facts["parts"]["id"][shop]["model"]["mae"] == pytest.approx(expected)
    assert facts["scores"]["model"]["mae"] == pytest.approx(scaled.mean())


def test_the_profile_is_of_what_was_observed(judged):
    (found,) = judged.facts()["profile"]
    column = hourly()["load"].dropna()
    assert (found["rows"], found["observed"]) == (720, len(column))
    told = [found[name] for name in ("least", "mean", "median", "greatest", "deviation")]
    assert told == pytest.approx([column.min(), column.mean(), column.median(), column.max(), column.std(ddof=0)])
    course = judged.facts()["course"]
    assert course["means"][0] == pytest.approx(hourly()["load"][: course["rows"]].mean())


def test_facts_are_json(judged, sold):
    for found in (judged, sold):
        facts = found.facts()
        assert json.loads(json.dumps(facts, allow_nan=False))["horizon"] == facts["horizon"]


def test_of_very_many_origins_some_are_taken_that_come_to_every_hour(load, monkeypatch):
    monkeypatch.setattr(origins, "MOST_NUMBERS", 400)
    facts = diagnose(load, hourly()).facts()
    assert facts["stride"] == 5  # 231 origins of 6 steps ask for 4, which would come to 6 hours of 24 only
    assert facts["residuals"]["lags"] == list(range(5, 49, 5))
    assert min(facts["hours"]["count"]) > 0
    assert any("one row in 5," in note for note in facts["notes"])


def test_what_is_worth_a_word_is_said():
    facts = {
        "origins": 500,
        "stride": 2,
        "horizon": 10,
        "residuals": {"mean": -3.0, "lags": [1, 2], "correlations": [0.1, 0.6], "band": 0.15},
        "scores": {"model": {"mae": 4.0}, "drift": {"mae": 3.0}, "last value": {"mae": 5.0}},
        "coverage": {"80": {"seen": 61.0}, "95": {"seen": 95.5}},
        "beside": ["drift", "last value"],
    }
    bias, pattern, held, beaten = remarks(facts)
    assert "3 less came" in bias
    assert "2 rows apart (correlation 0.60)" in pattern
    assert "Of 80 % intervals 61.0 %" in held
    assert "drift is more accurate" in beaten
    quiet = {"mean": 0.1, "lags": [1, 2], "correlations": [0.1, -0.1], "band": 0.15}
    fine = {"model": {"mae": 4.0}, "drift": {"mae": 5.0}}
    held = {"80": {"seen": 83.0}}
    assert not list(remarks(facts | {"residuals": quiet, "scores": fine, "coverage": held}))
    few = {"origins": 12, "stride": 1, "scores": fine}  # one window, in which much may be chance
    chance = {"mean": -3.0, "lags": [1], "correlations": [0.4], "band": 1.96 / 12**0.5}
    assert not list(remarks(facts | few | {"residuals": chance, "coverage": {"80": {"seen": 61.0}}}))


def test_undated_rows_of_which_all_are_new(tmp_path):
    values = np.random.default_rng(0).normal(size=130)
    settings = {"model": {"filters": 4}, "train": {"epochs": 1, "members": 1, "linear": False, "refit": False}}
    c.train(pd.DataFrame({"y": values[:90]}), tmp_path / "run", horizon=4, lookback=8, settings=settings)
    facts = diagnose(tmp_path / "run", pd.DataFrame({"y": values})).facts()
    assert (facts["first"], facts["origins"], facts["unseen"]) == ("90", 130 - 90 - 4 + 1, True)
    assert (facts["hours"], facts["weekdays"]) == (None, None)


def test_the_autocorrelation_of_a_first_order_process_falls_by_its_factor():
    noise, rows = np.random.default_rng(0).normal(size=20_000), np.zeros(20_000)
    for k in range(1, len(rows)):
        rows[k] = 0.6 * rows[k - 1] + noise[k]
    found, band = autocorrelation(rows[:, None], np.array([0, 20_000]), np.array([1, 2, 3, 10]))
    assert found == pytest.approx([0.6, 0.36, 0.216, 0.6**10], abs=3 * band)


def test_no_series_is_correlated_with_another():
    rows = np.array([0.0, 0, 0, 3, 3, 0, 0, 0])[:, None]
    found, _ = autocorrelation(rows, np.array([0, 4, 8]), np.array([1]))
    alone = np.array([-0.75, -0.75, -0.75, 2.25])
    assert found[0] == pytest.approx((alone[1:] @ alone[:-1]) / (alone @ alone))
    constant, _ = autocorrelation(np.ones((6, 1)), np.array([0, 6]), np.array([1, 2]))
    assert constant.tolist() == [0, 0]


def test_the_outermost_bars_hold_what_lies_beyond():
    residuals = np.append(np.linspace(-1, 1, 1001), [1e9, np.nan])
    edges, counts = histogram(residuals)
    assert counts.sum() == 1002
    assert edges[-1] < 2
    assert len(counts) == 21  # 2 * 1002 ** (1 / 3), rounded up
    assert histogram(np.zeros(10))[1].sum() == 10


def test_groups_of_none_have_no_mean():
    means, counts = grouped(np.array([1.0, 3.0, np.nan]), np.array([0, 0, 2]), 3)
    assert means[0] == 2
    assert np.isnan(means[1:]).all()
    assert counts.tolist() == [2, 0, 0]


def test_the_quantiles_of_a_law_are_found_again():
    came = np.random.default_rng(0).normal(size=(4000, 5))
    ends = {80.0: (np.full_like(came, -1.2816), np.full_like(came, 1.2816))}
    for expected, seen in reliability(came, np.zeros_like(came), ends):
        assert seen == pytest.approx(expected, abs=1.0)


def test_windows_that_overlap_a_worse_one_are_passed_over():
    errors = np.array([1.0, 9, 8, 7, np.nan, 6])
    origins, series = np.array([0, 10, 12, 13, 30, 11]), np.array([0, 0, 0, 0, 0, 1])
    assert apart_from_each_other(errors, origins, series, 3, 5) == [1, 3, 5, 0]
    assert apart_from_each_other(errors, origins, series, 3, 2) == [1, 3]


@pytest.mark.parametrize(
    ("wanted", "seasons", "stride"), [(4, (24, 168), 5), (6, (24, 168), 11), (7, (), 7), (0, (12,), 1)]
)
def test_a_stride_comes_to_every_place_of_a_season(wanted, seasons, stride):
    assert coprime_stride(wanted, seasons) == stride
    for season in seasons:
        assert len({stride * k % season for k in range(season)}) == season
