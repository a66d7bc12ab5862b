"""Why a training would be what it is: every reason said is the true one, on cases and on whatever is thrown."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlstm_cli.config import Options, Spec, spec_from
from cnnlstm_cli.planning import settle
from cnnlstm_cli.reasons import difficulty, reasons
from cnnlstm_cli.series.reader import read_training
from cnnlstm_cli.series.windows import default_lookback, split
from cnnlstm_cli.specs import DataSpec

APART = "rows so far apart correlate by 0.3 or more"


def frame(rows: int, freq: str | None = None, season: int = 0, columns: int = 1) -> pd.DataFrame:
    """Noise, with a season or without, by dates or counted."""
    noise = np.random.default_rng(0).normal(size=(rows, columns))
    wave = 3 * np.sin(np.arange(rows) * 2 * np.pi / season) if season else np.zeros(rows)
    times = pd.date_range("2020-01-06", periods=rows, freq=freq) if freq else np.arange(rows)
    return pd.DataFrame(noise + wave[:, None]).rename(columns="c{}".format).assign(time=times)


SCHEMA = read_training(frame(40), spec_from(Options(time="time")).data).schema


def told(data: pd.DataFrame, set_: Any = None, **options: Any) -> tuple[Any, dict[str, str]]:
    """What is settled, and why."""
    spec = spec_from(Options(time="time", **options), settings=set_)
    table = read_training(data, spec.data)
    settled, parts = settle(table, spec)
    return settled, reasons(table.schema, spec, settled, parts)


@pytest.mark.parametrize(
    ("data", "options", "expected"),
    [
        (frame(2000, "h", 24), {}, {"season": f"usual for rows that come hourly, and {APART}"}),
        (frame(400, "D"), {}, {"season": "rows 7 or 365 apart correlate by less than 0.3, or are too few"}),
        (frame(400, None, 9), {}, {"season": APART}),
        (
            frame(400),
            {},
            {"season": "there is no distance at which rows correlate by 0.3 or more"},
        ),
        (frame(400, "D"), {"season": 7}, {"season": "as asked for"}),
        (frame(2000, "15min", 96), {}, {"horizon": "usual for rows that come every 15min"}),
        (frame(400, None, 9), {}, {"horizon": "one season"}),
        (frame(400), {}, {"horizon": "neither the step nor a season suggests another"}),
        (frame(400), {"horizon": 12}, {"horizon": "as asked for"}),
        (frame(2000, "h", 24), {}, {"lookback": "14 of the season of 24"}),
        (
            frame(144, "MS", 12),
            {},
            {"lookback": "3 of the season of 12: no more fit into a third of the 115 rows trained on"},
        ),
        (
            frame(2500, "h", 0, columns=80),
            {"season": 168},
            {"lookback": "5 of the season of 168: no more fit into a half of the 2,004 rows trained on"},
        ),
        (
            frame(20_000, "min"),
            {"season": 1440},
            {"lookback": "2 of the season of 1440, of which more would be too long to learn from"},
        ),
        (
            frame(350, "D"),
            {"season": 7},
            {"lookback": "13 of the season of 7: no more fit into a third of the 280 rows trained on"},
        ),
        (frame(1000, "D"), {}, {"lookback": "8 horizons, as there is no season"}),
        (frame(200, "D"), {}, {"lookback": "a third of the 160 rows trained on, as there is no season"}),
        (
            frame(200, "D"),
            {"season": 60},
            {"lookback": "a third of the 160 rows trained on, as there is no season that fits in twice"},
        ),
        (frame(36, "MS"), {}, {"horizon": "all that so few rows allow; usual are 12"}),
        (frame(400), {"lookback": 50}, {"lookback": "as asked for"}),
        (frame(144, "MS"), {}, {"validation": "a fifth, the newest"}),
        (frame(2000, "h"), {}, {"validation": "a fifth, in 8 blocks over all but the oldest third"}),
        (
            frame(120_000, "min"),
            {},
            {"validation": "enough to choose by, 20,000 at most, in 8 blocks over all but the oldest third"},
        ),
        (
            frame(40, "D"),
            {"horizon": 12},
            {"validation": "a horizon of 12, the least, the newest"},
        ),
        (frame(400, "D"), {"validation": 50}, {"validation": "as asked for"}),
        (frame(400, "D"), {}, {"width": "narrow, as 281 windows are fewer than 100,000"}),
        (
            frame(2500, "h", 24, columns=50),
            {},
            {"width": "wide, as 107,050 windows of 50 columns are 100,000 or more"},
        ),
        (frame(400, "D"), {"set_": {"model": {"filters": 8}}}, {"width": "as asked for"}),
    ],
)
def test_a_choice_has_its_reason(data, options, expected):
    _, why = told(data, **options)
    assert {key: why[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("lengths", "horizon", "expected"),
    [
        ([1000], 10, "a fifth, in 8 blocks over all but the oldest third"),
        ([100, 100], 30, "a horizon of 30 of each series, the least, the newest"),
        ([30, 300, 300], 20, "a fifth, but at least a horizon of 20 of each series, the newest"),
        ([300, 300], 10, "a fifth, in 3 blocks over all"),
        ([120] * 10_000, 14, "a horizon of 14 of each series, the least, the newest"),
        ([1000] * 400, 20, "enough to choose by, 20,000 at most, the newest"),
        ([4000] * 50, 20, "enough to choose by, 20,000 at most, in 8 blocks over all"),
        ([200] * 200 + [5000] * 100, 60, "enough to choose by, 20,000 at most, the newest"),
    ],
)
def test_what_is_held_out_has_its_reason(lengths, horizon, expected):
    parts = split(np.array(lengths), horizon, None)
    words = reasons(SCHEMA, Spec(), Spec(data=DataSpec(horizon=horizon, lookback=9)), parts)["validation"]
    assert words.startswith(expected)
    if "20,000 at most" in words:
        assert parts.rows()[1] <= 20_000


def test_of_many_series_rows_are_those_of_one():
    parts = [frame(90, "D", 7).assign(id=name) for name in "abc"]
    settled, why = told(pd.concat(parts), id="id")
    assert settled.data.lookback == 21
    assert why["lookback"] == "3 of the season of 7: no more fit into a third of the 72 rows trained on in a series"
    assert why["validation"] == "a fifth, the newest"


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.integers(30, 5000), min_size=1, max_size=4),
    st.integers(1, 40),
    st.lists(st.integers(2, 2000), max_size=2).map(sorted),
    st.sampled_from([1, 20, 100]),
)
def test_what_is_said_of_the_lookback_is_true(lengths, horizon, seasons, columns):
    parts = split(np.array(lengths), horizon, None)
    lookback = default_lookback(parts, horizon, seasons, columns)
    data = DataSpec(season=tuple(seasons), horizon=horizon, lookback=lookback)
    words = reasons(SCHEMA, Spec(), Spec(data=data), parts)["lookback"]
    if fraction := re.search(r"a (third|half) of the ([\d,]+) rows", words):
        trained = int(fraction[2].replace(",", ""))
        room = trained // {"third": 3, "half": 2}[fraction[1]]
        assert trained in parts.training
    if said := re.match(r"(\d+) of the season of (\d+)", words):
        count, season = int(said[1]), int(said[2])
        assert season in seasons
        assert count * season == lookback
        if fraction:
            assert lookback <= room < lookback + season
        else:
            assert count == (2 if season > 2016 // 3 else min(14, 2016 // season))
    elif words.startswith("8 horizons"):
        assert lookback == 8 * horizon
    else:
        assert lookback == max(1, room)
    assert ("no season" in words) == (not said)
    assert ("that fits in twice" in words) == (not said and bool(seasons))


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        (
            {"last value": (1.0, 2.0), "drift": (1.1, 2.2), "linear": (0.95, 1.9)},
            "Nothing does much better than the last value: linear makes 5 % less error than the last value. Perhaps a ",
        ),
        (
            {"last value": (1.0, 2.0), "drift": (1.1, 2.2)},
            "Nothing does much better than the last value. Perhaps a random walk",
        ),
        ({"last value": (1.0, 2.0), "drift": (0.9, 1.8), "linear": (0.8, 1.5)}, "linear, makes 20 % less error"),
        ({"last value": (1.0, np.nan), "drift": (0.5, np.nan)}, "The best baseline, drift, makes 50 % less error"),
        ({"last value": (1.0, 2.0), "seasonal naive 7": (0.0, 0.0)}, "seasonal naive 7 makes no error"),
    ],
)
def test_the_errors_of_the_baselines_say_how_hard_it_is(errors, expected):
    words = difficulty({name: {"mae": mae, "mase": mase} for name, (mae, mase) in errors.items()})
    assert expected in words
    assert "nan" not in words


def test_without_scores_nothing_is_said():
    assert difficulty({}) is None
    assert difficulty({"last value": {"mae": np.nan, "mase": np.nan}}) is None
