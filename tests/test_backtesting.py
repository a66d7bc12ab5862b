"""The backtest: what it forecasts is what predict would have said then, and what it scores is what came."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

import cnnlstm_cli as c
from cnnlstm_cli.candidate import Watcher
from cnnlstm_cli.errors import DataError, UsageError
from cnnlstm_cli.folds import kept_in
from cnnlstm_cli.series.reader import read_training
from cnnlstm_cli.specs import DataSpec
from tests import SAMPLES

AIR = SAMPLES / "air_passengers.csv"
QUICK = {"train": {"epochs": 2, "members": 1, "linear": False, "refit": False}}
COUNTS = pd.read_csv(AIR)["#Passengers"].to_numpy(dtype=float)


def test_each_origin_is_forecast_as_predict_would_have_then(air):
    """On the file cut off at the origin: nothing after it is seen."""
    made = c.backtest(AIR, air, start=115).frame(written=True)
    assert made["origin"].nunique() == 144 - 12 - 115 + 1
    whole = pd.read_csv(AIR)
    for origin in ("1958-07", "1959-03", "1959-12"):
        known = whole[: whole["Month"].tolist().index(origin) + 1]
        expected = c.Run.open(air).forecast(known).frame(written=True)
        found = made[made["origin"] == origin]
        assert found["Month"].tolist() == expected["Month"].tolist()
        np.testing.assert_allclose(found["#Passengers"], expected["#Passengers"], atol=2e-3)


def test_the_scores_are_those_of_the_written_forecasts(air):
    done = c.backtest(AIR, air, start="1958-07", stride=5)
    made, actual = done.frame(), dict(zip(pd.read_csv(AIR)["Month"], COUNTS, strict=True))
    assert made["origin"].nunique() == 4
    came = np.array([actual[f"{month:%Y-%m}"] for month in made["time"]])
    errors = np.abs(made["#Passengers"].to_numpy() - came)
    scores = done.scores()["model"]
    assert scores["mae"] == pytest.approx(errors.mean(), rel=1e-5)
    assert scores["wape"] == pytest.approx(100 * errors.sum() / came.sum(), rel=1e-5)
    in_sample = np.abs(COUNTS[12:115] - COUNTS[:103]).mean()
    assert scores["mase"] == pytest.approx(errors.mean() / in_sample, rel=1e-5)
    by_step = done.scores_by("step")
    assert by_step["3"]["model"]["mae"] == pytest.approx(errors.reshape(-1, 12)[:, 2].mean(), rel=1e-5)


def test_the_baselines_are_what_they_are_by_hand(air):
    done = c.backtest(AIR, air, start=-12)
    known, came = COUNTS[:132], COUNTS[132:]
    slope = (known[-1] - known[0]) / 131
    by_hand = {
        "last value": np.full(12, known[-1]),
        "seasonal naive 12": known[-12:],
        "drift": known[-1] + slope * np.arange(1, 13),
    }
    assert list(done.scores()) == ["model", "last value", "seasonal naive 12", "drift", "linear"]
    for name, forecast in by_hand.items():
        np.testing.assert_allclose(done.forecasts[name][0], forecast, rtol=1e-5)
        assert done.scores()[name]["mae"] == pytest.approx(np.abs(forecast - came).mean(), rel=1e-4)


@pytest.mark.slow
def test_without_a_run_each_fold_is_trained_on_what_was_known_before_it(tmp_path):
    small = {**QUICK, "model": {"filters": 8, "units": 8}}
    done = c.backtest(AIR, start=100, folds=2, settings=small)
    assert done.folds == 2
    origins = np.unique(done.origins)
    assert (origins[0], origins[-1], len(origins)) == (99, 131, 33)
    frame = pd.read_csv(AIR)
    lookback = done.lookback
    for rows, part in ((100, origins[:16]), (116, origins[16:])):
        options = {"lookback": lookback, "horizon": 12, "season": 12}
        run = c.train(frame[:rows], tmp_path / str(rows), settings=small, **options)
        for origin in part[[0, -1]]:
            expected = run.predict(frame[: origin + 1])["#Passengers"]
            found = done.forecasts["model"][done.origins == origin][0]
            np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_several_targets_and_series_are_told_apart(tmp_path):
    random = np.random.default_rng(0)
    parts = [
        pd.DataFrame({"id": name, "a": 100 * k + random.normal(size=n), "b": 5 + random.normal(size=n)})
        for k, (name, n) in enumerate([("x", 120), ("y", 90)])
    ]
    frame = pd.concat(parts, ignore_index=True)
    run = c.train(frame, tmp_path / "run", id="id", horizon=3, lookback=8, settings=QUICK)
    done = c.backtest(frame, run.path, start=-20)
    made = done.frame(written=True)
    assert list(made) == ["origin", "id", "step", "a", "b"]
    assert len(made) == 2 * 18 * 3
    expected = run.predict(frame.drop(frame.index[[*range(103, 120), *range(193, 210)]]))
    found = made[made["origin"].isin(["103", "73"])]
    np.testing.assert_allclose(found[["a", "b"]], expected[["a", "b"]], rtol=1e-4)
    assert set(done.scores_by("id")) == {"x", "y"}
    assert set(done.scores_by("target")) == {"a", "b"}
    assert done.unit.startswith("standard deviations")
    worst = done.scores_by("target")["a"]["model"]["mae"]
    assert worst > 0.5, "in the target's own unit"


def test_origins_after_a_hole_are_left_out_and_counted(air):
    frame = pd.read_csv(AIR)
    frame.loc[125, "#Passengers"] = np.nan
    done = c.backtest(frame, air, start=115)
    assert 125 not in done.origins
    assert any("1 of 18 origins left out" in note for note in done.notes)
    last = done.forecasts["model"][done.origins == 124][0]
    np.testing.assert_allclose(last, c.Run.open(air).predict(frame[:125])["#Passengers"], rtol=1e-5)
    came = done.came.values[done.origins == 124][0]
    assert np.isnan(came[0])
    assert came[1] == COUNTS[126]


def test_rows_that_the_run_has_seen_are_said_to_be_so(air):
    assert any("trained" in note for note in c.backtest(AIR, air).notes)
    longer = pd.read_csv(AIR)
    more = [str(month)[:7] for month in pd.period_range("1961-01", "1963-12", freq="M")]
    longer = pd.concat([longer, pd.DataFrame({"Month": more, "#Passengers": COUNTS[-36:]})])
    assert not c.backtest(longer, air, start="1960-12").notes


def daily(rows: int, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    days = pd.date_range("2020-01-02", periods=rows)
    return pd.DataFrame({"day": days, "y": 10 + np.sin(np.arange(rows)) + random.normal(0, 0.2, rows)})


def gap_and_other_future(start: int) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Rows with a gap, those that differ from them from `start` on, and how to backtest both from there."""
    frame = daily(160)
    frame.loc[118:120, "y"] = np.nan
    other = frame.copy()
    other.loc[start:, "y"] = other.loc[start:, "y"] * 3 + 1000
    return frame, other, {"start": start, "horizon": 5, "lookback": 14, "season": 7, "folds": 1, "settings": QUICK}


