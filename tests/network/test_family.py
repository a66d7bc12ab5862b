"""Every choice beside every other one: each pair of values stands in some network that is built, trained and exported.

A failure of two options together needs a test with these two, not all of the millions of combinations; twenty-odd
networks hold all pairs.
"""

from __future__ import annotations

import dataclasses
import itertools
import typing
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import pytest
import tensorflow as tf

from cnnlstm_cli.errors import UsageError
from cnnlstm_cli.network.build import build
from cnnlstm_cli.network.export import export
from cnnlstm_cli.specs import ModelSpec

HINTS = typing.get_type_hints(ModelSpec)
NUMBERS = {
    **dict.fromkeys(("blocks", "layers"), (1, 2)),
    **dict.fromkeys(("conv_dropout", "dropout", "recurrent_dropout", "zoneout"), (0.0, 0.2)),
    **dict.fromkeys(("kernel_l1", "recurrent_l2", "bias_l2", "activity_l2"), (0.0, 0.01)),
    **dict.fromkeys(("stride", "max_norm"), (None, 2)),
}
WORDS = {name: typing.get_args(hint) for name, hint in HINTS.items() if typing.get_origin(hint) is Literal}
WORDS.pop("channels")  # the caller's: the network sees as many as it is given
WORDS.pop("start")  # what its weights are set to when it is built
WORDS["calendar"] = ("none", "week")  # with or without; which of them is the caller's
SWITCHES = {name: (False, True) for name, hint in HINTS.items() if hint is bool}
VALUES: dict[str, tuple[Any, ...]] = {**NUMBERS, **WORDS, **SWITCHES}
TINY = {"filters": 4, "kernel": 5, "units": 6}  # layer normalisation over fewer units makes much of rounding
Pair = frozenset[tuple[str, Any]]


def possible(choices: dict[str, Any]) -> bool:
    """Not refused, whatever is chosen for the rest."""
    free = {**TINY, "recurrent_dropout": 0.0, "zoneout": 0.0, "pooling": "max"}
    try:
        ModelSpec(**{**free, **choices})
    except UsageError:
        return False
    return True


def pairs() -> set[Pair]:
    both = itertools.combinations(VALUES, 2)
    all_of_them = ({a: x, b: y} for a, b in both for x, y in itertools.product(VALUES[a], VALUES[b]))
    return {frozenset(pair.items()) for pair in all_of_them if possible(pair)}


def covering() -> list[dict[str, Any]]:
    """Combinations that hold every pair, each begun with one still missing and completed greedily."""
    missing = dict.fromkeys(sorted(pairs(), key=lambda pair: sorted(map(str, pair))))
    found = []
    while missing:
        chosen: dict[str, Any] = dict(next(iter(missing)))
        for name in sorted(VALUES, key=lambda name: -len(VALUES[name])):
            if name not in chosen:
                allowed = [value for value in VALUES[name] if possible({**chosen, name: value})]
                gains = [sum(frozenset([(name, v), old]) in missing for old in chosen.items()) for v in allowed]
                chosen[name] = allowed[int(np.argmax(gains))]
        for pair in itertools.combinations(chosen.items(), 2):
            missing.pop(frozenset(pair), None)
        found.append(chosen)
    return found


COVERING = covering()


def test_the_combinations_hold_every_pair() -> None:
    held = {frozenset(pair) for chosen in COVERING for pair in itertools.combinations(chosen.items(), 2)}
    assert pairs() <= held
    assert len(COVERING) < 35
    assert frozenset([("cell", "gru"), ("recurrent_norm", "layer")]) not in held
    assert frozenset([("bidirectional", True), ("recurrent_norm", "batch")]) in held


@pytest.mark.slow
@pytest.mark.parametrize("chosen", COVERING, ids=map(str, range(len(COVERING))))
def test_a_combination_is_built_trained_saved_and_exported(
    chosen: dict[str, Any], random: np.random.Generator, tmp_path: Path
) -> None:
    width = 7 if chosen["calendar"] == "week" else 0
    model = build(ModelSpec(**{**TINY, **chosen}), 12, 3, 2, width, seed=1)
    lookback, target = random.normal(1, 2, (32, 12, 2)).astype(np.float32), random.normal(1, 2, (32, 3, 2))
    given = [lookback, random.normal(size=(32, 3, 7)).astype(np.float32)] if width else lookback
    before = [np.asarray(weight) for weight in model.trainable_variables]
    with tf.GradientTape() as tape:
        error = tf.reduce_mean(tf.abs(model(given, training=True) - target.astype(np.float32)))
        loss = tf.add_n([error, *model.losses])
    gradients = tape.gradient(loss, model.trainable_variables)
    keras.optimizers.Nadam(0.01).apply(gradients, model.trainable_variables)
    assert np.isfinite(loss)
    assert all(np.all(np.isfinite(gradient)) for gradient in gradients), "a weight out of the loss's sight"
    moved = [np.any(old != np.asarray(new)) for old, new in zip(before, model.trainable_variables, strict=True)]
    assert any(moved)
    model.save(tmp_path / "0.keras")
    loaded = keras.models.load_model(tmp_path / "0.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(given), model(given))
    assert export(model, tmp_path / "model.onnx") < 1e-5


def test_every_field_that_chooses_is_among_the_values() -> None:
    sizes = {"filters", "kernel", "reduction", "pool_size", "units", "channels", "start", "seen"}
    one_of_each = {"kernel_l2", "recurrent_l1", "bias_l1", "activity_l1"}  # the same regulariser as its twin
    assert set(VALUES) | sizes | one_of_each == {field.name for field in dataclasses.fields(ModelSpec)}
