"""The unrolled LSTM against Keras's own: forecasts, gradients, masks, penalties, and what is saved."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from cnnlstm_cli.network.lstm import ACTIVATIONS, UnrolledLSTM

B, T, F, U = 5, 7, 3, 4


def pair(activation: str = "tanh", every: bool = False, **cell: object) -> tuple[UnrolledLSTM, layers.LSTM]:
    """Ours and Keras's, with the same weights, none of them zero."""
    ours = UnrolledLSTM(U, activation=activation, return_sequences=every, cell=cell)
    theirs = layers.LSTM(U, activation=activation, return_sequences=every, **cell)
    random = np.random.default_rng(0)
    weights = [random.normal(0, 0.5, shape) for shape in ((F, 4 * U), (U, 4 * U), (4 * U,))]
    for layer in (ours, theirs):
        layer.build((None, T, F))
        layer.set_weights(weights)
    return ours, theirs


def gradients(layer: layers.Layer, x: tf.Tensor, weigh: tf.Tensor) -> list[np.ndarray]:
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(layer(x, training=True) * weigh) + sum(layer.losses)
    return [np.asarray(g) for g in tape.gradient(loss, [x, *layer.trainable_variables])]


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_forecasts_and_gradients_are_those_of_keras(activation: str, every: bool, random: np.random.Generator) -> None:
    ours, theirs = pair(activation, every)
    x = tf.constant(random.normal(size=(B, T, F)), tf.float32)
    weigh = tf.constant(random.normal(size=(B, T, U) if every else (B, U)), tf.float32)
    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-6)
    np.testing.assert_allclose(ours(x, training=True), theirs(x), atol=1e-6)
    for found, expected in zip(gradients(ours, x, weigh), gradients(theirs, x, weigh), strict=True):
        np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("every", [False, True])
def test_dropout_has_one_mask_for_all_steps_and_its_gradient_is_that_of_differences(
    every: bool, random: np.random.Generator
) -> None:
    layer = UnrolledLSTM(U, recurrent_dropout=0.5, return_sequences=every)
    layer.build((None, T, F))
    x = random.normal(size=(B, T, F))
    weigh = tf.constant(random.normal(size=(B, T, U) if every else (B, U)), tf.float32)

    def loss(weights: np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
        layer.cell.seed_generator.state.assign([1, 2])  # the same mask each time
        layer.cell.recurrent_kernel.assign(weights)
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(layer(tf.constant(x, tf.float32), training=True) * weigh)
        return total, tape.gradient(total, layer.cell.recurrent_kernel)

    kernel = random.normal(0, 0.5, (U, 4 * U))
    gradient = np.asarray(loss(kernel)[1])
    for place in [(0, 0), (1, 5), (2, 10), (3, 15)]:
        step = np.zeros_like(kernel)
        step[place] = 1e-2
        slope = (float(loss(kernel + step)[0]) - float(loss(kernel - step)[0])) / 2e-2
        assert gradient[place] == pytest.approx(slope, abs=2e-3)


def test_dropout_acts_in_training_alone_and_only_on_what_is_remembered(random: np.random.Generator) -> None:
    layer = UnrolledLSTM(64, recurrent_dropout=0.5)
    x = random.normal(size=(1, T, F)).astype(np.float32)
    np.testing.assert_array_equal(layer(x), layer(x))
    assert np.abs(layer(x, training=True) - layer(x, training=True)).max() > 1e-3
    np.testing.assert_allclose(layer(x[:, :1], training=True), layer(x[:, :1]), atol=1e-6)  # nothing remembered yet
    many = np.mean([layer(x, training=True) for _ in range(300)], axis=0)
    assert np.abs(many - layer(x)).mean() < 0.02  # on average the same, but for what is bent


def test_penalties_and_constraints_of_the_weights_hold(random: np.random.Generator) -> None:
    penalty, norm = keras.regularizers.L1L2(0.1, 0.2), keras.constraints.MaxNorm(0.3, axis=[0])
    ours, theirs = pair(recurrent_regularizer=penalty, kernel_constraint=norm)
    assert float(sum(ours.losses)) == pytest.approx(float(sum(theirs.losses)))
    optimizer = keras.optimizers.SGD(0.1)
    x = tf.constant(random.normal(size=(B, T, F)), tf.float32)
    optimizer.apply([tf.constant(g) for g in gradients(ours, x, tf.ones((B, U)))[1:]], ours.trainable_variables)
    assert np.linalg.norm(ours.cell.kernel, axis=0).max() <= 0.3 + 1e-5


def test_it_is_saved_and_loaded_in_safe_mode(random: np.random.Generator, tmp_path: Path) -> None:
    rows = keras.Input((T, F))
    restraints = {"kernel_regularizer": keras.regularizers.L1L2(0.1, 0.2)}
    layer = UnrolledLSTM(U, activation="relu", recurrent_dropout=0.3, return_sequences=True, cell=restraints)
    model = keras.Model(rows, UnrolledLSTM(U)(layer(rows)))
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras", safe_mode=True)
    x = random.normal(size=(B, T, F)).astype(np.float32)
    np.testing.assert_array_equal(loaded(x), model(x))
    for name in ("units", "activation", "recurrent_dropout", "return_sequences"):
        assert loaded.layers[1].get_config()[name] == model.layers[1].get_config()[name]
    assert float(sum(loaded.losses)) == pytest.approx(float(sum(model.losses)))
