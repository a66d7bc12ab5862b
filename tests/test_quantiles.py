"""`train.intervals=quantile`: intervals that a network of their own learnt, from training to forecast and backtest."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import cnnlstm_cli as c
from cnnlstm_cli.bands import FEWEST_EPOCHS, learn
from cnnlstm_cli.candidate import Candidate, Watcher
from cnnlstm_cli.config import spec_from
from cnnlstm_cli.errors import DataError, UsageError
from cnnlstm_cli.series.reader import read_training
from cnnlstm_cli.specs import TrainSpec
from cnnlstm_cli.warm import Warm, begin

ROWS, KNOWN, STEPS = 1_400, 1_000, 12
OPTIONS: dict[str, Any] = {"horizon": STEPS, "lookback": 48}
TRAIN = {"epochs": 2, "members": 1, "refit": False, "intervals": "quantile"}
SMALL: dict[str, Any] = {"model": {"filters": 4}, "train": TRAIN}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """A day's swell that is noisy by day alone, and another column of another size that never is below 0."""
    random, hours = np.random.default_rng(0), np.arange(ROWS)
    swell = np.sin(hours * np.pi / 12)
    noise = random.standard_normal((2, ROWS)) * np.where(hours % 24 < 12, 0.5, 0.05)
    times = pd.date_range("2024-01-01", periods=ROWS, freq="h")
    return pd.DataFrame({"time": times, "a": 10 + swell + noise[0], "b": np.maximum(0, 90 * (swell + noise[1]))})


@pytest.fixture(scope="module")
def first(frame, tmp_path_factory) -> c.Run:
    return c.train(frame[:KNOWN], tmp_path_factory.mktemp("quantiles") / "run", settings=SMALL, **OPTIONS)


@pytest.fixture
def run(first, tmp_path) -> c.Run:
    """A copy to tamper with."""
    return c.Run.open(shutil.copytree(first.path, tmp_path / "run"))


def tell(run: c.Run, change: dict[str, Any]) -> c.Run:
    """Another fact `quantiles` in run.json."""
    path = run.folder / "run.json"
    document = json.loads(path.read_text())
    document["quantiles"] |= change
    path.write_text(json.dumps(document))
    return c.Run.open(run.path)


def test_they_stand_around_the_forecast_wide_where_it_is_noisy(frame, first):
    made = first.predict(frame[:1008], levels=(80, 95))  # from midnight on, noisy until noon
    assert frame["time"][1008].hour == 0
    for name in "ab":
        order = [f"{name}-lo-95", f"{name}-lo-80", name, f"{name}-hi-80", f"{name}-hi-95"]
        assert (np.diff(made[order], axis=1) >= 0).all()
    later = first.predict(frame[:1020], levels=(80,))
    width = [(each["a-hi-80"] - each["a-lo-80"]).mean() for each in (made, later)]
    assert width[0] > 2 * width[1]
    assert made["b-lo-95"].min() == 0
    short = first.forecast(frame[:1008], 5).frame(levels=(95,))
    np.testing.assert_allclose(short["a-lo-95"], made["a-lo-95"][:5], atol=1e-5)


def test_rows_that_no_network_has_seen_lie_within_as_often_as_promised(frame, first):
    """Four hundred rows, forecast twelve times each: some forty windows apart, of errors that go on over a few rows."""
    scores = c.backtest(frame, first.path, start=KNOWN).scores()
    for level in (80, 95):
        error = 100 * np.sqrt(level / 100 * (1 - level / 100) / (ROWS - KNOWN))
        assert abs(scores["model"][f"coverage-{level}"] - level) < 3 * error
        assert scores["model"][f"msis-{level}"] < scores["seasonal naive 24"][f"msis-{level}"]


def test_a_backtest_scores_the_intervals_that_predict_writes(frame, first):
    done = c.backtest(frame, first.path, start=1020, stride=7)
    for level in (80.0, 95.0):
        low, high = done.ends["model"][level]
        for column, name in enumerate("ab"):
            place = (done.origins == 1033) & (done.came.column == column)
            made = first.predict(frame[:1034], levels=(level,))
            np.testing.assert_allclose(low[place][0], made[f"{name}-lo-{level:g}"], atol=2e-3)
            np.testing.assert_allclose(high[place][0], made[f"{name}-hi-{level:g}"], atol=2e-3)


def test_without_their_network_the_run_is_that_of_local_ones(frame, run):
    """The errors on a local scale are kept beside, and the forecast is the same."""
    learnt = run.predict(frame[:1008], levels=(80,))
    local = tell(run, {"network": ""})
    (run.folder / "quantiles.onnx").unlink()
    made = local.predict(frame[:1008], levels=(80,))
    pd.testing.assert_frame_equal(made[["a", "b"]], learnt[["a", "b"]])
    size = local.forecast(frame[:1008])
    low, high = local.intervals[0].ends[80.0]
    np.testing.assert_allclose(made["a-hi-80"] - made["a-lo-80"], (high - low) * size.size[0, :, 0], atol=1e-4)
    assert np.abs(made["a-hi-80"] - learnt["a-hi-80"]).max() > 0.05


def test_a_damaged_network_of_them_is_refused(frame, run):
    path = run.folder / "quantiles.onnx"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(DataError, match=r"quantiles\.onnx is damaged: not what run\.json says"):
        c.predict(frame, run.path)
    with pytest.raises(DataError, match=r"quantiles\.onnx is damaged"):
        c.backtest(frame, run.path)
    path.unlink()
    with pytest.raises(DataError, match=r"quantiles\.onnx: No such file"):
        c.predict(frame, run.path)


