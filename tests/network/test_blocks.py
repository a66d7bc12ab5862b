"""Each block by itself: its shapes, and what it promises."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest

from cnnlstm_cli.network import blocks


def model_of(block: Callable[..., object], *shape: int) -> keras.Model:
    rows = keras.Input(shape)
    return keras.Model(rows, block(rows))


def call(model: keras.Model, x: np.ndarray, training: bool = False) -> np.ndarray:
    return np.asarray(model(x.astype(np.float32), training=training))


def test_normalised_windows_have_mean_0_and_deviation_1_per_channel(random: np.random.Generator) -> None:
    x = random.normal([3, -200], [0.01, 40], (4, 50, 2))
    normalised, mean, deviation = model_of(blocks.normalise, 50, 2)(x.astype(np.float32))
    np.testing.assert_allclose(np.mean(normalised, axis=1), 0, atol=1e-3)
    np.testing.assert_allclose(np.std(normalised, axis=1), 1, rtol=1e-4)
    np.testing.assert_allclose(mean[:, 0], x.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(deviation[:, 0], x.std(axis=1), rtol=1e-3)


def test_denormalise_undoes_normalise(random: np.random.Generator) -> None:
    x = random.normal(5, 2, (3, 20, 2))
    there_and_back = model_of(lambda rows: blocks.denormalise(*blocks.normalise(rows)), 20, 2)
    np.testing.assert_allclose(call(there_and_back, x), x, rtol=1e-5)


def test_normalising_a_constant_window_has_a_finite_gradient() -> None:
    import tensorflow as tf

    model, x = model_of(lambda rows: blocks.normalise(rows)[0], 20, 1), tf.ones((1, 20, 1))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(model(x) ** 2)
    assert np.all(np.isfinite(tape.gradient(y, x)))


@pytest.mark.parametrize(("rows", "kernel", "steps"), [(24, 6, 4), (23, 6, 4), (25, 6, 5), (5, 5, 1), (7, 1, 7)])
def test_convolution_turns_each_kernel_of_rows_into_a_step(rows: int, kernel: int, steps: int) -> None:
    model = model_of(lambda x: blocks.convolve(x, 8, kernel, 0.1), rows, 2)
    assert model.output_shape == (None, steps, 8)


@pytest.mark.parametrize("rows", [24, 23, 19])
def test_convolution_counts_back_from_the_newest_row_and_loses_none(rows: int, random: np.random.Generator) -> None:
    model = model_of(lambda x: blocks.convolve(x, 8, 6, 0.1), rows, 1)
    x = random.normal(size=(1, rows, 1))
    before = call(model, x)
    for row in range(rows):
        moved = x.copy()
        moved[0, row] += 1
        (changed,) = np.unique(np.nonzero(call(model, moved) != before)[1])
        assert changed == 3 - (rows - 1 - row) // 6


def test_alpha_dropout_drops_whole_filters_and_keeps_mean_and_variance(random: np.random.Generator) -> None:
    model = model_of(lambda x: blocks.convolve(x, 400, 1, 0.3), 50, 1)
    dropout = next(layer for layer in model.layers if isinstance(layer, keras.layers.AlphaDropout))
    x = random.normal(size=(100, 50, 400)).astype(np.float32)
    y = np.asarray(dropout(x, training=True))
    constant = np.ptp(y, axis=1) == 0  # over time, per window and filter
    assert np.mean(constant) == pytest.approx(0.3, abs=0.01)
    assert np.unique(np.round(y[:, 0][constant], 5)).size == 1
    assert np.mean(y) == pytest.approx(0, abs=0.02)
    assert np.var(y) == pytest.approx(1, abs=0.03)


def test_convolution_without_training_drops_nothing(random: np.random.Generator) -> None:
    model, x = model_of(lambda x: blocks.convolve(x, 64, 1, 0.5), 50, 1), random.normal(size=(2, 50, 1))
    np.testing.assert_array_equal(call(model, x), call(model, x))
    assert np.any(call(model, x, training=True) != call(model, x, training=True))


def test_squeeze_excite_weighs_filters_as_by_hand(random: np.random.Generator) -> None:
    model, x = model_of(lambda x: blocks.squeeze_excite(x, 3), 5, 7), random.normal(size=(4, 5, 7))
    squeeze, excite = random.normal(size=(7, 2)), random.normal(size=(2, 7))
    model.get_layer("squeeze").set_weights([squeeze])
    model.get_layer("excite").set_weights([excite])
    expected = np.empty_like(x)
    for window in range(4):
        average = sum(x[window, t] for t in range(5)) / 5
        bottleneck = [max(0.0, float(average @ squeeze[:, k])) for k in range(2)]
        for f in range(7):
            gate = 1 / (1 + np.exp(-(bottleneck[0] * excite[0, f] + bottleneck[1] * excite[1, f])))
            expected[window, :, f] = x[window, :, f] * gate
    np.testing.assert_allclose(call(model, x), expected, atol=1e-5)


def test_the_recurrence_returns_its_last_memory_and_drops_only_in_training(random: np.random.Generator) -> None:
    model, x = model_of(lambda x: blocks.recur(x, 9, 0.2, 0.3), 5, 4), random.normal(size=(200, 5, 4))
    assert model.output_shape == (None, 9)
    assert not np.any(call(model, x) == 0)
    assert np.mean(call(model, x, training=True) == 0) == pytest.approx(0.3, abs=0.05)


def test_recurrent_dropout_acts_inside_the_recurrence(random: np.random.Generator) -> None:
    model, x = model_of(lambda x: blocks.recur(x, 9, 0.5, 0.0), 5, 4), random.normal(size=(3, 5, 4))
    assert np.any(call(model, x, training=True) != call(model, x, training=True))


def head(lookback: int, horizon: int, channels: int, units: int) -> keras.Model:
    memory, rows = keras.Input((units,)), keras.Input((lookback, channels))
    return keras.Model([memory, rows], blocks.forecast(memory, rows, horizon))


def test_the_skip_starts_at_zero_so_the_first_forecast_does_not_depend_on_it(random: np.random.Generator) -> None:
    model, memory = head(6, 3, 2, 4), random.normal(size=(5, 4)).astype(np.float32)
    near, far = (random.normal(size=(5, 6, 2)).astype(np.float32) * scale for scale in (1, 100))
    assert model.output_shape == (None, 3, 2)
    np.testing.assert_array_equal(model([memory, near]), model([memory, far]))
    assert np.any(np.asarray(model([memory, near])) != np.asarray(model([memory * 2, near])))


def test_the_skip_is_one_matrix_over_time_for_all_channels(random: np.random.Generator) -> None:
    model, rows = head(6, 3, 2, 4), random.normal(size=(5, 6, 2))
    skip = random.normal(size=(6, 3))
    model.get_layer("skip").set_weights([skip])
    forecast = np.asarray(model([np.zeros((5, 4), np.float32), rows.astype(np.float32)]))
    for channel in range(2):
        np.testing.assert_allclose(forecast[:, :, channel], rows[:, :, channel] @ skip, atol=1e-5)