@pytest.mark.parametrize("start", [118, 119, 120, 121, 122])
def test_what_is_learnt_from_is_the_same_whatever_comes_after_the_origin(start):
    class Planned(Watcher):
        def planned(self, task):
            tasks.append(task)
            raise KeyboardInterrupt  # before anything is trained

    tasks: list[Any] = []
    frame, other, options = gap_and_other_future(start)
    for each in (frame, other):
        with pytest.raises(KeyboardInterrupt):
            c.backtest(each, watcher=Planned(), **options)
    here, there = (task.windows for task in tasks)
    for name in ("training", "validation"):
        starts = getattr(here, name)
        assert len(starts)
        np.testing.assert_array_equal(starts, getattr(there, name))
        rows = starts[:, None] + np.arange(14 + 5)
        np.testing.assert_array_equal(here.values[rows], there.values[rows])
    assert tasks[0].scalers[0].to_dict() == tasks[1].scalers[0].to_dict()


@pytest.mark.slow
@pytest.mark.parametrize("start", [120, 122])
def test_training_anew_sees_nothing_after_the_origin_not_even_through_a_mended_gap(start):
    frame, other, options = gap_and_other_future(start)
    made, there = c.backtest(frame, **options), c.backtest(other, **options)
    first = np.intersect1d(made.origins, there.origins)[0]
    if start > 121:
        assert first == start - 1
    for name in ("model", "linear", "seasonal naive 7", "drift"):
        here = made.forecasts[name][made.origins == start - 1]
        np.testing.assert_allclose(here, there.forecasts[name][there.origins == start - 1], rtol=1e-5)
    assert made.came.naive[0] == pytest.approx(there.came.naive[0])
    assert made.came.scale[0] == pytest.approx(there.came.scale[0])


def test_rows_filled_towards_a_later_one_are_unknown_again_before_it():
    table = read_training(daily(30).assign(y=lambda f: f["y"].where(~f.index.isin([10, 11]))), DataSpec())
    assert not np.isnan(table.values).any()
    assert np.isnan(table.until(np.array([12])).values[:, 0]).tolist() == [False] * 10 + [True] * 2
    assert not np.isnan(table.until(np.array([13])).values).any()


