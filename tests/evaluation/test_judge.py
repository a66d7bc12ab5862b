"""The baselines and the judge, against forecasts made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cnnlstm_cli.config import Spec
from cnnlstm_cli.errors import UsageError
from cnnlstm_cli.evaluation.baselines import LINE, averaged, drift, of_lookback, seasonal_naive
from cnnlstm_cli.evaluation.ridge import linear
from cnnlstm_cli.evaluation.scores import best_baseline, score, score_by
from cnnlstm_cli.planning import Task, prepare
from cnnlstm_cli.series.reader import read_training

RANDOM = np.random.default_rng(3)
LOAD = pd.DataFrame({"a": RANDOM.standard_normal(120).cumsum(), "b": 50 + 9 * RANDOM.standard_normal(120)})


def task(frame: pd.DataFrame = LOAD, **data) -> Task:
    spec = Spec.from_dict({"data": {"horizon": 5, "lookback": 12, "season": [4], "validation": 30, **data}})
    return prepare(read_training(frame, spec.data), spec)


def by_hand(season: int) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """(forecast, actual) of every origin in the last 30 rows, for each column, in its own units."""
    pairs: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for name, column in LOAD.items():
        values = column.to_numpy()
        for origin in range(90, 116):
            forecast = [values[origin - season + step % season] for step in range(5)]
            pairs.setdefault(str(name), []).append((np.array(forecast), values[origin : origin + 5]))
    return pairs


@pytest.mark.parametrize("season", [1, 4, 7, 24])
def test_seasonal_naive_is_what_it_is_by_hand(season):
    """Also with a season longer than the lookback."""
    judged = task()
    forecast = seasonal_naive(judged.windows, season, judged.judge.first)
    place = 0
    for column, (name, pairs) in enumerate(by_hand(season).items()):
        scaler = judged.scalers[0]
        for expected, actual in pairs:
            unscaled = forecast[place] * scaler.scale[column] + scaler.mean[column]
            assert unscaled == pytest.approx(expected, abs=1e-4), name
            assert judged.judge.came.values[place] == pytest.approx(actual, abs=1e-4)
            assert judged.judge.in_units(forecast)[place] == pytest.approx(expected, abs=1e-4), name
            place += 1
    assert place == len(forecast)


def test_as_linear_models_of_the_lookback_baselines_forecast_the_same():
    """But the drift, which sees the first and last row of the lookback alone."""
    judged = task()
    windows, first = judged.windows, judged.judge.first
    found = of_lookback(12, 5, (4, 12, 13), None)
    assert list(found) == ["last value", "seasonal naive 4", "seasonal naive 12", LINE]
    for season, name in ((1, "last value"), (4, "seasonal naive 4"), (12, "seasonal naive 12")):
        made = linear(windows, found[name])[:, :, 0]
        np.testing.assert_allclose(made, seasonal_naive(windows, season, first), atol=1e-5)
    line = linear(windows, found[LINE])[:, :, 0]
    np.testing.assert_allclose(line, drift(windows, windows.validation), atol=1e-5)
    assert list(of_lookback(1, 5, (4,), np.ones((1, 5)))) == ["linear", "last value"]


def test_the_average_of_linear_models_is_one():
    windows = task().windows
    models = of_lookback(12, 5, (4,), None)
    shares = {"last value": 0.2, LINE: 0.6}
    expected = 0.25 * linear(windows, models["last value"]) + 0.75 * linear(windows, models[LINE])
    np.testing.assert_allclose(linear(windows, averaged(models, shares)), expected, atol=1e-5)


def test_errors_by_target_are_in_their_own_units():
    judged = task()
    judge = judged.judge
    forecast = judge.in_units(seasonal_naive(judged.windows, 4, judge.first))
    errors = score_by("target", forecast, judge.came, ("a", "b"), ("",))
    for name, pairs in by_hand(4).items():
        assert errors[name]["mae"] == pytest.approx(np.mean([np.abs(f - a) for f, a in pairs]), rel=1e-5)
    steps = score_by("step", forecast, judge.came, ("a", "b"), ("",))
    overall = score(forecast, judge.came, deviations=True)
    assert list(steps) == ["1", "2", "3", "4", "5"]
    assert np.mean([scores["mae"] for scores in steps.values()]) == pytest.approx(overall["mae"])


def test_a_zero_that_was_foretold_is_no_error_of_200_percent():
    """Scaling and back leaves a billionth of it, which sMAPE would take for all that is wrong in the world."""
    values = np.where(RANDOM.random(300) < 0.9, 0.0, RANDOM.integers(1, 40, 300)).astype(float)
    judge = task(pd.DataFrame({"sold": values}), validation=60).judge
    forecast = judge.in_units(seasonal_naive(judge.windows, 1, judge.first))
    pairs = [(values[origin - 1], values[origin + step]) for origin in range(240, 296) for step in range(5)]
    expected = np.mean([0.0 if f == a else 200 * abs(f - a) / (f + a) for f, a in pairs])
    assert score(forecast, judge.came, deviations=False)["smape"] == pytest.approx(expected, rel=1e-6)


def test_drift_goes_on_from_the_first_row_through_the_last():
    judged = task()
    forecast = judged.judge.in_units(drift(judged.windows, judged.judge.first))
    for place, start in enumerate(judged.windows.validation[:26]):
        values, newest = LOAD["a"].to_numpy(), int(start) + 11
        slope = (values[newest] - values[0]) / newest
        expected = [values[newest] + step * slope for step in range(1, 6)]
        assert forecast[place] == pytest.approx(expected, abs=1e-4)


def test_what_was_mended_is_not_scored():
    frame = LOAD.copy()
    frame.loc[100, "a"] = np.nan
    came = task(frame).judge.came
    assert np.isnan(came.values[came.column == 0]).sum() == 5
    assert not np.isnan(came.values[came.column == 1]).any()


def test_scores_are_in_training_deviations():
    judged = task()
    deviations = LOAD.to_numpy()[:90].std(axis=0)
    scaled = [np.abs(f - a) / deviations[k] for k, pairs in enumerate(by_hand(4).values()) for f, a in pairs]
    assert judged.baselines["seasonal naive 4"]["mae"] == pytest.approx(np.mean(scaled), rel=1e-5)
    # the season is 4, so MASE is scaled by steps of 4 rows
    by_four = [np.abs(LOAD.to_numpy()[4:90, k] - LOAD.to_numpy()[:86, k]).mean() for k in range(2)]
    mase = [np.abs(f - a) / by_four[k] for k, pairs in enumerate(by_hand(4).values()) for f, a in pairs]
    assert judged.baselines["seasonal naive 4"]["mase"] == pytest.approx(np.mean(mase), rel=1e-5)


def test_every_season_has_its_baseline():
    scored = task(season=[4, 9]).baselines
    assert list(scored) == ["last value", "seasonal naive 4", "seasonal naive 9", "drift", "linear"]
    assert list(scored["drift"]) == ["mae", "rmse", "mase", "smape", "wape"]
    scores = {name: {"mae": error} for name, error in [("last value", 3.0), ("seasonal naive 24", 1.0)]}
    assert best_baseline(scores) == "seasonal naive 24"


def test_a_season_longer_than_a_series_is_never_taken_from_its_neighbour():
    frame = pd.DataFrame({"id": ["a"] * 120 + ["b"] * 40, "y": [*range(120), *[1000.0 + k % 5 for k in range(40)]]})
    judged = task(frame, season=[60], validation=10, id="id")
    forecast = seasonal_naive(judged.windows, 60, judged.judge.first)
    of_b = judged.windows.validation >= 120
    assert np.isnan(forecast[of_b]).all()
    assert not np.isnan(forecast[~of_b]).any()


def test_a_season_longer_than_the_training_rows_is_refused():
    with pytest.raises(UsageError, match=r"data\.season=91 is longer than the 90 training rows"):
        task(season=[91])


def test_a_model_is_held_within_the_limits_a_baseline_is_not():
    """But from the windows on that have seen the limit crossed."""
    values = np.maximum(np.random.default_rng(5).standard_normal(300), 0)
    values[280] = -1.0
    judged = task(pd.DataFrame({"y": values}), validation=60)
    below = np.full((len(judged.windows.validation), 5), -9.0, dtype=np.float32)
    assert (judged.judge.in_units(below) < 0).all()
    crossed = (judged.windows.validation <= 280) & (judged.windows.validation + 12 > 280)
    assert crossed.sum() == 12
    np.testing.assert_allclose(judged.judge.model(below)[~crossed], 0, atol=1e-6)
    assert (judged.judge.model(below)[crossed] < -1).all()
