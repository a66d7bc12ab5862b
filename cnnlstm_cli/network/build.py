"""ModelSpec -> keras.Model: the blocks in their order."""

from __future__ import annotations

import keras

from cnnlstm_cli.config import ModelSpec
from cnnlstm_cli.network import blocks


def build(spec: ModelSpec, lookback: int, horizon: int, channels: int, *, seed: int) -> keras.Model:
    """The untrained CNN-LSTM: scaled (B, L, C) -> scaled (B, H, C), both float32.

    `spec.kernel` must be a number; it is cut to the lookback. `seed` fixes the first weights and every dropout mask
    after them. Keras draws both from the process's global generators, so those of Python, NumPy and TensorFlow are
    set as well.
    """
    if spec.kernel is None:
        raise ValueError("model.kernel must be settled before the network is built")
    keras.utils.set_random_seed(seed)
    rows = blocks.lookback_input(lookback, channels)
    normalised, mean, deviation = blocks.normalise(rows)
    x = blocks.convolve(normalised, spec.filters, min(spec.kernel, lookback), spec.conv_dropout)
    x = blocks.squeeze_excite(x, spec.reduction)
    x = blocks.recur(x, spec.units, spec.recurrent_dropout, spec.dropout)
    x = blocks.forecast(x, normalised, horizon)
    return keras.Model(rows, blocks.denormalise(x, mean, deviation), name="cnn_lstm")
