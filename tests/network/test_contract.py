"""What every block promises, whichever it is: its shape, a copy from its configuration, a step of training, its export.

(As Keras tests its own layers, in one contract.)
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from cnnlstm_cli.network import blocks
from cnnlstm_cli.network.export import export
from cnnlstm_cli.specs import ModelSpec

SMALL = {"filters": 8, "kernel": 6, "reduction": 3, "units": 5}
WITHIN = (4, 8)  # steps and filters, what the blocks after the first are given


def of(block: Callable[..., Any], **choices: Any) -> Callable[[Any], Any]:
    return lambda x: block(x, ModelSpec(**{**SMALL, **choices}))


def head(x: Any) -> Any:
    return blocks.forecast(x[:, -1], x, 3, ModelSpec(**SMALL))


def there_and_back(x: Any) -> Any:
    return blocks.denormalise(*blocks.normalise(x, ModelSpec()))


def first(pair: tuple[Any, ...]) -> Any:
    return pair[0]


ROWS = (23, 2)
CONTRACT: dict[str, tuple[Callable[[Any], Any], tuple[int, ...], tuple[int, ...]]] = {
    "normalise": (lambda x: first(blocks.normalise(x, ModelSpec())), ROWS, ROWS),
    "normalise by the newest": (lambda x: first(blocks.normalise(x, ModelSpec(normalisation="last"))), ROWS, ROWS),
    "convolve": (of(blocks.convolve), ROWS, WITHIN),
    "convolve, gelu, plain": (of(blocks.convolve, activation="gelu", dropout_kind="plain"), ROWS, WITHIN),
    "convolve, penalised": (of(blocks.convolve, activity_l2=0.1, kernel_l1=0.1, conv_norm="after"), ROWS, WITHIN),
    "convolve, causal": (of(blocks.convolve, padding="causal", conv_norm="none", stride=2), ROWS, (12, 8)),
    "squeeze-excite": (of(blocks.squeeze_excite), WITHIN, WITHIN),
    "pool": (of(blocks.pool, pooling="max", pool_norm=True), WITHIN, (2, 8)),
    "pool, average": (of(blocks.pool, pooling="average"), WITHIN, (2, 8)),
    "lstm": (of(blocks.recur, recurrent_norm="output"), WITHIN, (5,)),
    "gru": (of(blocks.recur, cell="gru", layers=2, max_norm=2.0), WITHIN, (5,)),
    "lstm, both ways": (of(blocks.recur, bidirectional=True), WITHIN, (10,)),
    "lstm, layer-normalised": (of(blocks.recur, recurrent_norm="layer", layers=2), WITHIN, (5,)),
    "lstm, batch-normalised": (of(blocks.recur, recurrent_norm="batch", bidirectional=True), WITHIN, (10,)),
    "lstm, zoneout": (of(blocks.recur, zoneout=0.2), WITHIN, (5,)),
    "forecast": (head, WITHIN, (3, 8)),
    "denormalise": (there_and_back, ROWS, ROWS),
}


@pytest.fixture(params=CONTRACT)
def block(request: pytest.FixtureRequest, random: np.random.Generator) -> tuple[keras.Model, tuple[int, ...]]:
    """A block as a model with unequal random weights, and the shape that it should give."""
    made, given, expected = CONTRACT[request.param]
    keras.utils.set_random_seed(3)
    rows = keras.Input(given)
    model = keras.Model(rows, made(rows))
    for weight in model.weights:
        if weight.dtype == "float32":  # not the state of the random numbers
            values = random.normal(0, 0.4, weight.shape)
            weight.assign(1 + np.abs(values) if weight.name in ("moving_variance", "gamma") else values)
    return model, expected


def windows(model: keras.Model, random: np.random.Generator) -> np.ndarray:
    return random.normal(0.3, 1.5, (6, *model.input_shape[1:])).astype(np.float32)


def test_a_block_has_its_shape_and_a_copy_made_from_its_configuration_answers_alike(
    block: tuple[keras.Model, tuple[int, ...]], random: np.random.Generator
) -> None:
    model, expected = block
    assert model.output_shape == (None, *expected)
    copy = keras.Model.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    x = windows(model, random)
    np.testing.assert_array_equal(copy(x), model(x))


def test_one_step_of_training_moves_every_weight_of_a_block(
    block: tuple[keras.Model, tuple[int, ...]], random: np.random.Generator
) -> None:
    model, _ = block
    x = windows(model, random)
    aim = random.normal(0, 3, (6, *model.output_shape[1:])).astype(np.float32)
    before = [np.asarray(weight) for weight in model.trainable_variables]
    with tf.GradientTape() as tape:
        loss = tf.add_n([tf.reduce_mean(tf.square(model(x, training=True) - aim)), *model.losses])
    gradients = tape.gradient(loss, model.trainable_variables)
    if gradients:
        keras.optimizers.Nadam(0.01).apply(gradients, model.trainable_variables)
    for old, new in zip(before, model.trainable_variables, strict=True):
        assert np.all(np.isfinite(np.asarray(new))), new.path
        assert np.any(old != np.asarray(new)), f"{new.path} stood still"


@pytest.mark.slow
def test_onnx_runtime_computes_a_block_as_keras_does(
    block: tuple[keras.Model, tuple[int, ...]], tmp_path: Path
) -> None:
    assert export(block[0], tmp_path / "block.onnx") < 1e-5


def test_a_saved_network_of_our_own_layers_is_loaded_by_a_process_that_built_none(
    random: np.random.Generator, tmp_path: Path
) -> None:
    from cnnlstm_cli.network.build import build

    own = {"recurrent_norm": "layer", "activity_l2": 0.1, "activation": "gelu", "dropout_kind": "plain"}
    model = build(ModelSpec(**{**SMALL, **own}), 23, 3, 2, seed=1)
    model.save(tmp_path / "0.keras")
    np.save(tmp_path / "x.npy", random.normal(size=(4, 23, 2)).astype(np.float32))
    script = (
        "import sys, numpy as np, cnnlstm_cli.network.build, keras\n"
        "model = keras.models.load_model(sys.argv[1] + '/0.keras', safe_mode=True)\n"
        "np.save(sys.argv[1] + '/y.npy', model(np.load(sys.argv[1] + '/x.npy')))\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=100)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), model(np.load(tmp_path / "x.npy")), atol=1e-6)
