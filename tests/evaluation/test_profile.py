"""The facts of a table: counts by hand, gaps by a loop, and what is made of many series and of odd columns."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlstm_cli.evaluation import profile as room
from cnnlstm_cli.evaluation.profile import Look, gaps, profile, series, spans
from cnnlstm_cli.evaluation.residuals import autocorrelation
from cnnlstm_cli.series.reader import read_training
from cnnlstm_cli.series.table import Table
from cnnlstm_cli.specs import DataSpec


def table(columns: dict[str, Any], freq: str = "h", **spec: Any) -> Table:
    rows = len(next(iter(columns.values())))
    frame = pd.DataFrame({"time": pd.date_range("2024-01-01", periods=rows, freq=freq), **columns})
    return read_training(frame, DataSpec(**spec))


def shops(values: dict[str, np.ndarray]) -> Table:
    """Daily series of their own lengths."""
    parts = [
        pd.DataFrame({"day": pd.date_range("2024-01-01", periods=len(each)), "shop": name, "y": each})
        for name, each in values.items()
    ]
    return read_training(pd.concat(parts, ignore_index=True), DataSpec(id="shop", target=("y",)))


def noise(rows: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=rows)


def test_counts_and_range_are_those_of_the_column():
    column = np.array([0.0, 4, np.nan, 0, 10, *[np.nan] * 8, 1, 3, 2])
    (found,) = profile(table({"y": column, "z": np.arange(16.0)}), ())[:1]
    told = {key: found[key] for key in ("name", "observed", "filled", "missing", "least", "greatest", "zeros")}
    assert told == {
        "name": "y",
        "observed": 7,
        "filled": 1,  # half-way between 4 and 0; eight rows are longer than a quarter of a day
        "missing": 8,
        "least": 0.0,
        "greatest": 10.0,
        "zeros": 2 / 7,
    }
    seen = [0, 4, 0, 10, 1, 3, 2]  # what was filled in was not observed
    assert found["median"] == 2
    assert found["mean"] == pytest.approx(20 / 7)
    assert found["deviation"] == pytest.approx(math.sqrt(sum((each - 20 / 7) ** 2 for each in seen) / 7))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=12), min_size=1, max_size=5))
def test_spans_are_those_that_a_loop_finds(parts):
    offsets = np.cumsum([0, *map(len, parts)])
    expected = []
    for start, part in zip(offsets, parts, strict=False):
        begun = None
        for row, empty in enumerate([*part, False]):
            if empty and begun is None:
                begun = row
            elif not empty and begun is not None:
                expected.append((int(start) + begun, row - begun))
                begun = None
    found = spans(np.concatenate([np.array(part) for part in parts]), offsets)
    assert found == sorted(expected, key=lambda span: (-span[1], -span[0]))


def test_gaps_are_named_by_their_first_and_last_stamp():
    times = pd.date_range("2024-01-01", periods=60, freq="h")
    frame = pd.DataFrame({"time": times, "y": noise(60), "z": noise(60, 2)})
    frame.loc[20:22, "y"] = np.nan
    found = read_training(frame.drop([5, 6, 30, *range(40, 50)]), DataSpec())
    assert gaps(found) == {
        "count": 3,
        "longest": [
            {"at": "2024-01-02 16:00:00", "to": "2024-01-03 01:00:00", "rows": 10},
            {"at": "2024-01-01 05:00:00", "to": "2024-01-01 06:00:00", "rows": 2},
            {"at": "2024-01-02 06:00:00", "to": "2024-01-02 06:00:00", "rows": 1},
        ],
    }
    y, z = profile(found, ())
    own = {"at": "2024-01-01 20:00:00", "to": "2024-01-01 22:00:00", "rows": 3}
    assert y["gaps"] == {"count": 1, "longest": [own]}
    assert z["gaps"] == {"count": 0, "longest": []}


def test_of_many_series_the_worst_are_named():
    values = {f"s{k}": 10 + noise(40 + k, k) for k in range(8)}
    values["s3"][10:20] = np.nan
    values["s5"][10] = np.nan
    values["s6"][:] = 5
    found = shops(values)
    assert series(found) == {
        "fewest_rows": 40,
        "most_rows": 47,
        "lacking_most": [{"id": "s3", "missing": 10}, {"id": "s5", "missing": 1}],
        "constant": {"count": 1, "ids": ["s6"]},
    }
    assert gaps(found)["longest"][0] == {"at": "2024-01-11", "id": "s3", "to": "2024-01-20", "rows": 10}


def test_facts_of_many_series_are_the_median_over_them_and_outliers_name_theirs():
    week = np.sin(np.arange(280) * 2 * np.pi / 7)
    values = {f"s{k}": 1000.0**k + k * week + noise(280, k) for k in range(3)} | {"flat": np.ones(280)}
    values["s2"][100] += 30
    (found,) = profile(shops(values), (7,))
    alone = [profile(table({"y": values[f"s{k}"]}, "D"), (7,))[0] for k in range(3)]
    for name in ("seasons", "trend"):
        for key in found[name]:
            assert found[name][key] == pytest.approx(np.median([each[name][key] for each in alone]))
    assert found["level"]["kpss"] == pytest.approx(np.median([each["level"]["kpss"] for each in alone]))
    assert found["outliers"]["count"] == 1
    place = found["outliers"]["farthest"][0]
    assert (place["id"], place["at"], place["value"]) == ("s2", "2024-04-10", pytest.approx(values["s2"][100]))
    assert place["deviations"] == pytest.approx(30, rel=0.2)


def test_a_longer_season_has_no_share_in_the_shorter_one():
    day = 3 * np.sin(np.arange(168 * 12) * 2 * np.pi / 24)
    (found,) = profile(table({"y": day + noise(168 * 12)}), (168, 24))
    assert found["seasons"] == {"24": pytest.approx(0.82, abs=0.03), "168": pytest.approx(0, abs=0.05)}


def test_every_series_has_an_equal_say_in_the_autocorrelation():
    fast, slow = np.tile([1.0, -1.0], 150), np.repeat([1.0, -1.0], 150)
    found = profile(shops({"a": fast, "b": 1000 * slow}), ())[0]["autocorrelation"]
    assert found["values"][0] == pytest.approx(((300 - 3) - 299) / 600)


def test_half_of_the_series_wander():
    values = {f"s{k}": noise(300, k).cumsum() if k % 2 else noise(300, k) for k in range(10)}
    assert profile(shops(values), ())[0]["level"]["wandering"] == 0.5


def test_what_was_filled_is_no_outlier_and_gaps_make_none():
    column = noise(2000)
    column[[50, 1200, 1700]] = 12, np.nan, -10
    column[300:360] = np.nan
    (found,) = profile(table({"y": column}), (24,))
    places = [(place["at"], place["value"]) for place in found["outliers"]["farthest"]]
    assert places == [("2024-01-03 02:00:00", 12), ("2024-03-11 20:00:00", -10)]
    assert found["outliers"]["of"] == 2000 - 61


@pytest.mark.parametrize(
    ("rows", "seasons", "last"), [(500, (), 48), (500, (7,), 48), (500, (60, 240), 120), (30, (), 29)]
)
def test_lags_go_up_to_two_seasons(rows, seasons, last):
    found = profile(table({"y": noise(rows)}), seasons)[0]["autocorrelation"]
    assert found["lags"] == list(range(1, last + 1))
    assert found["band"] == pytest.approx(1.96 / math.sqrt(rows))


def test_autocorrelation_is_that_of_the_deviations_and_thinned_where_seasons_are_long():
    column = 5 * np.sin(np.arange(4000) * 2 * np.pi / 1000) + noise(4000)
    found = profile(table({"y": 1e6 + 1e3 * column}), (1000,))[0]["autocorrelation"]
    assert len(found["lags"]) == 200
    assert (found["lags"][0], found["lags"][-1]) == (1, 2000)
    centred = column - column.mean()
    expected = [(centred[lag:] @ centred[:-lag]) / (centred @ centred) for lag in found["lags"]]
    np.testing.assert_allclose(found["values"], expected)
    assert autocorrelation(column[:, None], np.array([0, 4000]), np.array([7]))[0] == pytest.approx(
        expected[0], abs=0.1
    )


@pytest.mark.parametrize(
    ("count", "columns", "rows", "looked"),
    [(1, 1, 300, (1, 100)), (1, 5, 300, (1, 20)), (3, 1, 50, (3, 99)), (40, 1, 30, (4, 100)), (1, 200, 10, (1, 1))],
)
def test_the_newest_rows_of_some_series_are_looked_at(count, columns, rows, looked, monkeypatch):
    for name, most in (("MOST_VALUES", 100), ("ENOUGH_ROWS", 25), ("MOST_ROWS", 100)):
        monkeypatch.setattr(room, name, most)
    frame = pd.DataFrame(noise(count * rows * columns).reshape(-1, columns)).rename(columns="c{}".format)
    frame["id"], frame["time"] = np.repeat(np.arange(count), rows), np.tile(np.arange(rows), count)
    found = read_training(frame, DataSpec(id="id", time=("time",)))
    look = Look.at(found)
    assert look.facts() == {"series": looked[0], "rows": looked[1]}
    assert set(look.ends) <= set(found.offsets[1:])
    assert look.ends[-1] == len(found.values)


def test_outliers_of_old_rows_are_not_looked_at(monkeypatch):
    monkeypatch.setattr(room, "MOST_ROWS", 200)
    column = noise(500)
    column[[100, 400]] = 50
    (found,) = profile(table({"y": column}), ())
    assert (found["greatest"], found["outliers"]["count"], found["outliers"]["of"]) == (50, 1, 200)


@pytest.mark.parametrize(
    "column",
    [
        np.full(100, 7.5),
        np.full(100, 0.1) * 3,
        np.full(100, 1e100),
        np.array([1.0, 2.0, 3.0]),
        np.array([5.0]),
        np.array([4.0, *[np.nan] * 60, 4.0]),
    ],
    ids=["constant", "rounded", "huge", "three", "one", "holes"],
)
def test_what_can_not_be_told_is_none(column):
    found = profile(read_training(pd.DataFrame({"y": column}), DataSpec()), (7,))[0]
    assert (found["seasons"], found["trend"]) == ({"7": None}, {"strength": None, "change": None})
    assert found["level"] == {"kpss": None, "is": None, "wandering": None}
    assert found["outliers"]["count"] == 0
    assert all(math.isfinite(value) for value in found["autocorrelation"]["values"])


@pytest.mark.parametrize("scale", [1e-80, 1e-3, 1e95])
def test_the_unit_changes_nothing(scale):
    column = 3 * np.sin(np.arange(900) * 2 * np.pi / 24) + noise(900) + 100
    column[450] = 120
    (plain,), (scaled,) = (profile(table({"y": each}), (24,)) for each in (column, scale * column))
    assert scaled["seasons"] == pytest.approx(plain["seasons"])
    assert scaled["trend"]["strength"] == pytest.approx(plain["trend"]["strength"])
    assert scaled["level"]["kpss"] == pytest.approx(plain["level"]["kpss"])
    assert [place["at"] for place in scaled["outliers"]["farthest"]] == ["2024-01-19 18:00:00"]
    np.testing.assert_allclose(scaled["autocorrelation"]["values"], plain["autocorrelation"]["values"], rtol=1e-6)
