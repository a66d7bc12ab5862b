"""keras.Model -> ONNX, accepted only when onnxruntime answers as Keras does."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx

OUTPUT, BATCH = "forecast", "windows"
LARGEST_DIFFERENCE = 1e-4  # on the scaled series; sums in another order differ by 1e-6


def export(model: keras.Model, path: Path) -> float:
    """Writes `model` as ONNX: its inputs under their names, output "forecast" (B, H, C), for any number of windows B.

    Returns the largest absolute difference to Keras, over windows drawn from N(0, 1). Raises RuntimeError, and leaves
    no file, when it is above LARGEST_DIFFERENCE: the conversion is wrong then, and nothing a user did.
    """
    network = _converted(model)
    _name_ends(network.graph, {each.name: each.shape for each in model.inputs} | {OUTPUT: model.output_shape})
    onnx.checker.check_model(network)
    onnx.save(network, path)
    difference = _difference(model, path)
    if not difference <= LARGEST_DIFFERENCE:
        path.unlink()
        raise RuntimeError(f"the ONNX network differs from the Keras one by {difference:.3g}")
    return difference


def _converted(model: keras.Model) -> onnx.ModelProto:
    """By tf2onnx itself: `model.export` gathers what a SavedModel would need first, which takes as long again.

    The converter is not heard: it says that it drops the random state of the recurrent dropout, which Keras advances
    even when nothing is dropped.
    """
    forward = tf.function(lambda *inputs: _forecast(model, inputs), autograph=False)
    shapes = [tf.TensorSpec((None, *each.shape[1:]), tf.float32, name=each.name) for each in model.inputs]
    logger = logging.getLogger("tf2onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        return tf2onnx.convert.from_function(forward, shapes)[0]
    finally:
        logger.setLevel(level)


def _forecast(model: keras.Model, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
    """Keras takes several inputs as a list, and a single one as it is."""
    return model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)


def _name_ends(graph: onnx.GraphProto, shapes: Mapping[str, Sequence[int]]) -> None:
    """Gives output and batch dimension names that do not depend on the converter's counters, and the others their
    sizes, of which it loses a horizon of 1."""
    for node in graph.node:
        node.output[:] = [OUTPUT if name == graph.output[0].name else name for name in node.output]
    graph.output[0].name = OUTPUT
    for end in (*graph.input, graph.output[0]):
        dims = end.type.tensor_type.shape.dim
        dims[0].dim_param = BATCH
        for dim, size in zip(dims[1:], shapes[end.name][1:], strict=True):
            dim.dim_value = size


def _difference(model: keras.Model, path: Path) -> float:
    """Also for as many windows as steps ahead: a broadcast along the wrong one of two equal axes shows only then."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    random = np.random.default_rng(0)
    differences = []
    for batch in (1, 33, model.output_shape[1]):
        given = [random.standard_normal((batch, *each.shape[1:]), dtype=np.float32) for each in model.inputs]
        (forecast,) = session.run([OUTPUT], dict(zip(names, given, strict=True)))
        differences.append(np.max(np.abs(forecast - _forecast(model, given).numpy())))
    return float(np.max(differences))
