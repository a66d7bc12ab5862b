"""The normalised LSTM cell against its papers' formulas, step by step, and by its properties."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from cnnlstm_cli.network.cells import NormalisedLSTMCell
from tests.network.formulas import Weights, sigmoid

B, F, U = 6, 4, 5


def unequal(cell: NormalisedLSTMCell, random: np.random.Generator, inputs: int = F) -> NormalisedLSTMCell:
    """Built, with random weights everywhere; moving variances around 1."""
    cell.build((None, inputs))
    for weight in cell.weights:
        values = random.normal(0, 0.6, weight.shape)
        weight.assign(0.5 + np.abs(values) if weight.name == "moving_variance" else values)
    return cell


def weights_of(cell: NormalisedLSTMCell) -> Weights:
    return {"/".join(w.path.split("/")[1:]): np.asarray(w, dtype=np.float64) for w in cell.weights}


def layer_norm(x: np.ndarray, name: str, weights: Weights) -> np.ndarray:
    mean, variance = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    scaled = (x - mean) / np.sqrt(variance + 1e-5) * weights[f"{name}/gamma"]
    return scaled + weights.get(f"{name}/beta", 0)


def moving_norm(x: np.ndarray, name: str, weights: Weights) -> np.ndarray:
    mean, variance = weights[f"{name}/moving_mean"], weights[f"{name}/moving_variance"]
    return (x - mean) / np.sqrt(variance + 1e-3) * weights[f"{name}/gamma"] + weights.get(f"{name}/beta", 0)


def batch_norm(x: np.ndarray, name: str, weights: Weights) -> np.ndarray:
    found = {f"{name}/moving_mean": x.mean(axis=0), f"{name}/moving_variance": x.var(axis=0)}
    return moving_norm(x, name, {**weights, **found})


NORMS = {"layer": layer_norm, "batch": moving_norm, "batch in training": batch_norm, "none": lambda x, *_: x}


@pytest.mark.parametrize(
    ("kind", "zoneout"),
    [(kind, zoneout) for kind in NORMS for zoneout in (0, 0.3) if (kind, zoneout) != ("batch in training", 0.3)],
)  # with zoneout a step of training is a matter of chance
def test_each_step_is_what_the_formulas_say(kind: str, zoneout: float, random: np.random.Generator) -> None:
    training = kind == "batch in training"
    norm = None if kind == "none" else kind.removesuffix(" in training")
    cell = unequal(NormalisedLSTMCell(U, norm=norm, zoneout=zoneout), random)
    weights, scale = weights_of(cell), NORMS[kind]
    memory, state = random.normal(size=(2, B, U))
    states = [tf.constant(memory, tf.float32), tf.constant(state, tf.float32)]
    for x in random.normal(size=(4, B, F)):
        told, states = cell(tf.constant(x, tf.float32), states, training=training)
        mixed = scale(x @ weights["kernel"], "input_norm", weights)
        mixed = mixed + scale(memory @ weights["recurrent_kernel"], "memory_norm", weights) + weights["bias"]
        into, forget, candidate, out = np.split(mixed, 4, axis=1)
        new = sigmoid(forget) * state + sigmoid(into) * np.tanh(candidate)
        heard = sigmoid(out) * np.tanh(scale(new, "state_norm", weights))
        memory, state = zoneout * memory + (1 - zoneout) * heard, zoneout * state + (1 - zoneout) * new
        for found, expected in ((told, memory), (states[0], memory), (states[1], state)):
            np.testing.assert_allclose(found, expected, atol=2e-5)


def test_layer_normalised_gates_do_not_see_the_scale_of_the_input(random: np.random.Generator) -> None:
    layer = keras.layers.RNN(unequal(NormalisedLSTMCell(U, norm="layer"), random))
    x = random.normal(0, 10, (B, 7, F)).astype(np.float32)
    np.testing.assert_allclose(layer(x * 50), layer(x), atol=1e-4)
    plain = keras.layers.RNN(unequal(NormalisedLSTMCell(U), random))
    assert np.max(np.abs(plain(x * 50) - plain(x))) > 0.1


def test_batch_statistics_move_in_training_and_stay_otherwise(random: np.random.Generator) -> None:
    cell = unequal(NormalisedLSTMCell(U, norm="batch"), random)
    layer, x = keras.layers.RNN(cell), random.normal(3, 2, (B, 7, F)).astype(np.float32)
    moving = [weight for weight in cell.weights if "moving" in weight.name]
    assert len(moving) == 6
    for training in (False, True):
        before = [np.asarray(weight) for weight in moving]
        layer(x, training=training)
        for old, weight in zip(before, moving, strict=True):
            assert np.all(np.asarray(weight) != old) == training


def test_scales_start_at_a_tenth_and_the_cells_bias_is_the_only_offset_of_its_gates() -> None:
    cell = NormalisedLSTMCell(U, norm="batch")
    cell.build((None, F))
    weights = weights_of(cell)
    assert {name for name in weights if "beta" in name} == {"state_norm/beta"}
    for name in ("input_norm", "memory_norm", "state_norm"):
        np.testing.assert_allclose(weights[f"{name}/gamma"], 0.1, rtol=1e-6)
    np.testing.assert_array_equal(weights["bias"], [0] * U + [1] * U + [0] * 2 * U)


@pytest.mark.parametrize("training", [True, False])
def test_zoneout_close_to_1_keeps_memory_and_state(training: bool, random: np.random.Generator) -> None:
    cell = unequal(NormalisedLSTMCell(U, zoneout=0.999), random)
    states = [tf.constant(random.normal(size=(B, U)), tf.float32) for _ in range(2)]
    _, after = cell(tf.constant(random.normal(size=(B, F)), tf.float32), states, training=training)
    for old, new in zip(states, after, strict=True):
        kept = np.isclose(old, new, atol=0.01)
        assert np.mean(kept) > 0.95
        assert not training or np.mean(np.isclose(old, new, atol=1e-6)) > 0.95


def test_zoneout_keeps_units_by_chance_and_renews_the_others_in_full(random: np.random.Generator) -> None:
    cell, plain = NormalisedLSTMCell(U, zoneout=0.3, seed=1), NormalisedLSTMCell(U)
    unequal(cell, random)
    plain.build((None, F))
    plain.set_weights([weight for weight in cell.get_weights() if weight.shape])
    states = [tf.constant(random.normal(size=(4_000, U)), tf.float32) for _ in range(2)]
    x = tf.constant(random.normal(size=(4_000, F)), tf.float32)
    (_, zoned), (_, renewed) = cell(x, states, training=True), plain(x, states)
    for old, found, new in zip(states, zoned, renewed, strict=True):
        kept = np.isclose(found, old, atol=1e-6)
        assert np.mean(kept) == pytest.approx(0.3, abs=0.02)
        np.testing.assert_allclose(np.where(kept, new, found), new, atol=1e-5)


def test_one_mask_drops_the_same_units_at_all_steps(random: np.random.Generator) -> None:
    cell = unequal(NormalisedLSTMCell(U, recurrent_dropout=0.5), random)
    masks = [np.asarray(cell.get_recurrent_dropout_mask(tf.ones((400, U)))) for _ in range(2)]
    np.testing.assert_array_equal(*masks)
    assert set(np.unique(masks[0])) == {0, 2}
    x, states = tf.constant(random.normal(size=(400, F)), tf.float32), [tf.ones((400, U))] * 2
    weights, (found, _) = weights_of(cell), cell(x, states, training=True)
    mixed = x @ weights["kernel"] + masks[0] @ weights["recurrent_kernel"] + weights["bias"]
    into, forget, candidate, out = np.split(mixed, 4, axis=1)
    expected = sigmoid(out) * np.tanh(sigmoid(forget) + sigmoid(into) * np.tanh(candidate))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    cell.reset_recurrent_dropout_mask()
    assert np.any(np.asarray(cell.get_recurrent_dropout_mask(tf.ones((400, U)))) != masks[0])


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_a_copy_from_its_configuration_is_the_same_cell(norm: str | None, random: np.random.Generator) -> None:
    cell = unequal(NormalisedLSTMCell(U, norm=norm, zoneout=0.2, recurrent_dropout=0.1, activation="relu"), random)
    copy = NormalisedLSTMCell.from_config(cell.get_config())
    copy.build((None, F))
    copy.set_weights(cell.get_weights())
    assert copy.get_config() == cell.get_config()
    x = random.normal(size=(B, 7, F)).astype(np.float32)
    np.testing.assert_array_equal(keras.layers.RNN(copy)(x), keras.layers.RNN(cell)(x))


def test_without_normalisation_it_is_keras_own_cell(random: np.random.Generator) -> None:
    cell, own = unequal(NormalisedLSTMCell(U), random), keras.layers.LSTM(U)
    own.build((None, 7, F))
    own.set_weights([weight for weight in cell.get_weights() if weight.shape and weight.dtype == np.float32])
    x = random.normal(size=(B, 7, F)).astype(np.float32)
    np.testing.assert_allclose(own(x), keras.layers.RNN(cell)(x), atol=1e-6)
