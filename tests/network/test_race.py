"""Several networks at a time: which are kept, that threads change no number, how they start and how they end."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cnnlstm_cli.config import Spec
from cnnlstm_cli.errors import DataError, UsageError
from cnnlstm_cli.evaluation import ridge
from cnnlstm_cli.evaluation.baselines import of_lookback
from cnnlstm_cli.network.build import average, build, linear_network, start_linear
from cnnlstm_cli.network.checkpoint import Epoch
from cnnlstm_cli.network.export import export
from cnnlstm_cli.network.fit import fit
from cnnlstm_cli.network.race import Race, race, refit
from cnnlstm_cli.series.windows import Windows
from cnnlstm_cli.specs import LIGHT, REGULARISED, SEEDS_APART, ModelSpec, TrainSpec

pytestmark = pytest.mark.slow

SPEC = ModelSpec(filters=8, kernel=6, units=7)
TWO = TrainSpec(epochs=3, members=2)


class Follower:
    """A watcher that remembers, and answers Ctrl-C as it was told to; it may press it itself."""

    def __init__(self, keep: bool = False, press_after: int | None = None) -> None:
        self.told: list[tuple[int, int, Epoch | None]] = []
        self.keep, self.press_after = keep, press_after

    def stepped(self, step: int, steps: int, epoch: Epoch | None) -> None:
        assert threading.current_thread() is threading.main_thread()
        self.told.append((step, steps, epoch))
        if self.press_after is not None and epoch and epoch.number >= self.press_after:
            raise KeyboardInterrupt

    def keep_interrupted(self) -> bool:
        return self.keep


@pytest.fixture
def waves(random: np.random.Generator) -> Windows:
    t = np.arange(900)
    series = np.sin(t * 2 * np.pi / 12) + 0.5 * np.sin(t * 2 * np.pi / 31) + random.normal(0, 0.05, 900)
    return Windows(series.astype(np.float32)[:, None], 23, 5, np.arange(600), np.arange(650, 850))


def run(
    windows: Windows,
    train: TrainSpec = TWO,
    follower: Follower | None = None,
    seconds: float | None = None,
    **changes: Any,
) -> Race:
    spec = Spec(model=replace(SPEC, **changes), train=train)
    networks = spec.networks(len(windows.training), windows.lookback, windows.horizon)
    linear = ridge.fit(windows)
    simple = of_lookback(windows.lookback, windows.horizon, [], linear) if train.linear else {}
    return race(networks, windows, train, linear, follower or Follower(), simple=simple, seconds=seconds)


def came(windows: Windows) -> np.ndarray:
    return windows.values[windows.validation[:, None] + windows.lookback + np.arange(windows.horizon)]


def lookbacks(windows: Windows) -> np.ndarray:
    return windows.values[windows.validation[:, None] + np.arange(windows.lookback)]


def test_the_average_is_of_those_that_are_kept_and_of_simpler_forecasts(
    waves: Windows, random: np.random.Generator
) -> None:
    noise = random.normal(size=waves.values.shape).astype(np.float32)
    few = replace(waves, values=noise, validation=waves.validation[:5])
    raced = run(few, TWO, start="zero")
    assert [member.fit.validation for member in raced.trained] == sorted(m.fit.validation for m in raced.trained)
    models = of_lookback(23, 5, [], ridge.fit(few))
    forecasts = [np.asarray(member.model(lookbacks(few))) for member in raced.kept]
    forecasts += [ridge.linear(few, models[name]) for name in raced.simple]
    shares = [*(weight for weight in raced.weights if weight), *raced.simple.values()]
    assert len(shares) > 2
    assert sum(shares) == pytest.approx(1)
    np.testing.assert_allclose(raced.forecast, np.average(forecasts, axis=0, weights=shares), atol=1e-5)


def test_of_sums_of_waves_the_linear_model_makes_no_error_and_is_taken_alone(waves: Windows) -> None:
    raced = run(waves, replace(TWO, epochs=1), start="zero")
    assert list(raced.simple) == ["linear"]
    assert not raced.kept
    assert not run(waves, replace(TWO, epochs=1, linear=False)).simple


def test_the_linear_model_is_not_averaged_with_a_network_that_still_is_it(waves: Windows) -> None:
    values = (np.cumsum(np.ones(900)) % 2).astype(np.float32)[:, None]  # it makes no error: nothing does better
    raced = run(replace(waves, values=values), replace(TWO, epochs=1, members=1), start="linear")
    assert raced.trained[0].fit.best == 0
    assert raced.kept
    assert "linear" not in raced.simple


def test_threads_change_no_number(waves: Windows) -> None:
    together, after_each_other = (run(waves, replace(TWO, jobs=jobs)) for jobs in (2, 1))
    np.testing.assert_array_equal(together.forecast, after_each_other.forecast)
    assert [m.seed for m in together.trained] == [m.seed for m in after_each_other.trained]


def test_each_candidate_has_its_turn_and_each_member_a_seed_of_its_own(waves: Windows) -> None:
    entries = {}
    for members in (1, 2):
        for member in run(waves, replace(TWO, members=members, seed=4, epochs=1)).trained:
            entries[member.seed] = member.spec
    assert entries[4].conv_dropout == REGULARISED["conv_dropout"]
    assert entries[4 + SEEDS_APART].dropout == LIGHT["dropout"]
    assert [spec.start for spec in SPEC.candidates(600)] == ["zero", "linear"]
    assert [spec.start for spec in SPEC.candidates(60_000)] == ["zero", "zero"]
    assert {spec.start for spec in replace(SPEC, start="linear").candidates(60_000)} == {"linear"}
    assert [spec.dropout for spec in replace(SPEC, conv_dropout=0.5).candidates()] == [0.3]
    assert [spec.recurrent_dropout for spec in replace(SPEC, cell_activation="relu").candidates()] == [0, 0]


def test_the_second_sees_the_newer_half_where_that_is_enough_and_windows_are_neither_few_nor_many() -> None:
    spec = replace(SPEC, kernel=24)

    def seen(windows: int, lookback: int, horizon: int) -> list[int | None]:
        return [each.seen for each in spec.candidates(windows, lookback, horizon)]

    assert seen(10_000, 336, 24) == [None, 168]
    assert seen(10_000, 312, 24) == [None, 168], "in whole kernels"
    assert seen(10_000, 336, 167) == [None, 168]
    assert seen(10_000, 336, 168) == [None, None], "more than is forecast"
    assert seen(10_000, 144, 24) == [None, None], "several kernels"
    assert seen(600, 336, 24) == seen(200_000, 336, 24) == [None, None]
    assert [each.seen for each in replace(spec, seen=96).candidates(10_000, 336, 24)] == [96, 96]
    assert not replace(spec, seen=96).can_start_linear


def test_a_network_sees_no_more_than_its_newest_rows(waves: Windows, tmp_path: Any) -> None:
    model = build(replace(SPEC, **REGULARISED, seen=12), 23, 5, 1, seed=0)
    rows = lookbacks(waves)[:4]
    older = rows.copy()
    older[:, : 23 - 12] += 100
    np.testing.assert_array_equal(model(rows), model(older))
    older[:, 23 - 12] += 100
    assert np.any(np.asarray(model(rows)) != np.asarray(model(older)))
    assert export(model, tmp_path / "model.onnx") < 1e-5


def test_many_windows_are_regularised_less() -> None:
    assert [(one.dropout, other.dropout) for one, other in (SPEC.candidates(99_999), SPEC.candidates(100_000))] == [
        (REGULARISED["dropout"], LIGHT["dropout"]),
        (LIGHT["dropout"], 0),
    ]
    (given,) = replace(SPEC, dropout=0.7).candidates(100_000)
    assert (given.dropout, given.conv_dropout) == (0.7, REGULARISED["conv_dropout"])


def test_a_network_that_starts_linear_forecasts_as_the_linear_model(waves: Windows) -> None:
    weights = ridge.fit(waves)
    model = build(replace(SPEC, **LIGHT, start="linear"), 23, 5, 1, seed=0)
    assert not np.allclose(model(lookbacks(waves))[:, :, 0], ridge.linear(waves, weights)[:, :, 0], atol=1e-3)
    start_linear(model, weights)
    np.testing.assert_allclose(model(lookbacks(waves)), ridge.linear(waves, weights), atol=1e-5)
    before = [np.array(weight) for weight in model.get_weights()]
    fit(model, replace(waves, validation=waves.validation[:0]), TrainSpec(epochs=1))
    moved = [np.any(old != new) for old, new in zip(before, model.get_weights(), strict=True)]
    assert all(moved[place] for place, weight in enumerate(model.weights) if "head" in weight.path)
    assert all(moved[place] for place, weight in enumerate(model.weights) if "kernel" in weight.path)


def test_what_training_does_not_make_better_is_left_as_it_began(random: np.random.Generator) -> None:
    """Training rows that say the opposite of the validation rows: the start is best, and it is what is kept."""
    t = np.arange(400)
    series = np.where(t < 250, np.sin(t), np.sin(2.3 * t) * 3) + random.normal(0, 0.3, 400)
    windows = Windows(series.astype(np.float32)[:, None], 23, 5, np.arange(200), np.arange(260, 370))
    train = TrainSpec(epochs=4, members=1, learning_rate=0.05, linear=False)
    raced = run(windows, train, start="linear", dropout=0.0)
    (member,) = raced.trained
    assert member.fit.best == 0
    np.testing.assert_allclose(raced.forecast, ridge.linear(windows, ridge.fit(windows)), atol=1e-4)
    anew = refit(raced.trained, windows, None, ridge.fit(windows), Follower())
    assert anew is not None
    np.testing.assert_allclose(anew[0].model(lookbacks(windows)), raced.forecast, atol=1e-4)


def test_refitting_is_a_training_on_all_windows_up_to_the_best_epoch(waves: Windows) -> None:
    train = replace(TWO, epochs=4)
    raced = run(waves, replace(train, linear=False), start="zero")
    everything = replace(waves, training=np.arange(872), validation=np.arange(0))
    anew = refit(raced.trained, everything, None, None, Follower())
    assert anew is not None
    for old, new in zip(raced.trained, anew, strict=True):
        model = build(old.spec, 23, 5, 1, seed=old.seed)
        alone = fit(model, everything, replace(train, seed=old.seed, epochs=old.fit.best))
        assert len(alone.history) == len(new.fit.history) == old.fit.best
        np.testing.assert_array_equal(model(lookbacks(waves)), new.model(lookbacks(waves)))
        assert np.any(np.asarray(old.model(lookbacks(waves))) != np.asarray(new.model(lookbacks(waves))))


def test_the_average_is_one_network_that_exports(waves: Windows, tmp_path: Any) -> None:
    models = [build(replace(SPEC, **REGULARISED), 23, 5, 1, seed=seed) for seed in range(3)]
    shares = [0.5, 0.3, 0.2]
    expected = np.average([np.asarray(model(lookbacks(waves))) for model in models], axis=0, weights=shares)
    network = average(models, shares)
    np.testing.assert_allclose(network(lookbacks(waves)), expected, atol=1e-6)
    assert network.count_params() == 3 * models[0].count_params()
    assert export(network, tmp_path / "model.onnx") < 1e-5
    assert average(models[:1], [1.0]) is models[0]


def test_the_linear_model_is_averaged_with_networks_that_know_the_calendar(waves: Windows, tmp_path: Any) -> None:
    weights, told = ridge.fit(waves), np.zeros((200, 5, 4), dtype=np.float32)
    spec = replace(SPEC, **REGULARISED)
    model, linear = build(spec, 23, 5, 1, 4, seed=0), linear_network(weights, 1)
    np.testing.assert_allclose(linear(lookbacks(waves)), ridge.linear(waves, weights), atol=1e-5)
    expected = 0.75 * np.asarray(model([lookbacks(waves), told])) + 0.25 * np.asarray(linear(lookbacks(waves)))
    for members, shares in (([model, linear], [0.75, 0.25]), ([linear, model], [0.25, 0.75])):
        network = average(members, shares)
        np.testing.assert_allclose(network([lookbacks(waves), told]), expected, atol=1e-6)
        assert export(network, tmp_path / "model.onnx") < 1e-5


LONG = TrainSpec(epochs=100_000, patience=100_000, members=2)


def test_an_interrupted_race_keeps_what_it_has_when_told_to(waves: Windows) -> None:
    raced = run(waves, LONG, Follower(keep=True, press_after=2))
    assert raced.interrupted
    assert raced.trained[0].fit.history
    with pytest.raises(KeyboardInterrupt):
        run(waves, LONG, Follower(keep=False, press_after=2))
    assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]


def test_an_interrupted_refitting_is_none(waves: Windows) -> None:
    raced = run(waves, replace(TWO, epochs=1))
    long = [replace(member, fit=replace(member.fit, best=100_000)) for member in raced.trained]
    everything = replace(waves, validation=np.arange(0))
    assert refit(long, everything, None, None, Follower(keep=True, press_after=1)) is None


def test_a_time_limit_ends_a_race_with_what_it_has(waves: Windows) -> None:
    raced = run(waves, LONG, seconds=2.0)
    assert raced.interrupted
    assert all(1 <= len(member.fit.history) < 100_000 for member in raced.trained)


def test_an_error_of_one_member_ends_the_others_and_is_told(waves: Windows) -> None:
    values = waves.values.copy()
    values[:100] = np.nan
    with pytest.raises(DataError, match=r"train\.learning_rate"):
        run(replace(waves, values=values), LONG, start="zero")


@pytest.mark.parametrize("error", [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "OOM")])
def test_a_network_that_there_is_no_memory_for_is_told(waves: Windows, monkeypatch: Any, error: Exception) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("cnnlstm_cli.network.fit._optimizer", fail)
    with pytest.raises(UsageError, match=r"not enough memory .* fewer model\.filters"):
        run(waves)


def test_progress_adds_up_over_the_members(waves: Windows) -> None:
    follower = Follower()
    run(waves, TWO, follower)
    steps = [step for step, _, _ in follower.told]
    assert steps == sorted(steps)
    assert follower.told[-1][0] == follower.told[-1][1] > 0
    assert follower.told[-1][2].number == 3  # type: ignore[union-attr]
