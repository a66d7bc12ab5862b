"""Training: that it learns, repeats itself to the bit, keeps its best weights, and can be interrupted."""

from __future__ import annotations

import gc
import itertools
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest

from cnnlstm_cli.errors import DataError
from cnnlstm_cli.network import fit as fitting
from cnnlstm_cli.network.checkpoint import Epoch
from cnnlstm_cli.network.fit import Plan, _cycles, fit, plan, settled, shuffled
from cnnlstm_cli.series.windows import Windows
from cnnlstm_cli.specs import TrainSpec

Make = Callable[..., keras.Model]


@pytest.fixture
def waves(random: np.random.Generator) -> Windows:
    """A season of 12 and a slower wave, so that repeating the season is not enough."""
    t = np.arange(900)
    series = np.sin(t * 2 * np.pi / 12) + 0.5 * np.sin(t * 2 * np.pi / 31) + random.normal(0, 0.05, 900)
    return Windows(series.astype(np.float32)[:, None], 23, 5, np.arange(600), np.arange(650, 850))


def error(model: keras.Model, windows: Windows) -> float:
    """Mean absolute error over the validation windows, cut out one by one."""
    cut = windows.lookback
    rows = np.stack([windows.values[s : s + cut + windows.horizon] for s in windows.validation])
    return float(np.mean(np.abs(np.asarray(model(rows[:, :cut])) - rows[:, cut:])))


def seasonal_naive_error(windows: Windows, season: int) -> float:
    errors = [
        abs(windows.values[row, 0] - windows.values[row - season, 0])
        for start in windows.validation
        for row in range(start + windows.lookback, start + windows.lookback + windows.horizon)
    ]
    return float(np.mean(errors))


def test_a_training_that_is_done_with_leaves_no_graph_behind(small: Make, waves: Windows) -> None:
    """Of thousands, one after the other, each would hold some 40 MB."""

    def graphs() -> int:
        gc.collect()
        return sum(type(each).__name__ == "FuncGraph" for each in gc.get_objects())

    def train(seed: int) -> None:
        fit(small(seed=seed), waves, TrainSpec(epochs=1))

    train(0)
    before = graphs()
    train(1)
    train(2)
    assert graphs() <= before


def test_a_trained_network_beats_the_seasonal_naive_forecast(small: Make, waves: Windows) -> None:
    model = small()
    fitted = fit(model, waves, TrainSpec(epochs=15))
    assert error(model, waves) < 0.75 * seasonal_naive_error(waves, 12)
    assert [epoch.number for epoch in fitted.history] == list(range(1, len(fitted.history) + 1))
    assert all(a.seconds < b.seconds for a, b in zip(fitted.history, fitted.history[1:], strict=False))


def test_several_channels_train_as_one(small: Make, waves: Windows) -> None:
    both = replace(waves, values=np.concatenate([waves.values, -2 * waves.values], axis=1))
    fitted = fit(small(channels=2), both, TrainSpec(epochs=4))
    assert fitted.history[-1].validation < fitted.history[0].validation


@pytest.fixture
def noise(random: np.random.Generator) -> Windows:
    """Nothing to learn, and little of it: what is learnt all the same makes the validation loss worse."""
    values = random.normal(size=(300, 1)).astype(np.float32)
    return Windows(values, 23, 5, np.arange(60), np.arange(100, 250))


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_the_best_weights_are_put_back(
    schedule: Any, small: Make, noise: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "VALIDATION_BATCH", 64)  # 150 windows: the last batch is filled up, but not counted
    model = small()
    fitted = fit(model, noise, TrainSpec(epochs=20, learning_rate=0.01, patience=100, schedule=schedule))
    numbers = range(1, 21) if schedule == "constant" else itertools.accumulate(_cycles(20))
    ends = [fitted.history[number - 1].validation for number in numbers]
    assert min(ends) < 0.98 * ends[-1], "the last epoch is as good as the best: this test would see no difference"
    assert fitted.history[fitted.best - 1].validation == min(ends)
    assert error(model, noise) == pytest.approx(min(ends), rel=1e-5)


