"""A network that forecasts quantiles: those that the pinball loss is least at (Koenker and Bassett 1978)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from numpy.typing import NDArray

from cnnlstm_cli.network import blocks
from cnnlstm_cli.network.build import build, start_linear
from cnnlstm_cli.network.fit import OnStep, Tensor, fit
from cnnlstm_cli.series.windows import Windows
from cnnlstm_cli.specs import ModelSpec, TrainSpec


def learn(
    spec: ModelSpec,
    windows: Windows,
    train: TrainSpec,
    shares: Sequence[float],
    linear: NDArray[np.float64] | None,
    *,
    on_step: OnStep,
    checkpoint: Path | None = None,
) -> keras.Model:
    """The network of `quantile_network`, trained for `train.epochs` on the training windows alone.

    What it is wrong by in the validation windows then tells what it will be wrong by. Raises as `fit` does.
    """
    model = quantile_network(spec, windows, shares, linear, train.seed)
    unjudged = replace(windows, validation=windows.validation[:0])
    fit(model, unjudged, train, on_step=on_step, checkpoint=checkpoint, loss=pinball(shares))
    return model


def pinball(shares: Sequence[float]) -> Callable[[Tensor], Tensor]:
    """The loss of errors (B, H, Q), forecast less what came: least where a share of what comes lies below."""
    below = tf.constant(shares, tf.float32)
    return lambda error: tf.maximum((1 - below) * error, -below * error)


def quantile_network(
    spec: ModelSpec, windows: Windows, shares: Sequence[float], linear: NDArray[np.float64] | None, seed: int
) -> keras.Model:
    """The untrained network of `spec`: scaled (B, L, 1) -> scaled (B, H, Q), beside it a calendar (B, H, K), if any.

    It is one whose horizon is Q times as long, a quantile after the other. Their calendars are the same but for a
    number that says which quantile it is: without it the calendar could move the quantiles, and not tell them apart.

    linear  weights (L, H) that it begins as, all quantiles alike, where `spec` starts so
    """
    calendar, horizon, count = windows.calendar, windows.horizon, len(shares)
    width, covariates = (calendar.width, len(calendar.roles)) if calendar else (0, 0)
    told = width + 1 if width else 0
    long = build(spec, windows.lookback, horizon * count, 1, told, covariates=covariates, seed=seed)
    if linear is not None and spec.can_start_linear and spec.start == "linear":
        start_linear(long, np.tile(linear, count))
    rows = blocks.lookback_input(windows.lookback, 1)
    inputs = [rows]
    if width:
        inputs.append(blocks.calendar_input(horizon, width))
        y = long([rows, _each(inputs[1], shares)])
    else:
        y = long(rows)
    y = layers.Permute((2, 1))(layers.Reshape((count, horizon))(y))
    return keras.Model(inputs if width else rows, y, name="quantiles")


def _each(calendar: Tensor, shares: Sequence[float]) -> Tensor:
    """(B, H, K) -> (B, Q H, K + 1): once for each quantile, told in deviations of a bell."""
    blank = ops.zeros_like(calendar[:, :, :1])
    parts = [ops.concatenate([calendar, blank + NormalDist().inv_cdf(share)], axis=2) for share in shares]
    return ops.concatenate(parts, axis=1)
