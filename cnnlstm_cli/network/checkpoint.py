"""A training kept after its epochs, so that one that was cut off goes on where it was, and ends as if it had not been.

Everything that the next epoch depends on is in it: the weights and moving statistics, the state of every dropout's
generator, the optimizer's moments and step, the state of the generator that shuffles, and which epoch was best.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

EVERY = 1.0  # seconds at least from one to the next: epochs of short series take less than writing one

Weights = list[NDArray[Any]]


@dataclass(frozen=True)
class Epoch:
    """One pass over the training windows; `number` counts from 1, `seconds` from the start of the training.

    Both losses on the scaled series: `loss` is what training makes small, penalties included, with dropout and while
    weights change; `validation` is the mean absolute error, without and after. It is so whatever the loss: the
    baselines are measured by it, and so are trainings with different losses. NaN without validation windows.
    """

    number: int
    epochs: int
    loss: float
    validation: float
    seconds: float


@dataclass
class Known:
    """What a training knows after an epoch, beside its model and optimizer.

    best        number of the best epoch, 0 before the first
    lowest      its validation loss
    weights     its weights
    unrewarded  cycles that ended no better since
    random      what shuffles the windows
    """

    history: list[Epoch]
    best: int
    lowest: float
    weights: Weights
    unrewarded: int
    random: np.random.Generator


class Checkpoint:
    """A file that holds a training as it is after an epoch. Without a path nothing is kept."""

    def __init__(self, path: Path | None, variables: Sequence[Any]) -> None:
        """`variables`: all of the model and the optimizer, in an order that building them again repeats."""
        self._path = path
        self._variables = variables
        self._saved = time.monotonic()

    def save(self, known: Known, *, now: bool = False) -> None:
        """Keep it, unless it was kept just now and this is not its end: `now`.

        Raises OSError; what was kept before is then still there.
        """
        if self._path is None or (not now and time.monotonic() - self._saved < EVERY):
            return
        told = {
            "history": [dataclasses.astuple(epoch) for epoch in known.history],
            "best": known.best,
            "lowest": known.lowest,
            "unrewarded": known.unrewarded,
            "random": known.random.bit_generator.state,
        }
        arrays = {f"variable_{k}": np.asarray(each) for k, each in enumerate(self._variables)}
        arrays |= {f"best_{k}": each for k, each in enumerate(known.weights)}
        aside = self._path.with_suffix(".new")
        with aside.open("wb") as file:
            np.savez(file, allow_pickle=False, told=np.array(json.dumps(told)), **arrays)
        os.replace(aside, self._path)
        self._saved = time.monotonic()

    def load(self) -> Known | None:
        """What was kept, the variables set to it; None where nothing was, or nothing that fits them.

        Not flushed to the disk when it is written, a file may be cut short by a power failure: it is no loss but time.
        """
        if self._path is None:
            return None
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            with self._path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                told = json.loads(str(kept["told"]))
                values = [kept[f"variable_{k}"] for k in range(len(self._variables))]
                best = [kept[f"best_{k}"] for k in range(sum(name.startswith("best_") for name in kept.files))]
            random = np.random.default_rng()
            random.bit_generator.state = told["random"]
            history = [Epoch(*each) for each in told["history"]]
            known = Known(history, told["best"], told["lowest"], best, told["unrewarded"], random)
            if all(value.shape == tuple(each.shape) for value, each in zip(values, self._variables, strict=True)):
                for variable, value in zip(self._variables, values, strict=True):
                    variable.assign(value)
                return known
        return None
