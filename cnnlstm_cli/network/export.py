"""keras.Model -> ONNX, accepted only when onnxruntime answers as Keras does."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf

OUTPUT, BATCH = "forecast", "windows"
LARGEST_DIFFERENCE = 1e-4  # on the scaled series; sums in another order differ by 1e-6


def export(model: keras.Model, path: Path) -> float:
    """Writes `model` as ONNX: its inputs under their names, output "forecast" (B, H, C), for any number of windows B.

    Returns the largest absolute difference to Keras, over windows drawn from N(0, 1). Raises RuntimeError, and leaves
    no file, when it is above LARGEST_DIFFERENCE: the conversion is wrong then, and nothing a user did.
    """
    shapes = [tf.TensorSpec((None, *each.shape[1:]), tf.float32, name=each.name) for each in model.inputs]
    with _quiet_conversion():
        signature = shapes if len(shapes) == 1 else [shapes]
        model.export(path, format="onnx", verbose=False, input_signature=signature)
    _name_ends(path, {each.name: each.shape for each in model.inputs} | {OUTPUT: model.output_shape})
    difference = _difference(model, path)
    if not difference <= LARGEST_DIFFERENCE:
        path.unlink()
        raise RuntimeError(f"the ONNX network differs from the Keras one by {difference:.3g}")
    return difference


@contextlib.contextmanager
def _quiet_conversion() -> Iterator[None]:
    """Keeps back what the converter says of its own doings: a NumPy name it patches, and that it had to drop the
    random state of the recurrent dropout, which Keras advances even when nothing is dropped."""
    logger = logging.getLogger("tf2onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "In the future `np.object`", FutureWarning)
            yield
    finally:
        logger.setLevel(level)


def _name_ends(path: Path, shapes: Mapping[str, Sequence[int]]) -> None:
    """Gives input, output and batch dimension names that do not depend on the converter's counters, and the others
    their sizes, of which it loses a horizon of 1."""
    network = onnx.load(path)
    graph = network.graph
    for node in graph.node:
        node.output[:] = [OUTPUT if name == graph.output[0].name else name for name in node.output]
    graph.output[0].name = OUTPUT
    for end in (*graph.input, graph.output[0]):
        dims = end.type.tensor_type.shape.dim
        dims[0].dim_param = BATCH
        for dim, size in zip(dims[1:], shapes[end.name][1:], strict=True):
            dim.dim_value = size
    onnx.checker.check_model(network)
    onnx.save(network, path)


def _difference(model: keras.Model, path: Path) -> float:
    """Also for as many windows as steps ahead: a broadcast along the wrong one of two equal axes shows only then."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    random = np.random.default_rng(0)
    differences = []
    for batch in (1, 33, model.output_shape[1]):
        given = [random.standard_normal((batch, *each.shape[1:]), dtype=np.float32) for each in model.inputs]
        (forecast,) = session.run([OUTPUT], dict(zip(names, given, strict=True)))
        inputs = given if len(given) > 1 else given[0]
        differences.append(np.max(np.abs(forecast - model(inputs, training=False).numpy())))
    return float(np.max(differences))
