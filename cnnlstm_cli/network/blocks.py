"""The blocks of the network, in the order of its figure: each takes Keras tensors and returns Keras tensors.

    lookback -> newest -> normalise -> (convolve -> squeeze_excite) x blocks -> pool -> recur -> forecast
        -> denormalise -> output

The calendar of the steps ahead, where there is one, is added between forecast and denormalise.

Shapes: B windows, L lookback, H horizon, C channels, F filters, T convolution steps, U units,
K calendar numbers. Layers that hold weights are named after what they are, so that a saved network can be looked into
by name; the second of a kind ends in _2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import keras
from keras import layers, ops

from cnnlstm_cli.network.cells import NormalisedLSTMCell
from cnnlstm_cli.network.lstm import MOST_STEPS, UnrolledLSTM
from cnnlstm_cli.specs import ModelSpec

Tensor: TypeAlias = Any  # Keras carries no types
Scale: TypeAlias = Any  # a tensor (B, 1, C), or a number where nothing is measured

# Below this deviation, in units of the series' own, a window counts as constant: what is left of it is rounding.
SMALLEST_DEVIATION = 1e-5


def lookback_input(lookback: int, channels: int) -> Tensor:
    """The scaled rows before the forecast, oldest first: (B, L, C) float32."""
    return keras.Input((lookback, channels), name="lookback")


def calendar_input(horizon: int, width: int) -> Tensor:
    """What is known of the time of each step ahead: (B, H, K) float32."""
    return keras.Input((horizon, width), name="calendar")


def newest(lookback: Tensor, spec: ModelSpec) -> Tensor:
    """The newest rows, those that the network sees: (B, L, C) -> (B, L', C)."""
    rows: int = lookback.shape[1]
    older = rows - spec.rows(rows)
    return layers.Cropping1D((older, 0), name="newest")(lookback) if older else lookback


def normalise(lookback: Tensor, spec: ModelSpec) -> tuple[Tensor, Scale, Scale]:
    """Each window on its own scale: (B, L, C) -> normalised (B, L, C), its zero (B, 1, C), its unit (B, 1, C).

    By mean and deviation: instance normalisation over time without learnt weights (RevIN, Kim et al. 2022). By the
    newest row: what NLinear does (Zeng et al. 2023). The floor is put under the variance instead of added to it, so
    that any other window is normalised exactly; it also keeps the square root's gradient finite.
    """
    if spec.normalisation == "none":
        return lookback, 0.0, 1.0
    if spec.normalisation == "last":
        newest = lookback[:, -1:]
        return lookback - newest, newest, 1.0
    mean = ops.mean(lookback, axis=1, keepdims=True)
    centred = lookback - mean
    variance = ops.mean(ops.square(centred), axis=1, keepdims=True)
    deviation = ops.sqrt(ops.maximum(variance, SMALLEST_DEVIATION**2))
    return centred / deviation, mean, deviation


def convolve(x: Tensor, spec: ModelSpec, number: int = 1) -> Tensor:
    """By default a season becomes a step: (B, L, C) -> (B, T, F); after the first block (B, T, F) -> (B, T, F).

    Steps are counted back from the newest row, which all paddings see; zeros fill up what is missing of the oldest.
    Convolution, batch normalisation (Ioffe and Szegedy 2015) and activation, then dropout: SELU, lecun_normal and
    AlphaDropout belong together (Klambauer et al. 2017), and the normalisation's own offset stands in for the bias.
    """
    rows = x.shape[1]
    kernel, stride, steps = spec.convolution(rows) if number == 1 else (3, 1, rows)
    x = layers.ZeroPadding1D(((steps - 1) * stride + kernel - rows, 0))(x)
    x = layers.Conv1D(
        spec.settled_filters,
        kernel,
        strides=stride,
        use_bias=spec.conv_norm == "none",
        kernel_initializer=_initializer(spec),
        name=_name("convolution", number),
        **_restraints(spec, "kernel", "bias", axes=(0, 1)),
    )(x)
    x = _penalise(x, spec)
    x = _activate(x, spec, number)
    noise = (None, 1, spec.settled_filters) if spec.dropout_shape == "spatial" else None
    dropout = layers.AlphaDropout if spec.dropout_kind == "alpha" else layers.Dropout
    return dropout(spec.conv_dropout or 0.0, noise_shape=noise)(x)


def _activate(x: Tensor, spec: ModelSpec, number: int) -> Tensor:
    """The activation, with batch normalisation before it, after it or not at all: (B, T, F) -> (B, T, F)."""
    activation = layers.Activation(gelu if spec.activation == "gelu" else spec.activation)
    if spec.conv_norm == "none":
        return activation(x)
    normalisation = layers.BatchNormalization(scale=False, name=_name("batch_normalisation", number))
    return activation(normalisation(x)) if spec.conv_norm == "before" else normalisation(activation(x))


@keras.saving.register_keras_serializable("cnnlstm_cli")  # type: ignore[untyped-decorator]  # Keras carries no types
def gelu(x: Tensor) -> Tensor:
    """x times the chance that N(0, 1) is below it (Hendrycks and Gimpel 2016): (...) -> (...).

    By erf, because Keras's own is made of erfc, which ONNX does not have.
    """
    return x * (1 + ops.erf(x / math.sqrt(2))) / 2


def _initializer(spec: ModelSpec) -> str:
    """The one that keeps the variance through the activation.

    1 / fan_in where the slope at 0 is about 1 on both sides, and as SELU's fixed point assumes (LeCun et al. 1998);
    2 / fan_in where negative values are flattened (He et al. 2015).
    """
    if spec.initializer != "auto":
        return spec.initializer
    return "lecun_normal" if spec.activation in ("selu", "linear") else "he_normal"


def squeeze_excite(x: Tensor, spec: ModelSpec, number: int = 1) -> Tensor:
    """Each filter weighed by a gate between 0 and 1 that sees all of them: (B, T, F) -> (B, T, F). Hu et al. 2018."""
    if not spec.squeeze:
        return x
    bare = {"use_bias": False, "kernel_initializer": "he_normal"}
    squeeze = layers.Dense(spec.settled_filters // spec.reduction, "relu", name=_name("squeeze", number), **bare)
    excite = layers.Dense(spec.settled_filters, "sigmoid", name=_name("excite", number), **bare)
    gates = excite(squeeze(layers.GlobalAveragePooling1D(keepdims=True)(x)))
    return layers.Multiply(name=_name("squeeze_excite", number))([x, gates])


def pool(x: Tensor, spec: ModelSpec) -> Tensor:
    """Fewer steps: (B, T, F) -> (B, T // pool_size, F). Oldest steps that fill no pool are left out."""
    if spec.pooling == "none":
        return x
    if spec.pool_norm:
        x = layers.BatchNormalization(name="pool_normalisation")(x)
    size = min(spec.pool_size, x.shape[1])
    x = layers.Cropping1D((x.shape[1] % size, 0))(x)
    return {"average": layers.AveragePooling1D, "max": layers.MaxPooling1D}[spec.pooling](size)(x)


def recur(x: Tensor, spec: ModelSpec) -> Tensor:
    """What is remembered after the last step: (B, T, F) -> (B, U), or (B, 2 U) when read both ways.

    LSTM (Hochreiter and Schmidhuber 1997) or GRU (Cho et al. 2014), each but the last handing on every step;
    dropout inside the recurrence uses one mask for all steps (Gal and Ghahramani 2016).
    """
    for number in range(1, spec.layers + 1):
        layer = _recurrent(spec, x.shape[1])(name=_name(spec.cell, number), return_sequences=number < spec.layers)
        x = layers.Bidirectional(layer, name=_name("bidirectional", number))(x) if spec.bidirectional else layer(x)
        x = _penalise(x, spec)
    if spec.recurrent_norm == "output":
        x = layers.BatchNormalization(name="recurrent_normalisation")(x)
    return layers.Dropout(spec.dropout or 0.0)(x)


def _recurrent(spec: ModelSpec, steps: int) -> Callable[..., Any]:
    """A maker of recurrent layers: ours for few steps or another cell, else Keras's own."""
    restraints = _restraints(spec, "kernel", "recurrent", "bias")
    inner: dict[str, Any] = {"activation": spec.cell_activation, "recurrent_dropout": spec.recurrent_dropout or 0.0}
    norm = spec.recurrent_norm if spec.recurrent_norm in ("batch", "layer") else None
    if norm or spec.zoneout:
        cell = NormalisedLSTMCell(spec.settled_units, norm=norm, zoneout=spec.zoneout, **inner, **restraints)
        return lambda **names: layers.RNN(cell, **names)
    if spec.cell == "lstm" and steps <= MOST_STEPS and not spec.bidirectional:
        return lambda **names: UnrolledLSTM(spec.settled_units, cell=restraints, **inner, **names)
    kind = {"lstm": layers.LSTM, "gru": layers.GRU}[spec.cell]
    return lambda **names: kind(spec.settled_units, **inner, **restraints, **names)


@keras.saving.register_keras_serializable("cnnlstm_cli")
class ActivityPenalty(layers.Layer):  # type: ignore[misc]  # Keras carries no types
    """Hands on what it is given, (B, ...), and adds the penalty of its values to the loss, a mean over the windows.

    Keras's own activity_regularizer is a sum over the batch before 3.13 and a mean after.
    """

    def __init__(self, l1: float, l2: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.l1, self.l2 = l1, l2

    def call(self, x: Tensor) -> Tensor:
        """(B, ...) -> the same."""
        total = self.l1 * ops.sum(ops.abs(x)) + self.l2 * ops.sum(ops.square(x))
        self.add_loss(total / ops.cast(ops.shape(x)[0], x.dtype))
        return x

    def get_config(self) -> dict[str, Any]:
        """What a copy is made from."""
        return {**super().get_config(), "l1": self.l1, "l2": self.l2}


def _penalise(x: Tensor, spec: ModelSpec) -> Tensor:
    """(B, ...) -> the same, its values penalised when the specification asks for it."""
    wanted = spec.activity_l1 or spec.activity_l2
    return ActivityPenalty(spec.activity_l1, spec.activity_l2)(x) if wanted else x


def _restraints(spec: ModelSpec, *parts: str, axes: Sequence[int] = (0,)) -> dict[str, Any]:
    """Penalties and the largest norm, as Keras layers take them, of the kernel, recurrent or bias `parts`.

    The norm is taken over `axes`: of all weights into a filter, or into one gate of a unit (Srivastava et al. 2014).
    """
    found: dict[str, Any] = {}
    for part in parts:
        l1, l2 = getattr(spec, f"{part}_l1"), getattr(spec, f"{part}_l2")
        if l1 or l2:
            found[f"{part}_regularizer"] = keras.regularizers.L1L2(l1, l2)
        if spec.max_norm and part in ("kernel", "recurrent"):
            found[f"{part}_constraint"] = keras.constraints.MaxNorm(spec.max_norm, axis=list(axes))
    return found


def forecast(memory: Tensor, normalised: Tensor, horizon: int, spec: ModelSpec) -> Tensor:
    """A linear head plus a linear skip from the lookback: (B, U), (B, L, C) -> (B, H, C)."""
    channels = normalised.shape[-1]
    y = layers.Dense(horizon * channels, name="head")(memory)
    y = layers.Reshape((horizon, channels))(y)
    if spec.skip:
        y = layers.Add()([y, skip(horizon, channels)(normalised)])
    return y


def skip(horizon: int, channels: int) -> Any:
    """A layer (B, L, C) -> (B, H, C): one (L, H) matrix for all channels (NLinear, Zeng et al. 2023).

    It starts at zero, so that the network begins as if it had none, and has no bias, which the head already has.
    """
    return layers.EinsumDense("blc,lh->bhc", (horizon, channels), kernel_initializer="zeros", name="skip")


def add_calendar(y: Tensor, memory: Tensor, calendar: Tensor, *, deep: bool = False) -> Tensor:
    """Each step's own part, from what is remembered and what its time is: (B, H, C), (B, U), (B, H, K) -> (B, H, C).

    At the head rather than beside the rows of the lookback: there it says what the rows already show. The last layer
    starts at zero, so that the network begins as if it had no calendar.

    deep  where there are covariates beside the calendar, which act on what would come without them: the forecast so far
          is told as well, and there is one more layer
    """
    horizon, channels = y.shape[1:]
    told = layers.Dense(32, "selu", kernel_initializer="lecun_normal", name="calendar_told")(calendar)
    if deep:
        told = layers.Concatenate(name="calendar_so_far")([told, y])
    # one dense layer over both, taken apart so that the memory's share is computed once instead of for every step
    ours = layers.Dense(64, use_bias=False, kernel_initializer="lecun_normal", name="calendar_steps")(told)
    whole = layers.Dense(64, kernel_initializer="lecun_normal", name="calendar_memory")(memory)
    mixed = layers.Activation("selu")(layers.Add()([layers.Reshape((1, 64))(whole), ours]))
    if deep:
        mixed = layers.Dense(64, "selu", kernel_initializer="lecun_normal", name="calendar_deep")(mixed)
    part = layers.EinsumDense("bhd,dc->bhc", (horizon, channels), kernel_initializer="zeros", name="calendar_head")
    return layers.Add()([y, part(mixed)])


def denormalise(y: Tensor, zero: Scale, unit: Scale) -> Tensor:
    """`normalise` undone: (B, H, C) -> (B, H, C).

    The zero must stand on the left: Keras 3.15 takes a right-hand (B, 1, 1) for a bias of H channels when B happens to
    be H, and adds each window's mean to the wrong windows.
    """
    return zero + y * unit


def _name(layer: str, number: int) -> str:
    return layer if number == 1 else f"{layer}_{number}"
