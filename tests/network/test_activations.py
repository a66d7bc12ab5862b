"""What the parts of a network put out, and that its forecast is their sum."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from cnnlstm_cli.network import activations as room
from cnnlstm_cli.network.activations import activations, parts_of
from cnnlstm_cli.network.build import build
from cnnlstm_cli.specs import ModelSpec

SHAPE = (23, 5, 2)  # lookback, horizon, channels


def network(random: np.random.Generator, calendar: int = 0, covariates: int = 0, **changes: Any) -> keras.Model:
    spec = ModelSpec(**{"filters": 8, "kernel": 6, "reduction": 3, "units": 7, **changes})
    model = build(spec, *SHAPE, calendar, covariates=covariates, seed=0)
    for weight in model.weights:
        if weight.dtype.startswith("float"):
            values = random.normal(0, 0.4, weight.shape)
            weight.assign(1 + np.abs(values) if weight.name == "moving_variance" else values)
    return model


def windows(random: np.random.Generator, count: int, calendar: int = 0) -> tuple[np.ndarray, np.ndarray | None]:
    rows = 3 + 2 * random.normal(size=(count, *SHAPE[::2])).astype(np.float32)
    return rows, random.normal(size=(count, SHAPE[1], calendar)).astype(np.float32) if calendar else None


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ({}, ["skip", "network"]),
        ({"skip": False, "normalisation": "last"}, ["network"]),
        ({"calendar": 3}, ["skip", "network", "calendar"]),
        ({"calendar": 3, "covariates": 1}, ["skip", "network", "calendar"]),
    ],
)
def test_the_forecast_is_the_sum_of_its_parts(kind: dict[str, Any], names: list[str], random: Any) -> None:
    model = network(random, **kind)
    rows, calendar = windows(random, 9, kind.get("calendar", 0))
    parts = parts_of(model, rows, calendar)
    assert list(parts) == names
    last = kind.get("normalisation") == "last"
    zero = rows[:, -1:] if last else rows.mean(axis=1, keepdims=True)
    unit = 1 if last else rows.std(axis=1, keepdims=True)
    forecast = model(rows if calendar is None else [rows, calendar])
    np.testing.assert_allclose(zero + unit * sum(parts.values()), forecast, rtol=1e-5, atol=2e-5)
    assert all(each.shape == (9, *SHAPE[1:]) and np.abs(each).max() > 0.01 for each in parts.values())


def test_shares_are_of_the_squared_forecast_and_add_up(random: np.random.Generator, monkeypatch: Any) -> None:
    model = network(random, calendar=3)
    rows, calendar = windows(random, 9, 3)
    monkeypatch.setattr(room, "BATCH", 4)
    found = activations(model, rows, calendar).parts
    parts = {name: each.astype(np.float64) for name, each in parts_of(model, rows, calendar).items()}
    whole = sum(parts.values())
    for name, part in parts.items():
        assert found[name].size == pytest.approx(np.abs(part).mean())
        assert found[name].share == pytest.approx((part * whole).sum() / (whole**2).sum())
        np.testing.assert_allclose(
            found[name].steps, (part * whole).sum(axis=(0, 2)) / (whole**2).sum(axis=(0, 2)), rtol=1e-9
        )
    assert sum(each.share for each in found.values()) == pytest.approx(1)


def test_nothing_forecast_has_no_shares(random: np.random.Generator) -> None:
    model = network(random)
    for name in ("head", "skip"):
        layer = model.get_layer(name)
        layer.set_weights([np.zeros_like(each) for each in layer.get_weights()])
    found = activations(model, *windows(random, 3)).parts
    assert [(each.share, each.size, each.steps.tolist()) for each in found.values()] == [(0, 0, [0] * 5)] * 2


def test_moments_and_gates_are_those_of_the_layers(random: np.random.Generator, monkeypatch: Any) -> None:
    """Of two blocks and a calendar with covariates; each layer found by what feeds it."""
    model = network(random, calendar=3, covariates=1, blocks=2)
    rows, calendar = windows(random, 9, 3)
    monkeypatch.setattr(room, "BATCH", 4)
    found = activations(model, rows, calendar)
    assert list(found.layers) == ["convolution", "convolution_2", "calendar_steps", "calendar_told", "calendar_deep"]

    def output(name: str) -> np.ndarray:
        return np.asarray(keras.Model(model.inputs, model.get_layer(name).output)([rows, calendar]), dtype=np.float64)

    def selu(x: np.ndarray) -> np.ndarray:
        return 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * (np.exp(x) - 1))

    steps = output("calendar_steps") + output("calendar_memory")[:, None]
    expected = {
        "convolution": selu(output("batch_normalisation")),
        "convolution_2": selu(output("batch_normalisation_2")),
        "calendar_steps": selu(steps),
        "calendar_told": output("calendar_told"),
        "calendar_deep": output("calendar_deep"),
    }
    for name, values in expected.items():
        layer = found.layers[name]
        assert layer.function == "selu"
        assert (layer.mean, layer.variance) == (pytest.approx(values.mean()), pytest.approx(values.var(), rel=1e-5))
    assert list(found.excite) == ["excite", "excite_2"]
    for name, gates in found.excite.items():
        np.testing.assert_allclose(gates.mean, output(name)[:, 0].mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(gates.deviation, output(name)[:, 0].std(axis=0), rtol=1e-4)
    np.testing.assert_array_equal(found.filters, model.get_layer("convolution").kernel)


def test_the_activations_name_is_told(random: np.random.Generator) -> None:
    model = network(random, activation="gelu", squeeze=False, conv_norm="none")
    found = activations(model, *windows(random, 3))
    assert found.layers["convolution"].function == "gelu"
    assert found.excite == {}
