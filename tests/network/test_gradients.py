"""Gradients against central differences in double precision, and networks whose answer is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from cnnlstm_cli.errors import DataError
from cnnlstm_cli.evaluation.reach import reach
from cnnlstm_cli.network import blocks
from cnnlstm_cli.network import gradients as room
from cnnlstm_cli.network.build import build
from cnnlstm_cli.network.gradients import Gradient, gradients
from cnnlstm_cli.specs import ModelSpec
from tests.network.formulas import sigmoid

SHAPE = (18, 3, 2, 4)  # lookback, horizon, channels, calendar
SMALL = {"filters": 6, "kernel": 5, "reduction": 3, "units": 4}
STEP = 1e-5  # of a difference; what it leaves out is of the order of its square
SURE = {"rtol": 1e-4, "atol": 2e-6}  # of single precision against it


def network(random: np.random.Generator, **changes: Any) -> keras.Model:
    """Of random weights everywhere."""
    model = build(ModelSpec(**{**SMALL, **changes}), *SHAPE, seed=0)
    for weight in model.weights:
        if weight.dtype.startswith("float"):
            values = random.normal(0, 0.4, weight.shape)
            weight.assign(1 + np.abs(values) if weight.name == "moving_variance" else values)
    return model


def exact(model: keras.Model, **changes: Any) -> keras.Model:
    """The same network in double precision."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        twin = build(ModelSpec(**{**SMALL, **changes}), *SHAPE, seed=0)
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
    for theirs, ours in zip(twin.weights, model.weights, strict=True):
        theirs.assign(np.asarray(ours))
    return twin


