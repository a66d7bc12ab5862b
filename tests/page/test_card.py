"""The model card: its numbers are the facts', its tables are tables, and no name in it is more than text."""

from __future__ import annotations

import copy
import json
import re

import pytest
from markdown_it import MarkdownIt

from cnnlstm_cli.inspection import inspect_run
from cnnlstm_cli.render.card import card
from cnnlstm_cli.render.report import undone
from tests.page.conftest import NAMES

HOSTILE = (
    "a|b",
    "`x` ``y``",
    "<b>bold</b>",
    "**strong** _em_ ~~gone~~",
    "[link](https://evil.example)",
    "![x](y.png)",
    "line\nbreak\n# heading",
    "back\\slash\\",
    "\\|",
    "&lt;i&gt; &#124;",
    "$x^2$",
    "www.evil.example me@evil.example",
    "tab\t\x1b[31m\u202e",
)
PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


@pytest.fixture(scope="module")
def run(load):
    return inspect_run(load)


def rows(text: str) -> list[list[str]]:
    """The cells of every table's rows, as they are read."""
    found, inside = [], False
    for token in PARSER.parse(text):
        if token.type == "tr_open":
            found.append([])
        inside = token.type in ("td_open", "th_open") or (inside and token.type == "inline")
        if token.type == "inline" and inside:
            found[-1].append("".join(part.content for part in token.children))
    return found


def kinds(text: str) -> set[str]:
    """Everything in it that is more than text."""
    tokens = PARSER.parse(text)
    return {each.type for token in tokens for each in (token, *(token.children or ()))}


def read(text: str) -> str:
    """What a reader sees, line by line."""
    return "\n".join(
        "".join(part.content for part in token.children or ()) for token in PARSER.parse(text) if token.type == "inline"
    )


def test_its_numbers_are_those_of_the_facts(run, judged):
    facts = judged.facts()
    text = card(run, facts)
    told = {row[0]: row[1:] for row in rows(card(run))}
    for name, scores in run["validation"].items():
        expected = [scores[metric] for metric in ("mae", "rmse", "mase")]
        assert [float(cell) for cell in told[name]] == pytest.approx(expected, rel=1e-3)
    assert float(told["load"][0]) == pytest.approx(run["error_by_target"]["load"], rel=1e-3)
    assert told["SHA-256"] == [run["data"]["sha256"]]
    assert told["rows"] == ["480: 384 for training, 96 for validation"]
    assert told["from, to"] == [f"{run['data']['first']} to {run['data']['last']}"]
    assert told["tensorflow"] == [run["packages"]["tensorflow"]]
    seen = {row[0]: row[1:] for row in rows(text)}  # the later table counts
    for name, scores in facts["scores"].items():
        assert float(seen[name][0].replace(",", "")) == pytest.approx(scores["mae"], rel=1e-3)
    for level, each in facts["coverage"].items():
        assert seen[f"{level} %"] == [f"{each['seen']:.1f} %"]
    shown = read(text)
    assert f"{facts['origins']} origins from {facts['first']} to {facts['last']}, which it had not seen:" in shown
    assert all(remark in shown for remark in facts["remarks"])
    assert f"{abs(run['skill']['percent']):.1f} % " in shown
    assert f"\n{run['command']}\n" in text


def test_settings_other_than_the_default_are_told_and_no_others(run):
    told = {row[0]: row[1:] for row in rows(card(run)) if row[0].startswith(("model.", "train."))}
    changed = {"model.squeeze", "train.members", "train.linear", "train.refit"}
    assert told.keys() == changed
    assert told["train.refit"] == ["false", "true"]
    assert f"model.filters {run['model']['filters']}, " in read(card(run))


def test_limits_are_told_as_far_as_the_facts_say(run, sold, sales):
    shown = read(card(run))
    assert f"nothing of what came after {run['data']['last']}" in shown
    assert f"more than {run['horizon']} steps ahead" in shown
    assert "about 16 windows that do not overlap" in shown
    assert "forecasts these validation rows better than the model" in shown, "the linear model does, here"
    better = copy.deepcopy(run)
    better["skill"]["percent"], better["rows"]["validation"] = 12.0, 6_000
    shown = read(card(better))
    assert "better than the model" not in shown
    assert "do not overlap" not in shown
    assert "flatters it" in read(card(inspect_run(sales), sold.facts()))


