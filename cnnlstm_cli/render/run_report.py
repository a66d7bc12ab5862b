"""One screen about a run: what it forecasts and how well, how it learnt, what it needs, and what to beware of."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from cnnlstm_cli.render.messages import printable
from cnnlstm_cli.render.report import (
    averaged,
    backtest_report,
    behind,
    counts,
    few,
    limited,
    listed,
    losing,
    pairs,
    rows,
    table,
    undone,
    verdict,
    worths,
)
from cnnlstm_cli.render.search_report import search_lines

Facts = Mapping[str, Any]

BARS = "▁▂▃▄▅▆▇█"
CURVE_WIDTH = 34
MOST_NAMED = 5
NEWEST = 5  # trainings that are listed


def run_report(facts: Facts) -> list[RenderableType]:
    """The screen; beneath it how the version did on other data, where these were named."""
    needs = facts["needs"]
    parts: list[RenderableType] = [
        pairs(
            {
                "run": facts["run"],
                "version": f"{facts['version']} ({len(facts['versions'])} kept)",
                "trained": f"{facts['created']} in {facts['seconds']:.0f} s, on {facts['data']['name']}",
                "data": f"{facts['data']['first']} to {facts['data']['last']}, {rows(facts)}",
                "mended": counts(facts["mended"]),
                "forecasts": ", ".join(facts["targets"]),
                "ahead": f"{facts['horizon']} steps, {facts['step']}",
                "season": listed(facts["season"]),
                "limits": limited(facts["limits"], facts["data"]["series"]),
                "needs": f"columns {', '.join(needs['columns'])}; at least {needs['rows']} rows",
                **({"covariates": worths(facts["covariates"])} if facts["covariates"] else {}),
                "average": averaged(facts),
                **({"search": "; ".join(search_lines(facts["search"]))} if facts.get("search") else {}),
                "network": f"{facts['parameters']:,} parameters, best epoch {facts['epochs']['best']}",
                "seed": str(facts["seed"]),
            }
        ),
        _scores(facts["validation"]),
        Text(
            f"{verdict(facts['skill'])} mae and rmse are in standard deviations; the mean absolute error in the data's "
            f"own units: {_errors(facts['error_by_target'])}."
        ),
        *(Text(f"Beware: {line}", style="bold") for line in warnings(facts)),
        Text(),
        *_curves(facts),
    ]
    if len(facts["history"]) > 1:
        parts += _history(facts["history"])
    if found := facts.get("diagnosis"):
        parts += diagnosis_report(found)
    return parts


def warnings(facts: Facts) -> Iterator[str]:
    """What speaks against trusting a run, in words."""
    if against := losing(facts):
        yield against
    if scarce := few(facts):
        yield scarce
    yield from behind(facts)
    if left := undone(facts):
        yield left


def diagnosis_report(facts: Facts) -> list[RenderableType]:
    """How a version did on data, and what its errors say."""
    where = f"\non {facts['data']}, {facts['origins']:,} origins from {facts['first']} to {facts['last']}:"
    said = [Text(f"- {line}") for line in (*facts["notes"], *facts["remarks"])]
    return [Text(where), *backtest_report(facts), *said]


def sparkline(values: list[float]) -> str:
    """At most 34 bars, each the mean of its share of the values."""
    count = min(CURVE_WIDTH, len(values))
    edges = [round(k * len(values) / count) for k in range(count + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in itertools.pairwise(edges)]
    low, span = min(means), (max(means) - min(means)) or 1.0
    return "".join(BARS[round((mean - low) / span * (len(BARS) - 1))] for mean in means)


def _scores(scores: Mapping[str, Facts]) -> Table:
    """Metrics of each forecaster, and by how much less the model errs than each baseline."""
    ours, shown = scores["model"]["mae"], []
    for name, found in scores.items():
        less = "" if name == "model" or not found["mae"] > 0 else f"{100 * (1 - ours / found['mae']):.1f} %"
        shown.append([name, *(f"{found[metric]:.4f}" for metric in ("mae", "rmse", "mase")), less])
    return table(["on the validation rows", "mae", "rmse", "mase", "model errs less by"], shown)


def _errors(targets: Mapping[str, float]) -> str:
    """Of each target, the first few."""
    shown = ", ".join(f"{name} {error:.4g}" for name, error in itertools.islice(targets.items(), MOST_NAMED))
    return printable(shown) + (", ..." if len(targets) > MOST_NAMED else "")


def _curves(facts: Facts) -> Iterator[Text]:
    """How each network that is averaged learnt, from the first epoch to the last."""
    for number, member in enumerate(facts["members"]):
        epochs = [row for row in facts["losses"] if row.get("member", 0) == number]
        if not member["kept"] or not epochs:
            continue
        yield Text(f"network of seed {member['seed']}, best epoch {member['best']} of {len(epochs)}")
        for key, name in (("loss", "training"), ("validation", "validation")):
            values = [row[key] for row in epochs]
            yield Text(f"{name:>12} loss {sparkline(values)} {values[0]:.4f} -> {min(values):.4f} at best")


def _history(history: list[Facts]) -> Iterator[RenderableType]:
    """The errors of all versions that were published, and the newest trainings, published or not."""
    errors = [entry["mae"] for entry in history if entry["published"] and entry["mae"] is not None]
    if len(errors) > 1:
        course = f"{sparkline(errors)} {errors[0]:.4f} -> {errors[-1]:.4f}"
        yield Text(f"\n{len(errors)} versions, mae {course}, each on its own validation rows")
    newest = []
    for entry in history[-NEWEST:]:
        mae = "" if entry["mae"] is None else f"{entry['mae']:.4f}"
        done = "published" if entry["published"] else "not published"
        newest.append([str(entry["created"]), mae, f"{done}: {entry['why']}"])
    yield table(["trained", "mae", f"newest {len(newest)} of {len(history)} trainings"], newest)
