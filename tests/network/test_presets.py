"""The two published networks, to the letter, against formulas written by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest

from cnnlstm_cli.config import spec_from
from cnnlstm_cli.network.build import build
from cnnlstm_cli.network.export import export
from tests.network.formulas import Weights, causal, lstm, normalised, selu, sigmoid

BATCH, LOOKBACK, FEATURES = 32, 21, 20


def published(preset: str, horizon: int = 1) -> keras.Model:
    return build(spec_from({}, preset=preset).model, LOOKBACK, horizon, FEATURES, seed=0)


def parameters(model: keras.Model) -> dict[str, int]:
    return {layer.name: layer.count_params() for layer in model.layers if layer.count_params()}


def test_the_answers_layers_have_the_parameters_counted_by_hand() -> None:
    assert parameters(published("answer")) == {
        "convolution": 3 * 20 * 10,
        "batch_normalisation": 3 * 10,
        "squeeze": 10 * 2,
        "excite": 2 * 10,
        "lstm": 4 * (10 * 16 + 16 * 16 + 16),
        "head": 16 * 20 + 20,
    }


def test_the_questions_layers_have_the_parameters_counted_by_hand() -> None:
    assert parameters(published("question")) == {
        "convolution": 3 * 20 * 10 + 10,
        "lstm": 4 * (10 * 15 + 15 * 15 + 15),
        "recurrent_normalisation": 4 * 15,
        "head": 15 * 20 + 20,
    }


def test_the_answers_layers_are_the_published_ones_in_their_order() -> None:
    model = published("answer")
    kinds = [type(layer).__name__ for layer in model.layers if layer.count_params() or "Dropout" in layer.name]
    assert kinds == ["Conv1D", "BatchNormalization", "Dense", "Dense", "UnrolledLSTM", "Dense"]
    convolution, recurrent = model.get_layer("convolution"), model.get_layer("lstm")
    assert type(convolution.kernel_initializer).__name__ == "LecunNormal"
    assert type(model.get_layer("squeeze").kernel_initializer).__name__ == "HeNormal"
    assert recurrent.cell.recurrent_dropout == 0.2
    dropouts = [layer for layer in model.layers if type(layer).__name__ in ("AlphaDropout", "Dropout")]
    assert [(layer.rate, layer.noise_shape) for layer in dropouts] == [(0.1, None), (0, None)]


def test_the_question_drops_nothing_out() -> None:
    model, x = published("question"), np.ones((2, LOOKBACK, FEATURES), np.float32)
    model.get_layer("recurrent_normalisation").trainable = False  # by its moving statistics in training as well
    np.testing.assert_array_equal(model(x, training=True), model(x))


def answer_by_hand(rows: np.ndarray, weights: Weights, horizon: int) -> np.ndarray:
    steps = selu(normalised(causal(rows, weights["convolution/kernel"]), weights, "batch_normalisation"))
    squeezed = np.maximum(steps.mean(axis=0) @ weights["squeeze/kernel"], 0)
    memory = lstm(steps * sigmoid(squeezed @ weights["excite/kernel"]), weights, "lstm_cell")
    return (memory @ weights["head/kernel"] + weights["head/bias"]).reshape(horizon, -1)


def question_by_hand(rows: np.ndarray, weights: Weights, horizon: int) -> np.ndarray:
    steps = np.maximum(causal(rows, weights["convolution/kernel"]) + weights["convolution/bias"], 0)
    memory = normalised(lstm(steps, weights, "lstm_cell"), weights, "recurrent_normalisation")
    return (memory @ weights["head/kernel"] + weights["head/bias"]).reshape(horizon, -1)


@pytest.mark.parametrize("horizon", [1, 3])
@pytest.mark.parametrize(("preset", "by_hand"), [("answer", answer_by_hand), ("question", question_by_hand)])
def test_formulas_keras_and_onnx_agree(
    preset: str, by_hand: Callable[..., np.ndarray], horizon: int, random: np.random.Generator, tmp_path: Path
) -> None:
    model = published(preset, horizon)
    for weight in model.weights:
        values = random.normal(0, 0.4, weight.shape)
        weight.assign(0.5 + np.abs(values) if weight.name == "moving_variance" else values)
    weights = {"/".join(w.path.split("/")[-2:]): np.asarray(w, dtype=np.float64) for w in model.weights}
    windows = random.normal(size=(BATCH, LOOKBACK, FEATURES)).astype(np.float32)
    expected = np.stack([by_hand(window.astype(np.float64), weights, horizon) for window in windows])
    assert np.std(expected) > 0.1, "nothing to compare"
    np.testing.assert_allclose(model(windows), expected, atol=1e-5)
    export(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    np.testing.assert_allclose(session.run(None, {"lookback": windows})[0], expected, atol=1e-5)
