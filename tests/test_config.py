"""Settings: their defaults, their presets, what is refused and what is warned of."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any, Literal

import pytest

from cnnlstm_cli.config import PRESETS, DataSpec, ModelSpec, Spec, TrainSpec, spec_from
from cnnlstm_cli.errors import UsageError
from cnnlstm_cli.specs import SEEDS_APART

CHOICES = [
    (table, name, typing.get_args(hint))
    for table, spec in (("model", ModelSpec), ("train", TrainSpec))
    for name, hint in typing.get_type_hints(spec).items()
    if typing.get_origin(hint) is Literal
]


def refusal(table: str, **keys: Any) -> str:
    with pytest.raises(UsageError) as caught:
        spec_from({}, {table: keys})
    return str(caught.value)


@pytest.mark.parametrize("spec", [DataSpec, ModelSpec, TrainSpec])
def test_every_key_has_one_short_line_of_help_and_a_default(spec: type[Any]) -> None:
    for field in dataclasses.fields(spec):
        assert field.default is not dataclasses.MISSING
        assert 3 < len(field.metadata["help"]) < 90
        assert "\n" not in field.metadata["help"] + field.metadata["source"]


@pytest.mark.parametrize(("table", "name", "choices"), CHOICES)
def test_every_choice_is_taken_and_any_other_word_refused(table: str, name: str, choices: tuple[str, ...]) -> None:
    others = {"train": {"weight_decay": 0.01}, "model": {"recurrent_dropout": 0}}[table]
    for choice in choices:
        assert getattr(getattr(spec_from({}, {table: {name: choice, **others}}), table), name) == choice
    assert refusal(table, **{name: "xyz"}) == f"{table}.{name} must be one of {', '.join(choices)}, not 'xyz'."


@pytest.mark.parametrize(
    ("table", "keys", "message"),
    [
        ("model", {"cell": "rnn"}, "model.cell must be one of lstm, gru, not 'rnn'."),
        ("model", {"cell": "LSTM"}, "model.cell must be one of lstm, gru, not 'LSTM'. Did you mean 'lstm'?"),
        ("model", {"padding": "casual"}, "one of valid, causal, not 'casual'. Did you mean 'causal'?"),
        ("model", {"pooling": False}, "model.pooling must be one of none, average, max, not False."),
        ("model", {"activation": ["selu"]}, "not ['selu']."),
        ("model", {"squeeze": "yes"}, "model.squeeze must be true or false, not 'yes'."),
        ("model", {"skip": 1}, "model.skip must be true or false, not 1."),
        ("model", {"layers": True}, "model.layers must be a whole number, not True."),
        ("model", {"layers": 0}, "model.layers must be between 1 and 8, not 0."),
        ("model", {"kernel_l1": -1}, "model.kernel_l1 must be at least 0, not -1.0."),
        ("model", {"pool_size": 1}, "model.pool_size must be at least 2, not 1."),
        ("model", {"recurent_norm": "none"}, "Did you mean 'model.recurrent_norm'?"),
        ("train", {"optimizer": "adamm"}, "Did you mean 'adam'?"),
        ("train", {"weight_decay": float("nan")}, "train.weight_decay must be between 0 and 1, not nan."),
        ("model", {"reduction": 9, "filters": 8}, "With model.filters=8 it can be at most 8."),
        ("model", {"stride": 9, "kernel": 8}, "model.stride=9 with model.kernel=8 leaves rows that no step sees."),
        (
            "model",
            {"cell_activation": "relu", "recurrent_dropout": 0.2},
            "model.recurrent_dropout=0.2 with model.cell_activation=relu is uns",
        ),
        ("model", {"cell": "gru", "recurrent_norm": "batch"}, "model.recurrent_norm=batch is for the LSTM only"),
        ("model", {"cell": "gru", "recurrent_norm": "layer"}, "Take model.cell=lstm, or model.recurrent_norm=output."),
        ("model", {"cell": "gru", "zoneout": 0.1}, "model.zoneout=0.1 is for the LSTM only, not model.cell=gru."),
        ("model", {"pool_norm": True}, "model.pooling is none, not average or max."),
        ("model", {"max_norm": 0}, "model.max_norm must be above 0, not 0.0."),
        ("model", {"max_norm": -1.5}, "model.max_norm must be above 0, not -1.5."),
        ("train", {"optimizer": "adamw"}, "train.optimizer=adamw with train.weight_decay=0 is adam."),
    ],
)
def test_what_makes_no_sense_is_refused_with_expected_and_received(
    table: str, keys: dict[str, Any], message: str
) -> None:
    assert message in refusal(table, **keys)


@pytest.mark.parametrize(
    "keys",
    [
        {"reduction": 8, "filters": 8},
        {"reduction": 9, "filters": 8, "squeeze": False},
        {"stride": 8, "kernel": 8},
        {"stride": 9},
        {"cell_activation": "relu", "recurrent_dropout": 0},
        {"cell": "gru", "recurrent_norm": "output"},
        {"pool_norm": True, "pooling": "max"},
        {"max_norm": None},
        {"max_norm": 2},
    ],
)
def test_what_is_next_to_a_refusal_is_allowed(keys: dict[str, Any]) -> None:
    assert isinstance(spec_from({}, {"model": keys}), Spec)


@pytest.mark.parametrize(
    ("spec", "reasons"),
    [
        (ModelSpec(), []),
        (ModelSpec(activation="relu"), ["keeps mean and variance only of selu, not of relu"]),
        (ModelSpec(activation="relu", conv_dropout=0), []),
        (ModelSpec(activation="relu", dropout_kind="plain"), []),
        (ModelSpec(initializer="he_normal"), ["only from lecun_normal weights, not he_normal"]),
        (ModelSpec(initializer="lecun_normal"), []),
        (ModelSpec(activation="elu", dropout_kind="plain", initializer="he_normal"), []),
        (ModelSpec(output="relu"), ["nothing below zero"]),
        (ModelSpec(recurrent_norm="output"), ["right before the head"]),
        (ModelSpec(recurrent_norm="batch"), []),
        (ModelSpec(pooling="max", kernel=24), ["model.pooling=max blurs 14 steps"]),
        (ModelSpec(pooling="average", kernel=24, stride=8), []),
        (ModelSpec(pooling="average"), []),
        (
            ModelSpec(output="relu", activation="gelu", pooling="average", kernel=336),
            ["selu, not of gelu", "below zero", "blurs 1 steps"],
        ),
    ],
)
def test_what_is_seldom_wise_is_warned_of_in_one_line_with_its_reason(spec: ModelSpec, reasons: list[str]) -> None:
    told = spec.warnings(336)
    assert len(told) == len(reasons)
    for line, reason in zip(told, reasons, strict=True):
        assert reason in line
        assert line.startswith("model.")
        assert "\n" not in line


def test_without_a_lookback_nothing_is_said_of_the_pooling() -> None:
    assert ModelSpec(pooling="max", kernel=24).warnings() == []


@pytest.mark.parametrize("padding", ["valid", "causal"])
@pytest.mark.parametrize("rows", [5, 12, 23, 24, 25])
@pytest.mark.parametrize("stride", [1, 4, 6, None])
def test_steps_are_as_many_as_the_padding_makes_room_for(padding: Any, rows: int, stride: int | None) -> None:
    kernel, apart, steps = ModelSpec(kernel=6, stride=stride, padding=padding).convolution(rows)
    assert (kernel, apart) == (min(6, rows), min(stride or 6, kernel))
    ends = [rows - apart * back for back in range(steps)]
    first = ends[-1] - kernel  # the row before the oldest step's first
    assert all(end > 0 for end in ends)
    assert first <= 0, "the oldest rows are lost"
    assert ends[-1] - apart <= (0 if padding == "causal" else max(0, kernel - 1)), "a step is missing"


def test_the_presets_are_these() -> None:
    answer, question = spec_from({}, preset="answer"), spec_from({}, preset="question")
    assert spec_from({}, preset="default") == spec_from({}) == Spec()
    assert list(PRESETS) == ["default", "answer", "question"]
    assert answer.data.lookback == question.data.lookback == 21
    assert (answer.train.batch_size, answer.train.optimizer, answer.train.loss) == (32, "nadam", "mse")
    assert answer.train == question.train
    assert (answer.model.units, question.model.units) == (16, 15)
    assert answer.model.warnings(21) == []
    assert len(question.model.warnings(21)) == 1, "normalised right before its head"


def test_settings_lie_over_the_preset_and_options_over_settings() -> None:
    settings = {"data": {"lookback": 30, "horizon": 3}, "model": {"units": 8}, "train": {"seed": 4}}
    spec = spec_from({"lookback": 40, "seed": 5}, settings, preset="answer")
    assert (spec.data.lookback, spec.data.horizon, spec.train.seed, spec.model.units) == (40, 3, 5, 8)
    assert (spec.model.filters, spec.train.loss) == (10, "mse")
    assert spec_from({}, preset="answer").model.units == 16, "the preset itself was changed"


@pytest.mark.parametrize(("preset", "hint"), [("anser", "Did you mean 'answer'?"), ("x", "default, answer, question")])
def test_an_unknown_preset_is_refused_with_the_nearest_name(preset: str, hint: str) -> None:
    with pytest.raises(UsageError, match="no such preset") as caught:
        spec_from({}, preset=preset)
    assert hint in str(caught.value)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_specification_comes_back_from_its_tables(preset: str) -> None:
    spec = spec_from({"target": ["a", "b"]}, preset=preset)
    assert Spec.from_dict(spec.to_dict()) == spec


def test_networks_with_settings_of_their_own_take_them_in_turn_each_with_a_seed() -> None:
    settings = {
        "model": {"filters": 16, "dropout": 0.1},
        "train": {"learning_rate": 0.01, "seed": 7},
        "network": [{"model": {"filters": 32, "units": 8}}, {"train": {"learning_rate": 0.002, "seed": 90}}],
    }
    spec = spec_from({}, settings)
    assert spec.train.members == 2
    (one, first), (two, second) = spec.networks(9_000, 48, 12)
    assert (one.filters, one.units, one.dropout, first.learning_rate, first.seed) == (32, 8, 0.1, 0.01, 7)
    assert (two.filters, two.units, two.dropout, second.learning_rate, second.seed) == (16, None, 0.1, 0.002, 90)
    assert Spec.from_dict(spec.plain()) == spec
    *_, (third, trained) = spec_from({"members": 3}, settings).networks(9_000, 48, 12)
    assert third == one, "the first again, drawn anew"
    assert trained == dataclasses.replace(first, seed=7 + SEEDS_APART, members=3)
    assert "network" not in spec_from({}, {}).to_dict()


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"filters": 3}, "settings [[network]] must be a table for each network"),
        ([3], "settings [[network]] must be a table for each network, not [3]."),
        ([{"data": {"lookback": 3}}], "[[network]] 1 takes model.KEY and train.KEY, not data = {'lookback': 3}."),
        ([{"model": 3}], "[[network]] 1 takes model.KEY and train.KEY, not model = 3."),
        ([{"model": {"channels": "joint"}}], "model.channels is the same for all networks and can't stand there"),
        ([{"train": {"members": 3}}], "train.members is the same for all networks"),
        ([{}, {"model": {"filter": 3}}], "no such setting: model.filter. Did you mean 'model.filters'?"),
        ([{"model": {"filters": 2}}], "model.reduction=4 leaves squeeze-excite no channel"),
    ],
)
def test_what_a_network_of_its_own_can_not_be(network: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        spec_from({}, {"network": network})
    assert message in str(caught.value)
