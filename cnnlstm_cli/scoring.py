"""The score use case: forecasts that were logged beside what has come since, and new rows beside those trained on."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cnnlstm_cli.errors import DataError, UsageError
from cnnlstm_cli.evaluation.drift import drifted, errors_drifted, newest
from cnnlstm_cli.forecast import Forecast, Numbers, Run
from cnnlstm_cli.runs.directory import RunDirectory
from cnnlstm_cli.runs.shape import NUMBER, Many, require
from cnnlstm_cli.series.frequency import Times
from cnnlstm_cli.series.reader import Data, read_history
from cnnlstm_cli.series.table import Table

Facts = dict[str, Any]

DEVIATIONS = "standard deviations of the rows trained on"

LOGGED = {
    "id": str,
    "times": [(str, int)],
    "values": Many({"": [NUMBER]}),
    "ends": Many({"": [Many({"": [NUMBER]})]}),
}


def entries(run: Run, forecast: Forecast) -> list[str]:
    """What is logged of a forecast, a line a series, so that it can be scored when its times have come.

    Raises UsageError where rows are counted: no later row can be matched with a forecast then.
    """
    schema = forecast.table.schema
    if schema.time.kind == "row":
        raise UsageError(
            "--log needs a time column, by which what comes can be told. Give the data one, and train again."
        )
    made = f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
    lines = []
    for k, (name, times) in enumerate(zip(forecast.table.ids, forecast.times, strict=True)):
        entry = {
            "created": made,
            "version": run.record.version,
            "id": name,
            "times": np.datetime_as_string(times, "s").tolist() if schema.time.dated else times.tolist(),
            "values": _by_target(schema.targets, forecast.values[k]),
            "ends": {
                f"{level:g}": [_by_target(schema.targets, side[k]) for side in pair]
                for level, pair in forecast.ends.items()
            },
        }
        lines.append(json.dumps(entry, ensure_ascii=False))
    return lines


def _by_target(targets: Sequence[str], values: Numbers) -> dict[str, list[float]]:
    """(H, targets) -> {target: its H}."""
    return dict(zip(targets, values.T.tolist(), strict=True))


def score(data: Data, run: str | Path, *, last: int | None = None) -> Facts:
    """How the logged forecasts did on `data`, in all and by step, beside what was expected; and whether rows drift.

    last  only of the newest so many rows of each series

    What is expected is the mean absolute error of each step on the validation rows of the published version. Of several
    forecasts of a row, the same number of steps ahead, the newest counts. Raises DataError when nothing was logged,
    UsageError, or as `Run.predict` does.
    """
    if last is not None and last < 1:
        raise UsageError("--last must be 1 or more.")
    opened = Run.open(run)
    table = read_history(data, opened.record.schema)
    last = None if last is None else min(last, len(table.values))
    joined, counts = _joined(opened, table, last)
    columns = _columns(opened, table)
    steps, reason = _by_step(opened, joined)
    drift = [
        *([reason] if reason else []),
        *(f"{each['target']}: {text}" for each in columns for text in each["drift"]),
    ]
    return {
        "kind": "score",
        "run": str(run),
        "version": opened.record.version,
        "data": table.name,
        "until": table.stamp(table.times.max()),
        **counts,
        "unit": _unit(opened),
        "steps": steps,
        "coverage": _coverage(joined),
        "columns": columns,
        "drift": drift,
        "notes": table.notes(),
    }


def _joined(run: Run, table: Table, last: int | None) -> tuple[pd.DataFrame, Facts]:
    """A row a forecast value that has come: row (of the table), target (its place), step, made, came, off by (in
    deviations), and the ends of its intervals, lo-80 and hi-80."""
    places = {name: k for k, name in enumerate(table.ids)}
    parts, counts = [], {"logged": 0, "scored": 0, "to come": 0, "not observed": 0}
    for entry in RunDirectory(run.path).logged():
        times = _times(entry, table)
        if times is None:  # not as it was written
            continue
        counts["logged"] += 1
        if entry["id"] not in places:
            continue
        start, end = table.offsets[places[entry["id"]] : places[entry["id"]] + 2]
        row = start + np.searchsorted(table.times[start:end], times)
        there = row < end
        counts["to come"] += int((~there).sum())
        there[there] = table.times[row[there]] == times[there]
        if last is not None:
            there &= row >= end - last
        for k, target in enumerate(table.schema.targets):
            if target not in entry["values"]:  # forecast by a version of other targets
                continue
            columns = {"made": entry["values"][target]}
            for level, pair in entry["ends"].items():
                columns |= {f"{side}-{level}": each[target] for side, each in zip(("lo", "hi"), pair, strict=True)}
            made = {name: np.array(numbers, dtype=np.float64)[there] for name, numbers in columns.items()}
            parts.append(pd.DataFrame({"row": row[there], "target": k, "step": np.flatnonzero(there), **made}))
    if not parts:
        raise DataError(f"{run.path} has no forecast of these series in its log. Forecast with: predict --log.")
    joined = pd.concat(parts).drop_duplicates(["row", "target", "step"], keep="last")
    observed = table.observed[joined["row"], joined["target"]]
    counts["not observed"] = int((~observed).sum())
    joined = joined[observed]
    counts["scored"] = len(joined)
    series = np.searchsorted(table.offsets, joined["row"], side="right") - 1
    scale = np.stack([scaler.scale for scaler in run.fitted(table)])[series, joined["target"]]
    came = table.values[joined["row"], joined["target"]]
    return joined.assign(came=came, off=np.abs(joined["made"] - came) / scale), counts


def _times(entry: Facts, table: Table) -> Times | None:
    """The times of a logged forecast; None where someone has changed the entry, so that it is none any more."""
    try:
        require(entry, LOGGED)
        counts = {len(numbers) for numbers in entry["values"].values()} | {len(entry["times"])}
        for low, high in entry["ends"].values():
            counts |= {len(side[target]) for target in entry["values"] for side in (low, high)}
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy's, of a time with an offset
            times = np.array(entry["times"], dtype=table.times.dtype)
            np.array([*entry["values"].values()], dtype=np.float64)
    except (TypeError, ValueError, KeyError, OverflowError, UserWarning):
        return None
    return times if len(counts) == 1 else None


def _by_step(run: Run, joined: pd.DataFrame) -> tuple[list[Facts], str | None]:
    """The error of each step, of all together first, beside the one expected; and whether it has drifted, in words."""
    by_step = np.array(run.record.facts["error_by_step"])
    joined = joined[joined["step"] < len(by_step)]
    if joined.empty:
        return [], None
    step, off, unit = joined["step"].to_numpy(), joined["off"].to_numpy(), _in_unit(run)
    expected = by_step[step]
    steps = [_compared("all", off, expected, unit)]
    steps += [_compared(str(k + 1), off[step == k], expected[step == k], unit) for k in np.unique(step)]
    groups = np.unique(joined["row"].to_numpy() // run.record.horizon, return_inverse=True)[1]
    if not errors_drifted(off, expected, groups):
        return steps, None
    worse = 100 * (off.mean() / expected.mean() - 1)
    return steps, f"the error is {worse:.0f} % higher than on the validation rows"


def _coverage(joined: pd.DataFrame) -> Facts:
    """Of each level that was logged, in percent, how many rows that have come lay within their interval."""
    found = {}
    for level in (name.removeprefix("lo-") for name in map(str, joined) if name.startswith("lo-")):
        some = joined[joined[f"lo-{level}"].notna()]
        if len(some):
            found[level] = 100 * float(some["came"].between(some[f"lo-{level}"], some[f"hi-{level}"]).mean())
    return found


def _compared(step: str, off: Numbers, expected: Numbers, unit: float) -> Facts:
    ours, theirs = float(off.mean()) * unit, float(expected.mean()) * unit
    ratio = ours / theirs if theirs else None
    return {"step": step, "count": len(off), "mae": ours, "expected": theirs, "ratio": ratio}


def _columns(run: Run, table: Table) -> list[Facts]:
    """Each target's newest lookbacks beside what training saw, and how they have drifted, in words.

    Of one series in units of the data; of many in deviations, in the middle of them.
    """
    fitted = run.fitted(table)
    found = []
    for k, target in enumerate(table.schema.targets):
        spans = zip(fitted, table.offsets, table.offsets[1:], strict=False)
        rows = np.concatenate([(table.values[a:b, k] - each.mean[k]) / each.scale[k] for each, a, b in spans])
        seen, now = run.record.facts["seen"][k], newest(rows, table.offsets, run.record.lookback)
        zero, unit = (fitted[0].mean[k], fitted[0].scale[k]) if len(fitted) == 1 else (0.0, 1.0)
        zeros = {name: 0.0 if name == "deviation" else zero for name in (*now, *seen)}
        told = {name: float(np.nanmedian(each)) * unit + zeros[name] for name, each in now.items()}
        trained = {name: [float(end) * unit + zeros[name] for end in span] for name, span in seen.items()}
        outside = drifted(now, seen)
        words = [_words(name, side, told, trained, len(fitted)) for name, side in outside.items()]
        found.append({"target": target, "now": told, "trained": trained, "drift": words})
    return found


def _words(name: str, side: str, now: Facts, trained: Facts, series: int) -> str:
    low, high = trained["value" if name in ("least", "greatest") else name]
    which = f"{now[name]:.5g}," if series == 1 else "of more than a twentieth of the series"
    return f"{name} of the newest rows, {which} is {side} what training saw, {low:.5g} to {high:.5g}"


def _alone(run: Run) -> bool:
    return len(run.record.scalers) == 1 and len(run.record.schema.targets) == 1


def _unit(run: Run) -> str:
    return run.record.schema.targets[0] if _alone(run) else DEVIATIONS


def _in_unit(run: Run) -> float:
    """What an error in deviations is multiplied by."""
    return float(next(iter(run.record.scalers.values())).scale[0]) if _alone(run) else 1.0
