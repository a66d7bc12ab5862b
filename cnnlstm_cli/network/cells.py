"""An LSTM cell that is normalised inside the recurrence, or keeps units as they were, which Keras's own can't.

Shapes: B windows, F inputs of a step, U units. The gates lie side by side in 4 U: input, forget, candidate, output.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import keras
from keras import layers, ops

Tensor: TypeAlias = Any  # Keras carries no types


@keras.saving.register_keras_serializable("cnnlstm_cli")
class NormalisedLSTMCell(layers.LSTMCell):  # type: ignore[misc]  # Keras carries no types
    """Keras's LSTMCell with the input's and the memory's share of the gates, and the state, each normalised.

    norm="layer"  over the units of one window (Ba et al. 2016)
    norm="batch"  over the windows of a batch, with statistics shared by all steps, so that any number of steps can be
                  read; scales start at 0.1, with which tanh stays steep (Cooijmans et al. 2016)
    norm=None     not at all

    With zoneout, each unit keeps its old memory and state by that chance in training, and the expected mixture of old
    and new otherwise (Krueger et al. 2017). Dropout inside the recurrence has one mask for all gates and all steps.
    """

    def __init__(self, units: int, norm: str | None = None, zoneout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.implementation = 2  # all gates in one product; Keras falls back to one each for the sake of their masks,
        self.dropout_mask_count = None  # and this is a single mask instead of a list of four
        self.norm, self.zoneout = norm, zoneout
        self.input_norm, self.memory_norm = self._norm("input_norm", False), self._norm("memory_norm", False)
        self.state_norm = self._norm("state_norm", True)

    def _norm(self, name: str, offset: bool) -> Any:
        """One normalisation; without an offset where the cell's bias already is one."""
        if self.norm == "batch":
            return layers.BatchNormalization(
                center=offset, gamma_initializer=keras.initializers.Constant(0.1), name=name
            )
        if self.norm == "layer":
            return layers.LayerNormalization(center=offset, epsilon=1e-5, name=name)
        return layers.Identity(name=name)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Weights for inputs (B, F)."""
        super().build(input_shape)
        self.input_norm.build((None, 4 * self.units))
        self.memory_norm.build((None, 4 * self.units))
        self.state_norm.build((None, self.units))

    def call(self, inputs: Tensor, states: list[Tensor], training: bool = False) -> tuple[Tensor, list[Tensor]]:
        """One step: (B, F), [memory (B, U), state (B, U)] -> memory (B, U), [memory (B, U), state (B, U)]."""
        memory, state = states
        from_input = self._normalised(self.input_norm, ops.matmul(inputs, self.kernel), training)
        from_memory = ops.matmul(self._masked(memory, training), self.recurrent_kernel)
        gates = from_input + self._normalised(self.memory_norm, from_memory, training) + self.bias
        into, forget, candidate, out = (gates[:, k * self.units : (k + 1) * self.units] for k in range(4))
        kept, added = self.recurrent_activation(forget) * state, self.activation(candidate)
        renewed = kept + self.recurrent_activation(into) * added
        shown = self.activation(self._normalised(self.state_norm, renewed, training))
        memory = self._zoned(memory, self.recurrent_activation(out) * shown, training)
        state = self._zoned(state, renewed, training)
        return memory, [memory, state]

    def _normalised(self, norm: Any, x: Tensor, training: bool) -> Tensor:
        return norm(x, training=training) if self.norm == "batch" else norm(x)

    def _masked(self, memory: Tensor, training: bool) -> Tensor:
        """(B, U) -> (B, U), units dropped by the window's mask."""
        if not training or not self.recurrent_dropout:
            return memory
        return memory * self.get_recurrent_dropout_mask(memory)

    def _zoned(self, old: Tensor, new: Tensor, training: bool) -> Tensor:
        """(B, U), (B, U) -> (B, U). Dropout of the change alone keeps a unit, and on average takes the mixture."""
        if not self.zoneout:
            return new
        change = (1 - self.zoneout) * (new - old)
        return old + (keras.random.dropout(change, self.zoneout, seed=self.seed_generator) if training else change)

    def get_config(self) -> dict[str, Any]:
        """What a copy is made from."""
        return {**super().get_config(), "norm": self.norm, "zoneout": self.zoneout}
