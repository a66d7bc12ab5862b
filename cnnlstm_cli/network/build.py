"""ModelSpec -> keras.Model: the blocks in their order; how it starts; several averaged in one."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator, Sequence

import keras
import numpy as np
from keras.src.random import seed_generator
from numpy.typing import NDArray

from cnnlstm_cli.network import blocks
from cnnlstm_cli.specs import ModelSpec

_alone = threading.Lock()  # one network is built at a time


def build(
    spec: ModelSpec, lookback: int, horizon: int, channels: int, calendar: int = 0, *, covariates: int = 0, seed: int
) -> keras.Model:
    """The untrained CNN-LSTM: scaled (B, L, C) -> scaled (B, H, C), both float32.

    With a `calendar` of so many numbers K, the last of them `covariates`, the network has a second input, (B, H, K).
    `spec.kernel` must be a number; it is cut to the lookback. What `spec` leaves to a race is as its first candidate
    has it. `seed` fixes the first weights and every dropout mask after them.
    """
    with _drawn_from(seed):
        return _laid(spec.candidates()[0], lookback, horizon, channels, calendar, covariates)


@contextlib.contextmanager
def _drawn_from(seed: int) -> Iterator[None]:
    """In here Keras takes each layer's seed from a generator of our own.

    Else it does from Python's `random`, which is the whole process's: another thread that draws from it, as those of a
    Dask worker do, would change the weights.
    """
    with _alone:
        shared = seed_generator.python_random
        seed_generator.python_random = random.Random(seed)  # noqa: S311 - not to keep a secret
        try:
            yield
        finally:
            seed_generator.python_random = shared


def _laid(spec: ModelSpec, lookback: int, horizon: int, channels: int, calendar: int, covariates: int) -> keras.Model:
    """The blocks of a settled specification in their order."""
    rows = blocks.lookback_input(lookback, channels)
    normalised, zero, unit = blocks.normalise(blocks.newest(rows, spec), spec)
    x = normalised
    for number in range(1, spec.blocks + 1):
        x = blocks.convolve(x, spec, number)
        x = blocks.squeeze_excite(x, spec, number)
    x = blocks.pool(x, spec)
    x = blocks.recur(x, spec)
    y = blocks.forecast(x, normalised, horizon, spec)
    inputs = [rows]
    if calendar:
        inputs.append(blocks.calendar_input(horizon, calendar))
        y = blocks.add_calendar(y, x, inputs[1], deep=covariates > 0)
    y = keras.activations.get(spec.output)(y)
    return keras.Model(inputs if calendar else rows, blocks.denormalise(y, zero, unit), name="cnn_lstm")


def start_linear(model: keras.Model, weights: NDArray[np.float64]) -> None:
    """Lets a network with a skip begin as the linear model of `weights` (L, H): what it learns is what that leaves.

    The head starts at zero, as the skip does otherwise. A network that finds nothing more is then no worse than the
    linear model, however short the series.
    """
    model.get_layer("skip").set_weights([weights])
    head = model.get_layer("head")
    head.set_weights([np.zeros_like(weight) for weight in head.get_weights()])


def linear_network(weights: NDArray[np.float64], channels: int) -> keras.Model:
    """The linear model of `weights` (L, H) as a network: scaled (B, L, C) -> scaled (B, H, C)."""
    spec = ModelSpec(normalisation="standard")
    rows = blocks.lookback_input(len(weights), channels)
    normalised, zero, unit = blocks.normalise(rows, spec)
    skip = blocks.skip(weights.shape[1], channels)
    model = keras.Model(rows, blocks.denormalise(skip(normalised), zero, unit), name="linear")
    skip.set_weights([weights])
    return model


def average(members: Sequence[keras.Model], weights: Sequence[float]) -> keras.Model:
    """The weighted mean of the members' forecasts as one network: (B, L, C) -> (B, H, C); beside it their calendar, if
    any. The weights are 1 together."""
    if len(members) == 1:
        return members[0]
    most = max((member.inputs for member in members), key=len)
    inputs = [keras.Input(each.shape[1:], name=each.name) for each in most]
    for number, member in enumerate(members):
        member.name = f"member_{number}"
    made = [member(inputs[: len(member.inputs)] if len(member.inputs) > 1 else inputs[0]) for member in members]
    parts = [keras.layers.Rescaling(weight)(each) for weight, each in zip(weights, made, strict=True)]
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], keras.layers.Add()(parts), name="average")
