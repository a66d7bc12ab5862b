"""What a step of training does to the weights: losses, optimizers, schedules, penalties, decay and largest norms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from cnnlstm_cli.network import fit as fitting
from cnnlstm_cli.network.fit import Plan, fit
from cnnlstm_cli.series.windows import Windows
from cnnlstm_cli.specs import TrainSpec

Make = Callable[..., keras.Model]
STILL: dict[str, Any] = {"conv_dropout": 0, "recurrent_dropout": 0, "dropout": 0, "conv_norm": "none"}


@pytest.fixture
def waves(random: np.random.Generator) -> Windows:
    """As many windows as one step takes, so that an epoch's loss is that of the weights it began with."""
    series = 3 * np.sin(np.arange(80) / 2) + random.normal(0, 0.3, 80)
    return Windows(series.astype(np.float32)[:, None], 23, 5, np.arange(8), np.arange(30, 50))


def errors(model: keras.Model, windows: Windows) -> np.ndarray:
    rows = np.stack([windows.values[s : s + windows.lookback + windows.horizon] for s in windows.training])
    return np.asarray(model(rows[:, : windows.lookback])) - rows[:, windows.lookback :]


def first_loss(model: keras.Model, windows: Windows, loss: str = "mae") -> float:
    return fit(model, windows, TrainSpec(epochs=1, learning_rate=1e-9, loss=loss)).history[0].loss


@pytest.mark.parametrize(
    ("loss", "by_hand"),
    [
        ("mae", abs),
        ("mse", lambda e: e * e),
        ("huber", lambda e: e * e / 2 if abs(e) <= 1 else abs(e) - 0.5),
    ],
    ids=["mae", "mse", "huber"],
)
def test_the_loss_is_the_one_asked_for_and_the_validation_always_mae(
    loss: str, by_hand: Callable[[float], float], small: Make, waves: Windows
) -> None:
    model = small(**STILL)
    found = errors(model, waves)
    assert np.min(np.abs(found)) < 0.5 < 1.5 < np.max(np.abs(found)), "huber would be one of the others"
    expected = np.mean([by_hand(float(e)) for e in found.ravel()])
    assert first_loss(model, waves, loss) == pytest.approx(expected, rel=1e-4)
    validated = fit(model, waves, TrainSpec(epochs=1, learning_rate=1e-9, loss=loss)).history[0].validation
    rows = np.stack([waves.values[s : s + 28] for s in waves.validation])
    assert validated == pytest.approx(np.mean(np.abs(np.asarray(model(rows[:, :23])) - rows[:, 23:])), rel=1e-4)


def test_penalties_raise_the_training_loss_by_their_sums_and_leave_the_validation_alone(
    small: Make, waves: Windows
) -> None:
    bare, held = small(**STILL), small(**STILL, kernel_l1=0.01, recurrent_l2=0.1)
    kernels = [np.asarray(layer.kernel) for layer in (bare.get_layer("convolution"), bare.get_layer("lstm").cell)]
    recurrent = np.asarray(bare.get_layer("lstm").cell.recurrent_kernel)
    expected = 0.01 * sum(np.abs(kernel).sum() for kernel in kernels) + 0.1 * (recurrent**2).sum()
    spec = TrainSpec(epochs=1, learning_rate=1e-9)
    first, second = (fit(model, waves, spec).history[0] for model in (bare, held))
    assert second.loss - first.loss == pytest.approx(expected, rel=1e-3)
    assert second.validation == pytest.approx(first.validation, rel=1e-5)


def test_the_largest_norm_holds_after_a_step(small: Make, waves: Windows) -> None:
    model = small(max_norm=0.3, recurrent_norm="layer")
    fit(model, waves, TrainSpec(epochs=2, learning_rate=0.1))
    held = [weight for weight in model.trainable_variables if weight.constraint]
    assert [weight.name for weight in held] == ["kernel", "kernel", "recurrent_kernel"]
    norms = [np.sqrt((np.asarray(w) ** 2).sum(axis=tuple(range(len(w.shape) - 1)))) for w in held]
    assert all(np.max(norm) == pytest.approx(0.3, abs=1e-4) for norm in norms)


