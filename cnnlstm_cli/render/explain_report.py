"""What `explain` found -> a terminal's pictures and sentences, legible at 80 columns, without colour and in a log."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from cnnlstm_cli.render.messages import enumerated, printable, simpler

Facts = Mapping[str, Any]

BARS = "▁▂▃▄▅▆▇█"
SHADES = " ░▒▓█"
DARKER = (0.001, 0.01, 0.05, 0.3)  # of the largest, from which on a shade is used: gradients fall by factors
WIDTH = 60  # of a curve
LONGEST = 16  # of a bar in the list of segments
NAMED = 8  # units told by number; of more, how many there are
WEAK = 0.1  # a filter whose gate stays below hardly counts
PART = {"skip": "linear skip", "network": "network", "calendar": "calendar head"}
FLOW = {
    "carries": "it carries",
    "fades": "it fades",
    "vanishes": "it VANISHES",
    "explodes": "it EXPLODES",
    "none": "there is none",
}


def explain_report(facts: Facts) -> list[RenderableType]:
    """What hiding rows does, beside the gradient's; then network by network."""
    simple, count = enumerated([simpler(name) for name in facts["simple"]]), len(facts["members"])
    beside = f", averaged with {simple}, which gradients don't cover" if simple else ""
    networks = f"{count} network{'' if count == 1 else 's'}{beside}" if count else f"no network, but {simple}"
    parts: list[RenderableType] = [
        Text(
            printable(
                f"{facts['run']}, version {facts['version']}: {networks}. Seen over {facts['windows']:,} windows of "
                f"{facts['data']}, {facts['lookback']} rows back and {facts['horizon']} steps ahead."
            )
        ),
        *_occlusion(facts),
    ]
    for number, member in enumerate(facts["members"], start=1):
        parts += [Text(f"\nnetwork {number} of {count}, seed {member['seed']}", style="bold"), *_member(facts, member)]
    return parts


def _occlusion(facts: Facts) -> Iterator[RenderableType]:
    """A line a segment, newest first: how far the forecast moves when it is hidden, and the gradient for its rows."""
    found, lookback = facts["occlusion"], facts["lookback"]
    moved, gradient, grows = found["moved"], found["gradient"], found["grows"]

    def span(place: int) -> str:
        first, end = found["segments"][place]
        return f"{lookback - end + 1}-{lookback - first}"

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("rows back", "hidden, the forecast moves", "error", *(["its gradient"] if gradient else [])):
        table.add_column(name, justify="right" if name == "error" else "left")
    for place in reversed(range(len(moved))):
        growth = f"{100 * grows[place]:+.1f} %"
        told = [f"{each[place]:<6.3g} {_bar(each[place], max(each))}" for each in (moved, gradient) if each]
        table.add_row(span(place), told[0], growth, *told[1:])
    yield table
    first = sorted(range(len(moved)), key=lambda place: -moved[place])[:3]
    yield Text(f"Hidden, these move the forecast most: rows {', '.join(map(span, first))} back.")
    if gradient:
        yield Text(agreed(found["agreement"]))


def agreed(rank: float | None) -> str:
    """Whether gradients and occlusion point at the same segments, in words."""
    if rank is None:
        return "Too few segments to say whether gradients and hiding rows point at the same ones."
    same = "point at the same segments" if rank >= 0.7 else "agree in part" if rank >= 0.3 else "DISAGREE"
    less = "" if rank >= 0.3 else ": trust what hiding rows says, gradients see small changes alone"
    return f"Gradients and hiding rows {same} (rank correlation {rank:.2f}){less}."


def _member(facts: Facts, member: Facts) -> Iterator[RenderableType]:
    for line in verdicts(facts["lookback"], member):
        yield Text(line)
    yield Text()
    yield Text(f"{'rows':>9} {_bars(member['rows']['curve'])}\n{'steps':>9} {_bars(member['fed']['curve'])}")
    yield Text("          the forecast's gradient for each, oldest to newest")
    for way in member["ways"]:
        yield Text("\n".join(_map(member, way)))
    for title, header, rows in (_parts(member), _gates(member), _activations(member)):
        yield _table([title, *header], rows)
    for number, gates in enumerate(member["excite"].values(), start=1):
        yield Text("\n".join(_excite(number, gates)))
    joint = facts["targets"] if member["joint"] else []
    yield Text(printable("\n".join(_filters(member["filters"], joint))))


def verdicts(lookback: int, member: Facts) -> Iterator[str]:
    """What is to be said of a network, a sentence each."""
    rows, fed, steps = member["rows"], member["fed"], member["steps"]
    yield (
        f"Rows: half of the forecast's gradient comes from the newest {rows['half']} of {lookback}, 90 % from the "
        f"newest {rows['reach']}."
    )
    yield (
        f"Recurrence: of what it is fed, 90 % comes from the newest {fed['reach']} of {steps} steps, which are "
        f"{member['rows a step']} rows apart."
    )
    for way in member["ways"]:
        state = f"; for the state c {_flow(way['state'])}" if way["state"] else ""
        memory = f"for the memory h {_flow(way['memory'])}"
        yield f"The loss's gradient, back through the steps{_side(member, way)}: {memory}{state}."
        idle = "; ".join(_units(way)) or f"none of {way['units']} is dead, no gate is stuck"
        yield f"Units{_side(member, way)}: {idle}."
    yield f"Forecast: {_carried(member['parts'])}."
    selu = {
        name: each["self-normalising"] for name, each in member["activations"].items() if each["function"] == "selu"
    }
    if selu:
        out = ", ".join(name for name, inside in selu.items() if not inside)
        yield f"SELU: {f'does not normalise itself in {out}' if out else 'normalises itself'}."