@pytest.mark.parametrize(
    ("which", "reason"),
    [
        ("of too many nodes", "holds no network to forecast with: it has over 100,000 nodes"),
        ("of the forecast itself", r"columns \(48, 12, 1\), run\.json says \(48, 12, 4\)"),
    ],
)
def test_another_network_in_its_place_is_refused(frame, run, which, reason):
    """Also where run.json tells its digest, as whoever made the run could."""
    many = b"\x3a\xc2\x9a\x0c" + b"\x0a\x00" * 100_001
    network = many if which == "of too many nodes" else (run.folder / "model.onnx").read_bytes()
    (run.folder / "quantiles.onnx").write_bytes(network)
    tell(run, {"network": hashlib.sha256(network).hexdigest()})
    with pytest.raises(DataError, match=reason):
        c.predict(frame, run.path)


@pytest.mark.parametrize(
    "wrong",
    [{}, {"a": {"80": 1.0, "95": 1.0}}, {name: {"80": 1.0} for name in "ab"}]
    + [{name: {"80": by, "95": 1.0} for name in "ab"} for by in (-1.0, float("nan"), 1e300)],
    ids=str,
)
def test_damaged_stretches_are_refused(frame, run, wrong):
    tell(run, {"stretches": wrong})
    with pytest.raises(DataError, match=r"run\.json is damaged: quantiles: "):
        c.predict(frame, run.path)


def test_targets_that_are_forecast_together_have_none(frame, tmp_path):
    joint = {"model": {"filters": 4, "channels": "joint"}, "train": TRAIN}
    with pytest.raises(UsageError, match=r"train\.intervals=quantile is for one target at a time.* puts 2 together"):
        c.train(frame, tmp_path / "run", settings=joint, **OPTIONS)
    assert not (tmp_path / "run").exists()


class Impatient(Watcher):
    """Presses Ctrl-C when the quantiles have an epoch, and keeps what there is."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def stepped(self, *told: Any) -> None:
        if told[2] and told[2].epochs == FEWEST_EPOCHS:
            raise KeyboardInterrupt

    def refitting(self) -> None:
        raise AssertionError("who is interrupted does not begin anew")

    def keep_interrupted(self) -> bool:
        return True


def test_interrupted_it_publishes_intervals_on_a_local_scale(frame, tmp_path):
    watcher = Impatient()
    settings = {**SMALL, "train": {**TRAIN, "refit": True}}
    made = c.train(frame[:600], tmp_path / "run", settings=settings, **OPTIONS, watcher=watcher)
    assert watcher.notes == [
        "intervals: interrupted or out of time for quantiles: made of errors on a local scale instead"
    ]
    assert made.record.facts["quantiles"] == {"network": "", "stretches": {}}
    assert not (made.folder / "quantiles.onnx").exists()
    assert list(made.predict(frame[:600], levels=(80,)))[-1] == "b-hi-80"


def test_a_warm_start_keeps_the_network(frame, run):
    before, network = run.record.facts["quantiles"], (run.folder / "quantiles.onnx").read_bytes()
    made = c.train(frame[: KNOWN + 60], run.path, settings=SMALL, **OPTIONS, warm_start=True)
    assert made.record.facts["warm_start"] == run.record.version
    assert made.record.facts["quantiles"] == before
    assert (made.folder / "quantiles.onnx").read_bytes() == network
    assert made.predict(frame, levels=(95,))["a-hi-95"].notna().all()


def test_a_warm_start_calibrates_it_on_new_rows_where_there_are_enough(frame, first):
    network, spec = (first.folder / "quantiles.onnx").read_bytes(), spec_from(OPTIONS, SMALL)
    asked, before = json.loads(json.dumps(spec.to_dict())), first.record.facts["quantiles"]["stretches"]
    for rows, enough in ((KNOWN + 60, False), (ROWS, True)):
        warm = begin(read_training(frame[:rows], spec.data), asked, spec, first)
        found = Candidate(warm.task, None, 0.0, warm.begun).stretches(network)
        assert (found != before) == enough


@pytest.mark.parametrize("levels", [(80, 95), (50,)])
def test_a_warm_start_is_none_where_the_version_has_no_such_quantiles(frame, run, levels):
    """Neither local intervals nor those of other levels can be gone on with."""
    current = run if levels == (50,) else tell(run, {"network": "", "stretches": {}})
    spec = spec_from({**OPTIONS, "levels": levels}, SMALL)
    asked = json.loads(json.dumps(spec.to_dict()))
    found = begin(read_training(frame, spec.data), asked, spec, current)
    assert found == f"version {run.record.version} holds no network of the quantiles that are asked for"
    local = spec_from({**OPTIONS, "levels": levels}, {**SMALL, "train": {**TRAIN, "intervals": "local"}})
    assert isinstance(begin(read_training(frame, spec.data), asked, local, current), Warm)


def test_without_time_there_are_none():
    """When the race was cut off, or took all of it."""
    task = SimpleNamespace(spec=SimpleNamespace(train=TrainSpec(time_limit=1.0)))
    for interrupted, started in ((True, time.perf_counter()), (False, time.perf_counter() - 2)):
        assert learn(task, SimpleNamespace(interrupted=interrupted, trained=[None]), Watcher(), started) is None
