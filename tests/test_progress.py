"""What a training says before it begins."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cnnlstm_cli.config import Spec
from cnnlstm_cli.planning import Task, prepare
from cnnlstm_cli.render import progress
from cnnlstm_cli.series.reader import read_training

NOISE = np.random.default_rng(5).standard_normal((400, 2)).round(3)
DATA = {"horizon": 4, "lookback": 20}


def task(frame: pd.DataFrame, **data: object) -> Task:
    spec = Spec.from_dict({"data": {**DATA, **data}})
    return prepare(read_training(frame, spec.data), spec)


def test_limits_are_told() -> None:
    counts = pd.DataFrame({"rain": np.maximum(NOISE[:, 0], 0), "share": np.clip(NOISE[:, 1], -1, 1) * 50 + 50})
    assert "limits: rain at least 0, share 0 to 100" in progress.plan_lines(task(counts))
    assert not any(line.startswith("limits") for line in progress.plan_lines(task(pd.DataFrame({"y": NOISE[:, 0]}))))
    shops = pd.DataFrame({"shop": ["a"] * 200 + ["b"] * 200, "sold": NOISE[:, 0]})
    shops.loc[200:, "sold"] = -np.maximum(shops["sold"][200:], 0)
    assert "limits: sold at most 0, 1 of 2 series" in progress.plan_lines(task(shops, id="shop"))


def test_limits_of_many_series_are_told_by_the_first() -> None:
    shops = pd.DataFrame({"shop": np.repeat(["a", "b", "c"], 200), "sold": 3 + np.abs(NOISE[:, 0].repeat(2)[:600])})
    shops.loc[:199, "sold"] -= 3
    (told,) = (line for line in progress.plan_lines(task(shops, id="shop")) if line.startswith("limits"))
    assert told.startswith("limits: 3 of 3 series, as a: sold at least 0")


def test_epochs_that_do_not_visit_every_window_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    planned = task(pd.DataFrame({"y": NOISE[:, 0]}))
    assert not any("epoch" in line for line in progress.plan_lines(planned))
    monkeypatch.setattr(progress, "WINDOWS_AN_EPOCH", 50)
    windows = len(planned.windows.training)
    assert f"an epoch visits 50 of {windows} training windows, each others" in progress.plan_lines(planned)
