"""What a forecast hangs on: its gradient for what is remembered after each step, and for the rows it was made from.

A recurrent layer learns long dependencies only where the gradient of the loss still reaches its early steps (Bengio et
al. 1994, Pascanu et al. 2013); so it is looked at step by step and unit by unit, as see-rnn draws it. The derivative
for the memory h_t after step t is the total one: through every later step to the last, and on through the head. What
else step t hands on, an LSTM's state c_t, is held fixed for it, and has a derivative of its own: h_t and c_t together
are all that later steps know of earlier ones. To have them, the layer's own cells are run step by step, with a zero
added to all that each step hands on; theirs is the gradient. So nothing is written anew that could differ from the
layer, and that both come to the same is checked.

Looked at is the last recurrent layer, which the head reads; what those before it remember reaches the forecast through
its inputs alone, whose gradient is taken as well.

Shapes: N windows, B of a batch, L lookback, H horizon, C channels, K calendar numbers, T steps of the recurrent layer,
F inputs of a step, U units, S steps ahead that are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from cnnlstm_cli.errors import DataError
from cnnlstm_cli.network.cells import NormalisedLSTMCell
from cnnlstm_cli.network.lstm import UnrolledLSTM
from cnnlstm_cli.series.windows import Index, evenly

Tensor: TypeAlias = Any  # TensorFlow carries no types
Numbers = NDArray[np.float64]

AT_ONCE = 16_384  # windows of a batch, times their steps
MOST_AHEAD = 24  # steps ahead; of more the gradients take too long
SHUT, OPEN = 0.1, 0.9  # beyond, a gate is saturated (Karpathy et al. 2015, "left" and "right")
CLOSE = 1e-4  # of two ways to the same memory; sums in another order differ by 1e-6
RECURRENT = (UnrolledLSTM, layers.RNN, layers.Bidirectional)  # Keras's LSTM and GRU are RNNs
PARTS: dict[type, tuple[str, ...]] = {  # of a cell's weights, side by side; all but the candidate are gates
    layers.LSTMCell: ("input", "forget", "candidate", "output"),
    layers.GRUCell: ("update", "reset", "candidate"),
}


@dataclass(frozen=True, eq=False)
class Gradient:
    """The size of derivatives for something of shape (...): the mean of their absolute values over the windows.

    loss   (...) of a window's mean absolute error
    ahead  (S, ...) of each step ahead that is looked at, of the mean of its channels
    """

    loss: Numbers
    ahead: Numbers


@dataclass(frozen=True, eq=False)
class Way:
    """One way in which the last recurrent layer reads the steps; they stand here in the order of time.

    backwards  whether the newest step is read first
    memory     for h_t, (T, U)
    state      for c_t, (T, U), None in a GRU. After the step that is read last nothing hears it: there it is 0
    square     (U,) mean of h_t squared over windows and steps
    shut       gate -> (U,) share of windows and steps in which it is below SHUT
    open       gate -> (U,) share of them in which it is above OPEN
    """

    backwards: bool
    memory: Gradient
    state: Gradient | None
    square: Numbers
    shut: Mapping[str, Numbers]
    open: Mapping[str, Numbers]


@dataclass(frozen=True, eq=False)
class Gradients:
    """Of one network.

    ahead  (S,) the steps ahead that are looked at, counted from 0
    rows   for the lookback, (L, C): through convolution, recurrence, skip, and each window's own scale
    fed    for what the recurrent layer is fed, (T, F): through the recurrence alone
    ways   one, or two of a layer that reads both ways
    """

    ahead: Index
    rows: Gradient
    fed: Gradient
    ways: tuple[Way, ...]


def gradients(
    model: keras.Model,
    lookbacks: NDArray[np.float32],
    calendar: NDArray[np.float32] | None,
    targets: NDArray[np.float32],
) -> Gradients:
    """Of a network of `build`, over scaled windows (N, L, C), (N, H, K) or None where it knows no calendar, (N, H, C).

    Without dropout, as it forecasts. Raises DataError for a recurrent cell that is neither LSTM nor GRU, and
    RuntimeError when stepping through the cells does not come to what the layer makes of the same.
    """
    cut = _Cut.of(model)
    shapes = [tf.TensorSpec((None, *each.shape[1:])) for each in model.inputs]
    read = tf.function(cut.read).get_concrete_function(shapes)
    pull = tf.function(cut.pull).get_concrete_function(shapes, tf.TensorSpec((None, *model.output_shape[1:])))
    ahead = evenly(targets.shape[1], MOST_AHEAD)
    batches = []
    size = max(1, AT_ONCE // cut.layer.input.shape[1])
    for first in range(0, len(lookbacks), size):
        inputs = [tf.constant(each[first : first + size]) for each in (lookbacks, calendar) if each is not None]
        forecast, apart, heard = read(inputs)
        if not apart <= CLOSE:
            raise RuntimeError(f"{cut.layer.name}: stepped through, it remembers otherwise, by {float(apart):.3g}")
        weights = _weights(forecast - targets[first : first + size], ahead)
        batches.append(([pull(inputs, each) for each in weights], heard))
    pulled, heard = tf.nest.map_structure(lambda *parts: np.sum(parts, axis=0, dtype=float) / len(lookbacks), *batches)
    rows, fed, handed = tf.nest.map_structure(lambda loss, *each: Gradient(loss, np.stack(each)), *pulled)
    ways = (
        Way(backwards, *(each if len(each) > 1 else (each[0], None)), **told)
        for (_, backwards), each, told in zip(cut.ways, handed, heard, strict=True)
    )
    return Gradients(ahead, rows, fed, tuple(ways))


def _weights(error: Tensor, ahead: Index) -> Iterator[Tensor]:
    """(B, H, C): what forecasts weigh in the loss, as far as its gradient goes; then in the mean of each step ahead."""
    horizon, channels = error.shape[1:]
    yield tf.sign(error) / (horizon * channels)
    for step in ahead:
        yield tf.one_hot(step, horizon)[:, None] * tf.ones_like(error) / channels


@dataclass(frozen=True, eq=False)
class _Cut:
    """A network, cut before and after its last recurrent layer.

    before  lookback, calendar -> (B, T, F)
    layer   (B, T, F) -> (B, U), or (B, 2 U)
    after   what is remembered, lookback, calendar -> (B, H, C)
    ways    the layer's cells, and whether each reads backwards
    """

    before: keras.Model
    layer: Any
    after: keras.Model
    ways: tuple[tuple[Any, bool], ...]

    @classmethod
    def of(cls, model: keras.Model) -> _Cut:
        """Raises DataError for a cell that is neither LSTM nor GRU."""
        layer = [each for each in model.layers if isinstance(each, RECURRENT)][-1]
        both = isinstance(layer, layers.Bidirectional)
        cells = (layer.forward_layer.cell, layer.backward_layer.cell) if both else (layer.cell,)
        for cell in cells:
            if not isinstance(cell, tuple(PARTS)):
                raise DataError(f"{layer.name}: the cell is a {type(cell).__name__}; looked into are LSTM and GRU.")
        before, after = keras.Model(model.inputs, layer.input), keras.Model([layer.output, *model.inputs], model.output)
        return cls(before, layer, after, tuple(zip(cells, (False, True), strict=False)))

    def read(self, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor, list[dict[str, Any]]]:
        """The forecast (B, H, C), how far off the memory is when stepped through, and what each way's gates did."""
        fed = self.before(inputs)
        memory = self.layer(fed)
        handed = self._stepped(fed, self._zeros(fed))
        off = tf.reduce_max(tf.abs(self._last(handed) - memory)) / tf.maximum(tf.reduce_max(tf.abs(memory)), 1.0)
        heard = [_heard(cell, back, fed, each[0]) for (cell, back), each in zip(self.ways, handed, strict=True)]
        return self.after([memory, *inputs]), off, heard

    def pull(self, inputs: Sequence[Tensor], weights: Tensor) -> list[Any]:
        """The size of the gradient of the forecasts' sum, weighed by (B, H, C): sums of absolute values over windows.

        For the lookback (L, C), for what the layer is fed (T, F), and of each way for h_t, and c_t, (T, U).
        """
        with tf.GradientTape() as tape:
            tape.watch(inputs[0])
            fed = self.before(inputs)
            zeros = self._zeros(fed)
            tape.watch([fed, zeros])
            memory = self._last(self._stepped(fed, zeros))
            total = tf.reduce_sum(self.after([memory, *inputs]) * weights)
        found = tape.gradient(total, [inputs[0], fed, zeros], unconnected_gradients=tf.UnconnectedGradients.ZERO)
        sums: list[Any] = tf.nest.map_structure(lambda each: tf.reduce_sum(tf.abs(each), axis=0), found)
        return sums

    def _zeros(self, fed: Tensor) -> list[list[Tensor]]:
        """Of each way as many (B, T, U) as its cell hands on: memory, and state."""
        sizes = [tf.nest.flatten(cell.state_size) for cell, _ in self.ways]
        return [[tf.zeros((*tf.unstack(tf.shape(fed)[:2]), units)) for units in each] for each in sizes]

    def _stepped(self, fed: Tensor, added: Sequence[Sequence[Tensor]]) -> list[list[Tensor]]:
        """What the cells hand on after each step, with something `added` to it: of each way (B, T, U) each."""
        return [
            _step_through(cell, backwards, fed, each) for (cell, backwards), each in zip(self.ways, added, strict=True)
        ]

    def _last(self, handed: Sequence[Sequence[Tensor]]) -> Tensor:
        """The memory after the step read last, of both ways side by side."""
        ends = [each[0][:, 0 if back else -1] for (_, back), each in zip(self.ways, handed, strict=True)]
        return tf.concat(ends, axis=1)


