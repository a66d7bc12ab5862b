"""A model card in Markdown (Mitchell et al. 2019): what a version is for, how good it is, and what it is not for.

Whatever is text to the functions here is escaped, so that names from a user's file are read as they are written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cnnlstm_cli.backtesting import DEVIATIONS
from cnnlstm_cli.evaluation.conformal import FEW
from cnnlstm_cli.render.markup import number
from cnnlstm_cli.render.report import averaged, behind, limited, losing, undone, verdict
from cnnlstm_cli.specs import ModelSpec, TrainSpec, unset

Facts = Mapping[str, Any]

SETTLED = ("auto", "race")  # beside None, defaults that stand for what is found from the data
METRICS = ("mae", "rmse", "mase")
MOST_NAMES, MOST_TARGETS = 6, 20  # of many, that a sentence and a table tell
ESCAPED = {ord(sign): f"\\{sign}" for sign in "\\`*_[]#$~{}"}
ESCAPED |= {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord("|"): "&#124;", ord("@"): "&#64;"}
LINKED = re.compile(r"(https?|ftp|www)(:|\.)", re.IGNORECASE)  # what becomes a link without being asked to


def card(run: Facts, diagnosis: Facts | None = None) -> str:
    """The card of a version, from facts of `inspection.inspect_run` and, if there are some, `Diagnosis.facts()`.

    The same facts make the same text.
    """
    parts = [
        f"# Model card: forecasts of {_listed(run['targets'])}",
        f"Version {escaped(run['version'])}, trained {escaped(run['created'])} with cnnlstm.",
        *_use(run),
        *_data(run),
        *_making(run),
        *_scores(run, diagnosis),
        *_limits(run, diagnosis),
        *_again(run),
    ]
    return "\n\n".join(parts) + "\n"


def escaped(value: object) -> str:
    """Text that Markdown and HTML leave as it is; characters that can't be seen, and line ends, by their number."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(value))
    return LINKED.sub(lambda found: f"{found[1]}&#{ord(found[2])};", shown.translate(ESCAPED))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return ", ".join(map(escaped, names[:MOST_NAMES])) + more


def _use(run: Facts) -> Iterator[str]:
    """What it forecasts, and what it needs for that."""
    yield "## What it is for"
    series = f"{run['data']['series']:,} series, told apart by {escaped(run['id'])}" if run["id"] else "one series"
    yield (
        f"It continues {series}, {escaped(run['step'])}, by up to {run['horizon']} steps: "
        f"{_listed(run['targets'])}. It is meant for what goes on as it did in the data below."
    )
    yield "Purpose, and who relies on it: to be filled in."
    yield (
        f"A forecast needs the columns {_listed(run['needs']['columns'])} and {run['needs']['rows']} rows before it"
        f"{', of the covariates that are known ahead also the rows after it' if run['covariates'] else ''}."
    )


def _data(run: Facts) -> Iterator[str]:
    """What it was trained on."""
    data, rows = run["data"], run["rows"]
    yield "## Data"
    facts = {
        "file": data["name"],
        "SHA-256": data["sha256"],
        "licence": "unknown: to be filled in before the model is passed on",
        "from, to": f"{data['first']} to {data['last']}",
        "rows": f"{rows['used']:,}: {rows['training']:,} for training, {rows['validation']:,} for validation",
        "series": f"{data['series']:,}",
        "step": run["step"],
        "seasons, in rows": ", ".join(map(str, run["season"])) or "none",
        "mended": "; ".join(f"{count:,} {what}" for what, count in run["mended"].items()) or "nothing",
        "columns left out": "; ".join(f"{name} ({why})" for name, why in run["left_out"].items()) or "none",
        "limits of forecasts": limited(run["limits"], data["series"]),
    }
    yield _table(["", ""], facts.items())


def _making(run: Facts) -> Iterator[str]:
    """The network, in a sentence, and the settings that are not the default."""
    model = run["model"]
    yield "## How it was made"
    if any(member["kept"] for member in run["members"]):
        cells = f"{model['layers']} {'bidirectional ' if model['bidirectional'] else ''}{model['cell'].upper()}"
        parts = [
            f"{model['blocks']} block{'' if model['blocks'] == 1 else 's'} of {model['filters']} filters over "
            f"{model['kernel']} rows",
            *(["squeeze-excite"] if model["squeeze"] else []),
            f"{cells} layer{'' if model['layers'] == 1 else 's'} of {model['units']} units",
            *(["beside it a linear skip"] if model["skip"] else []),
            *(["beside it what the calendar says"] if model["calendar"] != "none" else []),
        ]
        yield (
            f"A CNN-LSTM looks back {run['lookback']} rows: {', '.join(parts)}. What is published is "
            f"{averaged(run)}, {run['parameters']:,} parameters."
        )
    else:
        yield f"No network made the forecast better. What is published is {averaged(run)}, of {run['lookback']} rows."
    seeds = ", ".join(str(member["seed"]) for member in run["members"])
    anew = (
        "The networks were trained anew on all rows, the validation rows included, after these had chosen the epochs."
        if run["refitted"]
        else "The validation rows chose the epochs; the networks were not trained on them."
    )
    warm = f" It went on from version {escaped(run['warm_start'])}." if run["warm_start"] else ""
    yield f"Seeds: {seeds}. {anew}{warm}"
    other, found = _settings(run)
    yield "Settings other than the default:" if other else "All settings are the default."
    if other:
        yield _table(["setting", "value", "default"], other)
    if found:
        told = ", ".join(escaped(f"{name} {value}") for name, value in found)
        yield f"Settled where the default leaves it open: {told}."


