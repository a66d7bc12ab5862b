"""`--levels`: intervals in forecasts and backtests, as calibrated, written and scored."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pandas as pd
import pytest

import cnnlstm_cli as c
from cnnlstm_cli.errors import DataError, UsageError
from cnnlstm_cli.runs.directory import RunDirectory
from tests import SAMPLES
from tests.command import command

ROWS, STEPS = 900, 12
SMALL = {"model": {"filters": 4}, "train": {"epochs": 3, "members": 1, "refit": False}}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """A day's swell that is noisy by day alone, and another column of another size that never is below 0."""
    random, hours = np.random.default_rng(0), np.arange(ROWS)
    swell = np.sin(hours * np.pi / 12)
    noise = random.standard_normal(ROWS) * np.where(hours % 24 < 12, 0.5, 0.05)
    times = pd.date_range("2024-01-01", periods=ROWS, freq="h")
    return pd.DataFrame({"time": times, "a": 10 + swell + noise, "b": np.maximum(0, 90 * (swell + noise))})


@pytest.fixture(scope="module")
def run(frame, tmp_path_factory) -> c.Run:
    return c.train(frame[:700], tmp_path_factory.mktemp("intervals") / "run", settings=SMALL, horizon=STEPS)


def test_they_stand_behind_the_targets_and_around_them(frame, run):
    made = run.predict(frame[:720], levels=(95, 80))
    ends = [f"{name}-{side}-{level}" for name in "ab" for level in (95, 80) for side in ("lo", "hi")]
    assert list(made) == ["time", "a", "b", *ends]
    for name in "ab":
        order = [f"{name}-lo-95", f"{name}-lo-80", name, f"{name}-hi-80", f"{name}-hi-95"]
        assert (np.diff(made[order], axis=1) >= 0).all()
    assert made["b-lo-95"].min() == 0
    pd.testing.assert_frame_equal(run.predict(frame[:720]), made[["time", "a", "b"]])
    first = run.forecast(frame[:720], 5).frame(levels=(80,))
    np.testing.assert_allclose(first["a-lo-80"], made["a-lo-80"][:5], atol=1e-5)


def test_they_are_wider_where_rows_were_harder(frame, run):
    made = run.predict(frame[:720], levels=(80,))  # from midnight on, noisy until noon
    assert frame["time"][720].hour == 0
    later = run.predict(frame[:732], levels=(80,))
    width = [(each["a-hi-80"] - each["a-lo-80"]).mean() for each in (made, later)]
    assert width[0] > 2 * width[1]


def test_a_backtest_scores_the_intervals_that_predict_writes(frame, run):
    done = c.backtest(frame, run.path, start=720, stride=7)
    low, high = done.ends["model"][95.0]
    for origin in (720, 727, 804):
        place = (done.origins == origin - 1) & (done.came.column == 1)
        made = run.predict(frame[:origin], levels=(95,))
        np.testing.assert_allclose(low[place][0], made["b-lo-95"], atol=2e-3)
        np.testing.assert_allclose(high[place][0], made["b-hi-95"], atol=2e-3)
    scores = done.scores()["model"]
    inside = (done.came.values >= low) & (done.came.values <= high)
    assert scores["coverage-95"] == pytest.approx(100 * inside.mean())
    assert scores["width-95"] == pytest.approx(((high - low) / done.came.scale[:, None]).mean())
    below, above = np.maximum(low - done.came.values, 0), np.maximum(done.came.values - high, 0)
    scaled = (high - low + 40 * (below + above)) / done.came.naive[:, None]
    assert scores["msis-95"] == pytest.approx(scaled.mean())
    assert scores["coverage-80"] == pytest.approx(80, abs=8)
    assert {"coverage-80", "msis-95"} <= done.scores()["seasonal naive 24"].keys()
    assert "coverage-80" not in done.scores()["linear"]
    by_step = done.scores_by("step")
    assert np.mean([by_step[str(k + 1)]["model"]["coverage-95"] for k in range(STEPS)]) == pytest.approx(
        100 * inside.mean()
    )


def test_the_seasonal_naives_are_made_of_its_errors(frame, run):
    """Of the rows before the first origin: four in five of them are within those of 80 %."""
    done = c.backtest(frame, run.path, start=700)
    low, high = done.ends["seasonal naive 24"][80.0]
    own = done.came.column == 0
    values = frame["a"].to_numpy()
    errors = np.concatenate([values[k : k + STEPS] - values[k - 24 : k - 24 + STEPS] for k in range(336, 700 - STEPS)])
    size = np.quantile(np.abs(errors), 0.8)
    assert (high - low)[own].mean() == pytest.approx(2 * size, rel=0.1)


def test_levels_are_those_of_the_training(frame, run, tmp_path):
    with pytest.raises(UsageError, match="no interval of 90 % is calibrated, but 80, 95"):
        run.predict(frame, levels=(90,))
    other = c.train(frame[["time", "a"]][:700], tmp_path / "run", settings=SMALL, horizon=STEPS, levels=[50, 99.5])
    assert other.levels() == (50.0, 99.5)
    assert list(other.predict(frame, levels=(99.5,)))[-2:] == ["a-lo-99.5", "a-hi-99.5"]
    with pytest.raises(UsageError, match="six digits at most"):
        c.train(frame, tmp_path / "none", levels=[33.3333333])
    for wrong in ([0], [80, 100]):
        with pytest.raises(UsageError, match=r"train\.levels must be between 1 and 99\.9"):
            c.train(frame, tmp_path / "none", levels=wrong)