def _step_through(cell: Any, backwards: bool, fed: Tensor, added: Sequence[Tensor]) -> list[Tensor]:
    """(B, T, F), a (B, T, U) for each thing handed on -> those, each with what is added to it before it is heard."""

    def step(handed: tuple[Tensor, ...], given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        made = cell(given[0], list(handed), training=False)[1]
        return tuple(each + more for each, more in zip(made, given[1:], strict=True))

    nothing = tuple(tf.zeros_like(each[:, 0]) for each in added)
    steps = tuple(tf.transpose(each, (1, 0, 2)) for each in (fed, *added))
    return [tf.transpose(each, (1, 0, 2)) for each in tf.scan(step, steps, nothing, reverse=backwards)]


def _heard(cell: Any, backwards: bool, fed: Tensor, memory: Tensor) -> dict[str, Any]:
    """Of inputs (B, T, F) and memories (B, T, U), by unit (U,), means over steps and sums over windows: see Way."""

    def total(each: Tensor) -> Tensor:
        return tf.reduce_sum(tf.reduce_mean(tf.cast(each, tf.float32), axis=1), axis=0)

    before = tf.zeros_like(memory[:, :1])
    known = tf.concat([memory[:, 1:], before] if backwards else [before, memory[:, :-1]], axis=1)
    gates = _gates(cell, fed, known)
    return {
        "square": total(memory**2),
        "shut": {name: total(gate < SHUT) for name, gate in gates.items()},
        "open": {name: total(gate > OPEN) for name, gate in gates.items()},
    }


def _gates(cell: Any, fed: Tensor, known: Tensor) -> dict[str, Tensor]:
    """Inputs (B, T, F) and the memories before them (B, T, U) -> each gate (B, T, U), between 0 and 1."""
    parts = next(names for kind, names in PARTS.items() if isinstance(cell, kind))
    from_input, from_memory = fed @ cell.kernel, known @ cell.recurrent_kernel
    if isinstance(cell, NormalisedLSTMCell):
        from_input, from_memory = (
            tf.reshape(norm(tf.reshape(each, (-1, each.shape[-1]))), tf.shape(each))
            for norm, each in ((cell.input_norm, from_input), (cell.memory_norm, from_memory))
        )
    bias = tf.reduce_sum(tf.reshape(cell.bias, (-1, from_input.shape[-1])), axis=0)  # a GRU's gates have two
    mixed = tf.split(from_input + from_memory + bias, len(parts), axis=-1)
    return {name: tf.sigmoid(each) for name, each in zip(parts, mixed, strict=True) if name != "candidate"}
