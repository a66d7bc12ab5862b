"""ModelSpec -> keras.Model: the blocks in their order."""

from __future__ import annotations

import keras

from cnnlstm_cli.network import blocks
from cnnlstm_cli.specs import ModelSpec


def build(spec: ModelSpec, lookback: int, horizon: int, channels: int, *, seed: int) -> keras.Model:
    """The untrained CNN-LSTM: scaled (B, L, C) -> scaled (B, H, C), both float32.

    `spec.kernel` must be a number; it is cut to the lookback. `seed` fixes the first weights and every dropout mask
    after them. Keras draws both from the process's global generators, so those of Python, NumPy and TensorFlow are
    set as well.
    """
    keras.utils.set_random_seed(seed)
    rows = blocks.lookback_input(lookback, channels)
    normalised, zero, unit = blocks.normalise(rows, spec)
    x = normalised
    for number in range(1, spec.blocks + 1):
        x = blocks.convolve(x, spec, number)
        x = blocks.squeeze_excite(x, spec, number)
    x = blocks.pool(x, spec)
    x = blocks.recur(x, spec)
    x = blocks.forecast(x, normalised, horizon, spec)
    return keras.Model(rows, blocks.denormalise(x, zero, unit), name="cnn_lstm")
