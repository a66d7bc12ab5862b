"""What `inspect` found in a file -> a terminal's screen, legible at 80 columns, without colour and in a log."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from cnnlstm_cli.render.correlogram import correlogram
from cnnlstm_cli.render.messages import printable
from cnnlstm_cli.render.report import pairs, table

Facts = Mapping[str, Any]

MOST_TARGETS, MOST_NAMED = 16, 3  # shown: targets, gaps and outliers
MANY = 0.01  # of the rows: so many outliers are no slips but the way the series is
METRICS = ("mae", "rmse", "mase")
WIDEST = 100


def data_report(facts: Facts) -> list[RenderableType]:
    """What is in a file, what train would make of it and why, and how hard it is."""
    targets = facts["targets"]
    left_out = ", ".join(f"{name} ({why})" for name, why in facts["left_out"].items())
    return [
        pairs(
            {
                "data": facts["name"],
                "time": f"{', '.join(facts['time']) or 'row number'}, {facts['step']}",
                "from, to": f"{facts['first']} to {facts['last']}, {facts['rows']['used']:,} rows",
                **({"series": _series(facts)} if facts["id"] else {}),
                "mended": "; ".join(note.removeprefix("mended: ") for note in facts["notes"]) or "nothing",
                **({"gaps": gaps} if (gaps := _gaps(facts)) else {}),
                **({"covariates": told} if (told := _covariates(facts)) else {}),
                **({"left out": left_out} if left_out else {}),
                "outliers": "\n".join(_outliers(targets)) or "none",
            }
        ),
        _targets(targets[:MOST_TARGETS], many=facts["series"] > 1),
        *(Text(printable(line)) for line in _remarks(facts)),
        *_autocorrelation(targets, facts["season"]),
        Text("\ntrain would take", style="bold"),
        pairs(_choices(facts)),
        *_verdict(facts),
    ]


def _series(facts: Facts) -> str:
    each = facts["each_series"]
    fewest, most, constant = each["fewest_rows"], each["most_rows"], each["constant"]
    parts = [f"{facts['series']:,}, by {facts['id']}, of {fewest:,}{f' to {most:,}' if most > fewest else ''} rows"]
    if constant["count"]:
        verb = "changes" if constant["count"] == 1 else "change"
        parts.append(f"{constant['count']:,} never {verb} ({_some(constant['ids'], constant['count'])})")
    if lacking := each["lacking_most"]:
        parts.append("lacking most: " + ", ".join(f"{one['id']} ({one['missing']:,})" for one in lacking[:MOST_NAMED]))
    return "; ".join(parts)


def _some(names: Sequence[str], count: int) -> str:
    return ", ".join(names[:MOST_NAMED]) + (", ..." if count > MOST_NAMED else "")


def _covariates(facts: Facts) -> str:
    """By role: known temp, sky (3 categories); past visits."""
    by_role: dict[str, list[str]] = {}
    for each in facts["covariates"]:
        kinds = f" ({each['categories']} categories)" if each["categories"] else ""
        by_role.setdefault(each["role"], []).append(f"{each['name']}{kinds}")
    told = [f"{role} {', '.join(names)}" for role, names in by_role.items()]
    return "; ".join([*told, *([f"holidays of {facts['holidays']}"] if facts["holidays"] else [])])


def _gaps(facts: Facts) -> str:
    """The longest gaps between rows, and those that single targets have besides."""
    found = [("", facts["gaps"])] if facts["gaps"]["count"] else []
    found += [(f"{each['name']}: ", each["gaps"]) for each in facts["targets"] if each["gaps"]["count"]]
    told = [name + _longest(gaps) for name, gaps in found[:MOST_NAMED]]
    return "; ".join(told + [f"and in {len(found) - MOST_NAMED} more targets"] * (len(found) > MOST_NAMED))


def _longest(gaps: Facts) -> str:
    shown = gaps["longest"][:MOST_NAMED]
    spans = []
    for gap in shown:
        where = f"from {gap['at']} to {gap['to']}" if gap["rows"] > 1 else f"at {gap['at']}"
        spans.append(f"{_counted(gap['rows'], 'row')}{_of(gap)} {where}")
    return (f"{gaps['count']:,}, the longest: " if gaps["count"] > len(shown) else "") + "; ".join(spans)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _of(place: Facts) -> str:
    return f" of {place['id']}" if "id" in place else ""


def _targets(targets: Sequence[Facts], *, many: bool) -> Table:
    """A row a target; what none of them has is no column, nor what all lack alike, which is told as mended."""
    seasons = list(targets[0]["seasons"])
    missing = len({each["observed"] for each in targets}) > 1
    zeros = any(each["zeros"] for each in targets)
    header = [
        "target",
        *(["missing"] if missing else []),
        *(["zero"] if zeros else []),
        *("least", "median", "greatest"),
        *(f"season\n{season}" for season in seasons),
        *("trend", "wander" if many else "level", "outliers"),
    ]
    rows = [
        [
            each["name"],
            *([f"{each['filled'] + each['missing']:,}"] if missing else []),
            *([_share(each["zeros"])] if zeros else []),
            *(_number(each[key]) for key in ("least", "median", "greatest")),
            *(_strength(each["seasons"][season]) for season in seasons),
            _strength(each["trend"]["strength"]),
            _level(each["level"], many=many),
            f"{each['outliers']['count']:,}",
        ]
        for each in targets
    ]
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    for place, name in enumerate(header):
        made.add_column(name, justify="right" if place else "left", overflow="fold", no_wrap=place > 0)
    for row in rows:
        made.add_row(*(Text(printable(cell)) for cell in row))
    return made


def _number(number: float) -> str:
    """To four digits, or all those of a whole number that has up to nine."""
    return f"{number:,.0f}" if 1e4 <= abs(number) < 1e9 else f"{number:,.4g}"


def _share(share: float) -> str:
    return "" if share == 0 else "<1 %" if share < 0.01 else f"{100 * share:.0f} %"


def _strength(strength: float | None) -> str:
    return "-" if strength is None else f"{strength:.2f}"


def _level(level: Facts, *, many: bool) -> str:
    if level["is"] is None:
        return "-"
    return f"{100 * level['wandering']:.0f} %" if many else str(level["is"]).removesuffix(" wanders")


def _remarks(facts: Facts) -> Iterator[str]:
    """What the numbers of the table are."""
    targets, looked = facts["targets"], facts["looked_at"]
    if len(targets) > MOST_TARGETS:
        yield f"and {len(targets) - MOST_TARGETS:,} more targets, which --json tells."
    wander = "wander: series whose level does" if facts["series"] > 1 else "level: whether it wanders"
    yield f"season, trend: strength, 0 to 1. {wander}, by a KPSS test."
    if looked["rows"] < facts["rows"]["used"]:
        of = f" of {looked['series']:,} series" if looked["series"] > 1 else ""
        yield f"From season to outliers, and below: of the newest {looked['rows']:,} rows{of}."


def _outliers(targets: Sequence[Facts]) -> Iterator[str]:
    """The farthest, a line each, and which targets have too many."""
    found = {each["name"]: each["outliers"] for each in targets if each["outliers"]["count"]}
    heavy = [name for name, outliers in found.items() if outliers["count"] > MANY * outliers["of"]]
    farthest = [(name, one) for name in found if name not in heavy for one in found[name]["farthest"]]
    farthest.sort(key=lambda pair: -abs(pair[1]["deviations"]))
    for name, one in farthest[:MOST_NAMED]:
        off = f"{abs(one['deviations']):.1f} deviations too {'high' if one['deviations'] > 0 else 'low'}"
        yield f"{name}{_of(one)} at {one['at']}: {one['value']:,.6g}, {off}"
    if heavy:
        yield f"many in {_some(heavy, len(heavy))}: heavy tails, or events that come again"


def _autocorrelation(targets: Sequence[Facts], seasons: Sequence[int]) -> Iterator[Text]:
    """The correlogram of the most seasonal target."""
    season = min(seasons, default=None)
    shown = max(targets, key=lambda each: each["seasons"].get(str(season)) or 0)
    found = shown["autocorrelation"]
    if len(found["lags"]) < 2:
        return
    width = min(WIDEST, max(40, shutil.get_terminal_size().columns))
    yield Text(
        printable(
            f"\nautocorrelation of {shown['name']}, 1 to {found['lags'][-1]:,} rows apart "
            f"(noise: within ±{found['band']:.2g})"
        )
    )
    try:
        yield Text(correlogram(found["lags"], found["values"], season, width))
    except ModuleNotFoundError:
        yield Text("(left out: the plot needs plotext, which is not installed)")


def _choices(facts: Facts) -> dict[str, str]:
    """What train would choose, and why."""
    why, rows, width = facts["reasons"], facts["rows"], facts["width"]
    chosen = {
        "season": ", ".join(map(str, facts["season"])) or "none",
        "horizon": _counted(facts["horizon"], "step"),
        "lookback": _counted(facts["lookback"], "row"),
        "validation": f"{rows['validation']:,} rows of {rows['used']:,}",
        "width": f"{width['filters']} filters, {width['units']} units",
    }
    return {name: f"{value}: {why[name]}" for name, value in chosen.items()}


def _verdict(facts: Facts) -> list[RenderableType]:
    if not facts["trainable"]:
        return [Text(printable(f"Not enough to train on: {facts['why_not']}"), style="bold red")]
    rows = [[name, *(_score(each[key]) for key in METRICS)] for name, each in facts["baselines"].items()]
    unit = "mae and rmse in standard deviations of the rows trained on."
    return [table(["on the validation rows", *METRICS], rows), Text(f"{unit}\n{facts['difficulty'] or ''}".rstrip())]


def _score(number: float) -> str:
    return f"{number:.4f}" if math.isfinite(number) else "-"