def test_a_column_named_as_an_interval_is_not_overwritten(frame, tmp_path):
    data = frame.rename(columns={"b": "a-lo-80"})[:700]
    odd = c.train(data, tmp_path / "run", settings=SMALL, horizon=STEPS)
    assert list(odd.predict(data)) == ["time", "a", "a-lo-80"]
    with pytest.raises(UsageError, match="column 'a-lo-80' is in the data and would be an interval"):
        odd.predict(data, levels=(80,))


def test_damaged_intervals_are_refused(frame, run):
    path = RunDirectory(run.path).folder() / "run.json"
    whole = path.read_text()
    facts = json.loads(whole)
    facts["intervals"]["a"]["profile"].pop()
    path.write_text(json.dumps(facts))
    with pytest.raises(DataError, match=r"run.json is damaged: intervals: not as many numbers"):
        c.predict(frame, run.path)
    path.write_text(whole)


@pytest.mark.slow
def test_the_commands_write_and_score_them(air):
    data = SAMPLES / "air_passengers.csv"
    done = command("predict", data, "--run", air, "--levels", "80,95", "-q")
    assert done.stdout.splitlines()[0] == ",".join(
        ["Month", "#Passengers", *(f"#Passengers-{side}-{level}" for level in (80, 95) for side in ("lo", "hi"))]
    )
    long = command("predict", data, "--run", air, "--levels", "95", "--long", "-q", "-H", "1").stdout
    assert long.startswith("Month,target,value,lo-95,hi-95\n1961-01,#Passengers,")
    facts = json.loads(command("backtest", data, "--run", air, "--from", "115", "--json").stdout)
    assert {"coverage-80", "width-80", "msis-80"} <= facts["scores"]["model"].keys()
    refused = command("predict", data, "--run", air, "--levels", "eighty")
    assert (refused.returncode, refused.stdout) == (2, "")


def test_sample_paths_spread_as_the_intervals_do(frame, run):
    made = run.predict(frame[:720], levels=(80,))
    paths = c.sample(frame[:720], run.path, 600)
    assert list(paths) == ["sample", "time", "a", "b"]
    assert len(paths) == 600 * STEPS
    assert paths["b"].min() == 0
    pd.testing.assert_frame_equal(paths, c.sample(frame[:720], run.path, 600))
    by_step = paths.pivot_table("a", "sample", "time")
    width = np.diff(by_step.quantile([0.1, 0.9]).to_numpy(), axis=0)[0]
    expected = (made["a-hi-80"] - made["a-lo-80"]).to_numpy()
    assert width.mean() == pytest.approx(expected.mean(), rel=0.2)
    assert np.corrcoef(width, expected)[0, 1] > 0.9
    short = c.sample(frame[:720], run.path, 2, horizon=3)
    np.testing.assert_allclose(short["a"][:3], paths["a"][:3])


def test_errors_that_are_none_are_refused(frame, run, tmp_path):
    copy = c.Run.open(shutil.copytree(run.path, tmp_path / "run"))
    path = copy.folder / "errors.npy"
    whole = np.load(path)
    file = copy.folder / "run.json"
    for wrong in (whole[:, :-1], whole.astype(np.float64), whole * np.nan, whole[:0], np.array(["x"]), b"no array"):
        if isinstance(wrong, bytes):
            path.write_bytes(wrong)
        else:
            np.save(path, wrong)
        with pytest.raises(DataError, match=r"is damaged: not what run\.json says"):
            c.sample(frame, copy.path, 5)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        file.write_text(json.dumps(json.loads(file.read_text()) | {"errors": sha256}))
        with pytest.raises(DataError, match="Train again"):
            c.sample(frame, copy.path, 5)
    np.save(tmp_path / "elsewhere.npy", whole)
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere.npy")
    with pytest.raises(DataError, match="not followed"):
        c.sample(frame, copy.path, 5)
    with pytest.raises(UsageError, match="--samples must be 1 or more"):
        c.sample(frame, run.path, 0)
    with pytest.raises(UsageError, match="would be over 50,000,000 numbers"):
        c.sample(frame, run.path, 10**19)


def test_no_forecast_is_lower_than_is_said(frame, tmp_path):
    options = {"settings": SMALL, "horizon": STEPS, "lookback": 48}
    with pytest.raises(UsageError, match=r"values are below --lower 9, the first 8\.\d+ in column 'a' at 2024-01-"):
        c.train(frame[["time", "a"]], tmp_path / "run", lower=9, **options)
    deeper = frame[["time", "a"]].assign(a=frame["a"] - 40)
    free = c.train(deeper[:700], tmp_path / "run", **options).predict(deeper[:716], levels=(95,))
    lower = deeper["a"].min()
    held = c.train(deeper[:700], tmp_path / "run", lower=lower, **options).predict(deeper[:716], levels=(95,))
    assert free["a-lo-95"].min() < lower - 0.1
    np.testing.assert_allclose(held["a-lo-95"], np.maximum(free["a-lo-95"], lower), atol=1e-4)