def _flow(back: Facts) -> str:
    ratio = "" if back["ratio"] is None else f", {100 * back['ratio']:.2g} % of the last step's reaches the first"
    return f"{FLOW[back['flow']]}{ratio}"


def _side(member: Facts, way: Facts) -> str:
    """Which way of reading is meant, where there are two."""
    return f", {way['direction']}" if len(member["ways"]) > 1 else ""


def _units(way: Facts) -> Iterator[str]:
    """Units that do nothing, and gates that are stuck."""
    if way["dead"]:
        yield f"{_numbers(way['dead'])} of {way['units']} dead, always near zero"
    for name, gate in way["gates"].items():
        for stuck in ("always open", "always shut"):
            if gate[stuck]:
                yield f"{name} gate {stuck} in {_numbers(gate[stuck])} of {way['units']}"


def _numbers(units: Sequence[int]) -> str:
    """Units by number; many of them by how many they are."""
    if len(units) > NAMED:
        return f"{len(units)} units"
    return f"unit{'' if len(units) == 1 else 's'} {', '.join(map(str, units))}"


def _carried(parts: Facts) -> str:
    shares = sorted(((part["share"], name) for name, part in parts.items()), reverse=True)
    return ", ".join(f"{100 * share:.0f} % by the {PART[name]}" for share, name in shares)


def _map(member: Facts, way: Facts) -> Iterator[str]:
    """Steps by units, the newest step last."""
    sizes, steps = way["map"], member["steps"]
    largest = max(map(max, sizes)) or 1.0
    yield f"   steps x units: the loss's gradient for the memory after each step{_side(member, way)}"
    for place, row in enumerate(sizes):
        back = steps - place * steps // len(sizes)
        shades = "".join(SHADES[sum(size >= share * largest for share in DARKER)] for size in row)
        yield f"{'newest' if back == 1 else f'-{back - 1}':>9} {shades.rstrip()}"
    shown = ", ".join(f"{shade} {100 * share:g} %" for shade, share in zip(SHADES[1:], DARKER, strict=True))
    yield f"          strongest unit first; {shown} of the largest"


def _parts(member: Facts) -> tuple[str, list[str], list[list[str]]]:
    most = max(max(part["steps"]) for part in member["parts"].values())
    rows = [
        [PART[name], f"{100 * part['share']:.1f} %", f"{part['size']:.3f}", _bars(part["steps"], high=most, width=24)]
        for name, part in member["parts"].items()
    ]
    return "forecast, by", ["share", "size", "share, step by step"], rows


def _gates(member: Facts) -> tuple[str, list[str], list[list[str]]]:
    rows = [
        [f"{name}{_side(member, way)}", f"{100 * gate['shut']:.1f} %", f"{100 * gate['open']:.1f} %"]
        for way in member["ways"]
        for name, gate in way["gates"].items()
    ]
    return "gate", ["shut, below .1", "open, above .9"], rows


def _activations(member: Facts) -> tuple[str, list[str], list[list[str]]]:
    said = {True: "yes", False: "no", None: ""}
    rows = [
        [name, each["function"], f"{each['mean']:.3f}", f"{each['variance']:.3f}", said[each["self-normalising"]]]
        for name, each in member["activations"].items()
    ]
    return "activation after", ["", "mean", "variance", "self-normalising"], rows


def _excite(number: int, gates: Facts) -> Iterator[str]:
    """A block's gates, filter by filter."""
    mean, deviation = gates["mean"], gates["deviation"]
    weak = sum(gate < WEAK for gate in mean)
    yield (
        f"Squeeze-excite, block {number}: gates of {min(mean):.2f} to {max(mean):.2f} by filter, {weak} of {len(mean)} "
        f"below {WEAK}; from window to window they vary by {sum(deviation) / len(deviation):.2f}."
    )
    yield f"{'mean':>9} {_bars(mean, low=0.0, high=1.0)}"
    yield f"{'varies':>9} {_bars(deviation, low=0.0, high=1.0)}"


def _filters(filters: Sequence[Facts], targets: Sequence[str]) -> Iterator[str]:
    """The kernels of the weightiest filters; zero is half-way up."""
    yield "Convolution: the kernels of the filters that weigh most, oldest row first, zero is half-way up"
    for each in filters:
        most = max(map(abs, each["kernel"]))
        name = f" {targets[each['channel']]}" if targets else ""
        yield f"{'filter ' + str(each['filter']):>9} {_bars(each['kernel'], low=-most, high=most)}{name}"


def _bars(values: Sequence[float], low: float = 0.0, high: float | None = None, width: int = WIDTH) -> str:
    """At most `width` bars, each the mean of its share of the values, from `low` to `high`, or to the largest."""
    count = min(width, len(values))
    edges = [place * len(values) // count for place in range(count + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in itertools.pairwise(edges)]
    span = (max(means) if high is None else high) - low
    return "".join(BARS[_level(mean - low, span)] for mean in means)


def _level(height: float, span: float) -> int:
    return min(max(round(height / span * (len(BARS) - 1)), 0), len(BARS) - 1) if span > 0 else 0


def _bar(value: float, largest: float) -> str:
    return "█" * round(LONGEST * value / largest) if largest > 0 else ""


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(header):
        table.add_column(name, justify="right" if place else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    return table
