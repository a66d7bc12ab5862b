"""Each block by itself: its shapes, and what it promises."""

from __future__ import annotations

import math
from collections.abc import Callable

import keras
import numpy as np
import pytest

from cnnlstm_cli.network import blocks
from cnnlstm_cli.network.build import build
from cnnlstm_cli.specs import ModelSpec


def model_of(block: Callable[..., object], *shape: int) -> keras.Model:
    rows = keras.Input(shape)
    return keras.Model(rows, block(rows))


def call(model: keras.Model, x: np.ndarray, training: bool = False) -> np.ndarray:
    return np.asarray(model(x.astype(np.float32), training=training))


def test_normalised_windows_have_mean_0_and_deviation_1_per_channel(random: np.random.Generator) -> None:
    x = random.normal([3, -200], [0.01, 40], (4, 50, 2))
    normalised, mean, deviation = model_of(lambda rows: blocks.normalise(rows, ModelSpec()), 50, 2)(
        x.astype(np.float32)
    )
    np.testing.assert_allclose(np.mean(normalised, axis=1), 0, atol=1e-3)
    np.testing.assert_allclose(np.std(normalised, axis=1), 1, rtol=1e-4)
    np.testing.assert_allclose(mean[:, 0], x.mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(deviation[:, 0], x.std(axis=1), rtol=1e-3)


@pytest.mark.parametrize("normalisation", ["none", "last", "standard"])
def test_denormalise_undoes_normalise(normalisation: str, random: np.random.Generator) -> None:
    x, spec = random.normal(5, 2, (3, 20, 2)), ModelSpec(normalisation=normalisation)
    there_and_back = model_of(lambda rows: blocks.denormalise(*blocks.normalise(rows, spec)), 20, 2)
    np.testing.assert_allclose(call(there_and_back, x), x, rtol=1e-5)


def test_normalising_a_constant_window_has_a_finite_gradient() -> None:
    import tensorflow as tf

    model, x = model_of(lambda rows: blocks.normalise(rows, ModelSpec())[0], 20, 1), tf.ones((1, 20, 1))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(model(x) ** 2)
    assert np.all(np.isfinite(tape.gradient(y, x)))


@pytest.mark.parametrize(("rows", "kernel", "steps"), [(24, 6, 4), (23, 6, 4), (25, 6, 5), (5, 5, 1), (7, 1, 7)])
def test_convolution_turns_each_kernel_of_rows_into_a_step(rows: int, kernel: int, steps: int) -> None:
    model = model_of(lambda x: blocks.convolve(x, ModelSpec(filters=8, kernel=kernel)), rows, 2)
    assert model.output_shape == (None, steps, 8)


@pytest.mark.parametrize("padding", ["valid", "causal"])
@pytest.mark.parametrize("rows", [24, 23, 19])
def test_convolution_counts_back_from_the_newest_row_and_loses_none(
    rows: int, padding: str, random: np.random.Generator
) -> None:
    model = model_of(lambda x: blocks.convolve(x, ModelSpec(filters=8, kernel=6, padding=padding)), rows, 1)
    x = random.normal(size=(1, rows, 1))
    before = call(model, x)
    for row in range(rows):
        moved = x.copy()
        moved[0, row] += 1
        (changed,) = np.unique(np.nonzero(call(model, moved) != before)[1])
        assert changed == 3 - (rows - 1 - row) // 6


@pytest.mark.parametrize(("rows", "stride"), [(23, 4), (24, 5), (21, 1), (7, 6)])
def test_overlapping_steps_end_at_the_newest_row_whatever_the_padding(
    rows: int, stride: int, random: np.random.Generator
) -> None:
    kernel = random.normal(size=(6, 2, 4))
    for padding, steps in (("valid", -(-(rows - 6) // stride) + 1), ("causal", -(-rows // stride))):
        spec = ModelSpec(filters=4, kernel=6, stride=stride, padding=padding, conv_norm="none", activation="linear")
        model, x = model_of(lambda x, spec=spec: blocks.convolve(x, spec), rows, 2), random.normal(size=(2, rows, 2))
        model.get_layer("convolution").set_weights([kernel, np.array([1, 2, 3, 4])])
        padded = np.concatenate([np.zeros((2, 6, 2)), x], axis=1)
        ends = [rows + 6 - stride * back for back in range(steps)][::-1]
        expected = np.stack([np.einsum("bkc,kcf->bf", padded[:, end - 6 : end], kernel) for end in ends], axis=1)
        np.testing.assert_allclose(call(model, x), expected + np.array([1, 2, 3, 4]), atol=1e-5)


def test_further_blocks_are_causal_and_keep_the_steps(random: np.random.Generator) -> None:
    spec = ModelSpec(filters=4, kernel=6)
    model, x = model_of(lambda x: blocks.convolve(x, spec, 2), 9, 4), random.normal(size=(1, 9, 4))
    assert model.output_shape == (None, 9, 4)
    assert model.get_layer("convolution_2").kernel_size == (3,)
    moved = x.copy()
    moved[0, 5] += 1
    np.testing.assert_array_equal(np.unique(np.nonzero(call(model, moved) != call(model, x))[1]), [5, 6, 7])


def by_hand_normalised(x: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    return (x - weights["moving_mean"]) / np.sqrt(weights["moving_variance"] + 1e-3) + weights["beta"]


@pytest.mark.parametrize("conv_norm", ["before", "after", "none"])
@pytest.mark.parametrize("activation", ["selu", "relu", "gelu", "elu", "linear"])
def test_the_normalisation_stands_where_it_is_asked_to(
    conv_norm: str, activation: str, random: np.random.Generator
) -> None:
    spec = ModelSpec(filters=4, kernel=1, conv_norm=conv_norm, activation=activation)
    model, x = model_of(lambda x: blocks.convolve(x, spec), 5, 3), random.normal(size=(2, 5, 3))
    for weight in model.weights:
        weight.assign(np.abs(random.normal(1, 0.4, weight.shape)))
    found = {weight.name: np.asarray(weight) for weight in model.weights}
    convolved = x @ found["kernel"][0] + found.get("bias", 0)
    by_name = {
        "selu": lambda z: 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(z)),
        "relu": lambda z: np.maximum(z, 0),
        "gelu": lambda z: z / 2 * (1 + np.vectorize(math.erf)(z / np.sqrt(2))),
        "elu": lambda z: np.where(z > 0, z, np.expm1(z)),
        "linear": lambda z: z,
    }
    activate = by_name[activation]
    expected = {
        "before": lambda: activate(by_hand_normalised(convolved, found)),
        "after": lambda: by_hand_normalised(activate(convolved), found),
        "none": lambda: activate(convolved),
    }[conv_norm]()
    assert ("bias" in found) == (conv_norm == "none")
    np.testing.assert_allclose(call(model, x), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"activation": "selu"}, "LecunNormal"),
        ({"activation": "linear"}, "LecunNormal"),
        ({"activation": "relu"}, "HeNormal"),
        ({"activation": "gelu"}, "HeNormal"),
        ({"activation": "elu"}, "HeNormal"),
        ({"activation": "relu", "initializer": "glorot_uniform"}, "GlorotUniform"),
    ],
)
def test_the_initialiser_follows_the_activation_unless_told(changes: dict[str, str], expected: str) -> None:
    model = model_of(lambda x: blocks.convolve(x, ModelSpec(kernel=2, **changes)), 5, 3)
    assert type(model.get_layer("convolution").kernel_initializer).__name__ == expected


def dropout_of(**changes: object) -> keras.layers.Layer:
    model = model_of(lambda x: blocks.convolve(x, ModelSpec(filters=400, kernel=1, conv_dropout=0.3, **changes)), 50, 1)
    return next(layer for layer in model.layers if "Dropout" in type(layer).__name__)


@pytest.mark.parametrize("shape", ["spatial", "elementwise"])
def test_alpha_dropout_keeps_mean_and_variance(shape: str, random: np.random.Generator) -> None:
    x = random.normal(size=(100, 50, 400)).astype(np.float32)
    y = np.asarray(dropout_of(dropout_shape=shape)(x, training=True))
    assert np.mean(y) == pytest.approx(0, abs=0.02)
    assert np.var(y) == pytest.approx(1, abs=0.03)


def test_plain_dropout_leaves_zeros_and_keeps_the_mean() -> None:
    y = np.asarray(dropout_of(dropout_kind="plain")(np.ones((100, 50, 400), np.float32), training=True))
    assert set(np.unique(np.round(y, 4))) == {0, np.float32(np.round(1 / 0.7, 4))}
    assert np.mean(y) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("kind", ["alpha", "plain"])
def test_spatial_dropout_drops_whole_filters_and_elementwise_does_not(kind: str, random: np.random.Generator) -> None:
    x = random.normal(size=(100, 50, 400)).astype(np.float32)
    for shape in ("spatial", "elementwise"):
        y = np.asarray(dropout_of(dropout_kind=kind, dropout_shape=shape)(x, training=True))
        values, counts = np.unique(np.round(y, 4), return_counts=True)
        dropped = np.isclose(y, values[np.argmax(counts)], atol=1e-4)
        assert np.mean(dropped) == pytest.approx(0.3, abs=0.01)
        whole = np.mean(dropped, axis=1)  # over time, per window and filter
        assert np.all((whole < 0.1) | (whole == 1)) == (shape == "spatial")


def test_convolution_without_training_drops_nothing(random: np.random.Generator) -> None:
    spec = ModelSpec(kernel=1, conv_dropout=0.5)
    model, x = model_of(lambda x: blocks.convolve(x, spec), 50, 1), random.normal(size=(2, 50, 1))
    np.testing.assert_array_equal(call(model, x), call(model, x))
    assert np.any(call(model, x, training=True) != call(model, x, training=True))


def test_squeeze_excite_weighs_filters_as_by_hand(random: np.random.Generator) -> None:
    model, x = (
        model_of(lambda x: blocks.squeeze_excite(x, ModelSpec(filters=7, reduction=3)), 5, 7),
        random.normal(size=(4, 5, 7)),
    )
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
    model, x = (
        model_of(lambda x: blocks.recur(x, ModelSpec(units=9, dropout=0.3)), 5, 4),
        random.normal(size=(200, 5, 4)),
    )
    assert model.output_shape == (None, 9)
    assert not np.any(call(model, x) == 0)
    assert np.mean(call(model, x, training=True) == 0) == pytest.approx(0.3, abs=0.05)


def test_recurrent_dropout_acts_inside_the_recurrence(random: np.random.Generator) -> None:
    model, x = (
        model_of(lambda x: blocks.recur(x, ModelSpec(units=9, recurrent_dropout=0.5, dropout=0)), 5, 4),
        random.normal(size=(3, 5, 4)),
    )
    assert np.any(call(model, x, training=True) != call(model, x, training=True))


def head(lookback: int, horizon: int, channels: int, units: int) -> keras.Model:
    memory, rows = keras.Input((units,)), keras.Input((lookback, channels))
    return keras.Model([memory, rows], blocks.forecast(memory, rows, horizon, ModelSpec()))


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


def test_nothing_is_squeezed_when_it_is_off() -> None:
    x = keras.Input((5, 7))
    assert blocks.squeeze_excite(x, ModelSpec(squeeze=False)) is x


def test_normalising_by_the_newest_row_subtracts_it(random: np.random.Generator) -> None:
    x = random.normal(5, 2, (3, 20, 2))
    model = model_of(lambda rows: blocks.normalise(rows, ModelSpec(normalisation="last"))[0], 20, 2)
    np.testing.assert_allclose(call(model, x), x - x[:, 19:], atol=1e-5)


@pytest.mark.parametrize(("pooling", "pooled"), [("average", np.mean), ("max", np.max)])
def test_pools_are_counted_back_from_the_newest_step(
    pooling: str, pooled: Callable[..., np.ndarray], random: np.random.Generator
) -> None:
    model = model_of(lambda x: blocks.pool(x, ModelSpec(pooling=pooling, pool_size=3)), 8, 4)
    x = random.normal(size=(2, 8, 4))
    expected = np.stack([pooled(x[:, 2:5], axis=1), pooled(x[:, 5:8], axis=1)], axis=1)
    np.testing.assert_allclose(call(model, x), expected, atol=1e-6)


def test_a_pool_larger_than_the_steps_is_cut_to_them() -> None:
    assert model_of(lambda x: blocks.pool(x, ModelSpec(pooling="max", pool_size=9)), 4, 2).output_shape == (None, 1, 2)


def test_the_normalisation_before_pooling_stands_before_it(random: np.random.Generator) -> None:
    spec = ModelSpec(pooling="max", pool_norm=True)
    model, x = model_of(lambda x: blocks.pool(x, spec), 4, 3), random.normal(size=(2, 4, 3))
    gamma, beta, mean, variance = -random.random(3), *random.random((3, 3))  # a maximum and a sign do not commute
    model.get_layer("pool_normalisation").set_weights([gamma, beta, mean, variance])
    scaled = (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    np.testing.assert_allclose(call(model, x), scaled.reshape(2, 2, 2, 3).max(axis=2), atol=1e-5)


@pytest.mark.parametrize(
    ("cell", "norm"),
    [*(("lstm", norm) for norm in ("none", "output", "batch", "layer")), ("gru", "none"), ("gru", "output")],
)
def test_recurrent_layers_stack_and_read_both_ways(cell: str, norm: str) -> None:
    spec = ModelSpec(cell=cell, units=3, layers=2, bidirectional=True, recurrent_norm=norm)
    model = model_of(lambda x: blocks.recur(x, spec), 5, 4)
    assert model.output_shape == (None, 6)
    assert model.get_layer("bidirectional").output.shape == (None, 5, 6)
    assert model.get_layer("bidirectional_2").output.shape == (None, 6)
    assert ("recurrent_normalisation" in [layer.name for layer in model.layers]) == (norm == "output")


def test_a_relu_output_stops_at_zero_and_the_linear_one_does_not(random: np.random.Generator) -> None:
    of = {"filters": 4, "kernel": 3, "units": 4, "normalisation": "none"}
    linear, cut = (build(ModelSpec(**of, output=output), 6, 3, 2, 3, seed=0) for output in ("linear", "relu"))
    weights = [random.normal(0, 0.5, weight.shape) for weight in linear.weights]
    for model in (linear, cut):
        for weight, values in zip(model.weights, weights, strict=True):
            if weight.dtype == "float32":
                weight.assign(np.abs(values) if weight.name == "moving_variance" else values)
    x = [random.normal(size=shape).astype(np.float32) for shape in ((50, 6, 2), (50, 3, 3))]
    assert np.min(linear(x)) < -0.5
    np.testing.assert_array_equal(cut(x), np.maximum(linear(x), 0))


def test_without_a_skip_the_window_reaches_the_forecast_through_the_memory_alone() -> None:
    memory, rows = keras.Input((4,)), keras.Input((6, 2))
    model = keras.Model(memory, blocks.forecast(memory, rows, 3, ModelSpec(skip=False)))
    assert [weight.path for weight in model.weights] == ["head/kernel", "head/bias"]


@pytest.mark.parametrize(
    ("layer", "part"),
    [
        (layer, part)
        for layer in ("convolution", "lstm", "normalised")
        for part in ("kernel", "recurrent", "bias", "activity")
        if (layer, part) != ("convolution", "recurrent")
    ],
)
def test_penalties_are_the_sums_over_their_weights(layer: str, part: str, random: np.random.Generator) -> None:
    changes = {"recurrent_norm": "layer" if layer == "normalised" else "none", f"{part}_l1": 0.25, f"{part}_l2": 0.5}
    spec = ModelSpec(filters=4, kernel=2, units=3, conv_norm="none", **changes)
    block = blocks.convolve if layer == "convolution" else blocks.recur
    model, x = model_of(lambda rows: block(rows, spec), 6, 4), random.normal(size=(5, 6, 4)).astype(np.float32)
    for weight in model.weights:
        weight.assign(random.normal(size=weight.shape))
    model(x)
    name = {"kernel": "kernel", "recurrent": "recurrent_kernel", "bias": "bias"}.get(part)
    values = next((np.asarray(weight) for weight in model.weights if weight.name == name), None)
    windows = 1
    if part == "activity":  # of what the layer hands on, before the convolution's activation; a mean over windows
        named = "convolution" if layer == "convolution" else "lstm"
        values, windows = np.asarray(keras.Model(model.input, model.get_layer(named).output)(x)), 5
    assert values is not None
    expected = (0.25 * np.abs(values).sum() + 0.5 * (values**2).sum()) / windows
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("norm", ["none", "layer"])
def test_the_largest_norm_is_that_of_all_weights_into_a_filter_or_a_gate(
    norm: str, random: np.random.Generator
) -> None:
    spec = ModelSpec(filters=4, kernel=2, units=3, max_norm=0.5, recurrent_norm=norm)
    model = model_of(lambda rows: blocks.recur(blocks.convolve(rows, spec), spec), 6, 4)
    held = [weight for weight in model.trainable_variables if weight.constraint]
    assert [weight.name for weight in held] == ["kernel", "kernel", "recurrent_kernel"]
    for weight in held:
        axes = tuple(range(len(weight.shape) - 1))
        values = np.asarray(weight.constraint(random.normal(0, 9, weight.shape).astype(np.float32)))
        np.testing.assert_allclose(np.sqrt((values**2).sum(axis=axes)), 0.5, rtol=1e-4)
