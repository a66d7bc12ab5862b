"""Two runs side by side -> a terminal's tables and sentences, differences first, and rows for CSV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from cnnlstm_cli.render.messages import printable
from cnnlstm_cli.specs import unset

Facts = Mapping[str, Any]

MOST_NAMES = 6  # of a list, that are told
HASH = 12  # characters of a fingerprint, enough to tell two apart
TOLD_ALIKE = ("targets", "step", "season", "horizon", "lookback", "file", "until")  # the others are counted


def comparison_report(facts: Facts) -> list[RenderableType]:
    """In what two runs differ, what they have in common, their scores, and which forecasts better."""
    validation, judged = facts["validation"], facts["judged"]
    told = [[each["what"], *(_said(each["what"], value) for value in each["values"])] for each in facts["differences"]]
    parts: list[RenderableType] = [
        _table(["", *facts["runs"]], told) if told else Text("They are the same version."),
        Text(),
        Text(printable(_alike(facts["same"]))),
        Text(),
        _table(["on their validation rows", *facts["runs"]], list(_validated(validation))),
        Text(printable(f"mae and rmse in {validation['unit']}. {validation['caveat']}")),
    ]
    if judged:
        where = f"On {judged['data']}, {judged['origins']:,} origins from {judged['first']} to {judged['last']}"
        parts += [
            Text(),
            Text(printable(f"{where}, {judged['horizon']} steps ahead:")),
            _table(["on the same rows", *facts["runs"]], list(_judged(judged))),
            Text(printable(f"mae and rmse in {judged['unit']}.")),
            *(Text(printable(f"- {note}")) for note in judged["notes"]),
            Text(),
            Text(printable(judged["verdict"]), style="bold"),
        ]
    elif not validation["same_rows"]:
        parts.append(Text("To compare them on the same rows, name some with --data."))
    return parts


def comparison_rows(facts: Facts) -> list[list[Any]]:
    """A header, then a row a difference, a fact that is the same, a score, and what the test of the difference says."""
    rows: list[list[Any]] = [["part", "what", "first", "second"], ["run", "path", *facts["runs"]]]
    rows += [["difference", each["what"], *map(_cell, each["values"])] for each in facts["differences"]]
    rows += [["same", what, _cell(value), _cell(value)] for what, value in facts["same"].items()]
    rows += _scores("validation", facts["validation"]["scores"])
    if judged := facts["judged"]:
        rows += _scores("judged", judged["scores"])
        rows += [["test", name, _cell(value), ""] for name, value in judged["test"].items()]
        rows.append(["verdict", judged["verdict"], "", ""])
    return rows


def _scores(part: str, scores: Sequence[Facts]) -> Iterator[list[Any]]:
    ours, theirs = scores
    for metric in ours:
        yield [part, metric, _cell(ours[metric]), _cell(theirs.get(metric))]


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else value


def _validated(validation: Facts) -> Iterator[list[str]]:
    """A row a metric, and how much less or more error than the best baseline's that is."""
    for metric in ("mae", "rmse", "mase"):
        yield [metric, *(_number(scores[metric]) for scores in validation["scores"])]
    yield ["best baseline", *(skill["against"] for skill in validation["skill"])]
    percents = (skill["percent"] for skill in validation["skill"])
    yield ["error against it", *("" if each is None else f"{-each:+.1f} %" for each in percents)]


def _judged(judged: Facts) -> Iterator[list[str]]:
    """A row a metric, and a row a level of intervals."""
    ours = judged["scores"][0]
    for metric in (name for name in ours if name in ("mae", "rmse", "mase") or name.startswith("coverage-")):
        percent = " %" if metric.startswith("coverage-") else ""
        name = f"within {metric.partition('-')[2]} % intervals" if percent else metric
        yield [name, *(f"{_number(scores[metric])}{percent}" for scores in judged["scores"])]


def _alike(same: Facts) -> str:
    """What both have in common, in a line."""
    told = [f"{what} {_said(what, same[what])}" for what in TOLD_ALIKE if what in same]
    others = len(same) - len(told)
    if not told:
        return f"The same: {others} facts and settings."
    return f"The same: {'; '.join(told)}; and {others} other facts and settings."


def _said(what: str, value: Any) -> str:
    """A fact in words, short enough for a column."""
    if isinstance(value, list):
        more = f" and {len(value) - MOST_NAMES:,} more" if len(value) > MOST_NAMES else ""
        return ", ".join(map(str, value[:MOST_NAMES])) + more or "none"
    if what == "data":
        return str(value)[:HASH]
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "found" if what == "held out" else unset(what)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for place, name in enumerate(header):
        table.add_column(Text(printable(name)), justify="right" if place else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table
