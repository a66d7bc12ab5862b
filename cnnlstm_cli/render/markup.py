"""The pieces that the page is made of: tables, figures and lists as HTML. Whatever is text to them they escape."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Cell = Any  # a text, a number, or None for nothing


@dataclass(frozen=True)
class Html:
    """Markup, as it is to stand in the page; everything else is text and is escaped."""

    markup: str


@dataclass(frozen=True)
class Section:
    """A part of the page: what it is called, the text of its address in the page, and its content."""

    name: str
    heading: str
    content: str


def text(value: object) -> str:
    """Text to stand in HTML, also in an attribute; characters that can't be seen are shown by their number."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(value))
    return html.escape(shown)


def number(value: float | None, digits: int = 4) -> str:
    """So many significant digits, a whole number whole, thousands marked; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "-"
    if value and not 1e-4 <= abs(value) < 1e9:
        return f"{value:.{digits - 1}e}"
    if value == round(value):
        return f"{value:,.0f}"
    return f"{value:,.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"


def table(caption: str, header: Sequence[str | Html], rows: Sequence[Sequence[Cell]], shown: bool = True) -> str:
    """A table whose first column names its rows; numbers stand to the right, with four digits.

    shown  whether the caption is to be seen, or is there for who can't see the table
    """
    hidden = "" if shown else ' class="unseen"'
    head = "".join(f'<th scope="col"{_side(k, rows)}>{_content(name)}</th>' for k, name in enumerate(header))
    body = "".join(f"<tr>{''.join(_cell(k, cell) for k, cell in enumerate(row))}</tr>" for row in rows)
    return (
        f'<div class="scroll" role="region" aria-label="{text(caption)}" tabindex="0"><table>'
        f"<caption{hidden}>{text(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _side(column: int, rows: Sequence[Sequence[Cell]]) -> str:
    cells = [row[column] for row in rows if column < len(row)]
    numbers = any(isinstance(cell, (int, float)) for cell in cells)
    return ' class="number"' if numbers and not any(isinstance(cell, str) for cell in cells) else ""


def _cell(column: int, cell: Cell) -> str:
    if isinstance(cell, bool) or cell is None:
        cell = {True: "yes", False: "no", None: ""}[cell]
    if isinstance(cell, (int, float)):
        content = f"{cell:,}" if isinstance(cell, int) else number(cell)
        side = ' class="number"'
    else:
        content, side = _content(cell), ""
    return f'<th scope="row"{side}>{content}</th>' if column == 0 else f"<td{side}>{content}</td>"


def _content(value: object) -> str:
    return value.markup if isinstance(value, Html) else text(value)


def unseen(name: str) -> Html:
    """Text for who can't see what stands below it."""
    return Html(f'<span class="unseen">{text(name)}</span>')


def bar(share: float, role: str) -> Html:
    """A bar of that share, 0 to 1, of its cell, in the colour of a role: model, first, quiet."""
    return Html(f'<span class="bar {role}" style="width:{100 * share:.1f}%"></span>')


def pairs(facts: Mapping[str, object]) -> str:
    """Names and what they stand for, one below the other; what is empty is left out."""
    rows = "".join(
        f"<div><dt>{text(name)}</dt><dd>{_content(value)}</dd></div>"
        for name, value in facts.items()
        if value not in (None, "", [])
    )
    return f'<dl class="pairs">{rows}</dl>'


def tiles(facts: Sequence[tuple[str, str, str]]) -> str:
    """Large numbers: what each is, the number, and what it means."""
    return (
        '<dl class="tiles">'
        + "".join(
            f"<div><dt>{text(name)}</dt><dd><b>{text(value)}</b><span>{text(meaning)}</span></dd></div>"
            for name, value, meaning in facts
        )
        + "</dl>"
    )


def figure(
    caption: str, drawings: str, numbers: str = "", legend: Mapping[str, str] | None = None, note: str = ""
) -> str:
    """A drawing, SVG as it is, with its caption, what its colours mean {name: role}, and its numbers as a table."""
    named = "".join(f'<li><span class="key {role}"></span>{text(name)}</li>' for name, role in (legend or {}).items())
    return (
        f"<figure><figcaption><strong>{text(caption)}</strong>{f'<p>{text(note)}</p>' if note else ''}"
        f"{f'<ul class=legend>{named}</ul>' if named else ''}</figcaption>{drawings}"
        f"{folded('Numbers', numbers) if numbers else ''}</figure>"
    )


def folded(name: str, content: str) -> str:
    """Content that is shown when its name is clicked."""
    return f"<details><summary>{text(name)}</summary>{content}</details>"


def grid(*parts: str) -> str:
    """Parts side by side, as far as the page is wide; none where there are none."""
    kept = [part for part in parts if part]
    return f'<div class="grid">{"".join(kept)}</div>' if kept else ""


def sentences(lines: Sequence[str], kind: str = "notes") -> str:
    """Sentences, one a line, as notes or as warnings."""
    shown = "".join(f"<li>{text(line)}</li>" for line in dict.fromkeys(lines))
    return f'<ul class="{kind}">{shown}</ul>' if shown else ""
