"""The baselines and the judge, against forecasts made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cnnlstm_cli.config import Spec
from cnnlstm_cli.errors import UsageError
from cnnlstm_cli.evaluation.baselines import actuals, baseline_names, seasonal_naive
from cnnlstm_cli.evaluation.validation import best_baseline
from cnnlstm_cli.planning import prepare

RANDOM = np.random.default_rng(3)
LOAD = pd.DataFrame({"a": RANDOM.standard_normal(120).cumsum(), "b": 50 + 9 * RANDOM.standard_normal(120)})


def task(**data):
    return prepare(
        LOAD, Spec.from_dict({"data": {"horizon": 5, "lookback": 12, "season": [4], "validation": 30, **data}})
    )


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
            real = actuals(judged.windows)[place] * scaler.scale[column] + scaler.mean[column]
            assert real == pytest.approx(actual, abs=1e-4)
            place += 1
    assert place == len(forecast)


def test_errors_by_target_are_in_their_own_units():
    judged = task()
    errors = judged.judge.by_target(seasonal_naive(judged.windows, 4, judged.judge.first))
    for name, pairs in by_hand(4).items():
        assert errors[name] == pytest.approx(np.mean([np.abs(f - a) for f, a in pairs]), rel=1e-5)


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
    assert baseline_names((24, 168)) == {"last value": 1, "seasonal naive 24": 24, "seasonal naive 168": 168}
    scores = {name: {"mae": error} for name, error in [("last value", 3.0), ("seasonal naive 24", 1.0)]}
    assert best_baseline(scores) == "seasonal naive 24"


def test_a_season_longer_than_a_series_is_never_taken_from_its_neighbour():
    frame = pd.DataFrame({"id": ["a"] * 120 + ["b"] * 40, "y": [*range(120), *[1000.0 + k % 5 for k in range(40)]]})
    spec = Spec.from_dict({"data": {"horizon": 5, "lookback": 12, "season": [60], "validation": 10, "id": "id"}})
    judged = prepare(frame, spec)
    forecast = seasonal_naive(judged.windows, 60, judged.judge.first)
    of_b = judged.windows.validation >= 120
    assert np.isnan(forecast[of_b]).all()
    assert not np.isnan(forecast[~of_b]).any()


def test_a_season_longer_than_the_training_rows_is_refused():
    with pytest.raises(UsageError, match=r"data\.season=91 is longer than the 90 training rows"):
        task(season=[91])
