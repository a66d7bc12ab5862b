"""Two small runs, each trained once for all tests here, and what came after they were trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cnnlstm_cli as c
from cnnlstm_cli.diagnosis import Diagnosis, diagnose

SETTINGS = {
    "model": {"filters": 4, "units": 4, "squeeze": False, "calendar": "none"},
    "train": {"epochs": 2, "members": 1, "linear": False, "refit": False},
}
SEEN, HORIZON = 480, 6
NAMES = ("<script>alert(1)</script>", 'b" onload="x$_{&amp;}')
SHOPS = ("</title>é", "$\\alpha & <b>")


def hourly() -> pd.DataFrame:
    """Hours on a clock two hours before UTC, restless in the morning of that clock, with a hole near the end."""
    rows = np.arange(720)
    restless = np.where((rows % 24 >= 6) & (rows % 24 < 9), 8.0, 1.0)
    values = 50 + 20 * np.sin(rows * np.pi / 12) + restless * np.random.default_rng(0).normal(size=len(rows))
    values[650:652] = np.nan
    stamps = [f"{time:%Y-%m-%dT%H:%M:%S}+02:00" for time in pd.date_range("2024-01-01", periods=len(rows), freq="h")]
    return pd.DataFrame({"time": stamps, "load": values})


def shops() -> pd.DataFrame:
    """Two series of two targets, daily, all of them with names that are markup."""
    random, days = np.random.default_rng(1), pd.date_range("2023-01-02", periods=150)
    week = np.sin(np.arange(150) * 2 * np.pi / 7)
    parts = [
        pd.DataFrame(
            {
                "day": days,
                "shop": shop,
                NAMES[0]: size * (3 + week + random.normal(0, 0.3, 150)),
                NAMES[1]: 5 + week + random.normal(0, 0.3, 150),
            }
        )
        for shop, size in zip(SHOPS, (1.0, 100.0), strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="session")
def load(tmp_path_factory) -> Path:
    """A run of the first 480 hours, looking back two days."""
    run = tmp_path_factory.mktemp("runs") / "load"
    c.train(hourly()[:SEEN], run, horizon=HORIZON, lookback=48, season=24, settings=SETTINGS)
    return run


@pytest.fixture(scope="session")
def sales(tmp_path_factory) -> Path:
    """A run of all shops and days."""
    run = tmp_path_factory.mktemp("runs") / "sales"
    c.train(shops(), run, id="shop", horizon=5, lookback=14, season=7, settings=SETTINGS)
    return run


@pytest.fixture(scope="session")
def judged(load) -> Diagnosis:
    """The hours that came after the training."""
    return diagnose(load, hourly())


@pytest.fixture(scope="session")
def sold(sales) -> Diagnosis:
    """The last fifth of what was trained on."""
    return diagnose(sales, shops())
