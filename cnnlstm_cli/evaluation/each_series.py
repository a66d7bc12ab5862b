"""Of many series: which the model forecasts worse than a baseline does, though it may do better on the whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from cnnlstm_cli.evaluation.residuals import grouped
from cnnlstm_cli.evaluation.scores import Actuals, Numbers

CLEARLY = 1.1  # times as large an error as that of the best of several baselines, which is luck in part
NAMED = 5


def behind(
    model: Numbers, baselines: Iterable[tuple[str, Numbers]], came: Actuals, ids: Sequence[str]
) -> dict[str, Any]:
    """How many series were judged, and how many of them a baseline forecasts clearly better; the worst by name.

    model, baselines  forecasts (m, H) in units of the data
    """

    def errors(forecast: Numbers) -> Numbers:
        off = np.abs(forecast - came.values) / came.scale[:, None]
        return grouped(off, np.broadcast_to(came.series[:, None], off.shape), len(ids))[0]

    ours, names, theirs = errors(model), [], []
    for name, forecast in baselines:
        names.append(name)
        theirs.append(np.where(np.isnan(found := errors(forecast)), np.inf, found))
    best = np.argmin(theirs, axis=0)
    least = np.min(theirs, axis=0)
    worse = np.flatnonzero(ours > CLEARLY * least)
    order = worse[np.argsort(-(ours[worse] / np.maximum(least[worse], 1e-12)), kind="stable")]
    return {
        "judged": int(np.isfinite(ours).sum()),
        "behind": len(worse),
        "first": [
            {"id": ids[k], "against": names[best[k]], "mae": float(ours[k]), "baseline": float(least[k])}
            for k in order[:NAMED]
        ],
    }