def test_training_stops_when_its_patience_is_spent(small: Make, noise: Windows) -> None:
    """A constant rate after so many epochs, a falling one after so many cycles."""
    constant = fit(small(), noise, TrainSpec(epochs=40, learning_rate=0.01, patience=3, schedule="constant"))
    assert len(constant.history) == constant.best + 3 < 40
    ends = Plan(40, 1, 1, 8, _cycles(40), 1).ends
    falling = fit(small(), noise, TrainSpec(epochs=40, learning_rate=0.01))
    assert falling.best in ends[:3]
    assert len(falling.history) == ends[ends.index(falling.best) + 2]
    hopeless = fit(small(), noise, TrainSpec(epochs=40, learning_rate=10.0, clipnorm=1000.0))
    assert (hopeless.best, len(hopeless.history)) == (0, ends[1])


@pytest.mark.parametrize("epochs", [1, 2, 3, 6, 9, 51, 100, 1000])
def test_a_cycle_is_about_as_long_as_all_before_it(epochs: int) -> None:
    cycles = _cycles(epochs)
    assert sum(cycles) == epochs
    assert len(cycles) <= fitting.MOST_CYCLES
    for number in range(1, len(cycles)):
        assert abs(cycles[number] - sum(cycles[:number])) <= 1


def test_without_validation_windows_the_rate_falls_once(
    small: Make, waves: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: list[Plan] = []
    trainer = fitting._trainer
    monkeypatch.setattr(fitting, "_trainer", lambda *given: plans.append(given[-1]) or trainer(*given))
    fitted = fit(small(), replace(waves, validation=waves.validation[:0]), TrainSpec(epochs=7))
    assert plans[0].cycles == (7,)
    assert (fitted.best, len(fitted.history)) == (7, 7)


ONE_CORE = "import os; os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])\n"
TRAIN = """
import hashlib, numpy as np
from cnnlstm_cli.specs import ModelSpec, TrainSpec
from cnnlstm_cli.network.build import build
from cnnlstm_cli.network.fit import fit
from cnnlstm_cli.series.windows import Windows

def trained(seed, order):
    values = np.random.default_rng(0).normal(size=(1_800, 1)).astype(np.float32)
    windows = Windows(values, 23, 5, np.arange(1_500), np.arange(1_500, 1_750))
    model = build(ModelSpec(kernel=6), 23, 5, 1, seed=seed)
    fit(model, windows, TrainSpec(epochs=2, batch_size=256, seed=order))
    return hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).hexdigest()
"""


def test_the_same_seed_gives_the_same_weights_here_again_and_in_another_process_on_one_core() -> None:
    here: dict[str, Callable[[int, int], str]] = {}
    exec(TRAIN, here)  # noqa: S102
    there = subprocess.run(
        [sys.executable, "-c", ONE_CORE + TRAIN + "print(trained(1, 5))"],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    weights = here["trained"](1, 5)
    assert weights == here["trained"](1, 5) == there.stdout.strip()
    assert weights != here["trained"](2, 5), "the seed of the weights changes nothing"
    assert weights != here["trained"](1, 6), "the seed of the order changes nothing"


@pytest.mark.parametrize("windows", [1, 8, 97, 600, 4_321])
def test_every_window_is_visited_each_epoch_and_none_much_more_often(windows: int, random: np.random.Generator) -> None:
    starts, course = np.arange(windows) * 3 + 11, plan(windows, TrainSpec())
    batches = shuffled(starts, course, random)
    assert batches.shape == (course.calls, course.steps, course.batch)
    visits = np.unique(batches, return_counts=True)
    np.testing.assert_array_equal(visits[0], starts)
    assert np.ptp(visits[1]) <= 1


def test_two_epochs_are_shuffled_differently(random: np.random.Generator) -> None:
    starts, course = np.arange(97), plan(97, TrainSpec())
    assert np.any(shuffled(starts, course, random) != shuffled(starts, course, random))


def test_of_very_many_windows_an_epoch_draws_some(monkeypatch: pytest.MonkeyPatch, random: np.random.Generator) -> None:
    monkeypatch.setattr(fitting, "WINDOWS_AN_EPOCH", 64)
    batches = shuffled(np.arange(1000), plan(1000, TrainSpec()), random)
    assert len(np.unique(batches)) == 64
    assert np.max(batches) > 500


@pytest.mark.parametrize(
    ("windows", "spec", "expected"),
    [
        (68, TrainSpec(), (1, 9, 8)),
        (13_676, TrainSpec(), (4, 14, 256)),
        (13_676, TrainSpec(batch_size=5), (171, 16, 5)),
        (5, TrainSpec(), (1, 1, 8)),
        (68, TrainSpec(batch_size=32), (1, 3, 32)),
        (68, TrainSpec(batch_size=1_000), (1, 1, 68)),
        (10**7, TrainSpec(), (64, 16, 256)),
    ],
)
def test_steps_fill_every_compiled_call(windows: int, spec: TrainSpec, expected: tuple[int, int, int]) -> None:
    course = plan(windows, spec)
    assert (course.calls, course.steps, course.batch) == expected


def test_epochs_follow_from_the_steps_they_take_unless_given() -> None:
    assert plan(13_676, TrainSpec()).total == pytest.approx(fitting.STEPS, rel=0.05)
    assert plan(10**6, TrainSpec()).epochs == fitting.FEWEST_EPOCHS
    assert plan(10, TrainSpec()).epochs == fitting.MOST_EPOCHS
    assert plan(10, TrainSpec(epochs=3)) == Plan(epochs=3, calls=1, steps=2, batch=8, cycles=(1, 2), patience=2)
    constant = plan(10, TrainSpec(epochs=30, schedule="constant"))
    assert (constant.cycles, constant.patience) == ((1,) * 30, 10)
    assert [plan(n, TrainSpec()).patience for n in (1_000, 30_000, 50_000, 10**6)] == [2, 2, 1, 1]


@pytest.mark.parametrize("windows", [5, 97, 4_321])
def test_a_settled_specification_trains_as_the_open_one(windows: int) -> None:
    spec = settled(TrainSpec(), windows)
    assert plan(windows, spec) == plan(windows, TrainSpec())


def test_progress_is_told_after_every_call_and_every_epoch(small: Make, waves: Windows) -> None:
    told: list[tuple[int, int, Epoch | None]] = []
    fitted = fit(small(), waves, TrainSpec(epochs=2, batch_size=32), on_step=lambda *news: told.append(news))
    first, second = fitted.history
    assert told == [
        (10, 40, None), (20, 40, None), (20, 40, first),
        (30, 40, first), (40, 40, first), (40, 40, second),
    ]  # fmt: skip


class Interrupt:
    """An on_step that is interrupted in the given epoch, counted by those already finished."""

    def __init__(self, finished: int) -> None:
        self.finished = finished

    def __call__(self, step: int, steps: int, epoch: Epoch | None) -> None:
        if (epoch.number if epoch else 0) == self.finished and step < steps:
            raise KeyboardInterrupt


def test_an_interrupted_training_keeps_its_best_weights_when_told_to(small: Make, waves: Windows) -> None:
    model = small()
    fitted = fit(model, waves, TrainSpec(epochs=9), on_step=Interrupt(finished=3), keep_interrupted=lambda: True)
    assert fitted.interrupted
    assert len(fitted.history) == 2  # the third is told before it is handed over
    assert error(model, waves) == pytest.approx(fitted.history[fitted.best - 1].validation, rel=1e-5)


def test_an_interrupted_training_is_not_kept_unasked(small: Make, waves: Windows) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(small(), waves, TrainSpec(epochs=9), on_step=Interrupt(finished=2))


def test_nothing_is_kept_before_the_first_epoch_is_finished(small: Make, waves: Windows) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(small(), waves, TrainSpec(epochs=9), on_step=Interrupt(finished=0), keep_interrupted=lambda: True)


@pytest.mark.parametrize("rows", [slice(0, 100), slice(880, 900)], ids=["training", "validation"])
def test_a_loss_that_is_no_number_is_an_error(rows: slice, small: Make, waves: Windows) -> None:
    values = waves.values.copy()
    values[rows] = np.nan
    windows = replace(waves, values=values, validation=np.arange(650, 870))
    with pytest.raises(DataError, match=r"train\.learning_rate"):
        fit(small(), windows, TrainSpec(epochs=2))
