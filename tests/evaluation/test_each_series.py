"""Which of many series a baseline forecasts better: against plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from cnnlstm_cli.evaluation.each_series import behind
from cnnlstm_cli.evaluation.scores import Actuals
from cnnlstm_cli.render.report import behind as told

IDS = ("even", "beaten", "luck", "never judged", "far behind")


@pytest.fixture
def came() -> Actuals:
    series = np.repeat([0, 1, 2, 4], 5)
    values = np.random.default_rng(0).normal(size=(20, 3))
    values[3, 1] = np.nan
    return Actuals(values, np.zeros(20, dtype=np.int64), series, np.repeat([1.0, 10.0, 0.1, 5.0], 5), np.ones(20))


def test_series_that_a_baseline_forecasts_better_are_named_the_worst_first(came):
    off = {
        "model": {0: 1.0, 1: 2.0, 2: 1.05, 4: 9.0},
        "drift": {0: 3.0, 1: 1.0, 2: 1.0, 4: 8.9},
        "last value": {0: 2.0, 1: 1.5, 2: 4.0, 4: 1.0},
    }
    made = {name: came.values + np.array([errors[k] for k in came.series])[:, None] for name, errors in off.items()}
    made["last value"][came.series == 1] = np.nan  # as a season longer than the series
    model = made.pop("model")
    found = behind(model, made.items(), came, IDS)
    assert (found["judged"], found["behind"]) == (4, 2)
    assert [(each["id"], each["against"]) for each in found["first"]] == [
        ("far behind", "last value"),
        ("beaten", "drift"),
    ]
    assert found["first"][0]["mae"] == pytest.approx(9.0 / 5.0), "in deviations of the series"
    assert found["first"][1]["baseline"] == pytest.approx(1.0 / 10.0)
    said = told({"series": {**found, "unused": 1, "unused_first": ["tiny"]}})
    assert said == [
        "2 of 4 series a baseline forecasts better: far behind (last value, 89 % less error), "
        "beaten (drift, 50 % less error).",
        "1 series is too short to learn from or to be judged (first 'tiny').",
    ]
    assert told({}) == []