@pytest.mark.parametrize("name", ["nadam", "adam", "adamw", "sgd"])
def test_weights_decay_by_the_exact_factor_where_there_is_no_gradient(name: str) -> None:
    spec = TrainSpec(optimizer=name, weight_decay=0.1, learning_rate=0.5, schedule="constant")
    weight = keras.Variable(np.array([1.0, -2.0], np.float32))
    optimizer = fitting._optimizer(spec, Plan(1, 1, 1, 8, (1,), 1))
    for step in (1, 2):
        optimizer.apply([np.zeros(2, np.float32)], [weight])
        np.testing.assert_allclose(weight, np.array([1, -2]) * (1 - 0.5 * 0.1) ** step, rtol=1e-6)


FIRST_STEPS = {"adam": 0.1, "sgd": 0.1 * 1.9 * 2}  # of a gradient of 2 at rate 0.1: the rate, or (1 + momentum) of it


@pytest.mark.parametrize("name", FIRST_STEPS)
def test_a_first_step_is_as_long_as_its_paper_says(name: str) -> None:
    weight = keras.Variable(np.zeros(1, np.float32))
    spec = TrainSpec(optimizer=name, learning_rate=0.1, schedule="constant")
    fitting._optimizer(spec, Plan(1, 1, 1, 8, (1,), 1)).apply([np.full(1, 2, np.float32)], [weight])
    np.testing.assert_allclose(weight, -FIRST_STEPS[name], rtol=1e-5)


def test_every_optimizer_is_another_one_and_clips_its_gradients() -> None:
    kinds = {}
    for name in ("nadam", "adam", "adamw", "sgd"):
        made = fitting._optimizer(TrainSpec(optimizer=name, weight_decay=0.1, clipnorm=2), Plan(1, 1, 1, 8, (1,), 1))
        kinds[name] = type(made).__name__
        assert made.global_clipnorm == 2
    assert kinds == {"nadam": "Nadam", "adam": "Adam", "adamw": "AdamW", "sgd": "SGD"}


def test_the_rate_falls_along_a_cosine_or_stays() -> None:
    course = Plan(2, 5, 10, 8, (2,), 3)
    for schedule, expected in (("cosine", lambda share: (1 + np.cos(np.pi * share)) / 2), ("constant", lambda _: 1)):
        optimizer = fitting._optimizer(TrainSpec(schedule=schedule, learning_rate=0.2), course)
        for step in (0, 30, 50, 100):
            optimizer.iterations.assign(step)
            assert float(optimizer.learning_rate) == pytest.approx(0.2 * expected(step / 100), abs=1e-6)


def test_the_rate_begins_anew_with_every_cycle() -> None:
    optimizer = fitting._optimizer(TrainSpec(learning_rate=0.2), Plan(6, 5, 2, 8, (1, 2, 3), 1))
    for step, expected in ((0, 1), (5, 0.5), (9, 0.02447), (10, 1), (20, 0.5), (30, 1), (45, 0.5), (60, 0)):
        optimizer.iterations.assign(step)
        assert float(optimizer.learning_rate) == pytest.approx(0.2 * expected, abs=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"recurrent_norm": "batch", "zoneout": 0.2},
        {"recurrent_norm": "layer", "activity_l2": 1e-4, "bidirectional": True},
        {"cell": "gru", "conv_norm": "after", "dropout_shape": "elementwise"},
    ],
    ids=str,
)
def test_the_compiled_loop_trains_every_cell(changes: dict[str, Any], small: Make, random: np.random.Generator) -> None:
    t = np.arange(400)
    series = np.sin(t * 2 * np.pi / 12) + 0.5 * np.sin(t * 2 * np.pi / 31) + random.normal(0, 0.05, 400)
    windows = Windows(series.astype(np.float32)[:, None], 23, 5, np.arange(250), np.arange(280, 370))
    model = small(**changes, skip=False)
    history = fit(model, windows, TrainSpec(epochs=8, batch_size=16, learning_rate=0.01)).history
    assert history[-1].validation < 0.8 * history[0].validation
    moving = [np.asarray(weight) for weight in model.weights if weight.name == "moving_mean"]
    assert moving
    assert all(np.any(mean != 0) for mean in moving)
