"""`explain` on runs that were really trained: what it tells is true, plain data, and legible."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console, Group

import cnnlstm_cli as c
from cnnlstm_cli.errors import DataError
from cnnlstm_cli.explanation import Explanation, explain
from cnnlstm_cli.render.explain_report import agreed, explain_report

LAG, LOOKBACK, STEPS = 9, 32, 1
SMALL: dict[str, Any] = {"filters": 4, "units": 3, "reduction": 2}
BRIEF: dict[str, Any] = {"epochs": 1, "members": 1, "linear": False, "refit": False}


def echoes(rows: int, seed: int) -> np.ndarray:
    """Noise that comes back after LAG rows: nothing else of the past is worth anything."""
    random = np.random.default_rng(seed)
    values = random.normal(size=rows)
    for row in range(LAG, rows):
        values[row] = 0.95 * values[row - LAG] + 0.3 * values[row]
    return values


@pytest.fixture(scope="module")
def echo() -> pd.DataFrame:
    """Two series of one column."""
    times = pd.date_range("2024-01-01", periods=500, freq="h")
    parts = [pd.DataFrame({"time": times, "id": name, "y": 10 + echoes(500, k)}) for k, name in enumerate("ab")]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def run(echo: pd.DataFrame, tmp_path_factory: Any) -> c.Run:
    """A network that starts as the linear model, and is hardly trained."""
    return c.train(
        echo,
        tmp_path_factory.mktemp("explained") / "run",
        id="id",
        target=["y"],
        season=[2],
        lookback=LOOKBACK,
        horizon=STEPS,
        settings={"model": {**SMALL, "kernel": 8, "start": "linear"}, "train": {**BRIEF, "learning_rate": 1e-4}},
    )


def short(echo: pd.DataFrame) -> pd.DataFrame:
    """The first 100 rows of each series: 2 x 68 windows, of which none need be left out."""
    return echo.groupby("id").head(100).reset_index(drop=True)


@pytest.fixture(scope="module")
def explained(run: c.Run, echo: pd.DataFrame) -> Explanation:
    return explain(run.path, short(echo))


@pytest.fixture(scope="module")
def joint(tmp_path_factory: Any) -> tuple[c.Run, pd.DataFrame]:
    """Two columns read together, and a covariate."""
    random, hours = np.random.default_rng(0), np.arange(300)
    frame = pd.DataFrame(
        {
            "time": pd.date_range("2024-01-01", periods=300, freq="h"),
            "load [kW]": np.sin(hours * np.pi / 12) + random.normal(0, 0.1, 300),
            "sun": np.cos(hours * np.pi / 12) + random.normal(0, 0.1, 300),
            "heat": random.normal(size=300),
        }
    )
    run = c.train(
        frame,
        tmp_path_factory.mktemp("joint") / "run",
        known=["heat"],
        horizon=4,
        lookback=48,
        settings={"model": {**SMALL, "channels": "joint"}, "train": BRIEF},
    )
    return run, frame


@pytest.fixture(scope="module")
def together(joint: tuple[c.Run, pd.DataFrame]) -> Explanation:
    return explain(joint[0].path, joint[1][:150])


def drawn(facts: dict[str, Any]) -> str:
    text = io.StringIO()
    Console(file=text, markup=False, highlight=False, emoji=False, width=80).print(Group(*explain_report(facts)))
    return text.getvalue()


def test_gradients_and_occlusion_point_at_the_lag_that_the_series_hangs_on(explained: Explanation) -> None:
    facts = explained.facts()
    for member in facts["members"]:
        assert int(np.argmax(member["rows"]["curve"])) == LOOKBACK - LAG
        assert int(np.argmax(member["rows"]["loss"])) == LOOKBACK - LAG
    hidden = facts["occlusion"]
    assert len(hidden["segments"]) == LOOKBACK // 2
    first, end = hidden["segments"][int(np.argmax(hidden["moved"]))]
    assert first <= LOOKBACK - LAG < end
    assert np.argmax(hidden["gradient"]) == np.argmax(hidden["grows"]) == np.argmax(hidden["moved"])
    assert sorted(hidden["moved"])[-1] > 3 * sorted(hidden["moved"])[-2]


def test_the_facts_are_plain_data(explained: Explanation, run: c.Run) -> None:
    facts = explained.facts()
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert [member["seed"] for member in facts["members"]] == [0]
    assert (facts["kind"], facts["version"], facts["windows"]) == ("explanation", run.record.version, 136)
    for member in facts["members"]:
        assert len(member["rows"]["curve"]) == LOOKBACK
        assert sum(part["share"] for part in member["parts"].values()) == pytest.approx(1, abs=1e-3)
        assert len(member["fed"]["curve"]) == member["steps"] == len(member["ways"][0]["map"])
        assert member["rows a step"] * member["steps"] == LOOKBACK


@pytest.mark.parametrize(("kind", "windows"), [("series", 2 * 68), ("joint", 99)])
def test_the_windows_are_those_that_a_backtest_forecasts(
    kind: str, windows: int, explained: Explanation, together: Explanation, echo: pd.DataFrame, joint: Any
) -> None:
    """All of a short file: the error with nothing hidden is that of the run's own forecasts, in deviations."""
    found, data = {"series": (explained, short(echo)), "joint": (together, joint[1][:150])}[kind]
    done = c.backtest(data, found.run.path, start=found.run.record.lookback)
    errors = np.abs(done.forecasts["model"] - done.came.values) / done.came.scale[:, None]
    assert found.occlusion.error == pytest.approx(errors.mean(), rel=1e-4)
    assert found.windows == windows == len(errors) // len(found.run.record.schema.targets)


