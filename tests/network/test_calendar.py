"""The calendar of the steps ahead, from the windows to the graph: each step gets its own, and nothing of it is lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from cnnlstm_cli.network.build import average, build
from cnnlstm_cli.network.export import export
from cnnlstm_cli.network.fit import fit, forecaster
from cnnlstm_cli.series.calendar import Calendar
from cnnlstm_cli.series.windows import Windows
from cnnlstm_cli.specs import REGULARISED, ModelSpec, TrainSpec
from tests.network.formulas import selu

SPEC = ModelSpec(filters=8, kernel=6, units=7, reduction=3, **REGULARISED)
SHAPE = (23, 5, 2, 3)  # lookback, horizon, channels, calendar


def unequal(random: np.random.Generator, covariates: int = 0):
    model = build(SPEC, *SHAPE, covariates=covariates, seed=0)
    for weight in model.weights:
        if weight.dtype == "float32":
            values = random.normal(0, 0.4, weight.shape)
            weight.assign(1 + np.abs(values) if weight.name == "moving_variance" else values)
    return model


def test_a_network_begins_as_if_it_had_no_calendar(random: np.random.Generator) -> None:
    plain, told = build(SPEC, *SHAPE[:3], seed=0), build(SPEC, *SHAPE, seed=0)
    for layer in plain.layers:
        told.get_layer(layer.name).set_weights(layer.get_weights()) if layer.name in ("head", "lstm") else None
    x, calendar = (random.normal(size=(4, *shape)).astype(np.float32) for shape in ((23, 2), (5, 3)))
    for name in ("convolution", "batch_normalisation", "squeeze", "excite", "lstm", "head", "skip"):
        told.get_layer(name).set_weights(plain.get_layer(name).get_weights())
    np.testing.assert_allclose(told([x, calendar]), plain(x), atol=1e-6)


@pytest.mark.parametrize("covariates", [0, 1])
def test_the_calendars_part_is_two_dense_layers_over_memory_and_calendar(
    random: np.random.Generator, tmp_path: Path, covariates: int
) -> None:
    """By hand, from the difference that the calendar makes; the same in Keras and ONNX, also where axes are equal.

    With covariates three, over the forecast so far as well.
    """
    model = unequal(random, covariates)
    weights = {"/".join(w.path.split("/")[-2:]): np.asarray(w, dtype=np.float64) for w in model.weights}
    export(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert [each.name for each in session.get_inputs()] == ["lookback", "calendar"]
    so_far = type(model)(model.inputs, model.get_layer("calendar_so_far").output) if covariates else None
    memory_of = type(model)(model.inputs, model.get_layer("lstm").output)
    for count in (1, 2, 3, 5, 9):
        x, one, other = (random.normal(size=(count, *s)).astype(np.float32) for s in ((23, 2), (5, 3), (5, 3)))
        memory = np.asarray(memory_of([x, one]), dtype=np.float64)
        whole = memory @ weights["calendar_memory/kernel"] + weights["calendar_memory/bias"]
        parts = []
        for calendar in (one, other):
            told = selu(calendar @ weights["calendar_told/kernel"] + weights["calendar_told/bias"])
            if so_far:
                told = np.concatenate([told, np.asarray(so_far([x, calendar]))[..., -2:]], axis=-1)
            mixed = selu(whole[:, None] + told @ weights["calendar_steps/kernel"])
            if covariates:
                mixed = selu(mixed @ weights["calendar_deep/kernel"] + weights["calendar_deep/bias"])
            parts.append(mixed @ weights["calendar_head/kernel"])
        expected = (parts[0] - parts[1]) * x.std(axis=1, keepdims=True)
        made = [np.asarray(model([x, calendar])) for calendar in (one, other)]
        np.testing.assert_allclose(made[0] - made[1], expected, rtol=1e-4, atol=1e-4)
        served = session.run(None, {"lookback": x, "calendar": one})[0]
        np.testing.assert_allclose(served, made[0], rtol=1e-5, atol=1e-5)


def test_an_average_hands_the_calendar_to_each_member(random: np.random.Generator) -> None:
    members = [unequal(random), unequal(random)]
    inputs = [random.normal(size=(4, *shape)).astype(np.float32) for shape in ((23, 2), (5, 3))]
    expected = np.mean([np.asarray(member(inputs)) for member in members], axis=0)
    np.testing.assert_allclose(average(members, [0.5, 0.5])(inputs), expected, atol=1e-6)


@pytest.mark.slow
def test_what_only_the_calendar_tells_is_learnt(random: np.random.Generator) -> None:
    """A jump at rows that nothing in the lookback announces; two columns stacked share one calendar."""
    jumps = (random.random(600) < 0.3).astype(np.float32)
    series = random.normal(0, 0.1, 600) + 3 * jumps
    values = np.concatenate([series, 2 * series]).astype(np.float32)[:, None]
    starts = np.concatenate([np.arange(400), 600 + np.arange(400)])
    held = np.concatenate([np.arange(430, 570), 600 + np.arange(430, 570)])
    covariates = np.stack([jumps, 1 - jumps, np.zeros(600, dtype=np.float32)], axis=1)
    calendar = Calendar(np.arange(600), "none", covariates, ("static",) * 3, 1)
    windows = Windows(values, 23, 5, starts, held, calendar)
    told, blind = build(SPEC, 23, 5, 1, 3, seed=0), build(SPEC, 23, 5, 1, seed=0)
    train = TrainSpec(epochs=12, batch_size=32, learning_rate=0.01)
    error = fit(told, windows, train).validation
    without = fit(blind, Windows(values, 23, 5, starts, held), train).validation
    assert error < 0.5 * without
    came = windows.values[held[:, None] + 23 + np.arange(5)]
    assert np.abs(forecaster(told, windows)() - came).mean() < 0.5 * without
