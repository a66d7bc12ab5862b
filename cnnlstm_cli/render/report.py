"""Facts -> a terminal's table, CSV or JSON, for the commands that report."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from cnnlstm_cli.evaluation.conformal import FEW
from cnnlstm_cli.render.explain_report import explain_report
from cnnlstm_cli.render.messages import enumerated, printable, simpler

Facts = Mapping[str, Any]

SCORE_COLUMNS = ("step", "count", "mae", "expected", "ratio")
MOST_STEPS = 24  # shown on a terminal
MOST_NAMED = 3  # of many series
VERSION_COLUMNS = ("version", "current", "created", "rows", "until", "mae", "mase", "skill", "damaged")


def to_json(facts: Facts) -> str:
    """One JSON document; numbers JSON has no word for (NaN) become null."""
    return json.dumps(_finite(facts), indent=2, ensure_ascii=False) + "\n"


def to_csv(facts: Facts) -> str:
    """Two columns, `fact` and `value`, nested facts as `validation.model.mae`; settings as the table they are."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    if facts["kind"] == "settings":
        rows.writerow(facts["settings"][0])
        rows.writerows(setting.values() for setting in facts["settings"])
        return text.getvalue()
    if facts["kind"] == "comparison":
        from cnnlstm_cli.render.comparison_report import comparison_rows

        rows.writerows(_finite(comparison_rows(facts)))
        return text.getvalue()
    if facts["kind"] == "search":
        from cnnlstm_cli.render.search_report import search_rows

        rows.writerows(_finite(list(search_rows(facts))))
        return text.getvalue()
    if facts["kind"] == "groups":
        from cnnlstm_cli.render.groups_report import groups_rows

        rows.writerows(_finite(list(groups_rows(facts))))
        return text.getvalue()
    if facts["kind"] == "backtest":
        rows.writerows(_finite(_score_rows(facts)))
        return text.getvalue()
    if facts["kind"] == "score":
        rows.writerow(SCORE_COLUMNS)
        rows.writerows(step.values() for step in _finite(facts["steps"]))
        return text.getvalue()
    if facts["kind"] == "versions":
        rows.writerow(VERSION_COLUMNS)
        rows.writerows([version.get(name, "") for name in VERSION_COLUMNS] for version in _finite(facts["versions"]))
        return text.getvalue()
    rows.writerow(["fact", "value"])
    rows.writerows(_flat(_finite(facts)))
    return text.getvalue()


def draw(facts: Facts) -> None:
    """Tables on the terminal's standard output."""
    from cnnlstm_cli.render.comparison_report import comparison_report
    from cnnlstm_cli.render.data_report import data_report  # which is made of pieces of this room
    from cnnlstm_cli.render.groups_report import groups_report
    from cnnlstm_cli.render.run_report import run_report  # as well
    from cnnlstm_cli.render.search_report import search_report

    reports = {
        "run": run_report,
        "comparison": comparison_report,
        "groups": groups_report,
        "search": search_report,
        "data": data_report,
        "settings": settings_report,
        "backtest": backtest_report,
        "versions": versions_report,
        "score": score_report,
    }
    explained = facts.get("explanation")
    lines = explain_report(explained) if explained else reports[facts["kind"]](facts)
    Console(markup=False, highlight=False, emoji=False).print(Group(*lines))


def backtest_report(facts: Facts) -> list[RenderableType]:
    """The scores of the model and of the baselines, in all or part by part."""
    header, *rows = _score_rows(facts)
    shown = [[f"{cell:.4g}" if isinstance(cell, float) else cell for cell in row] for row in rows]
    points = [k for k, name in enumerate(header) if "-" not in name or k == 0]
    tables = [table([header[k] for k in points], [[row[k] for k in points] for row in shown])]
    if levels := [name.partition("-")[2] for name in header if name.startswith("coverage-")]:
        tables.append(_intervals(header, shown, levels))
    told = f"mae, rmse, pinball and width in {facts['unit']}; smape, wape and coverage in percent"
    return [*tables, Text(told)]