def test_what_a_training_left_undone_is_told_and_why(run):
    def told(**changes) -> str:
        changed = run | changes | {"train": run["train"] | changes.get("train", {})}
        assert (undone(changed) or "").casefold() in read(card(changed)).casefold()
        return undone(changed) or ""

    cut = {"epochs": run["epochs"] | {"interrupted": True}}
    limited = {"train": {"time_limit": 40.0, "refit": True}}
    assert told() == ""
    assert "ended by an interruption after 2 epochs" in told(**cut)
    assert "ended by its time limit of 40 s after 2 epochs, and not repeated on all rows" in told(
        **cut, **limited, seconds=41.0
    )
    assert "ended by an interruption" in told(**cut, **limited, seconds=20.0)
    assert "the time limit of 40 s left no time" in told(**limited, seconds=30.0)
    assert "that was interrupted" in told(train={"refit": True})
    assert told(**limited, refitted=True) == ""
    other = {row[0]: row[1:] for row in rows(card(run | {"train": run["train"] | {"time_limit": 40.0}}))}
    assert other["train.time_limit"] == ["40.0", "none"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_text_and_nothing_else(name, run):
    quiet = kinds(card(run))
    hostile = json.loads(json.dumps(run).replace(json.dumps("load")[1:-1], json.dumps(name)[1:-1]))
    hostile |= {"id": name, "left_out": {name: name}, "warm_start": name, "mended": {name: 3}}
    hostile["data"] |= {"name": name, "last": name}
    text = card(hostile)
    assert kinds(text) <= quiet | {"text_special", "entity"}
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    told = {row[0]: row[1:] for row in rows(text)}
    assert told["file"] == [shown]
    assert told["columns left out"] == [f"{shown} ({shown})"]
    assert len(told[shown]) == 1, "the error of the target"
    assert shown in read(text).splitlines()[0]
    assert not re.search(r"(https?:|www\.|\w@\w)", re.sub(r"```+sh\n.*?```+", "", text, flags=re.DOTALL))


def test_every_row_of_a_table_has_as_many_bars_as_its_head(sales, sold):
    facts = inspect_run(sales)
    facts["command"] = "cnnlstm train 'a|b' --target '\n```\n# no heading' --run x"
    text = card(facts, sold.facts())
    assert "<script>" not in re.sub(r"````sh\n.*?````", "", text, flags=re.DOTALL)
    fences = [token for token in PARSER.parse(text) if token.type == "fence"]
    assert [token.content for token in fences] == [facts["command"] + "\n"]
    widths, last = [], None
    for line in text.replace(facts["command"], "").splitlines():
        bars = len(re.findall(r"(?<!\\)\|", line))
        if not bars:
            last = None
            continue
        widths.append(bars)
        assert last in (None, bars), line
        last = bars
    assert len(widths) > 30
    assert all(re.fullmatch(r"\|.*\|", line) for line in text.splitlines() if line.startswith("|"))
    cells = {cell for row in rows(text) for cell in row}
    assert set(NAMES) <= cells


def test_many_targets_are_cut_short(run):
    many = copy.deepcopy(run)
    many["targets"] = [f"t{k}" for k in range(862)]
    many["error_by_target"] = dict.fromkeys(many["targets"], 1.0)
    text = card(many)
    assert "t0, t1, t2, t3, t4, t5 and 856 more" in text.splitlines()[0]
    assert ["and 842 more", ""] in rows(text)
    assert len(text) < 10_000


def test_the_linear_model_alone_is_called_what_it_is(run):
    alone = run | {"members": [member | {"kept": False} for member in run["members"]], "simple": ["linear"]}
    shown = read(card(alone))
    assert "What is published is the linear model, of 48 rows" in shown
    assert "CNN-LSTM looks back" not in shown


def test_the_same_facts_make_the_same_bytes(run, judged):
    facts = judged.facts()
    again = json.loads(json.dumps(run)), json.loads(json.dumps(facts))
    assert card(run, facts).encode() == card(*again).encode()
