"""The blocks of the network, in the order of its figure: each takes Keras tensors and returns Keras tensors.

    lookback -> normalise -> convolve -> squeeze_excite -> recur -> forecast -> denormalise -> output

Shapes: B windows, L lookback, H horizon, C channels, F filters, T convolution steps, U units. Layers that hold weights
are named after what they are, so that a saved network can be looked into by name.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import keras
from keras import layers, ops

Tensor: TypeAlias = Any  # Keras carries no types

# Below this deviation, in units of the series' own, a window counts as constant: what is left of it is rounding.
SMALLEST_DEVIATION = 1e-5


def normalise(lookback: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Each window on its own scale: (B, L, C) -> normalised (B, L, C), mean (B, 1, C), deviation (B, 1, C).

    Instance normalisation over time without learnt weights (RevIN, Kim et al. 2022). The floor is put under the
    variance instead of added to it, so that any other window is normalised exactly; it also keeps the square root's
    gradient finite.
    """
    mean = ops.mean(lookback, axis=1, keepdims=True)
    centred = lookback - mean
    variance = ops.mean(ops.square(centred), axis=1, keepdims=True)
    deviation = ops.sqrt(ops.maximum(variance, SMALLEST_DEVIATION**2))
    return centred / deviation, mean, deviation


def convolve(x: Tensor, filters: int, kernel: int, dropout: float) -> Tensor:
    """A season becomes a step: (B, L, C) -> (B, T, F), T = ceil(L / kernel).

    Steps do not overlap and are counted back from the newest row; zeros (the window's mean) fill up the oldest.
    Convolution, batch normalisation, SELU, then alpha dropout of whole filters: SELU, lecun_normal and AlphaDropout
    belong together (Klambauer et al. 2017), and the normalisation's own offset stands in for the bias.
    """
    x = layers.ZeroPadding1D((-x.shape[1] % kernel, 0))(x)
    x = layers.Conv1D(
        filters, kernel, strides=kernel, use_bias=False, kernel_initializer="lecun_normal", name="convolution"
    )(x)
    x = layers.BatchNormalization(scale=False, name="batch_normalisation")(x)
    x = layers.Activation("selu")(x)
    return layers.AlphaDropout(dropout, noise_shape=(None, 1, filters))(x)


def squeeze_excite(x: Tensor, reduction: int) -> Tensor:
    """Each filter weighed by a gate between 0 and 1 that sees all of them: (B, T, F) -> (B, T, F). Hu et al. 2018."""
    filters = x.shape[-1]
    squeeze = layers.Dense(filters // reduction, "relu", use_bias=False, kernel_initializer="he_normal", name="squeeze")
    excite = layers.Dense(filters, "sigmoid", use_bias=False, kernel_initializer="he_normal", name="excite")
    gates = excite(squeeze(layers.GlobalAveragePooling1D(keepdims=True)(x)))
    return layers.Multiply(name="squeeze_excite")([x, gates])


def recur(x: Tensor, units: int, recurrent_dropout: float, dropout: float) -> Tensor:
    """What is remembered after the last step: (B, T, F) -> (B, U).

    Hochreiter and Schmidhuber 1997; dropout inside the recurrence uses one mask for all steps (Gal and Ghahramani
    2016).
    """
    x = layers.LSTM(units, recurrent_dropout=recurrent_dropout, name="lstm")(x)
    return layers.Dropout(dropout)(x)


def forecast(memory: Tensor, normalised: Tensor, horizon: int) -> Tensor:
    """A linear head plus a linear skip from the lookback: (B, U), (B, L, C) -> (B, H, C).

    The skip is one (L, H) matrix for all channels (NLinear, Zeng et al. 2023). It starts at zero, so that the
    network begins as if it had none, and has no bias, which the head already has.
    """
    channels = normalised.shape[-1]
    head = layers.Dense(horizon * channels, name="head")(memory)
    head = layers.Reshape((horizon, channels))(head)
    skip = layers.EinsumDense("blc,lh->bhc", (horizon, channels), kernel_initializer="zeros", name="skip")(normalised)
    return layers.Add()([head, skip])


def denormalise(y: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """`normalise` undone: (B, H, C) -> (B, H, C).

    The mean must stand on the left: Keras 3.15 takes a right-hand (B, 1, 1) for a bias of H channels when B happens to
    be H, and adds each window's mean to the wrong windows.
    """
    return mean + y * deviation


def lookback_input(lookback: int, channels: int) -> Tensor:
    """The scaled rows before the forecast, oldest first: (B, L, C) float32."""
    return keras.Input((lookback, channels), name="lookback")