def test_a_start_beyond_a_short_series_leaves_that_one_out_and_the_others_as_they_are(tmp_path):
    lengths = {"a": 90, "b": 80, "c": 30}
    parts = {name: daily(rows, seed=rows).assign(id=name) for name, rows in lengths.items()}
    alone = pd.concat([parts["a"], parts["b"]], ignore_index=True)
    run = c.train(alone, tmp_path / "run", id="id", horizon=3, lookback=8, settings=QUICK)
    expected, linear = c.backtest(alone, run.path, start=70).scores_by("id")["b"], []
    for order in ("abc", "acb", "cab"):
        frame = pd.concat([parts[name] for name in order], ignore_index=True)
        found = c.backtest(frame, run.path, start=70).scores_by("id")["b"]
        linear.append(found.pop("linear")["mae"])  # one model for all series, the short one's rows among them
        for name, metrics in found.items():
            # the naive's intervals are made of the errors of all series, too
            known = [key for key in metrics if name == "model" or ("-" not in key and key != "pinball")]
            assert [metrics[key] for key in known] == pytest.approx([expected[name][key] for key in known], rel=1e-5)
    assert linear == pytest.approx([linear[0]] * 3, rel=1e-5)


@pytest.mark.slow
def test_origins_are_a_stride_apart_whatever_the_folds():
    options = {"start": 100, "stride": 4, "horizon": 5, "lookback": 14, "season": 7, "settings": QUICK}
    for folds in (1, 2):
        done = c.backtest(daily(140), folds=folds, **options)
        assert np.unique(done.origins).tolist() == list(range(99, 135, 4))
    few = c.backtest(daily(140), folds=2, **{**options, "stride": 10**30})
    assert np.unique(few.origins).tolist() == [99]
    assert any("1 folds instead of 2" in note for note in few.notes)


def test_a_stamp_is_read_as_the_data_writes_it(write, tmp_path):
    days = daily(120)
    text = "Tag;Wert\n" + "".join(f"{d:%d.%m.%Y};{y:.2f}\n".replace(".", ",", 0) for d, y in days.to_numpy())
    path = write(text)
    run = c.train(path, tmp_path / "run", horizon=3, lookback=8, settings=QUICK)
    assert c.backtest(path, run.path, start="05.04.2020").facts()["first"] == "05.04.2020"
    assert c.backtest(path, run.path, start="2020-04-05").facts()["first"] == "05.04.2020"
    hours = pd.date_range("2020-01-01", periods=300, freq="h")
    lines = [f"{hour:%Y-%m-%dT%H:%M:%S}+02:00,{np.sin(k):.3f}" for k, hour in enumerate(hours)]
    path = write("time,y\n" + "\n".join(lines) + "\n", "offsets.csv")
    run = c.train(path, tmp_path / "offsets", horizon=3, lookback=8, settings=QUICK)
    for start in ("2020-01-11T00:00:00+02:00", "2020-01-10T22:00Z"):
        assert c.backtest(path, run.path, start=start).facts()["first"] == "2020-01-11T00:00:00+02:00"


def test_counted_rows_that_the_run_has_seen_are_said_to_be_so(tmp_path):
    frame = daily(150)[["y"]]
    run = c.train(frame[:110], tmp_path / "run", horizon=3, lookback=8, settings=QUICK)
    assert any("trained" in note for note in c.backtest(frame, run.path, start=99).notes)
    assert not c.backtest(frame, run.path, start=110).notes


def test_business_days_are_no_days(tmp_path):
    run = c.train(daily(100), tmp_path / "run", horizon=3, lookback=8, settings=QUICK)
    working = daily(100)[lambda frame: frame["day"].dt.day_of_week < 5]
    with pytest.raises(DataError, match="business days"):
        c.backtest(working, run.path)


@pytest.mark.parametrize(
    ("start", "error"),
    [
        (140, "leaves no origin"),
        ("1961-05", "leaves no origin"),
        (-200, "leaves no origin"),
        ("soon", "neither a stamp nor a number of rows"),
    ],
)
def test_a_start_that_is_none_is_refused(start, error, air):
    with pytest.raises(UsageError, match=error):
        c.backtest(AIR, air, start=start)


def test_options_of_train_do_not_go_with_a_run(air):
    for more in ({"horizon": 3}, {"settings": QUICK}, {"folds": 3}, {"preset": "answer"}):
        with pytest.raises(UsageError, match="with --run"):
            c.backtest(AIR, air, **more)
    with pytest.raises(UsageError, match="stride"):
        c.backtest(AIR, air, stride=0)


def test_too_few_rows_before_every_origin(air):
    with pytest.raises(DataError, match="no origin to forecast from"):
        c.backtest(pd.read_csv(AIR)[-40:], air, start=20)


def test_joint_channels_are_backtested_as_they_predict(tmp_path):
    frame = pd.DataFrame(np.random.default_rng(1).normal(size=(150, 3)), columns=list("abc"))
    run = c.train(frame, tmp_path / "run", preset="answer", horizon=4, settings=QUICK)
    done = c.backtest(frame, run.path, start=-10)
    made = done.frame()
    expected = run.predict(frame[:140])
    np.testing.assert_allclose(made[:4][["a", "b", "c"]], expected[["a", "b", "c"]], atol=1e-4)