def test_the_arrays_have_every_number(explained: Explanation, together: Explanation, tmp_path: Path) -> None:
    found = explained.arrays()
    np.savez(tmp_path / "explained.npz", **found)
    rows = found["member0_rows_ahead"]
    assert rows.shape == (STEPS, LOOKBACK, 1)
    np.testing.assert_allclose(rows.mean(axis=(0, 2)), explained.facts()["members"][0]["rows"]["curve"], rtol=1e-3)
    steps = explained.facts()["members"][0]["steps"]
    assert found["member0_forward_memory_loss"].shape == found["member0_forward_state_loss"].shape == (steps, 3)
    assert found["member0_filters"].shape == (8, 1, 4)
    assert found["occlusion_moved"].shape == (LOOKBACK // 2, STEPS)
    found = together.arrays()
    assert found["member0_rows_ahead"].shape == (4, 48, 2)


def test_the_picture_is_legible_at_80_columns(explained: Explanation, together: Explanation) -> None:
    facts = explained.facts()
    text = drawn(facts)
    assert max(map(len, text.splitlines())) <= 80
    assert "\u2026" not in text, "something was cut off"
    assert f"Hidden, these move the forecast most: rows {LAG}-{LAG + 1}" in text
    assert "Gradients and hiding rows point at the same segments" in text
    member = facts["members"][0]
    assert f"comes from the newest {member['rows']['half']} of 32" in text
    assert "░ 0.1 %, ▒ 1 %, ▓ 5 %, █ 30 % of the largest" in text
    assert all(f"-{back} " in text for back in range(1, member["steps"]))
    text = drawn(together.facts())
    assert "load [kW]" in text
    assert "\u2026" not in text


def test_a_way_that_is_read_backwards_is_told_as_the_mirror_of_the_other(explained: Explanation) -> None:
    """From the oldest step, which it reads last."""
    (member,) = explained.members
    (way,) = member.gradients.ways
    mirror = replace(
        way,
        backwards=True,
        memory=replace(way.memory, loss=way.memory.loss[::-1], ahead=way.memory.ahead[:, ::-1]),
        state=replace(way.state, loss=way.state.loss[::-1], ahead=way.state.ahead[:, ::-1]),
    )
    both = replace(explained, members=(replace(member, gradients=replace(member.gradients, ways=(way, mirror))),))
    facts = both.facts()
    forward, backward = facts["members"][0]["ways"]
    for part in ("memory", "state"):
        assert 0 < forward[part]["ratio"] != 1
        for fact in ("reach", "half", "ratio", "flow"):
            assert backward[part][fact] == forward[part][fact]
        for fact in ("curve", "loss"):
            assert backward[part][fact] == forward[part][fact][::-1]
    assert both.arrays()["member0_backward_memory_loss"].shape == way.memory.loss.shape
    assert "forget, backward" in drawn(facts)


def test_units_that_do_nothing_are_named(run: c.Run, echo: pd.DataFrame, tmp_path: Path) -> None:
    """Of two networks, the one with a forget gate held open and an input gate held shut by hand."""
    import keras

    copy = c.Run.open(shutil.copytree(run.path, tmp_path / "run"))
    path = copy.folder / "members" / "0.keras"
    shutil.copy(path, path.with_name("1.keras"))
    told = json.loads((copy.folder / "run.json").read_text())
    (member,) = told["members"]
    told["members"] = [member, {**member, "seed": 5, "kept": False}, {**member, "seed": 7}]
    (copy.folder / "run.json").write_text(json.dumps(told))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = keras.models.load_model(path)
    cell = model.get_layer("lstm")
    kernel, recurrent, bias = cell.get_weights()
    bias[3 + 2], bias[1] = 50, -50
    cell.set_weights([kernel, recurrent, bias])
    model.save(path)
    facts = explain(copy.path, echo, windows=16).facts()
    assert facts["windows"] == 16
    assert [member["seed"] for member in facts["members"]] == [0, 7]  # those that are averaged
    way, other = (member["ways"][0] for member in facts["members"])
    assert way["dead"] == [1]
    assert way["gates"]["forget"]["always open"] == [2]
    assert way["gates"]["input"]["always shut"] == [1]
    assert way["gates"]["input"]["shut"] >= 0.333
    assert other["gates"]["forget"]["always open"] == other["dead"] == []
    text = " ".join(drawn(facts).split())
    assert "unit 1 of 3 dead, always near zero" in text
    assert "forget gate always open in unit 2 of 3" in text


def test_of_the_linear_model_alone_there_is_the_occlusion(run: c.Run, echo: pd.DataFrame, tmp_path: Path) -> None:
    copy = c.Run.open(shutil.copytree(run.path, tmp_path / "run"))
    path = copy.folder / "run.json"
    told = path.read_text().replace('"kept": true', '"kept": false')
    path.write_text(told.replace('"simple": []', '"simple": ["linear"]'))
    facts = explain(copy.path, echo, windows=16).facts()
    assert facts["members"] == []
    assert (facts["occlusion"]["gradient"], facts["occlusion"]["agreement"]) == ([], None)
    assert "no network, but the linear model" in " ".join(drawn(facts).split())


def test_weights_of_another_network_are_refused(
    run: c.Run, echo: pd.DataFrame, joint: tuple[c.Run, pd.DataFrame], tmp_path: Path
) -> None:
    copy = c.Run.open(shutil.copytree(run.path, tmp_path / "run"))
    shutil.copy(joint[0].folder / "members" / "0.keras", copy.folder / "members" / "0.keras")
    with pytest.raises(DataError, match=r"does not hold the network that its run\.json tells of"):
        explain(copy.path, echo, windows=16)


def test_one_window_is_too_few(run: c.Run, echo: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"1 windows of 33 rows without a hole\. Give at least 34 rows"):
        explain(run.path, echo[:33])


def test_where_tensorflow_is_missing_it_says_so(run: c.Run, echo: pd.DataFrame, tmp_path: Path) -> None:
    script = """
import sys
sys.modules["tensorflow"] = None
from cnnlstm_cli.errors import UsageError
from cnnlstm_cli.explanation import explain
try:
    explain(*sys.argv[1:])
except UsageError as error:
    print(error)
"""
    echo.to_csv(tmp_path / "echo.csv", index=False)
    done = subprocess.run(
        [sys.executable, "-c", script, run.path, tmp_path / "echo.csv"], capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("looking into a network needs tensorflow, which is not installed here."), done.stderr


@pytest.mark.parametrize(
    ("rank", "said"),
    [
        (0.9, "point at the same segments (rank correlation 0.90)."),
        (0.5, "agree in part"),
        (-0.2, "DISAGREE"),
        (None, "Too few segments"),
    ],
)
def test_how_far_both_agree_is_said(rank: float | None, said: str) -> None:
    assert said in agreed(rank)
