"""The step between rows: found in spite of a hole, and continued as the calendar has it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cnnlstm_cli.errors import DataError, UsageError
from cnnlstm_cli.series.frequency import Frequency, find_frequency

STEPS = {
    "h": "h",
    "15min": "15min",
    "30min": "30min",
    "2h": "2h",
    "s": "s",
    "D": "D",
    "2D": "2D",
    "B": "B",
    "W-SUN": "W-SUN",
    "W-WED": "W-WED",
    "MS": "MS",
    "ME": "ME",
    "BME": "BME",
    "QS": "3MS",
    "QE": "3ME",
    "YS": "12MS",
    "YE": "12ME",
}


def stamps(freq: str, count: int, start: str = "2023-03-05") -> np.ndarray:
    return pd.date_range(start, periods=count, freq=freq).to_numpy().astype("datetime64[us]")


@pytest.mark.parametrize(("freq", "alias"), STEPS.items(), ids=list(STEPS))
def test_steps_are_found_and_continued_as_pandas_does(freq, alias):
    every = stamps(freq, 45)
    known, ahead = every[:40], every[40:]
    found = find_frequency(known, "file")
    assert found.alias == alias
    assert (found.after(known[-1], 5) == ahead).all()
    assert (found.grid(known[0], known[-1]) == known).all()


@pytest.mark.parametrize("freq", STEPS)
def test_one_missing_stamp_changes_nothing(freq):
    every = stamps(freq, 40)
    assert find_frequency(np.delete(every, 20), "file") == find_frequency(every, "file")


@pytest.mark.parametrize("freq", ["h", "D", "MS"])
def test_one_doubled_stamp_changes_nothing(freq):
    every = stamps(freq, 40)
    assert find_frequency(np.insert(every, 20, every[20]), "file") == find_frequency(every, "file")


def test_the_fifteenth_of_every_month():
    every = stamps("MS", 30) + np.timedelta64(14, "D")
    found = find_frequency(every[:24], "file")
    assert found == Frequency("MS", 15)
    assert (found.after(every[23], 6) == every[24:]).all()


def test_whole_numbers():
    found = find_frequency(np.arange(0, 100, 5), "file")
    assert found == Frequency("5")
    assert found.after(95, 3).tolist() == [100, 105, 110]


def test_stamps_without_a_common_step_are_refused():
    random = np.random.default_rng(1)
    uneven = np.cumsum(random.integers(1, 10_000, 50)).astype("datetime64[s]").astype("datetime64[us]")
    with pytest.raises(DataError, match="not evenly spaced"):
        find_frequency(uneven, "file")


def test_all_stamps_equal_are_refused():
    with pytest.raises(DataError, match="same time"):
        find_frequency(np.repeat(stamps("h", 1), 9), "file")


def test_an_unknown_name_is_refused():
    with pytest.raises(UsageError, match="no such step: 'hourly'"):
        Frequency("hourly").offset  # noqa: B018


@pytest.mark.parametrize(
    ("alias", "seasons", "horizon"),
    [
        ("h", (24, 168), 24),
        ("15min", (96, 672), 96),
        ("min", (60, 1440, 10080), 60),
        ("D", (7, 365), 14),
        ("B", (5,), 10),
        ("W-SUN", (52,), 13),
        ("MS", (12,), 12),
        ("ME", (12,), 12),
        ("3MS", (4,), 8),
        ("12MS", (), 4),
        ("1", (), None),
    ],
)
def test_what_a_step_suggests(alias, seasons, horizon):
    assert Frequency(alias).suggested_seasons() == seasons
    assert Frequency(alias).usual_horizon() == horizon


@pytest.mark.parametrize(
    ("alias", "words"),
    [
        ("h", "hourly"),
        ("15min", "every 15min"),
        ("W-SUN", "weekly"),
        ("ME", "monthly"),
        ("3MS", "quarterly"),
        ("1", "row by row"),
    ],
)
def test_steps_in_words(alias, words):
    assert str(Frequency(alias)) == words
