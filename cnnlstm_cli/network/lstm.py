"""An LSTM layer for few steps: written out step by step, with its gradient worked out by hand.

Keras runs a recurrent layer as a loop in the graph, one product a gate where there is dropout inside the recurrence,
and TensorFlow derives its gradient operation by operation. For the few steps that a convolution over whole seasons
leaves, most of the time goes into calling small operations. Here the inputs' share of all steps is one product, the
gates of a step are another, and the gradient takes about as many operations as the forecast; the weights' is a single
product over all steps. A training step of the default network takes 0.7 of the time, of the published one 0.4 to 0.6.

Shapes: B windows, T steps, F inputs of a step, U units. Weights are Keras's, gates side by side in 4 U: input, forget,
candidate, output; in here the candidate stands last, so that one sigmoid serves the other three.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import keras
import tensorflow as tf
from keras import layers

Tensor: TypeAlias = Any  # TensorFlow carries no types

MOST_STEPS = 64  # of more the graph takes too long to trace

# each with its derivative, as a function of its result
ACTIVATIONS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "tanh": (tf.tanh, lambda y: 1 - y * y),
    "relu": (tf.nn.relu, lambda y: tf.cast(y > 0, y.dtype)),
}


class Step(NamedTuple):
    """What the gradient needs of one step, (B, U) each but `gates` (B, 3 U): input, forget, output."""

    heard: Tensor  # the memory before it, after dropout
    state: Tensor  # before it
    gates: Tensor
    candidate: Tensor
    shown: Tensor  # the activation of the state after it


@keras.saving.register_keras_serializable("cnnlstm_cli")
class UnrolledLSTM(layers.Layer):  # type: ignore[misc]  # Keras carries no types
    """(B, T, F) -> the memory after the last step (B, U), or after every step (B, T, U). T is at most MOST_STEPS.

    Dropout inside the recurrence has one mask for all steps (Gal and Ghahramani 2016) and all gates.
    """

    def __init__(
        self,
        units: int,
        activation: str = "tanh",
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        cell: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """`cell`: initializers, penalties and constraints, as Keras's LSTMCell takes them."""
        super().__init__(**kwargs)
        self.activation, self.return_sequences = activation, return_sequences
        self.given = dict(cell or {})
        # holds the weights, and the seed of the masks
        told = {"activation": activation, "recurrent_dropout": recurrent_dropout, "name": "lstm_cell"}
        self.cell = layers.LSTMCell(units, **told, **self.given)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Weights for inputs (B, T, F)."""
        self.cell.build((None, input_shape[-1]))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """(B, U) or (B, T, U)."""
        units = self.cell.units
        return (input_shape[0], input_shape[1], units) if self.return_sequences else (input_shape[0], units)

    def call(self, sequences: Tensor, training: bool = False) -> Tensor:
        """(B, T, F) -> (B, U) or (B, T, U)."""
        kernel, recurrent, bias = (
            _candidate_last(w) for w in (self.cell.kernel, self.cell.recurrent_kernel, self.cell.bias)
        )
        given = tf.tensordot(tf.transpose(sequences, (1, 0, 2)), kernel, 1) + bias
        nothing = tf.zeros_like(given[0, :, : self.cell.units])
        if not training:
            return _forward(given, recurrent, None, nothing, self.activation, self.return_sequences)[0]
        rate = self.cell.recurrent_dropout
        mask = keras.random.dropout(nothing + 1, rate, seed=self.cell.seed_generator) if rate else None
        return _trained(given, recurrent, mask, nothing, self.activation, self.return_sequences)

    def get_config(self) -> dict[str, Any]:
        """What a copy is made from."""
        return {
            **super().get_config(),
            "units": self.cell.units,
            "activation": self.activation,
            "recurrent_dropout": self.cell.recurrent_dropout,
            "return_sequences": self.return_sequences,
            "cell": self.given,
        }


def _forward(
    given: Tensor, recurrent: Tensor, mask: Tensor, nothing: Tensor, activation: str, every: bool
) -> tuple[Tensor, list[Step]]:
    """Inputs' share of the gates (T, B, 4 U), (U, 4 U), mask (B, U) or None, zeros (B, U) -> memory, and the steps."""
    act, units = ACTIVATIONS[activation][0], recurrent.shape[0]
    memory = state = nothing
    steps, memories = [], []
    for part in tf.unstack(given):
        heard = memory if mask is None else memory * mask
        mixed = part + tf.matmul(heard, recurrent)
        gates, candidate = tf.sigmoid(mixed[:, : 3 * units]), act(mixed[:, 3 * units :])
        into, forget, out = tf.split(gates, 3, axis=1)
        before, state = state, forget * state + into * candidate
        shown = act(state)
        memory = out * shown
        steps.append(Step(heard, before, gates, candidate, shown))
        memories.append(memory)
    return tf.stack(memories, axis=1) if every else memory, steps


def _trained(given: Tensor, recurrent: Tensor, mask: Tensor, nothing: Tensor, activation: str, every: bool) -> Tensor:
    """`_forward` with the gradient of `_backward`."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(given: Tensor, recurrent: Tensor) -> tuple[Tensor, Callable[[Tensor], tuple[Tensor, Tensor]]]:
        memory, steps = _forward(given, recurrent, mask, nothing, activation, every)
        return memory, lambda gradient: _backward(gradient, steps, recurrent, mask, activation, every)

    return run(given, recurrent)


def _backward(
    gradient: Tensor, steps: list[Step], recurrent: Tensor, mask: Tensor, activation: str, every: bool
) -> tuple[Tensor, Tensor]:
    """Backpropagation through time: the loss's gradient for `given` (T, B, 4 U) and `recurrent` (U, 4 U).

    gradient  for the memory, (B, U), or (B, T, U) when `every` step is handed on
    """
    slope, units = ACTIVATIONS[activation][1], recurrent.shape[0]
    handed = tf.unstack(gradient, axis=1) if every else None
    for_memory, for_state = handed[-1] if handed else gradient, tf.zeros_like(steps[0].state)
    for_mixed = []
    for number in reversed(range(len(steps))):
        step = steps[number]
        into, forget, out = tf.split(step.gates, 3, axis=1)
        for_state += for_memory * out * slope(step.shown)
        for_gates = tf.concat([for_state * step.candidate, for_state * step.state, for_memory * step.shown], axis=1)
        through = for_gates * step.gates * (1 - step.gates)
        for_mixed.append(tf.concat([through, for_state * into * slope(step.candidate)], axis=1))
        if number:
            for_heard = tf.matmul(for_mixed[-1], recurrent, transpose_b=True)
            for_memory = for_heard if mask is None else for_heard * mask
            for_memory = for_memory + handed[number - 1] if handed else for_memory
            for_state *= forget
    for_given = tf.stack(for_mixed[::-1])
    heard = tf.reshape(tf.stack([step.heard for step in steps]), (-1, units))
    return for_given, tf.matmul(heard, tf.reshape(for_given, (-1, 4 * units)), transpose_a=True)


def _candidate_last(weights: Tensor) -> Tensor:
    """Keras's order of the gates in the last axis -> ours."""
    into, forget, candidate, out = tf.split(tf.convert_to_tensor(weights), 4, axis=-1)
    return tf.concat([into, forget, out, candidate], axis=-1)