@pytest.mark.slow
def test_series_that_end_at_different_times_are_cut_at_the_same_moments():
    """None is forecast by a network that was trained on a later row of another."""
    old, new = daily(150, seed=1).assign(id="old"), daily(150, seed=2).assign(id="new")
    new["day"] += pd.Timedelta(days=90)
    short = daily(20, seed=3).assign(id="short")
    short["day"] += pd.Timedelta(days=215)
    frame = pd.concat([old, new, short], ignore_index=True)
    trained = []

    class Noting(Watcher):
        def planned(self, task):
            ends = zip(task.table.ids, task.table.offsets[1:], task.table.lengths, strict=True)
            trained.append(max(task.table.times[end - 1] for _, end, rows in ends if rows > 1))

    options = {"id": "id", "horizon": 5, "lookback": 14, "season": 7, "settings": QUICK}
    for start in (None, "2020-07-20"):
        trained.clear()
        done = c.backtest(frame, folds=3, start=start, watcher=Noting(), **options)
        times = done.table.times[done.origins]
        assert len(trained) == done.folds == 3
        assert trained == sorted(trained)
        parts = np.searchsorted(trained, times, side="right") - 1  # the newest training that is not after the origin
        assert [times[parts == number].min() for number in range(3)] == trained
        assert (np.diff(parts) >= 0).all()  # fold after fold, each origin in the one whose training is newest
        assert {done.table.ids[k] for k in done.came.series} == {"new", "short"}


def test_forecasts_are_held_within_limits(tmp_path):
    """By predict and backtest alike; without the limit the same network forecasts below it."""
    frame = pd.DataFrame({"y": np.maximum(np.random.default_rng(5).standard_normal(400), 0).round(3)})
    wild = {"epochs": 1, "learning_rate": 0.1, "members": 1, "linear": False, "refit": False}
    settings = {"train": wild, "model": {"filters": 4, "units": 4}}
    run = c.train(frame[:300], tmp_path / "run", settings=settings, horizon=4, lookback=20)
    assert c.inspect(tmp_path / "run")["limits"] == {"": {"y": [0.0, None]}}
    limited = c.backtest(frame, tmp_path / "run", start=300)
    at = {origin: c.predict(frame[:origin], tmp_path / "run")["y"].to_numpy() for origin in range(300, 340)}
    record = run.folder / "run.json"
    facts = json.loads(record.read_text(encoding="utf-8"))
    facts["scalers"][""]["low"] = [None]
    record.write_text(json.dumps(facts), encoding="utf-8")
    free = c.backtest(frame, tmp_path / "run", start=300)
    assert (free.forecasts["model"] < 0).any()
    np.testing.assert_allclose(limited.forecasts["model"], np.maximum(free.forecasts["model"], 0), atol=1e-12)
    for place, made in enumerate(at.values()):
        np.testing.assert_allclose(made, limited.forecasts["model"][place], atol=2e-6)
    assert np.array_equal(limited.forecasts["linear"], free.forecasts["linear"])


def test_folds_that_lie_in_the_shadow_of_a_hole_are_left_out_and_told() -> None:
    hours = pd.date_range("2024-01-01", periods=700, freq="h")
    values = np.sin(np.arange(700) * np.pi / 12) + np.random.default_rng(0).normal(0, 0.1, 700)
    frame = pd.DataFrame({"time": hours, "y": values}).drop(range(570, 590))  # too long to be filled
    options: dict[str, Any] = {"horizon": 12, "lookback": 48, "settings": QUICK}
    done = c.backtest(frame, start=560, folds=4, **options)
    assert done.folds == 2
    for fold in (1, 2):
        assert f"fold {fold} of 4 is left out: every origin in it has a hole in its window" in done.notes
    assert done.table.times[done.origins].min() == np.datetime64(hours[589 + 48])
    with pytest.raises(DataError, match="none has 48 rows without a hole before it and 12 after"):
        c.backtest(frame[:600], start=560, folds=2, **options)


def test_folds_that_are_kept_are_told_when_a_backtest_is_cut_off(tmp_path):
    told: list[str] = []
    watcher = Watcher()
    watcher.note = told.append  # type: ignore[method-assign]
    for folds, words in ((0, []), (1, ["kept: 1 fold; the same command goes on with the others"])):
        for fold in range(folds):
            (tmp_path / "work" / f"fold-{fold}").mkdir()
            (tmp_path / "work" / f"fold-{fold}" / "current").touch()
        with pytest.raises(KeyboardInterrupt), kept_in(tmp_path / "work", {}, watcher):
            raise KeyboardInterrupt
        assert told == words
