"""What the parts of a network put out over windows: activations, squeeze-excite's gates, and shares of the forecast.

Shapes: N windows, B of a batch, L lookback, H horizon, C channels, K calendar numbers, F filters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

BATCH = 64  # windows
PARTS = {"skip": "skip", "network": "head", "calendar": "calendar_head"}  # of the forecast: the layers they come from


@dataclass(frozen=True, eq=False)
class Spread:
    """Mean and deviation over the windows, of shape (...)."""

    mean: Numbers
    deviation: Numbers


@dataclass(frozen=True)
class Activation:
    """Mean and variance over windows, steps and units of what an activation puts out, and its name, as selu."""

    function: str
    mean: float
    variance: float


@dataclass(frozen=True, eq=False)
class Part:
    """What one part adds to the forecast, before it is denormalised: the forecast is the sum of its parts.

    size   mean absolute value over windows, steps and channels, in units of the window (its deviation, by default)
    share  of the forecast's square: the mean of part times whole, over that of the whole squared. The shares of all
           parts add up to 1, however they hang together, which those of variances or sizes don't; a part that works
           against the others has a negative one. Squares are about zero, not about a mean: zero is to forecast the
           window's own mean (or newest row, as it is normalised), what there would be without any part.
    steps  (H,) the same share of each step ahead
    """

    size: float
    share: float
    steps: Numbers


@dataclass(frozen=True, eq=False)
class Activations:
    """Of one network.

    layers   by the name of the layer that feeds the activation
    excite   squeeze-excite's gates, (F,), by block
    filters  (kernel, C, F) weights of the first convolution
    parts    of the forecast: skip, network (the head), calendar, those that there are
    """

    layers: Mapping[str, Activation]
    excite: Mapping[str, Spread]
    filters: NDArray[np.float32]
    parts: Mapping[str, Part]


def activations(
    model: keras.Model, lookbacks: NDArray[np.float32], calendar: NDArray[np.float32] | None
) -> Activations:
    """Of a network of `build`, without dropout, over scaled windows (N, L, C), and (N, H, K) or None."""
    activated, parts = _activated(model), _parts(model)
    gates = {each.name: each.output for each in model.layers if each.name.startswith("excite")}
    outputs = {name: each.output for name, each in activated.items()} | gates | parts
    found: dict[str, Numbers] = {}
    for made in _batches(model, outputs, lookbacks, calendar):
        for name, sums in _sums(made):
            found[name] = found.get(name, 0.0) + sums / len(lookbacks)
    return Activations(
        layers={name: _activation(each.activation.__name__, *found[name]) for name, each in activated.items()},
        excite={
            name: Spread(mean, np.sqrt(np.maximum(square - mean**2, 0)))
            for name in gates
            for mean, square in [found[name]]
        },
        filters=np.asarray(model.get_layer("convolution").kernel),
        parts={name: _part(*found[name]) for name in parts},
    )


def parts_of(
    model: keras.Model, lookbacks: NDArray[np.float32], calendar: NDArray[np.float32] | None
) -> dict[str, NDArray[np.float32]]:
    """What each part adds to the forecasts of windows, (N, H, C), before they are denormalised."""
    made = list(_batches(model, _parts(model), lookbacks, calendar))
    return {name: np.concatenate([each[name] for each in made]) for name in made[0]}


def _activated(model: keras.Model) -> dict[str, Any]:
    """The layers that are an activation, or end in one, by the name of the layer that feeds it.

    Those of the convolutions come first; the only other one is where the calendar meets the memory.
    """
    blocks = [each.name for each in model.layers if isinstance(each, layers.Conv1D)]
    alone = [each for each in model.layers if isinstance(each, layers.Activation)]
    names = [*blocks, *["calendar_steps"] * (len(alone) - len(blocks))]
    dense = [each for each in model.layers if each.name in ("calendar_told", "calendar_deep")]
    return dict(zip(names, alone, strict=True)) | {each.name: each for each in dense}


def _parts(model: keras.Model) -> dict[str, Any]:
    """The parts of the forecast that a network has, (B, H, C)."""
    there = {each.name: each.output for each in model.layers}
    found = {name: there[layer] for name, layer in PARTS.items() if layer in there}
    return found | {"network": keras.ops.reshape(found["network"], (-1, *model.output_shape[1:]))}


def _batches(
    model: keras.Model,
    outputs: Mapping[str, Any],
    lookbacks: NDArray[np.float32],
    calendar: NDArray[np.float32] | None,
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """What comes out there, a batch of windows at a time."""
    shapes = [tf.TensorSpec((None, *each.shape[1:])) for each in model.inputs]
    watched = tf.function(keras.Model(model.inputs, dict(outputs))).get_concrete_function(shapes)
    for first in range(0, len(lookbacks), BATCH):
        inputs = [tf.constant(each[first : first + BATCH]) for each in (lookbacks, calendar) if each is not None]
        yield {name: each.numpy() for name, each in watched(inputs).items()}


def _sums(made: Mapping[str, NDArray[np.float32]]) -> Iterator[tuple[str, Numbers]]:
    """Sums over a batch's windows: of an activation [value, square], of gates these by filter, of a part by step its
    [size, product with the whole, square of the whole]."""
    exact = {name: each.astype(np.float64) for name, each in made.items()}
    whole = sum(each for name, each in exact.items() if name in PARTS)
    for name, each in exact.items():
        if name in PARTS:
            yield name, np.stack([np.abs(each), each * whole, whole**2]).mean(axis=-1).sum(axis=1)
        elif name.startswith("excite"):
            yield name, np.stack([each, each**2]).sum(axis=(1, 2))
        else:
            yield name, np.stack([each, each**2]).mean(axis=(2, 3)).sum(axis=1)


def _activation(function: str, mean: float, square: float) -> Activation:
    return Activation(function, float(mean), float(square - mean**2))


def _part(size: Numbers, product: Numbers, square: Numbers) -> Part:
    """From means by step, (H,) each."""
    steps = np.divide(product, square, out=np.zeros_like(product), where=square > 0)
    return Part(float(size.mean()), float(product.sum() / max(square.sum(), np.finfo(float).tiny)), steps)
