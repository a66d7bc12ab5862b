"""Warm start: a training that goes on from the published networks instead of drawing new ones.

They have learnt all rows that were there, those held out then among them (see `candidate.write`). So they are judged,
and their epochs chosen, on rows that came since; and what was found from the data then, lookback and seasons among it,
stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.candidate import Begun
from cnnlstm_cli.config import Spec
from cnnlstm_cli.forecast import Run
from cnnlstm_cli.planning import Task, lay_windows
from cnnlstm_cli.series.table import Table
from cnnlstm_cli.series.windows import Split

SHARE = 0.2  # of the rows, at most, held out


@dataclass(frozen=True)
class Warm:
    """A task, and networks that have learnt before."""

    task: Task
    begun: Begun


def begin(table: Table, asked: Mapping[str, Any], spec: Spec, current: Run | None) -> Warm | str:
    """A warm start from the published version, or why there can be none.

    asked  the specification of this training before anything was found from the data, as JSON has it
    """
    if current is None:
        return "no version that can be read is published"
    if reason := _other(table, asked, current):
        return reason
    record = current.record
    files = current.folder / "members"
    networks = [(own, files / f"{number}.keras") for number, (_, own) in enumerate(record.networks())]
    if not networks:
        return f"version {current.folder.name} holds no network, but simpler forecasts alone"
    if spec.train.intervals == "quantile" and not (
        record.facts["quantiles"]["network"] and current.levels() == tuple(sorted(set(spec.train.levels)))
    ):
        return f"version {current.folder.name} holds no network of the quantiles that are asked for"
    held = _held(table, current)
    if not held.any():
        return f"fewer than {record.horizon} rows (a horizon) have come since version {current.folder.name}"
    data = replace(record.spec.data, validation=spec.data.validation, strict=spec.data.strict)
    train = replace(spec.train, linear=spec.train.linear and bool(record.facts["simple"]), members=len(networks))
    task = lay_windows(table, Spec(data, record.spec.model, train), Split(table.lengths, held), record.outer)
    return Warm(task, Begun(current, networks))


def _other(table: Table, asked: Mapping[str, Any], current: Run) -> str | None:
    """What this training would make otherwise than the published version; None when it is the same network."""
    before, schema = current.record.facts.get("asked") or {}, current.record.schema
    for name in ("data", "model"):
        old, new = before.get(name, {}), asked[name]
        other = [f"{name}.{key}" for key in new if old.get(key) != new[key] and key not in ("validation", "strict")]
        if other:
            return f"{other[0]} is another than in version {current.folder.name}"
    if before.get("network") != asked.get("network"):
        return f"[[network]] is another than in version {current.folder.name}"
    ours = replace(table.schema, time=schema.time)
    if ours != schema:
        return f"the data have other columns, or another step, than in version {current.folder.name}"
    if current.record.spec.model.normalisation != "standard":
        return "model.normalisation is not 'standard', so that the network depends on a scaling that has changed"
    return None


def _held(table: Table, current: Run) -> NDArray[np.bool_]:
    """(rows,): the newest rows that the version has not seen, a fifth of all at most; whole horizons of each series."""
    unseen, horizon = current.unseen(table), current.record.horizon
    held = np.zeros_like(unseen)
    for start, end in zip(table.offsets, table.offsets[1:], strict=False):
        most = max(horizon, int(SHARE * (end - start)))
        rows = min(int(unseen[start:end].sum()), most)
        if rows >= horizon:
            held[end - rows : end] = True
    return held
