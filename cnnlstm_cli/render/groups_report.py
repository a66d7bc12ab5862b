"""Many runs on a terminal and as CSV: how the training of each group went, the worst first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.text import Text

from cnnlstm_cli.render.messages import MOST, failures, printable
from cnnlstm_cli.render.report import counts, table

if TYPE_CHECKING:
    from cnnlstm_cli.groups_training import Groupwise

Facts = Mapping[str, Any]

COLUMNS = ("group", "version", "mae", "mase", "against", "percent", "why", "failed")
LONG = 600  # seconds, and more are told in minutes


def groups_rows(facts: Facts) -> Iterator[list[Any]]:
    """A header, then a row a group in the order of the file."""
    yield list(COLUMNS)
    for each in facts["groups"]:
        yield ["" if each[name] is None else each[name] for name in COLUMNS]


def groups_report(facts: Facts) -> list[RenderableType]:
    """How many there are; those that did worst beside their baselines; those that failed."""
    scored = [each for each in facts["groups"] if each["percent"] is not None]
    scored.sort(key=lambda each: float(each["percent"]))
    behind = sum(each["percent"] < 0 for each in scored)
    rows = [
        [
            printable(each["group"]),
            f"{each['mae']:.4f}",
            f"{each['mase']:.3f}",
            f"{each['percent']:.1f} %",
            each["against"],
        ]
        for each in scored[:MOST]
    ]
    lines: list[RenderableType] = [Text(line) for line in groups_lines(facts)]
    if rows:
        lines += [table(["group", "mae", "mase", "skill", "against"], rows)]
        lines += [
            Text(
                f"Shown: the {len(rows)} with the least skill, which is how much less error than the best baseline on "
                f"the validation rows; {behind:,} of {len(scored):,} are behind it. --json tells all."
            )
        ]
    return lines


def groups_lines(facts: Facts) -> Iterator[str]:
    """How many groups there are, and what was wrong with those that failed."""
    count = len(facts["groups"])
    yield f"{facts['run']}: a run for each {facts['per']}, {facts['served']:,} of {count:,} published"
    if not facts["complete"]:
        yield "the last training was cut off; the same command goes on with it"
    yield from failures({each["group"]: each["failed"] for each in facts["groups"] if each["failed"]}, count)


def trained_lines(made: Groupwise, facts: Facts) -> Iterator[str]:
    """What came of a training of many, what was mended, and where a baseline does better."""
    if made.mended:
        yield f"mended, in all groups: {counts(made.mended)}"
    now = [each for each in facts["groups"] if each["group"] in made.trained and each["percent"] is not None]
    behind = sorted((each for each in now if each["percent"] < 0), key=lambda each: float(each["percent"]))
    yield _trained(made, facts["per"])
    if behind:
        most = behind[0]
        yield (
            f"note: of {len(behind):,} of {len(now):,} groups a baseline forecasts the validation rows better than the "
            f"model, most clearly of {printable(most['group'])} ({most['against']}, by {-most['percent']:.0f} %): "
            f"cnnlstm inspect {made.path} tells all"
        )


def _trained(made: Groupwise, per: str) -> str:
    entries = [made.index["groups"][name] for name in made.trained]
    took = f"{made.seconds / 60:.1f} min" if made.seconds >= LONG else f"{made.seconds:.0f} s"
    same = sum(not (each["published"] or each["failed"]) for each in entries)
    stay = f"; {same:,} stay as they were" if same else ""
    new = sum(each["published"] for each in entries)
    return f"published: {new:,} of {len(entries):,} groups by {per}, in {took}: {made.path}{stay}"
