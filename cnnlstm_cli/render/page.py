"""Facts -> one HTML page that stands alone: it opens from disk, asks for no network, and runs no script."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from cnnlstm_cli import __version__
from cnnlstm_cli.render.markup import text
from cnnlstm_cli.render.report import verdict
from cnnlstm_cli.render.sections import SECTIONS, Known
from cnnlstm_cli.series.frequency import Frequency

Facts = Mapping[str, Any]

MOST_NAMED = 3


def page(run: Facts, diagnosis: Facts | None = None, explanation: Facts | None = None) -> str:
    """The page of a run, the same for the same facts.

    run          of `inspection.inspect_run`
    diagnosis    of `diagnosis.Diagnosis.facts`; without it the page tells what the run itself holds
    explanation  of `explanation.Explanation.facts`; what the network looks at
    """
    known = Known(run, diagnosis, explanation)
    made = [section for section in (make(known) for make in SECTIONS) if section]
    links = "".join(f'<li><a href="#{each.name}">{text(each.heading)}</a></li>' for each in made)
    body = "".join(
        f'<section id="{each.name}" aria-labelledby="{each.name}-heading">'
        f'<h2 id="{each.name}-heading">{text(each.heading)}</h2>{each.content}</section>'
        for each in made
    )
    style = files("cnnlstm_cli.render").joinpath("page.css").read_text(encoding="utf-8")
    title = f"Forecast of {_named(run['targets'])}"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; img-src data:\">"
        f"<title>{text(title)} - cnnlstm</title><style>{style}</style></head><body>"
        f"<header><p class=eyebrow>{text(run['run'])}</p><h1>{text(title)}</h1>"
        f"<p class=lead>{text(_about(run))}</p><p class=verdict>{text(_verdict(run))}</p>"
        f"<nav aria-label=Contents><ul>{links}</ul></nav></header><main>{body}</main>"
        f"<footer>cnnlstm {text(__version__)}, version {text(run['version'])}, trained {text(run['created'])}</footer>"
        "</body></html>\n"
    )


def _named(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _verdict(run: Facts) -> str:
    said = verdict(run["skill"])
    return said if run["skill"]["percent"] is None else f"{said.removesuffix('.')} on the validation rows."


def _about(run: Facts) -> str:
    step, series = str(Frequency(run["frequency"])), run["data"]["series"]
    many = f", of {series:,} series" if series > 1 else ""
    ahead = f"{run['horizon']} steps ahead from the last {run['lookback']} rows{many}"
    return f"{step[0].upper()}{step[1:]}, {ahead}. Trained on rows up to {run['data']['last']}."
