"""The whole network against a forward pass written by hand, and its laws."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from cnnlstm_cli.network.build import build
from cnnlstm_cli.network.export import export
from cnnlstm_cli.specs import ModelSpec

Make = Callable[..., keras.Model]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def by_hand(window: np.ndarray, weights: dict[str, np.ndarray], kernel: int, horizon: int) -> np.ndarray:
    """One window (L, C) in float64, step by step, from the papers' formulas."""
    mean, deviation = window.mean(axis=0), window.std(axis=0)
    rows = (window - mean) / deviation
    padded = np.concatenate([np.zeros((-len(rows) % kernel, rows.shape[1])), rows])
    steps = []
    for first in range(0, len(padded), kernel):
        conv = np.einsum("kc,kcf->f", padded[first : first + kernel], weights["convolution/kernel"])
        scaled = (conv - weights["batch_normalisation/moving_mean"]) / np.sqrt(
            weights["batch_normalisation/moving_variance"] + 1e-3
        ) + weights["batch_normalisation/beta"]
        steps.append(1.0507009873554805 * np.where(scaled > 0, scaled, 1.6732632423543772 * (np.exp(scaled) - 1)))
    gates = sigmoid(np.maximum(np.mean(steps, axis=0) @ weights["squeeze/kernel"], 0) @ weights["excite/kernel"])
    units = weights["lstm_cell/recurrent_kernel"].shape[0]
    hidden, cell = np.zeros(units), np.zeros(units)
    for step in steps:
        mixed = (step * gates) @ weights["lstm_cell/kernel"] + hidden @ weights["lstm_cell/recurrent_kernel"]
        into, forget, candidate, out = np.split(mixed + weights["lstm_cell/bias"], 4)
        cell = sigmoid(forget) * cell + sigmoid(into) * np.tanh(candidate)
        hidden = sigmoid(out) * np.tanh(cell)
    head = (hidden @ weights["head/kernel"] + weights["head/bias"]).reshape(horizon, -1)
    return (head + weights["skip/kernel"].T @ rows) * deviation + mean


