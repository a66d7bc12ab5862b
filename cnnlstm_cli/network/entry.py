"""A network that is to be trained, and as which it begins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import keras
import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.network.build import start_linear
from cnnlstm_cli.network.memory import enough_memory
from cnnlstm_cli.network.restore import built, restored
from cnnlstm_cli.series.windows import Windows
from cnnlstm_cli.specs import ModelSpec, TrainSpec

Linear: TypeAlias = "NDArray[np.float64] | None"


@dataclass(frozen=True)
class Entry:
    """A network to be trained.

    train       as `fit` takes it, the seed its own
    begun       file of the weights it begins with; None: drawn by its seed
    checkpoint  where its training is kept, and picked up; None: nowhere
    """

    spec: ModelSpec
    train: TrainSpec
    begun: Path | None = None
    checkpoint: Path | None = None

    @enough_memory()
    def network(self, windows: Windows, linear: Linear) -> keras.Model:
        """As the training begins. Raises DataError when the file of its weights is not of such a network,
        UsageError when there is not enough memory for it."""
        model = built(self.spec, windows, self.train.seed)
        if self.begun:
            restored(model, self.begun, "Train without --warm-start.")
        elif linear is not None and self.spec.can_start_linear and self.spec.start == "linear":
            start_linear(model, linear)
        return model
