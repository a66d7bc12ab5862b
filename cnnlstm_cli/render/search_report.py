"""A search on a terminal and as CSV: its trials, the best first; and which settings mattered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from cnnlstm_cli.render.report import table

Facts = Mapping[str, Any]

COLUMNS = ("trial", "state", "mae", "epochs", "seconds")
MARKS = ("plain", "published")
MOST = 10  # trials on a terminal
LEAST = 0.02  # importance of a setting that is named


def search_rows(facts: Facts) -> Iterator[list[Any]]:
    """A header, then a row a trial."""
    keys = _keys(facts)
    yield [*COLUMNS, *MARKS, *keys, "failed"]
    for each in facts["trials"]:
        told = ["" if each[name] is None else each[name] for name in COLUMNS]
        yield [
            *told,
            *(mark if each[mark] else "" for mark in MARKS),
            *(each["settings"].get(key, "") for key in keys),
            each["failed"],
        ]


def search_report(facts: Facts) -> list[RenderableType]:
    """The best trials, each with what it has otherwise than the plain training; and what mattered."""
    plain: Facts = next((each["settings"] for each in facts["trials"] if each["plain"]), {})
    rows = []
    for each in facts["trials"][:MOST]:
        own: Facts = each["settings"]
        other = [f"{key.partition('.')[2]} {_short(own[key])}" for key in own if plain.get(key) != own[key]]
        mae = "" if each["mae"] is None else f"{each['mae']:.4f}"
        words = "plain" if each["plain"] else ", ".join(other)
        state = "published" if each["published"] else each["state"]
        rows.append([str(each["trial"]), state, mae, str(each["epochs"]), words])
    count = len(facts["trials"])
    left = [f"Shown: {MOST} of {count} trials; --json tells all."] if count > MOST else []
    shown = table(["trial", "state", "error", "epochs", "otherwise than plain"], rows)
    shown.columns[-1].justify = "left"
    return [
        shown,
        *(Text(line) for line in [*left, *search_lines(facts["search"])]),
    ]


def search_lines(search: Facts) -> Iterator[str]:
    """What a search came to, in words."""
    stopped = f"{search['complete']} trained to the end, {search['stopped']} stopped on the way"
    failed = f", {search['failed']} failed" if search["failed"] else ""
    left = search["trials"] - sum(search[state] for state in ("complete", "stopped", "failed"))
    unfinished = f", {left} unfinished" if left else ""
    yield f"{search['trials']} trials: {stopped}{failed}{unfinished}"
    if search["plain"] and search["complete"]:
        gain = 100 * (1 - search["mae"] / search["plain"])
        yield f"best: trial {search['best']}, {gain:.1f} % less error than the best of the plain training's networks"
    yield f"published: {_averaged(search['published'])}"
    if search["importance"]:
        told = ", ".join(f"{key} {100 * share:.0f} %" for key, share in search["importance"].items() if share >= LEAST)
        yield f"importance: {told}"


def _averaged(trials: Sequence[int]) -> str:
    """Which trials' networks are in the version."""
    if not trials:
        return "simpler forecasts, which the validation rows prefer to every trial"
    return f"trial {trials[0]}" if len(trials) == 1 else f"the average of trials {', '.join(map(str, trials))}"


def _keys(facts: Facts) -> list[str]:
    return sorted({key for each in facts["trials"] for key in each["settings"]})


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