def _settings(run: Facts) -> tuple[list[tuple[str, str, str]], list[tuple[str, str]]]:
    """Settings that are not their default, and those whose default is to be found."""
    other, found = [], []
    for part, defaults in (("model", ModelSpec()), ("train", TrainSpec())):
        for key, default in vars(defaults).items():
            value, name = run[part].get(key, default), f"{part}.{key}"
            if _plain(value) == _plain(default):
                continue
            if default in SETTLED or (default is None and unset(name) == "found"):
                found.append((name, _told(value)))
            else:
                other.append((name, _told(value), _told(default)))
    return other, found


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _told(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(f"{each:g}" for each in value)
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def _scores(run: Facts, found: Facts | None) -> Iterator[str]:
    """The model beside the baselines, and how much of what came its intervals held."""
    yield "## How good it is"
    yield f"On the {run['rows']['validation']:,} validation rows, by which it was chosen:"
    yield _side_by_side(run["validation"])
    yield f"MAE and RMSE in {DEVIATIONS}; MASE below 1 is better than the seasonal naive."
    yield escaped(verdict(run["skill"]))
    errors = [(name, number(mae)) for name, mae in run["error_by_target"].items()]
    more = [(f"and {len(errors) - MOST_TARGETS:,} more", "")] if len(errors) > MOST_TARGETS else []
    yield _table(["target", "MAE in its own unit"], errors[:MOST_TARGETS] + more)
    worth = {name: each["shuffled"] / each["mae"] - 1 for name, each in run["covariates"].items() if each["mae"]}
    if worth:
        yield _table(["covariate", "error when shuffled"], [(name, f"{grows:+.1%}") for name, grows in worth.items()])
    levels = " and ".join(f"{level:g} %" for level in run["train"]["levels"])
    if not found:
        yield f"Intervals of {levels} are calibrated on these rows; what they hold on others was not looked at."
        return
    where = f"{escaped(found['data'])}, {found['origins']:,} origins from {escaped(found['first'])} to"
    seen = "which it had not seen" if found["unseen"] else "of which it had seen some, so that this flatters it"
    yield f"On {where} {escaped(found['last'])}, {seen}:"
    yield _side_by_side(found["scores"])
    yield f"MAE and RMSE in {escaped(found['unit'])}. {' '.join(map(escaped, found['notes']))}"
    rows = [(f"{level} %", f"{each['seen']:.1f} %") for level, each in found["coverage"].items()]
    yield _table(["interval", "held, of what came"], rows)


def _side_by_side(scores: Mapping[str, Facts]) -> str:
    rows = [(name, *(number(each[metric]) for metric in METRICS)) for name, each in scores.items()]
    return _table(["forecaster", *(metric.upper() for metric in METRICS)], rows)


def _limits(run: Facts, found: Facts | None) -> Iterator[str]:
    """What it must not be used for, as far as the facts say."""
    yield "## Limits, and what it is not for"
    yield "\n".join(f"- {line}" for line in _warnings(run, found))


def _warnings(run: Facts, found: Facts | None) -> Iterator[str]:
    if worse := losing(run):
        yield escaped(f"{worse[0].upper()}{worse[1:]}")
    for line in (*behind(run), *filter(None, [undone(run)])):
        yield escaped(f"{line[0].upper()}{line[1:]}")
    yield from map(escaped, found["remarks"] if found else ())
    yield (
        f"It knows nothing of what came after {escaped(run['data']['last'])}. Where the series has changed since, "
        "it is not to be relied on before it has been trained anew."
    )
    yield f"Not for more than {run['horizon']} steps ahead, or for rows at another step than {escaped(run['step'])}."
    windows = run["rows"]["validation"] // run["horizon"]
    if windows < FEW:
        yield (
            f"Its scores and intervals rest on about {windows:,} windows that do not overlap: they may be off, and not "
            "for decisions that hang on a rare outcome."
        )
    if run["rows"]["used"] and sum(run["mended"].values()):
        yield f"Of its rows some were mended ({sum(run['mended'].values()):,} cases, see above)."
    yield "It tells what is likely to follow, not what would if someone acted otherwise: it knows no causes."


def _again(run: Facts) -> Iterator[str]:
    """The command, and with what it was run."""
    yield "## To make it again"
    yield "From the data whose SHA-256 is above, with the packages below; others, or other processors, round otherwise."
    yield _fenced(run["command"])
    yield _table(["package", "version"], [("python", run["python"]), *run["packages"].items()])


def _fenced(command: str) -> str:
    """A command as code, within a fence that nothing in it can end."""
    shown = "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in command)
    fence = "`" * max(3, 1 + max((len(ticks) for ticks in re.findall("`+", shown)), default=0))
    return f"{fence}sh\n{shown}\n{fence}"


def _table(header: Sequence[str], rows: Any) -> str:
    """A table; numbers stand to the left, as whatever else."""
    lines = [header, ["---"] * len(header), *([escaped(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