def _intervals(header: list[str], rows: list[list[str]], levels: list[str]) -> Table:
    """A row a level of each forecaster that has intervals."""
    who = header[: header.index("forecaster") + 1]
    metrics = ("coverage", "width", "msis")
    cells = [
        [*row[: len(who)], level, *(row[header.index(f"{metric}-{level}")] for metric in metrics)]
        for row in rows
        for level in levels
    ]
    return table([*who, "level", *metrics], [row for row in cells if row[-1] != ""])


def versions_report(facts: Facts) -> list[RenderableType]:
    """A run's versions, a row each, the published one marked."""
    rows = []
    for each in facts["versions"]:
        if "damaged" in each:
            rows.append([each["version"], "damaged", "", "", "", ""])
            continue
        skill = "" if each["skill"] is None else f"{each['skill']:.1f} %"
        scores = [f"{each['mae']:.4f}", f"{each['mase']:.3f}", skill]
        rows.append([each["version"], "current" if each["current"] else "", str(each["until"]), *scores])
    made = table(["version", "", "until", "mae", "mase", "skill"], rows)
    made.columns[0].no_wrap = True  # to be copied in one piece
    return [made, Text("skill: how much less error than the best baseline, on the validation rows of each version")]


def score_report(facts: Facts) -> list[RenderableType]:
    """How logged forecasts did, step by step, and the newest rows beside those trained on."""
    steps = facts["steps"]
    every = max(1, -(-(len(steps) - 1) // MOST_STEPS))
    shown = [*steps[:1], *steps[1::every]]
    ratio = [f"{step['ratio']:.2f}" if step["ratio"] else "" for step in shown]
    rows = [
        [step["step"], f"{step['count']:,}", f"{step['mae']:.4g}", f"{step['expected']:.4g}", times]
        for step, times in zip(shown, ratio, strict=True)
    ]
    counts = f"{facts['scored']:,} values scored, {facts['to come']:,} still to come"
    return [
        table(list(SCORE_COLUMNS), rows) if rows else Text("No row has come yet that was forecast."),
        Text(f"{counts}; mae in {facts['unit']}, expected as on the validation rows"),
        *([Text(f"Shown: one step in {every} of {len(steps)}; --json tells all.")] if every > 1 else []),
        Text("; ".join(f"{share:.1f} % within intervals of {level} %" for level, share in facts["coverage"].items())),
        *(_columns(facts) if facts["columns"] else ()),
        Text("drift: " + ("; ".join(facts["drift"]) or "none")),
    ]


def _columns(facts: Facts) -> Iterator[Table]:
    """The newest rows a target, and from where to where training saw the same."""
    spans = {"least": "value", "mean": "mean", "deviation": "deviation", "greatest": "value"}
    rows = [
        [each["target"], name, f"{each['now'][name]:.5g}", *(f"{end:.5g}" for end in each["trained"][span])]
        for each in facts["columns"]
        for name, span in spans.items()
    ]
    yield table(["target", "newest rows", "now", "trained from", "to"], rows)


def limited(limits: Facts, series: int) -> str:
    """Within what forecasts are held: in full where that is the same in all series, else that of the first."""
    if not limits:
        return "none"
    told = {
        name: ", ".join(f"{target} {_span(*pair)}" for target, pair in targets.items())
        for name, targets in limits.items()
    }
    first, count = next(iter(told)), f"{len(limits):,} of {series:,} series"
    if series == 1:
        return told[first]
    return f"{told[first]}, {count}" if len({*told.values()}) == 1 else f"{count}, as {first}: {told[first]}"


def _span(low: float | None, high: float | None) -> str:
    least, most = ("" if end is None else f"{end + 0.0:.6g}" for end in (low, high))  # + 0.0 turns -0.0 into 0.0
    if high is None:
        return f"at least {least}"
    return f"at most {most}" if low is None else f"{least} to {most}"


def _score_rows(facts: Facts) -> list[list[Any]]:
    """A header, then a row a forecaster, or a row a part and forecaster."""
    metrics = list(facts["scores"]["model"])
    if "by" not in facts:
        rows = [[name, *(scores.get(m, "") for m in metrics)] for name, scores in facts["scores"].items()]
        return [["forecaster", *metrics], *rows]
    rows = [
        [part, name, *(scores.get(m, "") for m in metrics)]
        for part, found in facts["parts"].items()
        for name, scores in found.items()
    ]
    return [[facts["by"], "forecaster", *metrics], *rows]


def settings_report(facts: Facts) -> list[RenderableType]:
    """Every setting, a row each."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in facts["settings"][0]:
        table.add_column(name, no_wrap=name == "key", overflow="fold")
    for setting in facts["settings"]:
        table.add_row(*(Text(cell) for cell in setting.values()))
    return [table]


def verdict(skill: Facts) -> str:
    """How the model did against the best baseline, in words."""
    if skill["percent"] is None:
        return (
            f"The best baseline, {skill['against']}, makes no error on the validation rows: there is nothing to learn."
        )
    better = "less" if skill["percent"] >= 0 else "more"
    return f"{abs(skill['percent']):.1f} % {better} error than the best baseline ({skill['against']})."


def losing(facts: Facts) -> str | None:
    """What to say, and to try, when a baseline does better than the network; None when none does."""
    skill = facts["skill"]
    if not any(member["kept"] for member in facts["members"]):
        return (
            f"no network made the forecast better on these validation rows; what is published is {averaged(facts)}. "
            f"Try more rows, or a longer --lookback than {facts['lookback']}."
        )
    if skill["percent"] is None or skill["percent"] >= 0:
        return None
    return (
        f"{skill['against']} forecasts these validation rows better than the model. Try more rows, a longer "
        f"--lookback than {facts['lookback']}, or --season if the data has one that was not found; until then the "
        "model is not worth its electricity."
    )


def few(facts: Facts) -> str | None:
    """What to say where the validation rows are so few that they may flatter; None where they are enough."""
    apart = facts["rows"]["validation"] // max(1, facts["horizon"] * facts["data"]["series"])
    if apart >= FEW:
        return None
    of = " of each series" if facts["data"]["series"] > 1 else ""
    return (
        f"few validation rows, {apart} horizon{'' if apart == 1 else 's'}{of}, which the networks were chosen by: "
        "scores may flatter, and intervals be too narrow. cnnlstm backtest, which trains anew, tells more."
    )


def behind(facts: Facts) -> list[str]:
    """Of many series, what is to be said of those that are not forecast well, or have nothing to learn from."""
    found, said = facts.get("series"), []
    if found and found["behind"]:
        named = ", ".join(
            f"{each['id']} ({each['against']}, {100 * (1 - each['baseline'] / each['mae']):.0f} % less error)"
            for each in found["first"][:MOST_NAMED]
            if each["mae"] > 0
        )
        more = ", ..." if found["behind"] > MOST_NAMED else ""
        said.append(f"{found['behind']:,} of {found['judged']:,} series a baseline forecasts better: {named}{more}.")
    if found and found["unused"]:
        which = "1 series is" if found["unused"] == 1 else f"{found['unused']:,} series are"
        said.append(f"{which} too short to learn from or to be judged (first {''.join(found['unused_first'])!r}).")
    return said


def undone(facts: Facts) -> str | None:
    """What a training left undone, and why; None when it did all that was asked."""
    limit, epochs = facts["train"]["time_limit"], facts["epochs"]
    late = limit is not None and facts["seconds"] >= limit
    why = f"its time limit of {limit:g} s" if late else "an interruption"
    if epochs["interrupted"]:
        count = "1 epoch" if epochs["run"] == 1 else f"{epochs['run']} epochs"
        return f"the training was ended by {why} after {count}, and not repeated on all rows."
    again = facts["train"]["refit"] and any(member["kept"] for member in facts["members"])
    if again and not facts["refitted"]:
        why = "that was interrupted" if limit is None else f"the time limit of {limit:g} s left no time"
        return f"the networks were not trained anew on all rows, the newest among them: {why}."
    return None


def summary_lines(facts: Facts) -> list[str]:
    """What is said when a training is done."""
    if not facts["trained"]:
        return [f"nothing to do: {facts['why']}: {facts['run']}, version {facts['version']}"]
    epochs, model = facts["epochs"], facts["validation"]["model"]
    left, networks = undone(facts), averaged(facts)
    anew = ", then trained on all rows" if facts["refitted"] else ""
    return [
        f"trained: {epochs['run']} epochs, best {epochs['best']}{anew}, in {facts['seconds']:.1f} s; "
        f"{networks}, {facts['parameters']:,} parameters",
        f"validation: mae {model['mae']:.4f}, mase {model['mase']:.4f}. {verdict(facts['skill'])}",
        *([f"covariates: {worth}"] if (worth := worths(facts["covariates"])) else []),
        *([f"note: {left}"] if left else []),
        *([f"warning: {against}"] if (against := losing(facts)) else []),
        *([f"note: {scarce}"] if (scarce := few(facts)) else []),
        *(f"note: {line}" for line in behind(facts)),
        *([facts["why"]] if facts.get("gate") else []),
        f"{'published' if facts['published'] else 'not published; still'}: {facts['run']}, version {facts['version']}",
    ]


def worths(covariates: Facts) -> str:
    """By how much the error grows without each, the most first."""
    grows = {name: 100 * (each["shuffled"] / each["mae"] - 1) for name, each in covariates.items() if each["mae"] > 0}
    told = (f"{name} {grows[name]:+.1f} %" for name in sorted(grows, key=grows.__getitem__, reverse=True))
    return f"error when shuffled: {', '.join(told)}" if grows else ""


def averaged(facts: Facts) -> str:
    """What a run is the average of, in words."""
    kept = sum(member["kept"] for member in facts["members"])
    networks = [f"{kept} network{'s' if kept > 1 else ''}"] if kept else []
    parts = [*networks, *map(simpler, facts["simple"])]
    shares = [f"{100 * weight:.0f}" for weight in facts.get("weights", ())]
    if kept + len(facts["simple"]) == 1:
        return parts[0]
    return f"{enumerated(parts)} averaged{f', by {enumerated(shares)} %' if shares else ''}"


def pairs(facts: Mapping[str, str]) -> Table:
    """Names and what they stand for, one below the other."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts.items():
        grid.add_row(name, Text(printable(value)))
    return grid


def table(header: list[str], rows: list[list[str]]) -> Table:
    """A table; all columns but the first stand to the right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(header):
        table.add_column(name, justify="right" if place else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


def rows(facts: Facts) -> str:
    """How many rows, and for what."""
    rows = facts["rows"]
    return f"{rows['used']:,} rows ({rows['training']:,} training, {rows['validation']:,} validation)"


def counts(mended: Mapping[str, int]) -> str:
    """What was mended, in words."""
    return "; ".join(f"{count:,} {what}" for what, count in mended.items()) or "nothing"


def listed(values: list[Any], none: str = "none") -> str:
    """Values, or a word where there are none."""
    return ", ".join(str(value) for value in values) or none


def _finite(facts: Any) -> Any:
    if isinstance(facts, Mapping):
        return {key: _finite(value) for key, value in facts.items()}
    if isinstance(facts, (list, tuple)):
        return [_finite(value) for value in facts]
    return None if isinstance(facts, float) and not math.isfinite(facts) else facts


def _flat(facts: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(facts, Mapping):
        for key, value in facts.items():
            yield from _flat(value, ".".join(filter(None, (prefix, str(key)))))  # one series has no name
    elif isinstance(facts, list) and any(isinstance(value, Mapping) for value in facts):
        for place, value in enumerate(facts):
            yield from _flat(value, f"{prefix}.{place}")
    else:
        yield prefix, " ".join(map(str, facts)) if isinstance(facts, list) else facts
