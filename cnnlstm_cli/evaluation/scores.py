"""Forecasts beside what came: the metrics of all, or by target, series and step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cnnlstm_cli.evaluation.metrics import coverage, mae, mase, msis, pinball, rmse, smape, wape

Numbers = NDArray[np.float64]
Scores = dict[str, dict[str, float]]  # forecaster -> metric -> value
Pairs: TypeAlias = Mapping[float, tuple[Numbers, Numbers]]  # of intervals: level in percent -> lower, upper ends
NONE: Pairs = {}
By = Literal["target", "id", "step"]


@dataclass(frozen=True)
class Actuals:
    """What came in each of m judged windows.

    values  (m, H) in units of the data, NaN where nothing was observed
    column  (m,) which target it is of
    series  (m,) which series
    scale   (m,) deviation of the series' training rows
    naive   (m,) in-sample error of its seasonal naive forecast, for MASE
    """

    values: Numbers
    column: NDArray[np.int64]
    series: NDArray[np.int64]
    scale: Numbers
    naive: Numbers

    def __getitem__(self, chosen: NDArray[np.bool_ | np.int64]) -> Actuals:
        """Some of the windows."""
        return Actuals(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @classmethod
    def joined(cls, parts: Sequence[Actuals]) -> Actuals:
        """The windows of all parts, one part after the other."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


def score(forecast: Numbers, actuals: Actuals, *, deviations: bool, ends: Pairs = NONE) -> dict[str, float]:
    """mae, rmse, mase, smape and wape of a forecast (m, H) in units of the data; of its intervals coverage and more.

    deviations  mae, rmse, pinball and widths in standard deviations of the training rows: what targets of different
                units have in common
    ends        of intervals: level in percent -> lower and upper, (m, H) each
    """
    unit = actuals.scale[:, None] if deviations else 1.0
    found = {
        "mae": mae(forecast / unit, actuals.values / unit),
        "rmse": rmse(forecast / unit, actuals.values / unit),
        "mase": mase(forecast, actuals.values, actuals.naive),
        "smape": smape(forecast, actuals.values),
        "wape": wape(forecast, actuals.values),
    }
    if ends:
        found["pinball"] = _mean_pinball(forecast, ends, actuals.values, unit)
    for level, (low, high) in ends.items():
        found |= {
            f"coverage-{level:g}": coverage(low, high, actuals.values),
            f"width-{level:g}": float(np.mean((high - low) / unit)),
            f"msis-{level:g}": msis(low, high, actuals.values, level, actuals.naive),
        }
    return found


def _mean_pinball(forecast: Numbers, ends: Pairs, actual: Numbers, unit: Numbers | float) -> float:
    """Over the quantiles that the ends of intervals are, and the forecast as the median."""
    losses = [pinball(forecast / unit, actual / unit, 0.5)]
    for level, pair in ends.items():
        tail = (1 - level / 100) / 2
        losses += [pinball(end / unit, actual / unit, q) for end, q in zip(pair, (tail, 1 - tail), strict=True)]
    return float(np.mean(losses))


def score_by(
    by: By, forecast: Numbers, actuals: Actuals, targets: Sequence[str], ids: Sequence[str], ends: Pairs = NONE
) -> dict[str, dict[str, float]]:
    """The metrics of each target (in its own unit), each series or each step: name -> metric -> value.

    Of several targets together, mae and rmse are in standard deviations of the training rows.
    """
    several = len(targets) > 1
    if by == "step":
        return {
            str(step + 1): score(
                forecast[:, [step]],
                replace(actuals, values=actuals.values[:, [step]]),
                deviations=several,
                ends=_some(ends, (slice(None), [step])),
            )
            for step in range(forecast.shape[1])
        }
    names, place = (targets, actuals.column) if by == "target" else (ids, actuals.series)
    masks = {name: place == number for number, name in enumerate(names)}
    return {
        name: score(forecast[mask], actuals[mask], deviations=several and by == "id", ends=_some(ends, mask))
        for name, mask in masks.items()
        if mask.any()
    }


def _some(ends: Pairs, chosen: Any) -> Pairs:
    return {level: (low[chosen], high[chosen]) for level, (low, high) in ends.items()}


def best_baseline(scores: Scores) -> str:
    """The name of the baseline with the least mae."""
    return min((name for name in scores if name != "model"), key=lambda name: scores[name]["mae"])
