"""A trial of a search: one network, trained up to a rung of its course, and judged there.

The learning rate falls to zero in cycles, each about as long as all before it. At a cycle's end a training can be
compared with another, and half of it is done at the end of the last but one: the rungs of successive halving
(Jamieson and Talwalkar 2016) are there already.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.config import Spec
from cnnlstm_cli.errors import CnnlstmError
from cnnlstm_cli.network.entry import Entry, Linear
from cnnlstm_cli.network.fit import fit, forecaster, plan, settled
from cnnlstm_cli.network.race import Member, averaged
from cnnlstm_cli.series.windows import Windows

RUNGS = 3  # the last is the end of the training


@dataclass(frozen=True)
class Common:
    """What all trials share: what some start as, and what all are averaged with, as `race` takes them."""

    windows: Windows
    linear: Linear
    simple: Mapping[str, NDArray[np.float64]]
    spec: Spec


@dataclass(frozen=True)
class Climb:
    """A trial's way up to a rung, 0 the first: from the checkpoint `kept`, or from the beginning.

    own  its settings, as in `Spec.network`
    """

    own: Mapping[str, Mapping[str, Any]]
    rung: int
    kept: bytes | None = None


@dataclass(frozen=True)
class Reached:
    """Where it is then.

    mae       mean absolute error on the validation windows, scaled: of the network averaged with the simpler forecasts
    forecast  of the network alone, of these windows, (m, H, C) scaled, at the end of its training
    epochs    of the training so far
    kept      its checkpoint
    seconds   that took
    failed    why it came to nothing; empty otherwise
    """

    mae: float = float("nan")
    forecast: NDArray[np.float32] | None = None
    epochs: int = 0
    kept: bytes = b""
    seconds: float = 0.0
    failed: str = ""


def climb(common: Common, way: Climb) -> Reached:
    """Train a trial up to a rung."""
    started = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory() as folder:
            return _climbed(common, way, Path(folder, "kept.npz"), started)
    except CnnlstmError as error:
        return Reached(failed=str(error), seconds=time.perf_counter() - started)


def _climbed(common: Common, way: Climb, kept: Path, started: float) -> Reached:
    windows, spec = common.windows, common.spec.with_own(way.own)
    train = settled(spec.train, len(windows.training))
    if way.kept:
        kept.write_bytes(way.kept)
    entry = Entry(spec.model.candidates(len(windows.training))[0], train, checkpoint=kept)
    model = entry.network(windows, common.linear)
    ends = plan(len(windows.training), train).ends
    fitted = fit(model, windows, train, checkpoint=kept, until=ends[max(0, len(ends) - RUNGS + way.rung)])
    raced = averaged([Member(entry.spec, train, model, fitted)], windows, common.simple)
    mae = float(np.abs(raced.forecast - windows.came(windows.validation)).mean(dtype=np.float64))
    forecast = forecaster(model, windows)() if way.rung == RUNGS - 1 else None
    return Reached(mae, forecast, len(fitted.history), kept.read_bytes(), time.perf_counter() - started)
