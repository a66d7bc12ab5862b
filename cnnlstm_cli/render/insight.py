"""The page's section on what the networks look at: `Explanation.facts()` in sentences, figures and tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cnnlstm_cli.render import figures
from cnnlstm_cli.render.explain_report import PART, agreed, verdicts
from cnnlstm_cli.render.markup import Section, figure, folded, grid, sentences, table

Facts = Mapping[str, Any]


def insight(found: Facts) -> Section:
    """Hiding rows beside the gradient for them, then network by network."""
    hidden, lookback = found["occlusion"], found["lookback"]
    spans = [f"{lookback - end + 1} to {lookback - first}" for first, end in hidden["segments"]]
    lines = [f"Seen over {found['windows']:,} windows of {found['data']}."]
    lines += [agreed(hidden["agreement"])] if hidden["gradient"] else ["No network is in what is published."]
    columns = {"rows back": spans, "the forecast moves": hidden["moved"], "the error grows": hidden["grows"]}
    columns |= {"gradient": hidden["gradient"]} if hidden["gradient"] else {}
    numbers = table("Rows hidden, oldest first", [*columns], list(zip(*columns.values(), strict=True)))
    caption = "How far the forecast moves when rows are hidden"
    bars = {"labels": [str(lookback - first) for first, _ in hidden["segments"]], "mae": {"moved": hidden["moved"]}}
    drawn = figures.bars(bars, "occlusion", caption)
    note = (
        "By the row back they begin at, oldest first; in deviations. Each gives way to the same rows of other windows."
    )
    parts = [sentences(lines), grid(figure(caption, drawn, numbers, {}, note))]
    for place, member in enumerate(found["members"], start=1):
        parts += _member(place, len(found["members"]), lookback, member)
    return Section("explanation", "What it looks at", "".join(parts))


def _member(place: int, count: int, lookback: int, member: Facts) -> Iterator[str]:
    yield f"<h3>Network {place} of {count}</h3>"
    yield sentences(list(verdicts(lookback, member)))
    curves, name = [], f"network{place}"
    for key, caption, note in (
        ("rows", "Gradient for the rows", "Of the forecast, for each row of the lookback; the newest is -1."),
        (
            "fed",
            "Gradient for the steps",
            "Of the forecast, for what each step of the recurrence is fed; the newest is -1.",
        ),
    ):
        sizes = member[key]["curve"]
        back = list(range(len(sizes), 0, -1))
        by = {"labels": [-each for each in back], "mae": {"gradient": sizes}}
        numbers = table(caption, ["back", "gradient"], list(zip(map(str, back), sizes, strict=True)))
        curves.append(figure(caption, figures.lines(by, f"{name}-{key}", caption), numbers, {}, note))
    for way in member["ways"]:
        caption = f"Gradient for the memory, step by unit{'' if len(member['ways']) == 1 else ', ' + way['direction']}"
        note = "Of the loss. The strongest unit is on the left; deeper is larger, by powers of ten."
        drawn = figures.heat(way["map"], f"{name}-heat-{way['direction']}", caption)
        rows = [[str(k), sum(row) / len(row), max(row)] for k, row in enumerate(reversed(way["map"]), start=1)]
        numbers = table(caption, ["steps back", "mean over units", "largest"], rows[::-1])
        curves.append(figure(caption, drawn, numbers, {}, note))
    yield grid(*curves)
    shares = [[PART[part], 100 * each["share"], each["size"]] for part, each in member["parts"].items()]
    caption = (
        "What carries the forecast, on the scale of its window. Size: how far a part alone moves it, on average. "
        "Share: how much of the forecast's square comes of it, below 0 where it works against the others"
    )
    yield table(caption, ["part", "share, %", "mean size"], shares)
    yield folded("Gates, activations and squeeze-excite", _health(member))


def _health(member: Facts) -> str:
    gates = [
        [name, way["direction"], 100 * gate["shut"], 100 * gate["open"]]
        for way in member["ways"]
        for name, gate in way["gates"].items()
    ]
    layers = [
        [name, each["function"], each["mean"], each["variance"], each["self-normalising"]]
        for name, each in member["activations"].items()
    ]
    excite = [
        [name, min(each["mean"]), max(each["mean"]), sum(each["deviation"]) / len(each["deviation"])]
        for name, each in member["excite"].items()
    ]
    made = (
        ("Gates", ["gate", "reads", "below .1, %", "above .9, %"], gates),
        ("Activations", ["after", "function", "mean", "variance", "self-normalising"], layers),
        ("Gates of squeeze-excite, by filter", ["block", "least", "greatest", "vary by"], excite),
    )
    return "".join(table(*each) for each in made if each[2])