def windows(random: np.random.Generator, count: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    lookback, horizon, channels, calendar = SHAPE
    shapes = (lookback, channels), (horizon, calendar), (horizon, channels)
    return tuple(random.normal(size=(count, *shape)).astype(np.float32) for shape in shapes)


def slopes(forecast: Callable[[np.ndarray], Any], at: np.ndarray, came: np.ndarray) -> np.ndarray:
    """|d outcome / d at|, (1 + H, ...), of one window's mean absolute error, and of each step's mean over the channels.

    forecast  (B, ...) -> (B, H, C), for `at` (1, ...) with each of its numbers a little more, and a little less
    """
    step = STEP * np.eye(at.size).reshape(-1, *at.shape[1:])
    more, less = (np.asarray(forecast(at + sign * step)) for sign in (1, -1))
    errors = np.abs(more - came).mean(axis=(1, 2)) - np.abs(less - came).mean(axis=(1, 2))
    moved = np.concatenate([errors[:, None], (more - less).mean(axis=2)], axis=1)
    return np.abs(moved.T / (2 * STEP)).reshape(-1, *at.shape[1:])


def agrees(found: Gradient, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found.loss, expected[0], **SURE)
    np.testing.assert_allclose(found.ahead, expected[1:], **SURE)


KINDS = {
    "default": {},
    "two layers": {"layers": 2, "blocks": 2, "squeeze": False},  # Keras's own
    "gru": {"cell": "gru", "kernel": 3, "pooling": "average", "normalisation": "last"},
    "both ways": {"bidirectional": True, "recurrent_norm": "layer", "zoneout": 0.2, "normalisation": "none"},
}
LAYERS = {"default": "UnrolledLSTM", "two layers": "LSTM", "gru": "GRU", "both ways": "Bidirectional"}


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_differences(kind: str, random: np.random.Generator, monkeypatch: Any) -> None:
    """Of two windows, the mean of each's."""
    monkeypatch.setattr(blocks, "MOST_STEPS", 0 if kind == "two layers" else 64)
    model = network(random, **KINDS[kind])
    given = windows(random, 2)
    found = gradients(model, *given)
    assert found.ahead.tolist() == [0, 1, 2]
    twin = exact(model, **KINDS[kind])
    assert type(last(twin)).__name__ == LAYERS[kind]
    both, gru = kind == "both ways", kind == "gru"
    assert [way.backwards for way in found.ways] == ([False, True] if both else [False])
    assert [way.state is None for way in found.ways] == [gru] * (1 + both)
    expected = [dict(differences(twin, *(each[k : k + 1].astype(np.float64) for each in given))) for k in range(2)]
    agrees(found.rows, np.mean([each["rows"] for each in expected], axis=0))
    agrees(found.fed, np.mean([each["fed"] for each in expected], axis=0))
    assert len(expected[0]) == 2 + 2 * (1 if gru else 2) * (1 + both)
    for way, number, step in set(expected[0]) - {"rows", "fed"}:
        handed = (found.ways[way].memory, found.ways[way].state)[number]
        told = Gradient(handed.loss[step], handed.ahead[:, step])
        agrees(told, np.mean([each[way, number, step] for each in expected], axis=0))


def last(model: keras.Model) -> Any:
    return [each for each in model.layers if isinstance(each, room.RECURRENT)][-1]


def differences(model: keras.Model, x: np.ndarray, calendar: np.ndarray, came: np.ndarray) -> Iterator[tuple[Any, Any]]:
    """Of one window, the slopes for its rows, for what the recurrent layer is fed, and by way, number of what is handed
    on, and step, for that: the layer is cut there, and Keras's own goes on from where it was changed."""
    layer = last(model)
    after = keras.Model([layer.output, *model.inputs], model.output)
    fed = np.asarray(keras.Model(model.inputs, layer.input)([x, calendar]))
    whole = np.asarray(layer(fed))

    def forecast_from(memory: Any) -> Any:
        return after([np.asarray(memory), *(each.repeat(len(memory), axis=0) for each in (x, calendar))])

    yield "rows", slopes(lambda rows: model([rows, calendar.repeat(len(rows), axis=0)]), x, came)
    yield "fed", slopes(lambda fed: forecast_from(layer(fed)), fed, came)
    ways = [layer.forward_layer, layer.backward_layer] if isinstance(layer, layers.Bidirectional) else [layer]
    for way, one in enumerate(ways):
        read = fed[:, ::-1] if way else fed
        for step in (1, read.shape[1] - 1):
            cut = Onward(one.cell, read[:, : step + 1], read[:, step + 1 :])
            for number, handed in enumerate(cut.handed):

                def onward(changed: np.ndarray) -> Any:
                    parts = np.split(whole.repeat(len(changed), axis=0), len(ways), axis=1)
                    parts[way] = cut.memory(number, changed)  # noqa: B023 - called at once
                    return forecast_from(np.concatenate(parts, axis=1))

                place = read.shape[1] - 1 - step if way else step
                yield (way, number, place), slopes(onward, handed, came)


class Onward:
    """Keras's own recurrent layer, that reads some steps, and goes on from what it has handed on by then."""

    def __init__(self, cell: Any, before: np.ndarray, after: np.ndarray) -> None:
        self.layer = layers.RNN(cell, return_state=True, dtype="float64")
        self.handed = [np.asarray(each) for each in self.layer(before)[1:]]
        self.after = after

    def memory(self, number: int, changed: np.ndarray) -> np.ndarray:
        """After the last step, where what was handed on is `changed`, (B, U)."""
        start = [each.repeat(len(changed), axis=0) for each in self.handed]
        start[number] = changed
        if not self.after.shape[1]:
            return start[0]
        return np.asarray(self.layer(self.after.repeat(len(changed), axis=0), initial_state=start)[0])


@pytest.fixture(scope="module")
def plain() -> keras.Model:
    """The default kind, for tests that set its weights."""
    return network(np.random.default_rng(3))


def lstm(model: keras.Model) -> dict[str, np.ndarray]:
    """The weights of its LSTM, by name."""
    return {each.name: np.asarray(each).copy() for each in model.get_layer("lstm").weights}


def with_lstm(model: keras.Model, **weights: np.ndarray) -> keras.Model:
    model.get_layer("lstm").set_weights([weights[each.name] for each in model.get_layer("lstm").weights])
    return model


def gate(number: int) -> slice:
    """Of the four parts of the weights: input, forget, candidate, output."""
    return slice(4 * number, 4 * number + 4)


def curve(gradient: Gradient) -> np.ndarray:
    return gradient.ahead.mean(axis=(0, 2))


def test_a_memory_that_nothing_hears_reaches_one_step(plain: keras.Model, random: np.random.Generator) -> None:
    """Without recurrent weights h_t reaches the head alone; what is carried on is the state, until it is forgotten."""
    before = lstm(plain)
    deaf = {**before, "recurrent_kernel": np.zeros_like(before["recurrent_kernel"])}
    given = windows(random, 6)
    (way,) = gradients(with_lstm(plain, **deaf), *given).ways
    for part in (way.memory.loss, *way.memory.ahead):
        assert (part[:-1] == 0).all()
        assert (part[-1] > 0).all()
    assert reach(curve(way.memory)) == 1
    assert (way.state.loss[:-1] > 0).all()
    forgetful = {**deaf, "kernel": deaf["kernel"].copy(), "bias": deaf["bias"].copy()}
    forgetful["kernel"][:, gate(1)], forgetful["bias"][gate(1)] = 0, -200
    found = gradients(with_lstm(plain, **forgetful), *given)
    assert reach(curve(found.ways[0].memory)) == reach(curve(found.fed)) == 1
    assert (found.ways[0].state.ahead == 0).all()
    assert found.ways[0].shut["forget"].tolist() == [1] * 4
    with_lstm(plain, **before)


def test_saturated_gates_and_dead_units_are_found(plain: keras.Model, random: np.random.Generator) -> None:
    before = lstm(plain)
    bias = before["bias"].copy()
    bias[4 + 2] = 50  # the forget gate of unit 2
    bias[0 + 1] = -50  # the input gate of unit 1, whose state then stays zero
    (way,) = gradients(with_lstm(plain, **{**before, "bias": bias}), *windows(random, 6)).ways
    assert way.open["forget"][2] == 1
    assert way.shut["input"][1] == 1
    assert way.square[1] < 1e-20
    assert (way.square[[0, 2, 3]] > 1e-3).all()
    assert (np.delete(way.open["forget"], 2) < 0.9).all()
    assert (np.delete(way.shut["input"], 1) < 0.9).all()
    with_lstm(plain, **before)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_gates_are_counted_as_by_the_formula(cell: str, random: np.random.Generator, monkeypatch: Any) -> None:
    """Of the cell's equations, window by window and step by step."""
    monkeypatch.setattr(room, "MOST_AHEAD", 2)
    monkeypatch.setattr(room, "AT_ONCE", 7)  # two windows of three steps
    model = network(random, cell=cell, units=3)
    recurrent = model.get_layer(cell)
    recurrent.set_weights([4 * each for each in recurrent.get_weights()])
    x, calendar, came = windows(random, 5)
    found = gradients(model, x, calendar, came)
    assert found.ahead.tolist() == [0, 2]  # not all of so many
    assert found.rows.ahead.shape == (2, *x.shape[1:])
    (way,) = found.ways
    kernel, recurrent, bias = (np.asarray(each, dtype=np.float64) for each in model.get_layer(cell).weights)
    steps = np.asarray(keras.Model(model.inputs, model.get_layer(cell).input)([x, calendar]), dtype=np.float64)
    seen: dict[str, list[np.ndarray]] = {name: [] for name in way.open}
    memories = []
    for window in steps:
        memory = state = np.zeros(3)
        for step in window:
            if cell == "lstm":
                into, forget, candidate, out = np.split(step @ kernel + memory @ recurrent + bias, 4)
                made = {"input": sigmoid(into), "forget": sigmoid(forget), "output": sigmoid(out)}
                state = made["forget"] * state + made["input"] * np.tanh(candidate)
                memory = made["output"] * np.tanh(state)
            else:
                from_input, from_memory = step @ kernel + bias[0], memory @ recurrent + bias[1]
                update, reset = sigmoid(from_input[:3] + from_memory[:3]), sigmoid(from_input[3:6] + from_memory[3:6])
                memory = update * memory + (1 - update) * np.tanh(from_input[6:] + reset * from_memory[6:])
                made = {"update": update, "reset": reset}
            memories.append(memory)
            for name, each in made.items():
                seen[name].append(each)
    np.testing.assert_allclose(way.square, (np.array(memories) ** 2).mean(axis=0), rtol=1e-4)
    for name, each in seen.items():
        np.testing.assert_allclose(way.shut[name], (np.array(each) < 0.1).mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(way.open[name], (np.array(each) > 0.9).mean(axis=0), atol=1e-6)
    assert sum(each.sum() for each in way.shut.values()) > 0
    assert sum(each.sum() for each in way.open.values()) > 0


def small_network(recurrent: Any) -> keras.Model:
    rows = keras.Input((6, 1), name="lookback")
    return keras.Model(rows, layers.Reshape((2, 1))(layers.Dense(2)(recurrent(rows))))


def test_of_what_reads_the_same_both_ways_both_ways_are_the_same(random: np.random.Generator) -> None:
    """Its cells have the same weights, and so has the head for each; the mirror of each step is the same step."""
    model = small_network(layers.Bidirectional(layers.LSTM(3)))
    both, (head, bias) = model.layers[1], model.layers[2].get_weights()
    cell = [4 * random.normal(size=each.shape) for each in both.get_weights()[:3]]
    both.set_weights(cell + cell)
    model.layers[2].set_weights([np.concatenate([head[:3], head[:3]]), bias])
    half = random.normal(size=(4, 3, 1)).astype(np.float32)
    x = np.concatenate([half, half[:, ::-1]], axis=1)
    forward, backward = gradients(model, x, None, x[:, :2]).ways
    np.testing.assert_allclose(backward.memory.loss, forward.memory.loss[::-1], rtol=1e-4)
    np.testing.assert_allclose(backward.square, forward.square, rtol=1e-4)
    for name in ("input", "forget", "output"):
        np.testing.assert_allclose(backward.open[name], forward.open[name])
        np.testing.assert_allclose(backward.shut[name], forward.shut[name])
    assert 0 < sum(each.sum() for each in backward.open.values()) < 9


def test_other_cells_are_refused() -> None:
    x = np.zeros((1, 6, 1), dtype=np.float32)
    with pytest.raises(DataError, match="SimpleRNNCell; looked into are LSTM and GRU"):
        gradients(small_network(layers.SimpleRNN(3)), x, None, x[:, :2])


def test_a_layer_that_does_otherwise_than_its_cells_is_refused() -> None:
    x = np.arange(6, dtype=np.float32).reshape(1, 6, 1)
    with pytest.raises(RuntimeError, match="it remembers otherwise"):
        gradients(small_network(layers.LSTM(3, go_backwards=True)), x, None, x[:, :2])
