"""The ONNX file: its names, any number of windows, and that a wrong one is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import pytest

from cnnlstm_cli.network import export as exporting
from cnnlstm_cli.network.build import build
from cnnlstm_cli.network.export import export
from cnnlstm_cli.specs import ModelSpec

Make = Callable[..., keras.Model]


def test_the_difference_to_keras_is_returned_and_small(unequal: Make, tmp_path: Path) -> None:
    assert 0 < export(unequal(), tmp_path / "model.onnx") < 1e-5


@pytest.mark.parametrize("windows", [1, 5, 300])
def test_any_number_of_windows_goes_in(
    windows: int, unequal: Make, random: np.random.Generator, tmp_path: Path
) -> None:
    model, x = unequal(), random.normal(size=(windows, 23, 1)).astype(np.float32)
    export(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    np.testing.assert_allclose(session.run(["forecast"], {"lookback": x})[0], model(x), atol=1e-5)


def test_names_do_not_depend_on_what_was_exported_before(unequal: Make, tmp_path: Path) -> None:
    for name in ("first.onnx", "second.onnx"):
        export(unequal(24, 4, 3), tmp_path / name)
        ends = onnxruntime.InferenceSession(tmp_path / name)
        assert [(end.name, end.shape) for end in (*ends.get_inputs(), *ends.get_outputs())] == [
            ("lookback", ["windows", 24, 3]),
            ("forecast", ["windows", 4, 3]),
        ]


@pytest.mark.parametrize("horizon", [1, 2])
def test_all_sizes_but_the_number_of_windows_are_written(horizon: int, tmp_path: Path) -> None:
    model = build(ModelSpec(filters=4, kernel=3, units=4), 12, horizon, 1, 7, seed=0)
    export(model, tmp_path / "model.onnx")
    ends = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert {end.name: end.shape for end in (*ends.get_inputs(), *ends.get_outputs())} == {
        "lookback": ["windows", 12, 1],
        "calendar": ["windows", horizon, 7],
        "forecast": ["windows", horizon, 1],
    }


def test_an_onnx_network_that_differs_is_refused_and_removed(
    unequal: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(graph: onnx.GraphProto, shapes: Any) -> None:
        name_ends(graph, shapes)
        for weights in graph.initializer:
            values = onnx.numpy_helper.to_array(weights)
            if values.dtype == np.float32 and values.size > 50:  # the large matrices, not the constants
                weights.CopyFrom(onnx.numpy_helper.from_array(values * 1.01, weights.name))

    name_ends = exporting._name_ends
    monkeypatch.setattr(exporting, "_name_ends", spoil)
    with pytest.raises(RuntimeError, match="differs from the Keras one"):
        export(unequal(), tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()