@pytest.mark.parametrize("shape", [(23, 5, 1), (24, 4, 3), (4, 1, 1)], ids=["padded", "three channels", "one step"])
def test_keras_and_onnx_compute_what_the_formulas_say(
    shape: tuple[int, int, int], unequal: Make, random: np.random.Generator, tmp_path: Path
) -> None:
    import onnxruntime

    model, (lookback, horizon, channels) = unequal(*shape), shape
    weights = {"/".join(w.path.split("/")[-2:]): np.asarray(w, dtype=np.float64) for w in model.weights}
    export(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    for count in (1, 7, horizon, channels, -(-lookback // 6)):  # equal axes are where a wrong broadcast hides
        windows = random.normal(0.5, 2, (count, lookback, channels)).astype(np.float32)
        expected = np.stack([by_hand(w.astype(np.float64), weights, min(6, lookback), horizon) for w in windows])
        np.testing.assert_allclose(model(windows), expected, atol=1e-5, rtol=1e-5)
        np.testing.assert_allclose(session.run(None, {"lookback": windows})[0], expected, atol=1e-5, rtol=1e-5)


def test_the_newest_row_is_seen(unequal: Make, random: np.random.Generator) -> None:
    model, x = unequal(23), random.normal(size=(1, 23, 1)).astype(np.float32)
    model.get_layer("skip").set_weights([np.zeros((23, 5))])
    swapped = x.copy()
    swapped[0, [-1, -2]] = x[0, [-2, -1]]  # neither mean nor deviation tells these two apart
    assert np.max(np.abs(np.asarray(model(x)) - np.asarray(model(swapped)))) > 1e-3


@pytest.mark.parametrize(("factor", "offset"), [(1, 50), (0.001, 0), (300, -7)])
def test_rescaled_windows_get_rescaled_forecasts(
    factor: float, offset: float, unequal: Make, random: np.random.Generator
) -> None:
    model, x = unequal(), random.normal(size=(4, 23, 1)).astype(np.float32)
    expected = np.asarray(model(x)) * factor + offset
    moved = (x * factor + offset).astype(np.float32)
    np.testing.assert_allclose(model(moved), expected, atol=2e-5 * max(factor, abs(offset)))


@pytest.mark.parametrize("value", [0, 1, -3.3, 1000.1])
def test_a_constant_window_forecasts_its_constant(value: float, unequal: Make) -> None:
    np.testing.assert_allclose(unequal()(np.full((2, 23, 1), value, np.float32)), value, rtol=1e-6, atol=1e-4)


def test_a_saved_network_is_the_same_when_loaded_in_safe_mode(
    unequal: Make, random: np.random.Generator, tmp_path: Path
) -> None:
    model, x = unequal(24, 4, 3), random.normal(size=(4, 24, 3)).astype(np.float32)
    model.save(tmp_path / "0.keras")
    loaded = keras.models.load_model(tmp_path / "0.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(x), model(x))


def test_the_default_network_is_the_one_that_it_was(small: Make) -> None:
    """Weights and dropout masks of one seed: runs can be trained again."""
    x = np.random.default_rng(1).normal(size=(4, 23, 1)).astype(np.float32)
    model = small()
    told = [np.ravel(model(x, training=training))[:4] for training in (False, False, True)]
    np.testing.assert_allclose(told[0], [0.03623794, 0.06852102, 0.03319182, 0.11932691], atol=1e-5)
    np.testing.assert_allclose(told[2], [-0.01989555, 0.05788367, -0.00996324, 0.11223514], atol=1e-5)


@pytest.mark.parametrize("norm", ["none", "layer"])
def test_every_block_that_is_asked_for_stands_in_its_place(norm: str, small: Make) -> None:
    changes = {"blocks": 3, "pooling": "max", "pool_norm": True, "layers": 3, "cell_activation": "relu"}
    model = small(**changes, recurrent_dropout=0, recurrent_norm=norm)
    told = [layer.name for layer in model.layers if layer.count_params() or "pooling1d" in layer.name]
    assert [name for name in told if "global" not in name and not name.startswith("max_pooling")] == [
        *("convolution", "batch_normalisation", "squeeze", "excite"),
        *("convolution_2", "batch_normalisation_2", "squeeze_2", "excite_2"),
        *("convolution_3", "batch_normalisation_3", "squeeze_3", "excite_3"),
        *("pool_normalisation", "lstm", "lstm_2", "lstm_3", "head", "skip"),
    ]
    before = told.index("pool_normalisation")
    assert told[before + 1].startswith("max_pooling")
    assert [model.get_layer(name).output.shape[1:] for name in ("lstm", "lstm_2", "lstm_3")] == [(2, 7), (2, 7), (7,)]
    for name in ("lstm", "lstm_2", "lstm_3"):
        assert model.get_layer(name).cell.activation.__name__ == "relu"


def test_the_kernel_is_cut_to_the_lookback() -> None:
    model = build(ModelSpec(kernel=24, filters=8, units=4), 5, 2, 1, seed=0)
    assert model.get_layer("convolution").kernel_size == (5,)


def test_a_kernel_left_open_is_refused() -> None:
    with pytest.raises(ValueError, match=r"model\.kernel"):
        build(ModelSpec(), 5, 2, 1, seed=0)


def test_who_else_draws_at_random_changes_no_weight_and_is_not_disturbed(small: Make) -> None:
    """Python's generator is that of all threads of a process, and of the user's own program."""
    expected, done = small(seed=3).get_weights(), threading.Event()

    def draw() -> None:
        while not done.is_set():
            random.random()  # noqa: S311

    drawing = threading.Thread(target=draw)
    drawing.start()
    try:
        for _ in range(3):
            assert all(np.array_equal(a, b) for a, b in zip(expected, small(seed=3).get_weights(), strict=True))
    finally:
        done.set()
        drawing.join()
    random.seed(7)
    state = random.getstate()
    small(seed=3)
    assert random.getstate() == state


def test_the_seed_fixes_the_first_weights(small: Make) -> None:
    first, same, other = (small(seed=seed).get_weights() for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_nothing_is_said_on_stdout_or_stderr(tmp_path: Path) -> None:
    """In a process of its own: import, training and export, C++ included."""
    script = tmp_path / "silent.py"
    script.write_text(
        "import sys, pathlib, numpy as np\n"
        "from cnnlstm_cli.config import ModelSpec, TrainSpec\n"
        "from cnnlstm_cli.network.build import build\n"
        "from cnnlstm_cli.network.export import export\n"
        "from cnnlstm_cli.network.fit import fit\n"
        "from cnnlstm_cli.series.windows import Windows\n"
        "values = np.sin(np.arange(100, dtype=np.float32))[:, None]\n"
        "windows = Windows(values, 12, 3, np.arange(60), np.arange(60, 80))\n"
        "model = build(ModelSpec(kernel=6), 12, 3, 1, seed=0)\n"
        "fit(model, windows, TrainSpec(epochs=1))\n"
        "export(model, pathlib.Path(sys.argv[1]))\n"
        "assert 'matplotlib' not in sys.modules, 'Keras loads it where it can'\n"
        "import matplotlib.pyplot\n"
    )
    told = subprocess.run(
        [sys.executable, script, tmp_path / "model.onnx"], capture_output=True, text=True, timeout=100, check=False
    )
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
