"""The page's sections, each made of what is known: of the run, of a diagnosis, of an explanation; None of nothing.

One more is one more function and one more line in `SECTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnnlstm_cli.inspection import skill
from cnnlstm_cli.render import figures
from cnnlstm_cli.render.insight import insight
from cnnlstm_cli.render.markup import Section, bar, figure, folded, grid, number, pairs, sentences, table, tiles, unseen
from cnnlstm_cli.render.report import averaged, limited
from cnnlstm_cli.render.run_report import warnings
from cnnlstm_cli.series.frequency import Frequency
from cnnlstm_cli.specs import unset

Facts = Mapping[str, Any]

DEVIATIONS = "standard deviations of the rows trained on"
ROLES = ("model", "first", "second")  # of the model and of the best baselines
WINDOW = {"before": "quiet", "what came": "ink", "forecast": "model"}


@dataclass(frozen=True)
class Known:
    """What a page is made of: facts of `inspection.inspect_run`, `Diagnosis.facts()` and `Explanation.facts()`."""

    run: Facts
    diagnosis: Facts | None = None
    explanation: Facts | None = None


def summary(known: Known) -> Section:
    """How well it forecasts, beside the baselines, and what to beware of."""
    run, found = known.run, known.diagnosis
    said = [line[0].upper() + line[1:] for line in warnings(run)]
    said += found["remarks"] if found else []
    scores = [_scores("On the validation rows, which it was chosen by", run["validation"], DEVIATIONS)]
    if found:
        caption = f"On {found['data']}, from {found['first']} to {found['last']}"
        scores.insert(0, _scores(caption, found["scores"], found["unit"]))
    content = tiles(list(_headline(run, found))) + sentences(said, "warnings") + grid(*scores)
    return Section("summary", "How well it forecasts", content + (sentences(found["notes"]) if found else ""))


def _headline(run: Facts, found: Facts | None) -> Iterator[tuple[str, str, str]]:
    """The numbers to remember: of rows that the version has not seen, or else of the validation rows."""
    where, scores, unit = "on the validation rows", run["validation"], "deviations"
    mae = scores["model"]["mae"]
    if found and found["unseen"]:
        where, scores, unit = "on rows it has not seen", found["scores"], found["unit"]
        mae, unit = scores["model"]["mae"], "deviations" if unit == DEVIATIONS else unit
    elif run["data"]["series"] == 1 and len(run["targets"]) == 1:
        unit, mae = run["targets"][0], run["error_by_target"][run["targets"][0]]
    against = skill({name: each for name, each in scores.items() if each["mae"] is not None})
    if against["percent"] is not None:
        less = "less" if against["percent"] >= 0 else "more"
        yield f"{less.capitalize()} error than {against['against']}", f"{abs(against['percent']):.1f} %", where
    yield "Mean absolute error", number(mae, 3), f"{unit}, {where}"
    yield "Scaled error (MASE)", number(scores["model"]["mase"], 3), f"1 is the seasonal naive's; {where}"
    for level, each in list(found["coverage"].items())[:1] if found else ():
        told = "of what came" if found and found["unseen"] else "of what came, on rows it has seen"
        yield f"In {level} % intervals", f"{each['seen']:.1f} %", told


def _scores(caption: str, scores: Mapping[str, Facts], unit: str) -> str:
    """The model and the baselines, side by side."""
    most = max(each["mae"] or 0 for each in scores.values()) or 1
    metrics = ("mae", "rmse", "mase")
    roles = {name: "model" if name == "model" else "quiet" for name in scores}
    rows = [
        [name, *(each[metric] for metric in metrics), bar((each["mae"] or 0) / most, roles[name])]
        for name, each in scores.items()
    ]
    header = ("forecaster", "MAE", "RMSE", "MASE", unseen("MAE as a bar"))
    return table(f"{caption}. MAE and RMSE in {unit}.", header, rows)


def newest(known: Known) -> Section | None:
    """The last whole window, with intervals, beside what came."""
    if not (found := known.diagnosis):
        return None
    window = found["newest"]
    levels = list(window["ends"])
    legend = WINDOW | {f"{level} % interval": f"band{place}" for place, level in enumerate(levels)}
    ahead = window["stamps"][len(window["history"]) :]
    ends = [side for pair in window["ends"].values() for side in pair]
    header = ["time", "came", "forecast", *(f"{side} {level} %" for level in levels for side in ("from", "to"))]
    numbers = table(
        "Forecast and what came", header, list(zip(ahead, window["actual"], window["forecast"], *ends, strict=True))
    )
    title = f"{_of(window, found)} from {ahead[0]} to {ahead[-1]}: forecast, intervals and what came"
    drawn = _both_widths(figures.forecast, window, "newest", title)
    first = ", of the first of them" if _several(found) else ""
    note = f"The last whole window that there is{first}, forecast from the rows before it alone."
    caption = f"{_of(window, found)}, forecast from {window['origin']}"
    return Section("forecast", "A forecast and what came", figure(caption, drawn, numbers, legend, note))


def _both_widths(draw: Callable[..., str], facts: Facts, name: str, title: str) -> str:
    """A drawing for wide pages and one for narrow ones, of which the page shows one."""
    wide, narrow = (draw(facts, f"{name}-{size[0]}", title, size) for size in (figures.WIDE, figures.NARROW))
    return f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>'


def _of(window: Facts, found: Facts) -> str:
    """Which target and series, where there are several."""
    series = f", {window['id']}" if found["series"] > 1 else ""
    return f"{window['target']}{series}"


def errors(known: Known) -> Section | None:
    """Where the error is large: by step, hour, weekday, target and series."""
    if not (found := known.diagnosis):
        by_target = known.run["error_by_target"]
        caption = "Mean absolute error on the validation rows, each in its own unit"
        shown = table(caption, ["target", "MAE"], list(by_target.items())) if len(by_target) > 1 else ""
        return Section("errors", "Where it errs", shown) if shown else None
    parts = [
        _by(found, "steps", "By step ahead", figures.lines, "step"),
        _by(found, "hours", "By hour of the day", figures.bars, "hour"),
        _by(found, "weekdays", "By weekday", figures.bars, "weekday"),
        *(_by_part(found, part, each) for part, each in found["parts"].items()),
    ]
    return Section("errors", "Where it errs", grid(*parts))


def _by(found: Facts, name: str, caption: str, draw: Callable[..., str], label: str) -> str:
    by = found[name]
    if not by:
        return ""
    known = [(error, place) for error, place in zip(by["mae"]["model"], by["labels"], strict=True) if error is not None]
    (least, where), (most, there) = min(known, key=lambda pair: pair[0]), max(known, key=lambda pair: pair[0])
    title = f"Mean absolute error {caption.lower()}: least {number(least)} ({where}), most {number(most)} ({there})"
    rows = list(zip(map(str, by["labels"]), *by["mae"].values(), by["count"], strict=True))
    numbers = table(f"Mean absolute error {caption.lower()}", [label, *by["mae"], "values"], rows)
    legend = dict(zip(by["mae"], ROLES, strict=False))
    return figure(caption, draw(by, name, title), numbers, legend, f"Mean absolute error, {found['unit']}")


def _by_part(found: Facts, part: str, each: Mapping[str, Facts]) -> str:
    """A table of targets, or of series."""
    names = ["model", *(name for name in found["beside"][:1])]
    if part == "target":
        rows = [
            [key, *(scores[name]["mae"] for name in names), scores["model"]["mase"]] for key, scores in each.items()
        ]
        return table("Mean absolute error by target, each in its own unit", ["target", *names, "MASE"], rows)
    rows = [[key, *(scores[name]["mae"] for name in names)] for key, scores in each.items()]
    caption = f"Series with the largest errors, of {found['series']:,}; MAE in deviations"
    return table(caption, ["series", *names], rows)


def residuals(known: Known) -> Section | None:
    """How errors are distributed, and whether they repeat."""
    if not (found := known.diagnosis):
        return None
    each = found["residuals"]
    edges, total = each["edges"], sum(each["counts"])
    rows = [[f"{number(a)} to {number(b)}", n] for a, b, n in zip(edges, edges[1:], each["counts"], strict=False)]
    title = (
        f"Histogram of {total:,} residuals from {number(edges[0])} to {number(edges[-1])}, mean {number(each['mean'])}"
    )
    note = f"What came less the forecast, {found['unit']}; the outermost bars hold what lies beyond them as well."
    parts = [
        figure(
            "How errors are distributed",
            figures.histogram(each, "residuals", title),
            table(title, ["from, to", "count"], rows),
            note=note,
        )
    ]
    if each["lags"]:
        pair = list(zip(each["lags"], each["correlations"], strict=True))
        lag, strongest = max(pair, key=lambda one: abs(one[1]))
        title = f"Autocorrelation of errors one step ahead: strongest {strongest:.2f} at a lag of {lag} rows"
        note = (
            "Autocorrelation of errors one step ahead, by how many rows lie between. Of errors without a pattern 95 % "
            f"are within {each['band']:.3f} of 0, the grey band."
        )
        numbers = table(title, ["lag", "correlation"], [[str(one), other] for one, other in pair])
        parts.append(figure("Whether they repeat", figures.correlogram(each, "correlogram", title), numbers, note=note))
    return Section("residuals", "What is left unexplained", grid(*parts))


def intervals(known: Known) -> Section | None:
    """Whether intervals hold as much as they say."""
    if not (found := known.diagnosis):
        return None
    levels = list(found["coverage"])
    steps = {
        "labels": found["steps"]["labels"],
        "mae": {f"{level} %": found["coverage"][level]["steps"] for level in levels},
    }
    told = ", ".join(f"{found['coverage'][level]['seen']:.1f} % in those of {level} %" for level in levels)
    title = f"Share of what came within intervals, by step: {told}"
    header = ["step", *(f"{level} %" for level in levels)]
    numbers = table(title, header, list(zip(map(str, steps["labels"]), *steps["mae"].values(), strict=True)))
    drawn = figures.lines(steps, "coverage", title, [float(level) for level in levels])
    legend = dict(zip((f"{level} % intervals" for level in levels), ROLES, strict=False))
    coverage = figure(
        "Held by intervals, by step", drawn, numbers, legend, "Percent of what came; dashed what is promised."
    )
    rows = [[f"{number(expected, 3)} %", seen] for expected, seen in found["reliability"]]
    title = "Percent of what came at or below each quantile of the forecast"
    numbers = table(title, ["quantile", "seen, %"], rows)
    note = (
        "Percent of what came at or below each quantile of the forecast, upwards, against what is promised. On the "
        "dashed line they are the same."
    )
    calibration = figure(
        "Calibration", figures.reliability(found["reliability"], "calibration", title), numbers, note=note
    )
    return Section("intervals", "Whether intervals hold", grid(coverage, calibration))


def worst(known: Known) -> Section | None:
    """The windows with the largest errors, small, side by side."""
    if not (found := known.diagnosis) or not found["worst"]:
        return None
    unit = "deviations" if found["unit"] == DEVIATIONS else found["unit"]
    parts = []
    for place, window in enumerate(found["worst"]):
        title = f"{_of(window, found)}, forecast from {window['origin']}: mean absolute error {number(window['mae'])}"
        ahead = window["stamps"][len(window["history"]) :]
        rows = list(zip(ahead, window["actual"], window["forecast"], strict=True))
        drawn = figures.forecast(window, f"worst{place}", title, figures.SMALL)
        times = number(window["mae"] / found["scores"]["model"]["mae"], 2)
        note = f"Off by {number(window['mae'], 3)} {unit} on average, {times} times the usual"
        caption = f"{_of(window, found)}, from {window['origin']}" if _several(found) else f"From {window['origin']}"
        parts.append(figure(caption, drawn, table(title, ["time", "came", "forecast"], rows, shown=False), note=note))
    legend = figure("The largest errors that do not overlap", "", legend=WINDOW)
    return Section("worst", "Where it was furthest off", f'{legend}<div class="small">{grid(*parts)}</div>')


def _several(found: Facts) -> bool:
    return found["series"] > 1 or len(found["targets"]) > 1


def covariates(known: Known) -> Section | None:
    """How much the error grows without each."""
    found = known.run["covariates"]
    grows = {name: 100 * (each["shuffled"] / each["mae"] - 1) for name, each in found.items() if each["mae"] > 0}
    if not grows:
        return None
    order = sorted(grows, key=grows.__getitem__, reverse=True)
    most = max(*map(abs, grows.values()), 1e-9)
    rows = [[name, f"{grows[name]:+.1f} %", bar(abs(grows[name]) / most, "model")] for name in order]
    caption = "By how much the error on the validation rows grows when its rows are shuffled"
    return Section(
        "covariates",
        "What covariates are worth",
        table(caption, ["covariate", "error", unseen("the same as a bar")], rows),
    )


def training(known: Known) -> Section:
    """How the networks learnt, and how versions did one after the other."""
    run = known.run
    rows = run["losses"]
    best = min(rows, key=lambda row: row["validation"])
    title = f"Loss by epoch: at best {number(best['validation'])} on the validation rows, in epoch {best['epoch']:.0f}"
    cells = [[f"{row.get('member', 0) + 1:.0f}", f"{row['epoch']:.0f}", row["loss"], row["validation"]] for row in rows]
    numbers = table(title, ["network", "epoch", "training", "validation"], cells)
    networks = dict.fromkeys(row.get("member", 0) for row in rows)
    legend = {f"network {k + 1:.0f}": role for k, role in zip(networks, ROLES, strict=False)}
    legend |= {"the same on the training windows": "dashed"}
    note = f"On the validation rows, network by network; {averaged(run)} in what is published."
    parts = [figure("Loss by epoch", figures.losses(rows, "losses", title), numbers, legend, note)]
    history = [entry for entry in run["history"] if entry["mae"] is not None]
    if len(history) > 1:
        title = f"Error of {len(history)} trainings, from {number(history[0]['mae'])} to {number(history[-1]['mae'])}"
        cells = [[e["created"], e["version"], e["mae"], bool(e["published"]), e["why"]] for e in history]
        numbers = table(title, ["when", "version", "MAE", "published", "why"], cells)
        legend = {"published": "dot", "not published": "hollow"}
        note = f"Mean absolute error on the validation rows of each, {DEVIATIONS}."
        parts.append(figure("Versions over time", figures.versions(history, "versions", title), numbers, legend, note))
    return Section("training", "How it learnt", grid(*parts))


def data(known: Known) -> Section:
    """What the data are, and what was mended of them."""
    run, found = known.run, known.diagnosis
    first, rows = run["data"]["first"], run["rows"]
    facts = {
        "trained on": f"{run['data']['name']}, {first} to {run['data']['last']}",
        "rows": f"{rows['used']:,} ({rows['training']:,} training, {rows['validation']:,} validation)",
        "series": f"{run['data']['series']:,}, by {run['id']}" if run["id"] else None,
        "step, seasons": f"{Frequency(run['frequency'])}; {', '.join(map(str, run['season'])) or 'no season'}",
        "covariates": ", ".join(run["covariates"]) or None,
        "mended": "; ".join(f"{count:,} {what}" for what, count in run["mended"].items()),
        "left out": ", ".join(f"{name} ({why})" for name, why in run["left_out"].items()),
        "limits of forecasts": limited(run["limits"], run["data"]["series"]),
    }
    content = pairs(facts)
    if found:
        each = found["course"]
        title = f"{_of(each, found)} from {each['stamps'][0]} to {each['stamps'][-1]}; judged from {each['judged']}"
        note = f"Each point the mean of {each['rows']:,} rows" if each["rows"] > 1 else "Every row"
        numbers = table(title, ["from", "mean"], list(zip(each["stamps"], each["means"], strict=True)), shown=False)
        drawn = _both_widths(figures.course, each, "course", title)
        content += figure(_of(each, found), drawn, numbers, {"judged here": "band1"}, note)
        keys = ("least", "median", "mean", "greatest", "deviation")
        cells = [[each["target"], each["observed"], *(each[key] for key in keys)] for each in found["profile"]]
        content += table(f"The targets in {found['data']}", ["target", "observed", *keys], cells)
        content += sentences(found["read"])
    return Section("data", "The data", content)


def explanation(known: Known) -> Section | None:
    """What the networks look at."""
    return insight(known.explanation) if known.explanation else None


def provenance(known: Known) -> Section:
    """Whatever is needed to make the version again, or to know that it is this one."""
    run = known.run
    facts = {
        "version": run["version"],
        "trained": f"{run['created']}, in {run['seconds']:.0f} s",
        "command": run["command"],
        "data": run["data"]["name"],
        "SHA-256 of the data": run["data"]["sha256"],
        "seeds": ", ".join(str(member["seed"]) for member in run["members"]),
        "network": f"{run['parameters']:,} parameters; {averaged(run)}",
        "trained anew on all rows": "yes" if run["refitted"] else "no",
        "warm start from": run["warm_start"],
        "Python": run["python"],
        "packages": ", ".join(f"{name} {version}" for name, version in run["packages"].items()),
    }
    each = [(f"{part}.{key}", value) for part in ("model", "train") for key, value in run[part].items()]
    settings = [[name, _said(name, value)] for name, value in each]
    every = folded("Every setting", table("Settings, as train --set takes them", ["key", "value"], settings))
    return Section("provenance", "Where it comes from", pairs(facts) + every)


def _said(name: str, value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return unset(name) if value is None else str(value).lower() if isinstance(value, bool) else str(value)


SECTIONS: Sequence[Callable[[Known], Section | None]] = (
    summary,
    newest,
    errors,
    residuals,
    intervals,
    worst,
    covariates,
    explanation,
    training,
    data,
    provenance,
)
